"""The admin API of the sandbox: who may ask, what, and what goes wrong on request (sandbox)."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from exo_auth.sandbox import cmdlet_errors, dnssec
from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.cmdlets import Cmdlets
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response, json_response
from exo_auth.sandbox.parameters import BY_LOWER_NAME, CMDLETS, WRITES, read_parameters
from exo_auth.sandbox.principal import (
    EXCHANGE_ADMINISTRATOR,
    GLOBAL_ADMINISTRATOR,
    MANAGE_AS_APP,
    BadToken,
    Principal,
)
from exo_auth.sandbox.refusal import NOT_FOUND, NeedsConfirmation, Refused
from exo_auth.sandbox.switches import Switches
from exo_auth.sandbox.tenant import SandboxTenant

PAGE_LIFE = timedelta(minutes=30)
LONGEST_BATCH = 10


@dataclass(frozen=True)
class LoggedRequest:
    """One request as it came, for assertions; the Authorization header is left out.

    `at` is when it came, by the sandbox's clock; `seconds` lie between its coming and its answer's going.
    """

    cmdlet: str
    identity: str
    at: datetime
    status: int
    headers: Mapping[str, str]
    document: Any
    path: str
    seconds: float = 0.0


@dataclass(frozen=True)
class _Call:
    """One InvokeCommand that passed all checks but the cmdlet's own."""

    cmdlet: str
    values: Mapping[str, Any]
    request: Request

    @property
    def domain(self) -> str:
        """What it is about: a domain, or the name of an object."""
        return _subject(self.values)

    @property
    def is_write(self) -> bool:
        return self.cmdlet in WRITES


class AdminApi:
    """Answers `/adminapi/…`. `verify` judges a bearer text; `host` is what paging links begin with."""

    def __init__(
        self,
        tenant: SandboxTenant,
        faults: Faults,
        clock: SandboxClock,
        switches: Switches,
        verify: Callable[[str], Principal | BadToken],
        host: str,
    ) -> None:
        self._tenant = tenant
        self._faults = faults
        self._clock = clock
        self._switches = switches
        self._verify = verify
        self._host = host
        self._cmdlets = Cmdlets(tenant, clock, switches)
        self._log: list[LoggedRequest] = []
        self._log_lock = threading.Lock()

    @property
    def log(self) -> tuple[LoggedRequest, ...]:
        """All requests so far."""
        with self._log_lock:
            return tuple(self._log)

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._log_lock:
            self._log.clear()

    def handle(self, request: Request) -> Response | None:
        """Answer a request; None when the path belongs to another door."""
        parts = [part for part in request.path.split("/") if part]
        if not parts or parts[0].lower() != "adminapi":
            return None
        at, begun = self._clock.now(), time.monotonic()
        cmdlet, identity, document = _told(request)
        response = self._finished(request, self._route(request, parts))
        taken = time.monotonic() - begun
        if fault := self._faults.take("latency", cmdlet=cmdlet, domain=identity):
            response = _not_sooner(response, _seconds_of(fault.value) - taken)
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        with self._log_lock:
            self._log.append(
                LoggedRequest(
                    cmdlet or parts[-1],
                    identity,
                    at,
                    response.status,
                    headers,
                    document,
                    request.path,
                    taken + response.delay_seconds,
                )
            )
        return response

    def _route(self, request: Request, parts: list[str]) -> Response:
        if len(parts) != 4:
            return Response(404)
        version, tenant, endpoint = parts[1].lower(), parts[2], parts[3].lower()
        principal = self._principal(request, tenant)
        if isinstance(principal, Response):
            return principal
        if (version, endpoint) == ("beta", "invokecommand"):
            return self._invoke(request, principal) if request.method == "POST" else Response(405)
        if (version, endpoint) == ("beta", "$batch"):
            return self._batch(request, principal)
        if (version, endpoint) == ("v1.0", "invokecommand"):
            return Response(405)
        if (version, endpoint) == ("v1.0", "exomodulefile"):
            return self._module_file(principal)
        if version == "v2.0":
            return self._official(request, principal, endpoint)
        if endpoint.startswith(("basicinfo", "exobanner")):
            return json_response(200, {"value": []})
        return Response(404)

    # Who asks

    def _principal(self, request: Request, tenant: str) -> Principal | Response:
        if fault := self._faults.take("expired-token"):
            return cmdlet_errors.unauthorized(fault.value or "The token is expired.")
        if self._faults.take("claims-challenge"):
            claims = {"access_token": {"nbf": {"essential": True, "value": "1700000000"}}}
            return cmdlet_errors.unauthorized("", json.dumps(claims))
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        found = self._verify(bearer) if scheme.lower() == "bearer" else BadToken("There is no bearer token.")
        if isinstance(found, BadToken):
            return cmdlet_errors.unauthorized(found.reason, found.claims)
        if tenant.lower() not in (self._tenant.tenant_id, self._tenant.initial_domain.lower()):
            return cmdlet_errors.unauthorized("The token is for another tenant.")
        return found

    def _granted(self, principal: Principal) -> frozenset[str]:
        if principal.directory_roles & {EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR}:
            return frozenset(CMDLETS)
        if principal.directory_roles:  # some reading role
            return frozenset(CMDLETS) - WRITES
        return frozenset()

    # InvokeCommand

    def _invoke(self, request: Request, principal: Principal) -> Response:
        call = self._call(request, principal)
        if isinstance(call, Response):
            return call
        before = self._fault_before(call)
        if before is not None:
            return before
        if (
            fault := self._faults.take("lag", cmdlet=call.cmdlet, domain=call.domain)
            if call.is_write
            else None
        ):
            self._tenant.hold_reads(timedelta(seconds=float(fault.value or 60)))
        return self._fault_after(call, self._run(call))

    def _call(self, request: Request, principal: Principal) -> _Call | Response:
        """Check permission, role, body and parameters, in the order in which the service does."""
        name, _, document = _told(request)
        may_call = (
            MANAGE_AS_APP in principal.roles
            if not principal.user_name
            else "Exchange.Manage" in principal.scopes
        )
        if not may_call:
            return cmdlet_errors.not_allowed_to_call(name)
        cmdlet = BY_LOWER_NAME.get(name.lower(), "")
        if cmdlet not in self._granted(principal) or self._faults.take("no-right", cmdlet=cmdlet):
            return cmdlet_errors.forbidden(declared_gzip=self._switches.nul_403_gzip)
        misrouted = self._misrouted(request, cmdlet)
        if misrouted is not None:
            return misrouted
        given = document["CmdletInput"].get("Parameters") if isinstance(document, dict) else None
        if not isinstance(given, dict):
            return cmdlet_errors.not_understood("ArgumentException", "Parameters is not an object.")
        values = read_parameters(cmdlet, given)
        return values if isinstance(values, Response) else _Call(cmdlet, values, request)

    def _misrouted(self, request: Request, cmdlet: str) -> Response | None:
        """Judge the anchor header, by which the service finds the tenant's server."""
        anchor = request.headers.get("x-anchormailbox")
        if anchor is None and self._faults.take("wrong-backend", cmdlet=cmdlet):
            return cmdlet_errors.cmdlet_failed(404, NOT_FOUND, "The object couldn't be found on 'SANDBOX02'.")
        if anchor is None and not self._switches.anchor_needed:
            return None
        if anchor is not None and self._is_anchor(anchor):
            return None
        return cmdlet_errors.not_understood(
            "ArgumentException", f"The anchor mailbox '{anchor}' is not valid."
        )

    def _is_anchor(self, anchor: str) -> bool:
        """Is the anchor of a form the service routes by, and of this tenant where it names one?"""
        kind, _, rest = anchor.partition(":")
        if kind == "APP":
            return bool(re.fullmatch(rf"SystemMailbox\{{[0-9a-f-]{{36}}\}}@{self._tenant.tenant_id}", rest))
        return kind in ("UPN", "MBX", "SMTP") and "@" in rest

    def _run(self, call: _Call) -> Response:
        try:
            rows, warnings = self._cmdlets.run(call.cmdlet, call.values)
        except NeedsConfirmation as question:
            envelope = self._envelope([], [])
            return json_response(200, {**envelope, "@adminapi.confirmationmessage": question.text})
        except Refused as refusal:
            is_missing = refusal.exception_type == NOT_FOUND
            status = int(self._switches.not_found_status) if is_missing else 400
            error_id = "Ex6F9304" if is_missing else ""
            return cmdlet_errors.cmdlet_failed(
                status, refusal.exception_type, refusal.text, error_id=error_id
            )
        if call.is_write and not rows and not warnings and self._switches.empty_write_body == "empty":
            return Response(200)
        if self._switches.nested_needs_full and call.cmdlet in dnssec.PARAMETERS:
            level = call.request.headers.get("x-serializationlevel", "Partial")
            rows = rows if level.lower() == "full" else dnssec.flattened(rows)
        return self._page(call, rows, warnings)

    def _page(self, call: _Call, rows: list[dict[str, Any]], warnings: list[str]) -> Response:
        size = _page_size(call.request)
        start = 0
        token = call.request.query.get("$skiptoken")
        if token is not None:
            if self._faults.take("stale-page", cmdlet=call.cmdlet) or self._switches.paging == "stale":
                return self._stale_page()
            place = _read_skip_token(token)
            anchor = call.request.headers.get("x-anchormailbox", "")
            if place is None or place["anchor"] != anchor:
                return self._stale_page()
            if datetime.fromisoformat(place["at"]) + PAGE_LIFE < self._clock.now():
                return self._stale_page()
            start = int(place["start"])
        document = self._envelope(_selected(rows[start : start + size], call.request), warnings)
        if start + size < len(rows):
            place = {
                "start": start + size,
                "at": self._clock.now().isoformat(),
                "anchor": call.request.headers.get("x-anchormailbox", ""),
            }
            link = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
            path = f"/adminapi/beta/{self._tenant.tenant_id}/InvokeCommand"
            document["@odata.nextLink"] = f"{self._host}{path}?%24skiptoken={link}"
        return json_response(200, document)

    def _envelope(self, rows: list[dict[str, Any]], warnings: list[str]) -> dict[str, Any]:
        context = f"{self._host}/adminapi/beta/{self._tenant.tenant_id}/$metadata#Collection(Exchange.GenericHashTable)"
        return {
            "@odata.context": context,
            "adminapi.warnings@odata.type": "#Collection(String)",
            "@adminapi.warnings": warnings,
            "value": rows,
        }

    def _stale_page(self) -> Response:
        return cmdlet_errors.cmdlet_failed(
            400,
            "System.ArgumentException",
            "Expired or Invalid pagination request. Default Expiry time is 00:30:00",
        )

    # Faults

    def _fault_before(self, call: _Call) -> Response | None:
        """Give what a fault answers in place of running the cmdlet."""
        for kind, answer in _BEFORE.items():
            fault = self._faults.take(kind, cmdlet=call.cmdlet, domain=call.domain)
            if fault is not None:
                return answer(fault.value)
        return None

    def _fault_after(self, call: _Call, response: Response) -> Response:
        """Bend the answer of a cmdlet that ran."""
        for kind, bend in _AFTER.items():
            fault = self._faults.take(kind, cmdlet=call.cmdlet, domain=call.domain)
            if fault is not None:
                return bend(response, fault.value)
        return response

    # The other endpoints

    def _module_file(self, principal: Principal) -> Response:
        granted = ",".join(sorted(self._granted(principal)))
        if not granted:
            return cmdlet_errors.forbidden(declared_gzip=self._switches.nul_403_gzip)
        file = {"fileName": "tmpEXO_sandbox.psm1", "fileContent": "# proxies", "exportedCmdlets": granted}
        return json_response(200, {"value": [file]})

    def _batch(self, request: Request, principal: Principal) -> Response:
        try:
            items = json.loads(request.body)["requests"]
            calls = [(str(item["id"]), item) for item in items]
        except (ValueError, KeyError, TypeError):
            return cmdlet_errors.not_understood("ArgumentException", "The batch holds no requests.")
        if len(calls) > LONGEST_BATCH:
            return cmdlet_errors.not_understood(
                "ArgumentException", f"A batch holds at most {LONGEST_BATCH} requests, not {len(calls)}."
            )
        responses = []
        for number, item in calls:
            headers = {**request.headers, **{k.lower(): str(v) for k, v in item.get("headers", {}).items()}}
            inner = replace(request, headers=headers, body=json.dumps(item.get("body", {})).encode())
            answer = self._invoke(inner, principal)
            body = json.loads(answer.body) if answer.body.startswith(b"{") else None
            responses.append({"id": number, "status": answer.status, "body": body})
        if responses and self._faults.take("batch-duplicate-id"):
            responses.append(responses[0])
        if responses and self._faults.take("batch-missing-item"):
            responses.pop()
        return json_response(200, {"responses": responses})

    def _official(self, request: Request, principal: Principal, endpoint: str) -> Response:
        """The documented v2.0 API: two endpoints, a permission of its own, two cmdlets."""
        wanted = {"accepteddomain": "Get-AcceptedDomain", "organizationconfig": "Get-OrganizationConfig"}.get(
            endpoint
        )
        if wanted is None:
            return Response(404)
        if "Exchange.ManageAsAppV2" not in principal.roles:
            return Response(403)
        name, _, document = _told(request)
        if name.lower() != wanted.lower():
            return cmdlet_errors.not_understood(
                "ArgumentException", f"{name} is not served by this endpoint."
            )
        values = read_parameters(wanted, document["CmdletInput"].get("Parameters") or {})
        return values if isinstance(values, Response) else self._run(_Call(wanted, values, request))

    def _finished(self, request: Request, response: Response) -> Response:
        headers = {
            "Date": format_datetime(self._clock.now(), usegmt=True),
            "request-id": str(uuid.uuid4()),
            "X-BEServer": "SANDBOX01",
            "X-CalculatedBETarget": "sandbox01.exo-auth.test",
            **response.headers,
        }
        body = response.body
        if (
            body
            and "gzip" in request.headers.get("accept-encoding", "")
            and "Content-Encoding" not in headers
        ):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        return replace(response, headers=headers, body=body)


def _told(request: Request) -> tuple[str, str, Any]:
    """Read cmdlet, identity and body of a request, as far as it has them."""
    try:
        document = json.loads(request.body) if request.body else None
        command = document["CmdletInput"] if isinstance(document, dict) else {}
        parameters = command.get("Parameters") or {}
        return str(command.get("CmdletName", "")), _subject(parameters), document
    except (ValueError, KeyError, AttributeError):
        return "", "", None


def _subject(parameters: Mapping[str, Any]) -> str:
    """Name what a call is about: an identity, a domain, or the name of what is made."""
    names = (parameters.get(key) for key in ("Identity", "DomainName", "Name"))
    return str(next(filter(None, names), ""))


def _page_size(request: Request) -> int:
    for part in request.headers.get("prefer", "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "odata.maxpagesize" and value.isdecimal():
            return max(1, min(1000, int(value)))
    return 1000


def _read_skip_token(token: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(base64.urlsafe_b64decode(token)))
    except (ValueError, TypeError):
        return None


def _selected(rows: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    wanted = {name.strip().lower() for name in request.query.get("$select", "").split(",") if name.strip()}
    if not wanted:
        return rows
    return [{key: value for key, value in row.items() if key.split("@")[0].lower() in wanted} for row in rows]


def _not_sooner(response: Response, seconds: float) -> Response:
    return replace(response, delay_seconds=max(response.delay_seconds, seconds, 0.0))


def _seconds_of(span: str | None) -> float:
    """Draw from a span of milliseconds, such as 150-300."""
    least, _, most = (span or "150-300").partition("-")
    return random.uniform(float(least), float(most or least)) / 1000  # noqa: S311 - nothing secret is drawn


def _throttled(value: str | None) -> Response:
    return Response(429, {"Retry-After": value} if value else {}, b"")


def _transient(value: str | None) -> Response:
    kind = f"Microsoft.Exchange.Data.Directory.{value or 'ServerBusyException'}"
    return cmdlet_errors.cmdlet_failed(400, kind, "The server is busy. This issue may be transient.")


def _redirect(value: str | None) -> Response:
    split = urlsplit(value or "https://regional.exo-auth.test")
    return Response(302, {"Location": f"https://{split.netloc or split.path}/adminapi/beta/"})


_BEFORE: dict[str, Callable[[str | None], Response]] = {
    "throttle": _throttled,
    "concurrency": lambda value: cmdlet_errors.concurrency(int(value or 503)),
    "transient": _transient,
    "unavailable": lambda value: cmdlet_errors.gateway(int(value or 503)),
    "reset-before": lambda _value: Response(200, hang_up=True),
    "redirect": _redirect,
    "refuse": lambda value: cmdlet_errors.cmdlet_failed(
        400, "Microsoft.Exchange.Management.Tasks.ValidationException", value or "The sandbox refuses."
    ),
}


def _broken_json(response: Response, _value: str | None) -> Response:
    return replace(response, body=(response.body or b'{"value": [')[: max(12, len(response.body) // 2)])


def _edited(response: Response, **changes: Any) -> Response:
    document = json.loads(response.body) if response.body else {"value": []}
    return json_response(response.status, {**document, **changes}, response.headers)


def _capital_value(response: Response, _value: str | None) -> Response:
    document = json.loads(response.body) if response.body else {"value": []}
    document["Value"] = document.pop("value", [])
    return json_response(response.status, document, response.headers)


def _string_booleans(response: Response, _value: str | None) -> Response:
    document = json.loads(response.body) if response.body else {"value": []}
    for row in document.get("value") or []:
        for key, value in row.items():
            if isinstance(value, bool):
                row[key] = str(value)
    return json_response(response.status, document, response.headers)


_AFTER: dict[str, Callable[[Response, str | None], Response]] = {
    "reset-after": lambda response, _value: replace(response, hang_up=True),
    "timeout-after": lambda response, value: replace(response, delay_seconds=float(value or 30)),
    "slow": lambda response, value: replace(response, delay_seconds=float(value or 2)),
    "slow-bytes": lambda response, value: replace(response, byte_delay_seconds=float(value or 0.05)),
    "wrong-json": _broken_json,
    "null-value": lambda response, _value: _edited(response, value=None),
    "capital-value": _capital_value,
    "string-booleans": _string_booleans,
    "errors-in-success": lambda response, value: _edited(
        response, **{"@adminapi.errors": [value or "The operation was only partly done."]}
    ),
    "stray-error": lambda response, _value: _edited(
        response, error={"code": "InternalServerError", "message": "Something went wrong."}
    ),
}
