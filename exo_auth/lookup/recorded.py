"""Resolvers that write down what they are told, and resolvers that tell what was written down (lookup)."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, LookupFailed, Txt
from exo_auth.facts.domain import FetchFault, PolicyFetch
from exo_auth.lookup.answers import as_mx, as_names, as_txt
from exo_auth.lookup.domain_facts import Fetch
from exo_auth.lookup.resolver import Question, Resolver
from exo_auth.lookup.wire import Data, Mx

Asked = tuple[str, str]  # name and type, or name and address


class OfOneKind(ABC):
    """All kinds of questions in terms of `resolve`."""

    @abstractmethod
    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask for any type, following CNAMEs."""

    async def txt(self, name: DomainName) -> Answer[Txt]:
        """Ask for TXT, following CNAMEs."""
        return as_txt(await self.resolve(name, "TXT"))

    async def mx(self, name: DomainName) -> Answer[Mx]:
        """Ask for MX, following CNAMEs."""
        return as_mx(await self.resolve(name, "MX"))

    async def cname(self, name: DomainName) -> Answer[DomainName]:
        """Ask for the CNAME of the name itself, following nothing."""
        return as_names(await self.resolve(name, "CNAME"))

    async def resolve_all(self, questions: Sequence[Question]) -> list[Answer[Data]]:
        """Ask several questions at once; the answers come in their order."""
        return list(await asyncio.gather(*(self.resolve(name, rdtype) for name, rdtype in questions)))


class RecordingResolver(OfOneKind):
    """Passes questions on to `inner` and keeps every answer in `answers`."""

    def __init__(self, inner: Resolver) -> None:
        self._inner = inner
        self.answers: dict[Asked, Answer[Data]] = {}

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask, and keep the answer."""
        answer = await self._inner.resolve(name, rdtype)
        self.answers[name.ascii, rdtype] = answer
        return answer

    async def resolve_all(self, questions: Sequence[Question]) -> list[Answer[Data]]:
        """Ask, and keep the answers."""
        answers = await self._inner.resolve_all(questions)
        for (name, rdtype), answer in zip(questions, answers, strict=True):
            self.answers[name.ascii, rdtype] = answer
        return answers


class ReplayingResolver(OfOneKind):
    """Answers from `answers` alone; what is not there is a failed look-up, never an absent record."""

    def __init__(self, answers: dict[Asked, Answer[Data]]) -> None:
        self._answers = answers

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Give the answer that was written down."""
        return self._answers.get((name.ascii, rdtype), _not_asked(f"{rdtype} of {name}"))


class RecordingFetch:
    """Fetches policies with `inner` and keeps them in `fetches`."""

    def __init__(self, inner: Fetch) -> None:
        self._inner = inner
        self.fetches: dict[Asked, PolicyFetch] = {}

    def __call__(self, domain: DomainName, address: str) -> PolicyFetch:
        """Fetch, and keep what came."""
        fetched = self._inner(domain, address)
        self.fetches[domain.ascii, address] = fetched
        return fetched


class ReplayingFetch:
    """Gives policies from `fetches` alone."""

    def __init__(self, fetches: dict[Asked, PolicyFetch]) -> None:
        self._fetches = fetches

    def __call__(self, domain: DomainName, address: str) -> PolicyFetch:
        """Give what was fetched then."""
        absent = PolicyFetch(address, FetchFault.UNREACHABLE, "not in the snapshot")
        return self._fetches.get((domain.ascii, address), absent)


def _not_asked(what: str) -> LookupFailed:
    return LookupFailed(
        FailureReason.NETWORK, f"{what} was not asked when the snapshot was taken", temporary=False
    )
