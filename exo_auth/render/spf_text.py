"""SPF: results, and the way to them (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence

from exo_auth.facts.spf import NO_EXPLANATION, SpfResult, SpfStep
from exo_auth.render.document import ONE_DOCUMENT, to_text
from exo_auth.render.safe_text import visible


def spf_result_text(result: SpfResult, output: str) -> str:
    """Write the result and the way to it; as JSON the keys `result` and `explanation` are at the top."""
    if output in ONE_DOCUMENT:
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
            },
            output,
        )
    lines = [
        f"{'  ' * step.depth}{visible(step.domain)}  {visible(step.term)}{'  matches' if step.matched else ''}"
        for step in _from_above(result.path)
    ]
    if result.problem:
        lines.append(f"problem: {visible(result.problem)}")
    if result.explanation not in ("", NO_EXPLANATION):
        lines.append(f"explanation: {visible(result.explanation)}")
    lines.append(f"{result.result}  {result.lookups} of 10 lookups, {result.void_lookups} of 2 void")
    return "\n".join(lines)


def _from_above(path: Sequence[SpfStep]) -> list[SpfStep]:
    """Put each include before what stands behind it; it is judged after that."""
    blocks: list[list[SpfStep]] = []
    for step in path:
        at = len(blocks)
        while at and blocks[at - 1][0].depth > step.depth:
            at -= 1
        blocks[at:] = [[step, *(inner for block in blocks[at:] for inner in block)]]
    return [step for block in blocks for step in block]
