"""What the policy server says: one line a request, one line an event, and its systemd unit (render, pure)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from exo_auth.facts.served import BAD_EVENTS, ServedRequest, ServerEvent
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible


def request_line(served: ServedRequest, output: str) -> str:
    """Write one request; as JSON it follows the schema mta-sts-log."""
    if output in ("json", "ndjson"):
        return _json(
            {
                "schema": "exo-auth/mta-sts-log/1",
                "at": _instant(served.at.isoformat(timespec="milliseconds")),
                "what": "request",
                "client": served.client,
                "host": served.host,
                "method": served.method,
                "target": served.target,
                "status": served.status,
                "octets": served.octets,
                "milliseconds": round(served.seconds * 1000, 1),
                "tls": served.tls,
                "agent": served.agent,
            }
        )
    return visible(
        f"{served.at:%Y-%m-%dT%H:%M:%SZ} {served.client} {served.host or '-'} "
        f'"{served.method or "-"} {_quoted(served.target)}" {served.status} {served.octets} '
        f'{served.seconds * 1000:.1f}ms {served.tls or "-"} "{_quoted(served.agent)}"'
    )


def event_line(event: ServerEvent, output: str) -> str:
    """Write one event; as JSON it follows the schema mta-sts-log."""
    if output in ("json", "ndjson"):
        return _json(
            {
                "schema": "exo-auth/mta-sts-log/1",
                "at": _instant(event.at.isoformat(timespec="milliseconds")),
                "what": event.kind.value,
                "subject": event.subject,
                "detail": event.detail,
            }
        )
    severity = "warning: " if event.kind in BAD_EVENTS else ""
    detail = f": {event.detail}" if event.detail else ""
    return visible(f"{event.at:%Y-%m-%dT%H:%M:%SZ} {severity}{event.kind} {event.subject}{detail}")


def ready_text(listen: Sequence[str], health: str | None, state: Mapping[str, Any], output: str) -> str:
    """Write what is served where, once the server listens; JSON on one line, for a program that waits for it."""
    if output in ("json", "ndjson"):
        return _json(
            {
                "schema": "exo-auth/mta-sts-serve/1",
                "listen": list(listen),
                "health": health,
                "policies": state["policies"],
                "refused": state["refused"],
                "certificates": state["certificates"],
            }
        )
    where = ", ".join(listen)
    count = len(state["policies"])
    lines = [f"{count} {'policy' if count == 1 else 'policies'} on {where}"]
    lines += [f"health on {health}"] if health else []
    lines += [f"refused: {visible(one['subject'])}: {visible(one['reason'])}" for one in state["refused"]]
    return "\n".join(lines)


def check_text(state: Mapping[str, Any], output: str) -> str:
    """Write what would be served, without serving it."""
    if output in ("json", "ndjson"):
        document = {
            "schema": "exo-auth/mta-sts-serve/1",
            "listen": [],
            "health": None,
            **{key: state[key] for key in ("policies", "refused", "certificates")},
        }
        return to_text(document) if output == "json" else _json(document)
    lines = [f"ok  {domain}" for domain in state["policies"]]
    lines += [
        f"ok  certificate for {', '.join(one['names'])} until {one['not_after']}"
        for one in state["certificates"]
    ]
    lines += [f"refused  {one['subject']}: {one['reason']}" for one in state["refused"]]
    return "\n".join(map(visible, lines))


def unit_text(program: str, arguments: Sequence[str], credentials: Mapping[str, str]) -> str:
    """Write a systemd unit. `credentials` are files that only root may read, by the name the unit gives them."""
    loaded = "".join(f"LoadCredential={name}:{path}\n" for name, path in credentials.items())
    command = " ".join(_word(word) for word in (program, "mta-sts", "serve", *arguments))
    return _UNIT.format(command=command, credentials=loaded)


_UNIT = """\
# /etc/systemd/system/exo-auth-mta-sts.service
# Certificates are copied when the service starts: let your ACME client run
# “systemctl restart exo-auth-mta-sts” after a renewal; requests under way are answered first.
# Policies are read when they are asked for; “systemctl reload exo-auth-mta-sts” reports on all of them.
[Unit]
Description=MTA-STS policies over HTTPS
Documentation=https://www.rfc-editor.org/rfc/rfc8461
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
{credentials}Restart=on-failure
RestartSec=2s
TimeoutStopSec=20s
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
MemoryMax=512M
PrivateDevices=yes
PrivateTmp=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
LogsDirectory=exo-auth-mta-sts
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def _word(text: str) -> str:
    """Write one argument for ExecStart; a credential's folder is the only variable in it."""
    if text.startswith("${CREDENTIALS_DIRECTORY}"):
        return text
    return shlex.quote(text).replace("%", "%%").replace("$", "$$")


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _instant(text: str) -> str:
    return text.replace("+00:00", "Z")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
