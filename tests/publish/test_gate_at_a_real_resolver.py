"""A gate beside a real BIND 9 that resolves and remembers: what it is asked, when, and what it must never remember."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.query
import dns.tsigkeyring
import dns.update
import pytest
from bind_primary import BIND, bind_primary
from knot_primary import KEY_NAME, Primary, free_address, wait_for_zone
from terminal import Done, in_process

ZONE = "contoso.test"
OWNER = f"_smtp._tls.{ZONE}"
LINES = [f"{ZONE}. 3600 IN MX 10 mail.{ZONE}.", f"mail.{ZONE}. 3600 IN A 127.0.0.1"]
GATE = f"check {ZONE} --no-sign-in --gate tls-rpt -o json"

pytestmark = pytest.mark.skipif(BIND is None, reason="no named here")


@dataclass(frozen=True)
class World:
    """The zone's own server, and a resolver whose log tells each question."""

    primary: Primary
    log: Path
    environment: dict[str, str]

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    def gate(self) -> tuple[int, str]:
        done = self.run(GATE)
        (gate,) = json.loads(done.out)["gates"]
        return done.code, gate["state"]

    def asked(self) -> int:
        """Count the questions to the resolver about the record, and about the names above it that would hide it."""
        wanted = {f"({OWNER}):", f"(_tls.{ZONE}):"}
        return sum(len(wanted & set(line.split())) for line in self.log.read_text().splitlines())

    def publish(self) -> None:
        keyring = dns.tsigkeyring.from_text({KEY_NAME: self.primary.secret})
        update = dns.update.Update(ZONE, keyring=keyring, keyalgorithm="hmac-sha256")
        update.add(f"{OWNER}.", 300, "TXT", f'"v=TLSRPTv1; rua=mailto:tls@{ZONE}"')
        host, port = self.primary.address
        assert dns.query.tcp(update, host, port=port, timeout=5).rcode() == 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with bind_primary(tmp_path / "primary", ZONE, LINES) as primary:
        folder = tmp_path / "resolver"
        folder.mkdir()
        host, port = free_address()
        (folder / "named.conf").write_text(
            f'options {{ directory "{folder}"; listen-on port {port} {{ {host}; }}; listen-on-v6 {{ none; }};\n'
            f'  pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; recursion yes; querylog yes;\n'
            f'  dnssec-validation no; managed-keys-directory "{folder}"; empty-zones-enable no;\n'
            f"  forward only; forwarders {{ {primary.address[0]} port {primary.address[1]}; }}; }};\n"
            "controls { };\n",
            encoding="utf-8",
        )
        log = folder / "named.log"
        with log.open("wb") as out:
            command = [str(BIND), "-g", "-c", str(folder / "named.conf")]
            process = subprocess.Popen(command, stdout=out, stderr=out)
            try:
                wait_for_zone(process, (host, port), ZONE, log)
                environment = {
                    "EXO_AUTH_NAMESERVER": f"{host}:{port}",
                    "EXO_AUTH_AUTHORITY_PORT": str(primary.address[1]),
                    "EXO_AUTH_STATE_DIR": str(tmp_path / "state"),
                    "HOME": str(tmp_path),
                }
                yield World(primary, log, environment)
            finally:
                process.terminate()
                process.wait()


def test_the_resolver_is_asked_once_and_only_when_the_zone_has_the_record(world: World) -> None:
    assert world.gate() == (3, "blocked")
    assert world.gate() == (3, "blocked")
    assert world.asked() == 0, "nobody made it remember an absence"
    world.publish()
    assert world.gate() == (0, "ready")
    assert world.asked() == 1


def test_an_absence_that_it_remembers_is_waited_for(world: World) -> None:
    world.run(f"tls-rpt show {ZONE}")  # somebody looked too early
    assert world.asked() == 1
    world.publish()
    assert world.gate() == (4, "waiting")
