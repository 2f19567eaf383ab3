"""Where tokens come from and how an answer becomes one: what all sources share (identity)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests

from exo_auth.cloud import Cloud
from exo_auth.errors import InputError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.secrets import Secret
from exo_auth.identity.sign_in_errors import Asker, refused
from exo_auth.identity.token_checks import check_life, checked_token

_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


@dataclass(frozen=True)
class TokenPlace:
    """One tenant of one cloud, and the means to ask there. `cache` is MSAL's token cache."""

    cloud: Cloud
    tenant: str
    cache: Any
    http: requests.Session
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        if not _TENANT.fullmatch(self.tenant):
            raise InputError(
                f"“{self.tenant}” cannot be a tenant", hint="give its directory id or one of its domains"
            )

    @property
    def authority(self) -> str:
        """The URL MSAL is given."""
        return f"{self.cloud.authority}/{self.tenant}"

    def asker(self, client_id: str, *hidden: str) -> Asker:
        """Say who asks here; `hidden` are texts that no message may show."""
        return Asker(client_id, self.tenant, self.cloud.authority, self.cloud.resource, hidden)

    def accept(self, answer: object, asker: Asker, tenant: str | None = None) -> AccessToken:
        """Turn MSAL's answer into a checked token; raises SignInError.

        `tenant` is the GUID that discovery gave for a domain name.
        """
        if not isinstance(answer, Mapping) or not isinstance(answer.get("access_token"), str):
            raise refused(answer if isinstance(answer, Mapping) else {}, asker)
        now = self.clock()
        token = checked_token(
            Secret(answer["access_token"]), tenant or self.tenant, now, life=_life(answer.get("expires_in"))
        )
        check_life(
            token, now, hint="a token just issued is not this old: this machine's clock is ahead; set it"
        )
        return token


def _life(expires_in: object) -> timedelta | None:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return None
    try:
        return timedelta(seconds=float(expires_in))
    except (ValueError, OverflowError):
        return None
