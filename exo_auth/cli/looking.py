"""What the commands share that show one subject of one domain (cli)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from exo_auth.cli.check import FailOn, findings_exit_code
from exo_auth.cli.options import Common
from exo_auth.cli.talk import put

if TYPE_CHECKING:
    from exo_auth.checks.finding import Finding
    from exo_auth.facts.domain import DomainFacts, Subject

Writer = Callable[["DomainFacts", "Sequence[Finding]", str], str]


def show_subject(common: Common, domain: str, subjects: frozenset[Subject], write: Writer) -> None:
    """Look, write, and end with the exit code of what was found."""
    from exo_auth.run.look import look

    settings = common.settings()
    seen = look(settings, domain, subjects, datetime.now(UTC))
    put(write(seen.facts, seen.findings, settings.output))
    raise typer.Exit(findings_exit_code([one.severity.value for one in seen.findings], FailOn.FAIL))
