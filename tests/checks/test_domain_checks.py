"""What follows from facts about a whole domain: gates, profiles, the tenant beside its DNS, DANE, parked domains."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from scenes import HOUR, NOW, accepted, config, mail_dns, name, without_cname

from exo_auth.checks.catalogue import CATALOGUE, finding, under
from exo_auth.checks.dane import check_dane, dane_steps
from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.gates import HOLDS, SUBJECTS, Gate, judge_gate
from exo_auth.checks.readiness import ReadinessState
from exo_auth.checks.tenant import TenantView, check_tenant
from exo_auth.checks.whole import check_domain
from exo_auth.checks.zone import check_mx, check_zone
from exo_auth.facts.dmarc import DmarcWalk, WalkStep
from exo_auth.facts.dns import FailureReason, Found, Hop, LookupFailed, Missing, MissingKind, Txt
from exo_auth.facts.domain import (
    DmarcFacts,
    DomainFacts,
    Exchanger,
    MailHost,
    MtaStsFacts,
    NameServerView,
    TlsaRecord,
    ZoneStart,
)
from exo_auth.facts.spf import SpfBranch, SpfNode
from exo_auth.records import dmarc, spf
from exo_auth.run.check import CheckRequest, report_on

DOMAIN = name("contoso.com")
OWN_HOST = "contoso-com.mail.protection.outlook.com"
NEW_HOST = "contoso-com.o-v1.mx.microsoft"
GONE = Missing(MissingKind.NXDOMAIN, HOUR)
NODATA = Missing(MissingKind.NODATA, HOUR)
TIMEOUT = LookupFailed(FailureReason.TIMEOUT, "192.0.2.53:53 did not answer", temporary=True)
BOGUS = LookupFailed(FailureReason.BOGUS, "the signatures do not validate", temporary=False)


def found(*values: Any, authenticated: bool = False, via: tuple[Hop, ...] = ()) -> Found[Any]:
    return Found(values, HOUR, via, "192.0.2.53:53", authenticated)


def txt(text: str) -> Found[Txt]:
    return found(Txt((text.encode(),)))


def spf_tree(text: str, *includes: str) -> SpfNode:
    record = spf.parse(text)
    terms = [mechanism for mechanism in record.mechanisms if mechanism.name == "include"]
    inner = SpfNode("x", txt("v=spf1 -all"), ("v=spf1 -all",), spf.parse("v=spf1 -all"))
    branches = tuple(SpfBranch(term, target, inner) for term, target in zip(terms, includes, strict=True))
    return SpfNode("contoso.com", txt(text), (text,), record, branches)


def dmarc_facts(text: str = "") -> DmarcFacts:
    at_name = txt(text) if text else GONE
    step = WalkStep(DOMAIN, dmarc.parse(text) if text else None, text, bool(text))
    return DmarcFacts(DmarcWalk(DOMAIN, (step,)), at_name, None, DOMAIN)


def host(label: str = OWN_HOST, *, signed: bool = False, tlsa: Any = None) -> MailHost:
    return MailHost(
        label,
        found(IPv4Address("192.0.2.1"), authenticated=signed),
        found(IPv6Address("2001:db8::1"), authenticated=signed),
        tlsa,
    )


def facts(**changes: Any) -> DomainFacts:
    """A domain in which nothing is wrong."""
    good = DomainFacts(
        DOMAIN,
        soa=found(ZoneStart("ns1.contoso.com", 1, 900), authenticated=True),
        wildcard=GONE,
        txt=txt("v=spf1 include:spf.protection.outlook.com -all"),
        mx=found(Exchanger(0, OWN_HOST)),
        hosts=(host(),),
        spf=spf_tree("v=spf1 include:spf.protection.outlook.com -all", "spf.protection.outlook.com"),
        dkim=mail_dns("contoso.com"),
        dmarc=dmarc_facts("v=DMARC1; p=reject; rua=mailto:dmarc@contoso.com"),
        tls_rpt=txt("v=TLSRPTv1; rua=mailto:tls@contoso.net"),
    )
    return replace(good, **changes)


def view(**changes: Any) -> TenantView:
    return replace(
        TenantView(accepted(), config(), "spf.protection.outlook.com", NOW, timedelta(days=365)), **changes
    )


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {one.code for one in findings}


def test_a_domain_in_order_has_no_findings() -> None:
    assert check_domain(facts(), NOW, view=view()) == ()


TENANT = [  # facts, view, findings, reason
    ({}, {}, set(), "all is well"),
    ({"spf": spf_tree("v=spf1 mx -all")}, {}, {"SPF-NO-M365"}, "Exchange Online is not named"),
    (
        {"spf": spf_tree("v=spf1 -ALL")},
        {},
        {"DOMAIN-SENDING-ENABLED"},
        "parked in DNS, and not in the tenant",
    ),
    (
        {},
        {"accepted": accepted(sending_disabled=True)},
        {"SPF-SENDING-DISABLED"},
        "forbidden in the tenant, and not in DNS",
    ),
    (
        {"mx": found(Exchanger(0, "fabrikam-com.mail.protection.outlook.com"))},
        {},
        {"MX-OTHER-DOMAIN"},
        "the host of another domain",
    ),
    (
        {"mx": found(Exchanger(0, "contoso-com03i.o-v1.mx.microsoft"))},
        {},
        set(),
        "Exchange appends a suffix where names clash",
    ),
    (
        {"spf": spf_tree("v=spf1 include:spf.protection.office365.us -all", "spf.protection.office365.us")},
        {},
        {"SPF-NO-M365", "SPF-WRONG-CLOUD"},
        "the include of another cloud",
    ),
    (
        {"spf": spf_tree("v=spf1 -all")},
        {"accepted": accepted(sending_disabled=True)},
        set(),
        "a domain that sends nothing names nobody",
    ),
    ({"mx": found(Exchanger(0, "mx.other.example"))}, {}, {"MX-NOT-TENANT"}, "mail goes elsewhere"),
    (
        {"mx": found(Exchanger(0, "mx.other.example"))},
        {"accepted": accepted(domain_type="InternalRelay")},
        set(),
        "a relay domain may",
    ),
    ({}, {"config": config(enabled=False)}, {"DMARC-SPF-ONLY-REJECT"}, "reject without DKIM"),
    ({}, {"config": None}, {"DMARC-SPF-ONLY-REJECT"}, "... and without any keys"),
    ({}, {"max_key_age": timedelta(days=100)}, {"DKIM-ROTATION-DUE"}, "an old key"),
    ({"spf": spf_tree("v=spf1 -all")}, {"is_initial": True}, set(), "the initial domain is Microsoft's"),
]


@pytest.mark.parametrize(("changes", "tenant", "wanted", "reason"), TENANT, ids=[row[3] for row in TENANT])
def test_the_tenant_is_compared_with_dns(
    changes: dict[str, Any], tenant: dict[str, Any], wanted: set[str], reason: str
) -> None:
    assert codes(check_tenant(facts(**changes), view(**tenant), ())) == wanted, reason


def test_a_broken_idle_selector_is_told_while_the_other_signs() -> None:
    idle = finding("DKIM-CNAME-MISSING", DOMAIN, "selector2’s CNAME is missing")
    active = finding("DKIM-CNAME-MISSING", DOMAIN, "selector1’s CNAME is missing")
    assert "DKIM-SELECTOR-INACTIVE-BROKEN" in codes(check_tenant(facts(), view(), (idle,)))
    assert "DKIM-SELECTOR-INACTIVE-BROKEN" not in codes(check_tenant(facts(), view(), (idle, active)))


GATES = [  # gate, findings, state, reason
    (Gate.SPF, (), ReadinessState.READY, "nothing found"),
    (Gate.SPF, ("SPF-LOOKUPS",), ReadinessState.BLOCKED, "a defect"),
    (Gate.SPF, ("TRANSIENT",), ReadinessState.UNKNOWN, "a failed look-up is no verdict"),
    (Gate.SPF, ("TRANSIENT", "SPF-LOOKUPS"), ReadinessState.BLOCKED, "a defect outranks it"),
    (Gate.SPF, ("STS-MODE",), ReadinessState.READY, "another subject"),
    (Gate.SPF, ("DNSSEC-BOGUS",), ReadinessState.BLOCKED, "a bogus zone closes every gate"),
    (Gate.DMARC_ENFORCE, ("DOMAIN-MISSING",), ReadinessState.BLOCKED, "a domain that is not there"),
    (Gate.DKIM_ROTATE, ("DKIM-KEY-PROPAGATING",), ReadinessState.WAITING, "time heals it"),
    (Gate.DMARC_ENFORCE, ("DMARC-SPF-ONLY-REJECT",), ReadinessState.BLOCKED, "DKIM before enforcement"),
    (Gate.MTA_STS_ENFORCE, ("STS-MX-UNMATCHED",), ReadinessState.BLOCKED, "mail would stop"),
    (Gate.DANE, ("DNSSEC-INSECURE",), ReadinessState.BLOCKED, "sign first"),
]


@pytest.mark.parametrize(("gate", "found_codes", "state", "reason"), GATES, ids=[row[3] for row in GATES])
def test_gates(gate: Gate, found_codes: tuple[str, ...], state: ReadinessState, reason: str) -> None:
    later = NOW + HOUR
    findings = tuple(finding(code, DOMAIN, code, not_before=later) for code in found_codes)
    verdict = judge_gate(DOMAIN, gate, findings)
    assert verdict.state is state, reason
    if state is ReadinessState.WAITING:
        assert verdict.not_before == later


def test_every_gate_has_subjects_and_real_codes() -> None:
    assert HOLDS.keys() == SUBJECTS.keys() == set(Gate)
    assert frozenset().union(*HOLDS.values()) <= CATALOGUE.keys()


PROFILES = [  # code, profile, severity, reason
    ("DMARC-NONE", Profile.IETF, "warn", "RFC 9989 allows it"),
    ("DMARC-NONE", Profile.CISA, "fail", "BOD 25-01 asks for reject"),
    ("DMARC-QUARANTINE", Profile.IETF, "", "in order by the RFC"),
    ("DMARC-QUARANTINE", Profile.MICROSOFT, "warn", "Microsoft prefers reject"),
    ("SPF-SOFTFAIL", Profile.CISA, "", "CISA accepts ~all since 2025"),
    ("SPF-SOFTFAIL", Profile.MICROSOFT, "info", "Microsoft prefers -all"),
]


@pytest.mark.parametrize(
    ("code", "profile", "severity", "reason"), PROFILES, ids=[row[3] for row in PROFILES]
)
def test_profiles_decide_the_severity(code: str, profile: Profile, severity: str, reason: str) -> None:
    judged = under(profile, (finding(code, DOMAIN, "x"),))
    assert [one.severity.value for one in judged] == ([severity] if severity else []), reason


PARKED = [  # facts, findings, reason
    (
        {
            "spf": spf_tree("v=spf1 -all"),
            "mx": found(Exchanger(0, "")),
            "hosts": (),
            "dkim": mail_dns("contoso.com"),
        },
        set(),
        "it refuses everything",
    ),
    ({}, {"SPF-PARKED", "MX-PARKED"}, "it sends and receives"),
    (
        {"spf": SpfNode("contoso.com", GONE), "mx": GONE, "hosts": (), "dmarc": dmarc_facts()},
        {"SPF-PARKED", "DMARC-PARKED", "MX-PARKED"},
        "it says nothing at all",
    ),
    (
        {"spf": SpfNode("contoso.com", TIMEOUT), "mx": found(Exchanger(0, "")), "hosts": ()},
        {"TRANSIENT"},
        "a failed look-up proves nothing",
    ),
]


@pytest.mark.parametrize(("changes", "wanted", "reason"), PARKED, ids=[row[2] for row in PARKED])
def test_parked_domains_refuse_to_be_used(changes: dict[str, Any], wanted: set[str], reason: str) -> None:
    assert codes(check_domain(facts(**changes), NOW, profile=Profile.PARKED)) == wanted, reason


GONE_STS = MtaStsFacts(GONE)
IN_ORDER_PARKED: dict[str, Any] = {
    "spf": spf_tree("v=spf1 -all"),
    "txt": txt("v=spf1 -all"),
    "mx": found(Exchanger(0, "")),
    "hosts": (),
    "dmarc": dmarc_facts("v=DMARC1; p=reject; sp=reject; np=reject"),
    "dkim": mail_dns("contoso.com", selector1=without_cname(selector="selector1"), selector2=without_cname()),
    "soa": found(ZoneStart("ns1.contoso.com", 1, 900)),
    "mta_sts": GONE_STS,
    "tls_rpt": GONE,
    "bimi": GONE,
}
PARKED_IN_TENANT = [  # more facts, tenant, findings, reason
    ({}, None, set(), "DNS alone"),
    ({}, {"accepted": accepted(sending_disabled=True)}, set(), "the tenant may not send"),
    ({}, {"accepted": accepted(sending_disabled=True), "config": None}, set(), "... and has no keys"),
    ({}, {}, {"DOMAIN-SENDING-ENABLED"}, "the tenant may send: that is asked of it, and DKIM is not"),
    ({}, {"config": None}, {"DOMAIN-SENDING-ENABLED"}, "no row in the tenant"),
    ({}, {"config": config(enabled=False)}, {"DOMAIN-SENDING-ENABLED"}, "signing is off"),
    ({"dkim": mail_dns("contoso.com", wildcard=txt("v=DKIM1; p="))}, None, set(), "all keys revoked"),
    ({"mta_sts": MtaStsFacts(TIMEOUT), "tls_rpt": TIMEOUT}, None, set(), "nobody asks for them"),
    ({"soa": TIMEOUT}, None, {"TRANSIENT"}, "a zone without answers"),
]


@pytest.mark.parametrize(
    ("changes", "tenant", "wanted", "reason"), PARKED_IN_TENANT, ids=[row[3] for row in PARKED_IN_TENANT]
)
def test_of_a_parked_domain_nothing_else_is_asked(
    changes: dict[str, Any], tenant: dict[str, Any] | None, wanted: set[str], reason: str
) -> None:
    seen = facts(**(IN_ORDER_PARKED | changes))
    judged = check_domain(
        seen, NOW, profile=Profile.PARKED, view=view(**tenant) if tenant is not None else None
    )
    assert codes(judged) == wanted, reason


@pytest.mark.parametrize("rules", Profile)
@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        (Gate.MTA_STS_ENFORCE, {"mta_sts": GONE_STS}),
        (Gate.TLS_RPT, {"tls_rpt": GONE}),
        (Gate.MX, {"mx": found(Exchanger(0, "")), "hosts": ()}),
        (Gate.SPF, {"spf": SpfNode("contoso.com", GONE)}),
    ],
)
def test_no_profile_opens_a_gate_by_being_silent(rules: Profile, gate: Gate, changes: dict[str, Any]) -> None:
    report = report_on(facts(**changes), CheckRequest(rules, gate=gate), NOW)
    assert report.gate is not None
    assert report.gate.state is ReadinessState.BLOCKED


USABLE = TlsaRecord(3, 1, 1, b"x" * 32)
DANE = [  # hosts, is the MX set validated, findings, steps done, reason
    ((host(),), False, set(), 2, "the domain is not signed: nothing to say here"),
    ((host(),), True, {"DANE-DNSSEC-MX"}, 2, "the exchanger's zone is not signed"),
    ((host(NEW_HOST, signed=True, tlsa=GONE),), True, {"DANE-TLSA-MISSING"}, 4, "one cmdlet away"),
    ((host("mx.a.example", signed=True, tlsa=GONE),), True, {"DANE-TLSA-MISSING"}, 3, "a host of one's own"),
    ((host(NEW_HOST, signed=True, tlsa=TIMEOUT),), True, {"TRANSIENT"}, 4, "no verdict"),
    (
        (host(NEW_HOST, signed=True, tlsa=found(replace(USABLE, usage=1))),),
        True,
        {"DANE-TLSA-UNUSABLE"},
        5,
        "usage 1 does not count for mail",
    ),
    ((host(NEW_HOST, signed=True, tlsa=found(USABLE)),), True, set(), 5, "done"),
]


@pytest.mark.parametrize(
    ("hosts", "validated", "wanted", "done", "reason"), DANE, ids=[row[4] for row in DANE]
)
def test_dane(hosts: tuple[MailHost, ...], validated: bool, wanted: set[str], done: int, reason: str) -> None:
    mx = found(*(Exchanger(0, one.name) for one in hosts), authenticated=validated)
    seen = facts(hosts=hosts, mx=mx)
    assert codes(check_dane(seen)) == wanted, reason
    assert sum(step.state == "done" for step in dane_steps(seen)) == done


def test_dane_without_a_verdict_is_unknown() -> None:
    assert {step.state for step in dane_steps(facts(soa=TIMEOUT))} == {"unknown"}


ZONES = [  # facts, findings, reason
    ({"soa": found(ZoneStart("ns1", 1, 86400), authenticated=True)}, {"SOA-NEGTTL"}, "absence for a day"),
    ({"soa": Missing(MissingKind.NODATA, timedelta(days=1))}, {"SOA-NEGTTL"}, "... as a subdomain shows it"),
    ({"soa": found(ZoneStart("ns1", 1, 900))}, {"DNSSEC-INSECURE"}, "not signed"),
    ({"soa": TIMEOUT}, {"TRANSIENT"}, "no verdict"),
    ({"soa": BOGUS}, {"DNSSEC-BOGUS"}, "signatures that do not validate"),
    ({"wildcard": txt("hello")}, {"WILDCARD-TXT"}, "every name exists"),
    (
        {
            "servers": (
                NameServerView("ns1", "192.0.2.1", 1),
                NameServerView("ns2", "192.0.2.2", failure="REFUSED"),
            )
        },
        {"NS-LAME"},
        "one refuses",
    ),
    (
        {"servers": (NameServerView("ns1", "192.0.2.1", 1), NameServerView("ns2", "192.0.2.2", 2))},
        {"NS-DIVERGE"},
        "different serials",
    ),
]


@pytest.mark.parametrize(("changes", "wanted", "reason"), ZONES, ids=[row[2] for row in ZONES])
def test_zones(changes: dict[str, Any], wanted: set[str], reason: str) -> None:
    assert codes(check_zone(facts(**changes))) == wanted, reason


def test_a_failed_look_up_of_mail_hosts_is_never_a_missing_address() -> None:
    assert codes(check_mx(facts(mx=TIMEOUT, hosts=()))) == {"TRANSIENT"}
    assert codes(check_mx(facts(hosts=(MailHost(OWN_HOST, TIMEOUT, NODATA),)))) == {
        "MX-LEGACY-HOST",
        "TRANSIENT",
    }


def test_a_domain_that_does_not_exist_has_one_finding() -> None:
    absent = facts(
        soa=GONE,
        txt=GONE,
        mx=GONE,
        hosts=(),
        spf=SpfNode("contoso.com", GONE),
        dmarc=dmarc_facts(),
        tls_rpt=GONE,
    )
    absent = replace(absent, dkim=None)
    assert codes(check_domain(absent, NOW)) == {"DOMAIN-MISSING"}


def test_a_name_with_records_below_it_is_not_called_absent() -> None:
    odd = facts(txt=GONE, mx=GONE, hosts=(), spf=SpfNode("contoso.com", GONE))
    assert "DOMAIN-MISSING" not in codes(check_domain(odd, NOW))


def test_a_tally_keeps_numbers() -> None:
    tally = Tally()
    tally.add(DomainReport(DOMAIN, (finding("SPF-MISSING", DOMAIN, "x"), finding("STS-MODE", DOMAIN, "y"))))
    tally.add(DomainReport(name("b.example"), (finding("STS-MODE", name("b.example"), "y"),)))
    assert (tally.domains, tally.clean) == (["contoso.com", "b.example"], 1)
    assert (tally.by_severity["fail"], tally.by_code["STS-MODE"]) == (1, 2)
    assert DomainReport(DOMAIN, ()).worst is None
    assert Severity.UNKNOWN.rank > Severity.FAIL.rank


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_explained_with_source_and_example(code: str) -> None:
    entry = CATALOGUE[code]
    assert all((entry.title, entry.why, entry.remedy, entry.source, entry.example)), code
    assert entry.severity in {severity.value for severity in Severity}
    assert set(entry.profiles.values()) <= {"", "info", "warn", "fail"}
