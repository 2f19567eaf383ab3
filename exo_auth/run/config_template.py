"""The first configuration file: every setting with its meaning, those answered filled in (run)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from exo_auth.run.config_schema import Kind, Scope, Setting, in_scope
from exo_auth.run.config_values import render

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9./_-]*[A-Za-z/_-][A-Za-z0-9./_-]*")  # never a number to YAML
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_EXAMPLES = {  # for settings that have no default; Kind.SECRET has its own
    "profile": "production",
    "tenant": "contoso.onmicrosoft.com",
    "authority": "https://login.microsoftonline.com",
    "exchange_url": "https://outlook.office365.com",
    "ca_file": "proxy-root.pem",
    "nameservers": "[9.9.9.9, 1.1.1.1]",
    "trust_anchors": "trust-anchors.txt",
    "octodns_config": "octodns.yaml",
    "public_resolvers": "[1.1.1.1, 8.8.8.8, 9.9.9.9]",
    "state_dir": "/var/lib/exo-auth",
    "auth.method": "certificate",
    "auth.client_id": "11111111-2222-3333-4444-555555555555",
    "auth.certificate_file": "exo-auth.pem",
    "auth.federated_token_file": "/var/run/secrets/tokens/exo-auth",
    "auth.federated_command": "[gcloud, auth, print-identity-token]",
    "auth.managed_identity_client_id": "11111111-2222-3333-4444-555555555555",
    "auth.user": "admin@contoso.com",
    "tags": '{parked: [old.example, "*.brand.example"]}',
    "hooks.before_plan": "[/etc/exo-auth/before-plan]",
    "hooks.before_apply": "[/etc/exo-auth/before-apply]",
    "hooks.after_change": "[/etc/exo-auth/after-change]",
    "hooks.on_failure": "[/etc/exo-auth/on-failure, --page]",
    "hooks.after_run": "[/etc/exo-auth/after-run]",
    "hooks.keep": "[HTTPS_PROXY]",
    "notify.on": "[failure, finding]",
    "policy.dkim.ignore": '["*.vendor.com"]',
}
_HEAD = """\
# Configuration of exo-auth. A setting is taken from the first place that has it: the option, the EXO_AUTH_
# variable, the profile, this file, the default. `exo-auth config show --origin` says which it was.
# Secrets are not written here, only where they are kept: env:NAME, file:PATH, credential:NAME (systemd),
# keyring:SERVICE/USER or command:PROGRAM. Times are written 180d, 96h, 30m or 4d12h.
version: 1
"""
_TAIL = """
# Several tenants: each has a name of your choice (-t contoso) and may have its own settings.
# tenants:
#   contoso:
#     tenant_id: 11111111-2222-3333-4444-555555555555
#     initial_domain: contoso.onmicrosoft.com
#     auth:
#       client_id: 11111111-2222-3333-4444-555555555555

# Profiles lay settings over those above: -p careful.
# profiles:
#   careful:
#     limits:
#       changes_per_run: 1
"""


def first_config(answers: Mapping[str, str]) -> str:
    """Write a file that sets `answers`, by the keys of the settings table, and explains the other settings."""
    lines = [_HEAD]
    open_groups: tuple[str, ...] = ()
    for key, setting in in_scope(Scope.TOP).items():
        *groups, name = key.split(".")
        for depth, group in enumerate(groups):
            if open_groups[: depth + 1] != tuple(groups[: depth + 1]):
                lines.append(("" if depth else "\n") + "  " * depth + f"{group}:")
        open_groups = tuple(groups)
        indent = "  " * len(groups)
        lines.append(f"{indent}# {setting.help} [{setting.env}]")
        if key in answers:
            lines.append(f"{indent}{name}: {_scalar(answers[key])}")
        else:
            lines.append(f"{indent}#{name}: {_example(setting)}")
    return "\n".join(lines) + "\n" + _TAIL


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)  # JSON's strings are YAML's double-quoted ones


def _example(setting: Setting) -> str:
    if setting.kind is Kind.SECRET:
        return f"file:/run/secrets/{setting.key.rpartition('.')[2]}"
    return _EXAMPLES.get(setting.key) or render(setting.default)
