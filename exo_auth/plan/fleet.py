"""One command over many tenants: who takes part, which part of them, what is done again, and how it ended (plan, pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256

from exo_auth.errors import InputError
from exo_auth.plan.job import Event, events_of
from exo_auth.plan.outcome import worst_exit_code

STOPPED_AT_LIMIT = 9  # docs/EXIT_CODES.md: a safety limit
HINT = "dkim rotate --dry-run"
ALWAYS_DONE = frozenset({0, 2, 3, 4, 9, 10, 64})  # asked again at once, these would end the same way


@dataclass(frozen=True)
class Shard:
    """The part `index` of `count` parts, counted from 0 as schedulers do."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `I/N`; raises InputError."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
        if not found or not int(found[1]) < int(found[2]):
            raise InputError(f"“{text}” is no part of a fleet", hint="eight parts are 0/8, 1/8 … to 7/8")
        return cls(int(found[1]), int(found[2]))

    def holds(self, tenant: str) -> bool:
        """Is it this part that the tenant belongs to? A tenant that comes or goes moves no other."""
        number = int.from_bytes(sha256(tenant.encode()).digest()[:8])
        return number % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True)
class TenantEnd:
    """How the command ended for one tenant; `last_words` is the last line it said."""

    tenant: str
    exit_code: int
    seconds: float
    last_words: str = ""

    @property
    def failed(self) -> bool:
        """Did the run fail? Findings, waiting and changes are no failures."""
        return Event.FAILURE in events_of(self.exit_code, changed=False)


@dataclass(frozen=True)
class FleetRun:
    """One run: what was to be done for whom, and how far it came."""

    run_id: str
    command: tuple[str, ...]
    tenants: tuple[str, ...]
    shard: Shard = Shard()
    ends: Mapping[str, TenantEnd] | None = None

    @property
    def known(self) -> tuple[TenantEnd, ...]:
        """How it ended, for each tenant of which that is known, in the order of the tenants."""
        ends = self.ends or {}
        return tuple(ends[name] for name in self.tenants if name in ends)

    @property
    def not_started(self) -> tuple[str, ...]:
        """Tenants of which no end is known."""
        return tuple(name for name in self.tenants if name not in (self.ends or {}))

    @property
    def to_resume(self) -> tuple[str, ...]:
        """Tenants to go on with: no end is known, or it was one that may be different now."""
        again = {end.tenant for end in self.known if end.exit_code not in ALWAYS_DONE}
        return tuple(name for name in self.tenants if name in again or name not in (self.ends or {}))

    @property
    def exit_code(self) -> int:
        """The documented fold of all tenants' codes; 9 when somebody was left out."""
        codes = {end.exit_code if end.exit_code < 128 else 1 for end in self.known}
        return worst_exit_code(codes | ({STOPPED_AT_LIMIT} if self.not_started else set()))


def refuse_what_means_one_tenant(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raise InputError for a command that no two tenants can share."""
    for word in command:
        if word in ("-t", "--tenant") or word.startswith("--tenant="):
            raise InputError(f"{word} means one tenant", hint="choose tenants with --tenants before the --")
    for name in ("EXO_AUTH_OUT", "EXO_AUTH_DIGEST"):
        if environment.get(name):
            raise InputError(
                f"{name} means the plan of one tenant", hint=f"unset it; to look first: -- {HINT}"
            )
    if command[0] == "fleet":
        raise InputError("a fleet runs no fleet", hint=f"exo-auth fleet run -- {HINT}")


def choose(names: Sequence[str], patterns: Iterable[str], shard: Shard) -> tuple[str, ...]:
    """Choose tenants of the configuration by name or glob, all without a pattern, and of those the shard's.

    Raises InputError for a pattern that fits none: a slip of the pen must not pass for a quiet night.
    """
    wanted = tuple(patterns) or ("*",)
    if not names:
        raise InputError("the configuration names no tenants", hint="exo-auth tenant add NAME")
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"no tenant is called “{pattern}”", hint="exo-auth tenant list names them")
    chosen = (name for name in names if any(fnmatchcase(name, pattern) for pattern in wanted))
    return tuple(name for name in chosen if shard.holds(name))
