"""May TLS be forced with a partner? What its mail hosts do, judged by what is to be demanded (checks, pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from exo_auth.checks.catalogue import finding
from exo_auth.checks.dane import USABLE_USAGES, is_signed
from exo_auth.checks.finding import Evidence, Finding, Severity
from exo_auth.checks.mta_sts import policy_of
from exo_auth.checks.readiness import ReadinessState
from exo_auth.checks.zone import check_mx
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.domain import DomainFacts, MailHost
from exo_auth.facts.partner import PartnerFacts
from exo_auth.facts.starttls import NOT_CONNECTED, SmtpFault, SmtpProbe
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy, matches

ENDS_SOON = timedelta(days=14)
_OF_MX = frozenset(
    {"MX-NULL", "MX-NOADDR", "TRANSIENT", "DNSSEC-BOGUS"}
)  # the rest is the partner's own business


class Verify(StrEnum):
    """What is demanded of a host, from lax to strict; the words of `TlsSettings` of an outbound connector.

    A transport rule with RouteMessageOutboundRequireTls demands encryption, and nothing more.
    """

    ENCRYPTION = "encryption"  # EncryptionOnly: any certificate will do
    CERTIFICATE = "certificate"  # CertificateValidation: valid, and of a known authority
    DOMAIN = "domain"  # DomainValidation: and for the name that the connector gives


@dataclass(frozen=True)
class TlsDemand:
    """What is demanded. `tls_domain` is the certificate's name under DOMAIN, maybe with `*.`; "" for the host's own."""

    verify: Verify = Verify.ENCRYPTION
    tls_domain: str = ""


@dataclass(frozen=True)
class PartnerVerdict:
    """May TLS be forced? READY, BLOCKED by a person's part, or UNKNOWN; `findings` tell everything seen."""

    domain: DomainName
    demand: TlsDemand
    state: ReadinessState
    findings: tuple[Finding, ...] = ()

    @property
    def holding(self) -> tuple[Finding, ...]:
        """The findings that keep the gate closed."""
        return tuple(one for one in self.findings if one.severity in (Severity.FAIL, Severity.UNKNOWN))


def judge_partner(facts: PartnerFacts, demand: TlsDemand, now: datetime) -> PartnerVerdict:
    """Judge the gate before forcing TLS. A defect outranks what could not be looked at; `now` is UTC."""
    findings = check_partner(facts, demand, now)
    severities = {one.severity for one in findings}
    state = ReadinessState.READY
    if Severity.FAIL in severities:
        state = ReadinessState.BLOCKED
    elif Severity.UNKNOWN in severities:
        state = ReadinessState.UNKNOWN
    return PartnerVerdict(facts.domain, demand, state, findings)


def check_partner(facts: PartnerFacts, demand: TlsDemand, now: datetime) -> tuple[Finding, ...]:
    """Judge every host that takes the partner's mail: one that fails is enough, for any may be the one reached."""
    return tuple(_findings(facts, demand, now))


def _findings(facts: PartnerFacts, demand: TlsDemand, now: datetime) -> Iterator[Finding]:
    of_mx = [one for one in check_mx(facts.dns) if one.code in _OF_MX]
    has_way = bool(facts.probes) if facts.is_probed else _has_address(facts.dns)
    yield from (_as_partners(one, has_way=has_way) for one in of_mx)
    if not has_way:
        if not of_mx:
            yield _nobody(facts)
        return
    if facts.probes and all(probe.fault in NOT_CONNECTED for probe in facts.probes):
        yield _blocked(facts)
    else:
        for host in dict.fromkeys(probe.host for probe in facts.probes):
            yield from _host_findings(facts.domain, facts.probes_of(host), demand, now)
    if how := enforced_by(facts.dns):
        yield finding("TLS-ENFORCED-ALREADY", facts.domain, f"{facts.domain} is protected by {how}", seen=how)


def _has_address(facts: DomainFacts) -> bool:
    return any(isinstance(answer, Found) for host in facts.hosts for answer in (host.ipv4, host.ipv6))


def _as_partners(one: Finding, *, has_way: bool) -> Finding:
    """Judge a finding about MX as one who wants to send there: what leaves no way is as bad as can be."""
    if one.severity is Severity.UNKNOWN:
        return one
    return one.as_severe_as(Severity.WARN if has_way else Severity.FAIL)


def _nobody(facts: PartnerFacts) -> Finding:
    failed = [
        answer
        for host in facts.dns.hosts
        for answer in (host.ipv4, host.ipv6)
        if isinstance(answer, LookupFailed)
    ]
    told = finding("TLS-NO-HOST", facts.domain, f"no host takes mail for {facts.domain}")
    return told.as_severe_as(Severity.UNKNOWN) if failed else told


def _blocked(facts: PartnerFacts) -> Finding:
    count = len(facts.probes)
    port = facts.probes[0].port
    return finding(
        "TLS-PORT-BLOCKED",
        facts.domain,
        f"port {port} of {facts.domain}'s hosts cannot be reached from here",
        seen=f"{facts.probes[0].detail}; {count} address{'es' if count != 1 else ''} tried",
        evidence=tuple(map(_evidence, facts.probes)),
    )


def _host_findings(
    domain: DomainName, probes: tuple[SmtpProbe, ...], demand: TlsDemand, now: datetime
) -> Iterator[Finding]:
    decided = [probe for probe in probes if not probe.is_undecided]
    if not decided:
        yield finding(
            "TLS-HOST-UNDECIDED",
            domain,
            f"{probes[0].host} did not show what it does: {probes[0].fault}",
            seen=_seen(probes[0]),
            evidence=tuple(map(_evidence, probes)),
        )
    told: set[tuple[str, str]] = set()
    for probe in decided:
        for one in _probe_findings(domain, probe, demand, now):
            if (one.code, one.message) not in told:  # several addresses of a host mostly do the same
                told.add((one.code, one.message))
                yield one


_FAULTS = {  # code and sentence of what stands in the way of any encryption
    SmtpFault.NO_STARTTLS: ("TLS-STARTTLS-MISSING", "offers no STARTTLS"),
    SmtpFault.STARTTLS_REFUSED: ("TLS-STARTTLS-REFUSED", "offers STARTTLS and does not begin it"),
    SmtpFault.HANDSHAKE: ("TLS-HANDSHAKE", "agrees on no TLS"),
    SmtpFault.PROTOCOL: ("TLS-NOT-SMTP", "does not speak SMTP"),
}


def _probe_findings(
    domain: DomainName, probe: SmtpProbe, demand: TlsDemand, now: datetime
) -> Iterator[Finding]:
    if probe.fault in _FAULTS:
        code, sentence = _FAULTS[probe.fault]
        yield _told(code, domain, probe, sentence)
        return
    validates = demand.verify is not Verify.ENCRYPTION
    if probe.fault is SmtpFault.CERTIFICATE_EXPIRED:
        yield _judged(
            _told("TLS-CERT-EXPIRED", domain, probe, "has a certificate that ran out"), fails=validates
        )
    elif probe.fault is SmtpFault.CERTIFICATE_UNTRUSTED:
        sentence = "has a certificate of no known authority"
        yield _judged(_told("TLS-CERT-UNTRUSTED", domain, probe, sentence), fails=validates)
    elif probe.certificate is not None and probe.certificate.not_after - now < ENDS_SOON:
        yield _told(
            "TLS-CERT-EXPIRY",
            domain,
            probe,
            f"has a certificate until {probe.certificate.not_after:%Y-%m-%d}",
        )
    if not _names_match(probe, demand):
        wanted = demand.tls_domain or probe.host
        named = _told("TLS-CERT-NAME", domain, probe, f"has no certificate for {wanted}")
        yield _judged(named, fails=demand.verify is Verify.DOMAIN)


def _names_match(probe: SmtpProbe, demand: TlsDemand) -> bool:
    """Does the certificate carry the name that counts: the connector's, else that of the host? RFC 9525 §6."""
    if probe.certificate is None:
        return probe.fault is not SmtpFault.CERTIFICATE_NAME  # one that was not seen says nothing
    if demand.verify is not Verify.DOMAIN or not demand.tls_domain:
        return bool(probe.name_matches)
    wanted = demand.tls_domain.lower()
    names = [name.lower() for name in probe.certificate.names]
    if wanted.startswith("*."):  # a name below the domain, or the same wildcard
        return any(name == wanted or matches(wanted, name) for name in names)
    return any(matches(name, wanted) for name in names)


def _judged(one: Finding, *, fails: bool) -> Finding:
    return one.as_severe_as(Severity.FAIL) if fails else one


def _told(code: str, domain: DomainName, probe: SmtpProbe, sentence: str) -> Finding:
    return finding(code, domain, f"{probe.host} {sentence}", seen=_seen(probe), evidence=(_evidence(probe),))


def _seen(probe: SmtpProbe) -> str:
    names = f"; names {', '.join(probe.certificate.names)}" if probe.certificate else ""
    return f"{probe.address}: {probe.detail or probe.tls_version}{names}"


def _evidence(probe: SmtpProbe) -> Evidence:
    outcome = probe.fault.value if probe.fault is not None else "ok"
    values = tuple(filter(None, (probe.banner, probe.tls_version, probe.detail)))
    return Evidence(probe.host, "STARTTLS", outcome, values, f"{probe.address}:{probe.port}")


def enforced_by(facts: DomainFacts) -> str:
    """Say by what senders are made to use TLS with every host of the partner: MTA-STS, DANE, or "" for neither."""
    if facts.mx is not None and facts.hosts and all(_has_dane(facts, host) for host in facts.hosts):
        return "DANE"
    policies = [policy_of(fetch) for fetch in (facts.mta_sts.fetches if facts.mta_sts is not None else ())]
    if policies and all(_protects(policy, facts.hosts) for policy in policies):
        return "MTA-STS in enforce"
    return ""


def _has_dane(facts: DomainFacts, host: MailHost) -> bool:
    # RFC 7672 §2.2: the MX set, the host and its TLSA records are all validated
    signed = isinstance(facts.mx, Found) and facts.mx.authenticated and is_signed(host)
    if not signed or not isinstance(host.tlsa, Found) or not host.tlsa.authenticated:
        return False
    return any(record.usage in USABLE_USAGES for record in host.tlsa.values)


def _protects(policy: object, hosts: tuple[MailHost, ...]) -> bool:
    if not isinstance(policy, MtaStsPolicy) or policy.mode is not Mode.ENFORCE:
        return False
    return all(policy.allows(host.name) for host in hosts)
