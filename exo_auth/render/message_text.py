"""The verdict about a message (render, pure). Its texts are a stranger's: nothing of them steers the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exo_auth.checks.message import MessageVerdict
from exo_auth.render.document import ONE_DOCUMENT, to_text
from exo_auth.render.safe_text import visible

_ALIGNED = {True: "aligned", False: "not aligned", None: "alignment unknown"}


def message_text(verdict: MessageVerdict, output: str) -> str:
    """Write signatures, SPF, DMARC under both models, and what the receiver said."""
    if output in ONE_DOCUMENT:
        return to_text(_document(verdict), output)
    lines = list(_signature_lines(verdict))
    lines.append(
        f"SPF {verdict.spf_result}  {visible(verdict.spf_domain)}  {_ALIGNED[verdict.spf_aligned_new]}"
        if verdict.spf_result
        else "SPF not judged: the connecting address is not known, give --ip and --mail-from"
    )
    for model in verdict.models:
        policy = f" (policy {model.policy})" if model.policy else ""
        lines.append(
            f"DMARC {model.result}{policy} by {model.model.upper().replace('RFC', 'RFC ')}  {visible(model.reason)}"
        )
    if verdict.envelope_source == "Received-SPF":
        lines.append("note: the connecting address is that of the topmost Received-SPF field")
    if verdict.arc_sealers:
        lines.append(f"sealed on its way by (ARC): {', '.join(map(visible, verdict.arc_sealers))}")
    if verdict.trusted_results:
        lines.append(f"the receiver said: {visible(verdict.trusted_results)}")
    return "\n".join([*lines, *(f"differs: {visible(text)}" for text in verdict.differences)])


def signatures_text(verdict: MessageVerdict, output: str) -> str:
    """Write signatures alone; as JSON everything."""
    if output in ONE_DOCUMENT:
        return to_text(_document(verdict), output)
    ends = {"pass": "an aligned signature verifies", "temperror": "no verdict: a look-up failed"}
    return "\n".join(
        [*_signature_lines(verdict), ends.get(verdict.dkim_result, "no aligned signature verifies")]
    )


def _signature_lines(verdict: MessageVerdict) -> Iterator[str]:
    yield f"From domain: {verdict.author or 'none, or several'}"
    for one in verdict.signatures:
        aligned = _ALIGNED[one.aligned_new]
        key = f", key of {one.key_size} bits" if one.key_size else ""
        how = f"  a={one.algorithm} c={one.canonicalization}{key}" if one.algorithm else ""
        yield f"DKIM {one.result}  d={visible(one.domain)} s={visible(one.selector)}{how}  {aligned}  {visible(one.reason)}"
        yield from (f"     note: {note}" for note in one.notes)
    if not verdict.signatures:
        yield "DKIM none  the message is not signed"


def _document(verdict: MessageVerdict) -> dict[str, Any]:
    return {
        "schema": "exo-auth/message/1",
        "author_domain": verdict.author or None,
        "signatures": [
            {
                "result": one.result,
                "reason": one.reason,
                "domain": one.domain,
                "selector": one.selector,
                "algorithm": one.algorithm,
                "canonicalization": one.canonicalization,
                "key_size": one.key_size,
                "notes": list(one.notes),
                "aligned_rfc9989": one.aligned_new,
                "aligned_rfc7489": one.aligned_old,
            }
            for one in verdict.signatures
        ],
        "spf": {
            "result": verdict.spf_result or None,
            "domain": verdict.spf_domain,
            "aligned_rfc9989": verdict.spf_aligned_new,
            "aligned_rfc7489": verdict.spf_aligned_old,
        },
        "dmarc": [
            {
                "model": model.model,
                "result": model.result,
                "policy": model.policy,
                "organizational_domain": model.organizational_domain,
                "reason": model.reason,
            }
            for model in verdict.models
        ],
        "authentication_results": verdict.trusted_results,
        "differences": list(verdict.differences),
        "envelope_source": verdict.envelope_source or None,
        "arc_sealers": list(verdict.arc_sealers),
    }
