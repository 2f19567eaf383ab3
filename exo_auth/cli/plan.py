"""`exo-auth plan` and `exo-auth apply`: think first, then do exactly that (cli)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.completing import plans_and_playbooks, playbooks, stages
from exo_auth.cli.options import Common, Domains, Policy, Reports, Writing, command, given
from exo_auth.cli.playbook import Variables, variables_given
from exo_auth.cli.talk import note, progress, warner
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.run.carry_out import Planner, Prepared
    from exo_auth.run.playbook import Playbook
    from exo_auth.run.session import ReadingSession

VERBS = ("all", "enable", "rotate", "upgrade-keys")

Verbs = Annotated[
    str,
    typer.Option(
        "--for",
        metavar="VERB",
        envvar="EXO_AUTH_PLAN_FOR",
        help=f"One of {', '.join(VERBS)}.",
        autocompletion=lambda incomplete: [verb for verb in VERBS if verb.startswith(incomplete)],
    ),
]


StageName = Annotated[
    str,
    typer.Option(
        "--stage",
        metavar="NAME",
        envvar="EXO_AUTH_STAGE",
        help="This stage of the playbook alone, for the domains that are through those before it.",
        autocompletion=stages,
    ),
]


@command
def plan(
    common: Common,
    domains: Domains,
    policy: Policy,
    playbook: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLAYBOOK]",
            help="A file, or one that ships: `exo-auth playbook list` names them.",
            autocompletion=playbooks,
        ),
    ] = None,
    verb: Verbs = "all",
    var: Variables = None,
    stage: StageName = "",
    report: Reports = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", envvar="EXO_AUTH_OUT", help="Save the plan, too.")
    ] = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", envvar="EXO_AUTH_DETAILED_EXITCODE", help="Exit 2 when there are changes."
        ),
    ] = False,
) -> None:
    """Show what would be done to each domain, and why; nothing is changed.

    The plan has a digest: `apply --digest` makes it anew and applies it only if it is still the same. A long plan is
    summed up; --verbose shows every line. `--report ticket.md` writes it for a change ticket.

    Example:  exo-auth plan rotate-dkim --out november.plan --report november.md --detailed-exitcode
    """
    from pathlib import Path

    from exo_auth.cli.showing import check_formats, report_plan, show_plan
    from exo_auth.cli.writing import plan_exit_code
    from exo_auth.plan.plan_file import to_text
    from exo_auth.run.playbook import Playbook, read_playbook
    from exo_auth.run.private_file import write_private
    from exo_auth.run.session import ReadingSession

    if stage and not playbook:
        raise _no_stages()
    wanted = read_playbook(playbook, variables_given(var)) if playbook else Playbook(verb, ())
    settings = common.settings({**wanted.policy, **given(policy)})
    check_formats(settings, report)
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        prepared = prepared_by(session, wanted, domains.domain, common, stage)
    for text in prepared.notes:
        note(common, f"note: {text}")
    if out:
        write_private(Path(out), to_text(prepared.plan), replace=True)
        note(common, f"the plan is saved in {out}; apply it with: exo-auth apply {out}")
    lists = {"-d": domains.domain, "--var": var, "--stage": [stage] if stage else None}
    words = [out] if out else _words_of(playbook, verb, policy, lists)
    apply_line = shlex.join(["exo-auth", "apply", *words, "--digest", prepared.plan.digest[:16], "--yes"])
    show_plan(common, settings, prepared.plan, apply_line)
    code = plan_exit_code(prepared.plan, detailed=detailed_exitcode)
    raise typer.Exit(report_plan(common, report, prepared.plan, code, apply_line))


def _words_of(
    playbook: str | None, verb: str, policy: Policy, lists: Mapping[str, list[str] | None]
) -> list[str]:
    """Give the words with which `apply` makes the same plan anew."""
    words = [playbook] if playbook else ["--for", verb] if verb != "all" else []
    single = {f"--{part.name.replace('_', '-')}": getattr(policy, part.name) for part in fields(policy)}
    words += [word for option, value in single.items() if value is not None for word in (option, str(value))]
    return words + [
        word for option, values in lists.items() for value in values or () for word in (option, value)
    ]


def prepared_by(
    session: ReadingSession, wanted: Playbook, named: list[str] | None, common: Common, stage: str = ""
) -> Prepared:
    """Plan what a playbook wants; a playbook of one DKIM step has the plan, and the digest, of that step.

    With a `stage` its changes alone.
    """
    from exo_auth.run.carry_out import make_plan
    from exo_auth.run.stages import plan_playbook

    patterns = tuple(named or wanted.domains)
    if not stage and not wanted.stages and not wanted.excepted and not wanted.tag_places:
        return make_plan(session, patterns, planner_for(wanted.verb), progress(common))
    return plan_playbook(session, wanted, patterns, progress(common), only=stage)


@command
def apply(
    common: Common,
    domains: Domains,
    policy: Policy,
    writing: Writing,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLAN|PLAYBOOK]",
            help="A file that `plan --out` wrote, or a playbook.",
            autocompletion=plans_and_playbooks,
        ),
    ] = None,
    var: Variables = None,
    stage: StageName = "",
    verb: Verbs = "all",
) -> None:
    """Apply a plan: a saved one, a playbook's, or the one with this digest. What has moved since is refused, not guessed.

    Example:  exo-auth apply onboard-tenant --stage spf --digest 943d17efe66312f4 --yes
    """
    from exo_auth.cli.writing import apply_saved, write, write_with
    from exo_auth.run.playbook import read_playbook

    if file is None and not writing.digest:
        raise InputError(
            "give a plan file, a playbook or --digest", hint="exo-auth plan --out FILE makes a plan file"
        )
    if stage and (file is None or not is_playbook(file)):
        raise _no_stages()
    if file is None:
        write(common, policy, writing, tuple(domains.domain or ()), planner_for(verb))
    elif is_playbook(file):
        wanted = read_playbook(file, variables_given(var))
        named = domains.domain
        write_with(
            common,
            policy,
            writing,
            lambda session: prepared_by(session, wanted, named, common, stage),
            wanted.policy,
        )
    else:
        apply_saved(common, policy, writing, file)


def _no_stages() -> InputError:
    return InputError(
        "--stage goes with a playbook", hint="a saved plan is applied whole, or with --interactive"
    )


def is_playbook(name: str) -> bool:
    """Is this the name of a playbook that ships, or a YAML file, rather than a saved plan?"""
    from exo_auth.run.playbook import shipped

    return name in shipped() or name.endswith((".yaml", ".yml"))


def planner_for(verb: str) -> Planner:
    """Give the planner of that name; raises InputError."""
    from exo_auth.plan.dkim import plan_enable, plan_everything, plan_rotation, plan_upgrade

    planners: dict[str, Planner] = dict(
        zip(VERBS, (plan_everything, plan_enable, plan_rotation, plan_upgrade), strict=True)
    )
    if verb not in planners:
        raise InputError(f"there is no plan for “{verb}”", hint=f"one of {', '.join(VERBS)}")
    return planners[verb]
