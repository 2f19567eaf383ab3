"""Check a message that somebody kept (run)."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path

from exo_auth.checks.message import MessageVerdict, judge_message
from exo_auth.errors import InputError
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings

MOST_OCTETS = 50 * 1024 * 1024


def read_message(file: str) -> bytes:
    """Read a message from a file or, for -, from standard input; raises InputError."""
    try:
        if file == "-":
            octets = sys.stdin.buffer.read(MOST_OCTETS + 1)
        else:
            with Path(file).open("rb") as opened:
                octets = opened.read(MOST_OCTETS + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", hint="give a message as .eml") from None
    if len(octets) > MOST_OCTETS:
        raise InputError(f"{file} is larger than 50 MiB", hint="receivers refuse such messages")
    if b":" not in octets[:1000]:
        raise InputError(f"{file} is no message", hint="give it whole, with its header, as .eml")
    return octets


def check_message(
    settings: Settings, octets: bytes, *, ip: str, mail_from: str, helo: str, now: datetime, trust: str = ""
) -> MessageVerdict:
    """Judge a message; raises InputError for an address that is none."""
    from exo_auth.lookup.message import gather_message_facts
    from exo_auth.lookup.spf_evaluation import Envelope

    try:
        envelope = Envelope.of(ip, mail_from, helo) if ip else None
    except ValueError:
        raise InputError(f"“{ip}” is no IP address", hint="write it like 192.0.2.1 or 2001:db8::1") from None

    async def ask() -> MessageVerdict:
        return judge_message(await gather_message_facts(resolver_for(settings), octets, envelope, trust), now)

    return asyncio.run(ask())
