"""Options that commands share, as dataclasses whose fields become options (cli).

A command names a group once — `def rotate(common: Common, writing: Writing)` — and `command` expands it. Each
option has an environment twin: those of `Common` and `Policy` are resolved by the settings table, so that
`config show --origin` can tell where a value came from; the others name their variable themselves.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from exo_auth.run.settings import Settings


class OutputFormat(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MD = "md"
    HTML = "html"  # these three: findings alone
    SARIF = "sarif"
    JUNIT = "junit"


def _tenants(incomplete: str) -> list[str]:
    """Complete names of configured tenants, without a look at the network."""
    from exo_auth.errors import ExoAuthError
    from exo_auth.run.config import load

    try:
        tenants = load({}, environment=os.environ).tenants
    except ExoAuthError:
        return []
    return [tenant.name for tenant in tenants if tenant.name.startswith(incomplete)]


def _setting(key: str) -> dict[str, str]:
    return {"setting": key}


@dataclass(frozen=True)
class Common:
    """Which configuration, which tenant, which output: every command has these."""

    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="Configuration file. [env: EXO_AUTH_CONFIG]"),
    ] = field(default=None, metadata=_setting("config"))
    profile: Annotated[
        str | None,
        typer.Option("-p", "--profile", metavar="NAME", help="Profile of the file. [env: EXO_AUTH_PROFILE]"),
    ] = field(default=None, metadata=_setting("profile"))
    tenant: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--tenant",
            metavar="TENANT",
            help="Tenant id or domain. [env: EXO_AUTH_TENANT]",
            autocompletion=_tenants,
        ),
    ] = field(default=None, metadata=_setting("tenant"))
    cloud: Annotated[
        str | None,
        typer.Option(
            "--cloud", metavar="NAME", help="worldwide, gcc, gcchigh, dod or china. [env: EXO_AUTH_CLOUD]"
        ),
    ] = field(default=None, metadata=_setting("cloud"))
    nameserver: Annotated[
        list[str] | None,
        typer.Option(
            "--nameserver",
            metavar="SERVER",
            help="Ask this resolver: HOST[:PORT], tls://HOST or https://HOST/PATH. Repeatable. "
            "[env: EXO_AUTH_NAMESERVER]",
        ),
    ] = field(default=None, metadata=_setting("nameservers"))
    validate_dnssec: Annotated[
        bool | None,
        typer.Option(
            "--validate-dnssec",
            help="Validate DNSSEC here, whatever the resolver does. [env: EXO_AUTH_VALIDATE_DNSSEC]",
        ),
    ] = field(default=None, metadata=_setting("validate_dnssec"))
    state_dir: Annotated[
        str | None,
        typer.Option("--state-dir", metavar="DIR", help="Journal, locks, caches. [env: EXO_AUTH_STATE_DIR]"),
    ] = field(default=None, metadata=_setting("state_dir"))
    transport: Annotated[
        str | None,
        typer.Option(
            "--transport",
            metavar="HOW",
            help="rest, or powershell: Microsoft's own module. [env: EXO_AUTH_TRANSPORT]",
        ),
    ] = field(default=None, metadata=_setting("transport"))
    output: Annotated[
        OutputFormat | None,
        typer.Option("-o", "--output", help="Format of the data on stdout. [env: EXO_AUTH_OUTPUT]"),
    ] = field(default=None, metadata=_setting("output"))
    no_input: Annotated[
        bool, typer.Option("--no-input", envvar="EXO_AUTH_NO_INPUT", help="Never ask; fail instead.")
    ] = False
    no_progress: Annotated[
        bool, typer.Option("--no-progress", envvar="EXO_AUTH_NO_PROGRESS", help="No progress on stderr.")
    ] = False
    no_color: Annotated[
        bool, typer.Option("--no-color", envvar="EXO_AUTH_NO_COLOR", help="No colour. NO_COLOR works, too.")
    ] = False
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", envvar="EXO_AUTH_QUIET", help="Only data and errors.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", envvar="EXO_AUTH_VERBOSE", help="Say more on stderr.")
    ] = False

    def settings(
        self, extra: Mapping[str, object] | None = None, *, writes_reports: bool = False
    ) -> Settings:
        """Resolve flags, environment, profile, file and defaults into settings; raises ConfigError.

        Raises InputError for a format of reports where the command does not write findings.
        """
        from exo_auth.errors import InputError
        from exo_auth.run.config import load
        from exo_auth.run.config_schema import REPORT_FORMATS

        settings = load({**given(self), **(extra or {})}, environment=os.environ)
        if settings.output in REPORT_FORMATS and not writes_reports:
            raise InputError(
                f"this command does not write {settings.output}",
                hint="check does; here --output is table, json, ndjson, csv or md",
            )
        return settings

    @property
    def format(self) -> OutputFormat:
        """The output format, from flag, environment or file."""
        if self.output is not None:
            return self.output
        return OutputFormat(self.settings().output)

    @property
    def color(self) -> bool:
        """May stdout carry colour? Only a terminal, without NO_COLOR and --no-color."""
        return sys.stdout.isatty() and not self.no_color and not os.environ.get("NO_COLOR")

    @property
    def may_ask(self) -> bool:
        """May a question be put to a person? Not in CI, not without a terminal, not with --no-input."""
        return sys.stdin.isatty() and not self.no_input and not os.environ.get("CI")


@dataclass(frozen=True)
class Domains:
    """Which domains of the tenant."""

    domain: Annotated[
        list[str] | None,
        typer.Option(
            "-d",
            "--domain",
            metavar="GLOB",
            envvar="EXO_AUTH_DOMAIN",
            help="Domain, glob, or tag such as @parked. Repeatable. Default: all.",
        ),
    ] = None


@dataclass(frozen=True)
class Policy:
    """When a key is due, and how much may change at once."""

    max_key_age: Annotated[
        str | None,
        typer.Option(
            "--max-key-age", metavar="AGE", help="Rotate keys this old. [env: EXO_AUTH_MAX_KEY_AGE]"
        ),
    ] = field(default=None, metadata=_setting("policy.dkim.max_key_age"))
    key_size: Annotated[
        int | None, typer.Option("--key-size", metavar="BITS", help="1024 or 2048. [env: EXO_AUTH_KEY_SIZE]")
    ] = field(default=None, metadata=_setting("policy.dkim.key_size"))
    max_changes: Annotated[
        int | None,
        typer.Option(
            "--max-changes", metavar="N", help="Most changes in one run. [env: EXO_AUTH_MAX_CHANGES]"
        ),
    ] = field(default=None, metadata=_setting("limits.changes_per_run"))
    max_share: Annotated[
        str | None,
        typer.Option(
            "--max-share",
            metavar="PERCENT",
            help="Largest share of domains in one run. [env: EXO_AUTH_MAX_SHARE]",
        ),
    ] = field(default=None, metadata=_setting("limits.share"))


Reports = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="FILE",
        envvar="EXO_AUTH_RUN_REPORT",
        help="Write plan or run to FILE, too: .md for a change ticket, .json, .txt. Repeatable.",
    ),
]


@dataclass(frozen=True)
class Writing:
    """How a writing verb goes about it: plan, show, confirm, apply, verify."""

    yes: Annotated[bool, typer.Option("-y", "--yes", envvar="EXO_AUTH_YES", help="Apply without asking.")] = (
        False
    )
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive",
            envvar="EXO_AUTH_INTERACTIVE",
            help="Ask about each change: yes, no, all the rest, quit, or show it.",
        ),
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="EXO_AUTH_DRY_RUN", help="Show the plan and stop.")
    ] = False
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", envvar="EXO_AUTH_OUT", help="Save the plan to FILE and stop."),
    ] = None
    report: Reports = None
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            envvar="EXO_AUTH_DETAILED_EXITCODE",
            help="Exit 2 when the plan has changes.",
        ),
    ] = False
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest",
            metavar="HEX",
            envvar="EXO_AUTH_DIGEST",
            help="Apply the plan only if it has this digest: the one that was looked at.",
        ),
    ] = None
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", envvar="EXO_AUTH_REASON", help="Why; goes to the journal."),
    ] = ""
    lock_timeout: Annotated[
        str | None,
        typer.Option(
            "--lock-timeout",
            metavar="TIME",
            envvar="EXO_AUTH_LOCK_TIMEOUT",
            help="Wait this long for another run.",
        ),
    ] = None
    no_jitter: Annotated[
        bool,
        typer.Option(
            "--no-jitter", envvar="EXO_AUTH_NO_JITTER", help="Start at once also when nobody watches."
        ),
    ] = False


def given(*groups: Common | Policy) -> dict[str, object]:
    """Collect the settings that were given as flags, by their key in the settings table."""
    return {
        part.metadata["setting"]: getattr(group, part.name)
        for group in groups
        for part in fields(group)
        if "setting" in part.metadata and getattr(group, part.name) is not None
    }


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Expand every parameter whose type is one of the groups above into its options."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if inspect.isclass(hint) and is_dataclass(hint):
            groups[parameter.name] = hint
        else:
            parameters.append(parameter.replace(annotation=hint))
    for group in groups.values():
        parameters.extend(_parameters_of(group))

    @functools.wraps(function)
    def expanded(**values: Any) -> None:
        arguments = {
            name: group(**{part.name: values.pop(part.name) for part in fields(group)})
            for name, group in groups.items()
        }
        function(**arguments, **values)

    del expanded.__wrapped__  # inspect would follow it to the unexpanded signature
    expanded.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return expanded


def _parameters_of(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            part.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=part.default if part.default is not MISSING else inspect.Parameter.empty,
            annotation=hints[part.name],
        )
        for part in fields(group)
    ]
