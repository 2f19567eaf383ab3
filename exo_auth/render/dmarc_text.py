"""DMARC: which policy governs a name (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exo_auth.checks.alignment import Alignment
from exo_auth.checks.dmarc_policy import DmarcVerdict
from exo_auth.facts.dmarc import WalkStep
from exo_auth.render.document import ONE_DOCUMENT, to_text
from exo_auth.render.safe_text import visible

# Every tenant has a name below these, and none is in the Public Suffix List.
SHARED_SUFFIXES = (".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn")
SHARED_ADVICE = (
    "all tenants share this organizational domain under RFC 7489, so that any of them aligns relaxed: publish "
    "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n in the admin centre (Domains, DNS records), "
    "unless something sends with a longer or shorter name"
)


def discovery_text(
    name: str,
    steps: tuple[WalkStep, ...],
    new: DmarcVerdict,
    old: DmarcVerdict,
    old_queries: tuple[str, ...],
    output: str,
    alignments: Sequence[Alignment] = (),
) -> str:
    """Write the walk and both verdicts; as JSON `policy`, `organizational_domain` and `queries` are at the top."""
    queries = [f"_dmarc.{step.name}" for step in steps]
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/dmarc-discover/1",
                "domain": name,
                **verdict_document(new),
                "queries": queries,
                "rfc7489": {**verdict_document(old), "queries": list(old_queries)},
                "alignment": [_alignment_document(one) for one in alignments],
                "notes": _notes(name, new, old),
            },
            output,
        )
    lines = [f"_dmarc.{step.name}  {_seen(step)}" for step in steps]
    lines.append(f"RFC 9989: {verdict_sentence(new)}")
    lines.append(f"RFC 7489: {verdict_sentence(old)}")
    lines += [_alignment_sentence(one) for one in alignments]
    return "\n".join([*lines, *(f"note: {note}" for note in _notes(name, new, old))])


def _notes(name: str, new: DmarcVerdict, old: DmarcVerdict) -> list[str]:
    notes = []
    if (new.policy, new.organizational_domain) != (old.policy, old.organizational_domain):
        notes.append("the two models differ; receivers of both kinds are in use")
    if f".{name}".endswith(SHARED_SUFFIXES):
        notes.append(SHARED_ADVICE)
    return notes


def _alignment_document(one: Alignment) -> dict[str, Any]:
    return {
        "mechanism": one.identifier.mechanism,
        "domain": one.identifier.domain.ascii,
        "rfc9989": {"aligned": one.rfc9989, "mode": _mode(one.strict_rfc9989)},
        "rfc7489": {"aligned": one.rfc7489, "mode": _mode(one.strict_rfc7489)},
    }


def _alignment_sentence(one: Alignment) -> str:
    words = {True: "aligned", False: "not aligned", None: "no verdict"}
    return (
        f"{one.identifier.mechanism.upper()} {one.identifier.domain.unicode}: "
        f"{words[one.rfc9989]} by RFC 9989 ({_mode(one.strict_rfc9989)}), "
        f"{words[one.rfc7489]} by RFC 7489 ({_mode(one.strict_rfc7489)})"
    )


def _mode(strict: bool) -> str:
    return "strict" if strict else "relaxed"


def verdict_document(verdict: DmarcVerdict) -> dict[str, Any]:
    """Describe a verdict."""
    return {
        "policy": verdict.policy.value if verdict.policy else None,
        "tag": verdict.tag or None,
        "organizational_domain": verdict.organizational_domain.ascii,
        "record_domain": verdict.record_name.ascii if verdict.record_name else None,
        "reason": verdict.reason,
    }


def _seen(step: WalkStep) -> str:
    if step.text:
        return visible(step.text)
    return "—" if not step.count else f"{step.count} records: all are discarded"


def verdict_sentence(verdict: DmarcVerdict) -> str:
    """Say in one line which policy applies and why."""
    head = f"organizational domain {verdict.organizational_domain.unicode}"
    if verdict.policy is None:
        return f"{head}; DMARC does not apply" + (f" ({verdict.reason})" if verdict.reason else "")
    why = f"{verdict.tag}= of {verdict.record_name}"
    return f"{head}; policy {verdict.policy} ({why}{'; ' + verdict.reason if verdict.reason else ''})"
