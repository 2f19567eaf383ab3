"""Look-ups written down as steps that put questions, and the one place that has them answered (lookup; pure but for `answered`).

A step is a coroutine that awaits `ask`, `txt`, `mx`, `cname`, and `all_of` other steps. It touches no resolver: what it
wants to know goes up to `answered`, which asks a resolver all that is wanted by then at once, and goes on with the
answers. So looking at a domain takes as many rounds as its answers depend on each other, whatever it asks in each, and
one task in all; a task for each question would cost more than the question.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeAlias, TypeVar

from exo_auth.domain_name import MAX_NAME, DomainName
from exo_auth.facts.dns import Answer, FailureReason, LookupFailed, Txt
from exo_auth.lookup.answers import as_mx, as_names, as_txt
from exo_auth.lookup.resolver import Question, Resolver
from exo_auth.lookup.wire import Data, Mx

T = TypeVar("T")

Answers: TypeAlias = list[Answer[Data]]


async def answered(resolver: Resolver, steps: Coroutine[Any, Any, T]) -> T:
    """Take steps to their end, asking `resolver` what they want to know, all of one round at once."""
    answers: Answers | None = None
    try:
        while True:
            answers = await resolver.resolve_all(steps.send(answers))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


@coroutine
def ask(name: DomainName, rdtype: str) -> Generator[list[Question], Answers, Answer[Any]]:
    """Ask for any type, following CNAMEs; the values are as `wire.Record.data` has them."""
    (answer,) = yield [(name, rdtype)]
    return answer


@coroutine
def all_of(*steps: Coroutine[Any, Any, Any] | None) -> Generator[list[Question], Answers, list[Any]]:
    """Take several steps side by side: what they ask in the same round is asked at once. Where no step is, None is found."""
    if len(steps) == 1 and steps[0] is not None:
        return [(yield from steps[0])]
    results: list[Any] = [None] * len(steps)
    answers: Answers = []
    waiting = [(index, step, 0, 0) for index, step in enumerate(steps) if step is not None]
    try:
        while True:
            asked: list[Question] = []
            still = []
            for index, step, start, end in waiting:  # for the answers from start to end
                try:
                    wanted = step.send(answers[start:end] if answers else None)
                except StopIteration as finished:
                    results[index] = finished.value
                else:
                    still.append((index, step, len(asked), len(asked) + len(wanted)))
                    asked += wanted
            if not still:
                return results
            answers, waiting = (yield asked), still
    except BaseException:
        for _, step, _, _ in waiting:
            step.close()
        raise


@coroutine
def txt(name: DomainName) -> Generator[list[Question], Answers, Answer[Txt]]:
    """Ask for TXT, following CNAMEs."""
    if len(name.ascii) > MAX_NAME:
        return unaskable(name)
    (answer,) = yield [(name, "TXT")]
    return as_txt(answer)


async def mx(name: DomainName) -> Answer[Mx]:
    """Ask for MX, following CNAMEs."""
    return as_mx(await ask(name, "MX"))


async def cname(name: DomainName) -> Answer[DomainName]:
    """Ask for the CNAME of the name itself, following nothing."""
    return unaskable(name) if len(name.ascii) > MAX_NAME else as_names(await ask(name, "CNAME"))


def unaskable(name: DomainName) -> LookupFailed:
    """Say that a name is too long to be in DNS, so that nobody is asked for it."""
    text = name.ascii
    shown = text if len(text) <= 80 else f"{text[:80]}…"
    return LookupFailed(
        FailureReason.MALFORMED,
        f"{shown} has {len(text)} characters; DNS holds names of at most {MAX_NAME}",
        temporary=False,
    )
