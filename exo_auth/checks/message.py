"""What receivers of both models make of a message (checks, pure). RFC 6376, RFC 7208, RFC 9989, RFC 7489."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exo_auth.checks.alignment import aligned_by_suffix, aligned_by_walk
from exo_auth.checks.dmarc_policy import judge
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dmarc import DmarcWalk
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.message import MessageFacts, SeenSignature
from exo_auth.records import dkim
from exo_auth.records.dmarc import DmarcRecord

SHORTEST_KEY = 1024  # bits, RFC 8301 §3.2


@dataclass(frozen=True)
class SignatureVerdict:
    """The result of RFC 8601 §2.7.1 in plain words, and with whom the domain is aligned."""

    result: str  # none, pass, fail, policy, neutral, temperror, permerror
    reason: str
    domain: str = ""
    selector: str = ""
    notes: tuple[str, ...] = ()
    aligned_new: bool = False
    aligned_old: bool = False


@dataclass(frozen=True)
class ModelVerdict:
    """DMARC under one model: pass, fail, none or temperror; `policy` is what the record asks for on fail."""

    model: str  # rfc9989 or rfc7489
    result: str
    policy: str | None
    organizational_domain: str
    reason: str = ""


@dataclass(frozen=True)
class MessageVerdict:
    """Everything about one message."""

    author: str
    signatures: tuple[SignatureVerdict, ...]
    spf_result: str  # "" where the connecting address is not known
    spf_domain: str
    spf_aligned_new: bool
    spf_aligned_old: bool
    models: tuple[ModelVerdict, ...]
    trusted_results: str
    differences: tuple[str, ...] = ()
    envelope_source: str = ""
    arc_sealers: tuple[str, ...] = ()


def judge_message(facts: MessageFacts, now: datetime) -> MessageVerdict:
    """Judge a message; `now` is compared with the times of signatures."""
    signatures = tuple(_signature(facts, seen, now) for seen in facts.signatures)
    new, old = _spf_alignment(facts)
    models = (
        _model("rfc9989", facts, signatures, spf_aligned=new),
        _model("rfc7489", facts, signatures, spf_aligned=old),
    )
    author = facts.authors[0].ascii if len(facts.authors) == 1 else ""
    return MessageVerdict(
        author,
        signatures,
        facts.spf.result if facts.spf is not None else "",
        facts.spf_domain.ascii if facts.spf_domain is not None else "",
        new,
        old,
        models,
        facts.trusted_results,
        _differences(facts, signatures, models),
        facts.envelope_source,
        facts.arc_sealers,
    )


def _signature(facts: MessageFacts, seen: SeenSignature, now: datetime) -> SignatureVerdict:
    parsed = seen.parsed
    if isinstance(parsed, RecordSyntaxError):
        return SignatureVerdict("permerror", f"the field cannot be read: {parsed.message}")
    result, reason = _result(seen, now)
    notes = []
    if parsed.body_length is not None:
        notes.append("l= signs a part of the body: text can be added behind it (RFC 6376 §8.2)")
    if parsed.algorithm == "rsa-sha1":
        notes.append("rsa-sha1 must not be used (RFC 8301 §3.1)")
    record = _record(facts)
    strict = record is not None and record.strict_dkim
    return SignatureVerdict(
        result,
        reason,
        parsed.domain,
        parsed.selector,
        tuple(notes),
        _aligned_new(facts, parsed.domain, seen.walk, strict=strict),
        _aligned_old(facts, parsed.domain, seen.psl_organizational, strict=strict),
    )


def _result(seen: SeenSignature, now: datetime) -> tuple[str, str]:
    parsed, key = seen.parsed, seen.key
    assert not isinstance(parsed, RecordSyntaxError)  # noqa: S101 - the only caller has looked
    if isinstance(key, LookupFailed):
        return "temperror", f"the key could not be looked up: {key.detail}"
    if not isinstance(key, Found):
        return "permerror", "there is no key at the selector"
    if len(key.values) > 1:
        return "permerror", "more than one key stands at the selector (RFC 6376 §3.6.2.2)"
    try:
        record = dkim.parse(key.values[0].text)
    except RecordSyntaxError as error:
        return "permerror", f"the key cannot be read: {error.message}"
    if record.is_revoked:
        return "permerror", "the key is revoked"
    if record.key_type == "rsa" and (record.key_size or 0) < SHORTEST_KEY:
        return "policy", f"the key has {record.key_size} bits (RFC 8301 §3.2)"
    if not parsed.signs_from:
        return "permerror", "From is not signed (RFC 6376 §5.4)"
    if parsed.expires_at is not None and parsed.expires_at < now.timestamp():
        return "fail", "the signature has expired"
    if not seen.verifies:
        return "fail", "the signature or the hash of the body does not fit the message"
    return "pass", "the signature verifies"


def _record(facts: MessageFacts) -> DmarcRecord | None:
    return judge(facts.dmarc).record if facts.dmarc is not None and not facts.dmarc.failure else None


def _aligned_new(facts: MessageFacts, domain: str, walk: DmarcWalk | None, *, strict: bool) -> bool:
    return facts.dmarc is not None and bool(aligned_by_walk(facts.dmarc, domain, walk, strict=strict))


def _aligned_old(
    facts: MessageFacts, domain: str, organizational: DomainName | None, *, strict: bool
) -> bool:
    if facts.dmarc is None:
        return False
    author = facts.dmarc.author
    return aligned_by_suffix(author, facts.psl_organizational, domain, organizational, strict=strict)


def _spf_alignment(facts: MessageFacts) -> tuple[bool, bool]:
    if facts.spf is None or facts.spf_domain is None:
        return False, False
    record = _record(facts)
    strict = record is not None and record.strict_spf
    domain = facts.spf_domain.ascii
    return (
        _aligned_new(facts, domain, facts.spf_walk, strict=strict),
        _aligned_old(facts, domain, facts.spf_psl_organizational, strict=strict),
    )


def _model(
    model: str, facts: MessageFacts, signatures: tuple[SignatureVerdict, ...], *, spf_aligned: bool
) -> ModelVerdict:
    if len(facts.authors) != 1 or facts.dmarc is None:
        reason = "From names no domain" if not facts.authors else "From names several domains"
        return ModelVerdict(model, "none", None, "", f"{reason}: outside DMARC (RFC 9989 §11.5)")
    is_new = model == "rfc9989"
    walk = facts.dmarc if is_new else _old_walk(facts)
    if walk.failure:
        return ModelVerdict(model, "temperror", None, "", walk.failure)
    verdict = judge(walk)
    organizational = verdict.organizational_domain if is_new else facts.psl_organizational
    name = organizational.ascii if organizational is not None else ""
    if verdict.policy is None:
        return ModelVerdict(model, "none", None, name, verdict.reason)
    aligned = [one for one in signatures if (one.aligned_new if is_new else one.aligned_old)]
    if any(one.result == "pass" for one in aligned):
        return ModelVerdict(model, "pass", verdict.policy.value, name, "an aligned signature verifies")
    if spf_aligned and facts.spf is not None and facts.spf.result == "pass":
        return ModelVerdict(model, "pass", verdict.policy.value, name, "SPF passes and is aligned")
    is_open = any(one.result == "temperror" for one in aligned) or (
        spf_aligned and facts.spf is not None and facts.spf.result == "temperror"
    )
    if is_open:  # RFC 9989 §5.3.6
        return ModelVerdict(model, "temperror", verdict.policy.value, name, "a look-up failed: no verdict")
    unknown = "" if facts.spf is not None else "; the connecting address is not known (--ip)"
    return ModelVerdict(model, "fail", verdict.policy.value, name, f"nothing that passes is aligned{unknown}")


def _old_walk(facts: MessageFacts) -> DmarcWalk:
    """Give the steps that RFC 7489 receivers take: the author domain, then the organizational domain."""
    assert facts.dmarc is not None  # noqa: S101 - the only caller has looked
    first = facts.dmarc.steps[:1]
    if (
        (first and first[0].count)
        or facts.old_dmarc is None
        or facts.psl_organizational == facts.dmarc.author
    ):
        return DmarcWalk(facts.dmarc.author, first, failure=first[0].failure if first else "")
    steps = (*first, *facts.old_dmarc.steps[:1])
    return DmarcWalk(facts.dmarc.author, steps, failure=next((s.failure for s in steps if s.failure), ""))


def _differences(
    facts: MessageFacts, signatures: tuple[SignatureVerdict, ...], models: tuple[ModelVerdict, ...]
) -> tuple[str, ...]:
    """Tell where the receiver's own word is another than ours."""
    if facts.trusted is None:
        return ()
    found = []
    ours = {"dmarc": models[0].result, "spf": facts.spf.result if facts.spf is not None else ""}
    if signatures:
        ours["dkim"] = "pass" if any(one.result == "pass" for one in signatures) else signatures[0].result
    for method, result in ours.items():
        words = [one.result for one in facts.trusted.of(method)]
        if result and words and result not in words:
            found.append(f"{method}: the receiver said {', '.join(words)}, here it is {result}")
    return tuple(found)
