"""Rules of frameworks and who breaks them (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exo_auth.checks.changes import Baseline
from exo_auth.checks.entry import Profile
from exo_auth.checks.frameworks import Audit, ChangedRules, Rule, score_of
from exo_auth.facts.domain import Subject
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table
from exo_auth.render.times import iso

MOST_NAMED = 3  # domains in a cell


def audit_text(audit: Audit, output: str, *, color: bool = False) -> str:
    """Write one row for each rule, and the score."""
    if output == "json":
        return to_text(_audit_document(audit))
    score, domains = score_of(audit.verdicts), len(audit.domains)
    rows = tuple(
        (
            v.rule.framework.value,
            v.rule.id,
            _asks(v.rule),
            v.state,
            f"{v.kept} of {domains}",
            v.rule.title,
            _named(v.broken or v.unknown),
        )
        for v in audit.verdicts
    )
    columns = ("Framework", "Rule", "Asks", "State", "Kept", "Title", "Not kept by")
    text = Table(columns, rows).to_text(output, color=color)
    if output != "table":
        return text
    percent = f"{score.percent} %" if score.percent is not None else "nothing could be judged"
    return f"{text}\nscore {percent}: {score.kept} of {score.judged} rules kept, over {domains} domains"


def _audit_document(audit: Audit) -> dict[str, Any]:
    """Give the verdicts, and the findings they rest on: so a later audit can tell what changed."""
    score = score_of(audit.verdicts)
    return {
        "schema": "exo-auth/audit/1",
        "checked_at": iso(audit.at),
        "profile": Profile.CISA.value,
        "subjects": [subject.value for subject in Subject],
        "beside_baseline": False,
        "domains": [one.domain for one in audit.domains],
        "score": {"kept": score.kept, "judged": score.judged, "percent": score.percent},
        "rules": [
            {
                **_rule_document(v.rule),
                "state": v.state,
                "kept": v.kept,
                "broken": list(v.broken),
                "unknown": list(v.unknown),
            }
            for v in audit.verdicts
        ],
        "findings": [
            {
                "domain": domain.domain,
                "code": one.code,
                "severity": one.severity.value,
                "message": one.message,
            }
            for domain in audit.domains
            for one in domain.findings
        ],
    }


def changed_rules_text(changed: ChangedRules, output: str, *, color: bool = False) -> str:
    """Write the rules that somebody began to break, or keeps now."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/audit-changes/1",
                "checked_at": iso(changed.at),
                "domains": list(changed.domains),
                "unknown": list(changed.unknown),
                "rules": [
                    {**_rule_document(one.rule), "broken": list(one.broken), "mended": list(one.mended)}
                    for one in changed.rules
                ],
            }
        )
    rows = tuple(
        (one.rule.framework.value, one.rule.id, _asks(one.rule), what, one.rule.title, _named(domains))
        for one in changed.rules
        for what, domains in (("broken", one.broken), ("kept now", one.mended))
        if domains
    )
    columns = ("Framework", "Rule", "Asks", "Change", "Title", "By")
    if output != "table":
        return Table(columns, rows).to_text(output)
    lines = [Table(columns, rows).to_text(output, color=color)] if rows else ["no rule changed"]
    if changed.unknown:
        lines.append(f"could not be looked at whole: {_named(changed.unknown)}")
    return "\n".join(lines)


def _rule_document(rule: Rule) -> dict[str, Any]:
    return {"framework": rule.framework.value, "rule": rule.id, "title": rule.title, "must": rule.must}


def _asks(rule: Rule) -> str:
    return "must" if rule.must else "should"


def compare_text(before: Baseline, after: Baseline, output: str) -> str:
    """Write which findings are new and which are gone between two documents."""
    rows: list[tuple[str, str, str, str]] = []
    for domain in sorted({*before.known, *after.known}):
        old, new = before.known.get(domain, {}), after.known.get(domain, {})
        rows += [(domain, "new", past.code, past.message) for key, past in new.items() if key not in old]
        rows += [(domain, "gone", past.code, past.message) for key, past in old.items() if key not in new]
    if output == "json":
        keys = ("domain", "change", "code", "message")
        return to_text(
            {
                "schema": "exo-auth/compare/1",
                "changes": [dict(zip(keys, row, strict=True)) for row in rows],
            }
        )
    if not rows and output == "table":
        return "no differences"
    return Table(("Domain", "Change", "Code", "What"), tuple(rows)).to_text(output)


def _named(domains: Sequence[str]) -> str:
    more = len(domains) - MOST_NAMED
    named = ", ".join(map(visible, domains[:MOST_NAMED]))
    return f"{named} and {more} more" if more > 0 else named
