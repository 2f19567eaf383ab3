"""HTTPS for sign-in: time limits, one trusted root, no credentials from files we were not told of (identity)."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.util.retry import Retry

from exo_auth import __version__

CONNECT_TIMEOUT, READ_TIMEOUT = 10, 30  # seconds
LOCAL_CONNECT_TIMEOUT = 3  # seconds; an endpoint of this machine answers at once or is not there
_TRANSIENT = (500, 502, 503, 504)
_TRANSIENT_LOCAL = (410, 429, *_TRANSIENT)  # Azure's instance metadata asks for patience with these, too


class SignInSession(requests.Session):
    """A session whose every request carries our own trust and limits, whoever makes it."""

    def __init__(self, ca_file: str | None, *, is_local: bool = False, retries: int = 2) -> None:
        super().__init__()
        self._ca_file = ca_file
        self._is_local = is_local
        # REQUESTS_CA_BUNDLE must not replace our root, nor ~/.netrc an Authorization header.
        self.trust_env = False
        self.headers["User-Agent"] = f"exo-auth/{__version__}"
        retry = Retry(
            total=retries,
            backoff_factor=0.5,
            status_forcelist=_TRANSIENT_LOCAL if is_local else _TRANSIENT,
            allowed_methods=None,  # asking for a token changes nothing
            raise_on_status=False,
            respect_retry_after_header=False,  # it may name an hour
        )
        self.mount("https://", HTTPAdapter(max_retries=retry))
        self.mount("http://", HTTPAdapter(max_retries=retry))

    def request(  # type: ignore[override]  # MSAL passes all but these two by name
        self, method: str | bytes, url: str | bytes, **kwargs: Any
    ) -> requests.Response:
        """Send with our limits; a redirect is not followed, it would carry the secret elsewhere."""
        kwargs["timeout"] = (LOCAL_CONNECT_TIMEOUT if self._is_local else CONNECT_TIMEOUT, READ_TIMEOUT)
        kwargs["allow_redirects"] = False
        kwargs["verify"] = self._ca_file or True
        if not self._is_local:  # a metadata endpoint of this machine is never behind a proxy
            kwargs.setdefault("proxies", get_environ_proxies(str(url), no_proxy=None))
        return super().request(method, url, **kwargs)
