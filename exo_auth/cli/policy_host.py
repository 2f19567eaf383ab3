"""`exo-auth mta-sts serve`, `build`, `test`: have a policy, and prove that senders get it (cli)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.check import EXIT_NO_VERDICT, FailOn, findings_exit_code
from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put
from exo_auth.cli.transport_security import mta_sts

if TYPE_CHECKING:
    from exo_auth.run.policy_server_config import ServeRequest

EXIT_FINDINGS = 3


class ForHost(StrEnum):
    """Where policies can be hosted."""

    STATIC_WEB_APPS = "azure-static-web-apps"
    FUNCTIONS = "azure-functions"
    WORKER = "cloudflare-worker"
    NGINX = "nginx"
    CADDY = "caddy"
    SERVE = "serve"


class PolicyMode(StrEnum):
    """What senders do when TLS fails."""

    TESTING = "testing"
    ENFORCE = "enforce"
    NONE = "none"


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


@dataclass(frozen=True)
class Wish:
    """What the policies shall say."""

    mode: Annotated[
        PolicyMode | None,
        typer.Option(
            "--mode",
            envvar="EXO_AUTH_POLICY_MODE",
            help="Mode of the policies. Default: that of the policy in force, testing for a first one.",
        ),
    ] = None
    mx: Annotated[
        list[str] | None,
        typer.Option(
            "--mx",
            metavar="PATTERN",
            envvar="EXO_AUTH_POLICY_MX",
            help="Host, or *. and a domain. Repeatable. Default: the published MX.",
        ),
    ] = None
    max_age: Annotated[
        int | None,
        typer.Option(
            "--max-age",
            metavar="SECONDS",
            envvar="EXO_AUTH_POLICY_MAX_AGE",
            help="How long senders keep it. Default: as in force, else 604800 for enforce and 86400.",
        ),
    ] = None
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch",
            envvar="EXO_AUTH_ALLOW_MISMATCH",
            help="Build also when a published MX is not listed.",
        ),
    ] = False


@app.command("build")
@command
def build(
    common: Common,
    wish: Wish,
    domain: Annotated[
        list[str],
        typer.Option(
            "-d", "--domain", metavar="DOMAIN", envvar="EXO_AUTH_DOMAIN", help="Which domain. Repeatable."
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", envvar="EXO_AUTH_OUT", help="Folder of the bundle.")
    ],
    for_host: Annotated[
        ForHost, typer.Option("--for", envvar="EXO_AUTH_BUILD_FOR", help="Where the policies will be hosted.")
    ],
) -> None:
    """Write the policies of domains, with all that a host needs to serve them: files, configuration, steps.

    What is listed is held against the published MX: exit code 9 when senders would refuse to deliver, 6 when
    the MX, or a policy that is in force, could not be looked at. Files that are as they should be stay untouched.

    Example:  exo-auth mta-sts build -d contoso.com --for nginx --out mta-sts-bundle
    """
    from exo_auth.render.policy_bundle import BundleKind, built_text, bundle
    from exo_auth.run.build_policies import plan_policies, wish_of
    from exo_auth.run.file_set import write_files

    settings = common.settings()
    mode = wish.mode.value if wish.mode is not None else None
    wished = wish_of(mode, wish.mx or (), wish.max_age, allow_mismatch=wish.allow_mismatch)
    policies = plan_policies(settings, domain, wished, keeps_mode=mode is None)
    kind = BundleKind(for_host.value)
    changed = write_files(Path(out), bundle(kind, policies))
    put(built_text(kind, out, policies, changed, settings.output))


@app.command("test")
@command
def try_host(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Which domain.")],
    connect_to: Annotated[
        str | None,
        typer.Option(
            "--connect-to",
            metavar="HOST:PORT",
            envvar="EXO_AUTH_CONNECT_TO",
            help="Fetch from here instead of from where DNS points.",
        ),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(
            "--ca-file",
            metavar="FILE",
            envvar="EXO_AUTH_CA_FILE",
            help="Root certificates (PEM) to trust beside the public ones.",
        ),
    ] = None,
) -> None:
    """Fetch the policy as a sending server would, from each address of the host, and hold it against the MX.

    Asks for no TXT record, so that a host can be tested before it is announced, and with --connect-to before DNS
    points to it. Exit code 0 when every address serves a policy that senders believe and that names every
    exchanger, 3 when not, 6 when something could not be looked up or an address not be reached from here.

    Example:  exo-auth mta-sts test contoso.com --connect-to 192.0.2.10:443
    """
    from exo_auth.render.policy_test_text import policy_test_text
    from exo_auth.run.try_policy_host import try_policy_host

    settings = common.settings({"ca_file": ca_file} if ca_file else None)
    tried = try_policy_host(settings, domain, connect_to, datetime.now(UTC))
    put(policy_test_text(tried.facts, tried.port, connect_to, tried.findings, settings.output))
    code = findings_exit_code([one.severity.value for one in tried.findings], FailOn.FAIL)
    if not tried.is_believed:
        raise typer.Exit(code or EXIT_FINDINGS)
    raise typer.Exit(code or (0 if tried.is_reached else EXIT_NO_VERDICT))
