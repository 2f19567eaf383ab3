"""The README of a bundle: which steps, in which order, so that no sender ever meets half of a change (render, pure).

The order is that of RFC 8461 §8.1 and §8.3: the file first, then the record.
"""

from __future__ import annotations

from collections.abc import Sequence

from exo_auth.plan.mta_sts import PlannedPolicy
from exo_auth.render.records_text import record_line


def readme(kind: str, policies: Sequence[PlannedPolicy]) -> str:
    """Write the steps for a kind of host."""
    domain = policies[0].domain.ascii
    hosts = [f"mta-sts.{one.domain.ascii}" for one in policies]
    tests = [f"exo-auth mta-sts test {one.domain.ascii}" for one in policies]
    return _README.format(
        kind=kind,
        domain=domain,
        steps=_STEPS[kind].replace("DOMAIN", domain),
        hosts=_indented(hosts),
        tests=_indented(tests),
        records=_indented([record_line(one.record) for one in policies]),
    )


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


_README = """\
# MTA-STS policies for {kind}

Everything here was written by `exo-auth mta-sts build`. Do the steps in this order: a sender that sees a new id before
the new file keeps the old policy under the new id.

## 1. Put the policies up

{steps}
## 2. Point DNS at the host

The host names, each with a certificate of its own name from a public authority:

{hosts}

Before DNS points there, `exo-auth mta-sts test {domain} --connect-to HOST:443` fetches from the new host.

## 3. See what senders see

{tests}

## 4. Publish the records

First, where there is none, the address that hears of failures: `_smtp._tls.{domain} TXT "v=TLSRPTv1; rua=mailto:…"`.
Then:

{records}

The id is the digest of the file: after every change of a policy build again, put the files up, test, and then publish
the new id. Stay in mode testing for two weeks of reports without a fault before mode enforce.
"""

_STATIC_WEB_APPS = """\
One app for each domain, because an app serves the same files under all of its names. For DOMAIN:

    az staticwebapp create --name mta-sts-DOMAIN --resource-group mta-sts --location westeurope
    swa deploy ./DOMAIN --env production --deployment-token "$TOKEN"
    az staticwebapp hostname set --name mta-sts-DOMAIN --resource-group mta-sts --hostname mta-sts.DOMAIN

The name of an app takes letters, digits and hyphens: write hyphens for the dots. The token is what
`az staticwebapp secrets list --name … --query properties.apiKey` says. The last command waits for the CNAME of
step 2, and then gets the certificate.
"""

_FUNCTIONS = """\
One function app serves all domains, by host name.

    func azure functionapp publish NAME --python
    az functionapp config hostname add --name NAME --resource-group mta-sts --hostname mta-sts.DOMAIN
    az functionapp config ssl create --name NAME --resource-group mta-sts --hostname mta-sts.DOMAIN

Repeat the last two for each domain, and bind the certificate that the last one makes
(`az functionapp config ssl bind`). A function that sleeps wakes slowly; senders wait up to a minute (RFC 8461 §3.3).
"""

_WORKER = """\
One Worker serves all domains, by host name. The zones must be with Cloudflare; deploying makes the DNS records and
the certificates of step 2.

    npx wrangler deploy

Switch off what challenges clients (Bot Fight Mode, managed challenges) for these names: senders cannot solve them.
"""

_NGINX = """\
    install -d /etc/nginx/mta-sts/policies
    install -m 644 policies/*.txt /etc/nginx/mta-sts/policies/
    install -m 644 mta-sts.conf /etc/nginx/conf.d/
    certbot certonly --webroot -w /var/www/html -d mta-sts.DOMAIN        # for each domain, before nginx reloads
    nginx -t && nginx -s reload

No other server block may redirect these names; a redirect is a failure for senders (RFC 8461 §3.3).
"""

_CADDY = """\
    install -d /etc/caddy/mta-sts/policies
    install -m 644 policies/*.txt /etc/caddy/mta-sts/policies/
    install -m 644 Caddyfile /etc/caddy/mta-sts/
    # once: add the line “import mta-sts/Caddyfile” to /etc/caddy/Caddyfile
    caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy

Caddy gets the certificates by itself once DNS points there (step 2).
"""

_SERVE = """\
    exo-auth mta-sts serve policies --certificates /etc/letsencrypt/live --check
    exo-auth mta-sts serve policies --certificates /etc/letsencrypt/live --print-unit > /etc/systemd/system/exo-auth-mta-sts.service
    systemctl daemon-reload && systemctl enable --now exo-auth-mta-sts

Policies that change are taken up without a restart.
"""

_STEPS = {
    "azure-static-web-apps": _STATIC_WEB_APPS,
    "azure-functions": _FUNCTIONS,
    "cloudflare-worker": _WORKER,
    "nginx": _NGINX,
    "caddy": _CADDY,
    "serve": _SERVE,
}
