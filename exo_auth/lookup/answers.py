"""Answers of any type as answers of the type that was asked for (lookup; pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, Found, Txt
from exo_auth.lookup.wire import Data, Mx

S = TypeVar("S")
T = TypeVar("T")


def as_txt(answer: Answer[Data]) -> Answer[Txt]:
    """Give the strings of TXT records as `Txt`."""
    if not isinstance(answer, Found):
        return answer
    values = tuple([Txt(value) for value in answer.values if isinstance(value, tuple)])
    return answer.holding(values)


def as_mx(answer: Answer[Data]) -> Answer[Mx]:
    """Give the exchangers of MX records as they are."""
    return _each(answer, Mx, lambda mx: mx)


def as_names(answer: Answer[Data]) -> Answer[DomainName]:
    """Give the names that CNAME, NS or PTR records hold as `DomainName`."""
    return _each(answer, str, DomainName)


def _each(answer: Answer[Data], kind: type[S], turn: Callable[[S], T]) -> Answer[T]:
    if not isinstance(answer, Found):
        return answer
    values = tuple([turn(value) for value in answer.values if isinstance(value, kind)])
    return answer.holding(values)
