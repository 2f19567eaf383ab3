"""DMARC records in plain words, tag by tag (render, pure). RFC 9989 §4.7."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dmarc
from exo_auth.records.dmarc import DmarcRecord, Policy
from exo_auth.render.record_terms import Fault, RawTag, TakenApart, raw_tags

_POLICIES = {
    Policy.NONE: "is delivered all the same: this only watches",
    Policy.QUARANTINE: "is suspicious: most receivers put it into the junk folder",
    Policy.REJECT: "is refused",
}
_OF_WHOM = {
    "p": "mail of the domain that fails DMARC",
    "sp": "failing mail of subdomains that exist",
    "np": "failing mail of subdomains that do not exist",
}
_OPTIONS = {
    "0": "when neither DKIM nor SPF passes aligned",
    "1": "when one of DKIM and SPF does not pass aligned",
    "d": "when a DKIM signature fails",
    "s": "when SPF fails",
}
_SUFFIX = {
    "y": "the domain is a public suffix, below which others register names",
    "n": "an organization of its own: the walk up the tree ends here",
    "u": "nothing is said about a public suffix (the default): the walk up the tree tells",
}


def dmarc_apart(text: str) -> TakenApart:
    """Take a record apart; every faulty tag is marked."""
    tags = tuple(raw_tags(text))
    values = {tag.name: tag.value for tag in tags}
    terms = tuple(tag.term(_meaning(tag, values)) for tag in tags)
    try:
        record = dmarc.parse(text)
    except RecordSyntaxError as error:
        notes = ("receivers discard it whole, as if there were no record",)
        return TakenApart("dmarc", text, terms, (Fault.of(error),), notes)
    faults = sorted((Fault(fault.position, fault.message) for fault in record.faults), key=lambda f: f.at)
    return TakenApart("dmarc", text, terms, tuple(faults), tuple(_notes(record)))


def _meaning(tag: RawTag, values: Mapping[str, str]) -> str:
    read = _MEANINGS.get(tag.name)
    if read is None:
        return "no tag that DMARC knows: ignored"
    meaning = read(tag, values)
    # the tag-list of RFC 6376 §3.2, which DMARC builds on, knows lower case alone
    return (
        meaning if tag.text.startswith(tag.name) else f"{meaning} (write {tag.name} in lower case)".lstrip()
    )


def _version(tag: RawTag, _values: Mapping[str, str]) -> str:
    return "a DMARC record: what to do with mail whose From is not proven" if tag.value == "DMARC1" else ""


def _policy(tag: RawTag, _values: Mapping[str, str]) -> str:
    try:
        return f"{_OF_WHOM[tag.name]} {_POLICIES[Policy(tag.value.lower())]}"
    except ValueError:  # the fault is marked
        return ""


def _alignment(tag: RawTag, _values: Mapping[str, str]) -> str:
    proof, name = (
        ("DKIM", "the signing domain") if tag.name == "adkim" else ("SPF", "the domain in the envelope")
    )
    if tag.value.lower() == "s":
        return f"strict: {proof} counts only where {name} is exactly the one in From"
    if tag.value.lower() == "r":
        return f"relaxed (the default): {proof} counts where {name} is of the same organization as From"
    return ""


def _reports(tag: RawTag, _values: Mapping[str, str]) -> str:
    addresses = [part.strip() for part in tag.value.split(",")]
    places = [_place(part.partition("!")[0]) for part in addresses if dmarc.is_report_address(part)]
    if not places:
        return "" if tag.value else "no address: nobody gets these reports"
    what = "aggregate reports, who sent how much in the domain’s name, go" if tag.name == "rua" else _SINGLE
    return f"{what} to {' and '.join(places)}"


_SINGLE = "failure reports about single messages, which few receivers send, go"


def _place(uri: str) -> str:
    return unquote(uri.partition(":")[2]) if uri.lower().startswith("mailto:") else uri


def _failure_options(tag: RawTag, values: Mapping[str, str]) -> str:
    words = [part.strip().lower() for part in tag.value.split(":")]
    if not set(words) <= _OPTIONS.keys():
        return ""
    told = f"failure reports are wanted {' and '.join(_OPTIONS[word] for word in words)}"
    return told if values.get("ruf") else f"{told}; without ruf this is ignored"


def _suffix(tag: RawTag, _values: Mapping[str, str]) -> str:
    return _SUFFIX.get(tag.value.lower(), "")


def _test(tag: RawTag, values: Mapping[str, str]) -> str:
    if tag.value.lower() == "n":
        return "no test (the default): the policy applies as it stands"
    if tag.value.lower() != "y":
        return ""
    try:
        policy = Policy(values.get("p", "").lower())
    except ValueError:
        policy = Policy.NONE
    lower = f"{policy} counts as {policy.one_level_down}" if policy is not Policy.NONE else "none stays none"
    return f"a test: {lower} at receivers of RFC 9989; older ones do not know the tag and apply the policy"


def _percent(tag: RawTag, _values: Mapping[str, str]) -> str:
    if tag.value == "100":
        return "historic: all mail, as it is without the tag"
    return (
        f"historic: receivers of RFC 9989 ignore it and apply the policy to all mail, "
        f"older ones to {tag.value} of 100 messages"
    )


def _interval(tag: RawTag, _values: Mapping[str, str]) -> str:
    return f"historic: asked for a report every {tag.value} seconds; ignored, reports come once a day"


def _format(_tag: RawTag, _values: Mapping[str, str]) -> str:
    return "historic: named the format of failure reports; ignored"


_MEANINGS: dict[str, Callable[[RawTag, Mapping[str, str]], str]] = {
    "v": _version,
    "p": _policy,
    "sp": _policy,
    "np": _policy,
    "adkim": _alignment,
    "aspf": _alignment,
    "rua": _reports,
    "ruf": _reports,
    "fo": _failure_options,
    "psd": _suffix,
    "t": _test,
    "pct": _percent,
    "ri": _interval,
    "rf": _format,
}


def _notes(record: DmarcRecord) -> Iterator[str]:
    """Say what follows from tags that are wrong or not there."""
    if record.is_void:
        yield "RFC 9989 receivers apply no DMARC: no valid policy, and no valid rua (§4.10.1)"
        return
    bad = next((fault.tag for fault in record.faults if fault.tag in ("p", "sp", "np")), "")
    if bad:
        yield f"the fault in {bad} makes the whole record count as p=none (RFC 9989 §4.10.1)"
    elif record.policy is None:
        yield "without p the record counts as p=none, because there is a rua (RFC 9989 §4.10.1)"
    elif record.subdomain_policy is None:
        yield f"without sp subdomains have {record.policy}, too"
    if not record.has_valid_rua:
        yield "without rua nobody tells you who sends in the name of the domain"
    if record.strict_dkim and record.strict_spf:
        yield "with both alignments strict, mail of services that sign as a subdomain fails"
