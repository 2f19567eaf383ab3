"""Transport rules, connectors, DNSSEC and DANE: planned, applied and taken back like everything else (run)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exo_auth.checks.partner_tls import PartnerVerdict, TlsDemand
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change, Verb
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
    MailFlow,
    PartnerWish,
    feature_state,
    inbound_state,
    outbound_state,
    plan_partner,
    plan_removal,
    rule_state,
)
from exo_auth.plan.outcome import Outcome
from exo_auth.plan.plan import Plan, limit_excess
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


def look_at_mail_flow(session: ReadingSession, wish: PartnerWish) -> MailFlow:
    """Read what is needed: rules, and the connectors."""
    reader = session.reader
    inbound = reader.inbound_connectors() if wish.inbound_certificate else ()
    return MailFlow(reader.transport_rules(), reader.outbound_connectors(), inbound)


def plan_partners(
    session: ReadingSession,
    wishes: Sequence[PartnerWish],
    *,
    removes: bool,
    probes: bool,
    port: int,
    say: Callable[[str], None],
) -> Plan:
    """Plan TLS with partners. Each is probed before: forcing TLS on one without it loses mail (RFC 3207 §4)."""
    changes: list[Change] = []
    blockages: list[Blockage] = []
    steady: list[DomainName] = []
    for wish in wishes:
        say(f"looking at rules and connectors for {wish.partner.unicode}")
        flow = look_at_mail_flow(session, wish)
        made, held = (plan_removal if removes else plan_partner)(flow, wish)
        if made and probes and not removes:
            say(f"probing {wish.partner.unicode}")
            held += _not_ready(session, wish, port)
            made = [] if held else made
        changes += made
        blockages += held
        if not made and not held:
            steady.append(wish.partner)
    now = session.clock.now()
    return Plan(
        TenantRef(
            session.tenant_id,
            session.settings.initial_domain or session.settings.tenant,
            session.settings.cloud.name,
        ),
        now,
        "tls rule",
        {},
        tuple(changes),
        (),
        tuple(blockages),
        tuple(steady),
        len(wishes),
        limit_excess(len(changes), len(wishes), session.settings.limits),
    )


def _not_ready(session: ReadingSession, wish: PartnerWish, port: int) -> list[Blockage]:
    from exo_auth.checks.partner_tls import Verify

    demand = TlsDemand(Verify(wish.verify), wish.tls_domain)
    now = session.clock.now()
    verdict: PartnerVerdict = look_at_partner(
        session.settings, wish.partner.ascii, port=port, from_mx=True, demand=demand, now=now
    ).verdict
    if verdict.state is ReadinessState.READY:
        return []
    is_unknown = verdict.state is ReadinessState.UNKNOWN
    reason = "TLS with this partner cannot be vouched for" if is_unknown else "forcing TLS would lose mail"
    return [Blockage(wish.partner, Verb.CREATE, reason, verdict.holding, is_unknown=is_unknown)]


def plan_features(
    session: ReadingSession,
    domains: Iterable[DomainName],
    decide: Callable[[ReadingSession, DomainName], Change | Blockage | None],
) -> Plan:
    """Plan DNSSEC or DANE for domains."""
    names = list(domains)
    found = [(name, decide(session, name)) for name in names]
    changes = tuple(one for _, one in found if isinstance(one, Change))
    return Plan(
        TenantRef(
            session.tenant_id,
            session.settings.initial_domain or session.settings.tenant,
            session.settings.cloud.name,
        ),
        session.clock.now(),
        "dane",
        {},
        changes,
        (),
        tuple(one for _, one in found if isinstance(one, Blockage)),
        tuple(name for name, one in found if one is None),
        len(names),
        limit_excess(len(changes), len(names), session.settings.limits),
    )


def _named(objects: Iterable[Any], name: str) -> Any:
    return next((one for one in objects if name in (one.name, one.guid)), None)


__all__ = ["MailFlowTrade", "look_at_mail_flow", "mail_flow_trades", "plan_features", "plan_partners"]
