"""A fleet for the whole check: every record of a domain that is in order, or lacks one thing, from a seed."""

from __future__ import annotations

import base64
import ipaddress
import random
import struct

from dns_fleet import NODATA, SOA, TYPES, Fleet, domain_names, strings, wire_name

for name, number in (("NS", 2), ("SOA", 6), ("AAAA", 28)):
    TYPES.setdefault(name, number)
SOA_DATA = (
    wire_name("ns.nic.test")
    + wire_name("hostmaster.nic.test")
    + struct.pack("!IIIII", 1, 7200, 3600, 1209600, 900)
)
RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")  # RFC 3279 §2.3.1
# So many domains share one, however large the fleet is, so that clients asked about few share as much.
DOMAINS_OF_A_HOST, DOMAINS_OF_AN_INCLUDE = 40, 10


class Absences:
    """What a server of the fleet's zones says of questions that no record answers."""

    def __init__(self, fleet: Fleet) -> None:
        self._names = {question[:-4] for question in fleet.answers}  # without type and class
        self._zones = frozenset(map(wire_name, fleet.domains))

    def about(self, question: bytes) -> bytes:
        """Give the answer without its message id: NODATA where the name is there, else NXDOMAIN (RFC 2308 §2)."""
        name = question[:-4]
        flags = b"\x81\x80" if name in self._names else b"\x81\x83"
        return flags + b"\0\1\0\0\0\1\0\0" + question + self._soa(name)

    def _soa(self, name: bytes) -> bytes:
        """Give the SOA of the zone, under the owner that stands in the question."""
        at = 0
        while name[at]:
            if name[at:] in self._zones:
                owner = struct.pack("!H", 0xC000 | (12 + at))
                return owner + struct.pack("!HHIH", TYPES["SOA"], 1, 900, len(SOA_DATA)) + SOA_DATA
            at += name[at] + 1
        return SOA


def make_check_fleet(seed: int, count: int) -> tuple[Fleet, dict[str, list[str]]]:
    """Give the fleet, and by domain the codes that a check must find."""
    draw = random.Random(seed + 3)
    fleet = Fleet(domain_names(seed, count))
    expected = {}
    hosts, vendors = max(1, count // DOMAINS_OF_A_HOST), max(1, count // DOMAINS_OF_AN_INCLUDE)
    for number, domain in enumerate(fleet.domains):
        codes = ["DNSSEC-INSECURE", "STS-TXT-MISSING"]
        fleet.add(domain, "SOA", SOA_DATA)
        fleet.add(domain, "NS", wire_name("ns.nic.test"))
        host = f"mx{number % hosts}.mail.test"
        address = ipaddress.IPv4Address(0x0A000000 + number % hosts)
        fleet.add(domain, "MX", b"\0\x0a" + wire_name(host))
        fleet.add(host, "A", address.packed)
        fleet.add(host, "AAAA", absent=NODATA)
        _spf(fleet, draw, domain, number % vendors, codes)
        _dmarc(fleet, draw, domain, codes)
        if draw.random() < 0.6:
            fleet.add(f"_smtp._tls.{domain}", "TXT", strings("v=TLSRPTv1; rua=mailto:tls@reports.test"))
        else:
            codes.append("TLSRPT-MISSING")
        _keys(fleet, draw, domain, number, codes)
        expected[domain] = sorted(codes)
    return fleet, expected


def _spf(fleet: Fleet, draw: random.Random, domain: str, vendor_number: int, codes: list[str]) -> None:
    vendor, shared = f"spf{vendor_number}.senders.test", f"shared{vendor_number % 7}.senders.test"
    fleet.add(vendor, "TXT", strings(f"v=spf1 include:{shared} ip4:198.51.100.0/24 -all"))
    fleet.add(shared, "TXT", strings("v=spf1 ip4:203.0.113.0/24 -all"))
    if draw.random() < 0.1:
        codes.append("SPF-NEUTRAL")
        fleet.add(domain, "TXT", strings(f"v=spf1 include:{vendor} ?all"), strings("MS=ms1234"))
    else:
        fleet.add(domain, "TXT", strings(f"v=spf1 include:{vendor} -all"), strings("MS=ms1234"))


def _dmarc(fleet: Fleet, draw: random.Random, domain: str, codes: list[str]) -> None:
    kind = draw.random()
    if kind < 0.1:
        codes.append("DMARC-MISSING")
        return
    policy = "none" if kind < 0.4 else "reject"
    codes += ["DMARC-NONE", "DMARC-NP-ABSENT"] if policy == "none" else []
    fleet.add(f"_dmarc.{domain}", "TXT", strings(f"v=DMARC1; p={policy}; rua=mailto:dmarc@{domain}"))


def _keys(fleet: Fleet, draw: random.Random, domain: str, number: int, codes: list[str]) -> None:
    """Publish both selectors behind CNAMEs; every answer holds the whole chain."""
    if draw.random() < 0.15:
        codes.append("DKIM-SELECTORS-ABSENT")
        return
    for selector in ("selector1", "selector2"):
        owner = f"{selector}._domainkey.{domain}"
        target = f"{selector}-{number}._domainkey.contoso.test"
        key = _key(draw)
        question = wire_name(owner) + struct.pack("!HH", TYPES["TXT"], 1)
        alias, text = wire_name(target), strings(key[:255], key[255:])
        answer = b"\xc0\x0c" + struct.pack("!HHIH", TYPES["CNAME"], 1, 300, len(alias)) + alias
        answer += alias + struct.pack("!HHIH", TYPES["TXT"], 1, 300, len(text)) + text
        header = struct.pack("!HHHHH", 0x8180, 1, 2, 0, 0)
        fleet.answers[question] = header, question + answer


def _key(draw: random.Random) -> str:
    """Give a key record of its own, as each domain has; nobody can sign with it."""
    modulus = (1 << 2047) | draw.getrandbits(2047) | 1
    sequence = _der(0x02, b"\0" + modulus.to_bytes(256)) + _der(0x02, (65537).to_bytes(3))  # RFC 8017 §A.1.1
    bits = _der(0x03, b"\0" + _der(0x30, sequence))
    return f"v=DKIM1; k=rsa; p={base64.b64encode(_der(0x30, RSA_ALGORITHM + bits)).decode()};"


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = (
        bytes([size]) if size < 0x80 else bytes([0x80 | 1 + (size > 0xFF)]) + size.to_bytes(1 + (size > 0xFF))
    )
    return bytes([tag]) + length + content
