"""What an SPF tree costs in the worst case (checks, pure). RFC 7208 §4.6.4.

A receiver stops counting at the first term that matches, so a record beyond the limits works for some senders and
fails for others. What counts here is the sender that no term matches: every term up to `all`, in every include.
"""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.facts.dns import LookupFailed, Missing
from exo_auth.facts.spf import SpfBranch, SpfNode

MOST_LOOKUPS = 10
MOST_VOID_LOOKUPS = 2
MOST_NAMES = 10  # of one mx or ptr


@dataclass(frozen=True)
class SpfCost:
    """Lookups, and void lookups for clients of either family. `is_open`: something below was not known."""

    lookups: int = 0
    void4: int = 0
    void6: int = 0
    is_open: bool = False


def cost_of(node: SpfNode) -> SpfCost:
    """Add up all branches of a record."""
    count = _Count()
    count.add_node(node)
    return count.cost


def branch_cost(branch: SpfBranch) -> SpfCost:
    """Give what one term costs, with all below it."""
    count = _Count()
    count.add_branch(branch)
    return count.cost


class _Count:
    def __init__(self) -> None:
        self._lookups = self._void4 = self._void6 = 0
        self._is_open = False

    @property
    def cost(self) -> SpfCost:
        return SpfCost(self._lookups, self._void4, self._void6, self._is_open)

    def add_node(self, node: SpfNode) -> None:
        if node.is_cut or isinstance(node.answer, LookupFailed):
            self._is_open = True
        for branch in node.branches:
            self.add_branch(branch)

    def add_branch(self, branch: SpfBranch) -> None:
        self._lookups += 1
        if branch.failure is not None:
            self._is_open = True
        if branch.node is not None:
            # The record of an include is a query too; an absent one ends the evaluation, so it is no void lookup here.
            self.add_node(branch.node)
        elif branch.is_void:
            self._void4 += 1
            self._void6 += 1
        elif not branch.hosts:  # ptr, and names that a macro decides
            self._is_open = True
        for host in branch.hosts[:MOST_NAMES]:
            self._void4 += isinstance(host.ipv4, Missing)
            self._void6 += isinstance(host.ipv6, Missing)
            self._is_open |= isinstance(host.ipv4, LookupFailed) or isinstance(host.ipv6, LookupFailed)


def domains_authorized(node: SpfNode) -> frozenset[str]:
    """Name every domain whose record is included or redirected to, at any depth."""
    found = set()
    for branch in node.branches:
        if branch.node is not None:
            found |= {branch.target, *domains_authorized(branch.node)}
    return frozenset(found)
