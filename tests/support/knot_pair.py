"""A real Knot and its secondary, which nobody notifies: it has a new version once it is told to look."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.query
from knot_primary import KNOT, wait_for_zone

PRIMARY, SECONDARY = "127.0.0.2", "127.0.0.3"


@dataclass
class KnotPair:
    """Serves `zone` at both addresses and one port, and the zone above at the primary."""

    folder: Path
    zone: str
    port: int
    refresh: int = 7200
    serial: int = 1
    _primary: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _secondary: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def lines(self, *records: str) -> list[str]:
        """Give the zone with these records beside those that every version has."""
        return [
            f"{self.zone}. 900 IN SOA ns1.{self.zone}. h.{self.zone}. {self.serial} {self.refresh} 600 86400 600",
            *(f"{self.zone}. 900 IN NS ns{number}.{self.zone}." for number in (1, 2)),
            f"ns1.{self.zone}. 900 IN A {PRIMARY}",
            f"ns2.{self.zone}. 900 IN A {SECONDARY}",
            *records,
        ]

    def publish(self, *records: str) -> None:
        """Write a new version at the primary, and wait until that serves it."""
        assert self._primary is not None
        self.serial += 1
        self._write(records)
        self._primary.send_signal(signal.SIGHUP)  # it loads its zones again
        self._wait_for(PRIMARY)

    def notify(self) -> None:
        """Tell the secondary, as a primary does (RFC 1996), and wait until it has the version."""
        note = dns.message.make_query(self.zone, "SOA")
        note.flags = dns.flags.AA
        note.set_opcode(dns.opcode.NOTIFY)
        dns.query.udp(note, SECONDARY, port=self.port, timeout=5, source=PRIMARY)
        self._wait_for(SECONDARY)

    def start(self, stack: ExitStack, *records: str) -> None:
        """Run both until the stack ends."""
        self._write(records)
        above = [f"{self.zone}. 900 IN NS ns{number}.{self.zone}." for number in (1, 2)]
        above += [f"ns1.{self.zone}. 900 IN A {PRIMARY}", f"ns2.{self.zone}. 900 IN A {SECONDARY}"]
        head = ["test. 900 IN SOA ns.test. h.test. 1 7200 600 86400 900", "test. 900 IN NS ns.test."]
        (self.folder / "above.zone").write_text(
            "\n".join([*head, f"ns.test. 900 IN A {PRIMARY}", *above, ""])
        )
        transfer = "acl:\n- id: transfer\n  address: 127.0.0.0/8\n  action: transfer\n"
        zones = f"- domain: test\n  storage: {self.folder}\n  file: above.zone\n" + (
            f"- domain: {self.zone}\n  storage: {self.folder}\n  file: own.zone\n  acl: transfer\n"
        )
        self._primary = self._run(stack, "primary", PRIMARY, transfer, zones)
        remote = f"remote:\n- id: primary\n  address: {PRIMARY}@{self.port}\n"
        notes = "acl:\n- id: notes\n  address: 127.0.0.0/8\n  action: notify\n"
        zones = (
            f"- domain: {self.zone}\n  storage: {self.folder}/secondary\n  master: primary\n  acl: notes\n"
        )
        self._secondary = self._run(stack, "secondary", SECONDARY, remote + notes, zones)

    def _write(self, records: tuple[str, ...]) -> None:
        (self.folder / "own.zone").write_text("\n".join([*self.lines(*records), ""]), encoding="ascii")

    def _run(
        self, stack: ExitStack, name: str, address: str, more: str, zones: str
    ) -> subprocess.Popen[bytes]:
        assert KNOT is not None
        folder = self.folder / name
        folder.mkdir()
        (folder / "knot.conf").write_text(
            f"server:\n  listen: {address}@{self.port}\n  rundir: {folder}\ndatabase:\n  storage: {folder}\n"
            f"log:\n- target: {folder}/knot.log\n  any: info\n{more}zone:\n{zones}",
            encoding="utf-8",
        )
        process = subprocess.Popen(
            [KNOT, "-c", str(folder / "knot.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait_for_zone(process, (address, self.port), self.zone, folder / "knot.log")
        return process

    def _wait_for(self, address: str) -> None:
        query = dns.message.make_query(self.zone, "SOA")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            answer = dns.query.udp(query, address, port=self.port, timeout=5)
            if answer.answer and answer.answer[0][0].serial == self.serial:
                return
        raise AssertionError(f"{address} does not come to serial {self.serial}")


@contextmanager
def knot_pair(folder: Path, zone: str, *records: str) -> Iterator[KnotPair]:
    """Serve a zone until the end of the block."""
    with ExitStack() as stack:
        pair = KnotPair(folder, zone, _free_port())
        pair.start(stack, *records)
        yield pair


def _free_port() -> int:
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server((PRIMARY, 0)))
            port = int(first.getsockname()[1])
            try:
                stack.enter_context(socket.create_server((SECONDARY, port)))
                for address in (PRIMARY, SECONDARY):
                    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    udp.bind((address, port))
            except OSError:
                continue
            return port
