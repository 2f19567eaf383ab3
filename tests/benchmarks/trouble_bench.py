"""A thousand rotations while the service refuses, and loses answers: none may be lost, and none done twice.

Client and sandbox are one process, so that a wait moves the sandbox's clock instead of taking time. What was rotated, and how
often, is counted at the sandbox.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench import Bench

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

ROTATE = "Rotate-DkimSigningConfig"
TROUBLE = (
    Fault("throttle", value="20", after=6),  # every 7th call: 429, Retry-After 20 s
    Fault("reset-after", cmdlet=ROTATE, after=9),  # every 10th rotation takes effect, and its answer is lost
    Fault("reset-before", cmdlet=ROTATE, after=24),  # every 25th never gets there
)
MOST_RUNS = 5


@dataclass(frozen=True)
class Troubled:
    """What it took until nothing was due, and how often the domains were rotated."""

    domains: int
    runs: int
    refused: int  # calls answered with 429
    unclear: int  # rotations that had no clear answer, and were looked for
    once: int  # domains rotated exactly once

    @property
    def is_right(self) -> bool:
        return self.once == self.domains


def apply_in_trouble(due: int) -> Troubled:
    """Rotate `due` domains, an hour between two runs, until a run finds nothing due."""
    initial = DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True)
    options = SandboxOptions((initial, *(DomainSpec(f"d{number:04}.example") for number in range(due))))
    with Sandbox(options) as box, tempfile.TemporaryDirectory() as state:
        bench = Bench(box, Path(state))
        bench.environment |= {"EXO_AUTH_MAX_SHARE": "100%", "EXO_AUTH_MAX_CHANGES": str(due)}
        bench.environment["EXO_AUTH_DNS_TIMEOUT"] = "30s"
        for _ in range(due):
            for fault in TROUBLE:
                box.faults.add(Fault(**fault.__dict__))
        runs, unclear = 0, 0
        while runs < MOST_RUNS and (outcomes := bench.run("*").outcomes):
            runs += 1
            unclear += sum(bool(outcome.error) for outcome in outcomes)
            box.advance(timedelta(hours=1))
        return Troubled(
            due,
            runs,
            refused=sum(request.status == 429 for request in box.requests),
            unclear=unclear,
            once=Counter(bench.rotations().values())[1],
        )
