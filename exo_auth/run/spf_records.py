"""SPF records made from what is published: generate, simulate (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exo_auth.checks.spf_cost import MOST_LOOKUPS, MOST_VOID_LOOKUPS, SpfCost, cost_of
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, InputError, RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.spf import SpfNode
from exo_auth.lookup.overlay import OverlayResolver
from exo_auth.lookup.resolver import Resolver
from exo_auth.plan.receiver_effects import size_of, spf_effects
from exo_auth.plan.record_set import RecordChange, merged, same_values
from exo_auth.plan.spf_edit import EMPTY, Edited, SpfEdit, edit, merge, simplify
from exo_auth.plan.spf_flatten import cheapest_cut, lost_networks, networks_that_pass
from exo_auth.plan.spf_senders import BY_WORD
from exo_auth.plan.spf_simulation import SenderVerdict, Simulation
from exo_auth.records import spf
from exo_auth.records.spf import Qualifier, SpfRecord
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings

SHOWN_NETWORKS = 5


@dataclass(frozen=True)
class SpfWish:
    """What `spf generate` is asked for. `allows_loss` lets networks go that pass today."""

    add: tuple[str, ...] = ()  # terms, or words of the catalogue
    remove: tuple[str, ...] = ()
    sign: str = ""  # ~all, -all, ?all; "" for as it is
    microsoft: bool = True
    simplify: bool = False
    allows_loss: bool = False


@dataclass(frozen=True)
class LiveSpf:
    """What is published, and the tree behind it."""

    domain: DomainName
    texts: tuple[str, ...]
    records: tuple[SpfRecord, ...]
    tree: SpfNode


def generate(settings: Settings, name: str, wish: SpfWish) -> RecordChange:
    """Make the record from the published one; raises InputError, or CannotLook when DNS gives no verdict."""
    domain = DomainName.parse_lookup(name)
    return asyncio.run(generate_with(settings, resolver_for(settings), domain, wish))


def simulate(
    settings: Settings, name: str, wish: SpfWish, proposed: str, senders: Sequence[str]
) -> Simulation:
    """Evaluate senders under the published record and under another; raises as `generate` does."""
    domain = DomainName.parse_lookup(name)

    async def run() -> Simulation:
        resolver = resolver_for(settings)
        if proposed:
            live = await live_spf(resolver, domain)
            record = _parsed(proposed, "the proposed record")
            change = _change(live, record, ())
            notes, too_dear, _ = await _costs(resolver, live, change)
            change = replace(change, notes=(*notes, *spf_effects(record)), refusal=too_dear)
        else:
            loose = replace(wish, allows_loss=True)
            change = await generate_with(settings, resolver, domain, loose)
        return await _simulated(resolver, domain, change, senders)

    return asyncio.run(run())


async def generate_with(
    settings: Settings, resolver: Resolver, domain: DomainName, wish: SpfWish
) -> RecordChange:
    """Make the record from the published one, with a resolver; raises as `generate` does."""
    live = await live_spf(resolver, domain)
    base = merge(live.records) if live.records else Edited(EMPTY, ("there is no record yet",))
    terms = [BY_WORD[word].term if word in BY_WORD else word for word in wish.add]
    if wish.microsoft and base.record.modifier("redirect") is None:
        terms.insert(0, f"include:{settings.cloud.spf_include}")
    edited = edit(base.record, SpfEdit(tuple(terms), wish.remove, _sign(wish.sign)))
    because = base.because + edited.because
    record = edited.record
    if wish.simplify:
        simple = simplify(record)
        record, because = simple.record, because + simple.because
    change = _change(live, record, because)
    notes = [f"{word}: {BY_WORD[word].note}" for word in wish.add if word in BY_WORD and BY_WORD[word].note]
    refusal = await _refusal_of_added(resolver, record, live)
    cost_notes, too_dear, after = await _costs(resolver, live, change)
    if not wish.allows_loss:
        refusal = refusal or _refusal_of_lost(live.tree, after)
    return replace(change, notes=(*notes, *cost_notes, *spf_effects(record)), refusal=refusal or too_dear)


async def live_spf(resolver: Resolver, domain: DomainName) -> LiveSpf:
    """Look at a domain's SPF and all behind it; raises InputError for a record that cannot be read, or CannotLook."""
    from exo_auth.lookup.spf_tree import spf_texts, spf_tree

    answer: Answer[Txt] = await resolver.txt(domain)
    if isinstance(answer, LookupFailed):
        raise CannotLook(
            f"TXT of {domain}: {answer.detail}", hint="nothing is proposed without what is published"
        )
    texts = tuple(txt.text for txt in answer.values) if isinstance(answer, Found) else ()
    records = tuple(_parsed(text, f"the record of {domain}") for text in spf_texts(answer))
    return LiveSpf(domain, texts, records, await spf_tree(resolver, domain, answer))


def _parsed(text: str, what: str) -> SpfRecord:
    try:
        return spf.parse(text)
    except RecordSyntaxError as error:
        raise InputError(
            f"{what} cannot be read: {error.message} at character {error.position}",
            hint=f"mend this term first; exo-auth explain '{text[:60]}…' shows the place",
        ) from None


def _change(live: LiveSpf, record: SpfRecord, because: tuple[str, ...]) -> RecordChange:
    own = tuple(text for text in live.texts if spf.looks_like(text))
    text = spf.render(record)
    # What is written otherwise and means the same stays as it is.
    is_there = same_values("TXT", own, (text,))
    after = live.texts if is_there else merged(live.texts, (text,), replaced=own)
    return RecordChange(live.domain, "TXT", live.texts, after, because)


def _sign(text: str) -> Qualifier | None:
    signs = {f"{sign.value}all": sign for sign in Qualifier if sign is not Qualifier.PASS}
    if not text:
        return None
    if text not in signs:
        raise InputError(f"“{text}” cannot end a record", hint=f"one of {', '.join(signs)}")
    return signs[text]


async def _refusal_of_added(resolver: Resolver, record: SpfRecord, live: LiveSpf) -> str:
    """Look whether every include that is new has a record: one without is a permerror (RFC 7208 §5.2)."""
    from exo_auth.lookup.spf_evaluation import as_name
    from exo_auth.lookup.spf_tree import spf_texts

    known = {mechanism.text.lower() for old in live.records for mechanism in old.mechanisms}
    for mechanism in record.mechanisms:
        if mechanism.name != "include" or mechanism.domain is None or mechanism.domain.letters():
            continue
        if (mechanism.text or f"include:{mechanism.domain.text}").lower() in known:
            continue
        answer = await resolver.txt(as_name(mechanism.domain.text))
        if isinstance(answer, LookupFailed):
            return f"{mechanism.domain.text} could not be looked up: {answer.detail}"
        if len(spf_texts(answer)) != 1:
            return f"{mechanism.domain.text} has no SPF record: the whole record would fail (RFC 7208 §5.2)"
    return ""


async def _costs(
    resolver: Resolver, live: LiveSpf, change: RecordChange
) -> tuple[tuple[str, ...], str, SpfNode]:
    from exo_auth.lookup.spf_tree import spf_tree

    overlay = OverlayResolver(resolver, {live.domain.ascii: change.after})
    tree = await spf_tree(overlay, live.domain)
    before, after = cost_of(live.tree), cost_of(tree)
    (text,) = [value for value in change.after if spf.looks_like(value)]
    notes = [
        f"{after.lookups} of {MOST_LOOKUPS} lookups (before: {before.lookups}), void lookups "
        f"{after.void4} for IPv4 and {after.void6} for IPv6 of {MOST_VOID_LOOKUPS}, {len(text)} octets",
        size_of(change.after),
    ]
    refusal = ""
    if after.lookups > MOST_LOOKUPS:
        refusal = f"{after.lookups} lookups are more than {MOST_LOOKUPS}: receivers would answer permerror"
        if cut := cheapest_cut(tree):
            names = ", ".join(branch.term.text for branch in cut)
            notes.append(f"the cheapest cut: exo-auth spf flatten {live.domain} puts in {names}")
        else:
            notes.append("no set of includes that can be put in is enough: move a sender to a subdomain")
    refusal = refusal or _void_refusal(after)
    return tuple(notes), refusal, tree


def _void_refusal(cost: SpfCost) -> str:
    worst = max(cost.void4, cost.void6)
    return f"{worst} lookups find nothing, more than {MOST_VOID_LOOKUPS}" if worst > MOST_VOID_LOOKUPS else ""


def _refusal_of_lost(before: SpfNode, after: SpfNode) -> str:
    lost = lost_networks(networks_that_pass(before)[0], networks_that_pass(after)[0])
    if not lost:
        return ""
    shown = ", ".join(map(str, lost[:SHOWN_NETWORKS])) + (", …" if len(lost) > SHOWN_NETWORKS else "")
    many = "1 network passes" if len(lost) == 1 else f"{len(lost)} networks pass"
    return f"{many} today and would not any more ({shown}): prove with `spf simulate`, or --allow-loss"


async def _simulated(
    resolver: Resolver, domain: DomainName, change: RecordChange, senders: Sequence[str]
) -> Simulation:
    from exo_auth.lookup.spf_evaluation import Envelope, check_host
    from exo_auth.lookup.spf_tree import spf_tree

    overlay = OverlayResolver(resolver, {domain.ascii: change.after})
    before, after = await spf_tree(resolver, domain), await spf_tree(overlay, domain)
    passes, unknown = networks_that_pass(before)
    still, unknown_after = networks_that_pass(after)
    verdicts = []
    for address in senders:
        try:
            envelope = Envelope.of(address, f"postmaster@{domain.ascii}", domain.ascii)
        except ValueError:
            raise InputError(f"“{address}” is no IP address", hint="write it like 192.0.2.1") from None
        old, new = await check_host(resolver, envelope), await check_host(overlay, envelope)
        term = next((step.term for step in new.path if step.matched and step.depth == 0), "")
        verdicts.append(SenderVerdict(address, old.result, new.result, term))
    lost = tuple(str(network) for network in lost_networks(passes, still))
    return Simulation(change, tuple(verdicts), lost, tuple(dict.fromkeys((*unknown, *unknown_after))))
