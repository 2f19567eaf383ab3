"""`SandboxTenant`: accepted domains and the DKIM state machine of Exchange Online (sandbox).

(no row) ─New(off)─▶ keys, off, CnameMissing ─Set(on), CNAMEs seen─▶ on, Valid ─Rotate─▶ window of 96 h ─▶ on, Valid
                               │  ▲
                               └──┘ Set(on), CNAMEs not seen: refused, and remembered for a while
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.dkim_state import OTHER, WINDOW, DkimState, DomainSpec
from exo_auth.sandbox.dnssec import MxOf
from exo_auth.sandbox.keys import key_text, new_key
from exo_auth.sandbox.mail_flow import MailFlow
from exo_auth.sandbox.refusal import EXISTS, VALIDATION, Refused, not_found
from exo_auth.sandbox.switches import Switches

SELECTORS = ("selector1", "selector2")
LOOKS_EVERY = timedelta(minutes=15)  # LastChecked moves no more often, unless what is seen changed


class SandboxTenant:
    """One tenant. `cname_of` looks into the sandbox's DNS: lower-case owner → lower-case target, or None.

    `mx_of` does so for MX records: preference and host of each. `mail_flow` holds rules, connectors and DNSSEC.
    """

    def __init__(
        self,
        tenant_id: str,
        initial_domain: str,
        domains: tuple[DomainSpec, ...],
        clock: SandboxClock,
        switches: Switches,
        cname_of: Callable[[str], str | None],
        mx_of: MxOf = lambda _domain: (),
    ) -> None:
        self.tenant_id = tenant_id
        self.initial_domain = initial_domain
        self.switches = switches
        self._clock = clock
        self._cname_of = cname_of
        self._lock = threading.RLock()
        self._specs = {spec.name.lower(): spec for spec in domains}
        self._states: dict[str, DkimState] = {}
        self.mail_flow = MailFlow(initial_domain, clock, switches, self.spec, mx_of)
        self._places = {
            target.lower(): (name, selector)
            for name in self._specs
            for selector, target in zip(SELECTORS, self.targets(name), strict=True)
        }
        self._former: tuple[datetime, dict[str, DkimState]] | None = (
            None  # what late reads still see, until when
        )
        for spec in domains:
            if spec.listed and not spec.initial:
                self._states[spec.name.lower()] = self._first_state(spec)

    # What is there

    @property
    def specs(self) -> tuple[DomainSpec, ...]:
        """The accepted domains."""
        return tuple(self._specs.values())

    def spec(self, domain: str) -> DomainSpec | None:
        """Give the accepted domain of that name."""
        return self._specs.get(domain.lower())

    def states(self) -> dict[str, DkimState]:
        """Give the states that reads see now, by domain; they lag behind writes while a lag is set."""
        with self._lock:
            self._tick()
            now = self._clock.now()
            if self._former is not None and now < self._former[0]:
                return _copies(self._former[1])
            return _copies(self._states)

    def without_keys(self) -> tuple[DomainSpec, ...]:
        """Give the domains that are listed although they have no keys."""
        if self.switches.domain_without_keys != "listed":
            return ()
        with self._lock:
            return tuple(
                s for s in self._specs.values() if not s.initial and s.name.lower() not in self._states
            )

    def targets(self, domain: str) -> tuple[str, str]:
        """Name the CNAME targets of both selectors, in the case the service writes them."""
        spec = self._specs[domain.lower()]
        dashed = spec.name.replace(".", "-") + spec.suffix
        prefix = self.initial_domain.split(".", 1)[0]
        if spec.new_target_form:
            end = f"{prefix.capitalize()}.{spec.letter}-v1.dkim.mail.microsoft"
        else:
            end = self.initial_domain
        first, second = (f"{selector}-{dashed}._domainkey.{end}" for selector in SELECTORS)
        return first, second

    def all_targets(self) -> tuple[str, ...]:
        """Name every place at which keys of this tenant may ever be published."""
        return tuple(self._places)

    def published_key(self, name: str) -> str | None:
        """Give the TXT record Microsoft publishes at a lower-case name; a rotation shows at once."""
        place = self._places.get(name)
        if place is None:
            return None
        domain, selector = place
        with self._lock:
            state = self._states.get(domain)
            return key_text(state.keys[selector]) if state is not None else None

    def rotations(self, domain: str) -> int:
        """Count the rotations this sandbox carried out for a domain."""
        with self._lock:
            state = self._states.get(domain.lower())
            return state.rotations if state else 0

    def signing_selector(self, domain: str) -> str:
        """Name the selector that signs now; raises KeyError for a domain without keys."""
        with self._lock:
            return self._states[domain.lower()].active(self._clock.now())

    # What cmdlets do

    def new_config(self, domain: str, *, enabled: bool, key_size: int) -> list[str]:
        """New-DkimSigningConfig; gives warnings; raises Refused."""
        with self._lock:
            spec = self._specs.get(domain.lower())
            refused_initial = spec is not None and spec.initial and self.switches.hidden_initial_new_refused
            if spec is None or refused_initial:
                raise Refused(
                    VALIDATION,
                    f'Invalid domain name specified "{domain}". Please specify tenant name or valid accepted domain.',
                )
            if domain.lower() in self._states:
                raise Refused(EXISTS, f"The object '{domain}' already exists.")
            if enabled and not self._sees_cnames(spec) and not self.switches.new_enabled_warns:
                raise self._cname_refusal(spec)
            self._states[domain.lower()] = self._new_state((key_size, key_size))
            if not enabled:
                return []
            if self._sees_cnames(spec):
                self._switch_on(domain)
                return []
            return [self._cname_refusal(spec).text]

    def set_config(self, domain: str, values: dict[str, Any]) -> None:
        """Set-DkimSigningConfig; raises Refused."""
        with self._lock:
            spec = self._specs.get(domain.lower())
            state = self._states.get(domain.lower())
            if state is None and spec is not None and spec.initial and values.get("Enabled"):
                state = self._states[domain.lower()] = self._new_state((2048, 2048))
            if state is None and spec is not None and self.switches.domain_without_keys == "listed":
                state = self._states[domain.lower()] = self._new_state((2048, 2048))
            if state is None or spec is None:
                raise not_found(domain)
            if values.get("Enabled") is True:
                self._enable(domain, spec, state)
            elif values.get("Enabled") is False:
                state.enabled = False
            for name in ("AdminDisplayName", "BodyCanonicalization", "HeaderCanonicalization"):
                if name in values:
                    state.extra[name] = values[name]
            state.changed = self._clock.now()

    def rotate(self, domain: str, key_size: int | None) -> None:
        """Rotate-DkimSigningConfig; raises Refused."""
        with self._lock:
            state = self._states.get(domain.lower())
            if state is None:
                raise not_found(domain)
            now = self._clock.now()
            if not state.enabled or state.status == "NoDKIMKeys":
                raise Refused(
                    VALIDATION, f"The DKIM signing policy for {domain} is not enabled."
                )  # guessed text
            if now < state.rotate_on and self.switches.rotation_in_window == "refused":
                raise Refused(  # guessed text
                    VALIDATION,
                    f"The keys of {domain} are being rotated already; the switch is at {state.rotate_on:%c}.",
                )
            active = state.active(now)
            coming = OTHER[active]
            state.before, state.after = active, coming
            state.sizes[coming] = key_size or state.sizes[coming]
            state.keys[coming] = new_key(state.sizes[coming])
            state.created = state.changed = now
            state.rotate_on = now + WINDOW
            state.rotations += 1

    def remove_config(self, domain: str) -> None:
        """Remove-DkimSigningConfig; raises Refused."""
        with self._lock:
            if self._states.pop(domain.lower(), None) is None:
                raise not_found(domain)

    def hold_reads(self, span: timedelta) -> None:
        """Let reads see what is there now until `span` of the sandbox's time is over."""
        with self._lock:
            self._former = (self._clock.now() + span, _copies(self._states))
            self.mail_flow.hold_reads(self._former[0])

    # Keeping

    def to_state(self) -> dict[str, Any]:
        """Give everything that changes as plain JSON values."""
        with self._lock:
            return {domain: state.to_state() for domain, state in self._states.items()}

    def load_state(self, values: dict[str, Any]) -> None:
        """Take back what `to_state` gave."""
        with self._lock:
            self._states = {domain: DkimState.from_state(state) for domain, state in values.items()}
            self._former = None

    # Inside

    def _first_state(self, spec: DomainSpec) -> DkimState:
        state = self._new_state(spec.key_sizes)
        state.created = (
            self._clock.now().replace(microsecond=0) - spec.age
        )  # the Date header has whole seconds
        state.rotate_on = state.created
        state.changed = state.created
        if spec.rotated:
            state.rotate_on = state.created + WINDOW
            state.before, state.after = "selector1", "selector2"
        state.enabled = spec.enabled
        state.status = "Valid" if spec.enabled else "CnameMissing"
        state.forced_status = spec.status
        return state

    def _new_state(self, sizes: tuple[int, int]) -> DkimState:
        now = self._clock.now()
        return DkimState(
            enabled=False,
            sizes=dict(zip(SELECTORS, sizes, strict=True)),
            keys={selector: new_key(size) for selector, size in zip(SELECTORS, sizes, strict=True)},
            created=now,
            rotate_on=now,
            before="selector2",
            after="selector1",
            last_checked=now,
            changed=now,
        )

    def _enable(self, domain: str, spec: DomainSpec, state: DkimState) -> None:
        now = self._clock.now()
        if spec.initial:
            self._switch_on(domain)
            return
        remembered = state.failed_look is not None and now < state.failed_look + self.switches.negative_cache
        if remembered or not self._sees_cnames(spec):
            if not remembered:
                state.failed_look = now
            raise self._cname_refusal(spec)
        self._switch_on(domain)

    def _switch_on(self, domain: str) -> None:
        state = self._states[domain.lower()]
        state.enabled = True
        state.status = "Valid"
        state.failed_look = None
        state.last_checked = self._clock.now()

    def _sees_cnames(self, spec: DomainSpec) -> bool:
        return all(
            self._cname_of(f"{selector}._domainkey.{spec.name}".lower()) == target.lower()
            for selector, target in zip(SELECTORS, self.targets(spec.name), strict=True)
        )

    def _cname_refusal(self, spec: DomainSpec) -> Refused:
        hosts = " ".join(
            f"Host Name : {selector}._domainkey Points to address or value: {target}"
            for selector, target in zip(SELECTORS, self.targets(spec.name), strict=True)
        )
        return Refused(
            VALIDATION,
            "CNAME record does not exist for this config. Please publish the following two CNAME records first. "
            f"Domain Name : {spec.name} {hosts} . If you have already published the CNAME records, sync will take a "
            "few minutes to as many as 4 days based on your specific DNS. Return and retry this step later.",
        )

    def _tick(self) -> None:
        """Look at the CNAMEs again, as the service does now and then."""
        now = self._clock.now()
        for domain, state in self._states.items():
            spec = self._specs[domain]
            if spec.initial or not state.enabled:
                continue
            status = "Valid" if self._sees_cnames(spec) else "CnameMissing"
            if status != state.status or now - state.last_checked >= LOOKS_EVERY:
                state.status, state.last_checked = status, now


def _copies(states: dict[str, DkimState]) -> dict[str, DkimState]:
    return {domain: state.copy() for domain, state in states.items()}
