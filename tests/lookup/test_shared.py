"""What many domains share is put together once, and never past its time or where it would be another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind
from exo_auth.facts.spf import SpfNode
from exo_auth.lookup.questions import answered
from exo_auth.lookup.recorded import OfOneKind
from exo_auth.lookup.shared import MOST_SHARED, SECONDS, Shared
from exo_auth.lookup.spf_tree import Subtree, tree_steps


def test_facts_last_a_few_seconds_and_stay_few() -> None:
    now = 100.0
    shared: Shared[str] = Shared(lambda: now)
    assert shared.get("a") is None
    assert shared.keep("a", "x") == shared.get("a") == "x"
    now += SECONDS
    assert shared.get("a") is None
    for number in range(MOST_SHARED + 1):
        shared.keep(str(number), "y")
    assert shared.get("0") is None
    assert shared.get(str(MOST_SHARED)) == "y"


class Zone(OfOneKind):
    """Answers TXT from a dict; what is not there is absent, None fails."""

    def __init__(self, texts: dict[str, str | None]) -> None:
        self.texts, self.asked = texts, list[str]()

    async def resolve(self, name: DomainName, rdtype: str) -> Any:
        return (await self.resolve_all([(name, rdtype)]))[0]

    async def resolve_all(self, questions: Sequence[tuple[DomainName, str]]) -> list[Any]:
        self.asked += [name.ascii for name, _ in questions]
        return [self._answer(name.ascii) for name, _ in questions]

    def _answer(self, name: str) -> Any:
        text = self.texts.get(name, "")
        if text is None:
            return LookupFailed(FailureReason.TIMEOUT, "silent", temporary=True)
        return Found(((text.encode(),),), timedelta(60)) if text else Missing(MissingKind.NXDOMAIN)


def tree(zone: Zone, name: str, known: Shared[Subtree]) -> SpfNode:
    return asyncio.run(answered(zone, tree_steps(DomainName(name), None, known)))


def test_an_include_is_read_once_for_all_who_include_it() -> None:
    zone = Zone(dict.fromkeys(("a.test", "b.test"), "v=spf1 include:shared.test -all"))
    zone.texts |= {"shared.test": "v=spf1 include:deep.test -all", "deep.test": "v=spf1 ip4:192.0.2.1 -all"}
    known: Shared[Subtree] = Shared()
    first, second = tree(zone, "a.test", known), tree(zone, "b.test", known)
    assert first.branches[0].node == second.branches[0].node == tree(zone, "shared.test", Shared())
    assert zone.asked[:4] == ["a.test", "shared.test", "deep.test", "b.test"]


def test_a_loop_is_a_loop_for_those_in_it_alone() -> None:
    zone = Zone({f"{a}.test": f"v=spf1 include:{b}.test -all" for a, b in ("ab", "bc", "ca", "dc")})
    known: Shared[Subtree] = Shared()
    for name in ("d.test", "a.test", "b.test", "c.test"):
        assert tree(zone, name, known) == tree(zone, name, Shared())


def test_a_failure_is_asked_about_again() -> None:
    zone = Zone(
        dict.fromkeys(("a.test", "b.test"), "v=spf1 include:shared.test -all") | {"shared.test": None}
    )
    known: Shared[Subtree] = Shared()
    tree(zone, "a.test", known)
    zone.texts["shared.test"] = "v=spf1 -all"
    node = tree(zone, "b.test", known).branches[0].node
    assert node is not None
    assert isinstance(node.answer, Found)


def test_a_shared_include_counts_for_the_limit_of_each_tree() -> None:
    wide = " ".join(f"include:x{number}.test" for number in range(40))
    zone = Zone({"wide.test": f"v=spf1 {wide} -all", "a.test": f"v=spf1 include:wide.test {wide} -all"})
    zone.texts |= {f"x{number}.test": "v=spf1 -all" for number in range(40)}
    known: Shared[Subtree] = Shared()
    fresh = tree(zone, "a.test", Shared())
    tree(zone, "wide.test", known)
    assert is_cut(fresh)
    assert is_cut(tree(zone, "a.test", known))


def is_cut(node: SpfNode) -> bool:
    return node.is_cut or any(is_cut(branch.node) for branch in node.branches if branch.node is not None)
