"""A playbook of stages → one plan: each domain goes on to the next stage when it is through the one before (run)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.dmarc_edit import DmarcWish
from exo_auth.plan.plan import Plan, limit_excess
from exo_auth.records.dmarc import Policy
from exo_auth.records.mta_sts_policy import Mode
from exo_auth.run.apply import Look
from exo_auth.run.carry_out import Prepared
from exo_auth.run.durations import parse_duration, render_duration
from exo_auth.run.journal import FILE_NAME, read
from exo_auth.run.observe import Observation, observe
from exo_auth.run.playbook import Playbook, Stage
from exo_auth.run.service_clock import utc_now
from exo_auth.run.session import ReadingSession

OBSERVE = "30d"
ORDER = (Policy.NONE, Policy.QUARANTINE, Policy.REJECT)

Say = Callable[[str], None]


@dataclass
class _Parts:
    """What a plan is made of, collected over the stages; `held` are domains that wait in a stage."""

    changes: list[Change] = field(default_factory=list)
    deferrals: list[Deferral] = field(default_factory=list)
    blockages: list[Blockage] = field(default_factory=list)
    held: dict[DomainName, str] = field(default_factory=dict)

    def take(self, plan: Plan, stage: Stage, names: Iterable[DomainName]) -> None:
        """Add the part of one stage; whoever has something to do in it waits there."""
        self.changes += plan.changes
        self.blockages += plan.blockages
        self.deferrals += plan.deferrals
        waiting = [one.target for one in plan.deferrals if one.is_waiting]
        busy = {*(one.target for one in plan.changes), *(one.target for one in plan.blockages), *waiting}
        for name in names:
            if name in busy:
                self.held.setdefault(name, stage.name)


def plan_playbook(session: ReadingSession, playbook: Playbook, patterns: Sequence[str], say: Say) -> Prepared:
    """Plan every stage for the domains that are through those before it; raises what the planners raise."""
    observation = observe(session, patterns, say)
    scene = observation.scene
    names = tuple(name for name in scene.chosen if not _is_excepted(name, playbook.excepted))
    parts = _Parts()
    for stage in playbook.steps:
        say(f"stage {stage.name}")
        ready = tuple(name for name in names if name not in parts.held)
        plan = _plan_of(session, observation, stage, ready, say)
        parts.take(plan, stage, ready)
    later = [
        Deferral(name, f"the stages after “{stage}” follow when it is through", None, verb=Verb.REPORT)
        for name, stage in parts.held.items()
        if stage != playbook.steps[-1].name
    ]
    targets = {change.target for change in parts.changes}
    plan = Plan(
        scene.tenant.tenant,
        scene.now,
        "playbook",
        scene.policy.as_values(),
        tuple(parts.changes),
        (*parts.deferrals, *later),
        tuple(parts.blockages),
        tuple(name for name in names if name not in parts.held),
        len(names),
        limit_excess(len(targets), len(names), scene.limits),
    )
    return Prepared(plan, Look(scene.tenant, utc_now()), observation, observation.recovery.notes)


def _is_excepted(name: DomainName, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.ascii, pattern.lower()) for pattern in patterns)


def _plan_of(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...], say: Say
) -> Plan:
    scene = replace(observation.scene, chosen=names)
    if stage.do in ("all", "enable", "rotate", "upgrade-keys"):
        return _dkim(session, observation, stage, names)
    if stage.do == "enforce-tls":
        return _partners(session, stage, say)
    if stage.do == "dane":
        from exo_auth.run.dane_steps import next_dane_step
        from exo_auth.run.mail_flow_changes import plan_features

        return plan_features(session, names, next_dane_step)
    if stage.do == "publish-mta-sts":
        return _mta_sts(session, stage, names, scene.now)
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

    return with_publication(plan, open_zones(session.settings), session.settings.limits)


def _partners(session: ReadingSession, stage: Stage, say: Say) -> Plan:
    from exo_auth.plan.mail_flow import PartnerWish
    from exo_auth.run.mail_flow_changes import plan_partners
    from exo_auth.run.partner import demand_of

    verify = stage.value("verify", "encryption")
    demand_of(verify, stage.value("tls_domain"))
    how = "rule" if verify == "encryption" else "connector"
    mode = stage.value("mode", "Audit").capitalize()
    wishes = [
        PartnerWish(DomainName.parse(name), how, mode, verify, stage.value("tls_domain"))
        for name in stage.values.get("partners", ())
    ]
    port = session.settings.smtp_port
    return plan_partners(session, wishes, removes=False, probes=True, port=port, say=say)


def _records(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...]
) -> Plan:
    """Plan the record sets of the domains, to be published through octoDNS."""
    from exo_auth.run.dns_changes import open_zones, plan_publication
    from exo_auth.run.record_export import RecordWish, domain_records

    rua = stage.values.get("rua", ())
    wish = RecordWish(
        DmarcWish(rua=rua),
        stage.values.get("tls_rua", ()),
        stage.value("policy_host"),
        is_parked=stage.do == "park",
    )
    if stage.do == "advance-dmarc":
        return _advance(session, observation, stage, names)
    configs = {config.domain: config for config in observation.scene.tenant.dkim_configs}
    zones = open_zones(session.settings)
    found = domain_records(session.settings, names, configs, wish)
    scene = observation.scene
    return plan_publication(zones, found, scene.limits, scene.now, scene.tenant.tenant)


def _advance(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...]
) -> Plan:
    """Plan one step of DMARC: from none to quarantine, from quarantine to reject, as far as `to` says.

    No step is taken before the last one has been observed for so long (`observe`, 30 days): reports arrive days late, and
    a sender who was overlooked loses mail from the first day on.
    """
    from exo_auth.plan.dmarc_edit import policy_named
    from exo_auth.run.dns_changes import open_zones, plan_publication
    from exo_auth.run.policy_records import generate_dmarc, live_policy
    from exo_auth.run.record_export import DomainRecords

    last = policy_named(stage.value("to", "reject")) or Policy.REJECT
    found = []
    deferrals = []
    window = parse_duration(stage.value("observe", OBSERVE))
    since = _published_since(session)
    for name in names:
        now = live_policy(session.settings, name)
        if now is not None and ORDER.index(now) < ORDER.index(last):
            held = _observed(name, since.get(f"_dmarc.{name.ascii}"), window, observation.scene.now)
            if held is not None:
                deferrals.append(held)
                continue
        step = ORDER[min(ORDER.index(now) + 1, ORDER.index(last))] if now is not None else Policy.NONE
        wish = DmarcWish(max(step, now or Policy.NONE, key=ORDER.index), rua=stage.values.get("rua", ()))
        change = generate_dmarc(session.settings, name.ascii, wish)
        found.append(DomainRecords(name, name, None, (change,), ()))
    scene = observation.scene
    zones = open_zones(session.settings)
    plan = plan_publication(zones, found, scene.limits, scene.now, scene.tenant.tenant)
    return replace(plan, deferrals=(*plan.deferrals, *deferrals))


def _observed(name: DomainName, since: datetime | None, window: timedelta, now: datetime) -> Deferral | None:
    """Hold a stricter policy back until the present one has been watched long enough."""
    if not window:
        return None
    if since is None:
        reason = "nobody here knows since when the DMARC record stands: read its reports, then give observe=0d once"
        return Deferral(name, reason, None, is_waiting=True, verb=Verb.PUBLISH)
    if now < since + window:
        reason = f"the DMARC record is observed for {render_duration(window)} before the policy gets stricter"
        return Deferral(name, reason, since + window, is_waiting=True, verb=Verb.PUBLISH)
    return None


def _published_since(session: ReadingSession) -> dict[str, datetime]:
    """Give when each TXT set was published last by us, by its owner and the service's clock."""
    from exo_auth.run.journal_place import journal_of_dns

    found: dict[str, datetime] = {}
    for path in (session.state / FILE_NAME, journal_of_dns(session.settings)):
        intents: dict[int, str] = {}
        for line in read(path):
            change = line.body.get("change", {})
            if line.event == "intent" and change.get("parameters", {}).get("type") == "TXT":
                intents[line.number] = str(change["parameters"]["name"])
            elif line.event == "result" and line.body.get("result") == "applied":
                owner = intents.get(int(line.body.get("intent", 0)))
                if owner is not None:
                    found[owner] = max(line.service_time, found.get(owner, line.service_time))
    return found


def _mta_sts(session: ReadingSession, stage: Stage, names: tuple[DomainName, ...], now: datetime) -> Plan:
    """Plan the record at `_mta-sts`; the file comes first, and is hosted elsewhere."""
    from exo_auth.facts.tenant import TenantRef
    from exo_auth.run.dns_changes import open_zones, planned_change
    from exo_auth.run.policy_records import MtaStsWish, mode_named, next_mta_sts_step

    zones = open_zones(session.settings)
    mode: Mode | None = mode_named(stage.value("mode")) if stage.value("mode") else None
    parts = _Parts()
    for name in names:
        step = next_mta_sts_step(session.settings, name.ascii, MtaStsWish(mode), now)
        if step.step == "done":
            continue
        if step.waits_for_file:
            parts.deferrals.append(Deferral(name, step.reason, None, is_waiting=True, verb=Verb.PUBLISH))
            continue
        planned = planned_change(zones, name, step.change)
        if isinstance(planned, Change):
            parts.changes.append(planned)
        elif planned is not None:
            parts.blockages.append(planned)
    tenant = TenantRef(session.tenant_id, session.settings.tenant, session.settings.cloud.name)
    return Plan(
        tenant, now, stage.name, {}, tuple(parts.changes), tuple(parts.deferrals), tuple(parts.blockages)
    )
