"""DMARC records made from what is published (plan, pure). RFC 9989 §4.7; only its tags are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from exo_auth.checks.entry import Profile
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.plan.record_set import RecordSet
from exo_auth.records.dmarc import DmarcRecord, Policy, is_report_address, render

ORDER = {Policy.NONE: 0, Policy.QUARANTINE: 1, Policy.REJECT: 2}
PARKED = DmarcRecord(policy=Policy.REJECT, subdomain_policy=Policy.REJECT, nonexistent_policy=Policy.REJECT)


@dataclass(frozen=True)
class DmarcWish:
    """What to set; None and () leave what is there."""

    policy: Policy | None = None
    subdomain_policy: Policy | None = None
    nonexistent_policy: Policy | None = None
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()
    strict: bool | None = None  # alignment of both


def by_rules(rules: Profile, live: DmarcRecord | None, wish: DmarcWish) -> DmarcWish:
    """Put in what the wish leaves open and an authority asks for: the next step, never two at once.

    CISA, CIS and Microsoft want reject in the end; RFC 9989 §7.4 leaves that to who knows how the domain is used; a parked
    domain refuses at once.
    """
    if rules is Profile.PARKED:
        return replace(
            wish,
            policy=wish.policy or Policy.REJECT,
            subdomain_policy=wish.subdomain_policy or Policy.REJECT,
            nonexistent_policy=wish.nonexistent_policy or Policy.REJECT,
        )
    if rules is Profile.IETF or wish.policy is not None or live is None or live.policy is None:
        return wish
    order = sorted(ORDER, key=lambda policy: ORDER[policy])
    return replace(wish, policy=order[min(ORDER[live.policy] + 1, len(order) - 1)])


def rules_named(word: str) -> Profile:
    """Read whose rules count; raises InputError."""
    try:
        return Profile(word.lower())
    except ValueError:
        raise InputError(f"there are no rules “{word}”", hint=f"one of {', '.join(Profile)}") from None


def wished(live: DmarcRecord | None, wish: DmarcWish) -> tuple[DmarcRecord, tuple[str, ...]]:
    """Give the record to publish and what was done; raises InputError for an address that is none."""
    for address in (*wish.rua, *wish.ruf):
        if not is_report_address(address):
            raise InputError(f"“{address}” is no address for reports", hint="write mailto:dmarc@contoso.com")
    record = live or DmarcRecord(policy=Policy.NONE)
    because = [] if live is not None else ["there is no record yet: observation comes first"]
    changed = replace(
        record,
        policy=wish.policy or record.policy or Policy.NONE,
        subdomain_policy=wish.subdomain_policy or record.subdomain_policy,
        nonexistent_policy=wish.nonexistent_policy or record.nonexistent_policy,
        rua=wish.rua or tuple(one for one in record.rua if is_report_address(one)),
        ruf=wish.ruf or tuple(one for one in record.ruf if is_report_address(one)),
        strict_dkim=record.strict_dkim if wish.strict is None else wish.strict,
        strict_spf=record.strict_spf if wish.strict is None else wish.strict,
        historic=(),
        faults=(),
    )
    because += [f"{name} is historic and left out (RFC 9989 §9.3)" for name, _ in record.historic]
    because += [f"{fault.message} is mended or left out" for fault in record.faults]
    for name, old, new in (
        ("p", record.policy, changed.policy),
        ("sp", record.subdomain_policy, changed.subdomain_policy),
        ("np", record.nonexistent_policy, changed.nonexistent_policy),
    ):
        if live is not None and old is not new:
            because.append(f"{name} becomes {new}")
    if (record.strict_dkim, record.strict_spf) != (changed.strict_dkim, changed.strict_spf):
        because.append(f"alignment becomes {'strict' if changed.strict_dkim else 'relaxed'}")
    if live is not None and record.rua != changed.rua:
        because.append(f"reports go to {', '.join(changed.rua) or 'nobody'}")
    return changed, tuple(because)


def is_stricter(new: DmarcRecord, old: DmarcRecord | None) -> bool:
    """Does the new record ask for more than the old one did?"""
    before = ORDER[old.policy] if old is not None and old.policy is not None and not old.is_void else 0
    return new.policy is not None and ORDER[new.policy] > before


def same_record(one: DmarcRecord, other: DmarcRecord) -> bool:
    """Do two records mean the same, order and defaults left aside?"""
    return not one.faults and not one.historic and one == other


def effects(new: DmarcRecord, old: DmarcRecord | None) -> tuple[str, ...]:
    """Say what receivers of each model will do with mail that fails."""
    policy = new.policy or Policy.NONE
    said = [
        f"RFC 9989 and RFC 7489 receivers: {policy} for the domain, {new.subdomain_policy or policy} below it"
    ]
    if new.nonexistent_policy is not None:
        said.append(f"RFC 9989 receivers: {new.nonexistent_policy} for names that do not exist")
    share = dict(old.historic).get("pct") if old is not None else None
    if share is not None and share != "100":
        said.append(f"pct={share} is dropped: RFC 9989 receivers applied the policy to all mail already")
    if policy is Policy.REJECT and (old is None or old.policy is not Policy.REJECT):
        said.append(
            "receivers that refuse at once refuse what mailing lists changed, too: RFC 9989 §7.4 wants a month each of none and "
            "quarantine before, and no reject where people write to lists"
        )
    if not new.rua:
        said.append("without rua nobody reports: failures stay unseen")
    return tuple(said)


def authorizations(domains: Iterable[DomainName], host: DomainName) -> tuple[RecordSet, ...]:
    """Give the records by which a host agrees to take reports about each domain. RFC 9990 §4."""
    return tuple(
        RecordSet(DomainName(f"{domain.ascii}._report._dmarc.{host.ascii}"), "TXT", ("v=DMARC1;",))
        for domain in domains
        if not domain.is_within(host)
    )


def text_of(record: DmarcRecord) -> str:
    """Write the record, tags at their default left out."""
    return render(record)


def policy_named(word: str) -> Policy | None:
    """Read a policy, None for ""; raises InputError."""
    if not word:
        return None
    try:
        return Policy(word.lower())
    except ValueError:
        raise InputError(f"“{word}” is no policy", hint=f"one of {', '.join(Policy)}") from None
