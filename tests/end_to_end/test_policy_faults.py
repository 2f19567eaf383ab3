"""Every fault of an MTA-STS policy host, set on the sandbox as a user sets it, and what `check` and `test` say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from terminal import Done, in_process

from exo_auth.errors import InputError
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import FAULT_KINDS
from exo_auth.sandbox.policy_faults import OTHER_SITE
from exo_auth.sandbox.serve import Sandbox, SandboxOptions
from exo_auth.sandbox.web import WebServer

DOMAIN = "fresh.example"
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec(DOMAIN, policy="enforce"),
    DomainSpec("new.example", cnames="none"),
)


@dataclass(frozen=True)
class Desk:
    """Commands in this process, against one sandbox for all tests of the file."""

    box: Sandbox
    environment: dict[str, str]

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    state = str(tmp_path_factory.mktemp("state"))
    with Sandbox(SandboxOptions(DOMAINS)) as box:
        more = {"EXO_AUTH_STATE_DIR": state, "HOME": state, "EXO_AUTH_CONNECT_TIMEOUT": "1s"}
        yield Desk(box, {**box.description.environment, **more})


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    yield shared
    shared.box.reset()


FAULTS = [  # fault, what `check` finds, does it count as a failure?
    ("policy-redirect", "STS-REDIRECT", "the apex's rule non-www → www"),
    ("policy-redirect --value https", "STS-REDIRECT", "the apex's rule http → https"),
    ("policy-page", "STS-FILE-SYNTAX", "an error page with status 200"),
    ("policy-type", "STS-CTYPE", "octet-stream"),
    ("policy-status --value 403", "STS-HTTP", "a bot challenge"),
    ("policy-large", "STS-HTTP", "more than a sender reads"),
    ("policy-slow --value 3", "STS-HTTP", "later than a sender waits"),
    ("policy-reset", "STS-HTTP", "a broken connection"),
    ("policy-compressed", "STS-FILE-SYNTAX", "gzip that nobody asked for"),
    ("policy-syntax", "STS-FILE-SYNTAX", "white space before the colon"),
    ("policy-expired", "STS-CERT", "the certificate has run out"),
    ("policy-wrong-name", "STS-CERT", "the certificate is for another host"),
    ("policy-untrusted", "STS-CERT", "the certificate is nobody's"),
    ("policy-caa", "STS-CAA", "the certificate cannot be renewed"),
    ("policy-dangling", "STS-HOST", "a CNAME to a deleted cloud host"),
    ("policy-ipv6", "STS-CERT", "another site at the IPv6 address"),
]


def has_ipv6() -> bool:
    try:
        WebServer((), address=OTHER_SITE).close()
    except InputError:
        return False
    return True


def codes(done: Done) -> set[str]:
    return {one["code"] for one in json.loads(done.out)["findings"]}


@pytest.mark.parametrize(("fault", "code", "reason"), FAULTS, ids=[f"{row[0]}: {row[2]}" for row in FAULTS])
def test_a_fault_is_told_by_check_and_by_test(desk: Desk, fault: str, code: str, reason: str) -> None:
    if fault == "policy-ipv6" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    assert desk.run(f"sandbox fault {fault} -d {DOMAIN}").code == 0
    for line in (f"mta-sts check {DOMAIN} -o json", f"mta-sts test {DOMAIN} -o json"):
        found = codes(desk.run(line))
        assert code in found, (line, reason, found)


def test_no_fault_of_a_policy_host_is_left_out() -> None:
    assert {row[0].split()[0] for row in FAULTS} == {
        kind for kind in FAULT_KINDS if kind.startswith("policy-")
    }


def test_without_a_fault_all_is_well(desk: Desk) -> None:
    assert desk.run(f"mta-sts check {DOMAIN}").code == 0
    assert desk.run(f"mta-sts test {DOMAIN}").code == 0


def test_a_policy_of_ones_own_is_hosted(desk: Desk, tmp_path: Path) -> None:
    assert desk.run("mta-sts test new.example").code == 3
    built = desk.run(f"mta-sts build -d new.example --for serve --out {tmp_path}")
    assert built.code == 0, built
    done = desk.run(f"sandbox policy new.example {tmp_path}/policies/new.example.txt")
    assert done.out == "https://mta-sts.new.example/.well-known/mta-sts.txt serves it\n"
    assert desk.run("mta-sts test new.example").code == 0
    assert desk.run(f"sandbox policy nobody.test {tmp_path}/policies/new.example.txt").code == 64
    assert desk.run("sandbox policy new.example /nowhere").code == 64
