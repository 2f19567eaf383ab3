"""Which change builds on which, and what is left of a plan when some of it is declined."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import NOW, TENANT, name

from exo_auth.plan.change import Change, Verb
from exo_auth.plan.choice import Answer, choose
from exo_auth.plan.dependence import builds_on
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.plan import Plan


def record(
    owner: str, rdtype: str, *after: str, before: tuple[str, ...] = (), domain: str = "a.example"
) -> Change:
    return Change(
        Verb.PUBLISH,
        name(domain),
        {"values": list(before)},
        {"values": list(after)},
        "wanted",
        "octodns",
        {"name": owner, "type": rdtype, "ttl": 3600},
    )


def cmdlet(what: str, domain: str = "a.example", **parameters: Any) -> Change:
    return Change(Verb.ENABLE, name(domain), {}, {}, "wanted", what, parameters)


CNAME = record("selector1._domainkey.a.example", "CNAME", "selector1-a-example._domainkey.x.example")
SIGNING = cmdlet("Set-DkimSigningConfig", Enabled=True)
MX = record("a.example", "MX", "0 a-example.mail.example")
STS_HOST = record("mta-sts.a.example", "CNAME", "policies.example")
STS = record("_mta-sts.a.example", "TXT", "v=STSv1; id=1;")
SPF = record("a.example", "TXT", "v=spf1 include:spf.protection.outlook.com ~all", "other=1")
WATCH = record("_dmarc.a.example", "TXT", "v=DMARC1; p=none")
REJECT = record("_dmarc.a.example", "TXT", "v=DMARC1; p=reject", before=("v=DMARC1; p=none",))
SUBDOMAINS = record("_dmarc.a.example", "TXT", "v=DMARC1; p=none; sp=quarantine")
EASED = record("_dmarc.a.example", "TXT", "v=DMARC1; p=none", before=("v=DMARC1; p=reject",))
BROKEN = record("_dmarc.a.example", "TXT", "v=DMARC1; p=")
TLSRPT = record("_smtp._tls.a.example", "TXT", "v=TLSRPTv1; rua=mailto:t@a.example")
OTHERS = record("b.example", "MX", "0 b-example.mail.example", domain="b.example")

ORDER = [
    (SIGNING, CNAME, True, "signing needs the keys to be found"),
    (CNAME, SIGNING, True, "in an undo the CNAMEs go only when nobody signs any more"),
    (STS, STS_HOST, True, "the record announces what the host serves"),
    (STS, MX, True, "a policy names the hosts of mail"),
    (MX, STS, True, "and the other way round"),
    (REJECT, SPF, True, "a policy that acts needs what mail passes by"),
    (SUBDOMAINS, CNAME, True, "also one for subdomains"),
    (SPF, EASED, True, "in an undo SPF goes only when the policy does not act any more"),
    (WATCH, SPF, False, "a policy that only watches harms nobody"),
    (BROKEN, SPF, False, "no policy at all"),
    (TLSRPT, SPF, False, "records are published each for itself"),
    (TLSRPT, MX, False, "reports change the way of no mail"),
    (SPF, MX, False, "who may send has nothing to do with who takes mail"),
    (
        cmdlet("New-TransportRule"),
        cmdlet("New-OutboundConnector"),
        True,
        "two changes to the tenant for one domain",
    ),
    (cmdlet("Set-DkimSigningConfig", "b.example"), CNAME, False, "another domain"),
    (OTHERS, STS, False, "another domain's mail"),
]


@pytest.mark.parametrize(("change", "earlier", "wanted", "why"), ORDER, ids=[row[3] for row in ORDER])
def test_what_builds_on_what(change: Change, earlier: Change, wanted: bool, why: str) -> None:
    assert builds_on(change, earlier) is wanted


CHANGES = (CNAME, MX, SPF, STS_HOST, STS, REJECT, SIGNING, OTHERS, TLSRPT)
PLAN = Plan(TENANT, NOW, "playbook", {}, CHANGES, considered=2)


@given(st.lists(st.sampled_from(Answer), min_size=len(CHANGES), max_size=len(CHANGES)))
@settings(deadline=None)
def test_whatever_is_answered_nothing_is_sent_without_what_it_builds_on(answers: list[Answer]) -> None:
    asked: list[int] = []
    told: list[str] = []

    def ask(place: int, change: Change) -> Answer:
        asked.append(place)
        return answers[place]

    choice = choose(PLAN, ask, told.append)
    kept = [place for place in range(len(CHANGES)) if place not in choice.declined]
    assert list(choice.chosen.changes) == [CHANGES[place] for place in kept], "the order stays"
    for place in kept:
        assert not any(builds_on(CHANGES[place], CHANGES[one]) for one in choice.declined if one < place)
    for place, reason in choice.declined.items():
        if "builds on" in reason:
            assert place not in asked
    assert len(told) == sum("builds on" in reason for reason in choice.declined.values())
    ends = [answers[place] for place in asked]
    assert not {Answer.ALL, Answer.QUIT} & set(ends[:-1]), "after these nothing is asked"
    if ends and ends[-1] is Answer.QUIT:
        assert max(kept, default=-1) < asked[-1]


def test_the_report_tells_of_all_of_the_plan() -> None:
    answers = {0: Answer.NO, 1: Answer.YES}
    choice = choose(PLAN, lambda place, _change: answers.get(place, Answer.ALL), lambda _text: None)
    sent = tuple(Outcome(change, Result.APPLIED, {"n": n}) for n, change in enumerate(choice.chosen.changes))
    report = choice.whole(RunReport("r", choice.chosen, sent, NOW, NOW))
    assert report.plan == PLAN
    assert [one.change for one in report.outcomes] == list(CHANGES)
    ends = {one.change.parameters.get("name", "signing"): one for one in report.outcomes}
    assert ends["selector1._domainkey.a.example"].error == "declined when it was asked for"
    assert ends["_dmarc.a.example"].error == (
        "it builds on “publish selector1._domainkey.a.example CNAME”, which was declined"
    )
    assert ends["signing"].result is Result.SKIPPED
    assert [one.evidence["n"] for one in report.outcomes if one.result is Result.APPLIED] == list(
        range(len(sent))
    )
    assert report.exit_code == 0, "what a person did not want is no failure"
    everything = choose(replace(PLAN), lambda _place, _change: Answer.ALL, lambda _text: None)
    assert everything.chosen == PLAN
