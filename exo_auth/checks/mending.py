"""SPF records mended: what to paste in place of a faulty one (checks, pure). RFC 7208.

Only what is certain is changed, and nothing that might stop mail: a record that would name nobody any more is not
offered, and an open end becomes `~all`, not `-all`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, Missing, Txt
from exo_auth.facts.spf import SpfBranch, SpfNode
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Modifier, SpfRecord

SLIPS_OF_TERMS = {  # what people write for what they mean
    "ip": "ip4:",
    "ipv4": "ip4:",
    "ipv6": "ip6:",
    "includes": "include:",
    "host": "a:",
    "redirect": "redirect=",
}
TERM_BEGINS = re.compile(
    rb"[+?~-]?((include|ip4|ip6|exists|a|mx):|(redirect|exp)=|(all|a|mx|ptr)( |$))", re.IGNORECASE
)
_SLIP = re.compile(r"([+?~-]?)([a-z0-9]+)[:=]", re.IGNORECASE)
_ZEROS = re.compile(r"/0+(\d)")

Term = Mechanism | Modifier


@dataclass(frozen=True)
class Mended:
    """A text to publish, and the codes of the findings that it heals."""

    text: str
    heals: frozenset[str]


def mended_spf(tree: SpfNode) -> Mended | None:
    """Mend the record of a domain; None where nothing certain can be done."""
    heals: set[str] = set()
    if len(tree.texts) > 1:
        record = _merged(tree.texts)
        heals.add("SPF-MULTI")
    elif tree.texts:
        record = _readable(tree, heals)
    else:
        return None
    if record is None:
        return None
    terms = _terms(record)
    for code, change in _CHANGES:
        changed = change(terms, tree)
        if changed != terms and (_names_somebody(changed) or not _names_somebody(terms)):
            terms = changed
            heals.add(code)
    terms = _ended(terms, heals)
    dead = {branch.term.text for branch in tree.branches if _is_dead(branch)}
    if dead and not dead.intersection(terms):  # of two terms run together, say
        heals.add("SPF-DEADINC")
    text = " ".join([spf.VERSION, *terms])
    return Mended(text, frozenset(heals)) if heals and _parsed(text) is not None else None


def mended_leftover(texts: Iterable[str]) -> Mended | None:
    """Mend a text that looks like SPF and is none: quotes and blanks around it."""
    for text in texts:
        bare = text.strip("\"'“” ")
        record = _parsed(bare)
        if record is not None and bare != text:
            return Mended(bare, frozenset({"SPF-MISSING", "SPF-SUBDOMAIN", "SPF-LEFTOVER"}))
    return None


def _parsed(text: str) -> SpfRecord | None:
    try:
        return spf.parse(text)
    except RecordSyntaxError:
        return None


def _merged(texts: tuple[str, ...]) -> SpfRecord | None:
    """Put the terms of several records into one: who may send by any of them may send, the rest softly fails."""
    every = [_parsed(text) for text in texts]
    if any(record is None for record in every):
        return None
    terms = [term for record in every if record is not None for term in _terms(record)]
    senders = [term for term in terms if not _is_end(term)]
    ends = {term.lower() for term in terms if _is_end(term)}
    end = ends.pop() if len(ends) == 1 else "~all"
    return _parsed(" ".join([spf.VERSION, *dict.fromkeys(senders), end]))


def _readable(tree: SpfNode, heals: set[str]) -> SpfRecord | None:
    text = tree.texts[0]
    respaced = _respaced(tree.answer, text)
    if respaced != text and _parsed(respaced) is not None:
        heals.add("SPF-CHUNK")
        return _parsed(respaced)
    if isinstance(tree.record, SpfRecord):
        return tree.record
    heals.add("SPF-SYNTAX")
    words = re.split(r"[\s,;]+", text.strip("\"'“” ")[len(spf.VERSION) :].strip())
    return _parsed(" ".join([spf.VERSION, *map(_without_slip, filter(None, words))]))


def _respaced(answer: Answer[Txt] | None, text: str) -> str:
    """Join the strings of the record with the spaces that were lost between them."""
    for txt in answer.values if isinstance(answer, Found) else ():
        if txt.text != text:
            continue
        parts = list(txt.chunks[:1])
        for before, after in pairwise(txt.chunks):
            is_lost = before and not before.endswith(b" ") and TERM_BEGINS.match(after)
            parts.append(b" " + after if is_lost else after)
        return b"".join(parts).decode("ascii", errors="replace")
    return text


def _without_slip(word: str) -> str:
    match = _SLIP.match(word)
    better = SLIPS_OF_TERMS.get(match[2].lower()) if match else None
    if match and better:
        word = f"{match[1]}{better}{word[match.end() :]}"
    return _ZEROS.sub(r"/\1", word)


def _terms(record: SpfRecord) -> list[str]:
    every: list[Term] = [*record.mechanisms, *record.modifiers]
    return [term.text for term in sorted(every, key=lambda term: term.position)]


def _is_end(term: str) -> bool:
    return term.lstrip("+-~?").lower() == "all"


def _names_somebody(terms: list[str]) -> bool:
    return any(not _is_end(term) and not term.lower().startswith("exp=") for term in terms)


def _before_all(terms: list[str], _tree: SpfNode) -> list[str]:
    modifiers = [term for term in terms if re.match(r"[a-z][\w.-]*=", term, re.IGNORECASE)]
    end = next((n for n, term in enumerate(terms) if _is_end(term)), None)
    if end is None:
        return terms
    late = [term for term in terms[end + 1 :] if not _is_end(term) and term not in modifiers]
    return [*terms[:end], *late, terms[end], *(term for term in terms[end + 1 :] if term in modifiers)]


def _without_redirect(terms: list[str], _tree: SpfNode) -> list[str]:
    if not any(map(_is_end, terms)):
        return terms
    return [term for term in terms if not term.lower().startswith("redirect=")]


def _without_repetition(terms: list[str], _tree: SpfNode) -> list[str]:
    seen: set[str] = set()
    kept = []
    for term in terms:
        key = term.lower().removeprefix("+").rstrip(".")
        if key.startswith("include:") and key in seen:
            continue
        seen.add(key)
        kept.append(term)
    return kept


def _without(is_faulty: Callable[[SpfBranch], bool]) -> Callable[[list[str], SpfNode], list[str]]:
    def change(terms: list[str], tree: SpfNode) -> list[str]:
        faulty = {branch.term.text for branch in tree.branches if is_faulty(branch)}
        return [term for term in terms if term not in faulty]

    return change


def _is_dead(branch: SpfBranch) -> bool:
    """Does an include certainly lead to no record? What was not answered is not dead."""
    node = branch.node
    if branch.kind != "include" or node is None or node.is_loop or node.is_cut:
        return False
    return isinstance(node.answer, Found | Missing) and not isinstance(node.record, SpfRecord)


def _is_void(branch: SpfBranch) -> bool:
    if branch.is_void:
        return True
    return bool(branch.hosts) and all(
        isinstance(host.ipv4, Missing) and isinstance(host.ipv6, Missing) for host in branch.hosts
    )


def _leads_back(branch: SpfBranch) -> bool:
    def loops(node: SpfNode | None) -> Iterator[bool]:
        if node is not None:
            yield node.is_loop
            for below in node.branches:
                yield from loops(below.node)

    return branch.kind == "include" and any(loops(branch.node))


def _public_only(terms: list[str], tree: SpfNode) -> list[str]:
    record = tree.record
    inside = {
        mechanism.text
        for mechanism in (record.mechanisms if isinstance(record, SpfRecord) else ())
        if mechanism.network is not None and is_internal(mechanism.network)
    }
    return [term for term in terms if term not in inside]


def is_internal(network: spf.Network) -> bool:
    """Is it a network that no mail comes from over the Internet?"""
    return network.is_private or network.is_reserved or network.is_loopback or network.is_link_local


_CHANGES: tuple[tuple[str, Callable[[list[str], SpfNode], list[str]]], ...] = (
    ("SPF-AFTERALL", _before_all),
    ("SPF-REDIRECT-ALL", _without_redirect),
    ("SPF-DUPINC", _without_repetition),
    ("SPF-DEADINC", _without(_is_dead)),
    ("SPF-LOOP", _without(_leads_back)),
    ("SPF-VOID", _without(_is_void)),
    ("SPF-PRIVATE", _public_only),
)


def _ended(terms: list[str], heals: set[str]) -> list[str]:
    """End the record softly where its end lets everybody pass, says nothing, or is not there."""
    if any(term.lower().startswith("redirect=") for term in terms):
        return terms
    ends = [term for term in terms if _is_end(term)]
    if not ends:
        heals.add("SPF-NOALL")
        return [*terms, "~all"]
    code = {"+": "SPF-PLUSALL", "a": "SPF-PLUSALL", "?": "SPF-NEUTRAL"}.get(ends[0][0].lower())
    if code is None:
        return terms
    heals.add(code)
    return ["~all" if _is_end(term) else term for term in terms]
