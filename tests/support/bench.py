"""The client against a sandbox tenant, in one process: waiting moves the sandbox's clock instead of taking time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from exo_auth.plan.dkim import plan_rotation
from exo_auth.plan.outcome import RunReport
from exo_auth.plan.plan import Plan
from exo_auth.run.carry_out import Planner, carry_out, make_plan
from exo_auth.run.config import load
from exo_auth.run.lock import tenant_lock
from exo_auth.run.session import WritingSession
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox


class Bench:
    """A sandbox with a state folder; each run opens a session of its own, as a process would."""

    def __init__(self, box: Sandbox, state: Path) -> None:
        self.box = box
        self.state = state
        self.said: list[str] = []
        self.environment: dict[str, str] = {
            **box.description.environment,
            "EXO_AUTH_STATE_DIR": str(state),
            "EXO_AUTH_DNS_TIMEOUT": "2s",
        }

    def session(self, environment: Mapping[str, str] | None = None) -> WritingSession:
        given = {**self.environment, **(environment or {})}
        settings = load({}, environment=given, config_file=self.state / "no-such-file.yaml")
        return WritingSession(settings, given, warn=self.said.append, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.box.advance(timedelta(seconds=seconds))

    def fault(self, kind: str, **choices: object) -> None:
        self.box.faults.add(Fault(kind, **choices))  # type: ignore[arg-type]

    def plan(self, *patterns: str, planner: Planner = plan_rotation) -> Plan:
        with self.session() as session:
            return make_plan(session, patterns, planner, self.said.append).plan

    def run(
        self,
        *patterns: str,
        planner: Planner = plan_rotation,
        between: Callable[[], None] = lambda: None,
        environment: Mapping[str, str] | None = None,
    ) -> RunReport:
        """Plan and apply; `between` happens after planning and before anything is sent."""
        with self.session(environment) as session, tenant_lock(session.state, command="test"):
            prepared = make_plan(session, patterns, planner, self.said.append)
            between()
            return carry_out(session, prepared, reason="a test", say=self.said.append)

    def rotations(self) -> dict[str, int]:
        """Count rotations by domain, as the tenant carried them out."""
        return {
            spec.name: self.box.tenant.rotations(spec.name) for spec in self.box.tenant.specs if spec.listed
        }
