"""Which command hangs where in the tree (cli)."""

from __future__ import annotations

import typer

from exo_auth.cli import (
    about,
    audit,
    auth,
    check,
    config,
    demo,
    dkim,
    dmarc,
    doctor,
    domain,
    init,
    journal,
    message,
    plan,
    policy_host,
    sandbox,
    snapshot,
    spf,
    tenant,
    transport_security,
)


def mount(app: typer.Typer) -> None:
    """Hang every command into the tree, in the order in which help lists them."""
    app.command("init")(init.init)
    app.command("doctor")(doctor.doctor)
    app.command("explain")(about.explain)
    app.add_typer(config.app, name="config", help="Look at and check the configuration.")
    app.add_typer(auth.app, name="auth", help="Sign in, and find out why it fails.")
    app.command("whoami")(auth.whoami)
    app.add_typer(tenant.app, name="tenant", help="The tenants of the configuration.")
    app.add_typer(domain.app, name="domain", help="The domains a tenant accepts mail for.")
    app.command("check")(check.check)
    app.add_typer(audit.app, name="audit", help="The rules of frameworks, and a score.")
    app.add_typer(snapshot.app, name="snapshot", help="What DNS and the tenant say, kept to be judged later.")
    app.command("plan")(plan.plan)
    app.command("apply")(plan.apply)
    app.add_typer(journal.app, name="journal", help="What was changed, when, by whom, with which result.")
    app.add_typer(dkim.app, name="dkim", help="DKIM signing: look, enable, rotate.")
    app.add_typer(spf.app, name="spf", help="SPF: who may send for a domain.")
    app.add_typer(dmarc.app, name="dmarc", help="DMARC: what receivers do with mail that fails.")
    app.add_typer(policy_host.app, name="mta-sts", help="MTA-STS: the policy for mail over TLS.")
    app.add_typer(transport_security.tls_rpt, name="tls-rpt", help="TLS-RPT: who hears of failing TLS.")
    app.add_typer(transport_security.dane, name="dane", help="DANE: certificates pinned in DNS.")
    app.add_typer(message.app, name="message", help="Why a message passed or failed.")
    app.add_typer(sandbox.app, name="sandbox", help="A tenant on loopback, to try everything on.")
    app.command("demo")(demo.demo)
    app.command("completion")(about.completion)
    app.command("version")(about.version)
    app.command("schema")(about.schema)
