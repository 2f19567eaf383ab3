"""Look at a domain on its way to inbound DANE: at Exchange Online, DNS, the zone's provider, and the journal (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook
from exo_auth.facts.dns import Answer, Found, LookupFailed
from exo_auth.facts.dnssec import DnssecStatus
from exo_auth.facts.domain import DomainFacts, Subject
from exo_auth.plan.change import Change
from exo_auth.plan.dane_move import DaneScene, Exchanger, Moved
from exo_auth.plan.dkim_state import Effect
from exo_auth.plan.mail_flow import DANE_CMDLETS
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan_file import OCTODNS, change_from_document
from exo_auth.plan.record_set import TTL, same_values
from exo_auth.run.journal import FILE_NAME, JournalLine, read
from exo_auth.run.journal_place import journal_of_dns
from exo_auth.run.policy_memory import PolicyMemory
from exo_auth.run.policy_records import policy_in_force
from exo_auth.run.session import ReadingSession

if TYPE_CHECKING:
    from exo_auth.publish.octodns_zones import OctoDnsZones

_SUBJECTS = frozenset({Subject.DNS, Subject.MX, Subject.DANE, Subject.MTA_STS})


def look_at_dane(session: ReadingSession, domain: DomainName, zones: OctoDnsZones | None) -> DaneScene:
    """Look at one domain: two or three requests, and its DNS. Raises CannotLook, or what Exchange or octoDNS raise."""
    status = session.reader.dnssec_status(domain, looks_at_dns=False)
    dane_on = status.is_enabled and session.reader.dane_status(domain).is_enabled
    session.clock.hear(session.reader.last_service_clock)
    facts = _facts(session, domain)
    history = _History(_done(session, domain))
    mx, ttl = _mx(facts)
    home = zones.home_of(domain) if zones is not None else None
    if zones is not None and home is not None:
        mx, ttl = _provided(zones, domain, mx)
    policy = policy_in_force(facts)
    remembered = PolicyMemory.of(session.settings.state_dir, domain)
    new = status.expected_host
    former = (
        history.former_host(new)
        or f"{domain.ascii.replace('.', '-')}.{session.settings.cloud.mx_suffixes[0]}"
    )
    named = {*(host for _, host in mx), new, former}
    return DaneScene(
        domain=domain,
        now=session.clock.now(),
        new_host=new,
        dnssec_on=status.is_enabled,
        dane_on=dane_on,
        zone_signed=isinstance(facts.soa, Found) and facts.soa.authenticated,
        unsigned_because=_unsigned_because(facts.soa),
        mx=mx,
        mx_ttl=ttl,
        writes_dns=home is not None,
        former_host=former,
        moved=history.moved,
        dane_since=history.dane_since,
        policy_mode=policy.mode.value if policy is not None else "",
        policy_forgotten=remembered.forgotten(policy) if policy is not None else None,
        policy_allows=frozenset(
            host for host in named if host and policy is not None and policy.allows(host)
        ),
        tlsa_shows=any(host.name == new and isinstance(host.tlsa, Found) for host in facts.hosts),
        complaint=_complaint(session.reader.dnssec_status(domain)) if dane_on else "",
    )


def _unsigned_because(soa: Answer[Any] | None) -> str:
    if not isinstance(soa, Found) or soa.authenticated or soa.judgement is None:
        return ""
    return soa.judgement.detail


def _facts(session: ReadingSession, domain: DomainName) -> DomainFacts:
    from exo_auth.lookup.domain_facts import gather_domain_facts
    from exo_auth.run.check import CheckRequest, sources_for

    async def ask() -> DomainFacts:
        sources = sources_for(session.settings, CheckRequest(subjects=_SUBJECTS))
        return await gather_domain_facts(sources, domain)

    facts = asyncio.run(ask())
    for what, answer in (
        ("SOA", facts.soa),
        ("MX", facts.mx),
        ("_mta-sts TXT", facts.mta_sts and facts.mta_sts.txt),
    ):
        if isinstance(answer, LookupFailed):
            raise CannotLook(f"{what} of {domain}: {answer.detail}", hint="ask again")
    return facts


def _mx(facts: DomainFacts) -> tuple[tuple[Exchanger, ...], int]:
    if not isinstance(facts.mx, Found):
        return (), TTL
    records = tuple(sorted((mx.preference, mx.host.lower()) for mx in facts.mx.values))
    return records, int(facts.mx.ttl.total_seconds())


def _provided(
    zones: OctoDnsZones, domain: DomainName, seen: tuple[Exchanger, ...]
) -> tuple[tuple[Exchanger, ...], int]:
    """Read the set from who holds the zone; what resolvers still see otherwise is waited for, not built upon."""
    home = zones.home_of(domain)
    live = zones.live(home).get((domain.ascii, "MX")) if home is not None else None
    values = live.values if live is not None else ()
    if not same_values("MX", values, tuple(f"{preference} {host}" for preference, host in seen)):
        shown = ", ".join(host for _, host in seen) or "none"
        raise CannotLook(
            f"DNS shows another MX ({shown}) than the zone's provider has ({', '.join(values) or 'none'})",
            hint="wait until its name servers and the resolver know it",
        )
    return seen, live.ttl if live is not None else TTL


def _complaint(status: DnssecStatus) -> str:
    if status.mx is not None and status.mx.status.lower() != "passed":
        return "; ".join(status.mx.errors) or f"its check of MX says {status.mx.status}"
    parts = [part for part in (status.dns, status.mta_sts) if part is not None]
    return "; ".join((*status.errors, *(error for part in parts for error in part.errors)))


def _done(session: ReadingSession, domain: DomainName) -> list[tuple[Change, datetime]]:
    """Give the changes of a domain's MX and DANE that took effect, from both journals, the older first."""
    paths = (session.state / FILE_NAME, journal_of_dns(session.settings))
    found = [one for path in paths for one in _applied(domain, read(path))]
    return sorted(found, key=lambda one: one[1])


class _History:
    """What our journals tell about one domain's MX and DANE."""

    def __init__(self, done: list[tuple[Change, datetime]]) -> None:
        self._moves = [(change, at) for change, at in done if change.cmdlet == OCTODNS]
        switches = [at for change, at in done if change.cmdlet in DANE_CMDLETS]
        self.dane_since = switches[-1] if switches else None

    @property
    def moved(self) -> Moved | None:
        """When the MX set was published last, and its TTL before."""
        if not self._moves:
            return None
        change, at = self._moves[-1]
        return Moved(at, int(change.before.get("ttl", change.parameters.get("ttl", TTL))))

    def former_host(self, new: str) -> str:
        """Give the first choice that stood before we told the new host; "" where we never did."""
        for change, _ in self._moves:
            before, after = (list(map(str, state["values"])) for state in (change.before, change.after))
            if before and new in _hosts(after) and new not in _hosts(before):
                return _hosts(sorted(before, key=lambda value: int(value.split()[0])))[0]
        return ""


def _hosts(values: list[str]) -> list[str]:
    return [value.split()[-1].lower() for value in values]


def _applied(domain: DomainName, lines: Iterable[JournalLine]) -> Iterator[tuple[Change, datetime]]:
    intents: dict[int, Change] = {}
    for line in lines:
        if line.event == "intent":
            document: dict[str, Any] = line.body["change"]
            if _concerns(document, domain):
                intents[line.number] = change_from_document(document)
        elif line.body.get("result") == Result.APPLIED.value or line.body.get("effect") == Effect.DONE.value:
            change = intents.get(int(line.body.get("intent", 0)))
            if change is not None:
                yield change, line.service_time


def _concerns(document: dict[str, Any], domain: DomainName) -> bool:
    parameters = document.get("parameters", {})
    if document.get("cmdlet") == OCTODNS:
        return bool(parameters.get("type") == "MX" and parameters.get("name") == domain.ascii)
    return bool(document.get("cmdlet") in DANE_CMDLETS and document.get("domain") == domain.ascii)
