"""Everything a web host needs to serve policies: files, by path, for each kind of host (render, pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from exo_auth.plan.mta_sts import PlannedPolicy
from exo_auth.plan.receiver_effects import mta_sts_effects
from exo_auth.render.document import record_document, to_text
from exo_auth.render.policy_bundle_steps import readme
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table


class BundleKind(StrEnum):
    """Where the policies will be hosted."""

    STATIC_WEB_APPS = "azure-static-web-apps"
    FUNCTIONS = "azure-functions"
    WORKER = "cloudflare-worker"
    NGINX = "nginx"
    CADDY = "caddy"
    SERVE = "serve"


def bundle(kind: BundleKind, policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    """Give the files of a bundle, by path; policies have CRLF, everything else LF."""
    return {**_FILES[kind](policies), "README.md": readme(kind.value, policies)}


def built_text(
    kind: BundleKind, folder: str, policies: Sequence[PlannedPolicy], changed: Mapping[str, bool], output: str
) -> str:
    """Write what was built: policies, files, and the records that announce them."""
    if output == "json":
        return to_text(_document(kind, folder, policies, changed))
    if output != "table":
        columns = ("Domain", "Mode", "Max age", "MX", "Record")
        rows = tuple(
            (
                one.domain.unicode,
                one.policy.mode.value,
                str(one.policy.max_age),
                " ".join(one.policy.mx),
                one.record.value,
            )
            for one in policies
        )
        return Table(columns, rows).to_text(output)
    lines = [f"{'written  ' if is_new else 'unchanged'}  {folder}/{name}" for name, is_new in changed.items()]
    for one in policies:
        mx = ", ".join(one.policy.mx) or "nobody"
        lines.append(f"{one.domain.unicode}  mode {one.policy.mode}, max_age {one.policy.max_age}, mx {mx}")
        lines += [f"  warning: {warning}" for warning in one.warnings]
    effects = dict.fromkeys(text for one in policies for text in mta_sts_effects(one.policy))
    lines += [f"  note: {text}" for text in effects]
    lines += ["", "When every address of the hosts serves them (exo-auth mta-sts test), publish:"]
    lines += [f"  {record_line(one.record)}" for one in policies]
    return "\n".join(map(visible, lines))


def _document(
    kind: BundleKind, folder: str, policies: Sequence[PlannedPolicy], changed: Mapping[str, bool]
) -> dict[str, Any]:
    return {
        "schema": "exo-auth/mta-sts-build/1",
        "for": kind.value,
        "folder": folder,
        "domains": [
            {
                "domain": one.domain.ascii,
                "mode": one.policy.mode.value,
                "mx": list(one.policy.mx),
                "max_age": one.policy.max_age,
                "published_mx": list(one.published),
                "id": one.id,
                "record": record_document(one.record),
                "warnings": list(one.warnings),
                "notes": list(mta_sts_effects(one.policy)),
            }
            for one in policies
        ],
        "files": [{"path": name, "changed": is_new} for name, is_new in changed.items()],
    }


def _policy_files(policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    return {f"policies/{one.domain.ascii}.txt": one.text for one in policies}


def _static_web_apps(policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    """One app for each domain: an app serves the same files under all of its names."""
    files = {}
    for one in policies:
        files[f"{one.domain.ascii}/.well-known/mta-sts.txt"] = one.text
        files[f"{one.domain.ascii}/staticwebapp.config.json"] = _STATIC_WEB_APP
        files[f"{one.domain.ascii}/index.html"] = _INDEX
    return files


def _functions(policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    return {
        **_policy_files(policies),
        "function_app.py": _FUNCTION,
        "host.json": _HOST,
        "requirements.txt": "azure-functions\n",
    }


def _worker(policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    by_host = {f"mta-sts.{one.domain.ascii}": one.text for one in policies}
    routes = "".join(f'  {{ pattern = "{host}", custom_domain = true }},\n' for host in by_host)
    return {
        "worker.js": _WORKER.replace("POLICIES_HERE", json.dumps(by_host, indent=2)),
        "wrangler.toml": _WRANGLER.replace("ROUTES_HERE", routes),
    }


def _nginx(policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    servers = "\n".join(_NGINX.replace("DOMAIN", one.domain.ascii) for one in policies)
    return {**_policy_files(policies), "mta-sts.conf": servers}


def _caddy(policies: Sequence[PlannedPolicy]) -> dict[str, str]:
    sites = "\n".join(_CADDY.replace("DOMAIN", one.domain.ascii) for one in policies)
    return {**_policy_files(policies), "Caddyfile": sites}


_FILES: Mapping[BundleKind, Callable[[Sequence[PlannedPolicy]], dict[str, str]]] = {
    BundleKind.STATIC_WEB_APPS: _static_web_apps,
    BundleKind.FUNCTIONS: _functions,
    BundleKind.WORKER: _worker,
    BundleKind.NGINX: _nginx,
    BundleKind.CADDY: _caddy,
    BundleKind.SERVE: _policy_files,
}

_STATIC_WEB_APP = """\
{
  "routes": [
    {
      "route": "/.well-known/mta-sts.txt",
      "headers": {
        "Content-Type": "text/plain",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff"
      }
    }
  ],
  "mimeTypes": {
    ".txt": "text/plain"
  }
}
"""

_INDEX = """\
<!doctype html>
<html lang="en"><title>MTA-STS</title><p>This host serves the MTA-STS policy of a mail domain.</p></html>
"""

_FUNCTION = '''\
"""Serves MTA-STS policies: policies/DOMAIN.txt under the host mta-sts.DOMAIN."""

from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func

POLICIES = {file.stem: file.read_bytes() for file in (Path(__file__).parent / "policies").glob("*.txt")}

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("policy")
@app.route(route=".well-known/mta-sts.txt", methods=[func.HttpMethod.GET, func.HttpMethod.HEAD])
def policy(req: func.HttpRequest) -> func.HttpResponse:
    host = req.headers.get("host") or urlsplit(req.url).netloc
    domain = host.partition(":")[0].lower().removeprefix("mta-sts.")
    body = POLICIES.get(domain)
    if body is None:
        return func.HttpResponse("404 Not Found\\r\\n", status_code=404, mimetype="text/plain")
    headers = {"Content-Type": "text/plain", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return func.HttpResponse(body, status_code=200, headers=headers, mimetype="text/plain")
'''

_HOST = """\
{
  "version": "2.0",
  "extensions": {
    "http": {
      "routePrefix": ""
    }
  },
  "extensionBundle": {
    "id": "Microsoft.Azure.Functions.ExtensionBundle",
    "version": "[4.*, 5.0.0)"
  }
}
"""

_WORKER = """\
// Serves MTA-STS policies, by host.
const PATH = "/.well-known/mta-sts.txt";
const POLICIES = new Map(Object.entries(POLICIES_HERE));

export default {
  async fetch(request) {
    const url = new URL(request.url);
    const policy = POLICIES.get(url.hostname);
    if (policy === undefined || url.pathname !== PATH || url.search !== "") {
      return new Response("404 Not Found\\r\\n", { status: 404, headers: { "Content-Type": "text/plain" } });
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("405 Method Not Allowed\\r\\n", {
        status: 405,
        headers: { "Content-Type": "text/plain", Allow: "GET, HEAD" },
      });
    }
    return new Response(request.method === "HEAD" ? null : policy, {
      headers: {
        "Content-Type": "text/plain",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
      },
    });
  },
};
"""

_WRANGLER = """\
name = "mta-sts"
main = "worker.js"
compatibility_date = "2025-01-01"
workers_dev = false
routes = [
ROUTES_HERE]
"""

_NGINX = """\
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name mta-sts.DOMAIN;
    ssl_certificate     /etc/letsencrypt/live/mta-sts.DOMAIN/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/mta-sts.DOMAIN/privkey.pem;
    ssl_protocols       TLSv1.2 TLSv1.3;

    location = /.well-known/mta-sts.txt {
        types        { }
        default_type text/plain;
        add_header   Cache-Control no-cache;
        add_header   X-Content-Type-Options nosniff;
        alias        /etc/nginx/mta-sts/policies/DOMAIN.txt;
    }
    location / {
        return 404;
    }
}
"""

_CADDY = """\
mta-sts.DOMAIN {
	handle /.well-known/mta-sts.txt {
		root * /etc/caddy/mta-sts/policies
		rewrite * /DOMAIN.txt
		header Content-Type text/plain
		header Cache-Control no-cache
		header X-Content-Type-Options nosniff
		file_server
	}
	handle {
		respond 404
	}
}
"""
