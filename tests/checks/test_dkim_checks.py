from dataclasses import replace
from datetime import timedelta

import pytest
from scenes import (
    HOUR,
    NOW,
    config,
    key_text,
    mail_dns,
    name,
    rotated,
    seen,
    selector_dns,
    target,
    without_cname,
)

from exo_auth.checks.catalogue import CATALOGUE, entry_for
from exo_auth.checks.dkim import DkimFacts, check, records_to_publish
from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.readiness import GATES, HEALS_WITH_TIME, ReadinessState, Step, readiness
from exo_auth.errors import InputError
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, MailDns, Missing, MissingKind, Txt
from exo_auth.facts.tenant import DkimSigningConfig, SelectorKey

DOMAIN = name("contoso.com")
ONE = selector_dns("contoso.com", "selector1", key_text(1))
TWO = selector_dns("contoso.com", "selector2", key_text(2))
GONE = Missing(MissingKind.NXDOMAIN, timedelta(minutes=10))
TIMEOUT = LookupFailed(FailureReason.TIMEOUT, "no answer from 192.0.2.1", temporary=True)
BOGUS = LookupFailed(FailureReason.BOGUS, "validation fails", temporary=False)


def facts(row: DkimSigningConfig | None, dns: MailDns | None = None, *, initial: bool = False) -> DkimFacts:
    return DkimFacts(DOMAIN, row, dns or mail_dns(), NOW, is_initial=initial)


def one(**changes: object) -> MailDns:
    return mail_dns(selector1=replace(ONE, **changes))  # type: ignore[arg-type]


def two(**changes: object) -> MailDns:
    return mail_dns(selector2=replace(TWO, **changes))  # type: ignore[arg-type]


def key(text: str) -> Found[object]:
    return Found((seen(text),), HOUR, via=ONE.key.via)


CASES = [  # what the tenant says, what DNS says, the codes, reason
    (config(), mail_dns(), [], "all is right"),
    (None, mail_dns(), ["DKIM-NOT-CREATED"], "no row"),
    (config(status="NoDKIMKeys"), mail_dns(), ["DKIM-NOT-CREATED"], "a row without keys is no keys"),
    (config(enabled=False), mail_dns(), ["DKIM-DISABLED"], "switched off"),
    (config(status="Frozen"), mail_dns(), ["DKIM-STATUS-UNKNOWN"], "a word nobody described"),
    (config(status="CnameMissing"), mail_dns(), ["DKIM-EXCHANGE-LAG"], "DNS is right, Exchange is late"),
    (
        config(status="CnameMissing"),
        mail_dns(selector2=without_cname()),
        ["DKIM-CNAME-MISSING"],
        "both agree",
    ),
    (config(key_created=None), mail_dns(), ["DKIM-AGE-UNKNOWN"], "no birth date"),
    (
        config(),
        mail_dns(selector1=without_cname(selector="selector1")),
        ["DKIM-CNAME-MISSING"],
        "the active one",
    ),
    (config(), mail_dns(selector2=without_cname()), ["DKIM-CNAME-MISSING"], "the idle one counts as much"),
    (config(), one(cname=TIMEOUT, key=TIMEOUT), ["DKIM-LOOKUP-FAILED"], "a time-out is no absence"),
    (config(), one(cname=BOGUS, key=BOGUS), ["DKIM-LOOKUP-FAILED"], "a bogus zone"),
    (config(), one(key=TIMEOUT), ["DKIM-LOOKUP-FAILED"], "the key's zone does not answer"),
    (
        config(),
        one(cname=Found((target("other.com", "selector1"),), HOUR)),
        ["DKIM-CNAME-WRONG"],
        "another domain's target",
    ),
    (
        config(),
        one(cname=Found((name("selector1-contoso-com._domainkey.contoso.onmicrosoft.com"),), HOUR)),
        ["DKIM-CNAME-WRONG"],
        "the old form where the tenant names the new one",
    ),
    (
        config(),
        one(cname=Found((name(f"{target('contoso.com', 'selector1')}.contoso.com"),), HOUR)),
        ["DKIM-CNAME-WRONG"],
        "the panel appended the zone to the target",
    ),
    (
        config(),
        one(cname=Found((target("contoso.com", "selector1"), target("other.com", "selector1")), HOUR)),
        ["DKIM-CNAME-WRONG"],
        "two CNAMEs",
    ),
    (
        config(),
        one(cname=GONE, key=GONE, doubled=Found((target("contoso.com", "selector1"),), HOUR)),
        ["DKIM-CNAME-DOUBLED"],
        "the zone twice",
    ),
    (
        config(),
        one(cname=Missing(MissingKind.NODATA), key=Found((seen(key_text(1)),), HOUR)),
        ["DKIM-CNAME-AS-TXT"],
        "the key copied into a TXT",
    ),
    (config(), one(key=replace(GONE, via=ONE.key.via)), ["DKIM-KEY-MISSING"], "the CNAME dangles"),
    (
        config(),
        two(key=replace(GONE, via=TWO.key.via)),
        ["DKIM-KEY-NOT-YET"],
        "idle, before the first rotation",
    ),
    (
        rotated(age=timedelta(days=30)),
        one(key=replace(GONE, via=ONE.key.via)),
        ["DKIM-KEY-MISSING"],
        "idle, after a rotation",
    ),
    (
        config(),
        one(key=Found((seen(key_text(1)), seen(key_text(2))), HOUR)),
        ["DKIM-KEY-MULTIPLE"],
        "two TXT",
    ),
    (config(), one(key=key("v=DKIM1; p=*")), ["DKIM-KEY-SYNTAX"], "unreadable"),
    (config(), one(key=key("v=DKIM1; p=")), ["DKIM-KEY-REVOKED"], "withdrawn"),
    (config(), one(key=key(key_text(9))), ["DKIM-KEY-MISMATCH"], "another key"),
    (config(age=HOUR), one(key=key(key_text(9))), ["DKIM-KEY-PROPAGATING"], "made an hour ago"),
    (config(age=HOUR), two(key=key(key_text(9))), ["DKIM-KEY-MISMATCH"], "nobody touched the other one"),
    (
        rotated(age=timedelta(days=6)),
        two(key=key(key_text(9))),
        ["DKIM-ROTATION-STUCK"],
        "a day past the switch",
    ),
    (config(), one(key=key(key_text(1)[:-1] + "; t=y")), ["DKIM-TESTING"], "a test"),
    (
        config(selector1=SelectorKey("selector1", None, 2048, key_text(1))),
        mail_dns(),
        ["DKIM-TARGET-UNKNOWN"],
        "blank",
    ),
    (
        config(selector1=SelectorKey("selector1", target("contoso.com", "selector1"), 2048, "")),
        one(key=key(key_text(9))),
        [],
        "the tenant shows no key to compare with",
    ),
    (
        config(
            selector1=SelectorKey(
                "selector1", target("contoso.com", "selector1"), 2048, "v=DKIM1; p=redacted!"
            )
        ),
        mail_dns(),
        [],
        "the tenant shows something that is no key",
    ),
    (
        config(
            selector1=SelectorKey("selector1", target("contoso.com", "selector1"), 1024, key_text(1, 1024))
        ),
        one(key=key(key_text(1, 1024))),
        ["DKIM-KEY-SHORT"],
        "1024 bits",
    ),
    (
        config(
            selector1=SelectorKey("selector1", target("contoso.com", "selector1"), 768, key_text(1, 1016))
        ),
        one(key=key(key_text(1, 1016))),
        ["DKIM-KEY-INVALID"],
        "below 1024 bits",
    ),
    (
        config(
            selector1=SelectorKey("selector1", target("contoso.com", "selector1"), 2048, key_text(1, 2048, 3))
        ),
        one(key=key(key_text(1, 2048, 3))),
        ["DKIM-KEY-EXPONENT"],
        "exponent 3",
    ),
    (
        config(),
        mail_dns(wildcard=Found((Txt((b"v=DKIM1; p=",)),), HOUR)),
        ["DKIM-WILDCARD"],
        "every selector exists",
    ),
    (
        config(selector2=SelectorKey("selector2", target("contoso.com", "selector2"), 2048, key_text(1))),
        two(key=key(key_text(1))),
        ["DKIM-DUPKEY"],
        "one key twice",
    ),
]


@pytest.mark.parametrize(("row", "dns", "codes", "reason"), CASES, ids=[case[3] for case in CASES])
def test_finds(row: DkimSigningConfig | None, dns: MailDns, codes: list[str], reason: str) -> None:
    assert [finding.code for finding in check(facts(row, dns))] == codes, reason


def test_the_new_and_the_old_form_of_targets_are_both_right_when_the_tenant_names_them() -> None:
    old = name("selector1-contoso-com._domainkey.contoso.onmicrosoft.com")
    row = config(selector1=SelectorKey("selector1", old, 2048, key_text(1)))
    assert check(facts(row, one(cname=Found((old,), HOUR)))) == ()


def test_the_initial_domain_is_microsofts() -> None:
    assert [f.code for f in check(facts(None, initial=True))] == ["DKIM-INITIAL-DOMAIN"]
    assert check(facts(config(), mail_dns(selector2=without_cname()), initial=True)) == ()


def test_a_missing_cname_comes_with_the_record_to_paste_and_the_time_to_come_back() -> None:
    (finding,) = check(facts(config(), mail_dns(selector2=without_cname())))
    (record,) = finding.records
    assert (record.owner.ascii, record.type) == ("selector2._domainkey.contoso.com", "CNAME")
    assert record.value == target("contoso.com", "selector2").ascii
    assert finding.not_before == NOW + timedelta(minutes=10)


def test_the_records_to_publish_are_the_tenants_and_a_blank_target_is_left_out() -> None:
    assert [record.value for record in records_to_publish(config())] == [
        target("contoso.com", selector).ascii for selector in ("selector1", "selector2")
    ]
    blank = config(selector2=SelectorKey("selector2", None, 2048, ""))
    assert len(records_to_publish(blank)) == 1


GATE_CASES = [  # tenant, DNS, step, state, reason
    (config(), mail_dns(), Step.ROTATE, ReadinessState.READY, "all is right"),
    (
        config(),
        mail_dns(selector2=without_cname()),
        Step.ROTATE,
        ReadinessState.BLOCKED,
        "the idle selector is broken",
    ),
    (
        config(),
        one(cname=TIMEOUT, key=TIMEOUT),
        Step.ROTATE,
        ReadinessState.UNKNOWN,
        "unknown blocks, and is retryable",
    ),
    (
        config(),
        mail_dns(selector1=replace(ONE, cname=TIMEOUT), selector2=without_cname()),
        Step.ROTATE,
        ReadinessState.BLOCKED,
        "a defect is a verdict, whatever else is unknown",
    ),
    (
        config(status="CnameMissing"),
        mail_dns(),
        Step.ROTATE,
        ReadinessState.WAITING,
        "Exchange looks again by itself",
    ),
    (
        config(status="Frozen"),
        mail_dns(),
        Step.ROTATE,
        ReadinessState.BLOCKED,
        "an unknown status blocks writes",
    ),
    (config(enabled=False), mail_dns(), Step.ROTATE, ReadinessState.BLOCKED, "nothing signs"),
    (
        config(enabled=False, status="CnameMissing"),
        mail_dns(),
        Step.ENABLE,
        ReadinessState.READY,
        "CNAMEs are live",
    ),
    (
        config(enabled=False),
        mail_dns(selector2=without_cname()),
        Step.ENABLE,
        ReadinessState.BLOCKED,
        "both are needed",
    ),
    (
        config(enabled=False),
        two(key=replace(GONE, via=TWO.key.via)),
        Step.ENABLE,
        ReadinessState.READY,
        "the idle key may come with the first rotation",
    ),
    (
        config(),
        two(key=replace(GONE, via=TWO.key.via)),
        Step.ROTATE,
        ReadinessState.WAITING,
        "... and is needed for it",
    ),
    (config(status="Frozen"), mail_dns(), Step.DISABLE, ReadinessState.BLOCKED, "no write to the unknown"),
    (config(), mail_dns(selector2=without_cname()), Step.DISABLE, ReadinessState.READY, "DNS is no matter"),
    (None, mail_dns(), Step.CREATE, ReadinessState.READY, "making keys changes no mail"),
]


@pytest.mark.parametrize(
    ("row", "dns", "step", "state", "reason"), GATE_CASES, ids=[c[4] for c in GATE_CASES]
)
def test_gates(
    row: DkimSigningConfig | None, dns: MailDns, step: Step, state: ReadinessState, reason: str
) -> None:
    gate = readiness(DOMAIN, step, check(facts(row, dns)))
    assert gate.state is state, reason
    assert (gate.not_before is not None) == (state is ReadinessState.WAITING), reason


def test_every_code_of_a_gate_is_in_the_catalogue() -> None:
    assert set().union(*GATES.values(), HEALS_WITH_TIME) <= CATALOGUE.keys()


def test_severities_are_words_of_the_enumeration() -> None:
    assert all(Severity(entry.severity) for entry in CATALOGUE.values())


@pytest.mark.parametrize("text", ["DKIM-CNAME-MISSING", "dkim_cname_missing", " dkim-cname-missing "])
def test_codes_are_found_however_they_are_spelled(text: str) -> None:
    assert entry_for(text).code == "DKIM-CNAME-MISSING"


def test_an_unknown_code_names_its_neighbours() -> None:
    with pytest.raises(InputError) as caught:
        entry_for("DKIM-CNAME-MISING")
    assert "DKIM-CNAME-MISSING" in (caught.value.hint or "")
    with pytest.raises(InputError) as caught:
        entry_for("xyzzy")
    assert "lists all codes" in (caught.value.hint or "")


def test_unknown_ranks_above_every_verdict() -> None:
    assert max(Severity, key=lambda severity: severity.rank) is Severity.UNKNOWN


# Wrong results of tools in use, each as a case of ours.


def codes(row: DkimSigningConfig | None, dns: MailDns) -> set[str]:
    return {finding.code for finding in check(facts(row, dns))}


def severities(dns: MailDns) -> set[Severity]:
    return {finding.severity for finding in check(facts(config(), dns))}


def test_habit_a_failed_lookup_never_counts_as_a_pass() -> None:
    assert severities(one(cname=TIMEOUT, key=TIMEOUT)) == {Severity.UNKNOWN}


def test_habit_a_timeout_is_never_reported_as_a_wrong_cname() -> None:
    assert codes(config(), one(cname=TIMEOUT, key=TIMEOUT)) == {"DKIM-LOOKUP-FAILED"}


def test_habit_a_broken_inactive_selector_never_passes() -> None:
    assert "DKIM-CNAME-MISSING" in codes(config(), mail_dns(selector2=without_cname()))


def test_habit_one_good_selector_is_not_enough() -> None:
    assert "DKIM-CNAME-MISSING" in codes(config(), mail_dns(selector1=without_cname(selector="selector1")))


def test_habit_a_key_without_version_tag_is_a_key() -> None:
    text = key_text(1).removeprefix("v=DKIM1; ")
    assert codes(config(), one(key=key(text))) == set()


def test_habit_the_last_of_several_txt_records_is_not_silently_taken() -> None:
    assert "DKIM-KEY-MULTIPLE" in codes(
        config(), one(key=Found((seen("v=DKIM1; p="), seen(key_text(1))), HOUR))
    )


def test_habit_a_good_domain_does_not_hide_the_next_bad_one() -> None:
    good = check(facts(config()))
    bad = check(facts(config(), mail_dns(selector1=without_cname(selector="selector1"))))
    assert (good, [finding.code for finding in bad]) == ((), ["DKIM-CNAME-MISSING"])


def test_habit_new_format_targets_are_not_flagged() -> None:
    assert target("contoso.com", "selector1").ascii.endswith("-v1.dkim.mail.microsoft")
    assert codes(config(), mail_dns()) == set()


def test_habit_the_target_is_the_tenants_and_never_built() -> None:
    unguessable = name("selector1-contoso-com03i._domainkey.contoso.w-v1.dkim.mail.microsoft")
    row = config(selector1=SelectorKey("selector1", unguessable, 2048, key_text(1)))
    assert "DKIM-CNAME-WRONG" in codes(row, mail_dns())
    assert records_to_publish(row)[0].value == unguessable.ascii


def test_habit_a_key_published_directly_is_seen_and_named() -> None:
    direct = Found((seen(key_text(1)),), HOUR)
    assert codes(config(), one(cname=Missing(MissingKind.NODATA), key=direct)) == {"DKIM-CNAME-AS-TXT"}


def messages(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.message for finding in findings]


def test_messages_can_be_read_alone() -> None:
    for row, dns, _codes, _reason in CASES:
        for message in messages(check(facts(row, dns))):
            assert "\n" not in message
            assert len(message) > len("x")
