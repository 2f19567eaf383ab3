"""The tree of SPF records with the cost of each branch (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exo_auth.checks.finding import Finding
from exo_auth.checks.spf_cost import MOST_LOOKUPS, MOST_VOID_LOOKUPS, branch_cost, cost_of
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.spf import SpfBranch, SpfNode
from exo_auth.records.spf import SpfRecord
from exo_auth.render.document import ONE_DOCUMENT, findings_list, to_text
from exo_auth.render.plan_text import findings_lines
from exo_auth.render.safe_text import visible


def spf_tree_text(node: SpfNode, size: int, findings: Sequence[Finding], output: str) -> str:
    """Write the tree; `size` is that of the DNS message with all TXT records of the domain, in octets."""
    total = cost_of(node)
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/spf-show/1",
                "domain": node.domain,
                "lookups": total.lookups,
                "void_lookups_ipv4": total.void4,
                "void_lookups_ipv6": total.void6,
                "complete": not total.is_open,
                "message_size": size,
                "tree": _node_document(node),
                "findings": findings_list(findings),
            },
            output,
        )
    lines = [f"{node.domain}  {_record_text(node)}", *_branches(node, "")]
    has_cost = isinstance(node.record, SpfRecord)
    if has_cost:
        lines.append(
            f"{total.lookups} of {MOST_LOOKUPS} lookups in the worst case; void lookups: {total.void4} of {MOST_VOID_LOOKUPS} "
            f"for IPv4 senders, {total.void6} of {MOST_VOID_LOOKUPS} for IPv6 senders; {size} octets"
        )
    if has_cost and total.is_open:
        lines.append(
            "some branches depend on the message or could not be looked up: their cost is not in the numbers"
        )
    return "\n".join([*lines, *findings_lines(findings)])


def _branches(node: SpfNode, indent: str) -> Iterator[str]:
    for branch in node.branches:
        cost = branch_cost(branch)
        last = branch is node.branches[-1]
        void = f", void {cost.void4}/{cost.void6}" if cost.void4 or cost.void6 else ""
        yield f"{indent}{'└' if last else '├'} {visible(branch.term.text)}  [{cost.lookups}{void}]  {_leads_to(branch)}".rstrip()
        if branch.node is not None:
            yield from _branches(branch.node, indent + ("  " if last else "│ "))


def _leads_to(branch: SpfBranch) -> str:
    if branch.node is not None:
        return _record_text(branch.node)
    if branch.failure is not None:
        return f"could not be looked up: {branch.failure.reason}"
    if branch.is_void:
        return "no exchanger"
    if not branch.target:
        return "depends on the message"
    return ", ".join(f"{host.name} {_addresses(host.ipv4, host.ipv6)}" for host in branch.hosts[:4])


def _addresses(*answers: Any) -> str:
    found = [str(value) for answer in answers if isinstance(answer, Found) for value in answer.values]
    failed = any(isinstance(answer, LookupFailed) for answer in answers)
    return " ".join(found[:4]) or ("could not be looked up" if failed else "has no address")


def _record_text(node: SpfNode) -> str:
    if node.is_loop:
        return "leads back to itself"
    if node.is_cut:
        return "not read: the tree is far beyond the limits"
    if isinstance(node.answer, LookupFailed):
        return f"could not be looked up: {node.answer.reason}"
    if not node.texts:
        return "has no SPF record"
    if len(node.texts) > 1:
        return f"has {len(node.texts)} SPF records"
    fault = f"  (void: {node.record.message})" if isinstance(node.record, RecordSyntaxError) else ""
    return visible(node.texts[0]) + fault


def _node_document(node: SpfNode) -> dict[str, Any]:
    return {
        "domain": node.domain,
        "records": list(node.texts),
        "valid": isinstance(node.record, SpfRecord),
        "problem": "" if isinstance(node.record, SpfRecord) else _record_text(node),
        "branches": [_branch_document(branch) for branch in node.branches],
    }


def _branch_document(branch: SpfBranch) -> dict[str, Any]:
    cost = branch_cost(branch)
    return {
        "term": branch.term.text,
        "target": branch.target,
        "lookups": cost.lookups,
        "void_lookups_ipv4": cost.void4,
        "void_lookups_ipv6": cost.void6,
        "leads_to": _node_document(branch.node) if branch.node is not None else None,
    }
