"""Which command hangs where in the tree (cli).

The help of the whole tree must not cost what its commands cost: a branch is imported when it is taken.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info, get_group_from_info
from typer.models import CommandInfo, TyperInfo

if TYPE_CHECKING:
    from typer._click.core import Command, Context
    from typer._click.formatting import HelpFormatter


@dataclass(frozen=True)
class Branch:
    """One entry of the tree: a group or a command called `attribute` in a module of this package."""

    name: str
    module: str
    attribute: str
    help: str  # of a command: the first sentence of its own help

    def load(self) -> Command:
        """Import the module and make the command."""
        found: Any = getattr(importlib.import_module(f"exo_auth.cli.{self.module}"), self.attribute)
        if isinstance(found, typer.Typer):
            return get_group_from_info(
                TyperInfo(found, name=self.name, help=self.help),
                pretty_exceptions_short=True,
                suggest_commands=True,
                rich_markup_mode=None,
            )
        return get_command_from_info(
            CommandInfo(name=self.name, callback=found), pretty_exceptions_short=True, rich_markup_mode=None
        )


BRANCHES = (  # in the order in which help lists them
    Branch("init", "init", "init", "Write a first configuration file, in which every setting is explained."),
    Branch(
        "doctor",
        "doctor",
        "doctor",
        "Examine configuration, clock, disk, resolver, sign-in and rights, and say where each setting comes from.",
    ),
    Branch(
        "explain",
        "about",
        "explain",
        "Explain a finding, an error or an exit code: why it matters, where it is written, what to do.",
    ),
    Branch("config", "config", "app", "Look at and check the configuration."),
    Branch("auth", "auth", "app", "Sign in, and find out why it fails."),
    Branch(
        "whoami",
        "auth",
        "whoami",
        "Say who the token speaks for: tenant, application or user, roles, expiry.",
    ),
    Branch("tenant", "tenant", "app", "The tenants of the configuration."),
    Branch("fleet", "fleet", "app", "One command for many tenants."),
    Branch("domain", "domain", "app", "The domains a tenant accepts mail for."),
    Branch(
        "check",
        "check",
        "check",
        "Check SPF, DKIM, DMARC, MTA-STS, TLS-RPT, MX, DNSSEC and DANE: what is wrong, and what to publish.",
    ),
    Branch("audit", "audit", "app", "The rules of frameworks, and a score."),
    Branch("snapshot", "snapshot", "app", "What DNS and the tenant say, kept to be judged later."),
    Branch(
        "onboard",
        "onboard",
        "onboard",
        "Take a domain step by step from nothing to enforced policies; run it again until all steps are done.",
    ),
    Branch("plan", "plan", "plan", "Show what would be done to each domain, and why; nothing is changed."),
    Branch(
        "apply",
        "plan",
        "apply",
        "Apply a plan: a saved one, a playbook's, or the one with this digest. What has moved since is refused, not guessed.",
    ),
    Branch(
        "drift",
        "drift",
        "drift",
        "Compare what the journal says was applied last with what the tenant and DNS have now. Nothing is changed.",
    ),
    Branch("job", "job", "app", "Commands that run by themselves: when, and who hears of it."),
    Branch("notify", "notify", "app", "Words to people after a run."),
    Branch("playbook", "playbook", "app", "What is wanted for many domains, in stages, as a file."),
    Branch(
        "undo",
        "undo",
        "undo",
        "Plan what takes a run back, show it, and carry it out; what has no way back is told with the reason.",
    ),
    Branch("journal", "journal", "app", "What was changed, when, by whom, with which result."),
    Branch("dkim", "dkim", "app", "DKIM signing: look, enable, rotate."),
    Branch("spf", "spf", "app", "SPF: who may send for a domain."),
    Branch("dmarc", "dmarc", "app", "DMARC: what receivers do with mail that fails."),
    Branch("dns", "dns", "app", "DNS: what is to stand there, and who serves it already."),
    Branch("mta-sts", "policy_host", "app", "MTA-STS: the policy for mail over TLS."),
    Branch("tls-rpt", "transport_security", "tls_rpt", "TLS-RPT: who hears of failing TLS."),
    Branch("dane", "transport_security", "dane", "DANE: certificates pinned in DNS."),
    Branch("tls", "tls", "app", "TLS with partners: rules, connectors, probes."),
    Branch("message", "message", "app", "Why a message passed or failed."),
    Branch("sandbox", "sandbox", "app", "A tenant on loopback, to try everything on."),
    Branch(
        "demo",
        "demo",
        "demo",
        "Run the main job on a sandbox tenant on this machine: look, plan, rotate, verify, four days later.",
    ),
    Branch("completion", "about", "completion", "Print the completion script of a shell."),
    Branch("version", "about", "version", "Print the version, and those of what it runs on."),
    Branch(
        "schema",
        "about",
        "schema",
        "Print the JSON Schema of a document that --output json writes; without a name, list them.",
    ),
)
_BY_NAME = {branch.name: branch for branch in BRANCHES}


class Tree(TyperGroup):
    """The top of the tree. It lists its branches from the table, and imports the one that is taken."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - Click's signature
        """Name the branches."""
        return list(_BY_NAME)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - Click's signature
        """Load a branch; None for a name that is none."""
        if cmd_name not in self.commands and cmd_name in _BY_NAME:
            self.commands[cmd_name] = _BY_NAME[cmd_name].load()
        return self.commands.get(cmd_name)

    def load_all(self) -> None:
        """Load every branch, for those who look at the whole tree."""
        for branch in BRANCHES:
            self.commands.setdefault(branch.name, branch.load())

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the list from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(branch.name, branch.help) for branch in BRANCHES])
