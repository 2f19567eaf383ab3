"""`exo-auth auth` and `whoami`: sign in, and find out why it fails (cli)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import note, progress, put, put_part, warner
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.run.session import ReadingSession

app = typer.Typer(no_args_is_help=True)
certificate_app = typer.Typer(no_args_is_help=True)
app.add_typer(certificate_app, name="certificate", help="The certificate that an application signs in with.")


@app.command()
@command
def setup(
    common: Common,
    form: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="FORM",
            envvar="EXO_AUTH_SETUP_FORM",
            help="steps: for a person. script: for the Azure CLI, which shows first what it would do. "
            "role-group: in PowerShell, fewer rights than Exchange Administrator has.",
        ),
    ] = "steps",
    print_steps: Annotated[  # noqa: ARG001 - printing is all that happens; the word is for those who want to say so
        bool, typer.Option("--print", envvar="EXO_AUTH_PRINT", help="Print; that is all it does.")
    ] = True,
) -> None:
    """Print how to register the application: permission, consent, role, certificate. Nothing is changed.

    Example:  exo-auth auth setup --print
    """
    from exo_auth.identity.app_registration import register_app_script, role_group_script, setup_steps

    settings = common.settings()
    forms = {
        "steps": lambda: setup_steps(settings.cloud, settings.tenant or "contoso.onmicrosoft.com"),
        "script": register_app_script,
        "role-group": role_group_script,
    }
    if form not in forms:
        raise InputError(f"setup is not printed as “{form}”", hint=f"one of {', '.join(forms)}")
    put_part(forms[form]())


@app.command()
@command
def login(common: Common) -> None:
    """Sign a person in, by device code or browser, and keep the sign-in for later commands.

    Example:  EXO_AUTH_METHOD=device-code exo-auth auth login
    """
    from exo_auth.run.sign_in import PEOPLE

    with _session(common) as session:
        if session.settings.auth.method not in PEOPLE:
            raise InputError(
                f"the configured sign-in is {session.settings.auth.method or 'none'}, which needs no login",
                hint="set EXO_AUTH_METHOD=device-code or browser, or use `exo-auth auth test`",
            )
        token = session.token
    note(common, f"signed in as {token.user_name} until {token.expires_at:%Y-%m-%d %H:%MZ}")


@app.command()
@command
def logout(common: Common) -> None:
    """Forget the sign-in that is kept on this machine.

    Example:  exo-auth auth logout
    """
    from exo_auth.run.sign_in import forget

    note(common, forget(common.settings()))


@app.command()
@command
def status(common: Common) -> None:
    """Say how a sign-in would be done, and what is kept on this machine; nothing is asked of anybody.

    Example:  exo-auth auth status
    """
    from exo_auth.render.tenant_text import facts_text
    from exo_auth.run.sign_in import describe

    settings = common.settings()
    put(facts_text("auth-status", describe(settings), settings.output))


@app.command()
@command
def test(common: Common) -> None:
    """Sign in, and say which rights are there and which are missing, with the exact remedy.

    Example:  exo-auth auth test
    """
    from exo_auth.errors import NotPermitted, Refusal
    from exo_auth.identity.permission_advice import advice
    from exo_auth.render.tenant_text import facts_text
    from exo_auth.run.preflight import preflight

    with _session(common) as session:
        missing = advice(session.token, session.settings.cloud)
        for line in missing:
            note(common, line)
        preflight(session, ("Get-DkimSigningConfig", "Rotate-DkimSigningConfig", "Set-DkimSigningConfig"))
        organization = session.reader.organization()
        facts = {"organization": organization.name, **_claims(session)}
    put(facts_text("auth-test", facts, session.settings.output))
    if missing and not session.token.directory_roles:
        raise NotPermitted("rights are missing", refusal=Refusal.NO_ROLE, hint=missing[0])


@command
def whoami(common: Common) -> None:
    """Say who the token speaks for: tenant, application or user, roles, expiry.

    Example:  exo-auth whoami -o json
    """
    from exo_auth.render.tenant_text import facts_text

    with _session(common) as session:
        facts = _claims(session)
    put(facts_text("whoami", facts, session.settings.output))


@certificate_app.command("new")
@command
def certificate_new(
    common: Common,
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="PREFIX", envvar="EXO_AUTH_OUT", help="Writes PREFIX.pem and PREFIX.cer."
        ),
    ] = "exo-auth",
    days: Annotated[int, typer.Option("--days", envvar="EXO_AUTH_DAYS", help="How long it is valid.")] = 365,
    name: Annotated[
        str, typer.Option("--common-name", envvar="EXO_AUTH_COMMON_NAME", help="The subject's name.")
    ] = "exo-auth",
) -> None:
    """Make a key and a self-signed certificate for the application; the key's file is private to you.

    Example:  exo-auth auth certificate new --out app --days 180
    """
    from pathlib import Path

    from exo_auth.identity.certificate import make_certificate
    from exo_auth.render.tenant_text import facts_text
    from exo_auth.run.service_clock import utc_now

    made = make_certificate(Path(out), name, days, utc_now)
    facts = {
        "private file": str(made.private_file),
        "public file": str(made.public_file),
        "sha1 thumbprint": made.sha1,
        "sha256 thumbprint": made.sha256,
        "expires at": f"{made.expires_at:%Y-%m-%d %H:%MZ}",
    }
    put(facts_text("certificate", facts, common.settings().output))


@certificate_app.command("show")
@command
def certificate_show(
    common: Common,
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Default: the configured one.")] = None,
) -> None:
    """Show thumbprints and expiry of a certificate.

    Example:  exo-auth auth certificate show app.pem
    """
    from pathlib import Path

    from exo_auth.identity.certificate_file import read_signing_key, sha1_of, sha256_of
    from exo_auth.identity.credential import Certificate
    from exo_auth.render.tenant_text import facts_text
    from exo_auth.run.service_clock import utc_now

    settings = common.settings()
    path = Path(file) if file else settings.auth.certificate_file
    if path is None:
        raise InputError("no certificate is configured", hint="name a file, or set auth.certificate_file")
    secret = None if file else settings.auth.secret("certificate_passphrase", os.environ)
    found = read_signing_key(Certificate("", path, secret), utc_now()).certificate
    facts = {
        "file": str(path),
        "subject": found.subject.rfc4514_string(),
        "sha1 thumbprint": sha1_of(found),
        "sha256 thumbprint": sha256_of(found),
        "valid from": f"{found.not_valid_before_utc:%Y-%m-%d %H:%MZ}",
        "expires at": f"{found.not_valid_after_utc:%Y-%m-%d %H:%MZ}",
    }
    put(facts_text("certificate", facts, settings.output))


def _session(common: Common) -> ReadingSession:
    from exo_auth.run.session import ReadingSession

    return ReadingSession(
        common.settings(),
        os.environ,
        warn=warner(common),
        say=progress(common),
        prompt=lambda text: note(common, text),
    )


def _claims(session: ReadingSession) -> dict[str, str]:
    token = session.token
    return {
        "tenant id": token.tenant_id or session.settings.issuer_tenant,
        "kind": "application" if token.is_app_only else "user",
        "application": str(token.claims.get("appid") or token.claims.get("azp") or ""),
        "name": token.user_name or str(token.claims.get("app_displayname", "")),
        "permissions": ", ".join((*token.roles, *token.scopes)),
        "directory roles": ", ".join(sorted(token.directory_roles)),
        "audience": str(token.claims.get("aud", "")),
        "expires at": f"{token.expires_at:%Y-%m-%d %H:%M:%SZ}",
    }
