"""Playbooks: which ship, and what one does (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from exo_auth.render.document import to_text
from exo_auth.render.table import Table

Step = tuple[str, str, Mapping[str, Sequence[str]]]  # name, what it does, with what


def playbooks_text(playbooks: Iterable[tuple[str, str]], output: str) -> str:
    """Write the name of each, and the first line of its explanation."""
    found = [(name, text.splitlines()[0].removeprefix(f"# {name}: ")) for name, text in playbooks]
    if output == "json":
        rows = [{"name": name, "summary": summary} for name, summary in found]
        return to_text({"schema": "exo-auth/playbooks/1", "playbooks": rows})
    return Table(("Playbook", "What it does"), tuple(found)).to_text(output)


def playbook_text(domains: Sequence[str], excepted: Sequence[str], steps: Iterable[Step], output: str) -> str:
    """Write what a playbook does to whom."""
    found = list(steps)
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/playbook-steps/1",
                "domains": list(domains),
                "except": list(excepted),
                "stages": [
                    {"name": name, "do": do, "with": {key: list(value) for key, value in given.items()}}
                    for name, do, given in found
                ],
            }
        )
    lines = [f"domains: {', '.join(domains)}" + (f", except {', '.join(excepted)}" if excepted else "")]
    for number, (name, do, given) in enumerate(found, start=1):
        told = ", ".join(f"{key} {', '.join(value)}" for key, value in given.items())
        lines.append(f"{number}. {name}: {do}" + (f" ({told})" if told else ""))
    return "\n".join(lines)
