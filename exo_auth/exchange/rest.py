"""`RestTransport`: cmdlets over the admin API that the official module itself uses (I/O)."""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from exo_auth.cloud import Cloud
from exo_auth.errors import Correlation, NotPermitted, ProtocolError, Refusal, TransportBroken
from exo_auth.exchange.addresses import Addresses, base_of
from exo_auth.exchange.answers import MORE_RESULTS, Page, page_of
from exo_auth.exchange.challenge import claims_challenge
from exo_auth.exchange.cmdlet import UNLIMITED
from exo_auth.exchange.cmdlets import ALLOWED, allowed_cmdlet
from exo_auth.exchange.errors_on_wire import Failure, failure_of
from exo_auth.exchange.grants import GRANTS, grants_of
from exo_auth.exchange.http_answer import Call, HttpAnswer
from exo_auth.exchange.lane import Lane
from exo_auth.exchange.retry import Repeater, RetryLimits
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.exchange.wire import NoAnswer, Question, Wire
from exo_auth.identity.access_token import AccessToken, TokenSource

T = TypeVar("T")
Reading = Callable[[HttpAnswer, Call, datetime], "T | Failure"]

_log = logging.getLogger(__name__)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SYSTEM_MAILBOX = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"  # the same in every tenant
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 3


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds, sizes in bytes, counts."""

    connect: float = 10.0
    read: float = 120.0
    write: float = 300.0  # a write that times out is unknown, not failed: give it longer
    body: int = 64 * 1024 * 1024
    pages: int = 1000
    page_size: int = 1000
    retry: RetryLimits = field(default_factory=RetryLimits)


@dataclass
class _Execution:
    """What the pages and retries of one execution share."""

    call: Call
    deadline: float
    renewed: bool = False  # has a 401 cost a new token already?
    answer: HttpAnswer | None = None  # the latest one


class RestTransport:
    """Runs cmdlets over HTTPS: one read and one write at a time, which may go side by side in two threads.

    `requests_sent` counts every request that was tried.
    """

    def __init__(
        self,
        cloud: Cloud,
        tenant_id: str,
        tokens: TokenSource,
        *,
        user_agent: str,
        anchor: str | None = None,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        now: Callable[[], datetime] = _utc_now,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        self._addresses = Addresses(cloud.exchange_url, tenant_id)
        self._base = base_of(cloud.exchange_url)
        self._tenant_id = tenant_id
        self._tokens = tokens
        self._user_agent = user_agent
        self._anchor = anchor
        self._limits = limits or Limits()
        self._sleep = sleep
        self._repeater = Repeater(self._limits.retry, sleep, clock, chance)
        self._clock = clock
        self._now = now
        self._new_id = new_id
        self._connection_id = new_id()
        self._reads, self._writes = (
            Lane(Wire(cloud.ca_file, clock=clock, body_limit=self._limits.body)) for _ in range(2)
        )
        self._count_lock = threading.Lock()
        self.requests_sent = 0

    def invoke(self, cmdlet: str, parameters: Mapping[str, Any], *, is_write: bool = False) -> CmdletAnswer:
        """Run `cmdlet` and follow its pages; a write is repeated only where nothing was done."""
        allowed = allowed_cmdlet(cmdlet, parameters, is_write=is_write)
        lane = self._writes if is_write else self._reads
        with lane.lock:
            if is_write:
                lane.prepare(self._clock())
            run = self._execution(cmdlet, is_write=is_write)
            result = self._listing(run, cmdlet, parameters)
            if isinstance(result, Failure) and result.stale_page:
                more = {"ResultSize": UNLIMITED} if "ResultSize" in allowed.parameters else {}
                result = self._listing(run, cmdlet, {**parameters, **more})
            lane.hush(self._clock(), None)
        if isinstance(result, Failure):
            raise result.error
        return result

    def granted_cmdlets(self) -> frozenset[str]:
        """Name the cmdlets the caller may run, lower case; the service lists them for its own module."""
        with self._reads.lock:
            run = self._execution(GRANTS, is_write=False)
            url = self._addresses.granted(self._base)
            names = self._ask(run, url, None, {"CommandName": "*"}, grants_of)
        if isinstance(names, Failure):
            raise names.error
        return names

    def close(self) -> None:
        """Let go of connections."""
        self._reads.wire.close()
        self._writes.wire.close()

    def _lanes(self, run: _Execution) -> tuple[Lane, Lane]:
        """Give the lane of a call, and the other one."""
        lanes = self._reads, self._writes
        return lanes[::-1] if run.call.is_write else lanes

    def _execution(self, name: str, *, is_write: bool) -> _Execution:
        call = Call(name, self._tenant_id, self._new_id(), is_write)
        return _Execution(call, self._repeater.deadline())

    def _listing(self, run: _Execution, cmdlet: str, parameters: Mapping[str, Any]) -> CmdletAnswer | Failure:
        question = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": dict(parameters)}}
        body = json.dumps(question, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "X-CmdletName": cmdlet,
            "X-SerializationLevel": ALLOWED[cmdlet].serialization,
            "Prefer": f"odata.maxpagesize={self._limits.page_size}",
        }
        asked = [self._addresses.cmdlets(self._base)]
        rows: list[Mapping[str, Any]] = []
        warnings: dict[str, None] = {}  # ordered, each once
        while True:
            page = self._ask(run, asked[-1], body, headers, page_of)
            if isinstance(page, Failure):
                return replace(page, stale_page=page.stale_page and len(asked) > 1)
            rows += page.rows
            warnings |= dict.fromkeys(page.warnings)
            if run.call.is_write or not page.next_link:
                break
            asked.append(self._next(page, asked, self._correlation(run)))
        if len(asked) > 1:  # it was said of a page, and the other pages are here
            warnings = {text: None for text in warnings if not text.startswith(MORE_RESULTS)}
        clock = run.answer.date if run.answer else None
        return CmdletAnswer(tuple(rows), self._correlation(run), tuple(warnings), clock)

    def _next(self, page: Page, asked: list[str], correlation: Correlation) -> str:
        link = self._addresses.trusted(page.next_link, asked[-1])
        if link is None:
            wrong = "leads out of the cloud; the token does not go there"
        elif link in asked:
            wrong = "leads back to a page already read"
        elif len(asked) >= self._limits.pages:
            wrong = f"would be followed after {self._limits.pages} pages"
        else:
            return link
        hint = "the listing is incomplete and was thrown away; try again"
        raise ProtocolError(f"the link to the next page {wrong}", correlation=correlation, hint=hint)

    def _ask(
        self, run: _Execution, url: str, body: bytes | None, extra: Mapping[str, str], read: Reading[T]
    ) -> T | Failure:
        lane, other = self._lanes(run)

        def attempt() -> T | Failure:
            if (quiet := other.quiet_until - self._clock()) > 0:
                self._sleep(quiet)
            result = ask()
            lane.hush(self._clock(), result.retry_after if isinstance(result, Failure) else None)
            return result

        def ask() -> T | Failure:
            token = self._checked(self._tokens.token(), run)
            answer = self._send(run, url, body, extra, token)
            if isinstance(answer, HttpAnswer) and answer.status == 401 and not run.renewed:
                run.renewed = True  # a 401 was not executed, so that a write may be asked again, too
                challenge = claims_challenge(answer.header("www-authenticate"))
                token = self._checked(self._tokens.token(challenge, renew=True), run)
                answer = self._send(run, url, body, extra, token)
            if isinstance(answer, Failure):
                return answer
            if 200 <= answer.status < 300:
                return read(answer, run.call, self._now())
            return failure_of(answer, run.call, token, self._now())

        return self._repeater.run(attempt, is_write=run.call.is_write, deadline=run.deadline)

    def _send(
        self, run: _Execution, url: str, body: bytes | None, extra: Mapping[str, str], token: AccessToken
    ) -> HttpAnswer | Failure:
        for _ in range(_HOPS):
            question = self._question(run, url, body, {**self._headers(run, token), **extra})
            with self._count_lock:
                self.requests_sent += 1
            run.answer = None
            lane, _ = self._lanes(run)
            answer = lane.wire.ask(question)
            if isinstance(answer, NoAnswer):
                _log.debug("%s: %s", self._correlation(run), answer.what)
                return self._nothing(run, answer, url)
            run.answer, lane.answered_at = answer, self._clock()
            _log.debug("%s", self._correlation(run))
            if answer.status not in _REDIRECTS:
                return answer
            # `requests` would make a GET of it and drop the token: the same POST goes there by hand.
            region = self._addresses.regional(answer.header("location"), url)
            if region is None:
                break
            self._base, url = base_of(region), region
        error = ProtocolError(
            f"{run.call.cmdlet} was redirected where the token must not go, or in a circle",
            correlation=self._correlation(run),
            hint="check the cloud's exchange_url; is a proxy with a login page in between?",
        )
        return Failure(error)

    def _question(
        self, run: _Execution, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Question:
        limits = self._limits
        left = max(1.0, run.deadline - self._clock())
        # Cutting a write short would only make its outcome unknown.
        read = limits.write if run.call.is_write else min(limits.read, left)
        return Question("GET" if body is None else "POST", url, headers, body, limits.connect, read)

    def _headers(self, run: _Execution, token: AccessToken) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token.text.reveal()}",
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "application/json",
            "Accept-Charset": "UTF-8",
            "Accept-Encoding": "gzip",
            "Accept-Language": "en-US",  # some answers are told apart by their text
            "User-Agent": self._user_agent,
            "X-ClientApplication": self._user_agent,
            "X-ResponseFormat": "json",
            "X-SerializationLevel": "Partial",
            "X-AnchorMailbox": self._anchor or anchor_of(token, self._tenant_id),
            "connection-id": self._connection_id,
            "client-request-id": run.call.client_request_id,
            "WarningAction": "",
        }

    def _checked(self, token: AccessToken, run: _Execution) -> AccessToken:
        text, tenant = token.text.reveal(), self._tenant_id.lower()
        wrong = ""
        if not text.isascii() or not text.isprintable() or not text or " " in text:
            wrong = "the access token holds characters that no HTTP header may hold"
        elif _GUID.fullmatch(tenant) and token.tenant_id not in ("", tenant):
            wrong = f"the access token is of tenant {token.tenant_id}, the work is on tenant {tenant}"
        if not wrong:
            return token
        raise NotPermitted(
            f"{run.call.cmdlet} was not sent: {wrong}",
            refusal=Refusal.TOKEN,
            correlation=self._correlation(run),
            hint=f"sign in to tenant {tenant}",
        )

    def _nothing(self, run: _Execution, lost: NoAnswer, url: str) -> Failure:
        self._base = base_of(self._addresses.exchange_url)  # a regional host that is gone is not asked again
        error = TransportBroken(
            f"no answer to {run.call.cmdlet} from {base_of(url)}: {lost.what}",
            sent=lost.sent,
            correlation=self._correlation(run),
            hint=lost.hint or "check the network, HTTPS_PROXY and the cloud's exchange_url",
        )
        return Failure(error, repeatable=not lost.hopeless)

    def _correlation(self, run: _Execution) -> Correlation:
        return run.call.correlation(run.answer, self._now())


def anchor_of(token: AccessToken, tenant_id: str) -> str:
    """Name the mailbox whose server works: the user's own, or for an app one that every tenant has.

    The same server sees what it has just written, so that all calls of a tenant share one anchor.
    """
    if not token.is_app_only and token.user_name:
        return f"UPN:{token.user_name}"
    return f"APP:{_SYSTEM_MAILBOX}@{tenant_id}"
