"""What receivers of both models make of a message (checks, pure). RFC 6376, RFC 7208, RFC 9989, RFC 7489."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from exo_auth.checks.alignment import aligned_by_suffix, aligned_by_walk
from exo_auth.checks.dmarc_policy import judge
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dmarc import DmarcWalk
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.message import MessageFacts, SeenSignature
from exo_auth.records import dkim
from exo_auth.records.dkim import DkimKeyRecord
from exo_auth.records.dkim_signature import DkimSignature
from exo_auth.records.dmarc import DmarcRecord

SHORTEST_KEY = 1024  # bits, RFC 8301 §3.2
GOOD_KEY = 2048  # bits, RFC 8301 §3.2


@dataclass(frozen=True)
class SignatureVerdict:
    """The result of RFC 8601 §2.7.1 in plain words, and with whom the domain is aligned."""

    result: str  # none, pass, fail, policy, neutral, temperror, permerror
    reason: str
    domain: str = ""
    selector: str = ""
    notes: tuple[str, ...] = ()
    aligned_new: bool | None = False  # None where the walk that would tell failed
    aligned_old: bool = False
    algorithm: str = ""
    canonicalization: str = ""
    key_size: int | None = None  # bits, None where there is no key


@dataclass(frozen=True)
class ModelVerdict:
    """DMARC under one model; `policy` is what the record asks for on fail.

    `result` is pass, fail, none or temperror, or unknown where only the connecting address could tell.
    """

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
    spf_aligned_new: bool | None
    spf_aligned_old: bool
    models: tuple[ModelVerdict, ...]
    trusted_results: str
    differences: tuple[str, ...] = ()
    envelope_source: str = ""
    arc_sealers: tuple[str, ...] = ()

    @property
    def dkim_result(self) -> str:
        """Give pass where an aligned signature verifies, temperror where a failed look-up hides that, else fail."""
        return _weighed([(one.result, one.aligned_new, "") for one in self.signatures])[0]


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
    key = _key(seen.key)
    result, reason = _result(parsed, key, now, verifies=bool(seen.verifies))
    known = key if isinstance(key, DkimKeyRecord) else None
    new, old = _record(facts.dmarc), _record(_old_walk(facts))
    return SignatureVerdict(
        result,
        reason,
        parsed.domain,
        parsed.selector,
        tuple(_notes(parsed, known)),
        _aligned_new(facts, parsed.domain, seen.walk, strict=new is not None and new.strict_dkim),
        _aligned_old(
            facts, parsed.domain, seen.psl_organizational, strict=old is not None and old.strict_dkim
        ),
        parsed.algorithm,
        parsed.canonicalization,
        known.key_size if known is not None else None,
    )


def _notes(parsed: DkimSignature, key: DkimKeyRecord | None) -> Iterator[str]:
    if parsed.body_length is not None:
        yield "l= signs a part of the body: text can be added behind it (RFC 6376 §8.2)"
    if key is None:
        return
    if key.is_testing:
        yield "t=y: the owner tests; a failure counts as unsigned (RFC 6376 §3.6.1)"
    if key.key_type == "rsa" and SHORTEST_KEY <= (key.key_size or 0) < GOOD_KEY:
        yield f"the key has {key.key_size} bits; {GOOD_KEY} are advised (RFC 8301 §3.2)"


def _key(answer: Answer[Txt] | None) -> DkimKeyRecord | tuple[str, str]:
    """Give the key, or the result and the reason where there is none. RFC 6376 §6.1.2."""
    if isinstance(answer, LookupFailed):
        return "temperror", f"the key could not be looked up: {answer.detail}"
    if not isinstance(answer, Found):
        return "permerror", "there is no key at the selector"
    if len(answer.values) > 1:
        return "permerror", "more than one key stands at the selector (RFC 6376 §3.6.2.2)"
    try:
        return dkim.parse(answer.values[0].text)
    except RecordSyntaxError as error:
        return "permerror", f"the key cannot be read: {error.message}"


def _result(
    parsed: DkimSignature, key: DkimKeyRecord | tuple[str, str], now: datetime, *, verifies: bool
) -> tuple[str, str]:
    if not isinstance(key, DkimKeyRecord):
        return key
    if (refusal := _refusal(parsed, key)) is not None:
        return refusal
    if parsed.expires_at is not None and parsed.expires_at < now.timestamp():
        return "fail", "the signature has expired"
    if not verifies:
        return "fail", "the signature or the hash of the body does not fit the message"
    return "pass", "the signature verifies"


def _refusal(parsed: DkimSignature, key: DkimKeyRecord) -> tuple[str, str] | None:
    """Say why a signature must not be verified with this key, whatever the mathematics says."""
    signs_with, _, hashes_with = parsed.algorithm.partition("-")
    identity = parsed.identity.rpartition("@")[2].lower() or parsed.domain
    refusals = (
        (key.is_revoked, "permerror", "the key is revoked"),
        (
            key.key_type != signs_with,
            "permerror",
            f"a={parsed.algorithm}, but the key is of type {key.key_type}",
        ),
        (
            bool(key.hashes) and hashes_with not in key.hashes,
            "permerror",
            f"the key is for {':'.join(key.hashes)} alone (h=, RFC 6376 §6.1.2)",
        ),
        (not key.serves_email, "permerror", "the key is not for mail (s=, RFC 6376 §3.6.1)"),
        (hashes_with == "sha1", "policy", "rsa-sha1 must not be used (RFC 8301 §3.1)"),
        (
            key.key_type == "rsa" and (key.key_size or 0) < SHORTEST_KEY,
            "policy",
            f"the key has {key.key_size} bits (RFC 8301 §3.2)",
        ),
        (not parsed.signs_from, "permerror", "From is not signed (RFC 6376 §5.4)"),
        (
            not f".{identity}".endswith(f".{parsed.domain}"),
            "permerror",
            f"i= names {identity}, which is not below {parsed.domain} (RFC 6376 §6.1.1)",
        ),
        (
            "s" in key.flags and identity != parsed.domain,
            "permerror",
            f"i= names {identity}, and the key is for {parsed.domain} alone (t=s, RFC 6376 §3.6.1)",
        ),
    )
    return next(((result, reason) for holds, result, reason in refusals if holds), None)


def _record(walk: DmarcWalk | None) -> DmarcRecord | None:
    return judge(walk).record if walk is not None and not walk.failure else None


def _aligned_new(facts: MessageFacts, domain: str, walk: DmarcWalk | None, *, strict: bool) -> bool | None:
    return facts.dmarc is not None and aligned_by_walk(facts.dmarc, domain, walk, strict=strict)


def _aligned_old(
    facts: MessageFacts, domain: str, organizational: DomainName | None, *, strict: bool
) -> bool:
    if facts.dmarc is None:
        return False
    author = facts.dmarc.author
    return aligned_by_suffix(author, facts.psl_organizational, domain, organizational, strict=strict)


def _spf_alignment(facts: MessageFacts) -> tuple[bool | None, bool]:
    if facts.spf is None or facts.spf_domain is None:
        return False, False
    new, old = _record(facts.dmarc), _record(_old_walk(facts))
    domain = facts.spf_domain.ascii
    return (
        _aligned_new(facts, domain, facts.spf_walk, strict=new is not None and new.strict_spf),
        _aligned_old(facts, domain, facts.spf_psl_organizational, strict=old is not None and old.strict_spf),
    )


def _model(
    model: str, facts: MessageFacts, signatures: tuple[SignatureVerdict, ...], *, spf_aligned: bool | None
) -> ModelVerdict:
    if len(facts.authors) != 1 or facts.dmarc is None:
        reason = "From names no domain" if not facts.authors else "From names several domains"
        return ModelVerdict(model, "none", None, "", f"{reason}: outside DMARC (RFC 9989 §11.5)")
    is_new = model == "rfc9989"
    walk = facts.dmarc if is_new else _old_walk(facts)
    if walk is None or walk.failure:
        return ModelVerdict(model, "temperror", None, "", walk.failure if walk is not None else "")
    verdict = judge(walk)
    organizational = verdict.organizational_domain if is_new else facts.psl_organizational
    name = organizational.ascii if organizational is not None else ""
    if verdict.policy is None:
        return ModelVerdict(model, "none", None, name, verdict.reason)
    proofs = [
        (one.result, one.aligned_new if is_new else one.aligned_old, "an aligned signature verifies")
        for one in signatures
    ]
    if facts.spf is not None:
        proofs.append((facts.spf.result, spf_aligned, "SPF passes and is aligned"))
    result, reason = _weighed(proofs)
    if result == "fail" and facts.spf is None:  # SPF may have passed
        result, reason = "unknown", f"{reason}, as far as DKIM goes; SPF needs the connecting address (--ip)"
    return ModelVerdict(model, result, verdict.policy.value, name, reason)


def _weighed(proofs: list[tuple[str, bool | None, str]]) -> tuple[str, str]:
    """Fold results and alignments, None for one that is not known: one open look-up leaves no verdict but pass."""
    for result, aligned, reason in proofs:
        if result == "pass" and aligned:
            return "pass", reason
    for result, aligned, _ in proofs:
        if (result == "temperror" and aligned is not False) or (result == "pass" and aligned is None):
            return "temperror", "a look-up failed: no verdict"  # RFC 9989 §5.3.6
    return "fail", "nothing that passes is aligned"


def _old_walk(facts: MessageFacts) -> DmarcWalk | None:
    """Give the steps that RFC 7489 receivers take: the author domain, then the organizational domain."""
    if facts.dmarc is None:
        return None
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
        if result not in ("", "unknown") and words and result not in words:
            found.append(f"{method}: the receiver said {', '.join(words)}, here it is {result}")
    return tuple(found)
