"""SPF: results, and the way to them (render, pure)."""

from __future__ import annotations

from exo_auth.facts.spf import SpfResult
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible


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
