"""What a code, an error or an exit code means (render, pure)."""

from __future__ import annotations

from collections.abc import Mapping

from exo_auth import errors
from exo_auth.checks.catalogue import CATALOGUE, entry_for
from exo_auth.checks.entry import Entry, Profile
from exo_auth.errors import ExoAuthError
from exo_auth.render.document import ONE_DOCUMENT, to_text
from exo_auth.render.table import Table

EXIT_CODES: dict[int, tuple[str, str]] = {  # meaning, what to do
    0: ("done, or nothing to do; a server that was asked to stop", "Nothing."),
    1: ("failed, for none of the reasons below", "Read the message; the journal says what was sent."),
    2: ("the plan has changes (only with --detailed-exitcode)", "Look at the plan; apply it."),
    3: (
        "a person is needed: findings at or above --fail-on, or a due change that is blocked",
        "Mend what is named.",
    ),
    4: ("waiting: a gate is closed and only time is missing", "Run again after not_before."),
    5: ("partial: some changes failed, others are done", "Read the report; run again."),
    6: ("no verdict: DNS or the tenant could not be asked", "Run again; look at network and resolver."),
    7: (
        "another run holds the lock: of the tenant, of DNS, or of the job",
        "Wait for it, or give --lock-timeout.",
    ),
    8: (
        "the plan is stale: the tenant moved since, or somebody else changes it now",
        "Make a new plan.",
    ),
    9: (
        "refused: a safety limit, no approval, or a hook before the run that said no",
        "Look at the numbers; raise the limit for one run.",
    ),
    10: ("sign-in or permission", "exo-auth auth test says which right is missing, and how to give it."),
    64: ("the command line, a file or a name is wrong", "Read the message: it names the place."),
    129: (
        "the terminal went away (SIGHUP): the change under way was finished",
        "Run again, with nohup or as a job.",
    ),
    130: ("interrupted (Ctrl-C): the change under way was finished", "Run again."),
    141: (
        "nobody read stdout any more: a plan that was not read to its end is not applied",
        "Read all of it, or write it to a file; the journal says what was sent.",
    ),
    143: ("ended (SIGTERM): the change under way was finished", "Run again."),
}


def explain_text(code: str, output: str) -> str:
    """Explain one code; raises InputError for an unknown one."""
    if code.strip().isdecimal() and int(code) in EXIT_CODES:
        meaning, remedy = EXIT_CODES[int(code)]
        return _told(f"exit code {int(code)}", meaning, "", remedy, "docs/EXIT_CODES.md", output)
    family = _families().get(code.strip().lower())
    if family is not None:
        why = (family.__doc__ or "").splitlines()[0]
        remedy = EXIT_CODES[family.exit_code][1]
        return _told(family.__name__, why, f"Ends with exit code {family.exit_code}.", remedy, "", output)
    entry = entry_for(code)
    return _told(
        entry.code,
        entry.title,
        entry.why,
        entry.remedy,
        entry.source,
        output,
        frameworks=entry.frameworks,
        example=entry.example,
        severities=_severities(entry),
    )


def _severities(entry: Entry) -> dict[str, str]:
    return {profile.value: entry.severity_in(profile) or "silent" for profile in Profile}


def explain_list(output: str, *, color: bool = False) -> str:
    """List all findings, errors and exit codes."""
    rows = [(entry.code, entry.severity, entry.title) for entry in CATALOGUE.values()]
    rows += [(f.__name__, "error", (f.__doc__ or "").splitlines()[0]) for f in _families().values()]
    rows += [(str(number), "exit code", meaning) for number, (meaning, _) in EXIT_CODES.items()]
    if output == "json":
        keys = ("code", "kind", "title")
        return to_text(
            {
                "schema": "exo-auth/explain-list/1",
                "entries": [dict(zip(keys, row, strict=True)) for row in rows],
            }
        )
    return Table(("Code", "Kind", "What"), tuple(rows)).to_text(output, color=color)


def _families() -> dict[str, type[ExoAuthError]]:
    return {
        name.lower(): value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ExoAuthError)
    }


def _told(
    code: str,
    title: str,
    why: str,
    remedy: str,
    source: str,
    output: str,
    *,
    frameworks: tuple[str, ...] = (),
    example: str = "",
    severities: Mapping[str, str] | None = None,
) -> str:
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/explain/1",
                "code": code,
                "title": title,
                "why": why,
                "remedy": remedy,
                "source": source,
                "frameworks": list(frameworks),
                "example": example,
                "severities": dict(severities or {}),
            },
            output,
        )
    lines = [f"{code}: {title}", why, f"Do: {remedy}"]
    if example:
        lines.append(f"Example: {example}")
    if severities:
        lines.append(f"Severity: {_severity_line(severities)}")
    if source:
        lines.append(f"Source: {source}")
    if frameworks:
        lines.append(f"Frameworks: {', '.join(frameworks)}")
    return "\n".join(line for line in lines if line)


def _severity_line(severities: Mapping[str, str]) -> str:
    """Write the usual severity, and the profiles that judge otherwise."""
    usual = severities[Profile.IETF]
    others = [f"{severity} by {profile}" for profile, severity in severities.items() if severity != usual]
    return ", ".join([usual, *others])
