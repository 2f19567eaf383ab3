"""What the client behind real Postfix servers makes of policies served by us, and of each fault there can be."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from connect_proxy import ConnectProxy
from policy_host import PolicyHost
from postfix_client import resolved
from private_ca import PrivateCa
from serving import ServerProcess
from zone_server import ZoneServer

POLICY = "version: STSv1\nmode: {mode}\nmx: mail.contoso.example\nmx: *.backup.example\nmax_age: 86400\n"
DOMAIN = "contoso.example"


def zone(**ids: str) -> ZoneServer:
    return ZoneServer(
        f'_mta-sts.{label.replace("_", "-")}.example. 60 IN TXT "v=STSv1; id={one};"'
        for label, one in ids.items()
    )


@contextmanager
def proxied(port: int) -> Iterator[str]:
    proxy = ConnectProxy(lambda _host: port)
    yield proxy.url
    proxy.close()


def test_postfix_gets_the_policy_and_sees_a_new_one_once_the_id_is_new(tmp_path: Path) -> None:
    ca = PrivateCa(tmp_path)
    certificate = ca.write(tmp_path / "contoso.pem", f"mta-sts.{DOMAIN}")
    policies = tmp_path / "policies"
    policies.mkdir()
    file = policies / f"{DOMAIN}.txt"
    file.write_text(POLICY.format(mode="testing"))
    first, second = zone(contoso="1"), zone(contoso="2")
    arguments = (str(policies), "--certificate", str(certificate), "--listen", "127.0.0.1:0")
    with ServerProcess(*arguments) as server, proxied(server.port) as proxy:

        def policy(names: ZoneServer, known: str = "") -> object:
            wanted = f"{DOMAIN}={known}"
            return resolved(wanted, server=names.address, proxy=proxy, ca_file=ca.ca_file)[DOMAIN]

        testing = {
            "result": "VALID",
            "id": "1",
            "version": "STSv1",
            "mode": "testing",
            "mx": ["mail.contoso.example", "*.backup.example"],
            "max_age": 86400,
        }
        assert policy(first) == testing
        file.write_text(POLICY.format(mode="enforce"))
        assert policy(first, known="1") == "NOT_CHANGED"
        assert policy(second, known="1") == testing | {"id": "2", "mode": "enforce"}
        file.write_text("<html>sorry</html>")
        assert policy(first) == testing | {"mode": "enforce"}
        file.unlink()
        assert policy(first) == "FETCH_ERROR"
    for names in (first, second):
        names.close()


@dataclass(frozen=True)
class Fault:
    """What a policy host does; the defaults are right."""

    body: str = POLICY.format(mode="enforce").replace("\n", "\r\n")
    status: int = 200
    media_type: str = "text/plain"
    location: str = ""
    certificate: str = "own"


RIGHT = Fault()
FAULTS = {
    "name": Fault(certificate="other-name"),
    "expired": Fault(certificate="expired"),
    "self_signed": Fault(certificate="self-signed"),
    "redirect": Fault(status=301, location="https://www.contoso.example/.well-known/mta-sts.txt"),
    "missing": Fault(status=404),
    "broken": Fault(status=500),
    "html": Fault(media_type="text/html"),
    "binary": Fault(media_type="application/octet-stream"),
    "large": replace(RIGHT, body=RIGHT.body + "x: y\r\n" * 11000),
    "garbage": Fault(body="<html><body>It works!</body></html>"),
    "version": replace(RIGHT, body=RIGHT.body.replace("STSv1", "STSv2")),
    "mode": replace(RIGHT, body=RIGHT.body.replace("enforce", "strict")),
    "empty": Fault(body=""),
}


@pytest.fixture(scope="module")
def made_of_faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    cases = {**FAULTS, "right": RIGHT, "bare_lf": replace(RIGHT, body=RIGHT.body.replace("\r\n", "\n"))}
    by_host = {f"mta-sts.{label.replace('_', '-')}.example": case for label, case in cases.items()}
    host = PolicyHost(tmp_path_factory.mktemp("faults"), by_host.get)
    names = zone(**dict.fromkeys(cases, "1"))
    wanted = [f"{label.replace('_', '-')}.example" for label in cases]
    with proxied(host.port) as proxy:
        yield dict(resolved(*wanted, server=names.address, proxy=proxy, ca_file=host.ca_file))
    host.close()
    names.close()


@pytest.mark.parametrize("label", FAULTS)
def test_each_fault_leaves_postfix_without_a_policy(made_of_faults: dict[str, object], label: str) -> None:
    assert made_of_faults[f"{label.replace('_', '-')}.example"] == "FETCH_ERROR"


@pytest.mark.parametrize("label", ["right", "bare-lf"])
def test_the_same_host_without_a_fault_is_believed(made_of_faults: dict[str, object], label: str) -> None:
    found = made_of_faults[f"{label}.example"]
    assert isinstance(found, dict)
    assert (found["result"], found["mode"]) == ("VALID", "enforce")


def test_a_host_that_is_silent_is_given_up(tmp_path: Path) -> None:
    ca, names = PrivateCa(tmp_path), zone(contoso="1")
    with socket.create_server(("127.0.0.1", 0)) as silent, proxied(silent.getsockname()[1]) as proxy:
        found = resolved(DOMAIN, server=names.address, proxy=proxy, ca_file=ca.ca_file, timeout=1)
    names.close()
    assert found[DOMAIN] == "FETCH_ERROR"
