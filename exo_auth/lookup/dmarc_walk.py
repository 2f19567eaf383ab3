"""The DMARC tree walk (lookup). RFC 9989 §4.10."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dmarc import DmarcWalk, WalkStep
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing, MissingKind, Txt
from exo_auth.lookup.questions import answered, txt
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.shared import Shared
from exo_auth.records import dmarc
from exo_auth.records.dmarc import DmarcRecord

LONG_NAME = 8  # labels; from here on the walk jumps to the last seven


def walk_names(author: DomainName) -> Iterator[DomainName]:
    """Give the names of a walk, at most eight (RFC 9989 §4.10)."""
    yield author
    labels = author.labels
    rest = labels[-7:] if len(labels) >= LONG_NAME else labels[1:]
    for start in range(len(rest)):
        yield DomainName(".".join(rest[start:]))


async def walk(resolver: Resolver, author: DomainName) -> DmarcWalk:
    """Ask from the author domain towards the root; a record with psd=y or psd=n ends the walk."""
    return await answered(resolver, walk_steps(author))


async def step_at(resolver: Resolver, name: DomainName) -> WalkStep:
    """Ask for the DMARC records of one name."""
    return step_of(name, await answered(resolver, txt(policy_name(name))))


async def walk_steps(
    author: DomainName, at_author: WalkStep | None = None, known: Shared[WalkStep] | None = None
) -> DmarcWalk:
    """The steps of `walk`; `at_author` is the first one where it is there, `known` those of other domains' parents."""
    steps: list[WalkStep] = []
    for name in walk_names(author):
        step = at_author if at_author and not steps else await _step(name, known)
        steps.append(step)
        if step.failure:
            return DmarcWalk(author, tuple(steps), failure=f"_dmarc.{name}: {step.failure}")
        if isinstance(step.record, DmarcRecord) and step.record.psd in ("y", "n"):
            break
    exists, failure = True, ""
    if not steps[0].count:  # whether it exists decides between sp and np
        answer = await txt(author)
        exists = not (isinstance(answer, Missing) and answer.kind is MissingKind.NXDOMAIN)
        failure = f"{author}: {answer.detail}" if isinstance(answer, LookupFailed) else ""
    return DmarcWalk(author, tuple(steps), exists, failure)


async def _step(name: DomainName, known: Shared[WalkStep] | None) -> WalkStep:
    step = known.get(name.ascii) if known is not None else None
    if step is None:
        step = step_of(name, await txt(policy_name(name)))
        if known is not None and not step.failure:
            known.keep(name.ascii, step)
    return step


def policy_name(name: DomainName) -> DomainName:
    """Give the name at which a domain publishes its policy."""
    return DomainName(f"_dmarc.{name.ascii}")


def step_of(name: DomainName, answer: Answer[Txt]) -> WalkStep:
    """Read the TXT set at the policy name of `name`."""
    if isinstance(answer, LookupFailed):
        return WalkStep(name, failure=answer.detail)
    texts = [txt.text for txt in answer.values] if isinstance(answer, Found) else []
    records = [text for text in texts if dmarc.looks_like(text)]
    if len(records) != 1:  # several are all discarded, RFC 9989 §4.10 step 2
        return WalkStep(name, count=len(records))
    try:
        return WalkStep(name, _parsed(records[0]), records[0], 1)
    except RecordSyntaxError as error:
        return WalkStep(name, error, records[0], 1)


@lru_cache(maxsize=1024)  # records of parents, and of domains that share one, are met again and again
def _parsed(text: str) -> DmarcRecord:
    return dmarc.parse(text)
