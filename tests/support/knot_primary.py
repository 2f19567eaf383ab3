"""A real Knot that holds one zone and takes RFC 2136 updates and zone transfers with a TSIG key."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.tsigkeyring
import dns.zone

KNOT = shutil.which("knotd")
KEY_NAME = "exo-auth-test"


@dataclass(frozen=True)
class Primary:
    """Where it listens, the key, and an octoDNS configuration that writes to it."""

    address: tuple[str, int]
    zone: str
    secret: str
    octodns: Path

    def records(self, zone: str = "") -> set[str]:
        """Transfer a zone, by default the one it is about; every record as a line, the SOA left out."""
        keyring = dns.tsigkeyring.from_text({KEY_NAME: self.secret})
        host, port = self.address
        transfer = dns.query.xfr(
            host,
            zone or self.zone,
            port=port,
            relativize=False,
            keyring=keyring,
            keyalgorithm="hmac-sha256",
            lifetime=5,
        )
        found = dns.zone.from_xfr(transfer, relativize=False)
        return {
            f"{name} {ttl} {rdata.rdtype.name} {rdata.to_text()}"
            for name, ttl, rdata in found.iterate_rdatas()
            if rdata.rdtype.name != "SOA"
        }


@contextmanager
def knot_primary(
    folder: Path,
    zone: str,
    lines: list[str],
    others: dict[str, list[str]] | None = None,
    more: dict[str, list[str]] | None = None,
) -> Iterator[Primary]:
    """Serve `zone` from its lines (owner TTL IN type data) until the end of the block.

    `others` stay as they are; those of `more` are written as `zone` is.
    """
    assert KNOT is not None
    folder.mkdir(parents=True, exist_ok=True)
    address = free_address()
    secret = base64.b64encode(os.urandom(32)).decode()
    written = {zone: lines, **(more or {})}
    write_zones(folder, {**written, **(others or {})})
    static = "".join(f"- domain: {name}\n  storage: {folder}\n  file: {name}.zone\n" for name in others or {})
    (folder / "knot.conf").write_text(
        f"server:\n  listen: {address[0]}@{address[1]}\n  rundir: {folder}\n"
        f"database:\n  storage: {folder}\nlog:\n- target: {folder}/knot.log\n  any: info\n"
        f"key:\n- id: {KEY_NAME}\n  algorithm: hmac-sha256\n  secret: {secret}\n"
        f"acl:\n- id: updates\n  key: {KEY_NAME}\n  action: [update, transfer]\n"
        "zone:\n"
        + "".join(
            f"- domain: {name}\n  storage: {folder}\n  file: {name}.zone\n  acl: updates\n"
            for name in written
        )
        + static,
        encoding="utf-8",
    )
    octodns = octodns_file(folder, address, secret, *written)
    process = subprocess.Popen(
        [KNOT, "-c", str(folder / "knot.conf")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        wait_for_zone(process, address, zone, folder / "knot.log")
        yield Primary(address, zone, secret, octodns)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def write_zones(folder: Path, zones: dict[str, list[str]]) -> None:
    """Write a zone file for each."""
    for name, content in zones.items():
        head = [
            f"{name}. 900 IN SOA ns1.{name}. hostmaster.{name}. 1 3600 600 86400 900",
            f"{name}. 900 IN NS ns1.{name}.",
            f"ns1.{name}. 900 IN A 127.0.0.1",
        ]
        (folder / f"{name}.zone").write_text("\n".join([*head, *content]) + "\n", encoding="ascii")


def octodns_file(folder: Path, address: tuple[str, int], secret: str, *zones: str) -> Path:
    """Write the octoDNS configuration that writes to them."""
    octodns = folder / "octodns.yaml"
    octodns.write_text(
        "providers:\n  primary:\n    class: octodns_bind.Rfc2136Provider\n"
        f"    host: {address[0]}\n    port: {address[1]}\n    key_name: {KEY_NAME}\n"
        f"    key_secret: {secret}\n    key_algorithm: hmac-sha256\n"
        "zones:\n"
        + "".join(f"  {zone}.:\n    sources: [primary]\n    targets: [primary]\n" for zone in zones),
        encoding="utf-8",
    )
    return octodns


def free_address() -> tuple[str, int]:
    while True:
        with (
            socket.create_server(("127.0.0.1", 0)) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            address: tuple[str, int] = tcp.getsockname()
            return address


def wait_for_zone(process: subprocess.Popen[bytes], address: tuple[str, int], zone: str, log: Path) -> None:
    deadline = time.monotonic() + 20
    query = dns.message.make_query(zone, "SOA")
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if dns.query.udp(query, address[0], port=address[1], timeout=0.2).answer:
                return
        except (dns.exception.DNSException, OSError):
            pass
    raise AssertionError(f"knotd does not answer: {log.read_text() if log.exists() else ''}")
