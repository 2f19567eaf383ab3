"""`exo-auth mta-sts serve`, `build`, `test`: have a policy, and prove that senders get it (cli)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put
from exo_auth.cli.transport_security import mta_sts

if TYPE_CHECKING:
    from exo_auth.run.policy_server_config import ServeRequest

EXIT_FINDINGS = 3

app = mta_sts  # the same noun: its other verbs look


@dataclass(frozen=True)
class Serving:
    """Where to listen, what to show, where to log."""

    file: Annotated[
        str | None,
        typer.Option(
            "--file", metavar="CONFIG", envvar="EXO_AUTH_SERVE_FILE", help="YAML file with all of this."
        ),
    ] = None
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            metavar="IP:PORT",
            envvar="EXO_AUTH_SERVE_LISTEN",
            help="Where senders come. Repeatable. Default: port 443 of every address.",
        ),
    ] = None
    certificate: Annotated[
        list[str] | None,
        typer.Option(
            "--certificate",
            metavar="FILE",
            envvar="EXO_AUTH_SERVE_CERTIFICATE",
            help="Certificate chain (PEM), with or without its key. Repeatable.",
        ),
    ] = None
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="FILE",
            envvar="EXO_AUTH_SERVE_KEY",
            help="Private key (PEM), one for each --certificate.",
        ),
    ] = None
    certificates: Annotated[
        str | None,
        typer.Option(
            "--certificates",
            metavar="DIR",
            envvar="EXO_AUTH_SERVE_CERTIFICATES",
            help="Folder of .pem files, or of folders with fullchain.pem and privkey.pem.",
        ),
    ] = None
    health: Annotated[
        str | None,
        typer.Option(
            "--health",
            metavar="IP:PORT",
            envvar="EXO_AUTH_SERVE_HEALTH",
            help="Answer /healthz over plain HTTP on this loopback address.",
        ),
    ] = None
    access_log: Annotated[
        str | None,
        typer.Option(
            "--access-log",
            metavar="FILE",
            envvar="EXO_AUTH_SERVE_ACCESS_LOG",
            help="One line a request; SIGHUP opens it anew. Default: stderr.",
        ),
    ] = None

    def request(self, directory: str | None) -> ServeRequest:
        """Give the words as they were typed."""
        from exo_auth.run.policy_server_config import ServeRequest

        return ServeRequest(
            directory,
            self.file,
            tuple(self.listen or ()),
            tuple(self.certificate or ()),
            tuple(self.key or ()),
            self.certificates,
            self.health,
            self.access_log,
        )


@app.command("serve")
@command
def serve(
    common: Common,
    serving: Serving,
    directory: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="Folder of DOMAIN.txt, or DOMAIN/mta-sts.txt.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", envvar="EXO_AUTH_SERVE_CHECK", help="Judge policies and certificates; stop."),
    ] = False,
    print_unit: Annotated[
        bool,
        typer.Option(
            "--print-unit", envvar="EXO_AUTH_SERVE_PRINT_UNIT", help="Print a systemd unit for this; stop."
        ),
    ] = False,
) -> None:
    """Serve the policies of many domains over HTTPS, until SIGTERM.

    A policy that does not parse is never served; the valid one before it is. Changed policies and certificates are
    taken up as they are asked for; SIGHUP reads all of them and opens the log anew. With --output json one line on
    stdout tells that it is ready, and stderr has one JSON object a line. Exit code 0 after SIGTERM, 64 when
    there is nothing to serve or the port cannot be had; with --check 3 when a file is refused.

    Example:  exo-auth mta-sts serve policies --certificates /etc/letsencrypt/live --health 127.0.0.1:8080
    """
    request = serving.request(directory)
    output = common.format.value
    if print_unit:
        put(_unit(request).rstrip("\n"))
    elif check:
        raise typer.Exit(_check(request, output))
    else:
        _serve(request, output)


def _serve(request: ServeRequest, output: str) -> None:
    from exo_auth.render.policy_server_text import event_line, ready_text, request_line
    from exo_auth.run.serve_policies import serve

    serve(
        request,
        os.environ,
        lambda served: request_line(served, output),
        lambda event: event_line(event, output),
        lambda line: print(line, file=sys.stderr, flush=True),
        lambda listen, health, state: put(ready_text(listen, health, state, output)),
    )


def _check(request: ServeRequest, output: str) -> int:
    from exo_auth.render.policy_server_text import check_text, event_line
    from exo_auth.run.serve_policies import judge

    state, problems = judge(request)
    put(check_text(state, output))
    for problem in problems:
        print(event_line(problem, "table"), file=sys.stderr)
    return EXIT_FINDINGS if problems else 0


def _unit(request: ServeRequest) -> str:
    import shutil

    from exo_auth.render.policy_server_text import unit_text
    from exo_auth.run.policy_server_config import setup_of, unit_arguments

    setup_of(request)  # what cannot be served gets no unit
    program = shutil.which("exo-auth") or sys.argv[0]
    arguments, credentials = unit_arguments(request)
    return unit_text(str(Path(program).resolve()), arguments, credentials)
