"""The steps to inbound DANE and back, as stages of a playbook and as commands of their own (run)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exo_auth.checks.partner_tls import TlsDemand
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, ExoAuthError, PublishError
from exo_auth.plan.change import Blockage, Deferral, Verb
from exo_auth.plan.dane_move import DaneScene, DaneStep, Part, dane_step, needs_step
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy
from exo_auth.run.dane_looks import look_at_dane
from exo_auth.run.partner import look_at_partner
from exo_auth.run.policy_memory import PolicyMemory
from exo_auth.run.policy_records import MtaStsStep, MtaStsWish, next_mta_sts_step
from exo_auth.run.session import ReadingSession

if TYPE_CHECKING:
    from exo_auth.publish.octodns_zones import OctoDnsZones

FORWARD = tuple(DaneStep)[: tuple(DaneStep).index(DaneStep.DANE_OFF)]
BACK = tuple(DaneStep)[tuple(DaneStep).index(DaneStep.DANE_OFF) :]
REQUIRED, OPTIONAL = "required", "optional"  # is a probe of the new host


@dataclass
class DaneLooks:
    """What one plan has seen of domains on their way; each is looked at once."""

    session: ReadingSession
    _scenes: dict[DomainName, DaneScene] = field(default_factory=dict)
    _zones: list[OctoDnsZones] = field(default_factory=list)

    def scene(self, domain: DomainName) -> DaneScene:
        """Give a domain as it was looked at; raises what looking raises."""
        if domain not in self._scenes:
            self._scenes[domain] = look_at_dane(self.session, domain, self.zones)
        return self._scenes[domain]

    @property
    def zones(self) -> OctoDnsZones | None:
        """The zones that octoDNS writes; None where it is not configured."""
        if self.session.settings.octodns_config is None:
            return None
        if not self._zones:
            from exo_auth.run.dns_changes import open_zones

            self._zones.append(open_zones(self.session.settings))
        return self._zones[0]

    def note_policy(self, scene: DaneScene, policy: MtaStsPolicy) -> None:
        """Note that a policy is served and announced, and look at the domain with that in mind from here on."""
        memory = PolicyMemory.of(self.session.settings.state_dir, scene.domain)
        forgotten = memory.stands(policy, scene.now)
        self._scenes[scene.domain] = replace(scene, policy_forgotten=forgotten)

    def part(self, domain: DomainName, step: DaneStep, probe: str = REQUIRED) -> Part:
        """Give what a step needs; a domain that cannot be looked at is held back, and the others go on."""
        try:
            scene = self.scene(domain)
            if step in _ASKING and needs_step(scene, step):
                return _ASKING[step](self, scene, probe)
            return dane_step(scene, step)
        except ExoAuthError as error:
            if not isinstance(error, CannotLook | PublishError):
                raise
            reason = f"{error.message}; {error.hint}" if error.hint else error.message
            return Blockage(domain, Verb.PUBLISH, reason, (), is_unknown=True)


def next_dane_step(session: ReadingSession) -> Callable[[DomainName], Part]:
    """Give what says the next step forward of a domain; None when it has DANE, and it shows."""
    return _first(DaneLooks(session), FORWARD)


def next_dnssec_step(session: ReadingSession) -> Callable[[DomainName], Part]:
    """Give what says the next step to a host in a signed zone, and no further."""
    return _first(DaneLooks(session), (DaneStep.LOWER_TTL, DaneStep.DNSSEC))


def previous_dane_step(session: ReadingSession) -> Callable[[DomainName], Part]:
    """Give what says the next step back of a domain; None when all is off."""
    return _first(DaneLooks(session), BACK)


def _first(looks: DaneLooks, steps: tuple[DaneStep, ...]) -> Callable[[DomainName], Part]:
    def next_part(domain: DomainName) -> Part:
        parts = (looks.part(domain, step) for step in steps)
        return next((part for part in parts if part is not None), None)

    return next_part


def _probe(looks: DaneLooks, scene: DaneScene, probe: str) -> Part:
    """Ask the new host for TLS before it gets mail first. DANE looks at no name in it (RFC 7672 §3.1.1)."""
    settings = looks.session.settings
    verdict = look_at_partner(
        settings,
        scene.new_host,
        port=settings.smtp_port,
        from_mx=False,
        demand=TlsDemand(),
        now=scene.now,
    ).verdict
    if verdict.state is ReadinessState.READY:
        return None
    is_unknown = verdict.state is ReadinessState.UNKNOWN
    if is_unknown and probe == OPTIONAL:
        reason = f"{scene.new_host} could not be asked from here, which was said to be no matter"
        return Deferral(scene.domain, reason, None, verb=Verb.REPORT)
    told = "; ".join(one.message for one in verdict.holding)
    reason = (
        f"{told}. Test {scene.new_host} with the Remote Connectivity Analyzer (https://testconnectivity.microsoft.com), "
        "then give --var probe=optional"
    )
    return Blockage(scene.domain, Verb.PUBLISH, reason, verdict.holding, is_unknown=is_unknown)


def _name_hosts(looks: DaneLooks, scene: DaneScene, _probe: str) -> Part:
    """Let the MTA-STS policy name every host that mail goes to, and the one it goes to next (RFC 8461 §5)."""
    hosts = dict.fromkeys(host for host in (*scene.hosts, scene.new_host, scene.former_host) if host)
    step = _policy_step(looks, scene, None, tuple(hosts))
    if step.step == "done":
        looks.note_policy(scene, step.policy)
    return _announcement(looks, scene, step)


def _swap(looks: DaneLooks, scene: DaneScene, probe: str) -> Part:
    """Move MX when senders know the policy that names both hosts, and none remembers the one before."""
    return _name_hosts(looks, scene, probe) or dane_step(looks.scene(scene.domain), DaneStep.SWAP_MX)


def _back(looks: DaneLooks, scene: DaneScene, probe: str) -> Part:
    """As `_swap`, to the former host."""
    return _name_hosts(looks, scene, probe) or dane_step(looks.scene(scene.domain), DaneStep.MX_BACK)


def _enforce(looks: DaneLooks, scene: DaneScene, _probe: str) -> Part:
    return _announcement(looks, scene, _policy_step(looks, scene, Mode.ENFORCE, scene.hosts))


def _policy_step(looks: DaneLooks, scene: DaneScene, mode: Mode | None, hosts: tuple[str, ...]) -> MtaStsStep:
    """Ask what comes next about the policy; the patterns stay where they name all hosts."""
    wish = MtaStsWish(mode, () if scene.policy_allows.issuperset(hosts) else hosts)
    return next_mta_sts_step(looks.session.settings, scene.domain.ascii, wish)


def _announcement(looks: DaneLooks, scene: DaneScene, step: MtaStsStep) -> Part:
    """File first, then its id, as `mta-sts generate` does it."""
    if step.step == "done":
        return None
    if step.waits_for_file:
        return Deferral(scene.domain, step.reason, None, is_waiting=True, verb=Verb.PUBLISH)
    if looks.zones is None:
        told = step.change.refusal or f"publish {step.change.owner} TXT: {' and '.join(step.change.after)}"
        return Blockage(scene.domain, Verb.PUBLISH, told, (), is_unknown=False)
    from exo_auth.run.dns_changes import planned_change

    return planned_change(looks.zones, scene.domain, step.change)


_ASKING: dict[DaneStep, Callable[[DaneLooks, DaneScene, str], Part]] = {
    DaneStep.POLICY: _name_hosts,
    DaneStep.PROBE: _probe,
    DaneStep.SWAP_MX: _swap,
    DaneStep.ENFORCE: _enforce,
    DaneStep.POLICY_BACK: _name_hosts,
    DaneStep.MX_BACK: _back,
}
