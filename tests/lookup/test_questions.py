"""Steps put their questions in rounds; one task asks them all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found
from exo_auth.lookup.questions import all_of, answered, ask, txt
from exo_auth.lookup.recorded import OfOneKind

ONE, TWO, THREE = (DomainName(name) for name in ("one.example", "two.example", "three.example"))


class Echo(OfOneKind):
    """Answers with the name and the type; keeps what was asked together."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []

    async def resolve(self, name: DomainName, rdtype: str) -> Any:
        return (await self.resolve_all([(name, rdtype)]))[0]

    async def resolve_all(self, questions: Sequence[tuple[DomainName, str]]) -> list[Any]:
        self.rounds.append([f"{name} {rdtype}" for name, rdtype in questions])
        return [Found((f"{name} {rdtype}",), timedelta(0)) for name, rdtype in questions]


async def _chain(*names: DomainName) -> list[str]:
    return [(await ask(name, "A")).values[0] for name in names]


async def _branches() -> list[Any]:
    return await all_of(_chain(ONE, TWO), all_of(ask(TWO, "MX"), _chain(THREE)), None)


def test_what_is_independent_is_asked_in_one_round() -> None:
    echo = Echo()
    found = asyncio.run(answered(echo, all_of(_branches(), ask(THREE, "NS"), _chain(ONE, TWO, THREE))))
    assert echo.rounds == [
        ["one.example A", "two.example MX", "three.example A", "three.example NS", "one.example A"],
        ["two.example A", "two.example A"],
        ["three.example A"],
    ]
    (first, (mx, third), none), ns, chain = found
    assert first == ["one.example A", "two.example A"]  # every step hears the answers to its own questions
    assert (mx.values, third, none) == (("two.example MX",), ["three.example A"], None)
    assert ns.values == ("three.example NS",)
    assert chain == ["one.example A", "two.example A", "three.example A"]


def test_steps_that_ask_nothing_ask_nobody() -> None:
    echo = Echo()
    assert asyncio.run(answered(echo, all_of(None, all_of()))) == [None, []]
    assert asyncio.run(answered(echo, txt(DomainName(".".join(["long" * 12] * 6))))).reason == "malformed"
    assert echo.rounds == []


class FaultError(Exception):
    pass


async def _breaks() -> None:
    await ask(ONE, "A")
    raise FaultError


@pytest.mark.filterwarnings("error")
def test_a_fault_ends_all_steps_and_is_told() -> None:
    ended = []

    async def other() -> None:
        try:
            await _chain(ONE, TWO, THREE)
        finally:
            ended.append(True)

    with pytest.raises(FaultError):
        asyncio.run(answered(Echo(), all_of(other(), _breaks(), _chain(TWO, THREE))))
    assert ended == [True]
