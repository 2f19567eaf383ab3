"""Domains given on the command line, in a file, or on standard input (cli)."""

from __future__ import annotations

from contextlib import ExitStack

from exo_auth.cli.check import lines_of, parsed
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError


def names_given(patterns: list[str] | None, file: str | None) -> list[DomainName]:
    """Give every name once, in their order; raises InputError for a bad name, and where there is none."""
    with ExitStack() as stack:
        names = [*parsed(patterns or []), *lines_of(patterns or [], file, stack)]
    if not names:
        raise InputError("no domain is named", hint="give domains, --file FILE, or - for standard input")
    return list(dict.fromkeys(names))
