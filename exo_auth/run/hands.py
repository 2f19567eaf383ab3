"""What applying a plan needs from outside, as one value: so that each of them can be another in a test (run)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import MailDns
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig
from exo_auth.run.journal import JournalLine
from exo_auth.run.service_clock import ServiceClock, utc_now

if TYPE_CHECKING:
    from exo_auth.run.trades import Trade


class Listing(Protocol):
    """DKIM configurations as one look showed them; `TenantFacts` is one."""

    def dkim_config(self, domain: DomainName) -> DkimSigningConfig | None:
        """Give a domain's configuration, None where the tenant lists none; raises ExchangeError."""
        ...


class Reader(Protocol):
    """The reading half of Exchange: it has no method that changes anything."""

    @property
    def last_service_clock(self) -> datetime | None:
        """What time the last answer stated, UTC."""
        ...

    def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        """List the accepted domains."""
        ...

    def dkim_signing_configs(self) -> tuple[DkimSigningConfig, ...]:
        """List all DKIM configurations."""
        ...

    def dkim_listing(self) -> Listing:
        """List all DKIM configurations, to be decoded where they are looked at."""
        ...


class Writer(Protocol):
    """The writing half of Exchange: each method is one cmdlet; raises children of ExchangeError.

    What a method gives back is of no interest: only a later look tells what took effect.
    """

    def create_dkim_config(self, domain: DomainName, key_size: int) -> object:
        """Make keys, signing off."""
        ...

    def enable_dkim(self, domain: DomainName) -> object:
        """Switch signing on."""
        ...

    def disable_dkim(self, domain: DomainName) -> object:
        """Switch signing off."""
        ...

    def rotate_dkim(self, domain: DomainName, key_size: int | None) -> object:
        """Make the other selector the next to sign."""
        ...


class JournalKeeper(Protocol):
    """Where lines go; `Journal` is the one in use."""

    def append(
        self, event: str, *, run_id: str, at: datetime, service_time: datetime, body: dict[str, object]
    ) -> JournalLine:
        """Write one line and wait until it is on the disk."""
        ...


@dataclass(frozen=True)
class Patience:
    """How long apply looks for the effect of a write."""

    poll_every: timedelta = timedelta(seconds=15)
    poll_for: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class Hands:
    """Everything apply touches."""

    reader: Reader
    writer: Writer
    look_up: Callable[[DomainName], MailDns]  # fresh, past every cache of ours
    journal: JournalKeeper
    clock: ServiceClock
    say: Callable[[str], None] = lambda _text: None  # progress
    answer_limit: timedelta | None = (
        None  # how long the writer waits for an answer; then the outcome is unknown
    )
    is_stopped: Callable[[], bool] = lambda: False  # asked between two changes
    stop_code: Callable[[], int] = lambda: 130  # exit code once is_stopped is true
    sleep: Callable[[float], None] = time.sleep
    local_clock: Callable[[], datetime] = utc_now
    patience: Patience = Patience()
    trades: Mapping[str, Trade] = field(default_factory=dict)  # by what stands for the cmdlet
