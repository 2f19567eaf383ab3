"""SPF records in plain words (render, pure). RFC 7208."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Modifier, SpfRecord
from exo_auth.records.spf_macro import Macro
from exo_auth.render.record_terms import Fault, TakenApart, Term

_MEANINGS = {
    "include": "whoever passes the record of {domain}",
    "a": "the addresses of {domain}",
    "mx": "the mail exchangers of {domain}",
    "ptr": "addresses whose name lies in {domain} (slow, and discouraged by RFC 7208 §5.5)",
    "exists": "anybody for whom the name {domain} exists",
}
_VERDICTS = {
    "pass": "may send",
    "fail": "must not send",
    "softfail": "probably may not send",
    "neutral": "is not judged",
}
_RESULTS = {
    "pass": "pass",
    "fail": "fail: receivers may refuse the mail",
    "softfail": "softfail: the mail is suspicious, and mostly taken",
    "neutral": "neutral, as if there were no record",
}
_WORDS = re.compile(r"[^ ]+")


def spf_apart(text: str) -> TakenApart:
    """Take a record apart; each term is read by itself, so that all that are wrong are marked."""
    if not spf.looks_like(text):
        error = RecordSyntaxError("no SPF record", position=0, expected="v=spf1 and a space")
        return TakenApart("spf", text, (), (Fault.of(error),))
    terms = [Term(text[:6], 0, "an SPF record: who may send with the domain in the envelope")]
    faults: list[Fault] = []
    for match in _WORDS.finditer(text, 6):
        term, fault = _term(match.group(), match.start())
        terms.append(term)
        faults += [fault] if fault else []
    try:
        record = spf.parse(text)
    except RecordSyntaxError as error:
        faults = faults or [Fault.of(error)]  # such as a second redirect, which no term shows alone
        notes = ["a fault makes the whole record void: permerror for all mail (RFC 7208 §4.6)"]
        return TakenApart("spf", text, tuple(terms), tuple(faults), tuple(notes))
    return TakenApart("spf", text, tuple(terms), (), tuple(_notes(record)))


def _term(word: str, at: int) -> tuple[Term, Fault | None]:
    try:
        record = spf.parse(f"{spf.VERSION} {word}")
    except RecordSyntaxError as error:
        return Term(word, at), Fault.of(error, at - len(spf.VERSION) - 1)
    if record.mechanisms:
        return Term(word, at, _mechanism(record.mechanisms[0])), None
    return Term(word, at, _modifier(record.modifiers[0])), None


def _mechanism(mechanism: Mechanism) -> str:
    result = mechanism.qualifier.result
    if mechanism.name == "all":
        return f"everybody else {_VERDICTS[result]} ({_RESULTS[result]})"
    if mechanism.network is not None:
        return f"{_network(mechanism)} {_VERDICTS[result]}"
    domain = mechanism.domain.text if mechanism.domain else "the domain itself"
    who = _MEANINGS[mechanism.name].format(domain=domain)
    return f"{who}{_neighbours(mechanism)} {_VERDICTS[result]}{_caveat(mechanism)}"


def _network(mechanism: Mechanism) -> str:
    network = mechanism.network
    assert network is not None  # noqa: S101 - the only caller has looked
    if network.prefixlen == network.max_prefixlen:
        return f"the address {network.network_address}"
    if network.version == 4:
        return f"the {network.num_addresses:,} addresses {network[0]} to {network[-1]}"
    return f"the network {network}"


def _neighbours(mechanism: Mechanism) -> str:
    """Say how far beyond the addresses themselves the mechanism reaches."""
    lengths = [(mechanism.prefix4, 32, "/"), (mechanism.prefix6, 128, "//")]
    reach = " and ".join(f"{sign}{length}" for length, whole, sign in lengths if length != whole)
    return f", with all in the same {reach}," if reach else ""


def _caveat(mechanism: Mechanism) -> str:
    """Say what is odd about the name."""
    spec = mechanism.domain
    has_macro = spec is not None and any(isinstance(part, Macro) for part in spec.parts)
    if spec is not None and "," in spec.text:
        return "; the comma belongs to that name, because only spaces separate terms"
    return "; the name depends on the message" if has_macro else ""


def _modifier(modifier: Modifier) -> str:
    if modifier.name == "redirect":
        return f"if nothing matched, the record of {modifier.value.text} decides"
    if modifier.name == "exp":
        return f"the TXT at {modifier.value.text} explains a fail"
    return "unknown, and ignored (RFC 7208 §6)"


def _notes(record: SpfRecord) -> Iterator[str]:
    cost = sum(mechanism.costs_lookup for mechanism in record.mechanisms)
    cost += record.modifier("redirect") is not None and record.all is None
    yield f"costs {cost} of 10 lookups, before what its includes cost"
    everybody, redirect = record.all, record.modifier("redirect")
    if everybody is None and redirect is None:
        yield "without all or redirect everybody else is neutral"
    if everybody is None:
        return
    if everybody.qualifier.result == "pass":
        yield "+all lets everybody send: the record protects nothing"
    if record.mechanisms[-1] is not everybody:
        yield "what stands behind all is never looked at"
    if redirect is not None:
        yield "redirect is ignored, because there is an all (RFC 7208 §6.1)"
