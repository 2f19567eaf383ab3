"""Lines of a plan that say the same of many domains, brought together so that a large plan can be read (plan, pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral
from exo_auth.plan.plan import Plan

Part = Change | Deferral | Blockage
P = TypeVar("P", Change, Deferral, Blockage)

_COUNTED = re.compile(
    r"selector[12]|\d+"
)  # in a reason: what differs from domain to domain, and decides nothing
_NAMED = re.compile(
    r"\b[a-z]-v1\b|\b[0-9a-f]{16,}\b"
)  # in a value: the letter of a DKIM target, the id of a policy


@dataclass(frozen=True)
class StagePart:
    """What a plan holds of one stage, "" where the plan has no stages; each in the plan's order."""

    stage: str
    changes: tuple[Change, ...]
    deferrals: tuple[Deferral, ...]
    blockages: tuple[Blockage, ...]


def by_stage(plan: Plan) -> tuple[StagePart, ...]:
    """Split a plan by stage, in the order of the playbook; stages that have nothing to say are left out."""
    parts: Iterable[Part] = (*plan.changes, *plan.deferrals, *plan.blockages)
    told = dict.fromkeys(part.stage for part in parts)
    known = [stage for stage in plan.stages if stage in told]
    return tuple(
        StagePart(
            stage,
            tuple(one for one in plan.changes if one.stage == stage),
            tuple(one for one in plan.deferrals if one.stage == stage),
            tuple(one for one in plan.blockages if one.stage == stage),
        )
        for stage in dict.fromkeys((*known, *told))
    )


def alike(parts: Sequence[P]) -> list[list[P]]:
    """Bring together what is the same but for the domain and the numbers in the reason, in the order of first occurrence.

    What would be sent is never put under one heading with anything else: cmdlet, parameters and values are the same.
    """
    found: dict[tuple[str, ...], list[P]] = {}
    for part in parts:
        found.setdefault(_shape(part), []).append(part)
    return list(found.values())


def domains_of(parts: Iterable[Part]) -> list[DomainName]:
    """Name the domains of some parts, each once, in their order."""
    return list(dict.fromkeys(part.target for part in parts))


def _shape(part: Part) -> tuple[str, ...]:
    if isinstance(part, Change):
        sent = [
            part.sign,
            part.verb.value,
            part.cmdlet,
            _reason(part, part.because),
            _reason(part, part.undo),
        ]
        states = [dict(part.parameters), part.before.get("values"), part.after.get("values")]
        return (*sent, _NAMED.sub("#", _anywhere(part, json.dumps(states, sort_keys=True, default=str))))
    if isinstance(part, Deferral):
        return (str(part.is_waiting), part.verb.value, _reason(part, part.reason))
    findings = sorted(
        f"{one.code} {_reason(part, one.seen)} {_reason(part, one.remedy)}" for one in part.findings
    )
    return (str(part.is_unknown), part.verb.value, _reason(part, part.reason), *findings)


def _reason(part: Part, words: str) -> str:
    return _COUNTED.sub("#", _anywhere(part, words))


def _anywhere(part: Part, text: str) -> str:
    """Take out the domain's name, and the form of it that names of Exchange Online hold."""
    dashed = part.target.ascii.replace(".", "-")
    return text.replace(part.target.ascii, "@").replace(part.target.unicode, "@").replace(dashed, "@")
