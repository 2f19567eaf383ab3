"""The conditions and exceptions of a transport rule that this program sets, by the names of the cmdlet (plan, pure).

A term's value is a list of texts, or one text for a scope or the name of a header; None stands for a term that is not
there. What else a rule is made of stays as it is, and is named in its state, so that nothing is made anew without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from exo_auth.errors import InputError
from exo_auth.facts.mail_flow import TransportRule

SCOPES = ("InOrganization", "NotInOrganization")
CONDITIONS = (
    "From",
    "FromMemberOf",
    "FromScope",
    "SenderDomainIs",
    "SentTo",
    "SentToMemberOf",
    "SentToScope",
    "RecipientDomainIs",
    "HeaderContainsMessageHeader",
    "HeaderContainsWords",
    "HeaderMatchesMessageHeader",
    "HeaderMatchesPatterns",
)
TERMS = (*CONDITIONS, *(f"ExceptIf{name}" for name in CONDITIONS))
_OUR_ACTIONS = frozenset({"RouteMessageOutboundRequireTls", "SetAuditSeverity"})
_HEADER_KINDS = {"Contains": "Words", "Matches": "Patterns"}


@dataclass(frozen=True)
class TermWords:
    """Terms as a person writes them; a header is `NAME: word, word`. Empty for no such term."""

    senders: tuple[str, ...] = ()
    sender_groups: tuple[str, ...] = ()
    sender_domains: tuple[str, ...] = ()
    sender_scope: str = ""
    recipients: tuple[str, ...] = ()
    recipient_groups: tuple[str, ...] = ()
    recipient_domains: tuple[str, ...] = ()
    recipient_scope: str = ""
    header: str = ""
    header_pattern: str = ""


_NAMES = {
    "senders": "From",
    "sender_groups": "FromMemberOf",
    "sender_domains": "SenderDomainIs",
    "sender_scope": "FromScope",
    "recipients": "SentTo",
    "recipient_groups": "SentToMemberOf",
    "recipient_domains": "RecipientDomainIs",
    "recipient_scope": "SentToScope",
}


def terms_of(words: TermWords, *, excepts: bool = False) -> dict[str, Any]:
    """Turn what a person wrote into terms; raises InputError for a scope or header that is none."""
    prefix = "ExceptIf" if excepts else ""
    terms: dict[str, Any] = {}
    for part in fields(words):
        value = getattr(words, part.name)
        if not value or part.name.startswith("header"):
            continue
        if part.name.endswith("scope") and value not in SCOPES:
            raise InputError(f"there is no scope {value}", hint=f"one of {', '.join(SCOPES)}")
        terms[prefix + _NAMES[part.name]] = list(value) if isinstance(value, tuple) else value
    terms |= _header(words.header, f"{prefix}HeaderContains")
    return terms | _header(words.header_pattern, f"{prefix}HeaderMatches")


def _header(text: str, stem: str) -> dict[str, Any]:
    if not text:
        return {}
    name, colon, rest = text.partition(":")
    is_pattern = stem.endswith("Matches")
    # A regular expression may hold commas; words cannot.
    values = [rest.strip()] if is_pattern else [word.strip() for word in rest.split(",") if word.strip()]
    if not colon or not name.strip() or not any(values):
        raise InputError(
            f"“{text}” names no header and what it holds", hint="write it as 'X-Class: secret, restricted'"
        )
    # The service wants the two together.
    kind = _HEADER_KINDS["Matches" if is_pattern else "Contains"]
    return {f"{stem}MessageHeader": name.strip(), f"{stem}{kind}": values}


def terms_in(rule: TransportRule) -> dict[str, Any]:
    """Give the terms that a rule has, in the order of TERMS; lists sorted, because their order means nothing."""
    fields_of = {
        "FromScope": (rule.from_scope,),
        "SenderDomainIs": rule.sender_domains,
        "SentToScope": (rule.sent_to_scope,),
        "RecipientDomainIs": rule.recipient_domains,
        "ExceptIfSenderDomainIs": rule.except_sender_domains,
        "ExceptIfRecipientDomainIs": rule.except_recipient_domains,
    }
    found: dict[str, Any] = {}
    for name in TERMS:
        value = tuple(filter(None, fields_of.get(name, rule.terms.get(name, ()))))
        if value:
            is_one = name.endswith(("Scope", "MessageHeader"))
            found[name] = value[0] if is_one else sorted(value)
    return found


def other_parts(rule: TransportRule) -> list[str]:
    """Name the conditions, exceptions and actions of a rule that are not set by this program."""
    known = {*TERMS, *_OUR_ACTIONS}
    named = (*rule.conditions, *(f"ExceptIf{name}" for name in rule.exceptions), *rule.actions)
    return sorted(name for name in named if name not in known)


def wanted_terms(wanted: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Give every term that is wanted, and None for each that is there and is not."""
    gone = {name: None for name in TERMS if name in present and name not in wanted}
    return {
        **{name: sorted(value) if isinstance(value, list) else value for name, value in wanted.items()},
        **gone,
    }
