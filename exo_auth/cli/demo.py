"""`exo-auth demo`: the main job on a sandbox tenant, start to end, with the real commands (cli)."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.errors import ExoAuthError

if TYPE_CHECKING:
    from exo_auth.sandbox.serve import Sandbox


class DemoFailed(ExoAuthError):  # noqa: N818 - like its relatives it says what happened
    """A command of the demo ended otherwise than it must."""


@dataclass(frozen=True)
class Act:
    """One command with the exit code it must have, and the sentence before it."""

    told: str
    arguments: str
    code: int = 0


OPENING = (
    Act("Who are we, and what may we do?", "whoami"),
    Act("Which domains does the tenant accept?", "domain list --all"),
    Act("Is DNS ready? (3: something needs a person)", "check", 3),
    Act("Where does every key stand?", "dkim status"),
    Act(
        "What would a rotation do? Nothing is sent. (3: one domain is due and blocked)",
        "dkim rotate --dry-run",
        3,
    ),
    Act("Do it: one change at a time, each read back.", "dkim rotate --yes --verbose", 3),
)
MENDED = (
    Act(
        "The missing CNAME was published. The next night’s job takes that domain along.", "dkim rotate --yes"
    ),
    Act("The same command again: nothing to do.", "dkim rotate --yes"),
    Act(
        "A new domain: keys first, and the CNAMEs to publish. (4: come back later)",
        "dkim enable -d new.example --yes",
        4,
    ),
)
ENABLED = (Act("They are published: now signing is switched on.", "dkim enable -d new.example --yes"),)
CLOSING = (
    Act("Four days later the other selector signs.", "dkim status"),
    Act(
        "What the tenant says and what DNS shows agree.",
        "check rotate-me.example old-keys.example mended.example",
    ),
    Act("Every step is in the journal, and nobody touched it.", "journal list"),
    Act("", "journal verify"),
)


def demo(
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", envvar="EXO_AUTH_QUIET", help="Only say whether it worked.")
    ] = False,
) -> None:
    """Run the main job on a sandbox tenant on this machine: look, plan, rotate, verify, four days later.

    Example:  exo-auth demo
    """
    from exo_auth.sandbox.serve import Sandbox, SandboxOptions

    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="exo-auth-demo-") as state,
        Sandbox(SandboxOptions.named("demo")) as box,
    ):
        environment = _environment(box, state)
        _play(OPENING, environment, quiet)
        box.publish_cnames("mended.example")
        _play(MENDED, environment, quiet)
        box.publish_cnames("new.example")
        _play(ENABLED, environment, quiet)
        box.advance(timedelta(days=4, hours=1))
        _play(CLOSING, environment, quiet)
        _prove_switch(box)
    print(
        f"The demo worked in {time.monotonic() - started:.1f} s: three domains rotated once each, one enabled, "
        "every step read back, the switch proved."
    )


def _environment(box: Sandbox, state: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TERM") if name in os.environ}
    # A home of its own, so that no configuration of this machine plays a part.
    own = {
        "EXO_AUTH_STATE_DIR": state,
        "HOME": state,
        "XDG_CONFIG_HOME": state,
        "APPDATA": state,
        "PYTHONUTF8": "1",
    }
    return {**kept, **box.description.environment, **own}


def _play(acts: tuple[Act, ...], environment: dict[str, str], quiet: bool) -> None:
    for act in acts:
        if not quiet:
            print(f"\n# {act.told}" if act.told else "")
            print(f"$ exo-auth {act.arguments}", flush=True)
        done = subprocess.run(  # our own program with our own words
            [sys.executable, "-m", "exo_auth", *shlex.split(act.arguments)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=quiet,
            text=True,
            check=False,
        )
        if done.returncode != act.code:
            raise DemoFailed(
                f"`exo-auth {act.arguments}` ended with {done.returncode}, not {act.code}",
                hint=(done.stderr or "").strip()[-500:] or None,
            )


def _prove_switch(box: Sandbox) -> None:
    """Look past the client: each due domain rotated exactly once, and the tenant signs with the other selector."""
    for domain in ("rotate-me.example", "old-keys.example", "mended.example"):
        if box.tenant.rotations(domain) != 1:
            raise DemoFailed(f"{domain} was rotated {box.tenant.rotations(domain)} times")
        if box.tenant.signing_selector(domain) != "selector2":
            raise DemoFailed(f"{domain} still signs with {box.tenant.signing_selector(domain)}")
