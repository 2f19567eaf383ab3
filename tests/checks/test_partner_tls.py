"""May TLS be forced? A partner's hosts, each way they may fail, under each demand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
from scenes import HOUR, NOW, name

from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.entries_partner_tls import ENTRIES
from exo_auth.checks.finding import Severity
from exo_auth.checks.partner_tls import TlsDemand, Verify, check_partner, enforced_by, judge_partner
from exo_auth.checks.readiness import ReadinessState
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind, Txt
from exo_auth.facts.domain import (
    Certificate,
    DomainFacts,
    Exchanger,
    MailHost,
    MtaStsFacts,
    PolicyFetch,
    TlsaRecord,
)
from exo_auth.facts.partner import PartnerFacts
from exo_auth.facts.starttls import SmtpFault, SmtpProbe

PARTNER = name("fabrikam.com")
GONE = Missing(MissingKind.NODATA, HOUR)
TIMEOUT = LookupFailed(FailureReason.TIMEOUT, "no answer", temporary=True)
CERTIFICATE = Certificate(NOW + timedelta(days=60), "R11", ("mx1.fabrikam.com",))
OTHER = replace(CERTIFICATE, names=("www.fabrikam.com",))
LAX = TlsDemand()
READY, BLOCKED, UNKNOWN = ReadinessState.READY, ReadinessState.BLOCKED, ReadinessState.UNKNOWN
ANY, VALID, NAMED = Verify.ENCRYPTION, Verify.CERTIFICATE, Verify.DOMAIN


def found(*values: Any, authenticated: bool = False) -> Found[Any]:
    return Found(values, HOUR, (), "192.0.2.53:53", authenticated)


def host(number: int = 1, **changes: Any) -> MailHost:
    made = MailHost(f"mx{number}.fabrikam.com", found(IPv4Address(f"192.0.2.{number}")), GONE)
    return replace(made, **changes)


def probe(fault: SmtpFault | None = None, number: int = 1, **changes: Any) -> SmtpProbe:
    made = SmtpProbe(f"mx{number}.fabrikam.com", f"192.0.2.{number}", 25, fault, "detail", "mx ESMTP")
    if fault is None or fault.value.startswith("certificate"):
        own = replace(CERTIFICATE, names=(made.host,))
        made = replace(made, tls_version="TLSv1.3", certificate=own, name_matches=True)
    if fault is SmtpFault.CERTIFICATE_NAME:
        made = replace(made, certificate=OTHER, name_matches=False)
    return replace(made, **changes)


def facts(*probes: SmtpProbe, **changes: Any) -> PartnerFacts:
    numbers = sorted({int(one.host[2]) for one in probes}) or [1]
    mx = found(*(Exchanger(10 * number, f"mx{number}.fabrikam.com") for number in numbers))
    dns = DomainFacts(PARTNER, mx=mx, hosts=tuple(map(host, numbers)))
    return PartnerFacts(replace(dns, **changes), probes)


def codes(seen: PartnerFacts, demand: TlsDemand = LAX) -> list[str]:
    return [one.code for one in check_partner(seen, demand, NOW)]


F = SmtpFault
ONE_HOST: list[tuple[SmtpProbe, Verify, list[str], ReadinessState, str]] = [
    (probe(), ANY, [], READY, "all is right"),
    (probe(), NAMED, [], READY, "also for the strictest"),
    (probe(F.NO_STARTTLS), ANY, ["TLS-STARTTLS-MISSING"], BLOCKED, "no STARTTLS"),
    (probe(F.STARTTLS_REFUSED), ANY, ["TLS-STARTTLS-REFUSED"], BLOCKED, "offered, not begun"),
    (probe(F.HANDSHAKE), ANY, ["TLS-HANDSHAKE"], BLOCKED, "old TLS"),
    (probe(F.PROTOCOL), ANY, ["TLS-NOT-SMTP"], BLOCKED, "no SMTP"),
    (probe(F.CERTIFICATE_NAME), ANY, ["TLS-CERT-NAME"], READY, "encryption alone looks at no name"),
    (probe(F.CERTIFICATE_NAME), VALID, ["TLS-CERT-NAME"], READY, "nor does a valid certificate"),
    (probe(F.CERTIFICATE_NAME), NAMED, ["TLS-CERT-NAME"], BLOCKED, "the strictest does"),
    (probe(F.CERTIFICATE_EXPIRED), ANY, ["TLS-CERT-EXPIRED"], READY, "encryption alone takes any"),
    (probe(F.CERTIFICATE_EXPIRED), VALID, ["TLS-CERT-EXPIRED"], BLOCKED, "validation does not"),
    (probe(F.CERTIFICATE_UNTRUSTED), ANY, ["TLS-CERT-UNTRUSTED"], READY, "encryption alone takes any"),
    (probe(F.CERTIFICATE_UNTRUSTED), NAMED, ["TLS-CERT-UNTRUSTED"], BLOCKED, "validation does not"),
    (
        probe(F.CERTIFICATE_UNTRUSTED, certificate=OTHER, name_matches=False),
        NAMED,
        ["TLS-CERT-UNTRUSTED", "TLS-CERT-NAME"],
        BLOCKED,
        "two faults at once",
    ),
    (probe(F.CERTIFICATE_EXPIRED, certificate=None), VALID, ["TLS-CERT-EXPIRED"], BLOCKED, "not seen twice"),
    (probe(F.CERTIFICATE_NAME, certificate=None), NAMED, ["TLS-CERT-NAME"], BLOCKED, "not to be read"),
    (
        probe(certificate=replace(CERTIFICATE, not_after=NOW + timedelta(days=13))),
        VALID,
        ["TLS-CERT-EXPIRY"],
        READY,
        "ends soon",
    ),
    (probe(F.CONNECT_TIMEOUT), ANY, ["TLS-PORT-BLOCKED"], UNKNOWN, "nothing comes back"),
    (probe(F.CONNECT_REFUSED), ANY, ["TLS-PORT-BLOCKED"], UNKNOWN, "refused"),
    (probe(F.UNREACHABLE), ANY, ["TLS-PORT-BLOCKED"], UNKNOWN, "no route"),
    (probe(F.TIMEOUT), ANY, ["TLS-HOST-UNDECIDED"], UNKNOWN, "silent"),
    (probe(F.BUSY), ANY, ["TLS-HOST-UNDECIDED"], UNKNOWN, "busy"),
    (probe(F.REJECTED), ANY, ["TLS-HOST-UNDECIDED"], UNKNOWN, "not from here"),
    (probe(F.CLOSED), ANY, ["TLS-HOST-UNDECIDED"], UNKNOWN, "cut off"),
]


@pytest.mark.parametrize(
    ("one", "verify", "wanted", "state", "reason"), ONE_HOST, ids=[r[4] for r in ONE_HOST]
)
def test_one_host(
    one: SmtpProbe, verify: Verify, wanted: list[str], state: ReadinessState, reason: str
) -> None:
    verdict = judge_partner(facts(one), TlsDemand(verify), NOW)
    assert [finding.code for finding in verdict.findings] == wanted
    assert verdict.state is state, reason
    assert bool(verdict.holding) is (state is not READY)
    assert all(finding.subject == PARTNER and finding.evidence for finding in verdict.findings)


def test_every_fault_is_judged() -> None:
    assert {one.fault for one, *_ in ONE_HOST} == {None, *SmtpFault}


SEVERAL: list[tuple[tuple[SmtpProbe, ...], list[str], ReadinessState, str]] = [
    ((probe(), probe(number=2)), [], READY, "two good hosts"),
    ((probe(), probe(F.NO_STARTTLS, 2)), ["TLS-STARTTLS-MISSING"], BLOCKED, "one that fails is enough"),
    ((probe(), probe(F.BUSY, 2)), ["TLS-HOST-UNDECIDED"], UNKNOWN, "one that did not show"),
    ((probe(), probe(F.CONNECT_TIMEOUT, 2)), ["TLS-HOST-UNDECIDED"], UNKNOWN, "one that is out of reach"),
    (
        (probe(F.BUSY), probe(F.HANDSHAKE, 2)),
        ["TLS-HOST-UNDECIDED", "TLS-HANDSHAKE"],
        BLOCKED,
        "a defect outranks what is not known",
    ),
    (
        (probe(), probe(F.UNREACHABLE, address="2001:db8::1")),
        [],
        READY,
        "no IPv6 here, and the host is known",
    ),
    (
        (probe(F.NO_STARTTLS), probe(F.NO_STARTTLS, address="192.0.2.9")),
        ["TLS-STARTTLS-MISSING"],
        BLOCKED,
        "two addresses of a host do the same: said once",
    ),
    (
        (probe(F.CONNECT_TIMEOUT), probe(F.CONNECT_REFUSED, 2)),
        ["TLS-PORT-BLOCKED"],
        UNKNOWN,
        "no host at all is in reach",
    ),
]


@pytest.mark.parametrize(("probes", "wanted", "state", "reason"), SEVERAL, ids=[row[3] for row in SEVERAL])
def test_several(
    probes: tuple[SmtpProbe, ...], wanted: list[str], state: ReadinessState, reason: str
) -> None:
    verdict = judge_partner(facts(*probes), TlsDemand(), NOW)
    assert ([finding.code for finding in verdict.findings], verdict.state) == (wanted, state), reason


NAMES = [  # what the connector asks for, what the certificate names, does it count?, why
    ("mail.fabrikam.com", ("mail.fabrikam.com",), True, "the name itself"),
    ("Mail.Fabrikam.com", ("MAIL.fabrikam.com",), True, "names have no case"),
    ("mail.fabrikam.com", ("*.fabrikam.com",), True, "a wildcard of the certificate"),
    ("*.fabrikam.com", ("mail.fabrikam.com",), True, "a wildcard of the connector"),
    ("*.fabrikam.com", ("*.fabrikam.com",), True, "the same wildcard"),
    ("*.fabrikam.com", ("a.b.fabrikam.com",), False, "one label, not two"),
    ("*.fabrikam.com", ("fabrikam.com",), False, "one label, not none"),
    ("mail.fabrikam.com", ("*.com",), False, "a wildcard for another place"),
    ("mail.fabrikam.com", (), False, "no names"),
]


@pytest.mark.parametrize(("asked", "names", "counts", "why"), NAMES, ids=[row[3] for row in NAMES])
def test_the_name_that_a_connector_asks_for(
    asked: str, names: tuple[str, ...], counts: bool, why: str
) -> None:
    shown = probe(F.CERTIFICATE_NAME, certificate=replace(CERTIFICATE, names=names))
    assert codes(facts(shown), TlsDemand(NAMED, asked)) == ([] if counts else ["TLS-CERT-NAME"]), why


# Who takes the partner's mail

NO_HOSTS: list[tuple[dict[str, Any], list[str], ReadinessState, str]] = [
    ({"mx": GONE, "hosts": (host(ipv4=GONE),)}, ["TLS-NO-HOST"], BLOCKED, "no MX, no address"),
    (
        {"mx": GONE, "hosts": (host(ipv4=TIMEOUT),)},
        ["TLS-NO-HOST"],
        UNKNOWN,
        "the address cannot be asked for",
    ),
    ({"mx": None, "hosts": (host(ipv4=GONE),)}, ["TLS-NO-HOST"], BLOCKED, "a host without address"),
    ({"mx": found(Exchanger(0, "")), "hosts": ()}, ["MX-NULL"], BLOCKED, "it takes no mail"),
    ({"mx": TIMEOUT, "hosts": ()}, ["TRANSIENT"], UNKNOWN, "the MX cannot be asked for"),
    ({"hosts": (host(ipv4=GONE),)}, ["MX-NOADDR"], BLOCKED, "a host that is gone"),
]


@pytest.mark.parametrize(("changes", "wanted", "state", "reason"), NO_HOSTS, ids=[row[3] for row in NO_HOSTS])
def test_nobody_to_ask(
    changes: dict[str, Any], wanted: list[str], state: ReadinessState, reason: str
) -> None:
    verdict = judge_partner(facts(**changes), TlsDemand(), NOW)
    assert ([finding.code for finding in verdict.findings], verdict.state) == (wanted, state), reason


def test_a_host_that_is_gone_beside_a_good_one_only_warns() -> None:
    seen = facts(probe(), hosts=(host(), host(2, ipv4=GONE)))
    (one,) = check_partner(seen, TlsDemand(), NOW)
    assert (one.code, one.severity) == ("MX-NOADDR", Severity.WARN)


def test_no_mx_record_at_all_is_no_fault_when_the_domain_itself_answers() -> None:
    seen = facts(probe(), mx=GONE, hosts=(MailHost("fabrikam.com", found(IPv4Address("192.0.2.1")), GONE),))
    assert codes(seen) == []


# What the partner does by itself

POLICY = "version: STSv1\r\nmode: {}\r\nmx: {}\r\nmax_age: 604800\r\n"


def policy(mode: str, mx: str = "*.fabrikam.com") -> MtaStsFacts:
    body = POLICY.format(mode, mx).encode()
    return MtaStsFacts(found(Txt((b"v=STSv1; id=1;",))), fetches=(PolicyFetch("192.0.2.80", body=body),))


TLSA = found(TlsaRecord(3, 1, 1, b"x" * 32), authenticated=True)
SIGNED = host(ipv4=found(IPv4Address("192.0.2.1"), authenticated=True), tlsa=TLSA)
SIGNED_MX = found(Exchanger(10, "mx1.fabrikam.com"), authenticated=True)
OWN: list[tuple[dict[str, Any], str, str]] = [
    ({}, "", "nothing"),
    ({"mta_sts": policy("enforce")}, "MTA-STS in enforce", "a policy"),
    ({"mta_sts": policy("testing")}, "", "a policy that tests"),
    ({"mta_sts": policy("enforce", "mx9.fabrikam.com")}, "", "a policy for other hosts"),
    ({"mta_sts": MtaStsFacts(GONE)}, "", "no policy"),
    (
        {"mta_sts": MtaStsFacts(GONE, fetches=(PolicyFetch("192.0.2.80", body=b"<html>"),))},
        "",
        "a policy that is none",
    ),
    ({"mx": SIGNED_MX, "hosts": (SIGNED,)}, "DANE", "all is signed"),
    ({"mx": SIGNED_MX, "hosts": (host(tlsa=TLSA),)}, "", "the host is not signed"),
    ({"hosts": (SIGNED,)}, "", "the MX is not signed"),
    ({"mx": SIGNED_MX, "hosts": (replace(SIGNED, tlsa=GONE),)}, "", "no TLSA"),
    (
        {"mx": SIGNED_MX, "hosts": (replace(SIGNED, tlsa=found(TlsaRecord(1, 0, 1, b"x"), authenticated=True)),)},
        "",
        "TLSA that mail does not use",
    ),
    ({"mx": SIGNED_MX, "hosts": (SIGNED, host(2))}, "", "one host of two"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "how", "reason"), OWN, ids=[row[2] for row in OWN])
def test_what_the_partner_enforces_itself(changes: dict[str, Any], how: str, reason: str) -> None:
    seen = facts(probe(), **changes)
    assert enforced_by(seen.dns) == how, reason
    assert codes(seen) == (["TLS-ENFORCED-ALREADY"] if how else [])
    assert judge_partner(seen, TlsDemand(), NOW).state is READY


def test_every_code_can_be_found() -> None:
    seen = {code for *_, wanted, _state, _why in (*ONE_HOST, *SEVERAL, *NO_HOSTS) for code in wanted}
    assert {entry.code for entry in ENTRIES} <= seen | {"TLS-ENFORCED-ALREADY"}
    assert {entry.code for entry in ENTRIES} <= CATALOGUE.keys()
