"""MTA-STS records and policies, and TLS-RPT records, in plain words (render, pure). RFC 8461, RFC 8460."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import mta_sts, mta_sts_policy, tls_rpt
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy
from exo_auth.render.record_terms import Fault, RawTag, TakenApart, Term, raw_tags

_DAY, _WEEK = 86400, 604800  # seconds

_MODES = {
    Mode.ENFORCE: "mail is not delivered where TLS, the certificate or the host does not fit",
    Mode.TESTING: "mail is delivered all the same; what does not fit is reported",
    Mode.NONE: "as if there were no policy; senders forget the one they kept",
}
_DISCARDED = "senders discard it, as if there were no record"


def mta_sts_apart(text: str) -> TakenApart:
    """Take the TXT record that announces a policy apart."""
    terms = tuple(tag.term(_sts_meaning(tag)) for tag in raw_tags(text))
    try:
        mta_sts.parse(text)
    except RecordSyntaxError as error:
        return TakenApart("mta-sts", text, terms, (Fault.of(error),), (_DISCARDED,))
    return TakenApart("mta-sts", text, terms)


def _sts_meaning(tag: RawTag) -> str:
    if tag.name == "v":
        return "there is a policy at https://mta-sts.<domain>/.well-known/mta-sts.txt"
    if tag.name == "id":
        return "the edition of the policy: senders fetch the file again when this changes"
    return "an extension that nobody knows: ignored"


def tls_rpt_apart(text: str) -> TakenApart:
    """Take a TLS-RPT record apart."""
    terms = tuple(tag.term(_report_meaning(tag)) for tag in raw_tags(text))
    try:
        record = tls_rpt.parse(text)
    except RecordSyntaxError as error:
        return TakenApart("tls-rpt", text, terms, (Fault.of(error),), (_DISCARDED,))
    faults = tuple(
        Fault(
            text.index(uri), f"“{uri}” is no address that reports can go to; expected mailto:… or https://…"
        )
        for uri in record.unusable
    )
    return TakenApart("tls-rpt", text, terms, faults)


def _report_meaning(tag: RawTag) -> str:
    if tag.name == "v":
        return "senders may report, once a day, how TLS and MTA-STS or DANE went"
    if tag.name != "rua":
        return "an extension that nobody knows: ignored"
    good = [uri.strip() for uri in tag.value.split(",") if tls_rpt.is_report_uri(uri.strip())]
    places = [unquote(uri[7:]) if uri.lower().startswith("mailto:") else uri for uri in good]
    return f"reports go to {' and '.join(places)}" if places else ""


def policy_apart(text: str) -> TakenApart:
    """Take the text of a policy file apart, line by line."""
    terms = tuple(_policy_terms(text))
    try:
        policy = mta_sts_policy.parse(text)
    except RecordSyntaxError as error:
        notes = ("senders do not take it for a policy",)
        return TakenApart("mta-sts-policy", text, terms, (Fault.of(error),), notes)
    return TakenApart("mta-sts-policy", text, terms, (), tuple(_policy_notes(policy)))


def _policy_terms(text: str) -> Iterator[Term]:
    at = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped:
            key, _, value = stripped.partition(":")
            yield Term(stripped, at + line.index(stripped[0]), _line_meaning(key, value.strip()))
        at += len(line) + 1


def _line_meaning(key: str, value: str) -> str:
    if key == "version":
        return "an MTA-STS policy" if value == "STSv1" else ""
    if key == "mode":
        return _MODES[Mode(value)] if value in set(Mode) else ""
    if key == "mx":
        return _host(value)
    if key == "max_age":
        return _life(int(value)) if value.isascii() and value.isdecimal() and len(value) <= 10 else ""
    return "unknown, and ignored"


def _host(value: str) -> str:
    if value.startswith("*."):
        return f"mail goes to hosts with exactly one label before {value[2:]}"
    return "mail goes to this host"


def _life(seconds: int) -> str:
    span = f"{seconds / _DAY:.0f} days" if seconds >= 2 * _DAY else f"{seconds / 3600:.1f} hours"
    return f"senders keep the policy for {span}" + ("" if seconds >= _WEEK else ": a week or more is usual")


def _policy_notes(policy: MtaStsPolicy) -> Iterator[str]:
    for host in policy.mx:
        if host == "*.mx.microsoft":
            yield "*.mx.microsoft matches no host of Exchange Online, whose names have two labels before mx.microsoft"
        elif "." in host and host in ("mail.protection.outlook.com", "mx.microsoft"):
            yield f"{host} is nobody’s mail host: a host of yours stands before it"
