"""Playbooks: which ship, and what one does (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from exo_auth.render.document import to_text
from exo_auth.render.table import Table


class Step(Protocol):
    """One stage, shaped like `run.playbook.Stage`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def do(self) -> str: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, Sequence[str]]: ...  # noqa: D102
    @property
    def domains(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def excepted(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def gates(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def after(self) -> timedelta | None: ...  # noqa: D102


def playbooks_text(playbooks: Iterable[tuple[str, str]], output: str) -> str:
    """Write the name of each, and the first line of its explanation."""
    found = [(name, text.splitlines()[0].removeprefix(f"# {name}: ")) for name, text in playbooks]
    if output == "json":
        rows = [{"name": name, "summary": summary} for name, summary in found]
        return to_text({"schema": "exo-auth/playbooks/1", "playbooks": rows})
    return Table(("Playbook", "What it does"), tuple(found)).to_text(output)


def playbook_text(
    domains: Sequence[str],
    excepted: Sequence[str],
    tags: Mapping[str, Sequence[str]],
    steps: Iterable[Step],
    output: str,
) -> str:
    """Write what a playbook does to whom; `tags` are those that it uses, with what they stand for."""
    found = list(steps)
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/playbook-steps/1",
                "domains": list(domains),
                "except": list(excepted),
                "tags": {tag: list(names) for tag, names in tags.items()},
                "stages": [_document(step) for step in found],
            }
        )
    lines = [f"domains: {_whom(domains, excepted)}"]
    lines += [f"@{tag}: {', '.join(names) or 'nobody'}" for tag, names in tags.items()]
    for number, step in enumerate(found, start=1):
        lines.append(f"{number}. {step.name}: {step.do}{''.join(_conditions(step))}")
    return "\n".join(lines)


def _document(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "do": step.do,
        "domains": list(step.domains),
        "except": list(step.excepted),
        "gates": [str(gate) for gate in step.gates],
        "after_seconds": int(step.after.total_seconds()) if step.after is not None else None,
        "with": {key: list(value) for key, value in step.values.items()},
    }


def _conditions(step: Step) -> Iterator[str]:
    if step.values:
        yield f" ({', '.join(f'{key} {_listed(value)}' for key, value in step.values.items())})"
    if list(step.domains) == ["none"]:
        yield "; for nobody"
    elif step.domains or _meant(step.excepted):
        yield f"; for {_whom(step.domains or ['all'], step.excepted)}"
    if step.after is not None:
        days = step.after / timedelta(days=1)
        yield f"; {days:g} days after the stages before"
    if step.gates:
        yield f"; when open: {', '.join(step.gates)}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values)


def _whom(domains: Sequence[str], excepted: Sequence[str]) -> str:
    left_out = _meant(excepted)
    return ", ".join(domains) + (f", except {', '.join(left_out)}" if left_out else "")


def _meant(patterns: Sequence[str]) -> list[str]:
    return [pattern for pattern in patterns if pattern != "none"]
