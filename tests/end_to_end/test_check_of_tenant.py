"""`check` with a sign-in: the tenant beside its DNS, on the sandbox's tenant and its zones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bench import Bench
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DAY = timedelta(days=1)
INITIAL = "contoso.onmicrosoft.com"
DOMAINS = (
    DomainSpec(INITIAL, listed=False, cnames="none", initial=True),
    DomainSpec("good.example", age=10 * DAY, dmarc="reject", policy="enforce", default=True),
    DomainSpec("relay.example", age=10 * DAY, dmarc="reject", domain_type="InternalRelay"),
    DomainSpec("silent.example", age=10 * DAY, dmarc="reject", sending_disabled=True),
    DomainSpec("parked.example", age=10 * DAY, dmarc="reject", spf="v=spf1 -all"),
    DomainSpec("gate.example", age=10 * DAY, dmarc="reject"),
    DomainSpec("stray.example", age=10 * DAY, dmarc="reject"),
)
WEAK = {
    "Name": "To fabrikam",
    "RecipientDomains": ["fabrikam.com"],
    "MtaStsMode": "None",
    "SmtpDaneMode": "None",
    "ConnectorType": "Partner",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS)) as box:
        yield box


@pytest.fixture
def bench(shared: Sandbox, tmp_path: Path) -> Bench:
    shared.reset()
    shared.zones.publish_mx("gate.example", "mx.gateway.example", 0)
    shared.zones.publish_mx("stray.example", "fabrikam-com.mail.protection.outlook.com", 0)
    return Bench(shared, tmp_path / "state")


def check(bench: Bench, *words: str) -> Done:
    environment = {**bench.environment, "PATH": os.defpath, "HOME": str(bench.state)}
    return in_process("check", *words, "-o", "json", environment=environment)


def pairs(done: Done) -> set[tuple[str, str]]:
    return {(row["domain"], row["code"]) for row in json.loads(done.out)["findings"]}


def told(done: Done, *codes: str) -> set[tuple[str, str]]:
    return {(domain, code) for domain, code in pairs(done) if code.startswith(codes)}


COMPARED = (
    "ARC-",
    "CONNECTOR-",
    "SPF-SENDING",
    "DOMAIN-SENDING",
    "MX-OTHER",
    "MX-NOT-TENANT",
    "DMARC-ONMICROSOFT",
    "TENANT-",
)
ALWAYS = {
    (INITIAL, "DMARC-ONMICROSOFT"),
    ("relay.example", "CONNECTOR-RELAY-MISSING"),
    ("silent.example", "SPF-SENDING-DISABLED"),
    ("parked.example", "DOMAIN-SENDING-ENABLED"),
    ("gate.example", "MX-NOT-TENANT"),
    ("gate.example", "CONNECTOR-UNFILTERED"),
    ("gate.example", "ARC-SEALER"),
    ("stray.example", "MX-OTHER-DOMAIN"),
}


def test_the_tenant_is_compared_with_dns(bench: Bench) -> None:
    assert told(check(bench), *COMPARED) == ALWAYS


def test_connectors_are_judged_and_mended(bench: Bench) -> None:
    flow = bench.box.tenant.mail_flow
    flow.run("New-OutboundConnector", WEAK)
    assert told(check(bench), *COMPARED) == ALWAYS | {
        (INITIAL, "CONNECTOR-STS-OFF"),
        (INITIAL, "CONNECTOR-DANE-OFF"),
        (INITIAL, "CONNECTOR-TLS-OPTIONAL"),
    }
    flow.run(
        "Set-OutboundConnector",
        {
            "Identity": "To fabrikam",
            "MtaStsMode": "Opportunistic",
            "SmtpDaneMode": "Opportunistic",
            "TlsSettings": "DomainValidation",
            "TlsDomain": "*.fabrikam.com",
            "RecipientDomains": ["fabrikam.com", "relay.example"],
        },
    )
    flow.run("New-InboundConnector", {"Name": "From gateway", "SenderDomains": ["*"], "EFSkipLastIP": True})
    flow.run("Set-ArcConfig", {"Identity": "Default", "ArcTrustedSealers": ["gateway.example"]})
    mended = {
        ("relay.example", "CONNECTOR-RELAY-MISSING"),
        ("gate.example", "CONNECTOR-UNFILTERED"),
        ("gate.example", "ARC-SEALER"),
    }
    assert told(check(bench), *COMPARED) == ALWAYS - mended


def test_reading_connectors_costs_four_requests_however_many_domains(bench: Bench) -> None:
    check(bench)
    assert [request.cmdlet for request in bench.box.requests] == [
        "Get-AcceptedDomain",
        "Get-DkimSigningConfig",
        "Get-OutboundConnector",
        "Get-OutboundConnector",
        "Get-InboundConnector",
        "Get-ArcConfig",
    ]


def test_what_is_not_asked_for_is_not_read(bench: Bench) -> None:
    done = check(bench, "--only", "spf,mx")
    assert told(done, "CONNECTOR-", "TENANT-") == set()
    assert "Get-InboundConnector" not in {request.cmdlet for request in bench.box.requests}
    gate = check(bench, "good.example", "--gate", "spf")
    assert gate.code == 0, gate
    assert "Get-InboundConnector" not in {request.cmdlet for request in bench.box.requests}


@pytest.mark.parametrize("fault", ["no-right", "unavailable"])
def test_connectors_that_cannot_be_read_are_unknown_and_the_rest_is_judged(bench: Bench, fault: str) -> None:
    bench.fault(fault, cmdlet="Get-OutboundConnector", count=0)
    done = check(bench)
    assert done.code == 6
    assert told(done, *COMPARED) == (ALWAYS - {("relay.example", "CONNECTOR-RELAY-MISSING")}) | {
        (INITIAL, "TENANT-UNREAD")
    }


def test_a_snapshot_keeps_connectors(bench: Bench, tmp_path: Path) -> None:
    bench.box.tenant.mail_flow.run("New-OutboundConnector", WEAK)
    environment = {**bench.environment, "PATH": os.defpath, "HOME": str(bench.state)}
    file = tmp_path / "s.json"
    assert in_process("snapshot", "save", str(file), environment=environment).code == 0
    live = check(bench)
    alone = {"HOME": str(tmp_path), "EXO_AUTH_NAMESERVER": "127.0.0.1:9"}
    again = in_process("check", "--from", str(file), "-o", "json", environment=alone)
    assert pairs(again) == pairs(live)
    assert (INITIAL, "CONNECTOR-STS-OFF") in pairs(again)


def test_a_key_that_differs_from_the_tenants_is_told(bench: Bench) -> None:
    target = bench.box.tenant.targets("good.example")[0].lower()
    other = bench.box.tenant.targets("relay.example")[0].lower()
    bench.box.publish_cname("selector1._domainkey.good.example", other)
    found = told(check(bench, "good.example"), "DKIM-CNAME-WRONG", "DKIM-KEY-MISMATCH")
    assert ("good.example", "DKIM-CNAME-WRONG") in found
    bench.box.publish_cname("selector1._domainkey.good.example", target)
    assert told(check(bench, "good.example"), "DKIM-") == set()
