"""The whole tree of SPF records behind a domain, as far as it is known before any message comes (lookup)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.spf import HostAddresses, SpfBranch, SpfNode
from exo_auth.lookup.questions import all_of, answered, ask, mx, txt
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.shared import Shared
from exo_auth.lookup.spf_evaluation import as_name, can_be_asked, latin_text
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Modifier, SpfRecord
from exo_auth.records.spf_macro import MacroString

MOST_NODES = 60  # records; whoever grows beyond has long broken the limit of ten
MOST_HOSTS = 11  # exchangers looked at: one more than the limit of RFC 7208 §4.6.4


async def spf_tree(resolver: Resolver, domain: DomainName, answer: Answer[Txt] | None = None) -> SpfNode:
    """Read the record of `domain` and all that it includes; `answer` is its TXT set where it is known already."""
    return await answered(resolver, tree_steps(domain, answer))


class Subtree(NamedTuple):
    """A record with all it leads to, without a failure, a loop or a cut; `names` are the domains in it."""

    node: SpfNode
    names: frozenset[str]


async def tree_steps(
    domain: DomainName, answer: Answer[Txt] | None = None, known: Shared[Subtree] | None = None
) -> SpfNode:
    """The steps of `spf_tree`; `known` holds what other domains include too."""
    return await _Tree(known or Shared()).node(domain.ascii, (), answer)


class _Tree:
    def __init__(self, known: Shared[Subtree]) -> None:
        self._known = known
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
            return SpfBranch(term, target, await self._subtree(target, path))
        if term.name == "mx":
            return await self._mx(term, target)
        return SpfBranch(term, target, hosts=(await self._addresses(target, both=term.name == "a"),))

    async def _subtree(self, domain: str, above: tuple[str, ...]) -> SpfNode:
        known = self._known.get(domain)
        if known is not None and known.names.isdisjoint(above):
            size = self._nodes + len(known.names)
            if size <= MOST_NODES:
                self._nodes = size
                return known.node
        node = await self.node(domain, above)
        names = _names_in(node)
        if names:
            self._known.keep(domain, Subtree(node, names))
        return node

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


def _names_in(node: SpfNode) -> frozenset[str]:
    """Name the domains of a tree; none where something in it may be otherwise the next time, or below another."""
    names = {node.domain}
    if node.answer is None or isinstance(node.answer, LookupFailed):
        return frozenset()
    for branch in node.branches:
        addresses = [answer for host in branch.hosts for answer in (host.ipv4, host.ipv6)]
        if branch.failure or any(isinstance(answer, LookupFailed) for answer in addresses):
            return frozenset()
        if branch.node is not None:
            below = _names_in(branch.node)
            if not below:
                return frozenset()
            names |= below
    return frozenset(names)


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
    text = spec.text
    if "%" in text:
        if spec.letters() - {"d"}:
            return ""
        text = spec.expand({"d": domain})
    name = text.rstrip(".").lower()
    return name if can_be_asked(name) else ""
