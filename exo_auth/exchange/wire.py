"""`Wire`: one HTTPS question, one answer, and the proof whether the question left this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from exo_auth.exchange.http_answer import BodyTrouble, HttpAnswer
from exo_auth.exchange.reason import tidy

_CHUNK = 65536


@dataclass(frozen=True)
class Question:
    """What is asked: `connect` and `read` are time limits in seconds, `read` also that of the whole body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    connect: float
    read: float


@dataclass(frozen=True)
class NoAnswer:
    """Nothing came back. `sent` is False only when not one byte of the question was written."""

    what: str
    sent: bool
    hopeless: bool = False  # the next try ends the same way
    hint: str | None = None


class Wire:
    """One pooled session: no redirects, no netrc, no repetition behind our back; proxies from the environment."""

    def __init__(self, ca_file: str | None, *, clock: Callable[[], float], body_limit: int) -> None:
        self._verify: str | bool = ca_file or True
        self._clock = clock
        self._body_limit = body_limit
        self._adapter = _WatchingAdapter()
        self._session = _Session()
        # Else netrc replaces the Authorization header and REQUESTS_CA_BUNDLE the trusted roots.
        self._session.trust_env = False
        self._session.adapters.clear()
        self._session.mount("https://", self._adapter)

    def ask(self, question: Question) -> HttpAnswer | NoAnswer:
        """Send the question once and read the whole answer; raises nothing."""
        self._adapter.request_begun = False
        try:
            response = self._session.request(
                question.method,
                question.url,
                data=question.body,
                headers=dict(question.headers),
                timeout=(question.connect, question.read),
                verify=self._verify,
                proxies=get_environ_proxies(question.url),
                allow_redirects=False,
                stream=True,
            )
        except (
            OSError,
            urllib3.exceptions.HTTPError,
            ValueError,
        ) as error:  # a RequestException is an OSError
            return self._no_answer(error)
        with response:
            body = self._body(response, self._clock() + question.read)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if isinstance(body, BodyTrouble):
            return HttpAnswer(response.status_code, headers, None, body)
        return HttpAnswer(response.status_code, headers, body)

    def forget_connections(self) -> None:
        """Let go of idle connections, so that the next question cannot meet a dead one."""
        self._adapter.close()

    def close(self) -> None:
        """Close everything."""
        self._session.close()

    def _body(self, response: requests.Response, deadline: float) -> bytes | BodyTrouble:
        parts = bytearray()
        try:
            # read1 returns what is there: a body that drips in cannot outlast the deadline unseen
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                parts += chunk
                if len(parts) > self._body_limit:
                    return BodyTrouble.TOO_LARGE
                if self._clock() > deadline:
                    return BodyTrouble.SLOW
        except urllib3.exceptions.DecodeError:
            return BodyTrouble.UNDECODABLE
        except urllib3.exceptions.ReadTimeoutError:
            return BodyTrouble.SLOW
        except (OSError, urllib3.exceptions.HTTPError):
            return BodyTrouble.LOST
        return bytes(parts)

    def _no_answer(self, error: Exception) -> NoAnswer:
        sent = self._adapter.request_begun
        cause = _innermost(error)
        if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError)):
            return _refused_underway(error, cause, sent)
        if isinstance(error, requests.exceptions.Timeout):
            when = "waiting for the answer" if sent else "connecting"
            return NoAnswer(f"the time ran out while {when}", sent)
        if isinstance(error, (requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError)):
            return NoAnswer(f"the connection failed: {cause}", sent)
        # What remains is this machine's own: a missing CA file, a URL or header that cannot be sent. The
        # text stays hidden, because requests quotes the header, and the header may be the token's.
        what = f"the request could not be made ({type(error).__name__})"
        return NoAnswer(what, sent, hopeless=True, hint="check exchange_url, ca_file and HTTPS_PROXY")


def _refused_underway(error: Exception, cause: str, sent: bool) -> NoAnswer:
    if isinstance(error, requests.exceptions.ProxyError):
        return NoAnswer(f"the proxy failed: {cause}", sent, hint="check HTTPS_PROXY and NO_PROXY")
    if "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error):
        hint = "when a company proxy opens TLS, set the cloud's ca_file to its root certificate"
        return NoAnswer(f"the server's certificate is not trusted: {cause}", sent, hopeless=True, hint=hint)
    return NoAnswer(f"TLS failed: {cause}", sent)


class _Session(requests.Session):
    """Leaves redirects alone: `allow_redirects=False` still reads their bodies whole and parses Location."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - its signature
        return None


class _WatchingAdapter(HTTPAdapter):
    """Notices the moment from which a request may be on the wire: connected, shaken hands, first byte."""

    def __init__(self) -> None:
        self.request_begun = False
        super().__init__()  # its default is not to repeat anything

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._watched_pools()

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._watched_pools()
        return manager

    def _watched_pools(self) -> dict[str, type[HTTPConnectionPool]]:
        adapter = self

        class WatchedConnection(HTTPSConnection):
            # urllib3 calls it on a connected, verified socket; CONNECT to a proxy does not pass here
            def request(self, *args: Any, **kwargs: Any) -> None:
                adapter.request_begun = True
                super().request(*args, **kwargs)

        class WatchedPool(HTTPSConnectionPool):
            ConnectionCls = WatchedConnection

        return {"https": WatchedPool, "http": HTTPConnectionPool}


def _innermost(error: BaseException) -> str:
    """The bottom of requests' pile of wrappers, for one line."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in reversed(error.args) if isinstance(arg, BaseException)), None)
        error = inner or error.__cause__ or error
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return tidy(str(text)) or type(error).__name__
