"""A fleet of mail domains from a seed: what a name server answers about them, and what a client must find."""

from __future__ import annotations

import hashlib
import ipaddress
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

TYPES = {"A": 1, "CNAME": 5, "MX": 15, "TXT": 16}
NXDOMAIN, NODATA = "nxdomain", "nodata"
OPT = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)


def wire_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


_SOA_DATA = wire_name("ns.test") + wire_name("hostmaster.nic.test") + struct.pack("!IIIII", 1, 2, 3, 4, 300)
SOA = wire_name("test") + struct.pack("!HHIH", 6, 1, 300, len(_SOA_DATA)) + _SOA_DATA


@dataclass
class Fleet:
    """`answers` maps the octets of a question to those after its header; `truncated` go over TCP only."""

    domains: list[str] = field(default_factory=list)
    answers: dict[bytes, tuple[bytes, bytes]] = field(
        default_factory=dict
    )  # header without the id, and the rest
    truncated: set[bytes] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    later: list[int] = field(default_factory=list)  # by domain: questions that depend on answers

    @property
    def digest(self) -> str:
        return digest(self.lines)

    @property
    def questions(self) -> int:
        return len(self.lines)

    def add(self, name: str, rdtype: str, *data: bytes, found: Iterable[str] = (), absent: str = "") -> bytes:
        question = wire_name(name) + struct.pack("!HH", TYPES[rdtype], 1)
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", TYPES[rdtype], 1, 300, len(one)) + one for one in data
        )
        header = struct.pack("!HHHHH", 0x8183 if absent == NXDOMAIN else 0x8180, 1, len(data), not data, 1)
        self.answers[question] = header, question + (records or SOA) + OPT
        self.lines.append(line(name, rdtype, found or [absent]))
        return question


def digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def line(name: str, rdtype: str, found: Iterable[str]) -> str:
    return f"{name} {rdtype} {' | '.join(sorted(found))}"


def strings(*texts: str) -> bytes:
    return b"".join(bytes([len(text)]) + text.encode() for text in texts)


def domain_names(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return [f"{draw.getrandbits(40):010x}-{number}.test" for number in range(count)]


def make_fleet(seed: int, count: int) -> Fleet:
    draw = random.Random(seed + 1)
    fleet = Fleet(domain_names(seed, count))
    for number, domain in enumerate(fleet.domains):
        fleet.later.append(2 + _keys(fleet, draw, domain))
        host = f"{domain.replace('.', '-')}.mail.protection.test"
        address = str(ipaddress.IPv4Address(0x0A000000 + number))
        fleet.add(domain, "MX", b"\0\x0a" + wire_name(host), found=[f"10 {host}"])
        fleet.add(host, "A", ipaddress.IPv4Address(address).packed, found=[address])
        spf, note = f"v=spf1 include:spf{number}.senders.test -all", f"ms={draw.getrandbits(32):08x}"
        fleet.add(domain, "TXT", strings(spf), strings(note), found=[spf, note])
        included = f"v=spf1 ip4:{address} -all"
        fleet.add(f"spf{number}.senders.test", "TXT", strings(included), found=[included])
        _text(fleet, draw, f"_dmarc.{domain}", "v=DMARC1; p=reject; rua=mailto:d@" + domain, 0.9)
        _text(fleet, draw, f"_mta-sts.{domain}", f"v=STSv1; id={draw.getrandbits(32)}", 0.6)
        _text(fleet, draw, f"_smtp._tls.{domain}", "v=TLSRPTv1; rua=mailto:t@" + domain, 0.6)
        if draw.random() < 0.6:
            fleet.add(f"mta-sts.{domain}", "A", ipaddress.IPv4Address(address).packed, found=[address])
        else:
            fleet.add(f"mta-sts.{domain}", "A", absent=draw.choice([NXDOMAIN, NODATA]))
    return fleet


def _text(fleet: Fleet, draw: random.Random, name: str, text: str, share: float) -> None:
    if draw.random() < share:
        fleet.add(name, "TXT", strings(text), found=[text])
    else:
        fleet.add(name, "TXT", absent=draw.choice([NXDOMAIN, NODATA]))


def _keys(fleet: Fleet, draw: random.Random, domain: str) -> int:
    """Add both selectors; gives how many of them lead to a key."""
    enabled = draw.random() < 0.85
    for selector in ("selector1", "selector2"):
        owner = f"{selector}._domainkey.{domain}"
        target = f"{selector}-{domain.replace('.', '-')}._domainkey.contoso.onmicrosoft.test"
        if not enabled:
            fleet.add(owner, "CNAME", absent=NXDOMAIN)
            continue
        fleet.add(owner, "CNAME", wire_name(target), found=[target])
        if selector == "selector2" and draw.random() < 0.05:
            fleet.add(target, "TXT", absent=NXDOMAIN)
            continue
        key = f"v=DKIM1; k=rsa; p={draw.getrandbits(1480):0370x}"
        question = fleet.add(target, "TXT", strings(key[:255], key[255:]), found=[key])
        if draw.random() < 0.01:
            fleet.truncated.add(question)
    return 2 * enabled
