"""SPF: results, and records taken apart (render, pure)."""

from __future__ import annotations

from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.spf import SpfResult
from exo_auth.records.spf import Mechanism, SpfRecord
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible

_MEANINGS = {
    "all": "everybody",
    "include": "whoever passes the record of {domain}",
    "a": "the addresses of {domain}",
    "mx": "the mail exchangers of {domain}",
    "ptr": "addresses whose name lies in {domain} (slow, and discouraged by RFC 7208 §5.5)",
    "exists": "anybody for whom the name {domain} exists",
    "ip4": "{network}",
    "ip6": "{network}",
}
_VERDICTS = {
    "pass": "may send",
    "fail": "must not send",
    "softfail": "probably may not send",
    "neutral": "is not judged",
}


def spf_result_text(result: SpfResult, output: str) -> str:
    """Write the result and the way to it; as JSON the keys `result` and `explanation` are at the top."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/spf-test/1",
                "result": result.result,
                "explanation": result.explanation,
                "path": [
                    {"domain": step.domain, "term": step.term, "matched": step.matched, "depth": step.depth}
                    for step in result.path
                ],
                "lookups": result.lookups,
                "void_lookups": result.void_lookups,
                "problem": result.problem,
            }
        )
    lines = [
        f"{'  ' * step.depth}{visible(step.domain)}  {visible(step.term)}{'  matches' if step.matched else ''}"
        for step in result.path
    ]
    if result.problem:
        lines.append(f"problem: {visible(result.problem)}")
    if result.explanation:
        lines.append(f"explanation: {visible(result.explanation)}")
    lines.append(f"{result.result}  {result.lookups} of 10 lookups, {result.void_lookups} of 2 void")
    return "\n".join(lines)


def spf_lint_text(text: str, parsed: SpfRecord | RecordSyntaxError, output: str) -> str:
    """Take a record apart term by term in plain words, with a fault marked at its place."""
    if isinstance(parsed, RecordSyntaxError):
        return _fault(text, parsed, output)
    terms = [(mechanism.text, _meaning(mechanism)) for mechanism in parsed.mechanisms]
    terms += [(modifier.text, _modifier(modifier.name, modifier.value.text)) for modifier in parsed.modifiers]
    notes = _notes(parsed)
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/spf-lint/1",
                "record": text,
                "valid": True,
                "position": None,
                "message": "",
                "terms": [{"term": term, "meaning": meaning} for term, meaning in terms],
                "notes": notes,
            }
        )
    width = max((len(term) for term, _ in terms), default=0)
    return "\n".join(
        [*(f"{term.ljust(width)}  {meaning}" for term, meaning in terms), *(f"note: {n}" for n in notes)]
    )


def _fault(text: str, error: RecordSyntaxError, output: str) -> str:
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/spf-lint/1",
                "record": text,
                "valid": False,
                "position": error.position,
                "message": error.message,
                "terms": [],
                "notes": [],
            }
        )
    return f"{visible(text)}\n{' ' * error.position}^ {visible(error.message)}"


def _meaning(mechanism: Mechanism) -> str:
    domain = mechanism.domain.text if mechanism.domain else "the domain itself"
    who = _MEANINGS[mechanism.name].format(domain=domain, network=mechanism.network)
    return f"{who} {_VERDICTS[mechanism.qualifier.result]}"


def _modifier(name: str, value: str) -> str:
    if name == "redirect":
        return f"if nothing matched, the record of {value} decides"
    if name == "exp":
        return f"the TXT at {value} explains a fail"
    return "unknown, and ignored (RFC 7208 §6)"


def _notes(record: SpfRecord) -> list[str]:
    notes = []
    cost = sum(mechanism.costs_lookup for mechanism in record.mechanisms)
    cost += record.modifier("redirect") is not None and record.all is None
    notes.append(f"costs {cost} of 10 lookups, before what its includes cost")
    everybody = record.all
    if everybody is not None and everybody.qualifier.result == "pass":
        notes.append("+all lets everybody send: the record protects nothing")
    if everybody is not None and record.mechanisms[-1] is not everybody:
        notes.append("what stands behind all is never looked at")
    if everybody is None and record.modifier("redirect") is None:
        notes.append("without all or redirect everybody else is neutral")
    if everybody is not None and record.modifier("redirect") is not None:
        notes.append("redirect is ignored, because there is an all (RFC 7208 §6.1)")
    return notes
