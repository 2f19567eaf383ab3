"""One run's connections: token, admin API, DNS — opened when first needed, closed at the end (run).

`ReadingSession` has no way to a write. `WritingSession` adds one; only commands that write open it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exo_auth import __version__
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import MailDns
from exo_auth.identity.access_token import AccessToken, TokenSource
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.service_clock import ServiceClock
from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from datetime import timedelta

    from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
    from exo_auth.exchange.powershell import PowerShellTransport
    from exo_auth.exchange.rest import RestTransport
    from exo_auth.exchange.transport import Transport
    from exo_auth.lookup.resolver import Resolver
    from exo_auth.run.dane_steps import DaneLooks


WRITE_PATIENCE = 2.5  # a write that times out is unknown, not failed: it gets longer than a read


class ReadingSession:
    """Everything that looks: at the token, the tenant, DNS."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        *,
        warn: Callable[[str], None],
        prompt: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.settings = settings
        self.clock = ServiceClock()
        self.warn = warn
        self.sleep = sleep
        self._say = say
        self._environment = environment
        self._prompt = prompt or warn

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if "_transport" in self.__dict__:
            self._transport.close()

    @cached_property
    def tokens(self) -> TokenSource:
        """Where tokens come from."""
        from exo_auth.run.sign_in import tokens_for

        return tokens_for(self.settings, self._environment, warn=self.warn, prompt=self._prompt)

    @cached_property
    def token(self) -> AccessToken:
        """The first token of this run; raises SignInError."""
        return self.tokens.token()

    @property
    def tenant_id(self) -> str:
        """The tenant's GUID, from the token; what was configured when the token does not tell."""
        return self.token.tenant_id or self.settings.issuer_tenant

    @property
    def state(self) -> Path:
        """The folder of this tenant's journal and lock."""
        return self.settings.state_dir / "tenants" / self.tenant_id

    @cached_property
    def reader(self) -> ExchangeReader:
        """The reading half of the admin API."""
        from exo_auth.exchange.client import ExchangeReader

        return ExchangeReader(self._transport)

    @cached_property
    def dane_looks(self) -> DaneLooks:
        """What the stages of one plan have seen of domains on their way to DANE."""
        from exo_auth.run.dane_steps import DaneLooks

        return DaneLooks(self)

    def look_up(
        self, domains: Iterable[DomainName], on_done: Callable[[DomainName], None] | None = None
    ) -> dict[DomainName, MailDns]:
        """Ask DNS about the domains, all at once, past every cache of ours."""
        from exo_auth.lookup.mail_dns import gather_all

        return asyncio.run(
            gather_all(
                self.resolver(),
                tuple(domains),
                random_label=f"exo-auth-probe-{secrets.token_hex(6)}",
                on_done=on_done,
            )
        )

    def resolver(self) -> Resolver:
        """Give a new resolver, without memory of earlier answers."""
        return resolver_for(self.settings)

    @property
    def write_limit(self) -> timedelta:
        """How long a cmdlet that writes may take to answer."""
        return self.settings.timeouts.answer * WRITE_PATIENCE

    @cached_property
    def _transport(self) -> Transport:
        return self._powershell() if self.settings.transport == "powershell" else self._rest()

    def _rest(self) -> RestTransport:
        from exo_auth.exchange.rest import Limits, RestTransport

        timeouts = self.settings.timeouts
        return RestTransport(
            self.settings.cloud,
            self.tenant_id,
            self.tokens,
            user_agent=f"exo-auth/{__version__}",
            limits=Limits(
                connect=timeouts.connect.total_seconds(),
                read=timeouts.answer.total_seconds(),
                write=self.write_limit.total_seconds(),
            ),
            sleep=self._wait,
        )

    def _wait(self, seconds: float) -> None:
        """Wait before a read is tried again, and say so: a person should not wonder."""
        if seconds >= 1:
            self._say(f"the service is busy or out of reach; trying again in {seconds:.0f} s")
        self.sleep(seconds)

    def _powershell(self) -> PowerShellTransport:
        from exo_auth.exchange.powershell import PowerShellLimits, PowerShellTransport

        answer = self.settings.timeouts.answer.total_seconds()
        return PowerShellTransport(
            self.settings.cloud,
            self.tenant_id,
            self.settings.initial_domain or self.settings.tenant,
            self.tokens,
            environment=self._environment,
            limits=PowerShellLimits(read=answer, write=self.write_limit.total_seconds()),
            say=self._say,
        )


class WritingSession(ReadingSession):
    """A session that may change the tenant."""

    @cached_property
    def writer(self) -> ExchangeWriter:
        """The writing half of the admin API."""
        from exo_auth.exchange.client import ExchangeWriter

        return ExchangeWriter(self._transport)
