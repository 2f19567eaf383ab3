"""TLS with partners and inbound DANE, planned and applied on the sandbox over both transports, and taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import Bench
from stand_in_pwsh import write_stand_in
from terminal import Done, as_cron

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

GOOD = "good.partner.example"
PLAIN = "plain.partner.example"


class Desk:
    """One administrator before one sandbox."""

    def __init__(self, box: Sandbox, state: Path, transport: str) -> None:
        self.box = box
        self.environment = {
            **box.description.environment,
            "EXO_AUTH_STATE_DIR": str(state / "state"),
            "EXO_AUTH_NO_JITTER": "1",
            "EXO_AUTH_CONNECT_TIMEOUT": "2s",
            "HOME": str(state),
            "PATH": "/usr/bin:/bin",
        }
        if transport == "powershell":
            where = box.description
            folder = write_stand_in(
                state / "bin", base=where.exchange_url, tenant=where.tenant_id, ca_file=where.ca_file
            )
            self.environment |= {"EXO_AUTH_TRANSPORT": "powershell", "PATH": f"{folder}:/usr/bin:/bin"}

    def run(self, line: str) -> Done:
        return as_cron(*line.split(), environment=self.environment)

    def flow(self) -> dict[str, Any]:
        """What the tenant has, times and numbers left out."""
        rules = json.loads(self.run("tls rule list -o json").out)["rules"]
        connectors = json.loads(self.run("tls connector list -o json").out)
        for one in (*rules, *connectors["outbound"], *connectors["inbound"]):
            for key in ("guid", "changed", "priority"):
                one.pop(key, None)
        return {"rules": rules, "out": connectors["outbound"], "in": connectors["inbound"]}


@pytest.fixture(params=["rest", "powershell"])
def desk(request: pytest.FixtureRequest, box: Sandbox, tmp_path: Path) -> Desk:
    return Desk(box, tmp_path, request.param)


def run_of(done: Done) -> str:
    return str(json.loads(done.out)["run"])


def test_a_rule_is_audited_enforced_and_taken_back(desk: Desk) -> None:
    before = desk.flow()
    made = desk.run(f"tls rule set {GOOD} --yes -o json")
    assert made.code == 0, made
    (rule,) = desk.flow()["rules"]
    assert (rule["mode"], rule["requires_tls"], rule["recipient_domains"]) == ("Audit", True, [GOOD])
    assert "managed-by=exo-auth" in rule["comments"]
    enforced = desk.run(f"tls rule set {GOOD} --enforce --yes -o json")
    assert enforced.code == 0, enforced
    assert desk.flow()["rules"][0]["mode"] == "Enforce"
    assert json.loads(desk.run(f"tls rule set {GOOD} --enforce --yes -o json").out)["changes"] == []
    assert desk.run(f"undo {run_of(enforced)} --yes").code == 0
    assert desk.flow()["rules"][0]["mode"] == "Audit"
    assert desk.run(f"undo {run_of(made)} --yes").code == 0
    assert desk.flow() == before


def test_connectors_are_made_changed_and_taken_back(desk: Desk) -> None:
    before = desk.flow()
    line = f"tls connector set {GOOD} --inbound-certificate mx.{GOOD} --yes -o json"
    made = desk.run(line)
    assert made.code == 0, made
    (out,), (inbound,) = desk.flow()["out"], desk.flow()["in"]
    assert out["tls_settings"] == "CertificateValidation"
    assert not inbound["enabled"]  # a wrong one rejects real mail at once
    changed = desk.run(f"tls connector set {GOOD} --verify encryption --yes -o json")
    assert changed.code == 0, changed
    assert desk.flow()["out"][0]["tls_settings"] == "EncryptionOnly"
    assert desk.run(f"undo {run_of(changed)} --yes").code == 0
    assert desk.run(f"undo {run_of(made)} --yes").code == 0
    assert desk.flow() == before


def test_what_was_removed_is_made_again(desk: Desk) -> None:
    desk.run(f"tls rule set {GOOD} --enforce --yes")
    before = desk.flow()
    gone = desk.run(f"tls rule remove {GOOD} --yes -o json")
    assert gone.code == 0, gone
    assert desk.flow()["rules"] == []
    assert desk.run(f"undo {run_of(gone)} --yes").code == 0
    assert desk.flow() == before


def test_a_partner_without_tls_is_refused(desk: Desk) -> None:
    done = desk.run(f"tls rule set {PLAIN} --yes")
    assert done.code == 3, done
    assert "forcing TLS would lose mail" in done.out
    assert desk.flow()["rules"] == []
    assert desk.run(f"tls rule set {PLAIN} --no-probe --yes").code == 0


def test_rules_of_others_are_not_touched(desk: Desk) -> None:
    name = f"exo-auth: TLS to {GOOD}"
    desk.box.tenant.mail_flow.run(
        "New-TransportRule",
        {"Name": name, "RecipientDomainIs": [GOOD], "RouteMessageOutboundRequireTls": True},
    )
    before = desk.flow()
    done = desk.run(f"tls rule set {GOOD} --yes")
    assert done.code == 3, done
    assert "--adopt takes it over" in done.out
    assert desk.run(f"tls rule remove {GOOD} --yes").code == 3
    assert desk.flow() == before
    assert desk.run(f"tls rule set {GOOD} --adopt --yes").code == 0
    assert "managed-by=exo-auth" in desk.flow()["rules"][0]["comments"]


def test_a_rule_that_would_never_act_is_told(desk: Desk) -> None:
    desk.box.tenant.mail_flow.run(
        "New-TransportRule",
        {
            "Name": "First",
            "SentToScope": "NotInOrganization",
            "StopRuleProcessing": True,
            "RouteMessageOutboundRequireTls": True,
        },
    )
    done = desk.run(f"tls force {GOOD} --yes")
    assert done.code == 3, done
    assert "“First” (priority 0) stops processing before it" in done.out


def test_the_intent_chooses_a_connector_for_certificates(desk: Desk) -> None:
    assert desk.run(f"tls force {GOOD} --verify certificate --yes").code == 0
    assert [one["tls_settings"] for one in desk.flow()["out"]] == ["CertificateValidation"]


@pytest.mark.parametrize("fault", ["reset-after", "timeout-after"])
def test_a_lost_answer_makes_no_second_rule(box: Sandbox, tmp_path: Path, fault: str) -> None:
    desk = Desk(box, tmp_path, "rest")
    box.faults.add(Fault(fault, cmdlet="New-TransportRule"))
    done = desk.run(f"tls rule set {GOOD} --yes")
    assert done.code in (0, 1, 6), done
    again = desk.run(f"tls rule set {GOOD} --yes")
    assert again.code == 0, (done, again)
    assert len(desk.flow()["rules"]) == 1


SIGNED = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("signed.example", signed=True),
    DomainSpec("plain.example"),
)


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(SIGNED)) as box:
        yield Desk(box, tmp_path, "rest")


def test_dane_goes_step_by_step_and_back(signed: Desk) -> None:
    unsigned = signed.run("dane enable plain.example --yes")
    assert unsigned.code == 3, unsigned
    assert "not signed with DNSSEC" in unsigned.out
    first = signed.run("dane enable signed.example --yes -o json")
    assert first.code == 0, first
    waits = signed.run("dane enable signed.example --yes")
    assert waits.code == 3, waits
    host = waits.out.split("MX must lead to ")[1].split()[0]
    assert host.endswith(".mx.microsoft")
    signed.box.zones.publish_mx("signed.example", host, 0)
    second = signed.run("dane enable signed.example --yes")
    assert second.code == 0, second
    assert "steady" in signed.run("dane enable signed.example --yes").out
    assert signed.run("dane disable signed.example --yes").code == 0
    held = signed.run("dane disable signed.example --yes")
    assert held.code == 3, held
    assert "move it back first" in held.out
    signed.box.zones.publish_mx("signed.example", "signed-example.mail.protection.outlook.com", 0)
    assert signed.run("dane disable signed.example --yes").code == 0


def test_undo_of_dkim(bench: Bench, tmp_path: Path) -> None:
    desk = Desk(bench.box, tmp_path, "rest")
    done = desk.run("dkim enable -d off.example --yes -o json")
    assert done.code == 0, done
    back = desk.run(f"undo {run_of(done)} --yes")
    assert back.code == 0, back
    assert "disable" in back.out
    rotated = desk.run("dkim rotate -d due-a.example --yes -o json")
    told = desk.run(f"undo {run_of(rotated)} --yes")
    assert told.code == 3, told
    assert "cannot be taken back" in told.out
    assert desk.run("undo nothing --yes").code == 64
