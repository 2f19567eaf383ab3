"""Which DKIM change is due for which domain, and which must wait (plan, pure).

Every planner takes the same `Scene` and gives a `Plan`. A domain ends up in exactly one place: a change, a deferral
(nothing to do now), a blockage (due, but held by findings), or steady.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from exo_auth.checks import dkim as dkim_checks
from exo_auth.checks.dkim import DkimFacts
from exo_auth.checks.finding import Finding
from exo_auth.checks.readiness import Readiness, ReadinessState, Step, readiness
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import MailDns
from exo_auth.facts.tenant import DkimSigningConfig, TenantFacts
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.dkim_state import snapshot_of
from exo_auth.plan.limits import Limits
from exo_auth.plan.plan import Plan, limit_excess

ROTATION_WINDOW = timedelta(hours=96)  # from Rotate-DkimSigningConfig until the new key signs


@dataclass(frozen=True)
class DkimPolicy:
    """When a key is due. `min_gap` protects mail in transit: the old key stays until the next rotation."""

    max_key_age: timedelta = timedelta(days=180)
    key_size: int = 2048  # bits of keys to come
    min_gap: timedelta = timedelta(days=7)  # from a switch to the next rotation

    def as_values(self) -> dict[str, object]:
        """The settings as plain JSON values, for a plan's digest."""
        return {
            "max_key_age_seconds": int(self.max_key_age.total_seconds()),
            "key_size": self.key_size,
            "min_gap_seconds": int(self.min_gap.total_seconds()),
        }


@dataclass(frozen=True)
class Scene:
    """What a planner looks at: the tenant, the chosen domains with their DNS, and the service's clock.

    `in_flight` names domains whose last write may still be taking effect, with the moment it is safe to look
    again: they are deferred.
    """

    tenant: TenantFacts
    chosen: tuple[DomainName, ...]
    dns: Mapping[DomainName, MailDns]
    now: datetime
    policy: DkimPolicy = DkimPolicy()
    limits: Limits = field(default_factory=Limits)
    in_flight: Mapping[DomainName, datetime] = field(default_factory=dict)

    def facts(self, domain: DomainName) -> DkimFacts:
        """Bring together what is known of one domain."""
        accepted = self.tenant.accepted(domain)
        return DkimFacts(
            domain,
            self.tenant.dkim_config(domain),
            self.dns[domain],
            self.now,
            is_initial=accepted is not None and accepted.is_initial,
        )

    def findings(self, domain: DomainName) -> tuple[Finding, ...]:
        """Judge one domain."""
        return dkim_checks.check(self.facts(domain))

    def gate(self, domain: DomainName, step: Step) -> Readiness:
        """Judge the gate before one step for one domain."""
        return readiness(domain, step, self.findings(domain))


class RotationPhase(StrEnum):
    """Where a domain stands in the life of its keys."""

    OFF = "off"  # no keys, or signing is switched off
    STEADY = "steady"
    PENDING = "pending"  # rotated; the switch is still to come
    DUE = "due"
    BLOCKED = "blocked"  # due, and the gate is closed
    STUCK = "stuck"  # the last switch did not come through


def rotation_phase(
    config: DkimSigningConfig | None, gate: Readiness, policy: DkimPolicy, now: datetime
) -> RotationPhase:
    """Judge where a domain stands; `gate` is the one before ROTATE."""
    if config is None or not config.has_keys or not config.enabled:
        return RotationPhase.OFF
    if config.rotate_on is not None and now < config.rotate_on:
        return RotationPhase.PENDING
    if any(finding.code == "DKIM-ROTATION-STUCK" for finding in gate.findings):
        return RotationPhase.STUCK
    due_at = rotation_due_at(config, policy)
    if due_at is not None and now < due_at:
        return RotationPhase.STEADY
    return RotationPhase.DUE if gate.state is ReadinessState.READY else RotationPhase.BLOCKED


def rotation_due_at(config: DkimSigningConfig, policy: DkimPolicy) -> datetime | None:
    """Give the moment from which the next rotation is due; None when the tenant does not say the key's age."""
    if config.key_created is None or config.rotate_on is None:
        return None
    earliest = config.key_created + policy.max_key_age
    if (
        config.rotate_on > config.key_created
    ):  # there was a rotation: its old key must outlive mail in transit
        earliest = max(earliest, config.rotate_on + policy.min_gap)
    return earliest


Decision = Change | Deferral | Blockage | None


def plan_rotation(scene: Scene) -> Plan:
    """Rotate what is due."""
    return _make_plan(scene, "dkim rotate", rotate_one)


def plan_enable(scene: Scene) -> Plan:
    """Switch signing on, creating keys where there are none."""
    return _make_plan(scene, "dkim enable", enable_one)


def plan_disable(scene: Scene) -> Plan:
    """Switch signing off."""
    return _make_plan(scene, "dkim disable", disable_one)


def plan_upgrade(scene: Scene) -> Plan:
    """Rotate away from keys shorter than the policy's size: two rotations, one for each selector."""
    return _make_plan(scene, "dkim upgrade-keys", upgrade_one)


def plan_everything(scene: Scene) -> Plan:
    """Do for each domain the next step it needs: create, enable, upgrade, or rotate."""
    return _make_plan(scene, "plan", _next_step)


def rotate_one(scene: Scene, domain: DomainName) -> Decision:
    """Decide about the rotation of one domain."""
    config = scene.tenant.dkim_config(domain)
    gate = scene.gate(domain, Step.ROTATE)
    phase = rotation_phase(config, gate, scene.policy, scene.now)
    if config is None or phase is RotationPhase.OFF:
        return Deferral(domain, "signing is not switched on: there is nothing to rotate", None)
    if phase is RotationPhase.PENDING:
        return _pending(domain, config)
    if phase is RotationPhase.STEADY:
        return None
    if phase is not RotationPhase.DUE:
        return _held(gate, Verb.ROTATE, "a rotation is due")
    age = scene.now - config.key_created if config.key_created else timedelta(0)
    return _rotation(
        scene, config, f"the key is {age.days} days old (limit {scene.policy.max_key_age.days} days)"
    )


def upgrade_one(scene: Scene, domain: DomainName) -> Decision:
    """Decide about the next rotation on the way to longer keys for one domain."""
    config = scene.tenant.dkim_config(domain)
    if config is None or not config.has_keys or not config.enabled:
        return Deferral(domain, "signing is not switched on: there is nothing to upgrade", None)
    if config.rotate_on is not None and scene.now < config.rotate_on:
        return _pending(domain, config)
    short = [
        f"{key.selector} has {key.key_size} bits"
        for key in (config.selector1, config.selector2)
        if key.key_size is not None and key.key_size < scene.policy.key_size
    ]
    if not short:
        return None
    gap_ends = (config.rotate_on or scene.now) + scene.policy.min_gap
    if config.key_created is not None and config.rotate_on != config.key_created and scene.now < gap_ends:
        return Deferral(
            domain,
            f"the second rotation waits for mail in transit ({scene.policy.min_gap.days} days after the switch)",
            gap_ends,
            is_waiting=True,
        )
    gate = scene.gate(domain, Step.ROTATE)
    if gate.state is not ReadinessState.READY:
        return _held(gate, Verb.ROTATE, "an upgrade is due")
    return _rotation(scene, config, " and ".join(short) + f"; wanted are {scene.policy.key_size}")


def enable_one(scene: Scene, domain: DomainName) -> Decision:
    """Decide about switching one domain on."""
    config = scene.tenant.dkim_config(domain)
    accepted = scene.tenant.accepted(domain)
    is_initial = accepted is not None and accepted.is_initial
    if config is not None and config.enabled:
        return None
    if not is_initial and config is None:
        return _creation(scene, domain)
    gate = scene.gate(domain, Step.ENABLE)
    has_keys = config is not None and config.has_keys
    if is_initial or not has_keys or gate.state is ReadinessState.READY:
        # A row without keys gets them by Set: New would meet the row that is there.
        because = "both CNAMEs are live" if has_keys else "the tenant lists it without keys; this makes them"
        return Change(
            Verb.ENABLE,
            domain,
            before=snapshot_of(config),
            after={"enabled": True},
            because="Microsoft runs the zone" if is_initial else because,
            cmdlet="Set-DkimSigningConfig",
            parameters={"Enabled": True},
            undo=f"exo-auth dkim disable -d {domain}",
        )
    return _held(gate, Verb.ENABLE, "signing is switched off")


def disable_one(scene: Scene, domain: DomainName) -> Decision:
    """Decide about switching one domain off."""
    config = scene.tenant.dkim_config(domain)
    if config is None or not config.enabled:
        return None
    gate = scene.gate(domain, Step.DISABLE)
    if gate.state is not ReadinessState.READY:
        return _held(gate, Verb.DISABLE, "signing is switched on")
    return Change(
        Verb.DISABLE,
        domain,
        before=snapshot_of(config),
        after={"enabled": False},
        because="asked for; mail will be signed as the initial domain only",
        cmdlet="Set-DkimSigningConfig",
        parameters={"Enabled": False},
        undo=f"exo-auth dkim enable -d {domain}",
    )


def _next_step(scene: Scene, domain: DomainName) -> Decision:
    config = scene.tenant.dkim_config(domain)
    accepted = scene.tenant.accepted(domain)
    if (config is None or not config.enabled) and not (accepted is not None and accepted.is_initial):
        return enable_one(scene, domain)
    return upgrade_one(scene, domain) or rotate_one(scene, domain)


def _creation(scene: Scene, domain: DomainName) -> Change:
    return Change(
        Verb.CREATE,
        domain,
        before=snapshot_of(None),
        after={"listed": True, "has_keys": True, "enabled": False, "key_size": scene.policy.key_size},
        because="the tenant has no keys for it; the CNAMEs to publish are known afterwards",
        cmdlet="New-DkimSigningConfig",
        parameters={"KeySize": scene.policy.key_size, "Enabled": False},
        undo="not needed: a configuration that is off changes no mail",
    )


def _rotation(scene: Scene, config: DkimSigningConfig, because: str) -> Change:
    active = config.active_selector(scene.now)
    coming = config.inactive_selector(scene.now)
    return Change(
        Verb.ROTATE,
        config.domain,
        before=snapshot_of(config),
        after={
            "enabled": True,
            "selector_before_rotation": active,
            "selector_after_rotation": coming,
            f"{coming}_key_size": scene.policy.key_size,
        },
        because=f"{because}; {coming} takes over from {active} after {_hours(ROTATION_WINDOW)} hours",
        cmdlet="Rotate-DkimSigningConfig",
        parameters={"KeySize": scene.policy.key_size},
        undo="not reversible; the old key stays valid until the next rotation",
    )


def _pending(domain: DomainName, config: DkimSigningConfig) -> Deferral:
    return Deferral(
        domain,
        f"a rotation is pending: {config.selector_after_rotation} takes over from {config.selector_before_rotation}",
        config.rotate_on,
    )


def _held(gate: Readiness, verb: Verb, what: str) -> Deferral | Blockage:
    reasons = "; ".join(finding.message for finding in gate.findings)
    if gate.state is ReadinessState.WAITING:
        return Deferral(gate.domain, f"{what}, but {reasons}", gate.not_before, is_waiting=True, verb=verb)
    return Blockage(
        gate.domain,
        verb,
        f"{what}, but {reasons}",
        gate.findings,
        is_unknown=gate.state is ReadinessState.UNKNOWN,
    )


def _make_plan(scene: Scene, command: str, decide: Callable[[Scene, DomainName], Decision]) -> Plan:
    changes: list[Change] = []
    deferrals: list[Deferral] = []
    blockages: list[Blockage] = []
    steady: list[DomainName] = []
    for domain in sorted(set(scene.chosen)):
        decision = _in_flight(scene, domain) or decide(scene, domain)
        if isinstance(decision, Change):
            changes.append(decision)
        elif isinstance(decision, Deferral):
            deferrals.append(decision)
        elif isinstance(decision, Blockage):
            blockages.append(decision)
        else:
            steady.append(domain)
    return Plan(
        tenant=scene.tenant.tenant,
        made_at=scene.now,
        command=command,
        policy=scene.policy.as_values(),
        changes=tuple(changes),
        deferrals=tuple(deferrals),
        blockages=tuple(blockages),
        steady=tuple(steady),
        considered=len(set(scene.chosen)),
        exceeds_limit=limit_excess(len(changes), len(set(scene.chosen)), scene.limits),
    )


def _in_flight(scene: Scene, domain: DomainName) -> Deferral | None:
    until = scene.in_flight.get(domain)
    if until is None:
        return None
    return Deferral(
        domain,
        "an earlier run sent a change whose end is not known yet; it may still take effect",
        until,
        is_waiting=True,
    )


def _hours(span: timedelta) -> int:
    return int(span.total_seconds() // 3600)
