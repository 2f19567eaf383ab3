"""What the server answers to a request: a function from request to response, without a socket (policy_server).

RFC 8461 §3.2, §3.3; RFC 9110.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.policy_server.policies import ServedPolicy
from exo_auth.records.mta_sts_policy import matches

WELL_KNOWN = "/.well-known/mta-sts.txt"
PREFIX = "mta-sts."
HEALTH = "/healthz"

_HOST = re.compile(r"([a-z0-9._-]{1,255})(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")', re.ASCII)


@dataclass(frozen=True)
class Request:
    """Method and target as sent; header names are lower case, a repeated header is joined with commas."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The target without scheme and authority; a query stays, for no resource here has one."""
        if self.target.startswith("/"):
            return self.target
        try:
            whole = urlsplit(self.target)  # RFC 9112 §3.2.2: a server takes the absolute form, too
        except ValueError:
            return ""
        return whole.path + (f"?{whole.query}" if whole.query else "")

    @property
    def host(self) -> str | None:
        """The host asked for, lower case, without port and final dot; None where it is no host name."""
        try:
            authority = urlsplit(self.target).netloc if "://" in self.target else ""
        except ValueError:
            return None
        found = _HOST.fullmatch(authority or self.headers.get("host", ""))
        return found[1].lower().removesuffix(".") if found else None


@dataclass(frozen=True)
class Response:
    """Status, headers and body; the connection adds Date, Content-Length and Connection."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def plain(status: HTTPStatus, text: str = "", *headers: tuple[str, str]) -> Response:
    """Give an answer that only says what is the matter."""
    body = f"{status.value} {text or status.phrase}\r\n".encode()
    return Response(status, (("Content-Type", "text/plain"), *headers), body)


def answer_for_policy(
    request: Request, shown: tuple[str, ...], find: Callable[[DomainName], ServedPolicy | None]
) -> Response:
    """Answer a request on a connection that showed a certificate for the names `shown`."""
    host = request.host
    if host is None:
        return plain(HTTPStatus.BAD_REQUEST, "the request names no host")
    if not any(matches(name, host) for name in shown):
        # RFC 9110 §15.5.20: this connection does not speak for that host
        return plain(HTTPStatus.MISDIRECTED_REQUEST)
    policy = _policy_of(host, find)
    if policy is None or request.path != WELL_KNOWN:
        return plain(HTTPStatus.NOT_FOUND)
    if request.method not in ("GET", "HEAD"):
        return plain(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", "GET, HEAD"))
    headers = (
        ("ETag", policy.etag),
        ("Cache-Control", "no-cache"),  # RFC 8461 §3.3: nothing between server and sender may keep it
        ("X-Content-Type-Options", "nosniff"),
    )
    if _is_known(request.headers.get("if-none-match", ""), policy.etag):
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    return Response(HTTPStatus.OK, (("Content-Type", "text/plain"), *headers), policy.body)  # RFC 8461 §3.2


def answer_for_health(request: Request, status: HTTPStatus, document: str) -> Response:
    """Answer a probe with the state of the server."""
    if request.path != HEALTH:
        return plain(HTTPStatus.NOT_FOUND)
    if request.method not in ("GET", "HEAD"):
        return plain(HTTPStatus.METHOD_NOT_ALLOWED, "", ("Allow", "GET, HEAD"))
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Response(status, headers, f"{document}\n".encode())


def _policy_of(host: str, find: Callable[[DomainName], ServedPolicy | None]) -> ServedPolicy | None:
    if not host.startswith(PREFIX):
        return None
    try:
        return find(DomainName.parse(host.removeprefix(PREFIX)))
    except InputError:
        return None


def _is_known(condition: str, etag: str) -> bool:
    """Does If-None-Match name that tag? The comparison is weak (RFC 9110 §13.1.2)."""
    return condition.strip() == "*" or etag in _ETAG.findall(condition)
