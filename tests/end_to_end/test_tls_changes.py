"""TLS with partners and inbound DANE, planned and applied on the sandbox over both transports, and taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import Bench
from stand_in_pwsh import write_stand_in
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions
from exo_auth.sandbox.zones import ZoneRecord

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
            folder = write_stand_in(state / "bin")
            self.environment |= {"EXO_AUTH_TRANSPORT": "powershell", "PATH": f"{folder}:/usr/bin:/bin"}

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

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


TERMS = "--from-group legal@fresh.example --from-scope InOrganization --except-header-pattern Subject:^open$"


def test_a_rule_is_what_it_is_told_to_be(desk: Desk) -> None:
    for name in ("first", "second"):
        desk.box.tenant.mail_flow.run("New-TransportRule", {"Name": name, "PrependSubject": "x"})
    before = desk.flow()
    made = desk.run(f"tls rule set {GOOD} {TERMS} --header X-Class:a,b --priority 1 --yes -o json")
    assert made.code == 0, made
    rules = json.loads(desk.run("tls rule list -o json").out)["rules"]
    assert [one["name"] for one in rules] == ["first", f"exo-auth: TLS to {GOOD}", "second"]
    assert rules[1]["terms"] == {
        "FromMemberOf": ["legal@fresh.example"],
        "HeaderContainsMessageHeader": ["X-Class"],
        "HeaderContainsWords": ["a", "b"],
        "ExceptIfHeaderMatchesMessageHeader": ["Subject"],
        "ExceptIfHeaderMatchesPatterns": ["^open$"],
    }
    assert (
        json.loads(desk.run(f"tls rule set {GOOD} {TERMS} --header X-Class:b,a --yes -o json").out)["changes"]
        == []
    )
    told = desk.flow()
    other = desk.run(
        f"tls rule set {GOOD} --to-group friends@fresh.example --priority 0 --enforce --yes -o json"
    )
    assert other.code == 0, other
    assert desk.flow()["rules"][0]["terms"] == {"SentToMemberOf": ["friends@fresh.example"]}
    assert desk.run(f"undo {run_of(other)} --yes").code == 0
    assert desk.flow() == told
    gone = desk.run(f"tls rule remove {GOOD} --yes -o json")
    assert gone.code == 0, gone
    assert desk.run(f"undo {run_of(gone)} --yes").code == 0
    assert desk.flow() == told  # also in its place
    assert desk.run(f"undo {run_of(made)} --yes").code == 0
    assert desk.flow() == before


def test_the_modes_of_a_connector_are_set_and_none_is_warned_of(desk: Desk) -> None:
    line = (
        f"tls connector set {GOOD} --smtp-dane-mode mandatory --mta-sts-mode none --inbound-tls --inbound-on"
    )
    made = desk.run(f"{line} --yes -o json")
    assert made.code == 0, made
    flow = desk.flow()
    assert (flow["out"][0]["mta_sts_mode"], flow["out"][0]["smtp_dane_mode"]) == ("None", "Mandatory")
    inbound = flow["in"][0]
    assert (inbound["enabled"], inbound["require_tls"], inbound["restricts_to_certificate"]) == (
        True,
        True,
        False,
    )
    found = desk.run(f"tls connector set {GOOD} --dry-run")
    assert "warning: MtaStsMode of the connector" in found.out  # it stays, and is told each time
    changed = desk.run(
        f"tls connector set {GOOD} --verify domain --tls-domain *.{GOOD} --mta-sts-mode opportunistic --yes -o json"
    )
    assert changed.code == 0, changed
    assert "warning" not in desk.run(f"tls connector set {GOOD} --dry-run").out
    assert desk.run(f"undo {run_of(changed)} --yes").code == 0
    assert desk.flow() == flow
    assert desk.run(f"undo {run_of(made)} --yes").code == 0
    assert (desk.flow()["out"], desk.flow()["in"]) == ([], [])


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
    desk.environment["EXO_AUTH_ANSWER_TIMEOUT"] = "1s"  # a write gets 2.5 of it
    box.faults.add(Fault(fault, cmdlet="New-TransportRule", value="20"))
    done = desk.run(f"tls rule set {GOOD} --yes")
    assert done.code in (0, 1, 6), done
    again = desk.run(f"tls rule set {GOOD} --yes")
    assert again.code == 0, (done, again)
    assert len(desk.flow()["rules"]) == 1


def test_one_rule_for_all_that_a_person_names(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path, "rest")
    line = "tls rule set --name Secrets --header X-Class:secret"
    held = desk.run(f"{line} --yes")
    assert held.code == 3, held
    assert "nobody can be asked for TLS first" in held.out
    assert desk.run(f"{line} --no-probe --yes").code == 0
    (rule,) = desk.flow()["rules"]
    assert (rule["name"], rule["recipient_domains"], rule["mode"]) == ("Secrets", [], "Audit")
    assert desk.run("tls rule remove --name Secrets --yes").code == 0
    assert desk.flow()["rules"] == []


def test_the_intent_keeps_to_a_connector_of_ours(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path, "rest")
    assert desk.run(f"tls connector set {GOOD} --yes").code == 0
    done = desk.run(f"tls force {GOOD} --yes")
    assert done.code == 0, done
    assert "verifies certificate, and goes on" in done.out
    assert desk.flow()["out"][0]["tls_settings"] == "CertificateValidation"
    done = desk.run(f"tls force {GOOD} --verify encryption --yes")
    assert (done.code, "(it carries this mail already)" in done.out) == (0, True), done
    assert desk.flow()["rules"] == []
    assert desk.flow()["out"][0]["tls_settings"] == "EncryptionOnly"


def test_a_rule_in_the_way_is_passed_by_priority(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path, "rest")
    parameters = {"Name": "First", "StopRuleProcessing": True, "PrependSubject": "x"}
    box.tenant.mail_flow.run("New-TransportRule", parameters)
    held = desk.run(f"tls force {GOOD} --yes")
    assert "--priority 0 puts ours first" in held.out
    assert desk.run(f"tls force {GOOD} --priority 0 --yes").code == 0


def test_without_a_probe_the_partners_dns_still_counts(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path, "rest")
    done = desk.run("tls rule set nobody.partner.example --no-probe --yes")
    assert done.code == 3, done
    assert "TLS-NO-HOST" in done.out or "no host takes mail" in done.out
    blocked = desk.run(f"tls rule set {GOOD} --port 1 --yes")
    assert blocked.code == 6, blocked
    assert "give --no-probe here" in blocked.out


WRONG = [
    ("tls rule set --yes", "no partner was named", "nobody"),
    ("tls rule set", "no partner was named", "and not first that nobody can confirm"),
    ("tls rule remove", "no partner was named", "nobody, to take a rule away from"),
    ("tls rule set a.example b.example --priority 0 --yes", "one rule its place", "two rules at one place"),
    (f"tls rule set {GOOD} --header X-Class --yes", "names no header", "a header without words"),
    (f"tls rule set {GOOD} --from-scope Inside --yes", "there is no scope", "no scope"),
    (f"tls connector set {GOOD} --mta-sts-mode Mandatory --yes", "no --mta-sts-mode Mandatory", "no mode"),
    (f"tls connector set {GOOD} --inbound-on --yes", "no inbound connector to switch", "nothing to switch"),
    (f"tls rule set --name {'n' * 65} --yes", "64 is the most", "a long name"),
]


@pytest.mark.parametrize(("line", "part", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_what_a_person_may_get_wrong(box: Sandbox, tmp_path: Path, line: str, part: str, reason: str) -> None:
    done = Desk(box, tmp_path, "rest").run(line)
    assert done.code == 64, (done, reason)
    assert part in done.err


FORMER = "signed-example.mail.protection.outlook.com"
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
    told = signed.run("dane enable signed.example --yes")
    assert told.code == 3, told
    assert "TTL 60" in told.out
    signed.box.zones.remove("signed.example", "MX")
    signed.box.zones.add(ZoneRecord("signed.example", "MX", ("0", FORMER), 60))
    first = signed.run("dane enable signed.example --yes -o json")
    assert first.code == 0, first
    waits = signed.run("dane enable signed.example --yes")
    assert waits.code == 3, waits
    host = waits.out.split(" and 20 ")[1].split(",")[0]
    assert host.endswith(".mx.microsoft")
    signed.box.zones.publish_mx("signed.example", host, 0)
    second = signed.run("dane enable signed.example --yes")
    assert second.code == 0, second
    assert "steady" in signed.run("dane enable signed.example --yes").out
    assert signed.run("dane disable signed.example --yes").code == 0
    held = signed.run("dane disable signed.example --yes")
    assert held.code == 4, held
    assert "may remember the TLSA records" in held.out
    signed.box.advance(timedelta(hours=1, seconds=5))
    held = signed.run("dane disable signed.example --yes")
    assert held.code == 3, held
    assert f"MX 0 {FORMER} and 30 {host}" in held.out
    signed.box.zones.publish_mx("signed.example", FORMER, 0)
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
