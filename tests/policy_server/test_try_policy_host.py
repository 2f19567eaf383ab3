"""`mta-sts test`: what a sending server gets from each address, before and after DNS points there."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from policy_host import PolicyHost
from private_ca import PrivateCa
from serving import ServerProcess
from terminal import Done, in_process
from zone_server import ZoneServer

from exo_auth.render.schema import schema_text

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.contoso.example\r\nmax_age: 604800\r\n"


NO_ROUTE = "255.255.255.255"  # no system connects to it, and no packet leaves


@dataclass(frozen=True)
class Host:
    """What a policy host does; the defaults are right."""

    body: str = POLICY
    status: int = 200
    media_type: str = "text/plain"
    location: str = ""
    certificate: str = "own"


HOSTS = {  # label -> behaviour, exit code, fault, part of the reason, code of a finding
    "right": (Host(), 0, None, "", ""),
    "parameter": (Host(media_type="text/plain; charset=utf-8"), 0, None, "", ""),
    "bare-lf": (Host(body=POLICY.replace("\r\n", "\n")), 0, None, "", ""),
    "name": (Host(certificate="other-name"), 3, "certificate-name", "mismatch", "STS-CERT"),
    "expired": (Host(certificate="expired"), 3, "certificate-expired", "expired", "STS-CERT"),
    "self-signed": (
        Host(certificate="self-signed"),
        3,
        "certificate-untrusted",
        "self-signed",
        "STS-CERT",
    ),
    "redirect": (Host(status=301, location="https://a.example/"), 3, "redirect", "a.example", "STS-REDIRECT"),
    "missing": (Host(status=404), 3, "status", "404", "STS-HTTP"),
    "html": (Host(media_type="text/html"), 3, None, "text/html", "STS-CTYPE"),
    "large": (Host(body=POLICY + "x: y\r\n" * 11000), 3, "too-large", "65536", "STS-HTTP"),
    "garbage": (Host(body="<html>"), 3, None, "no line of a policy", "STS-FILE-SYNTAX"),
    "version": (Host(body=POLICY.replace("STSv1", "STSv9")), 3, None, "STSv9", "STS-FILE-SYNTAX"),
    "other-mx": (Host(body=POLICY.replace("contoso", "fabrikam")), 3, None, "", "STS-MX-UNMATCHED"),
}


class World:
    """A name server and a policy host on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        by_host = {f"mta-sts.{label}.example": row[0] for label, row in HOSTS.items()}
        by_host["mta-sts.part.example"] = Host()
        self.host = PolicyHost(folder, by_host.get)
        lines = [f"{name}. 60 IN A 127.0.0.1" for name in by_host]
        lines += [f"{label}.example. 60 IN MX 0 mail.contoso.example." for label in (*HOSTS, "part", "far")]
        lines += [
            "contoso.example. 60 IN MX 0 mail.contoso.example.",
            "mta-sts.two.example. 60 IN A 127.0.0.1",
            "mta-sts.two.example. 60 IN A 127.0.0.2",
            "elsewhere.example. 60 IN A 127.0.0.1",
            f"mta-sts.part.example. 60 IN A {NO_ROUTE}",
            f"mta-sts.far.example. 60 IN A {NO_ROUTE}",
        ]
        self.names = ZoneServer(lines)
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "EXO_AUTH_NAMESERVER": f"{self.names.address[0]}:{self.names.address[1]}",
            "EXO_AUTH_POLICY_PORT": str(self.host.port),
            "EXO_AUTH_DNS_TIMEOUT": "1s",
            "EXO_AUTH_CONNECT_TIMEOUT": "2s",
        }

    def run(self, line: str, ca_file: Path | None = None) -> Done:
        arguments = ("mta-sts", "test", *line.split(), "--ca-file", str(ca_file or self.host.ca_file))
        return in_process(*arguments, environment=self.environment)

    def tested(self, line: str, code: int, ca_file: Path | None = None) -> dict[str, Any]:
        done = self.run(f"{line} -o json", ca_file)
        assert done.code == code, done
        document: dict[str, Any] = json.loads(done.out)
        jsonschema.validate(document, json.loads(schema_text("mta-sts-test")))
        return document


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.host.close()
    made.names.close()


@pytest.mark.parametrize("label", HOSTS)
def test_each_fault_has_its_name(world: World, label: str) -> None:
    _, code, fault, reason, finding = HOSTS[label]
    document = world.tested(f"{label}.example", code)
    (address,) = document["addresses"]
    assert (address["fault"], address["believed"]) == (fault, not reason)
    assert reason in address["reason"]
    assert finding in {one["code"] for one in document["findings"]} | {""}
    assert address["seconds"] > 0
    assert not document["policy"] or document["mx"] == [
        {"host": "mail.contoso.example", "listed": label != "other-mx"}
    ]


def test_the_names_in_a_wrong_certificate_are_shown(world: World) -> None:
    (address,) = world.tested("name.example", 3)["addresses"]
    assert address["certificate_names"] == ["www.other.test"]


def test_each_address_is_asked(world: World) -> None:
    document = world.tested("two.example", 3)
    faults = {address["address"]: address["fault"] for address in document["addresses"]}
    assert faults["127.0.0.2"] == "connect"  # nobody listens there
    assert faults.keys() == {"127.0.0.1", "127.0.0.2"}


@pytest.mark.parametrize(
    ("name", "code", "finding", "faults"),
    [
        ("part.example", 6, "STS-UNSEEN", {"127.0.0.1": None, NO_ROUTE: "unreachable"}),
        ("far.example", 6, "STS-UNREACHED", {NO_ROUTE: "unreachable"}),
    ],
)
def test_an_address_without_a_route_from_here_is_no_fault_of_the_domain(
    world: World, name: str, code: int, finding: str, faults: dict[str, str | None]
) -> None:
    document = world.tested(name, code)
    assert {one["address"]: one["fault"] for one in document["addresses"]} == faults
    assert "STS-HTTP" not in {one["code"] for one in document["findings"]}
    (told,) = (one for one in document["findings"] if one["code"] == finding)
    assert told["message"] == f"mta-sts.{name} ({NO_ROUTE}) was not looked at from here"
    assert told["seen"] == "Network is unreachable"
    assert f"{NO_ROUTE}:{world.host.port}  not seen" in world.run(name).out


def test_no_answer_to_the_connection_is_no_verdict(world: World) -> None:
    """A firewall here that drops what we send looks the same as a host that is down."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:  # nobody accepts them: the queue is full, and what comes after is dropped
            one.setblocking(False)
            one.connect_ex(address)
        document = world.tested(f"right.example --connect-to 127.0.0.1:{address[1]}", 6)
        for one in waiting:
            one.close()
    assert document["addresses"][0]["fault"] == "connect-timeout"
    assert {one["code"] for one in document["findings"]} == {"STS-UNREACHED"}


def test_a_host_without_address_is_told(world: World) -> None:
    document = world.tested("nowhere.example", 3)
    assert document["addresses"] == []
    assert "STS-HOST" in {one["code"] for one in document["findings"]}


def test_without_dns_there_is_no_verdict(world: World) -> None:
    environment = {**world.environment, "EXO_AUTH_NAMESERVER": "127.0.0.1:9"}
    assert in_process("mta-sts", "test", "right.example", environment=environment).code == 6
    line = ("mta-sts", "test", "right.example", "--connect-to", "elsewhere.example:443")
    done = in_process(*line, environment=environment)
    assert (done.code, "elsewhere.example could not be looked up" in done.err) == (6, True)


def test_a_host_that_is_silent_is_given_up(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        document = world.tested(f"right.example --connect-to 127.0.0.1:{port}", 3)
    assert document["addresses"][0]["fault"] == "timeout"


@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.example", "localhost"])
def test_a_server_is_tested_before_dns_points_to_it(world: World, tmp_path: Path, host: str) -> None:
    ca = PrivateCa(tmp_path)
    certificate = ca.write(tmp_path / "contoso.pem", "mta-sts.contoso.example")
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "contoso.example.txt").write_text(POLICY)
    arguments = (str(policies), "--certificate", str(certificate), "--listen", "127.0.0.1:0")
    with ServerProcess(*arguments) as server:
        line = f"contoso.example --connect-to {host}:{server.port}"
        document = world.tested(line, 0, ca.ca_file)
        (address,) = document["addresses"]
        assert (address["port"], address["tls"], address["certificate_names"]) == (
            server.port,
            "TLSv1.3",
            ["mta-sts.contoso.example"],
        )
        assert document["policy"] == {"mode": "enforce", "mx": ["mail.contoso.example"], "max_age": 604800}
        told = world.run(line, ca.ca_file)
    assert "MX mail.contoso.example  listed" in told.out
    assert f"127.0.0.1:{server.port}  believed" in told.out


BAD = [  # options, part of stderr
    ("contoso.example --connect-to 127.0.0.1:", "has no port"),
    ("contoso.example --connect-to 127.0.0.1:99999", "has no port"),
    ("contoso.example --connect-to mail..example:443", "empty label"),
    ("contoso.example --connect-to nowhere.example:443", "has no address"),
    ("contoso..example", "empty label"),
]


@pytest.mark.parametrize(("line", "part"), BAD, ids=[row[1] + row[0][-8:] for row in BAD])
def test_bad_input(world: World, line: str, part: str) -> None:
    done = world.run(line)
    assert done.code == 64
    assert part in done.err


def test_a_file_of_roots_that_is_not_there_is_told(world: World) -> None:
    done = world.run("contoso.example", Path("/no/such/root.pem"))
    assert done.code == 64
    assert "/no/such/root.pem" in done.err
