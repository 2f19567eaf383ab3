"""Plans and reports of runs, on stdout and in the files that `--report` names (cli)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exo_auth.cli.options import Common, OutputFormat
from exo_auth.cli.talk import put, warner
from exo_auth.errors import ConfigError, InputError

if TYPE_CHECKING:
    from exo_auth.plan.outcome import RunReport
    from exo_auth.plan.plan import Plan
    from exo_auth.run.settings import Settings

EXIT_FAILED = 1
FORMATS = {".md": OutputFormat.MD, ".json": OutputFormat.JSON, ".txt": OutputFormat.TABLE}


def check_formats(settings: Settings, reports: Sequence[str] | None) -> None:
    """Refuse what a plan is not written as, before anything is looked at; raises InputError."""
    if settings.output not in FORMATS.values():
        raise InputError(f"a plan is not written as {settings.output}", hint="use --output table, json or md")
    for file in reports or ():
        _format(file)
        if not Path(file).absolute().parent.is_dir():
            raise InputError(f"there is no folder for the report {file}", hint="make it first")


def show_plan(common: Common, settings: Settings, plan: Plan, apply_line: str = "") -> None:
    """Write the plan to stdout."""
    put(plan_written(plan, settings.output, common, apply_line))


def show_report(common: Common, settings: Settings, report: RunReport) -> None:
    """Write the report of a run to stdout."""
    put(report_written(report, settings.output, color=common.color))


def plan_written(plan: Plan, output: str, common: Common | None = None, apply_line: str = "") -> str:
    """Write the plan as `table`, `json` or `md`; `apply_line` is the command that applies it."""
    if output == OutputFormat.JSON:
        from exo_auth.plan.plan_file import to_document
        from exo_auth.render.document import to_text

        return to_text(to_document(plan))
    if output == OutputFormat.MD:
        from exo_auth.render.plan_markdown import plan_markdown

        return plan_markdown(plan, apply_line)
    from exo_auth.render.plan_text import plan_text

    if common is None:
        return plan_text(plan)
    return plan_text(plan, color=common.color, whole=common.verbose)


def report_written(report: RunReport, output: str, *, color: bool = False) -> str:
    """Write the report of a run as `table`, `json` or `md`."""
    if output == OutputFormat.JSON:
        from exo_auth.render.document import report_document, to_text

        return to_text(report_document(report))
    if output == OutputFormat.MD:
        from exo_auth.render.plan_markdown import report_markdown

        return report_markdown(report)
    from exo_auth.render.outcome_text import outcome_text

    return outcome_text(report, color=color)


def report_plan(
    common: Common, files: Sequence[str] | None, plan: Plan, exit_code: int, apply_line: str = ""
) -> int:
    """Write a plan that is only shown to the files of `--report`, too; gives the exit code of the command."""
    texts = {file: plan_written(plan, _format(file), apply_line=apply_line) for file in files or ()}
    return _write(common, texts, exit_code)


def report_run(common: Common, files: Sequence[str] | None, report: RunReport) -> int:
    """Write the report of a run to the files of `--report`, too; gives the exit code of the command."""
    texts = {file: report_written(report, _format(file)) for file in files or ()}
    return _write(common, texts, report.exit_code)


def _write(common: Common, texts: dict[str, str], exit_code: int) -> int:
    """Write each file whole or not at all; one that cannot be written must not hide how the run itself ended."""
    from exo_auth.run.private_file import write_private

    for file, text in texts.items():
        try:
            write_private(Path(file), text + "\n", replace=True)
        except ConfigError as error:
            warner(common)(f"the report was not written: {error}")
            exit_code = exit_code or EXIT_FAILED
    return exit_code


def _format(file: str) -> OutputFormat:
    """Say how a report is written, by the name of its file; raises InputError."""
    found = FORMATS.get(Path(file).suffix.lower())
    if found is None:
        raise InputError(f"a plan is not written as {file}", hint="name the report .md, .json or .txt")
    return found
