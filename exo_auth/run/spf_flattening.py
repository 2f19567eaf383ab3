"""Includes put in as addresses, and renewed: what the vendors publish now in the place of what they did (run)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

from exo_auth.checks.spf_cost import MOST_LOOKUPS, cost_of
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, InputError, RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.spf import SpfBranch, SpfNode
from exo_auth.lookup.overlay import OverlayResolver
from exo_auth.lookup.resolver import Resolver
from exo_auth.plan.receiver_effects import size_of
from exo_auth.plan.record_set import TTL, RecordChange, merged
from exo_auth.plan.spf_edit import read_term
from exo_auth.plan.spf_flatten import (
    LONGEST,
    Flattened,
    cheapest_cut,
    flatten,
    put_in,
    shrinkage,
    split,
    taken_out,
    why_not_split,
)
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Network, SpfRecord
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings
from exo_auth.run.spf_records import LiveSpf, live_spf

SHORTEST_TTL = 300  # seconds
_STATE = "exo-auth/spf-flatten-state/2"


@dataclass(frozen=True)
class _Former:
    """What was put in the last time; nothing at the first."""

    terms: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()


def flatten_record(
    settings: Settings, name: str, includes: Sequence[str], state: Path | None, most_shrinkage: float
) -> tuple[RecordChange, ...]:
    """Put includes in as addresses: those named, or the cheapest that bring the record to ten lookups.

    `state` keeps what was put in; with it the next run puts in what the vendors publish then. Raises InputError for a
    hazard that cannot be copied.
    """
    domain = DomainName.parse_lookup(name)
    return asyncio.run(_flatten(resolver_for(settings), domain, includes, state, most_shrinkage))


async def _flatten(
    resolver: Resolver, domain: DomainName, includes: Sequence[str], state: Path | None, most_shrinkage: float
) -> tuple[RecordChange, ...]:
    live = await live_spf(resolver, domain)
    if len(live.records) != 1:
        raise InputError(
            f"{domain} has {len(live.records)} SPF records, not one", hint="exo-auth spf generate makes one"
        )
    former = _former(state, domain)
    record, tree = await _before_it_was_put_in(resolver, live, former)
    chosen = _chosen(tree, (*includes, *former.terms))
    if not chosen:
        spent = cost_of(tree).lookups
        note = f"{spent} of {MOST_LOOKUPS} lookups: nothing needs to be put in"
        if spent > MOST_LOOKUPS:
            raise InputError(
                "no set of includes can be put in that is enough", hint="move a sender to a subdomain"
            )
        return (RecordChange(domain, "TXT", live.texts, live.texts, (), (note,)),)
    found = flatten(chosen)
    if found.hazards:
        raise InputError(f"this cannot be copied: {found.hazards[0]}", hint="leave this include as it is")
    flat = put_in(record, found)
    if len(spf.render(flat)) > LONGEST and (why := why_not_split(flat.mechanisms)):
        raise InputError(f"this cannot be copied: {why}", hint="put in fewer includes")
    refusal = _renewal_refusal(former, found, most_shrinkage)
    changes = await _as_changes(resolver, domain, split(flat, domain.ascii), found, refusal)
    if state is not None and not any(one.refusal for one in changes):
        _keep(state, domain, found, live.texts)
    return changes


def _chosen(tree: SpfNode, includes: Sequence[str]) -> tuple[SpfBranch, ...]:
    named = {read_term(text).text.lower() for text in includes}
    if not named:
        return cheapest_cut(tree)
    chosen = tuple(branch for branch in tree.branches if branch.term.text.lower() in named)
    if missing := named - {branch.term.text.lower() for branch in chosen}:
        raise InputError(
            f"the record has no term {', '.join(sorted(missing))}",
            hint="exo-auth spf show lists them; what was put in before is known to its --state alone",
        )
    return chosen


async def _before_it_was_put_in(
    resolver: Resolver, live: LiveSpf, former: _Former
) -> tuple[SpfRecord, SpfNode]:
    """Give the record with its includes again, and the tree behind that: vendors are asked anew."""
    from exo_auth.lookup.spf_tree import spf_tree

    (record,) = live.records
    there = {mechanism.text.lower() for mechanism in record.mechanisms}
    gone = [term for term in former.terms if term.lower() not in there]
    if not gone:
        return record, live.tree
    whole = [one for mechanism in record.mechanisms for one in await _whole(resolver, live.domain, mechanism)]
    mechanisms = taken_out(whole, former.networks, (read_term(term) for term in gone))
    old = replace(record, mechanisms=mechanisms)
    overlay = OverlayResolver(resolver, {live.domain.ascii: (spf.render(old),)})
    return old, await spf_tree(overlay, live.domain)


async def _whole(resolver: Resolver, domain: DomainName, mechanism: Mechanism) -> tuple[Mechanism, ...]:
    """Give what stands in one of our own parts in its place; any other mechanism as it is."""
    name = mechanism.domain.text if mechanism.name == "include" and mechanism.domain is not None else ""
    if not re.fullmatch(rf"_spf[0-9]+\.{re.escape(domain.ascii)}", name, re.IGNORECASE):
        return (mechanism,)
    texts = [text for text in await _texts(resolver, DomainName(name.lower())) if spf.looks_like(text)]
    try:
        parts = [spf.parse(text) for text in texts]
    except RecordSyntaxError:
        parts = []
    if len(parts) != 1:
        raise InputError(f"{name} has no record that can be read", hint="exo-auth spf show tells more")
    return tuple(one for one in parts[0].mechanisms if one.name != "all")


async def _as_changes(
    resolver: Resolver,
    domain: DomainName,
    parts: list[tuple[str, str]],
    found: Flattened,
    refusal: str,
) -> tuple[RecordChange, ...]:
    """Give the changes in the order to publish them: what is included is there before what includes it."""
    from exo_auth.lookup.spf_tree import spf_tree

    live = {owner: await _texts(resolver, DomainName(owner)) for owner, _ in parts}
    after = {
        owner: merged(live[owner], (text,), replaced=tuple(filter(spf.looks_like, live[owner])))
        for owner, text in parts
    }
    cost = cost_of(await spf_tree(OverlayResolver(resolver, after), domain))
    if cost.lookups > MOST_LOOKUPS:
        refusal = (
            refusal
            or f"its {len(parts)} parts and the rest cost {cost.lookups} lookups, more than {MOST_LOOKUPS}"
        )
    ttl = min(TTL, max(SHORTEST_TTL, found.lifetime or TTL))
    because = (f"{', '.join(found.terms)} put in as {len(found.networks)} networks",)
    notes = (
        f"{cost.lookups} of {MOST_LOOKUPS} lookups",
        f"a copy grows old: run this again by schedule with the same --state, every {ttl} s as the vendors' TTL asks; "
        "who is added meanwhile fails until then",
    )
    return tuple(
        RecordChange(
            DomainName(owner),
            "TXT",
            live[owner],
            after[owner],
            because,
            (*notes, size_of(after[owner])),
            ttl,
            refusal,
        )
        for owner, _ in reversed(parts)
    )


async def _texts(resolver: Resolver, name: DomainName) -> tuple[str, ...]:
    answer: Answer[Txt] = await resolver.txt(name)
    if isinstance(answer, LookupFailed):
        raise CannotLook(f"TXT of {name}: {answer.detail}", hint="ask again")
    return tuple(txt.text for txt in answer.values) if isinstance(answer, Found) else ()


def _former(state: Path | None, domain: DomainName) -> _Former:
    if state is None or not state.exists():
        return _Former()
    try:
        document = json.loads(state.read_text(encoding="utf-8"))
        is_ours = document["domain"] == domain.ascii
        networks = tuple(ip_network(text) for text in document["networks"])
        terms = tuple(map(str, document.get("terms", ())))
    except (ValueError, KeyError, TypeError, OSError):
        raise InputError(f"{state} is no state of spf flatten", hint="move it away, and run again") from None
    if not is_ours:
        raise InputError(f"{state} is of {document['domain']}", hint="give each domain a state of its own")
    return _Former(terms, networks)


def _renewal_refusal(former: _Former, found: Flattened, most: float) -> str:
    lost = shrinkage(former.networks, found.networks)
    if lost <= most:
        return ""
    return f"{lost:.0%} of the networks of last time are gone; at most {most:.0%} may be"


def _keep(state: Path, domain: DomainName, found: Flattened, before: tuple[str, ...]) -> None:
    """Keep what was put in, its digest, and the set that stood there, for who wants it back."""
    from exo_auth.run.private_file import write_private

    document = {"schema": _STATE, "domain": domain.ascii, "source": found.source, "terms": list(found.terms)}
    document |= {"networks": list(map(str, found.networks)), "before": list(before)}
    write_private(state, json.dumps(document, indent=2) + "\n", replace=True)
