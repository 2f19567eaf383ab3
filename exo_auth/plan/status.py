"""Where every domain stands, and what comes when: the rows of `dkim status` and `dkim calendar` (plan, pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.readiness import ReadinessState, Step
from exo_auth.domain_name import DomainName
from exo_auth.facts.tenant import DkimSigningConfig
from exo_auth.plan.dkim import ROTATION_WINDOW, RotationPhase, Scene, rotation_due_at, rotation_phase


@dataclass(frozen=True)
class DkimStatusRow:
    """One domain at a glance. Times are UTC."""

    domain: DomainName
    enabled: bool
    status: str  # the tenant's word, "" when it lists no configuration
    phase: str  # a value of RotationPhase
    active_selector: str  # "" when nothing signs
    key_sizes: tuple[int | None, int | None]  # bits of selector1 and selector2
    key_created: datetime | None
    key_age: timedelta | None
    rotate_on: datetime | None  # set while a rotation is pending
    due_at: datetime | None  # when the next rotation is due
    readiness: str  # a value of ReadinessState, for the next step
    note: str = ""


@dataclass(frozen=True)
class CalendarEntry:
    """Something that will happen, or can be done, at a known time."""

    domain: DomainName
    at: datetime
    what: str  # "switch" or "rotation due"
    note: str = ""


def status_rows(scene: Scene) -> tuple[DkimStatusRow, ...]:
    """Describe each chosen domain."""
    return tuple(_status(scene, domain) for domain in scene.chosen)


def calendar(scene: Scene) -> tuple[CalendarEntry, ...]:
    """List switches that are coming and rotations that fall due, earliest first."""
    entries = [entry for domain in scene.chosen for entry in _entries(scene, domain)]
    return tuple(sorted(entries, key=lambda entry: (entry.at, entry.domain)))


def worst_finding(findings: Iterable[Finding]) -> Finding | None:
    """Give the finding that matters most, None when there is none worth a note."""
    ranked = [finding for finding in findings if finding.severity is not Severity.INFO]
    return max(ranked, key=lambda finding: finding.severity.rank, default=None)


def _status(scene: Scene, domain: DomainName) -> DkimStatusRow:
    config = scene.tenant.dkim_config(domain)
    signs = config is not None and config.enabled and config.has_keys
    step = Step.ROTATE if signs else Step.ENABLE
    gate = scene.gate(domain, step)
    phase = rotation_phase(
        config, gate if signs else scene.gate(domain, Step.ROTATE), scene.policy, scene.now
    )
    finding = worst_finding(scene.findings(domain))
    return DkimStatusRow(
        domain=domain,
        enabled=config is not None and config.enabled,
        status=config.status if config else "",
        phase=phase.value,
        active_selector=config.active_selector(scene.now) if config and signs else "",
        key_sizes=config.key_sizes if config else (None, None),
        key_created=config.key_created if config else None,
        key_age=scene.now - config.key_created if config and config.key_created else None,
        rotate_on=config.rotate_on if config and phase is RotationPhase.PENDING else None,
        due_at=rotation_due_at(config, scene.policy) if config and signs else None,
        readiness=gate.state.value,
        note=_note(phase, config, finding),
    )


def _note(phase: RotationPhase, config: DkimSigningConfig | None, finding: Finding | None) -> str:
    if phase is RotationPhase.PENDING and config is not None and config.rotate_on is not None:
        return f"{config.selector_after_rotation} takes over at {config.rotate_on:%Y-%m-%d %H:%MZ}; keep both CNAMEs"
    return f"{finding.code}: {finding.message}" if finding else ""


def _entries(scene: Scene, domain: DomainName) -> Iterable[CalendarEntry]:
    config = scene.tenant.dkim_config(domain)
    if config is None or not config.enabled or not config.has_keys:
        return
    if config.rotate_on is not None and config.rotate_on > scene.now:
        yield CalendarEntry(
            domain,
            config.rotate_on,
            "switch",
            f"{config.selector_after_rotation} takes over from {config.selector_before_rotation}",
        )
    due_at = rotation_due_at(config, scene.policy)
    if due_at is not None:
        held = scene.gate(domain, Step.ROTATE).state
        note = "" if held is ReadinessState.READY else f"the gate is {held.value} today"
        yield CalendarEntry(domain, max(due_at, scene.now), "rotation due", note)
        yield CalendarEntry(
            domain, max(due_at, scene.now) + ROTATION_WINDOW, "switch at the latest", "if rotated then"
        )
