"""A domain moves to DANE and back on the sandbox, by the playbooks, over simulated weeks: through octoDNS, and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions
from exo_auth.sandbox.zones import ZoneRecord

DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("signed.example", signed=True, policy="testing", dmarc="reject"),
    DomainSpec("plain.example"),
)
OLD = "signed-example.mail.protection.outlook.com"


def policy_text(mode: str, hosts: tuple[str, ...]) -> str:
    lines = ("version: STSv1", f"mode: {mode}", *(f"mx: {host}" for host in hosts), "max_age: 604800", "")
    return "\r\n".join(lines)


DAY, HOUR = timedelta(days=1, seconds=5), timedelta(hours=1, seconds=5)  # the service tells whole seconds
WEEK = 7 * DAY


class Desk:
    """One administrator before one sandbox."""

    def __init__(self, box: Sandbox, state: Path, *, writes_dns: bool = True) -> None:
        self.box = box
        self.environment = {
            **box.description.environment,
            "EXO_AUTH_STATE_DIR": str(state / "state"),
            "EXO_AUTH_NO_JITTER": "1",
            "EXO_AUTH_CONNECT_TIMEOUT": "2s",
            "HOME": str(state),
            "PATH": "/usr/bin:/bin",
        }
        if not writes_dns:
            self.environment.pop("EXO_AUTH_OCTODNS", None)

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    @property
    def mx(self) -> list[str]:
        return sorted(f"{preference} {host}" for preference, host in self.box.zones.mx_of("signed.example"))

    @property
    def new_host(self) -> str:
        rows = self.box.tenant.mail_flow.run(
            "Get-DnssecStatusForVerifiedDomain", {"DomainName": "signed.example"}
        )
        return str(rows[0]["ExpectedMxRecord"]["Record"]).split()[-1]


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield box


def run_of(done: Done) -> str:
    return str(json.loads(done.out)["run"])


def test_there_and_back_through_octodns(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path)
    line = "apply enable-dane -d signed.example --yes -o json"
    first = desk.run(line)
    assert first.code == 0, first
    assert [r.ttl for r in box.zones.find_all("signed.example", "MX")] == [60]
    early = desk.run(line)
    assert early.code == 4, early  # the old TTL is waited for
    assert "3600 s" in early.out
    box.advance(DAY)
    enabled = desk.run(line)
    assert enabled.code == 0, enabled
    assert desk.run(line).code == 0  # second MX
    assert desk.mx == [f"0 {OLD}", f"20 {desk.new_host}"]
    held = desk.run(line)
    assert held.code == 4, held  # the policy's file comes first
    assert "host this file" in held.out
    box.host_policy("signed.example", policy_text("testing", (OLD, desk.new_host)))
    named = desk.run(line)
    assert named.code == 0, named  # its id
    for _ in range(2):  # senders may remember for its max_age the policy that named the old host alone
        held = desk.run(line)
        assert held.code == 4, held
        assert "remember the MTA-STS policy from before" in held.out
        box.advance(DAY)
    assert desk.mx[0] == f"0 {OLD}"
    box.advance(WEEK)
    swapped = desk.run(line)
    assert swapped.code == 0, swapped
    assert desk.mx == [f"0 {desk.new_host}", f"30 {OLD}"]
    box.advance(DAY)
    dropped = desk.run(line)
    assert dropped.code == 0, dropped
    assert desk.mx == [f"0 {desk.new_host}"]
    switched = desk.run(line)
    assert switched.code == 0, switched
    assert box.tenant.mail_flow.has_dane("signed.example")
    assert desk.run(f"undo {run_of(dropped)} --yes").code == 0  # the old host again, as last choice: no harm
    for wrong in (swapped, enabled):  # the old host first, or DNSSEC off, while DANE is on
        done = desk.run(f"undo {run_of(wrong)} --yes")
        assert done.code == 3, done
        assert "DANE is on" in done.out
    assert desk.mx == [f"0 {desk.new_host}", f"30 {OLD}"]
    box.advance(DAY)
    again = desk.run(line)
    assert again.code == 0, again
    assert desk.mx == [f"0 {desk.new_host}"]
    held = desk.run(line)  # TLSA records show: the policy may be enforced again, for the new host alone
    assert (held.code, "host this file" in held.out) == (4, True), held
    box.host_policy("signed.example", policy_text("enforce", (desk.new_host,)))
    assert desk.run(line).code == 0
    assert "steady" in desk.run("apply enable-dane -d signed.example --yes").out
    assert "mode: enforce" in desk.run("mta-sts show signed.example").out

    back = "apply disable-dane -d signed.example --yes -o json"
    assert desk.run(back).code == 0
    assert not box.tenant.mail_flow.has_dane("signed.example")
    assert desk.run(f"undo {run_of(again)} --yes").code == 3, (
        "the policy in enforce does not name the old host"
    )
    held = desk.run(back)
    assert (held.code, "host this file" in held.out) == (4, True), held
    host = desk.new_host
    box.host_policy("signed.example", policy_text("enforce", (OLD, host)))
    assert desk.run(back).code == 0  # its id
    assert desk.run(f"undo {run_of(again)} --yes").code == 0
    early = desk.run(f"undo {run_of(swapped)} --yes")
    assert (early.code, "TLSA records" in early.out) == (4, True), early
    for reason, until in (("TLSA records", HOUR), ("remember the MTA-STS policy", WEEK)):
        held = desk.run(back)
        assert (held.code, reason in held.out) == (4, True), held
        box.advance(until)
    returned = desk.run(back)
    assert returned.code == 0, returned
    assert desk.mx == [f"0 {OLD}", f"30 {host}"]
    box.host_policy("signed.example", policy_text("testing", (OLD, host)))  # somebody tells another policy
    assert desk.run(line).code == 0  # its id
    assert desk.run(line).code == 4
    early = desk.run(f"undo {run_of(returned)} --yes")  # no plan of ours: the change itself is held
    assert (early.code, "remember the MTA-STS policy" in early.out) == (4, True), early
    held = desk.run(f"undo {run_of(enabled)} --yes")
    assert held.code == 3, held
    assert "MX still leads to" in held.out
    box.advance(2 * DAY)
    assert desk.run(back).code == 0
    assert desk.mx == [f"0 {OLD}"]
    box.advance(DAY)
    last = desk.run(back)
    assert last.code == 0, last
    assert "steady" in desk.run("apply disable-dane -d signed.example --yes").out


def test_mx_that_a_person_moves(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path, writes_dns=False)
    line = "apply enable-dane -d signed.example --var wait=1h --yes"
    told = desk.run(line)
    assert told.code == 3, told
    assert f"publish at signed.example: MX 0 {OLD}, TTL 60" in told.out
    box.zones.remove("signed.example", "MX")
    box.zones.add(ZoneRecord("signed.example", "MX", ("0", OLD), 60))
    waits = desk.run(line)
    assert waits.code == 4, waits  # nobody here knows the old TTL: an hour from now
    box.advance(HOUR)
    assert desk.run(line).code == 0
    host = desk.new_host
    told = desk.run(line)
    assert told.code == 3, told
    assert f"MX 0 {OLD} and 20 {host}, TTL 60" in told.out
    box.zones.add(ZoneRecord("signed.example", "MX", ("20", host), 60))
    box.host_policy("signed.example", policy_text("none", ()))
    box.zones.remove("signed.example", "MX")
    for preference, name in (("0", host), ("30", OLD)):
        box.zones.add(ZoneRecord("signed.example", "MX", (preference, name), 60))
    told = desk.run(line)
    assert f"MX 0 {host}, TTL 3600" in told.out, told
    box.zones.publish_mx("signed.example", host, 0)
    assert desk.run(line).code == 0
    box.advance(HOUR)
    assert "steady" in desk.run(line).out


def test_a_host_that_cannot_be_asked_is_no_matter_when_a_person_says_so(box: Sandbox, tmp_path: Path) -> None:
    desk = Desk(box, tmp_path)
    desk.environment["EXO_AUTH_SMTP_PORT"] = "1"
    box.host_policy("signed.example", policy_text("none", ()))
    line = "apply enable-dane -d signed.example --var wait=0d --yes"
    assert desk.run(line).code == 0
    box.advance(HOUR)
    assert desk.run(line).code == 0
    assert desk.run(line).code == 0
    held = desk.run(line)
    assert held.code == 6, held
    assert "Remote Connectivity Analyzer" in held.out
    assert desk.run(f"{line} --var probe=optional").code == 0
    assert desk.mx == [f"0 {desk.new_host}", f"30 {OLD}"]


def test_an_unsigned_zone_is_told(box: Sandbox, tmp_path: Path) -> None:
    done = Desk(box, tmp_path).run("apply enable-dane -d plain.example --yes")
    assert done.code == 3, done
    assert "not signed with DNSSEC" in done.out
