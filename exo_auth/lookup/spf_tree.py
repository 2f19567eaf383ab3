"""The whole tree of SPF records behind a domain, as far as it is known before any message comes (lookup)."""

from __future__ import annotations

from functools import lru_cache

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.spf import HostAddresses, SpfBranch, SpfNode
from exo_auth.lookup.questions import all_of, answered, ask, mx, txt
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.spf_evaluation import as_name, can_be_asked, latin_text
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Modifier, SpfRecord
from exo_auth.records.spf_macro import MacroString

MOST_NODES = 60  # records; whoever grows beyond has long broken the limit of ten
MOST_HOSTS = 11  # exchangers looked at: one more than the limit of RFC 7208 §4.6.4


async def spf_tree(resolver: Resolver, domain: DomainName, answer: Answer[Txt] | None = None) -> SpfNode:
    """Read the record of `domain` and all that it includes; `answer` is its TXT set where it is known already."""
    return await answered(resolver, tree_steps(domain, answer))


async def tree_steps(domain: DomainName, answer: Answer[Txt] | None = None) -> SpfNode:
    """The steps of `spf_tree`."""
    return await _Tree().node(domain.ascii, (), answer)


class _Tree:
    def __init__(self) -> None:
        self._nodes = 0

    async def node(self, domain: str, above: tuple[str, ...], answer: Answer[Txt] | None = None) -> SpfNode:
        if domain in above:
            return SpfNode(domain, None, is_loop=True)
        self._nodes += 1
        if self._nodes > MOST_NODES:
            return SpfNode(domain, None, is_cut=True)
        if answer is None:
            answer = await txt(as_name(domain))
        texts = spf_texts(answer)
        if len(texts) != 1:
            return SpfNode(domain, answer, texts)
        try:
            record = _parsed(texts[0])
        except RecordSyntaxError as error:
            return SpfNode(domain, answer, texts, error)
        terms = asking_terms(record)
        if not terms:
            return SpfNode(domain, answer, texts, record)
        path = (*above, domain)
        branches = await all_of(*(self._branch(term, domain, path) for term in terms))
        return SpfNode(domain, answer, texts, record, tuple(branches))

    async def _branch(self, term: Mechanism | Modifier, domain: str, path: tuple[str, ...]) -> SpfBranch:
        target = _target(term, domain)
        if term.name == "ptr" or not target:
            return SpfBranch(term, target)
        if term.name in ("include", "redirect"):
            return SpfBranch(term, target, await self.node(target, path))
        if term.name == "mx":
            return await self._mx(term, target)
        return SpfBranch(term, target, hosts=(await self._addresses(target, both=term.name == "a"),))

    async def _mx(self, term: Mechanism | Modifier, target: str) -> SpfBranch:
        answer = await mx(as_name(target))
        if isinstance(answer, LookupFailed):
            return SpfBranch(term, target, failure=answer)
        names = [one.host for one in answer.values if one.host] if isinstance(answer, Found) else []
        if not names:
            return SpfBranch(term, target, is_void=True)
        hosts = await all_of(*map(self._addresses, names[:MOST_HOSTS]))
        return SpfBranch(term, target, hosts=tuple(hosts))

    async def _addresses(self, name: str, *, both: bool = True) -> HostAddresses:
        host = as_name(name)
        if not both:  # RFC 7208 §5.7
            ipv4 = await ask(host, "A")
            return HostAddresses(name, ipv4, ipv4)
        return HostAddresses(name, *await all_of(ask(host, "A"), ask(host, "AAAA")))


def asking_terms(record: SpfRecord) -> tuple[Mechanism | Modifier, ...]:
    """Give the terms that ask DNS: those up to `all`, or all of them and the redirect (RFC 7208 §4.6.4, §5.1)."""
    terms: list[Mechanism | Modifier] = []
    for mechanism in record.mechanisms:
        if mechanism.name == "all":
            return tuple(terms)
        if mechanism.costs_lookup:
            terms.append(mechanism)
    redirect = record.modifier("redirect")
    return (*terms, redirect) if redirect else tuple(terms)


def spf_texts(answer: Answer[Txt]) -> tuple[str, ...]:
    """Give the SPF records of a TXT set."""
    if not isinstance(answer, Found):
        return ()
    return tuple(text for text in map(latin_text, answer.values) if spf.looks_like(text))


@lru_cache(maxsize=1024)  # the records of the big providers stand behind every domain
def _parsed(text: str) -> SpfRecord:
    return spf.parse(text)


def _target(term: Mechanism | Modifier, domain: str) -> str:
    """Give the name a term leads to, "" where macros decide that of each message or where it cannot be asked."""
    spec: MacroString | None = term.value if isinstance(term, Modifier) else term.domain
    if spec is None:
        return domain
    if spec.letters() - {"d"}:
        return ""
    name = spec.expand({"d": domain}).rstrip(".").lower()
    return name if can_be_asked(name) else ""
