"""A fleet for the whole check: every record of a domain that is in order, or lacks one thing, from a seed."""

from __future__ import annotations

import ipaddress
import random
import struct

from dns_fleet import NODATA, TYPES, Fleet, domain_names, strings, wire_name

for name, number in (("SOA", 6), ("AAAA", 28)):
    TYPES.setdefault(name, number)
SOA_DATA = struct.pack("!IIIII", 1, 7200, 3600, 1209600, 900)


def make_check_fleet(seed: int, count: int) -> tuple[Fleet, dict[str, list[str]]]:
    """Give the fleet, and by domain the codes that a check must find."""
    draw = random.Random(seed + 3)
    fleet = Fleet(domain_names(seed, count))
    expected = {}
    for number, domain in enumerate(fleet.domains):
        codes = ["DNSSEC-INSECURE", "STS-TXT-MISSING"]
        fleet.add(domain, "SOA", wire_name("ns.nic.test") + wire_name("hostmaster.nic.test") + SOA_DATA)
        host = f"mx{number % 50}.mail.test"
        address = ipaddress.IPv4Address(0x0A000000 + number % 50)
        fleet.add(domain, "MX", b"\0\x0a" + wire_name(host))
        fleet.add(host, "A", address.packed)
        fleet.add(host, "AAAA", absent=NODATA)
        _spf(fleet, draw, domain, number, codes)
        _dmarc(fleet, draw, domain, codes)
        if draw.random() < 0.6:
            fleet.add(f"_smtp._tls.{domain}", "TXT", strings("v=TLSRPTv1; rua=mailto:tls@reports.test"))
        else:
            codes.append("TLSRPT-MISSING")
        _keys(fleet, draw, domain, number, codes)
        expected[domain] = sorted(codes)
    return fleet, expected


def _spf(fleet: Fleet, draw: random.Random, domain: str, number: int, codes: list[str]) -> None:
    vendor = f"spf{number % 200}.senders.test"
    fleet.add(
        vendor, "TXT", strings(f"v=spf1 include:shared{number % 7}.senders.test ip4:198.51.100.0/24 -all")
    )
    fleet.add(f"shared{number % 7}.senders.test", "TXT", strings("v=spf1 ip4:203.0.113.0/24 -all"))
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
        key = KEYS[(2 * number + (selector == "selector2")) % len(KEYS)]
        question = wire_name(owner) + struct.pack("!HH", TYPES["TXT"], 1)
        alias, text = wire_name(target), strings(key[:255], key[255:])
        answer = b"\xc0\x0c" + struct.pack("!HHIH", TYPES["CNAME"], 1, 300, len(alias)) + alias
        answer += alias + struct.pack("!HHIH", TYPES["TXT"], 1, 300, len(text)) + text
        header = struct.pack("!HHHHH", 0x8180, 1, 2, 0, 0)
        fleet.answers[question] = header, question + answer


def _key(seed: int) -> str:
    import base64

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    modulus = (1 << 2047) | (seed << 16) | 1
    der = (
        RSAPublicNumbers(65537, modulus)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()};"


KEYS = [_key(seed) for seed in range(1, 65)]
