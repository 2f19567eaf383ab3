"""What one stage of a playbook wants of its domains, by the kind of stage (run)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from exo_auth.checks.dkim import NEGATIVE_CACHE
from exo_auth.checks.gates import Gate
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.errors import (
    CannotLook,
    ConfigError,
    ExoAuthError,
    PublishError,
    SignInError,
)
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.dmarc_edit import DmarcWish
from exo_auth.plan.plan import Plan
from exo_auth.plan.record_set import Part
from exo_auth.records.mta_sts_policy import Mode
from exo_auth.run.durations import parse_duration
from exo_auth.run.observe import Observation
from exo_auth.run.playbook import Stage
from exo_auth.run.session import ReadingSession
from exo_auth.run.stage_time import Published, hold_while_observed, last_published

if TYPE_CHECKING:
    from exo_auth.run.policy_records import MtaStsStep

Say = Callable[[str], None]


def plan_of_stage(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...], say: Say
) -> Plan:
    """Plan one stage for these domains; a domain that cannot be looked at is a blockage, and the others go on."""
    scene = replace(observation.scene, chosen=names)
    if stage.do in ("all", "enable", "rotate", "upgrade-keys"):
        return _dkim(session, observation, stage, names)
    if stage.do == "enforce-tls":
        return _partners(session, stage, say)
    if stage.do == "dane":
        return _dane(session, stage, names)
    if stage.do == "publish-mta-sts":
        return _mta_sts(session, stage, names, scene.now)
    if stage.do == "advance-mta-sts":
        return _advance_mta_sts(session, stage, names, scene.now)
    if stage.do == "inventory":
        return _inventory(session, observation, stage, names)
    if stage.do == "advance-dmarc":
        from exo_auth.run.dmarc_stage import plan_dmarc_stage

        return plan_dmarc_stage(session, observation, stage, names)
    return _records(session, observation, stage, names)


def _dkim(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...]
) -> Plan:
    from exo_auth.plan.dkim import plan_enable, plan_everything, plan_rotation, plan_upgrade

    planners = {
        "all": plan_everything,
        "enable": plan_enable,
        "rotate": plan_rotation,
        "upgrade-keys": plan_upgrade,
    }
    plan = planners[stage.do](replace(observation.scene, chosen=names))
    if session.settings.octodns_config is None:
        return plan
    from exo_auth.run.dns_changes import open_zones, with_publication

    plan = with_publication(plan, open_zones(session.settings), session.settings.limits)
    return _after_publication(plan, last_published(session), observation.scene.now)


def _after_publication(plan: Plan, published: Mapping[tuple[str, str], Published], now: datetime) -> Plan:
    """Do not enable right after the CNAMEs were published: Exchange has looked before, and remembers the absence."""
    held = []
    for change in plan.changes:
        owners = [f"{selector}._domainkey.{change.target.ascii}" for selector in ("selector1", "selector2")]
        moments = [published[owner, "CNAME"].at for owner in owners if (owner, "CNAME") in published]
        until = max(moments, default=now) + NEGATIVE_CACHE
        if change.verb is Verb.ENABLE and moments and now < until:
            reason = "Exchange Online remembers that the CNAMEs were absent until moments ago"
            held.append(Deferral(change.target, reason, until, is_waiting=True, verb=Verb.ENABLE))
    targets = {one.target for one in held}
    changes = tuple(one for one in plan.changes if one.verb is not Verb.ENABLE or one.target not in targets)
    return replace(plan, changes=changes, deferrals=(*plan.deferrals, *held))


def _dane(session: ReadingSession, stage: Stage, names: tuple[DomainName, ...]) -> Plan:
    """Plan one step of the way to DANE, or without `step` whichever comes next."""
    from exo_auth.plan.dane_move import DaneStep
    from exo_auth.run.dane_steps import next_dane_step
    from exo_auth.run.mail_flow_changes import plan_features

    if not stage.value("step"):
        return plan_features(session, names, next_dane_step(session))
    step, probe = DaneStep(stage.value("step")), stage.value("probe")
    return plan_features(session, names, lambda name: session.dane_looks.part(name, step, probe))


def _partners(session: ReadingSession, stage: Stage, say: Say) -> Plan:
    from exo_auth.plan.partner_wish import PartnerWish
    from exo_auth.run.mail_flow_changes import ProbeWish, plan_partners
    from exo_auth.run.partner import demand_of

    verify, tls_domain = stage.value("verify").lower(), stage.value("tls_domain").lower()
    demand_of(verify, tls_domain)
    keeps = {"terms"} if stage.value("weaken").lower() == "allowed" else {"terms", "mode", "verify"}
    mode = stage.value("mode").capitalize()
    wishes = [
        PartnerWish(DomainName.parse(name), "", mode, verify, tls_domain, keeps=frozenset(keeps))
        for name in stage.values.get("partners", ())
    ]
    return plan_partners(session, wishes, ProbeWish(port=session.settings.smtp_port), say)


def _inventory(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...]
) -> Plan:
    """Change nothing: a domain whose zone cannot be worked with goes no further, and is reported."""
    from exo_auth.run.stage_gates import GateKeeper, waiting_or_held

    verdicts = GateKeeper.of(session, observation).verdicts(names, Gate.ZONE)
    held = [waiting_or_held(one, Verb.REPORT) for one in verdicts if one.state is not ReadinessState.READY]
    return Plan(
        observation.scene.tenant.tenant,
        observation.scene.now,
        stage.name,
        {},
        (),
        tuple(one for one in held if isinstance(one, Deferral)),
        tuple(one for one in held if isinstance(one, Blockage)),
    )


def _records(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...]
) -> Plan:
    """Plan the record sets of the domains, to be published through octoDNS."""
    from exo_auth.run.dns_changes import open_zones, plan_publication
    from exo_auth.run.record_export import DomainRecords, RecordWish, records_or_errors
    from exo_auth.run.record_gate import RecordGate, hold_out_of_order

    wish = RecordWish(
        DmarcWish(rua=stage.values.get("rua", ())),
        stage.values.get("tls_rua", ()),
        stage.value("policy_host"),
        is_parked=stage.do == "park",
        allows_loss=stage.value("loss").lower() == "allow",
        parts=frozenset(Part(word.lower()) for word in stage.values.get("records", tuple(Part))),
    )
    configs = {config.domain: config for config in observation.scene.tenant.dkim_configs}
    zones = open_zones(session.settings)
    parts = records_or_errors(session.settings, names, configs, wish)
    found = [one for one in parts if isinstance(one, DomainRecords)]
    held = [
        trouble(name, one) for name, one in zip(names, parts, strict=True) if isinstance(one, ExoAuthError)
    ]
    scene = observation.scene
    plan = plan_publication(zones, found, scene.limits, scene.now, scene.tenant.tenant)
    plan = replace(plan, blockages=(*plan.blockages, *held))
    return hold_out_of_order(plan, RecordGate(session.settings, session.clock.now), frozenset({"MX"}))


def trouble(name: DomainName, error: ExoAuthError) -> Blockage:
    """Hold back one domain about which something is wrong; raises what is wrong with all of them."""
    if isinstance(error, SignInError | ConfigError):
        raise error
    reason = f"{error.message}; {error.hint}" if error.hint else error.message
    return Blockage(name, Verb.PUBLISH, reason, (), is_unknown=isinstance(error, CannotLook | PublishError))


def _mta_sts(session: ReadingSession, stage: Stage, names: tuple[DomainName, ...], now: datetime) -> Plan:
    """Plan the record at `_mta-sts`; the file comes first, and is hosted elsewhere."""
    from exo_auth.run.policy_records import mode_named

    mode = mode_named(stage.value("mode")) if stage.value("mode") else None
    return _announcements(session, stage, names, now, lambda _name, step: step(mode))


def _advance_mta_sts(
    session: ReadingSession, stage: Stage, names: tuple[DomainName, ...], now: datetime
) -> Plan:
    """Plan one step of MTA-STS: to testing, and to enforce when that was observed for so long (`observe`, 14 days).

    A policy that is in enforce stays there. What is served is announced first, whatever it is: file, then id.
    """
    last = stage.value("to")
    window = parse_duration(stage.value("observe"))
    published = last_published(session)

    def decide(name: DomainName, step: Callable[[Mode | None], MtaStsStep]) -> MtaStsStep | Deferral:
        now_there = step(None)
        is_testing = now_there.step == "done" and now_there.policy.mode is Mode.TESTING
        if not is_testing or last != Mode.ENFORCE.value:
            return now_there
        record = published.get((f"_mta-sts.{name.ascii}", "TXT"))
        since = record.at if record is not None else None
        return hold_while_observed(name, "MTA-STS policy in testing", since, window, now) or step(
            Mode.ENFORCE
        )

    if last == Mode.NONE.value:
        names = ()
    return _announcements(session, stage, names, now, decide)


def _announcements(
    session: ReadingSession,
    stage: Stage,
    names: tuple[DomainName, ...],
    now: datetime,
    decide: Callable[[DomainName, Callable[[Mode | None], MtaStsStep]], MtaStsStep | Deferral],
) -> Plan:
    """Plan the records at `_mta-sts` by what `decide` says of each domain, which it may ask what a mode needs."""
    from exo_auth.facts.tenant import TenantRef
    from exo_auth.run.dns_changes import open_zones, planned_or_held
    from exo_auth.run.policy_records import MtaStsWish, next_mta_sts_step

    zones = open_zones(session.settings)
    parts: list[Change | Blockage | Deferral | None] = []
    for name in names:

        def ask(mode: Mode | None, name: DomainName = name) -> MtaStsStep:
            return next_mta_sts_step(session.settings, name.ascii, MtaStsWish(mode))

        try:
            step = decide(name, ask)
        except ExoAuthError as error:
            parts.append(trouble(name, error))
            continue
        if isinstance(step, Deferral):
            parts.append(step)
        elif step.waits_for_file:
            mode = step.policy.mode.value
            told = f"{step.reason}; `exo-auth mta-sts generate {name.ascii} --mode {mode}` prints it"
            parts.append(Deferral(name, told, None, is_waiting=True, verb=Verb.PUBLISH))
        elif step.step != "done":
            parts.append(planned_or_held(zones, name, step.change))
    tenant = TenantRef(session.tenant_id, session.settings.tenant, session.settings.cloud.name)
    return Plan(
        tenant,
        now,
        stage.name,
        {},
        tuple(one for one in parts if isinstance(one, Change)),
        tuple(one for one in parts if isinstance(one, Deferral)),
        tuple(one for one in parts if isinstance(one, Blockage)),
    )
