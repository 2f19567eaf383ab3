"""A record taken apart: its terms in plain words, with the faults marked at their place (render, pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from exo_auth.errors import RecordSyntaxError
from exo_auth.render.document import ONE_DOCUMENT, to_text
from exo_auth.render.safe_text import visible

_WHITE = re.compile(r"\s+")

WIDEST = 44  # columns of a term that its meaning stands beside
LONGEST = 76  # columns of a term that is shown whole
AROUND = 24  # characters shown on either side of a fault in a longer one


@dataclass(frozen=True)
class Term:
    """One part of a record; `at` is where it begins."""

    text: str
    at: int
    meaning: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong, and at which character."""

    at: int
    message: str

    @classmethod
    def of(cls, error: RecordSyntaxError, offset: int = 0) -> Fault:
        """Give the fault that a parser raised; `offset` is where the text it read begins."""
        return cls(error.position + offset, f"{error.reason}; expected {error.expected}")


@dataclass(frozen=True)
class TakenApart:
    """A whole record. Faults and terms are in the order of their places."""

    kind: str  # spf, dmarc, dkim-key, dkim-signature, mta-sts, mta-sts-policy, tls-rpt
    record: str
    terms: tuple[Term, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawTag:
    """One `name=value` of a record, whether it is right or not; the name is in lower case."""

    name: str
    value: str
    text: str
    at: int

    def term(self, meaning: str) -> Term:
        """Give the term with its meaning."""
        return Term(self.text, self.at, meaning)


def raw_tags(text: str, start: int = 0) -> Iterator[RawTag]:
    """Split at semicolons; empty parts are left out."""
    at = start
    for part in text[start:].split(";"):
        stripped = part.strip()
        if stripped:
            name, _, value = stripped.partition("=")
            yield RawTag(name.strip().lower(), value.strip(), stripped, at + part.index(stripped[0]))
        at += len(part) + 1


def apart_text(apart: TakenApart, output: str) -> str:
    """Write a record that was taken apart, for people or as JSON."""
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/record/1",
                "kind": apart.kind,
                "record": apart.record,
                "valid": not apart.faults,
                "terms": [{"term": t.text, "position": t.at, "meaning": t.meaning} for t in apart.terms],
                "faults": [{"position": f.at, "message": f.message} for f in apart.faults],
                "notes": list(apart.notes),
            },
            output,
        )
    lines = list(_lines(apart))
    lines += [f"note: {visible(note)}" for note in apart.notes]
    count = len(apart.faults)
    return "\n".join([*lines, f"{count} fault{'s' if count > 1 else ''}" if count else "no fault"])


def _lines(apart: TakenApart) -> Iterator[str]:
    shown = [visible(_on_one_line(term.text)) for term in apart.terms]
    width = max((len(text) for text in shown if len(text) <= WIDEST), default=0)
    inside = tuple(_by_term(apart))
    for term, text, faults in zip(apart.terms, shown, inside, strict=True):
        yield from _term_lines(term, text, faults, width)
    for fault in apart.faults:
        if not any(fault in faults for faults in inside):
            yield from _outside(apart.record, fault)


def _by_term(apart: TakenApart) -> Iterator[tuple[Fault, ...]]:
    """Give the faults in each term; what stands between two terms belongs to the first of them."""
    ends = [later.at for _, later in pairwise(apart.terms)]
    ends += [term.at + len(term.text) for term in apart.terms[-1:]]
    for term, end in zip(apart.terms, ends, strict=True):
        yield tuple(fault for fault in apart.faults if term.at <= fault.at < end)


def _term_lines(term: Term, shown: str, faults: tuple[Fault, ...], width: int) -> Iterator[str]:
    is_short = len(shown) <= WIDEST
    whole = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
    yield f"{whole.ljust(width)}  {visible(term.meaning)}".rstrip() if is_short else whole
    for fault in faults:
        column = len(visible(_on_one_line(term.text[: fault.at - term.at])))
        if len(shown) > LONGEST:
            start = max(0, column - AROUND)
            yield f"  …{shown[start : column + AROUND]}…"
            column += 3 - start
        yield f"{' ' * column}^ character {fault.at + 1}: {visible(fault.message)}"
    if not is_short and term.meaning:
        yield f"{' ' * width}  {visible(term.meaning)}"


def _on_one_line(text: str) -> str:
    return _WHITE.sub(" ", text)


def _outside(record: str, fault: Fault) -> Iterator[str]:
    """Mark a fault that lies in no term: before the first or behind the last one."""
    start = max(0, fault.at - LONGEST + 1)
    yield visible(record[start : fault.at + AROUND].replace("\n", " ").replace("\r", " "))
    yield f"{' ' * (fault.at - start)}^ character {fault.at + 1}: {visible(fault.message)}"
