"""SPF records changed term by term: what the owner wrote stays as and where it is (plan, pure). RFC 7208."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, Network, Qualifier, SpfRecord

EMPTY = SpfRecord((Mechanism("all", Qualifier.SOFTFAIL, text="~all"),))


@dataclass(frozen=True)
class SpfEdit:
    """What to change: terms to add and to remove, as written in a record, and the sign of `all` (None: as it is)."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    sign: Qualifier | None = None


@dataclass(frozen=True)
class Edited:
    """The new record, and what was done in words."""

    record: SpfRecord
    because: tuple[str, ...]


def read_term(text: str) -> Mechanism:
    """Read one mechanism as it stands in a record; raises InputError."""
    try:
        (mechanism,) = spf.parse(f"{spf.VERSION} {text}").mechanisms
    except (RecordSyntaxError, ValueError):
        raise InputError(
            f"“{text}” is no SPF mechanism", hint="such as include:example.com or ip4:192.0.2.1"
        ) from None
    return mechanism


def edit(record: SpfRecord, wanted: SpfEdit) -> Edited:
    """Apply an edit; raises InputError for a term to remove that is not there."""
    because = []
    mechanisms = list(record.mechanisms)
    for text in wanted.remove:
        gone = _key(read_term(text))
        left = [one for one in mechanisms if _key(one) != gone]
        if len(left) == len(mechanisms):
            raise InputError(f"the record has no term {text}", hint="exo-auth spf show lists its terms")
        mechanisms = left
        because.append(f"{text} is removed")
    for text in wanted.add:
        term = read_term(text)
        if any(_key(one) == _key(term) for one in mechanisms):
            continue
        at = next((n for n, one in enumerate(mechanisms) if one.name == "all"), len(mechanisms))
        mechanisms.insert(at, term)
        because.append(f"{text} is added")
    changed = replace(record, mechanisms=tuple(mechanisms))
    if wanted.sign is not None:
        changed, said = _with_all(changed, wanted.sign)
        because += said
    return Edited(changed, tuple(because))


def merge(records: Iterable[SpfRecord]) -> Edited:
    """Make one record of several: two are a permerror (RFC 7208 §4.5). The strictest `all` that was there is kept."""
    every = list(records)
    terms: list[Mechanism] = []
    for record in every:
        for mechanism in record.mechanisms:
            if mechanism.name == "all":
                break
            if all(_key(mechanism) != _key(other) for other in terms):
                terms.append(mechanism)
    signs = [record.all.qualifier for record in every if record.all is not None]
    # Softfail where they differ: mail that one of them let through must not be refused from now on.
    sign = signs[0] if len(set(signs)) == 1 else Qualifier.SOFTFAIL
    modifiers = next((record.modifiers for record in every if record.modifiers), ())
    modifiers = tuple(one for one in modifiers if one.name != "redirect")
    record = SpfRecord((*terms, Mechanism("all", sign, text=f"{sign.value}all")), modifiers)
    because = (f"{len(every)} records are merged into one (RFC 7208 §4.5)",) if len(every) > 1 else ()
    return Edited(record, because)


def simplify(record: SpfRecord) -> Edited:
    """Leave out what cannot matter: repeated terms, what stands behind `all`, and ranges inside others."""
    once = _simpler(record)
    if not once.because:
        return once
    more = simplify(once.record)  # what went may have stood between a range and a wider one
    return Edited(more.record, once.because + more.because)


def _simpler(record: SpfRecord) -> Edited:
    because = []
    kept: list[Mechanism] = []
    for number, mechanism in enumerate(record.mechanisms):
        if any(one.name == "all" for one in kept):
            because.append(f"{mechanism.text} stands behind all and is never looked at (RFC 7208 §5.1)")
        elif any(_key(one)[1:] == _key(mechanism)[1:] for one in kept):
            because.append(f"{mechanism.text} stands there twice")
        elif wider := _wider(mechanism, kept, record.mechanisms[number + 1 :]):
            because.append(f"{mechanism.text} lies inside {wider.text}")
        else:
            kept.append(mechanism)
    return Edited(replace(record, mechanisms=tuple(kept)), tuple(because))


def _wider(mechanism: Mechanism, before: list[Mechanism], after: tuple[Mechanism, ...]) -> Mechanism | None:
    """Give the range that makes this one needless: an earlier one, or a later one with no other verdict between."""
    if mechanism.network is None:
        return None
    for one in reversed(before):
        if one.network is not None and _covers(one.network, mechanism.network):
            return one
    for one in after:
        if one.qualifier is not mechanism.qualifier or one.name == "all":
            return None
        if (
            one.network is not None
            and one.network != mechanism.network
            and _covers(one.network, mechanism.network)
        ):
            return one
    return None


def _covers(wide: Network, narrow: Network) -> bool:
    return wide.version == narrow.version and (
        int(wide.network_address) <= int(narrow.network_address)
        and int(narrow.broadcast_address) <= int(wide.broadcast_address)
    )


def _with_all(record: SpfRecord, sign: Qualifier) -> tuple[SpfRecord, list[str]]:
    wanted = Mechanism("all", sign, text=f"{sign.value}all")
    old = record.all
    if old is not None and old.qualifier is sign:
        return record, []
    kept = tuple(one for one in record.mechanisms if one.name != "all")
    modifiers = tuple(one for one in record.modifiers if one.name != "redirect")
    if old is None and len(modifiers) < len(record.modifiers):
        raise InputError(
            "the record ends in redirect, which decides about all the rest",
            hint="change the record it leads to",
        )
    said = f"{old.text} becomes {wanted.text}" if old is not None else f"{wanted.text} ends the record"
    return SpfRecord((*kept, wanted), modifiers), [said]


def _key(mechanism: Mechanism) -> tuple[object, ...]:
    target = mechanism.domain.text.lower().removesuffix(".") if mechanism.domain else ""
    return (
        mechanism.qualifier,
        mechanism.name,
        target,
        mechanism.network,
        mechanism.prefix4,
        mechanism.prefix6,
    )
