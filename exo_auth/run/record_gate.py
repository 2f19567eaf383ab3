"""Whether a record set may be published now, asked when it is planned and once more right before it is sent (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from exo_auth.checks.dmarc_policy import judge
from exo_auth.checks.gates import SUBJECTS, Gate
from exo_auth.checks.parked import names_no_sender
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, ExoAuthError, RecordSyntaxError
from exo_auth.facts.dns import Found
from exo_auth.facts.domain import MailHost, Subject
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.dependence import blocker
from exo_auth.plan.dmarc_edit import is_stricter
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import OCTODNS
from exo_auth.plan.record_order import (
    Held,
    MxScene,
    hosts_of,
    takes_no_mail,
    why_id_must_wait,
    why_mx_must_wait,
)
from exo_auth.records import dmarc, mta_sts, spf
from exo_auth.records.dmarc import DmarcRecord, Policy
from exo_auth.run.journal import read
from exo_auth.run.journal_place import journals_here
from exo_auth.run.keys_in_use import KeysInUse
from exo_auth.run.policy_records import facts_of, gate_refusal, policy_in_force, served_policy
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.service_clock import utc_now
from exo_auth.run.settings import Settings


@dataclass(frozen=True)
class RecordGate:
    """Knows the order of records; the journals here tell when the id of a policy was changed last."""

    settings: Settings
    clock: Callable[[], datetime] = utc_now
    keys: KeysInUse = field(default_factory=KeysInUse)

    def held(self, change: Change, *, parked: bool = False) -> Held:
        """Say why a set must not be published now, None where it may; what could not be looked at holds it, too.

        A parked domain (its SPF refuses everybody) needs no DKIM before its DMARC record.
        """
        owner, rdtype = str(change.parameters["name"]), str(change.parameters["type"])
        before, after = (tuple(map(str, state["values"])) for state in (change.before, change.after))
        try:
            if rdtype == "CNAME":
                return self.keys.held(change)
            if rdtype == "MX":
                return self._mx(DomainName(owner), before, after)
            if rdtype == "TXT" and _names_senders(before) and not any(map(spf.looks_like, after)):
                return _senders(self.settings, DomainName(owner))
            if rdtype == "TXT" and owner.startswith("_mta-sts."):
                return _id(self.settings, DomainName(owner.removeprefix("_mta-sts.")), before, after)
            if rdtype == "TXT" and owner.startswith("_dmarc.") and not parked:
                return _policy(self.settings, DomainName(owner.removeprefix("_dmarc.")), before, after)
        except ExoAuthError as error:
            reason = f"{error.message}; {error.hint}" if error.hint else error.message
            unknown = isinstance(error, CannotLook)
            return Blockage(change.target, Verb.PUBLISH, reason, (), is_unknown=unknown)
        return None

    def _mx(self, domain: DomainName, before: tuple[str, ...], after: tuple[str, ...]) -> Held:
        old, new = hosts_of(before), hosts_of(after)
        if takes_no_mail(after) or set(new) == set(old) == set():
            return None
        subjects = frozenset({Subject.MX, Subject.MTA_STS, Subject.DANE})
        facts = facts_of(self.settings, domain, subjects)
        is_signed = isinstance(facts.mx, Found) and facts.mx.authenticated
        known = {host.name: host for host in facts.hosts}
        coming = [name for name in new if name not in old]
        looked = asyncio.run(_hosts(self.settings, coming, wants_tlsa=is_signed))
        scene = MxScene(
            domain,
            self.clock(),
            old,
            new,
            policy_in_force(facts),
            self._announced(domain),
            is_signed,
            tuple(known[name] for name in old if name not in new and name in known),
            looked,
        )
        return why_mx_must_wait(scene)

    def _announced(self, domain: DomainName) -> datetime | None:
        """Give when we put another id in the place of one that senders knew."""
        owner, found = f"_mta-sts.{domain.ascii}", None
        for path in journals_here(self.settings):
            intents = set()
            for line in read(path):
                change = line.body.get("change", {})
                if line.event == "intent" and change.get("parameters", {}).get("name") == owner:
                    if any(mta_sts.looks_like(str(value)) for value in change["before"]["values"]):
                        intents.add(line.number)
                elif line.body.get("result") == Result.APPLIED and int(line.body.get("intent", 0)) in intents:
                    found = max(line.service_time, found or line.service_time)
        return found


def hold_out_of_order(plan: Plan, gate: RecordGate, types: frozenset[str]) -> Plan:
    """Take the sets of these types out of a plan that must not be published now; each gets the reason in its place.

    What builds on a change before it in the plan is asked about when it is sent: things are otherwise then.
    """
    changes: list[Change] = []
    deferrals, blockages = list(plan.deferrals), list(plan.blockages)
    for change in plan.changes:
        is_asked = change.cmdlet == OCTODNS and change.parameters["type"] in types
        if is_asked and change.parameters["type"] != "MX" and _waits_for_others(change):
            is_asked = blocker(change, changes) is None
        held = gate.held(change) if is_asked else None
        if isinstance(held, Deferral):
            deferrals.append(held)
        elif isinstance(held, Blockage):
            blockages.append(held)
        else:
            changes.append(change)
    return replace(plan, changes=tuple(changes), deferrals=tuple(deferrals), blockages=tuple(blockages))


def _waits_for_others(change: Change) -> bool:
    """May a set go as soon as signing has ended, or the policy acts no more, in the same plan?"""
    return change.parameters["type"] == "CNAME" or not str(change.parameters["name"]).startswith("_")


async def _hosts(settings: Settings, names: Iterable[str], *, wants_tlsa: bool) -> tuple[MailHost, ...]:
    from exo_auth.lookup.domain_facts import mail_host

    resolver = resolver_for(settings)
    return tuple(await asyncio.gather(*(mail_host(resolver, name, wants_tlsa=wants_tlsa) for name in names)))


def _id(settings: Settings, domain: DomainName, before: tuple[str, ...], after: tuple[str, ...]) -> Held:
    if not any(mta_sts.looks_like(text) and text not in before for text in after):
        return None
    facts = facts_of(settings, domain, frozenset({Subject.MTA_STS}), looks_at_host=True)
    served = served_policy(facts.mta_sts) if facts.mta_sts is not None else None
    return why_id_must_wait(domain, before, after, served)


def _policy(settings: Settings, domain: DomainName, before: tuple[str, ...], after: tuple[str, ...]) -> Held:
    new, old = _dmarc(after), _dmarc(before)
    if new is None or not is_stricter(new, old):
        return None
    facts = facts_of(settings, domain, SUBJECTS[Gate.DMARC_ENFORCE])
    refusal = gate_refusal(facts, Gate.DMARC_ENFORCE)
    return Blockage(domain, Verb.PUBLISH, refusal, (), is_unknown=False) if refusal else None


def _names_senders(values: tuple[str, ...]) -> bool:
    return any(map(spf.looks_like, values)) and not names_no_sender(values)


def _senders(settings: Settings, domain: DomainName) -> Held:
    """An SPF record stays while receivers act by DMARC on what does not pass (RFC 7489 §6.3)."""
    facts = facts_of(settings, domain, frozenset({Subject.DMARC})).dmarc
    if facts is None:
        return None
    if facts.walk.failure:
        raise CannotLook(f"the DMARC policy of {domain} could not be looked up: {facts.walk.failure}")
    policy = judge(facts.walk).policy
    if policy in (None, Policy.NONE):
        return None
    reason = (
        f"{domain} TXT: its DMARC policy is {policy}, and without an SPF record senders would lose mail; "
        "first take the policy back"
    )
    return Blockage(domain, Verb.PUBLISH, reason, (), is_unknown=False)


def _dmarc(values: tuple[str, ...]) -> DmarcRecord | None:
    for text in filter(dmarc.looks_like, values):
        try:
            return dmarc.parse(text)
        except RecordSyntaxError:
            continue
    return None
