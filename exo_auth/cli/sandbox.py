"""`exo-auth sandbox`: start a tenant on loopback, move its clock, break it on purpose (cli)."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer

from exo_auth.cli.options import OutputFormat
from exo_auth.errors import CannotLook, InputError

app = typer.Typer(no_args_is_help=True)

Control = Annotated[
    str,
    typer.Option(
        "--control",
        metavar="URL",
        envvar="EXO_AUTH_SANDBOX_CONTROL",
        help="Management URL of the running sandbox.",
    ),
]


Scenario = Annotated[
    str,
    typer.Option(
        "--scenario", envvar="EXO_AUTH_SANDBOX_SCENARIO", help="demo, empty, onboarding, steady:N or due:N."
    ),
]
Port = Annotated[int, typer.Option("--port", envvar="EXO_AUTH_SANDBOX_PORT", help="HTTPS port; 0 picks one.")]
DnsPort = Annotated[
    int, typer.Option("--dns-port", envvar="EXO_AUTH_SANDBOX_DNS_PORT", help="DNS port; 0 picks one.")
]
MailPort = Annotated[
    int,
    typer.Option(
        "--mail-port", envvar="EXO_AUTH_SANDBOX_MAIL_PORT", help="Partners' SMTP port; 0 picks one."
    ),
]
HostNames = Annotated[
    list[str] | None,
    typer.Option(
        "--host-name", envvar="EXO_AUTH_SANDBOX_HOST_NAME", help="Extra name for the certificate. Repeatable."
    ),
]
State = Annotated[
    str | None,
    typer.Option("--state", metavar="DIR", envvar="EXO_AUTH_SANDBOX_STATE", help="Keep the tenant in DIR."),
]
SwitchTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--switch", metavar="NAME=VALUE", envvar="EXO_AUTH_SANDBOX_SWITCH", help="Decide a guess. Repeatable."
    ),
]
Output = Annotated[
    OutputFormat, typer.Option("-o", "--output", envvar="EXO_AUTH_OUTPUT", help="table or json.")
]


@app.command()
def start(
    scenario: Scenario = "demo",
    port: Port = 0,
    dns_port: DnsPort = 0,
    mail_port: MailPort = 0,
    host_name: HostNames = None,
    state: State = None,
    switch: SwitchTexts = None,
    octodns: Annotated[
        bool,
        typer.Option(
            "--octodns",
            envvar="EXO_AUTH_SANDBOX_OCTODNS",
            help="Let commands write its zones through octoDNS.",
        ),
    ] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Start a tenant on loopback and serve it until stopped.

    It prints the environment to paste into another terminal; then every command works against it. With
    --output json it prints one JSON line when it is ready.

    Example:  exo-auth sandbox start --scenario demo
    """
    from exo_auth.sandbox.serve import Sandbox, SandboxOptions

    options = SandboxOptions.from_options(
        scenario=scenario,
        port=port,
        dns_port=dns_port,
        mail_port=mail_port,
        extra_host_names=tuple(host_name or ()),
        state_dir=state,
        switches=tuple(switch or ()),
        publishes=octodns,
    )
    with Sandbox(options) as box:
        if output is OutputFormat.TABLE:
            print("# The sandbox tenant is ready. Paste this into another terminal; stop it with Ctrl-C.")
            for name, value in box.description.environment.items():
                print(f"export {name}='{value}'")
        else:
            print(box.description.to_json())
        sys.stdout.flush()
        box.serve_until_stopped()


@app.command()
def advance(
    by: Annotated[str, typer.Argument(metavar="TIME", help="How far, such as 4d, 96h or 30m.")],
    control: Control = "",
) -> None:
    """Move the running sandbox's clock.

    Example:  exo-auth sandbox advance 4d
    """
    answer = _ask(control, "advance", {"by": by})
    print(f"the sandbox's clock now reads {answer['now']}")


@app.command()
def reset(control: Control = "") -> None:
    """Put the running sandbox back to the state it started with.

    Example:  exo-auth sandbox reset
    """
    _ask(control, "reset", {})
    print("the sandbox is as it was at its start")


@app.command()
def policy(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="One of the sandbox's domains.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The policy, as `mta-sts build` writes it.")],
    control: Control = "",
) -> None:
    """Host an MTA-STS policy at mta-sts.DOMAIN of the running sandbox, over HTTPS, and let DNS lead there.

    What can go wrong with policy hosts are faults: exo-auth sandbox fault policy-expired -d DOMAIN

    Example:  exo-auth sandbox policy new.example mta-sts-bundle/policies/new.example.txt
    """
    from pathlib import Path

    try:
        text = Path(file).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the policy {file} cannot be read: {error}") from None
    _ask(control, "policy", {"domain": domain, "text": text})
    print(f"https://mta-sts.{domain}/.well-known/mta-sts.txt serves it")


@app.command()
def fault(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="Which fault; see --list.")] = None,
    cmdlet: Annotated[
        str | None, typer.Option("--cmdlet", envvar="EXO_AUTH_SANDBOX_CMDLET", help="Only for this cmdlet.")
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option("--domain", "-d", envvar="EXO_AUTH_SANDBOX_DOMAIN", help="Only for this domain."),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", envvar="EXO_AUTH_SANDBOX_COUNT", help="How often; 0 means always.")
    ] = 1,
    after: Annotated[
        int, typer.Option("--after", envvar="EXO_AUTH_SANDBOX_AFTER", help="Let this many calls pass first.")
    ] = 0,
    value: Annotated[
        str | None, typer.Option("--value", envvar="EXO_AUTH_SANDBOX_VALUE", help="The fault's own setting.")
    ] = None,
    list_kinds: Annotated[
        bool, typer.Option("--list", envvar="EXO_AUTH_SANDBOX_LIST", help="List the faults there are.")
    ] = False,
    clear: Annotated[
        bool, typer.Option("--clear", envvar="EXO_AUTH_SANDBOX_CLEAR", help="Take all faults back.")
    ] = False,
    control: Control = "",
) -> None:
    """Make the running sandbox misbehave.

    Example:  exo-auth sandbox fault reset-after --cmdlet Rotate-DkimSigningConfig
    """
    from exo_auth.sandbox.faults import FAULT_KINDS

    if list_kinds:
        for name, text in FAULT_KINDS.items():
            print(f"{name:<28} {text}")
    elif clear:
        _ask(control, "faults/clear", {})
        print("all faults are taken back")
    elif kind is None or kind not in FAULT_KINDS:
        raise InputError(f"there is no fault “{kind or ''}”", hint="exo-auth sandbox fault --list names them")
    else:
        body = {
            "kind": kind,
            "cmdlet": cmdlet,
            "domain": domain,
            "count": count,
            "after": after,
            "value": value,
        }
        _ask(control, "faults", {name: part for name, part in body.items() if part is not None})
        print(f"fault {kind} is set")


def _ask(control: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    import urllib.error
    import urllib.request

    if not control.startswith("http://127.0.0.1:"):
        raise InputError(
            "no running sandbox is named"
            if not control
            else f"“{control}” is not a sandbox's management URL",
            hint="paste the environment that `exo-auth sandbox start` prints, or give --control URL",
        )
    request = urllib.request.Request(  # noqa: S310 - the scheme and host were checked above
        f"{control.rstrip('/')}/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refused:
        text = refused.read().decode(errors="replace")
        raise InputError(f"the sandbox refused: {text}") from None
    except OSError as unreachable:
        raise CannotLook(
            f"the sandbox at {control} does not answer: {unreachable}",
            hint=f"is it still running? (pid of this shell: {os.getppid()})",
        ) from None
