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

    def __add__(self, other: SpfCost) -> SpfCost:
        return SpfCost(
            self.lookups + other.lookups,
            self.void4 + other.void4,
            self.void6 + other.void6,
            self.is_open or other.is_open,
        )


def cost_of(node: SpfNode) -> SpfCost:
    """Add up all branches of a record."""
    total = SpfCost(is_open=node.is_cut or isinstance(node.answer, LookupFailed))
    for branch in node.branches:
        total += branch_cost(branch)
    return total


def branch_cost(branch: SpfBranch) -> SpfCost:
    """Give what one term costs, with all below it."""
    own = SpfCost(lookups=1, is_open=branch.failure is not None)
    if branch.node is not None:
        # The record of an include is a query too; an absent one ends the evaluation, so it is no void lookup here.
        return own + cost_of(branch.node)
    if branch.is_void:
        return own + SpfCost(void4=1, void6=1)
    if not branch.hosts:  # ptr, and names that a macro decides
        return own + SpfCost(is_open=True)
    for host in branch.hosts[:MOST_NAMES]:
        own += SpfCost(
            void4=isinstance(host.ipv4, Missing),
            void6=isinstance(host.ipv6, Missing),
            is_open=isinstance(host.ipv4, LookupFailed) or isinstance(host.ipv6, LookupFailed),
        )
    return own


def domains_authorized(node: SpfNode) -> frozenset[str]:
    """Name every domain whose record is included or redirected to, at any depth."""
    found = set()
    for branch in node.branches:
        if branch.node is not None:
            found |= {branch.target, *domains_authorized(branch.node)}
    return frozenset(found)
