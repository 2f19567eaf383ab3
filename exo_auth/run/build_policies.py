"""Plan policies from what is published, and write bundles to a folder (run)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from exo_auth.domain_name import DomainName
from exo_auth.errors import ConfigError
from exo_auth.facts.dns import Answer
from exo_auth.facts.domain import Exchanger
from exo_auth.plan.mta_sts import PlannedPolicy, PolicyWish, plan_policy
from exo_auth.records.mta_sts_policy import Mode
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings

FILE_MODE = 0o644  # policies are public; the web server is somebody else


def plan_policies(settings: Settings, names: Sequence[str], wish: PolicyWish) -> tuple[PlannedPolicy, ...]:
    """Look up the MX of each domain and decide on its policy; raises what `plan_policy` raises."""
    domains = list(dict.fromkeys(DomainName.parse(name) for name in names))
    answers: Sequence[Answer[Exchanger] | None] = [None] * len(domains)
    if wish.needs_mx:
        answers = asyncio.run(_exchangers(settings, domains))
    return tuple(plan_policy(domain, wish, mx) for domain, mx in zip(domains, answers, strict=True))


def wish_of(mode: str, patterns: Sequence[str], max_age: int | None, *, allow_mismatch: bool) -> PolicyWish:
    """Give the wish that the words of a command line stand for."""
    return PolicyWish(Mode(mode), tuple(patterns), max_age, allow_mismatch)


def write_bundle(folder: Path, files: Mapping[str, str]) -> dict[str, bool]:
    """Write the files that differ from what is there, each in one step; tell of each whether it changed.

    Raises ConfigError with the file that cannot be written. Files of the folder that are not named stay.
    """
    return {name: _write(folder / name, text.encode("utf-8")) for name, text in files.items()}


async def _exchangers(settings: Settings, domains: Sequence[DomainName]) -> list[Answer[Exchanger]]:
    from exo_auth.lookup.domain_facts import mail_exchangers

    resolver = resolver_for(settings)
    return await asyncio.gather(*(mail_exchangers(resolver, domain) for domain in domains))


def _write(path: Path, content: bytes) -> bool:
    try:
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == content:
                return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, FILE_MODE)
                file.write(content)
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=str(path)) from None
    return True
