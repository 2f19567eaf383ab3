"""Check many domains, one after the other in their order, some dozens under way at a time (run)."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.changes import Baseline
from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.gates import SUBJECTS, Gate, judge_gate
from exo_auth.checks.mta_sts import check_stale_id
from exo_auth.checks.whole import check_domain, subjects_under
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.domain import ALL_SUBJECTS, DomainFacts, Subject
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from exo_auth.checks.domains import ClassifiedDomain
    from exo_auth.checks.tenant import TenantView
    from exo_auth.facts.tenant import TenantFacts
    from exo_auth.lookup.domain_facts import Fetch, Sources
    from exo_auth.lookup.policy_host import PolicyHosts
    from exo_auth.run.gate_look import GateLooker
    from exo_auth.run.session import ReadingSession
    from exo_auth.run.snapshot import Snapshot

IN_FLIGHT = 64  # domains

# Of the initial domain's records all but DMARC are Microsoft's.
OWN_AT_INITIAL = frozenset(
    code
    for code in CATALOGUE
    if code.startswith(("DMARC-", "DKIM-", "CONNECTOR-", "TENANT-")) or code in ("TRANSIENT", "DNSSEC-BOGUS")
)

T = TypeVar("T")
OnReport = Callable[[DomainReport], None]


@dataclass(frozen=True)
class CheckRequest:
    """What is to be looked at, and by whose rules."""

    profile: Profile = Profile.IETF
    subjects: frozenset[Subject] = ALL_SUBJECTS
    gate: Gate | None = None
    baseline: Baseline | None = None  # then only what changed is told
    authoritative: bool = False  # each name server of the zone is asked by itself
    wait: timedelta | None = None  # how long to wait for the gate to open

    @property
    def looked_at(self) -> frozenset[Subject]:
        """The subjects that are asked about: those of the gate where one is named."""
        if self.gate is not None:
            return self.subjects & SUBJECTS[self.gate]
        return subjects_under(self.profile, self.subjects)


Judge = Callable[[DomainFacts], DomainReport]


def read_names(lines: TextIO, source: str) -> Iterator[DomainName]:
    """Read names line by line, the first column of each; raises InputError with the line's number.

    Empty lines and those that begin with # are skipped.
    """
    for number, line in enumerate(lines, start=1):
        word = line.strip().lstrip("\ufeff").split(",")[0].split(";")[0].strip().strip('"')
        if not word or word.startswith("#"):
            continue
        try:
            yield DomainName.parse_lookup(word)
        except InputError as error:
            raise InputError(f"{source}, line {number}: {error.message}", hint=error.hint) from None


def subjects_named(words: Sequence[str]) -> frozenset[Subject]:
    """Read the words of --only; raises InputError that lists those there are."""
    found = set()
    for word in words:
        for part in word.lower().split(","):
            name = part.strip().replace("_", "-").replace("mtasts", "mta-sts").replace("tlsrpt", "tls-rpt")
            if name not in {subject.value for subject in Subject}:
                raise InputError(f"there is no subject “{part.strip()}”", hint=f"one of {', '.join(Subject)}")
            found.add(Subject(name))
    return frozenset(found) or ALL_SUBJECTS


def check_names(
    settings: Settings,
    names: Iterable[DomainName],
    request: CheckRequest,
    on_report: OnReport,
    *,
    now: datetime,
    warn: Callable[[str], None],
    say: Callable[[str], None] = lambda _text: None,
) -> Tally:
    """Check domains by DNS alone; `on_report` hears of each in the order of `names`."""
    run = _Run(settings, request, partial(report_on, request=request, now=now))
    if request.wait is not None:
        return _awaited(run, tuple(names), on_report, say)
    return asyncio.run(_run(run, names, on_report, warn))


def check_tenant(
    session: ReadingSession,
    patterns: Sequence[str],
    request: CheckRequest,
    on_report: OnReport,
    *,
    say: Callable[[str], None],
) -> Tally:
    """Check domains of the tenant: DNS, and what the tenant itself says beside it."""
    from exo_auth.checks.domains import CHECKED_KINDS, classify
    from exo_auth.plan.selection import choose
    from exo_auth.run.observe import observe_connections, observe_tenant

    settings = session.settings
    say("reading accepted domains and DKIM configurations")
    facts = observe_tenant(session)
    if Subject.CONNECTORS in request.looked_at:
        say("reading connectors")
        facts = replace(facts, connections=observe_connections(session))
    domains = classify(facts.accepted_domains, settings.cloud.initial_suffixes)
    chosen = choose(domains, patterns, settings.policy.ignore, settings.tags, CHECKED_KINDS)
    if not patterns:  # its DMARC record is the tenant's to publish
        chosen += tuple(domain.name for domain in domains if domain.accepted.is_initial)
    judge = tenant_judge(settings, facts, domains, request, session.clock.now())
    run = _Run(settings, request, judge, knows_tenant=True)
    if request.wait is not None:
        return _awaited(run, chosen, on_report, say)
    say(f"asking DNS about {len(chosen)} domains")

    def done(report: DomainReport) -> None:
        say(f"{report.domain.unicode} is done")
        on_report(report)

    return asyncio.run(_run(run, chosen, done, session.warn))


def _awaited(
    run: _Run, names: tuple[DomainName, ...], on_report: OnReport, say: Callable[[str], None]
) -> Tally:
    from exo_auth.run.wait import wait_for_gate

    tally = Tally()
    looker = replace(run.looker, everywhere=True)
    unique = tuple(dict.fromkeys(names))
    for report in wait_for_gate(looker, unique, run.request.wait or timedelta(0), say=say):
        baseline = run.request.baseline
        told = report if baseline is None else baseline.changes(report)
        tally.add(told)
        on_report(told)
    return tally


def check_snapshot(
    settings: Settings,
    snapshot: Snapshot,
    patterns: Sequence[str],
    request: CheckRequest,
    on_report: OnReport,
) -> Tally:
    """Judge what a snapshot holds by today's rules; nothing is asked, and `now` is when it was taken."""
    from exo_auth.checks.domains import classify
    from exo_auth.plan.selection import choose_named

    chosen = choose_named(snapshot.domains, patterns)
    judge: Judge = partial(report_on, request=request, now=snapshot.taken_at)
    if snapshot.tenant is not None:
        domains = classify(snapshot.tenant.accepted_domains, settings.cloud.initial_suffixes)
        judge = tenant_judge(settings, snapshot.tenant, domains, request, snapshot.taken_at)
    tally = Tally()
    for report in asyncio.run(_replayed(snapshot, chosen, request, judge)):
        tally.add(report)
        on_report(report)
    return tally


async def _replayed(
    snapshot: Snapshot, chosen: Sequence[DomainName], request: CheckRequest, judge: Judge
) -> list[DomainReport]:
    sources = snapshot.sources(subjects=request.looked_at)
    reports = [judge(facts) async for facts in facts_in_order(sources, chosen)]
    if request.baseline is not None:
        return [request.baseline.changes(report) for report in reports]
    return reports


def tenant_judge(
    settings: Settings,
    facts: TenantFacts,
    domains: Sequence[ClassifiedDomain],
    request: CheckRequest,
    now: datetime,
) -> Judge:
    """Give the judge that knows the tenant's side of each domain."""
    from exo_auth.checks.tenant import TenantView

    kinds = {domain.name: domain for domain in domains}

    def judge(seen: DomainFacts) -> DomainReport:
        domain = kinds[seen.domain]
        view = TenantView(
            domain.accepted,
            facts.dkim_config(seen.domain),
            settings.cloud.spf_include,
            now,
            settings.policy.max_key_age,
            domain.accepted.is_initial,
            facts.connections if Subject.CONNECTORS in request.looked_at else None,
        )
        return report_on(seen, request, now, view)

    return judge


def report_on(
    facts: DomainFacts, request: CheckRequest, now: datetime, view: TenantView | None = None
) -> DomainReport:
    """Judge one domain under the request."""

    def judged(profile: Profile) -> tuple[Finding, ...]:
        findings = check_domain(facts, now, profile=profile, view=view, subjects=request.looked_at)
        if request.baseline is not None:
            findings += check_stale_id(facts, request.baseline.policies.get(facts.domain.ascii))
        if view is not None and view.is_initial:
            return tuple(one for one in findings if one.code in OWN_AT_INITIAL)
        return findings

    findings = judged(request.profile)
    if request.gate is None:
        return DomainReport(facts.domain, findings)
    # What a profile is silent about holds a gate closed all the same.
    holding = findings if request.profile is Profile.IETF else judged(Profile.IETF)
    return DomainReport(facts.domain, findings, judge_gate(facts.domain, request.gate, holding))


def sources_for(
    settings: Settings, request: CheckRequest, *, knows_tenant: bool = False, second: bool = False
) -> Sources:
    """Give the live sources: DNS, and the policy hosts; the second ones ask another server first."""
    from exo_auth.lookup.authorities import Authorities
    from exo_auth.lookup.domain_facts import Sources

    label = f"exo-auth-probe-{secrets.token_hex(6)}"
    resolver = resolver_for(settings, second=second)
    authorities = (
        Authorities(resolver, settings.authority_port, settings.timeouts.dns.total_seconds())
        if request.authoritative
        else None
    )
    return Sources(resolver, _fetching(settings), label, request.looked_at, knows_tenant, authorities)


def _fetching(settings: Settings) -> Fetch:
    """Give the way to fetch policies; most domains have none, so that HTTP and trusted roots are read for the first."""

    @cache
    def hosts() -> PolicyHosts:
        from exo_auth.lookup.policy_host import PolicyHosts

        return PolicyHosts(
            timeout=settings.timeouts.connect.total_seconds(),
            port=settings.policy_port,
            authorities=settings.cloud.ca_file,
        )

    return lambda domain, address: hosts().fetch(domain, address)


@dataclass(frozen=True)
class _Run:
    """What stays the same over all domains of one run."""

    settings: Settings
    request: CheckRequest
    judge: Judge
    knows_tenant: bool = False

    @property
    def looker(self) -> GateLooker:
        from exo_auth.run.gate_look import GateLooker

        return GateLooker(self.settings, self.request, self.judge, self.knows_tenant)

    def sources(self) -> Sources:
        return sources_for(self.settings, self.request, knows_tenant=self.knows_tenant)

    async def changes(self, report: DomainReport) -> DomainReport:
        """Reduce a report to what changed since the baseline, after a second look at other servers."""
        from exo_auth.run.second_look import confirmed_changes

        baseline = self.request.baseline
        if baseline is None:
            return report
        return await confirmed_changes(
            self.settings, self.request, self.judge, baseline, report, knows_tenant=self.knows_tenant
        )


def _collect_less() -> None:
    """Let the garbage collector leave alone what was imported: most of what a check makes is freed by itself."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _run(
    run: _Run, names: Iterable[DomainName], on_report: OnReport, warn: Callable[[str], None]
) -> Tally:
    from exo_auth.lookup.canary import check_resolver

    tally = Tally()
    sources = run.sources()
    _collect_less()
    trouble = asyncio.create_task(check_resolver(sources.resolver))
    said = False
    async for seen in _reports_in_order(run, sources, names):
        report = await run.changes(seen)
        if not said and (trouble.done() or any(f.severity is Severity.UNKNOWN for f in report.findings)):
            said = True
            _warn_of(await trouble, warn)
        tally.add(report)
        on_report(report)
    if not said:
        _warn_of(await trouble, warn)
    return tally


def _warn_of(trouble: str | None, warn: Callable[[str], None]) -> None:
    if trouble:
        warn(f"{trouble}; ask another one with --nameserver")


async def _reports_in_order(
    run: _Run, sources: Sources, names: Iterable[DomainName]
) -> AsyncIterator[DomainReport]:
    if run.request.gate is not None:
        async for report in looked_in_order(run.looker.look, names):
            yield report
        return
    async for facts in facts_in_order(sources, names):
        yield run.judge(facts)


def facts_in_order(sources: Sources, names: Iterable[DomainName]) -> AsyncIterator[DomainFacts]:
    """Give the facts in the order of the names."""
    from exo_auth.lookup.domain_facts import gather_domain_facts

    return looked_in_order(partial(gather_domain_facts, sources), names)


async def looked_in_order(
    look: Callable[[DomainName], Coroutine[Any, Any, T]], names: Iterable[DomainName]
) -> AsyncIterator[T]:
    """Look at each name once, in order; at most IN_FLIGHT domains are asked about or wait for their turn."""
    seen: set[str] = set()
    window: deque[asyncio.Task[T]] = deque()
    try:
        for name in names:
            if name.ascii in seen:
                continue
            seen.add(name.ascii)
            window.append(asyncio.create_task(look(name)))
            if len(window) >= IN_FLIGHT:
                yield await window.popleft()
        while window:
            yield await window.popleft()
    finally:
        for task in window:
            task.cancel()
