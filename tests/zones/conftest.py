"""The broken domains behind real name servers, and what `exo-auth check` says about all of them in one run."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from broken_domains import BROKEN, Policy
from broken_zone import environment_for, zone_lines
from policy_host import PolicyHost
from scenes import NOW
from zone_server import ZoneServer

from exo_auth.checks.entry import Profile
from exo_auth.domain_name import DomainName
from exo_auth.render.findings import writer_for
from exo_auth.run.check import CheckRequest, check_names
from exo_auth.run.config import load

Verdicts = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Server:
    """A name server that serves the zone."""

    kind: str
    address: tuple[str, int]


KNOT = shutil.which("knotd")


@contextmanager
def knot(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve the root zone with Knot; yield its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address: tuple[str, int] = free.getsockname()
    soa = ". 900 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 900\n. 900 IN NS ns.test.\nns.test. 900 IN A 127.0.0.1\n"
    (folder / "root.zone").write_text(soa + "\n".join(zone_lines()) + "\n", encoding="ascii")
    (folder / "knot.conf").write_text(
        f"server:\n  listen: {address[0]}@{address[1]}\n  rundir: {folder}\n"
        f"database:\n  storage: {folder}\nlog:\n- target: {folder}/knot.log\n  any: info\n"
        f"zone:\n- domain: .\n  storage: {folder}\n  file: root.zone\n  semantic-checks: off\n",
        encoding="utf-8",
    )
    assert KNOT is not None
    process = subprocess.Popen(
        [KNOT, "-c", str(folder / "knot.conf")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        _wait_for(process, address, folder / "knot.log")
        yield address
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_for(process: subprocess.Popen[bytes], address: tuple[str, int], log: Path) -> None:
    import dns.exception
    import dns.message
    import dns.query

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = dns.query.udp(dns.message.make_query("healthy.test.", "MX"), address[0], 0.2, address[1])
        except (dns.exception.DNSException, OSError):
            continue
        if answer.answer:
            return
    raise AssertionError(log.read_text() if log.exists() else "knotd does not start")


@pytest.fixture(scope="session")
def policy_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyHost]:
    policies: dict[str, Policy] = {f"mta-sts.{case.name}": case.policy for case in BROKEN}
    host = PolicyHost(tmp_path_factory.mktemp("policies"), policies.get)
    yield host
    host.close()


@pytest.fixture(scope="session", params=["dnspython", "knot"])
def name_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param == "knot":
        if KNOT is None:
            pytest.skip("knotd is not installed (Debian package knot)")
        with knot(tmp_path_factory.mktemp("knot")) as address:
            yield Server("knot", address)
        return
    server = ZoneServer(zone_lines())
    yield Server("dnspython", server.address)
    server.close()


def check_all(name_server: tuple[str, int], policy_host: PolicyHost, *options: str) -> str:
    """Run the command for all domains; give what it writes to stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "exo_auth", "check", "-", *options],
        input="\n".join(case.name for case in BROKEN),
        capture_output=True,
        text=True,
        env=environment_for(name_server, policy_host),
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


def check_here(
    name_server: tuple[str, int], policy_host: PolicyHost, rules: Profile = Profile.IETF
) -> Verdicts:
    """Check all domains inside this process; give what the ndjson writer makes of each."""
    settings = load({}, environment=environment_for(name_server, policy_host))
    writer = writer_for("ndjson", NOW)
    lines: list[str] = []
    check_names(
        settings,
        [DomainName.parse_lookup(case.name) for case in BROKEN],
        CheckRequest(rules),
        lambda report: lines.append(writer.domain(report)),
        now=datetime.now(UTC),
        warn=lambda _text: None,
    )
    return {document["domain"]: document for document in map(json.loads, lines)}


@pytest.fixture(scope="session")
def verdicts(name_server: Server, policy_host: PolicyHost) -> Verdicts:
    """Give the verdicts: of this process for one name server, of the command itself for the other."""
    if name_server.kind == "dnspython":
        return check_here(name_server.address, policy_host)
    lines = check_all(name_server.address, policy_host, "-o", "ndjson").splitlines()
    return {document["domain"]: document for document in map(json.loads, lines)}
