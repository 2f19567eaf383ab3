"""Includes put in as addresses, where ten lookups cannot be kept otherwise, with every hazard looked at (plan, pure).

A flattened record is a copy that grows old: whoever uses it renews it by schedule, and `shrinkage` stops a renewal that
lost too much.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations

from exo_auth.checks.spf_cost import MOST_LOOKUPS, branch_cost, cost_of
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.spf import SpfBranch, SpfNode
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Network, Qualifier, SpfRecord

LONGEST = 450  # octets of one record, so that all TXT of the name fit one datagram (RFC 7208 §3.4)
MOST_CHOICES = 14  # includes among which the cheapest cut is searched exhaustively


@dataclass(frozen=True)
class Flattened:
    """The networks of some includes, or why they cannot be had. `source` is a hash over them."""

    terms: tuple[str, ...]  # the includes put in
    networks: tuple[Network, ...]
    hazards: tuple[str, ...] = ()
    lifetime: int = 0  # seconds until the first of the answers may be another, 0 where none was found

    @property
    def source(self) -> str:
        """SHA-256 over the networks, in their order."""
        return hashlib.sha256("\n".join(map(str, self.networks)).encode("ascii")).hexdigest()


def cheapest_cut(node: SpfNode, most: int = MOST_LOOKUPS) -> tuple[SpfBranch, ...]:
    """Choose the includes to put in so that no more than `most` lookups are left, with the fewest networks added.

    Gives () where nothing must be cut, or where no choice is enough.
    """
    spent = cost_of(node).lookups
    if spent <= most:
        return ()
    able = [branch for branch in node.branches if branch.node is not None and not flatten((branch,)).hazards]
    weights = {id(branch): (branch_cost(branch).lookups, len(flatten((branch,)).networks)) for branch in able}
    able = sorted(able, key=lambda branch: weights[id(branch)][1] / weights[id(branch)][0])[:MOST_CHOICES]
    best: tuple[int, tuple[SpfBranch, ...]] | None = None
    for size in range(1, len(able) + 1):
        for chosen in combinations(able, size):
            saved = sum(weights[id(branch)][0] for branch in chosen)
            added = sum(weights[id(branch)][1] for branch in chosen)
            if spent - saved <= most and (best is None or added < best[0]):
                best = added, chosen
    return best[1] if best else ()


def flatten(branches: Iterable[SpfBranch]) -> Flattened:
    """Collect what the includes let pass. An include contributes what gives pass, and nothing else (RFC 7208 §5.2)."""
    chosen = tuple(branches)
    networks: list[Network] = []
    hazards: list[str] = []
    for branch in chosen:
        if branch.node is None:
            hazards.append(f"{branch.term.text}: only includes can be put in")
            continue
        networks += _networks(branch.node, hazards)
    four = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    ttls = [int(ttl.total_seconds()) for branch in chosen for ttl in _ttls(branch)]
    terms = tuple(branch.term.text for branch in chosen)
    return Flattened(terms, (*four, *six), tuple(hazards), min(ttls, default=0))


def networks_that_pass(node: SpfNode) -> tuple[tuple[Network, ...], tuple[str, ...]]:
    """Give all networks that pass, as far as they are known before a message comes, and what is not known."""
    hazards: list[str] = []
    found = list(_networks(node, hazards))
    four = ipaddress.collapse_addresses(one for one in found if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in found if isinstance(one, ipaddress.IPv6Network))
    return (*four, *six), tuple(hazards)


def put_in(record: SpfRecord, flattened: Flattened) -> SpfRecord:
    """Give the record with the networks in the place of the first include that they replace."""
    own = [
        Mechanism(f"ip{network.version}", network=network, text=_written(network))
        for network in flattened.networks
    ]
    mechanisms: list[Mechanism] = []
    for mechanism in record.mechanisms:
        if mechanism.text not in flattened.terms:
            mechanisms.append(mechanism)
            continue
        mechanisms += own
        own = []
    return replace(record, mechanisms=tuple(mechanisms))


def split(record: SpfRecord, domain: str) -> list[tuple[str, str]]:
    """Write records of at most 450 octets: the domain's own, and `_spfN.<domain>` included from it.

    Gives owner and text of each, the domain's own first.
    """
    everything = spf.render(record)
    if len(everything) <= LONGEST:
        return [(domain, everything)]
    mechanisms = record.mechanisms
    networks = [one for one in mechanisms if one.network is not None and one.qualifier is Qualifier.PASS]
    others = [one for one in mechanisms if one not in networks]
    parts = list(_parts([_written_mechanism(one) for one in networks]))
    includes = [f"include:_spf{n}.{domain}" for n in range(1, len(parts) + 1)]
    head = [_written_mechanism(one) for one in others if one.name != "all"]
    tail = [_written_mechanism(one) for one in others if one.name == "all"]
    rest = spf.render(replace(record, mechanisms=())).split(" ")[1:]  # redirect and the like
    own = " ".join([spf.VERSION, *includes, *head, *tail, *rest])
    return [
        (domain, own),
        *(
            (f"_spf{n}.{domain}", " ".join([spf.VERSION, *part, "~all"]))
            for n, part in enumerate(parts, start=1)
        ),
    ]


def taken_out(
    mechanisms: Iterable[Mechanism], networks: Iterable[Network], terms: Iterable[Mechanism]
) -> tuple[Mechanism, ...]:
    """Undo `put_in`: the terms stand again where the first of their networks is; whatever else stands there stays."""
    copied, put_back = set(networks), list(terms)
    left: list[Mechanism] = []
    for mechanism in mechanisms:
        is_copy = mechanism.network in copied and mechanism.qualifier is Qualifier.PASS
        if is_copy or mechanism.name == "all":
            left += put_back
            put_back = []
        if not is_copy:
            left.append(mechanism)
    return (*left, *put_back)


def why_not_split(mechanisms: Iterable[Mechanism]) -> str:
    """Say why a record must stay in one piece, "" where it need not: in parts, networks come before what refuses."""
    for mechanism in mechanisms:
        if mechanism.qualifier is not Qualifier.PASS and mechanism.name != "all":
            return f"{mechanism.text} must keep its place among the addresses, and the record is too long for one piece"
    return ""


def shrinkage(before: Iterable[Network], after: Iterable[Network]) -> float:
    """Give which share of the former networks is not covered any more, by count."""
    old, new = list(before), list(after)
    if not old:
        return 0.0
    lost = [one for one in old if not any(_within(one, other) for other in new)]
    return len(lost) / len(old)


def lost_networks(before: Iterable[Network], after: Iterable[Network]) -> tuple[Network, ...]:
    """Give the former networks that are not wholly covered any more."""
    new = list(after)
    return tuple(one for one in before if not any(_within(one, other) for other in new))


def _within(narrow: Network, wide: Network) -> bool:
    return narrow.version == wide.version and (
        int(wide.network_address) <= int(narrow.network_address)
        and int(narrow.broadcast_address) <= int(wide.broadcast_address)
    )


def _networks(node: SpfNode, hazards: list[str]) -> Iterator[Network]:
    if isinstance(node.answer, LookupFailed):
        hazards.append(f"{node.domain} could not be looked up")
    if not isinstance(node.record, SpfRecord):
        hazards.append(f"{node.domain} has no record that can be read")
        return
    by_term = {id(branch.term): branch for branch in node.branches}
    for mechanism in node.record.mechanisms:
        if mechanism.name == "all":
            if mechanism.qualifier is Qualifier.PASS:
                hazards.append(f"{node.domain} lets everybody pass (+all)")
            return
        if mechanism.qualifier is not Qualifier.PASS:
            hazards.append(
                f"{mechanism.text} of {node.domain} is no pass: what stands behind it cannot be copied"
            )
            continue
        if mechanism.network is not None:
            yield mechanism.network
        elif branch := by_term.get(id(mechanism)):
            yield from _of_branch(branch, mechanism, node, hazards)
    redirect = next((branch for branch in node.branches if branch.kind == "redirect"), None)
    if redirect is not None and redirect.node is not None:
        yield from _networks(redirect.node, hazards)


def _ttls(branch: SpfBranch) -> Iterator[timedelta]:
    answers: list[object] = [answer for host in branch.hosts for answer in (host.ipv4, host.ipv6)]
    if branch.node is not None:
        answers.append(branch.node.answer)
        for inner in branch.node.branches:
            yield from _ttls(inner)
    yield from (answer.ttl for answer in answers if isinstance(answer, Found))


def _of_branch(
    branch: SpfBranch, mechanism: Mechanism, node: SpfNode, hazards: list[str]
) -> Iterator[Network]:
    if branch.node is not None:
        yield from _networks(branch.node, hazards)
        return
    if mechanism.name in ("exists", "ptr") or not branch.target:
        hazards.append(f"{mechanism.text} of {node.domain} depends on each message")
        return
    if branch.failure is not None:
        hazards.append(f"{mechanism.text} of {node.domain} could not be looked up")
    for host in branch.hosts:
        for answer, length in ((host.ipv4, mechanism.prefix4), (host.ipv6, mechanism.prefix6)):
            if isinstance(answer, LookupFailed):
                hazards.append(f"{host.name} could not be looked up")
            elif isinstance(answer, Found):
                for address in answer.values:
                    yield ipaddress.ip_network((address, length), strict=False)


def _parts(words: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    room = LONGEST - len(spf.VERSION) - len(" ~all")
    for word in words:
        if part and room - len(word) - 1 < 0:
            yield part
            part, room = [], LONGEST - len(spf.VERSION) - len(" ~all")
        part.append(word)
        room -= len(word) + 1
    if part:
        yield part


def _written(network: Network) -> str:
    single = network.prefixlen == network.max_prefixlen
    return f"ip{network.version}:{network.network_address if single else network}"


def _written_mechanism(mechanism: Mechanism) -> str:
    return spf.render(SpfRecord((mechanism,))).removeprefix(f"{spf.VERSION} ")
