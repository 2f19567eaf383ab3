"""Who found that DNS answers are signed, and who found that they are not (checks, pure). RFC 4035 §4.3."""

from __future__ import annotations

from exo_auth.facts.dns import Answer, Found

SEEN_BY_VALIDATORS = frozenset(  # codes of what servers that validate nothing cannot tell
    {"DNSSEC-BOGUS", "DNSSEC-INSECURE", "DANE-DNSSEC-MX", "DANE-TLSA-MISSING", "DANE-TLSA-UNUSABLE"}
)


def unsigned_because(*answers: Answer[object] | None) -> str:
    """Say why answers are not taken for signed: what we found ourselves, or that the resolver set no AD flag."""
    for answer in answers:
        if isinstance(answer, Found) and answer.judgement is not None:
            return f"validated here: {answer.judgement.detail}"
    return "answers come without the AD flag"


def signed_because(answer: Answer[object] | None) -> str:
    """Say who validated an answer that is signed."""
    if isinstance(answer, Found) and answer.judgement is not None:
        return "validated here, from the trust anchor down"
    return "the resolver validates it"
