"""Transport rules, connectors, DNSSEC and DANE: planned, applied and taken back like everything else (run)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from exo_auth.checks.partner_tls import PartnerVerdict, TlsDemand, Verify
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.mail_flow import (
    CMDLETS,
    DANE_CMDLETS,
    DISABLE_DANE,
    DISABLE_DNSSEC,
    DNSSEC_CMDLETS,
    ENABLE_DANE,
    ENABLE_DNSSEC,
    IN_CMDLETS,
    NEW_IN,
    NEW_OUT,
    NEW_RULE,
    REMOVE_IN,
    REMOVE_OUT,
    REMOVE_RULE,
    RULE_CMDLETS,
    SET_IN,
    SET_OUT,
    SET_RULE,
    feature_state,
    inbound_state,
    outbound_state,
    plan_partner,
    plan_removal,
    rule_state,
    without_rule,
)
from exo_auth.plan.outcome import Outcome
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.plan import Plan, limit_excess
from exo_auth.plan.rule_order import choose_way, weaknesses
from exo_auth.plan.tls_strength import no_weaker
from exo_auth.run.partner import look_at_partner
from exo_auth.run.session import ReadingSession
from exo_auth.run.trades import Trade

if TYPE_CHECKING:
    from exo_auth.exchange.client import ExchangeReader, ExchangeWriter


class MailFlowTrade:
    """Reads and writes rules, connectors and the features of inbound mail."""

    def __init__(self, reader: ExchangeReader, writer: ExchangeWriter | None) -> None:
        self._reader = reader
        self._writer = writer

    def state(self, change: Change) -> Mapping[str, Any]:
        """Look at the object the change is about."""
        name = str(change.parameters.get("Identity", change.parameters.get("Name", "")))
        if change.cmdlet in RULE_CMDLETS:
            return rule_state(_named(self._reader.transport_rules(), name))
        if change.cmdlet in IN_CMDLETS:
            return inbound_state(_named(self._reader.inbound_connectors(), name))
        if change.cmdlet in DNSSEC_CMDLETS:
            return feature_state(self._reader.dnssec_status(change.target, looks_at_dns=False))
        if change.cmdlet in DANE_CMDLETS:
            return feature_state(self._reader.dane_status(change.target))
        return outbound_state(_named(self._reader.outbound_connectors(), name))

    def closed_gate(self, change: Change) -> Outcome | None:  # noqa: ARG002 - probing was part of planning
        """The partner was probed when the plan was made; what moved in the tenant was compared before this."""
        return None

    def send(self, change: Change) -> None:
        """Send the cmdlet; a rule's mode and its being on are separate cmdlets of the service."""
        writer, parameters = self._writer, dict(change.parameters)
        if writer is None:
            raise AssertionError("who only looks sends nothing")
        identity = str(parameters.pop("Identity", ""))
        table: dict[str, Callable[[], object]] = {
            NEW_RULE: lambda: writer.new_transport_rule(parameters),
            SET_RULE: lambda: writer.set_transport_rule(identity, parameters),
            REMOVE_RULE: lambda: writer.remove_transport_rule(identity),
            NEW_OUT: lambda: writer.new_outbound_connector(parameters),
            SET_OUT: lambda: writer.set_outbound_connector(identity, parameters),
            REMOVE_OUT: lambda: writer.remove_outbound_connector(identity),
            NEW_IN: lambda: writer.new_inbound_connector(parameters),
            SET_IN: lambda: writer.set_inbound_connector(identity, parameters),
            REMOVE_IN: lambda: writer.remove_inbound_connector(identity),
            ENABLE_DNSSEC: lambda: writer.enable_dnssec(change.target),
            DISABLE_DNSSEC: lambda: writer.disable_dnssec(change.target),
            ENABLE_DANE: lambda: writer.enable_dane(change.target),
            DISABLE_DANE: lambda: writer.disable_dane(change.target),
        }
        if (
            change.cmdlet == SET_RULE
            and "enabled" in change.after
            and change.after["enabled"] != change.before["enabled"]
        ):
            switch = (
                writer.enable_transport_rule if change.after["enabled"] else writer.disable_transport_rule
            )
            switch(identity)
        if change.cmdlet != SET_RULE or parameters:
            table[change.cmdlet]()


def mail_flow_trades(reader: ExchangeReader, writer: ExchangeWriter | None = None) -> dict[str, Trade]:
    """Give the trade of every cmdlet about mail flow; without a writer it can only look."""
    trade = MailFlowTrade(reader, writer)
    return dict.fromkeys(CMDLETS, trade)


def look_at_mail_flow(session: ReadingSession, wishes: Iterable[PartnerWish]) -> MailFlow:
    """Read what is needed: rules, and the connectors."""
    reader = session.reader
    inbound = reader.inbound_connectors() if any(wish.wants_inbound for wish in wishes) else ()
    return MailFlow(reader.transport_rules(), reader.outbound_connectors(), inbound)


@dataclass(frozen=True)
class ProbeWish:
    """How a partner is looked at before TLS is forced: its hosts are asked at `port`, or its DNS alone."""

    asks_hosts: bool = True
    port: int = 25


@dataclass
class _Parts:
    """What a plan is made of, collected over the partners."""

    changes: list[Change] = field(default_factory=list)
    told: list[Deferral] = field(default_factory=list)
    blockages: list[Blockage] = field(default_factory=list)
    steady: list[DomainName] = field(default_factory=list)

    def take(self, wish: PartnerWish, made: Sequence[Change], held: Sequence[Blockage]) -> None:
        """Add what came of one wish."""
        self.changes += made
        self.blockages += held
        if not made and not held:
            self.steady.append(wish.partner)


def plan_partners(
    session: ReadingSession, wishes: Sequence[PartnerWish], probing: ProbeWish, say: Callable[[str], None]
) -> Plan:
    """Plan TLS with partners. Each is looked at before: forcing TLS on one without it loses mail (RFC 3207 §4)."""
    say("looking at rules and connectors")
    flow = look_at_mail_flow(session, wishes)
    parts = _Parts()
    for given in wishes:
        how, why = (given.how, "") if given.how else choose_way(flow, given)
        wish, kept = no_weaker(flow, replace(given, how=how))
        made, held = plan_partner(flow, wish)
        made = [replace(one, because=f"{one.because} ({why})") for one in made] if why else made
        parts.told += (*kept, *weaknesses(flow, wish))
        if made:
            say(f"looking at {wish.partner.unicode}")
            closed, told = _look_first(session, wish, probing)
            parts.told += told
            made, held = ([], [*held, *closed]) if closed else (made, held)
        parts.take(wish, made, held)
    return _plan(session, parts, "tls rule", len(wishes))


def plan_removals(session: ReadingSession, wishes: Sequence[PartnerWish]) -> Plan:
    """Plan that our rules and connectors for partners go."""
    reader = session.reader
    flow = MailFlow(reader.transport_rules(), reader.outbound_connectors(), reader.inbound_connectors())
    parts = _Parts()
    for wish in wishes:
        made, held = plan_removal(flow, wish)
        parts.take(wish, made, held)
        if any(change.cmdlet == REMOVE_RULE for change in made):
            flow = without_rule(flow, wish.name)  # those below move up before their turn comes
    return _plan(session, parts, "tls rule", len(wishes))


def _plan(session: ReadingSession, parts: _Parts, command: str, considered: int) -> Plan:
    session.clock.hear(session.reader.last_service_clock)
    return Plan(
        TenantRef(
            session.tenant_id,
            session.settings.initial_domain or session.settings.tenant,
            session.settings.cloud.name,
        ),
        session.clock.now(),
        command,
        {},
        tuple(parts.changes),
        tuple(parts.told),
        tuple(parts.blockages),
        tuple(parts.steady),
        considered,
        limit_excess(len(parts.changes), considered, session.settings.limits),
    )


def _look_first(
    session: ReadingSession, wish: PartnerWish, probing: ProbeWish
) -> tuple[list[Blockage], list[Deferral]]:
    """Look at every recipient domain: does its MX lead anywhere, do its hosts do what is to be demanded?"""
    demand = TlsDemand(Verify(wish.verify), wish.tls_domain)
    if not wish.domains and probing.asks_hosts:
        reason = "the rule names no recipient domains: nobody can be asked for TLS first; --no-probe makes it all the same"
        return [Blockage(wish.partner, Verb.CREATE, reason, (), is_unknown=False)], []
    closed: list[Blockage] = []
    told: list[Deferral] = []
    for name in wish.domains:
        verdict = look_at_partner(
            session.settings,
            name,
            port=probing.port,
            from_mx=True,
            demand=demand,
            now=session.clock.now(),
            probes=probing.asks_hosts,
        ).verdict
        if (held := _closed(wish, verdict)) is not None:
            closed.append(held)
        told += [
            Deferral(wish.partner, one.message, None, verb=Verb.REPORT)
            for one in verdict.findings
            if one.code == "TLS-ENFORCED-ALREADY"
        ]
    return closed, told


def _closed(wish: PartnerWish, verdict: PartnerVerdict) -> Blockage | None:
    if verdict.state is ReadinessState.READY:
        return None
    is_unknown = verdict.state is ReadinessState.UNKNOWN
    reason = "forcing TLS would lose mail"
    if any(one.code == "TLS-PORT-BLOCKED" for one in verdict.holding):
        reason = (
            "its hosts cannot be asked for TLS from here, as most clouds and access lines block outgoing port 25: run "
            "`exo-auth tls probe` where it is open, and then give --no-probe here"
        )
    elif is_unknown:
        reason = "TLS with this partner cannot be vouched for"
    return Blockage(wish.partner, Verb.CREATE, reason, verdict.holding, is_unknown=is_unknown)


def plan_features(
    session: ReadingSession,
    domains: Iterable[DomainName],
    decide: Callable[[DomainName], Change | Deferral | Blockage | None],
) -> Plan:
    """Plan DNSSEC or DANE for domains, by what `decide` says is next for each."""
    parts = _Parts()
    names = list(domains)
    for name in names:
        one = decide(name)
        if isinstance(one, Change):
            parts.changes.append(one)
        elif isinstance(one, Deferral):
            parts.told.append(one)
        elif one is not None:
            parts.blockages.append(one)
        else:
            parts.steady.append(name)
    return _plan(session, parts, "dane", len(names))


def _named(objects: Iterable[Any], name: str) -> Any:
    return next((one for one in objects if name in (one.name, one.guid)), None)
