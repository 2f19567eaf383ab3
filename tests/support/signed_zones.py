"""Signed zones behind a real Knot, which signs most of them itself, from a root of our own down to broken ones."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from knot_primary import KNOT, free_address, wait_for_zone, write_zones

KEYMGR = shutil.which("keymgr")
needs_knot = pytest.mark.skipif(KNOT is None or KEYMGR is None, reason="Knot is not installed")
RECORDS = [
    "{0}. 300 IN MX 10 mx.{0}.",
    '{0}. 300 IN TXT "v=spf1 -all"',
    "mx.{0}. 300 IN A 192.0.2.1",
    "_25._tcp.mx.{0}. 300 IN TLSA 3 1 1 {1}",
    'a.{0}. 300 IN TXT "a"',
    '*.wild.{0}. 300 IN TXT "wild"',
    "there.wild.{0}. 300 IN A 192.0.2.2",
    "alias.{0}. 300 IN CNAME a.{0}.",
]


@dataclass
class SignedWorld:
    """Where it is served, and the file of its trust anchor."""

    address: tuple[str, int]
    anchors: Path
    folder: Path = field(repr=False)


def lines_of(zone: str) -> list[str]:
    return [line.format(zone, "ab" * 32) for line in RECORDS]


@contextmanager
def signed_world(folder: Path) -> Iterator[SignedWorld]:
    """Serve the zones until the end of the block."""
    assert KNOT is not None
    address = free_address()
    zones = {name: lines_of(name) for name in (*BY_KNOT, *BY_US, "insecure.test", "child.optout.test")}
    zones["signed.test"] += [
        "far.signed.test. 300 IN CNAME a.nsec3.test.",
        "out.signed.test. 300 IN CNAME a.insecure.test.",
        "lost.signed.test. 300 IN CNAME a.tampered.test.",
        "sub.signed.test. 300 IN DNAME nsec3.test.",
        'deep.empty.signed.test. 300 IN TXT "below an empty name"',
    ]
    zones["optout.test"] += ["child.optout.test. 300 IN NS ns1.child.optout.test."]
    zones["test"] = [f"{name}. 300 IN NS ns1.{name}." for name in zones if name.count(".") == 1]
    (folder / "knot.conf").write_text(_configuration(folder, address, zones), encoding="utf-8")
    digests = {name: _knot_key(folder, name) for name in (*BY_KNOT, "test", ".")}
    write_zones(folder, zones)
    digests |= {name: _sign(folder / f"{name}.zone", name, damage) for name, damage in BY_US.items()}
    digests["mismatch.test"] = digests["mismatch.test"][:-4] + "0000"
    with (folder / "test.zone").open("a", encoding="ascii") as file:
        file.writelines(f"{name}. 300 IN DS {ds}\n" for name, ds in digests.items() if name.endswith(".test"))
    soa = ". 900 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 900\n. 900 IN NS ns.test.\n"
    (folder / "root.zone").write_text(
        f"{soa}test. 900 IN NS ns1.test.\ntest. 900 IN DS {digests['test']}\n", encoding="ascii"
    )
    anchors = folder / "anchors"
    anchors.write_text(f"; the root of the test\n. IN DS {digests['.']}\n", encoding="ascii")
    process = subprocess.Popen(
        [KNOT, "-c", str(folder / "knot.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for zone in (*zones, "."):
            wait_for_zone(process, address, zone, folder / "knot.log")
        yield SignedWorld(address, anchors, folder)
    finally:
        process.terminate()
        process.wait()


BY_KNOT = ("signed.test", "nsec3.test", "optout.test", "iterated.test", "limit.test", "mismatch.test")


def _configuration(folder: Path, address: tuple[str, int], zones: dict[str, list[str]]) -> str:
    policies = {
        "nsec3.test": "hashed",
        "optout.test": "opt-out",
        "iterated.test": "too-often",
        "limit.test": "often",
    }
    signed = {name: policies.get(name, "plain") for name in (*BY_KNOT, "test", ".")}
    text = (
        f"server:\n  listen: {address[0]}@{address[1]}\n  rundir: {folder}\n"
        f"database:\n  storage: {folder}\nlog:\n- target: {folder}/knot.log\n  any: info\npolicy:\n"
        "- id: plain\n  manual: on\n  algorithm: ecdsap256sha256\n"
        "- id: hashed\n  manual: on\n  algorithm: ecdsap256sha256\n  nsec3: on\n"
        "- id: often\n  manual: on\n  algorithm: ecdsap256sha256\n  nsec3: on\n  nsec3-iterations: 150\n"
        "- id: too-often\n  manual: on\n  algorithm: ecdsap256sha256\n  nsec3: on\n  nsec3-iterations: 151\n"
        "- id: opt-out\n  manual: on\n  algorithm: ecdsap256sha256\n  nsec3: on\n  nsec3-opt-out: on\n"
        "zone:\n"
    )
    for name in (*zones, "."):
        text += f"- domain: {name}\n  storage: {folder}\n  file: {'root' if name == '.' else name}.zone\n"
        text += "  zonefile-sync: -1\n  semantic-checks: off\n"
        if name in signed:
            text += f"  dnssec-signing: on\n  dnssec-policy: {signed[name]}\n"
    return text


def _knot_key(folder: Path, zone: str) -> str:
    """Make one key that signs everything; gives its DS."""
    assert KEYMGR is not None
    base = [KEYMGR, "-c", str(folder / "knot.conf"), zone]
    made = [*base, "generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"]
    subprocess.run(made, check=True, capture_output=True)
    told = subprocess.run([*base, "ds"], check=True, capture_output=True, text=True).stdout
    return next(line.partition(" DS ")[2] for line in told.splitlines() if line.split()[4] == "2")


Damage = Callable[[dns.zone.Zone], None]


def _sign(file: Path, name: str, damage: tuple[int, Damage]) -> str:
    """Sign a zone file with a key of our own, and break it as told; gives its DS."""
    days, breaks = damage
    zone = dns.zone.from_file(str(file), f"{name}.", relativize=False, check_origin=False)
    private = ec.generate_private_key(ec.SECP256R1())
    key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.now(UTC)
    with zone.writer() as writer:
        dns.dnssec.sign_zone(
            zone,
            writer,
            keys=[(private, key)],
            add_dnskey=True,
            dnskey_ttl=300,
            inception=now - timedelta(days=30),
            expiration=now + timedelta(days=days),
        )
    breaks(zone)
    zone.to_file(str(file), relativize=False)
    return dns.dnssec.make_ds(f"{name}.", key, "SHA256").to_text()


def _unharmed(_zone: dns.zone.Zone) -> None:
    """Leave it as it is."""


def _tampered(zone: dns.zone.Zone) -> None:
    rdataset = zone.find_rdataset(dns.name.from_text("a.tampered.test."), "TXT")
    text = dns.rdataset.from_text("IN", "TXT", 300, '"forged"')
    rdataset.clear()
    rdataset.update(text)


def _without(*types: str) -> Damage:
    def strip(zone: dns.zone.Zone) -> None:
        for node in list(zone.nodes.values()):
            for rdataset in list(node.rdatasets):
                if dns.rdatatype.to_text(rdataset.rdtype) in types:
                    node.rdatasets.remove(rdataset)

    return strip


BY_US: dict[str, tuple[int, Damage]] = {  # days until signatures expire, and what is broken
    "ours.test": (30, _unharmed),
    "expired.test": (-2, _unharmed),
    "tampered.test": (30, _tampered),
    "stripped.test": (30, _without("RRSIG", "NSEC", "DNSKEY")),
    "unproven.test": (30, _without("NSEC")),
}
