"""Octets that nobody meant, at everything that reads what strangers publish; argument: seconds for all targets."""

from __future__ import annotations

import importlib
import pkgutil
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import exo_auth.records
from exo_auth.errors import RecordSyntaxError
from exo_auth.lookup.wire import MalformedMessage, parse_message

STRINGS = 1_000_000  # for each target, when no time is given
SLOWEST = 0.050  # seconds that one call may take
SEEDS = {  # well-formed inputs to damage; a target without any gets those of all
    "dkim": [
        "v=DKIM1; k=rsa; h=sha256; s=email; t=y:s; n=note; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GN",
        "v=DKIM1; p=",
    ],
    "dmarc": [
        "v=DMARC1; p=reject; sp=none; np=none; psd=n; t=y; rua=mailto:a@b.example!10m; fo=1:d:s; pct=50"
    ],
    "spf": [
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:%{ir}.%{v}._spf.%{d2} a:b.example//64 mx ~all",
        "v=spf1 exists:%{L1r-+,/_=}.x redirect=_spf.%{d} exp=e.%{o}",
    ],
    "authentication_results": [
        'mx.example 1; dkim=pass (a (b) "c") reason="x; y" header.d=a.example; spf=fail smtp.mailfrom=b.example',
    ],
    "received_spf": ['pass (x: y) client-ip=192.0.2.1; envelope-from="a@b.example"; helo=h'],
    "mta_sts": ["v=STSv1; id=20261123; x=y;"],
    "mta_sts_policy": ["version: STSv1\r\nmode: enforce\r\nmx: *.a.example\r\nmax_age: 604800\r\n"],
    "tls_rpt": ["v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/?q=1"],
    "dkim_signature": [
        "v=1; a=rsa-sha256; c=relaxed/simple; d=a.example; s=s1; h=from : to; l=9; t=1; x=2; bh=AAAA; b=AA AA",
    ],
}
OPT = b"\0\0\x29\4\xd0" + bytes(6)
MESSAGES = [
    bytes.fromhex("000781800001000200000001") + b"\x03www\x01a\x07example\0\0\x10\0\1" + records
    for records in (
        b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1k\xc0\x10\xc0\x2b\0\x10\0\1\0\0\0\x3c\0\6\5v=DKI\0\0\x29\4\xd0"
        + bytes(6),
        b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\6\0\x0a\1m\xc0\x10\xc0\x10\0\6\0\1\0\0\0\x3c\0\x18\xc0\x10\xc0\x0c"
        + bytes(20)
        + OPT,
        b"\xc0\x0c\0\x34\0\1\0\0\0\x3c\0\5\3\1\1ab\xc0\x0c\1\1\0\1\0\0\0\x3c\0\x0a\0\5issueca;\0\0\x29\4\xd0\0\0\0\0"
        + b"\0\7\0\x0f\0\3\0\6x",
        b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10" + bytes(16) + OPT,
    )
]


@dataclass
class Target:
    """Something that reads octets; `read` raises only what it may not."""

    name: str
    read: Callable[[bytes], object]
    seeds: list[bytes]
    strings: int = 0
    slowest: float = 0.0
    slowest_input: bytes = b""


@dataclass
class Verdict:
    """What went wrong with which octets."""

    target: str
    what: str
    octets: bytes = field(repr=False)


def targets() -> list[Target]:
    """Give the reader of DNS messages and every grammar in `exo_auth.records`."""
    found = [Target("dns message", _reads_a_message, MESSAGES)]
    prefix = exo_auth.records.__name__ + "."
    for module in pkgutil.walk_packages(exo_auth.records.__path__, prefix):
        grammar = importlib.import_module(module.name)
        if hasattr(grammar, "parse"):
            name = module.name.removeprefix(prefix)
            texts = SEEDS.get(name) or [text for several in SEEDS.values() for text in several]
            seeds = [text.encode() for text in texts]
            found.append(Target(name, _reader_of(getattr(grammar, "looks_like", str), grammar.parse), seeds))
    return found


def _reads_a_message(octets: bytes) -> None:
    try:
        parse_message(octets)
    except MalformedMessage:
        return


def _reader_of(
    looks_like: Callable[[str], object], parse: Callable[[str], object]
) -> Callable[[bytes], None]:
    def read(octets: bytes) -> None:
        text = octets.decode("latin-1")  # every octet is some character
        looks_like(text)
        try:
            parse(text)
        except RecordSyntaxError:
            return

    return read


def strings(draw: random.Random, seeds: list[bytes]) -> Iterator[bytes]:
    """Give random octets now and then, and else a seed with some of it changed, dropped, doubled or mixed."""
    special = b"\0\x0c\x3f\x40\xc0\xff;=:,.\\/%{}!\"' \t\r\n-+~?"
    while True:
        if draw.random() < 0.1:
            yield draw.randbytes(draw.randrange(300))
            continue
        octets = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 2, 3, 8))):
            at = draw.randrange(len(octets) + 1)
            kind = draw.randrange(6)
            if kind == 0 and at < len(octets):
                octets[at] = draw.randrange(256)
            elif kind == 1 and at < len(octets):
                octets[at] = draw.choice(special)
            elif kind == 2:
                del octets[at : at + draw.randrange(1, 9)]
            elif kind == 3:
                octets[at:at] = octets[at : at + draw.randrange(1, 40)] * draw.choice((1, 1, 2, 20))
            elif kind == 4:
                other = draw.choice(seeds)
                octets[at:] = other[draw.randrange(len(other)) :]
            else:
                octets[at:at] = bytes([draw.choice(special)])
        yield bytes(octets)


def fuzz(
    target: Target, seed: int, *, count: int | None = None, seconds: float | None = None
) -> Verdict | None:
    """Read so many strings, or so long; gives what went wrong, None when nothing did."""
    clock = time.perf_counter
    end = None if seconds is None else clock() + seconds
    for octets in strings(random.Random(seed), target.seeds):
        start = clock()
        try:
            target.read(octets)
        except Exception as error:  # noqa: BLE001 - whatever it is, it should not have come out
            return Verdict(target.name, f"raised {error!r}", octets)
        took = clock() - start
        target.strings += 1
        if took > target.slowest:
            if took > SLOWEST:  # the machine may have been busy elsewhere: only what is slow again is slow
                took = min(took, *(_time(target, octets) for _ in range(3)))
            if took > SLOWEST:
                return Verdict(target.name, f"took {took * 1000:.0f} ms", octets)
            target.slowest, target.slowest_input = max(took, target.slowest), octets
        if target.strings == count or (end is not None and start > end):
            return None
    return None


def _time(target: Target, octets: bytes) -> float:
    start = time.perf_counter()
    target.read(octets)
    return time.perf_counter() - start


def main(arguments: list[str]) -> int:
    """Fuzz all targets; gives the exit code."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    found = targets()
    each = float(arguments[0]) / len(found) if arguments else None
    for target in found:
        wrong = fuzz(target, seed, count=None if each else STRINGS, seconds=each)
        print(
            f"{target.name:<16} {target.strings:>9,} strings, the slowest took {target.slowest * 1000:.2f} ms"
        )
        if wrong is not None:
            print(f"{wrong.target} {wrong.what} for {wrong.octets.hex()}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
