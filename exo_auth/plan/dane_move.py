"""The way of a domain to inbound DANE, and back: what each step needs to be true before it, and what it waits for (plan, pure).

The order is that of Microsoft's document; no step is taken that would leave mail without a way. A step is through as soon
as what comes after it is so, which makes the way resumable from any point, whoever took the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.mail_flow import DISABLE_DANE, DISABLE_DNSSEC, ENABLE_DANE, ENABLE_DNSSEC, plan_feature
from exo_auth.plan.plan_file import OCTODNS
from exo_auth.plan.record_set import TTL

LOW_TTL = 60  # seconds; the lowest that all DNS hosts take
TLSA_SHOWS = timedelta(minutes=30)  # documented: 15 to 30 minutes after Enable-SmtpDaneInbound
FIRST, SECOND, LAST = 0, 20, 30  # preferences of the documented move
USUAL = frozenset({0, 10})  # preferences that count as one exchanger before, and as the right one after

Exchanger = tuple[int, str]  # preference and host
Part = Change | Deferral | Blockage | None


class DaneStep(StrEnum):
    """The steps, in their order: forward, then back."""

    LOWER_TTL = "lower-ttl"
    DNSSEC = "dnssec"
    SECOND_MX = "second-mx"
    POLICY = "policy"  # the MTA-STS policy names the new host
    PROBE = "probe"
    SWAP_MX = "swap-mx"
    DROP_OLD_MX = "drop-old-mx"
    DANE = "dane"
    VERIFY = "verify"
    ENFORCE = "enforce"  # MTA-STS
    DANE_OFF = "dane-off"
    POLICY_BACK = "policy-back"
    MX_BACK = "mx-back"
    DROP_NEW_MX = "drop-new-mx"
    DNSSEC_OFF = "dnssec-off"


@dataclass(frozen=True)
class Moved:
    """When we published the MX set last, by the service's clock, and its TTL before, in seconds."""

    at: datetime
    former_ttl: int


@dataclass(frozen=True)
class DaneScene:
    """One domain on its way, as it was looked at."""

    domain: DomainName
    now: datetime
    new_host: str  # of the expected MX record; "" while DNSSEC is off
    dnssec_on: bool
    dane_on: bool
    zone_signed: bool
    mx: tuple[Exchanger, ...]  # in order of preference
    mx_ttl: int  # seconds
    writes_dns: bool  # does octoDNS write the zone?
    unsigned_because: str = ""  # what we found where we followed the signatures ourselves
    former_host: str = ""  # where mail went before, for the way back
    moved: Moved | None = None
    dane_since: datetime | None = None  # when we switched DANE on or off
    policy_mode: str = ""  # of the MTA-STS policy in force: enforce, testing, none; "" for no policy
    policy_allows: frozenset[str] = (
        frozenset()
    )  # of the hosts in mx, new_host and former_host: those it names
    policy_forgotten: datetime | None = None  # when no sender remembers another policy any more
    tlsa_shows: bool = False
    complaint: str = ""  # what Exchange Online itself finds wrong with the domain's DNS

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where mail goes, the first choice first."""
        return tuple(host for _, host in self.mx)

    @property
    def has_moved(self) -> bool:
        """Does MX lead to the new host alone?"""
        return bool(self.new_host) and self.hosts == (self.new_host,)

    @property
    def prefers_new(self) -> bool:
        """Is the new host the one first choice?"""
        return (
            bool(self.mx)
            and self.mx[0][1] == self.new_host
            and [p for p, _ in self.mx].count(self.mx[0][0]) == 1
        )


def dane_step(scene: DaneScene, step: DaneStep) -> Part:
    """Give what one step needs: a change, a wait, what is in the way, or None when the domain is through it.

    The steps that ask somebody else (`policy`, `probe`, `enforce`, `policy-back`) are through here unless the domain is
    before them; who has looked at policy hosts and mail hosts decides the rest.
    """
    return _STEPS[step](scene)


def needs_step(scene: DaneScene, step: DaneStep) -> bool:
    """Is the domain before this step, of those that ask somebody else?"""
    return _OPEN[step](scene)


def _lower_ttl(scene: DaneScene) -> Part:
    if scene.dnssec_on:
        return None
    if (held := _may_begin(scene)) is not None:
        return held
    if scene.mx_ttl > LOW_TTL:
        because = f"the MX record is to be forgotten within {LOW_TTL} s while it moves"
        return _mx(scene, scene.mx, LOW_TTL, because)
    return _after_old_ttl(scene, Verb.ENABLE)


def _may_begin(scene: DaneScene) -> Blockage | None:
    if not scene.zone_signed:
        return _blocked(scene, Verb.ENABLE, f"{_unsigned(scene)}: sign it, publish DS, wait a week")
    if len(scene.mx) != 1 or scene.mx[0][0] not in USUAL:
        told = ", ".join(f"{preference} {host}" for preference, host in scene.mx) or "nothing"
        return _blocked(
            scene, Verb.ENABLE, f"MX must be one record of preference 0 or 10 before the move (now: {told})"
        )
    if scene.policy_mode == "enforce":
        reason = (
            "its MTA-STS policy is in enforce and cannot name the new host yet: serve it in testing first, "
            f"`exo-auth mta-sts generate {scene.domain.ascii} --mode testing` tells how"
        )
        return _blocked(scene, Verb.ENABLE, reason)
    return None


def _dnssec(scene: DaneScene) -> Part:
    if scene.dnssec_on:
        return None
    if (held := _may_begin(scene)) is not None:
        return held
    because = "Exchange Online makes a host in a signed zone, and tells its name"
    return plan_feature(ENABLE_DNSSEC, scene.domain, enabled=False, because=because)


def _second_mx(scene: DaneScene) -> Part:
    if scene.new_host in scene.hosts:
        return None
    records = (*scene.mx, (SECOND, scene.new_host))
    return _mx(scene, records, scene.mx_ttl, f"{scene.new_host} is told, as second choice")


def _swap(scene: DaneScene) -> Part:
    if scene.prefers_new:
        return None
    if (held := why_host_must_wait(scene, scene.new_host)) is not None:
        return held
    others = tuple((LAST, host) for host in scene.hosts if host != scene.new_host)
    return _mx(
        scene, ((FIRST, scene.new_host), *others), scene.mx_ttl, f"{scene.new_host} becomes the first choice"
    )


def _drop_old(scene: DaneScene) -> Part:
    if scene.has_moved:
        return None
    if (wait := _after_old_ttl(scene, Verb.PUBLISH)) is not None:
        return wait
    old = ", ".join(host for host in scene.hosts if host != scene.new_host)
    return _mx(
        scene, ((FIRST, scene.new_host),), TTL, f"{old} is not needed any more, and the TTL is as before"
    )


def _dane(scene: DaneScene) -> Part:
    if scene.dane_on:
        return None
    if (held := why_dane_must_wait(scene)) is not None:
        return held
    because = f"MX leads to {scene.new_host} alone, in a signed zone"
    return plan_feature(ENABLE_DANE, scene.domain, enabled=False, because=because)


def why_dane_must_wait(scene: DaneScene) -> Blockage | None:
    """Say why Enable-SmtpDaneInbound must not be sent now."""
    if not scene.dnssec_on:
        return _blocked(scene, Verb.ENABLE, "DNSSEC is not enabled for it in Exchange Online")
    if not scene.zone_signed:
        return _blocked(scene, Verb.ENABLE, _unsigned(scene))
    if not scene.has_moved or scene.mx[0][0] not in USUAL:
        now = ", ".join(scene.hosts) or "nowhere"
        return _blocked(
            scene, Verb.ENABLE, f"MX must lead to {scene.new_host} alone, at 0 or 10 (now: {now})"
        )
    return None


def _verify(scene: DaneScene) -> Part:
    if scene.complaint:
        return _blocked(scene, Verb.REPORT, f"Exchange Online finds: {scene.complaint}")
    if scene.tlsa_shows:
        return None
    shows_at = scene.dane_since + TLSA_SHOWS if scene.dane_since is not None else None
    if shows_at is not None and scene.now < shows_at:
        reason = f"TLSA records of {scene.new_host} show 15 to 30 minutes after DANE was switched on"
        return Deferral(scene.domain, reason, shows_at, is_waiting=True, verb=Verb.REPORT)
    reason = (
        f"no TLSA record shows at _25._tcp.{scene.new_host}: switch DANE off and on again, or ask Microsoft"
    )
    return _blocked(scene, Verb.REPORT, reason)


def _dane_off(scene: DaneScene) -> Part:
    if not scene.dane_on:
        return None
    because = "senders stop pinning the certificate before anything moves"
    return plan_feature(DISABLE_DANE, scene.domain, enabled=True, because=because)


def _mx_back(scene: DaneScene) -> Part:
    if (
        not scene.dnssec_on
        or scene.new_host not in scene.hosts
        or (not scene.prefers_new and len(scene.mx) > 1)
    ):
        return None
    if (held := why_mx_must_stay(scene)) is not None:
        return held
    if not scene.former_host:
        return _blocked(
            scene, Verb.PUBLISH, "where its mail went before is not known: publish the former MX first"
        )
    if (held := why_host_must_wait(scene, scene.former_host)) is not None:
        return held
    records = ((FIRST, scene.former_host), (LAST, scene.new_host))
    return _mx(scene, records, LOW_TTL, f"mail goes to {scene.former_host} again")


def why_mx_must_stay(scene: DaneScene) -> Part:
    """Say why MX must not leave the new host yet: senders still ask for a TLSA record, or remember one."""
    if scene.dane_on:
        reason = "DANE is on: switch it off first, or senders refuse the host that mail would go to"
        return _blocked(scene, Verb.PUBLISH, reason)
    forgotten = scene.dane_since + timedelta(seconds=TTL) if scene.dane_since is not None else None
    if forgotten is not None and scene.now < forgotten:
        reason = "senders may remember the TLSA records for an hour after DANE was switched off"
        return Deferral(scene.domain, reason, forgotten, is_waiting=True, verb=Verb.PUBLISH)
    return None


def _drop_new(scene: DaneScene) -> Part:
    if not scene.dnssec_on or scene.new_host not in scene.hosts:
        return None
    if (wait := _after_old_ttl(scene, Verb.PUBLISH)) is not None:
        return wait
    kept = tuple(record for record in scene.mx if record[1] != scene.new_host)
    return _mx(scene, kept, TTL, f"{scene.new_host} is told no more")


def _dnssec_off(scene: DaneScene) -> Part:
    if not scene.dnssec_on:
        return None
    if (held := why_dnssec_must_stay(scene)) is not None:
        return held
    return plan_feature(DISABLE_DNSSEC, scene.domain, enabled=True, because="MX leads elsewhere")


def why_dnssec_must_stay(scene: DaneScene) -> Part:
    """Say why Disable-DnssecForVerifiedDomain must not be sent now: mail would be sent to a host that is gone."""
    if scene.dane_on:
        return _blocked(scene, Verb.DISABLE, "DANE is on: switch it off first")
    if scene.new_host in scene.hosts:
        reason = f"MX still leads to {scene.new_host}: move it back first, or mail would be lost"
        return _blocked(scene, Verb.DISABLE, reason)
    if not scene.mx:
        return _blocked(scene, Verb.DISABLE, "MX leads nowhere: publish where mail is to go first")
    return _after_old_ttl(scene, Verb.DISABLE)


def why_host_must_wait(scene: DaneScene, host: str) -> Part:
    """Say why mail must not go to a host first yet: a policy in enforce does not name it, or one that is remembered."""
    if scene.policy_mode == "enforce" and host not in scene.policy_allows:  # RFC 8461 §5
        reason = f"its MTA-STS policy is in enforce and does not name {host}: mail of senders who heed it would be lost"
        return _blocked(scene, Verb.PUBLISH, reason)
    if _has_policy(scene) and scene.policy_forgotten is not None and scene.now < scene.policy_forgotten:
        reason = f"senders may remember the MTA-STS policy from before, which need not name {host}, for its max_age"
        return Deferral(scene.domain, reason, scene.policy_forgotten, is_waiting=True, verb=Verb.PUBLISH)
    return None


def _after_old_ttl(scene: DaneScene, verb: Verb) -> Deferral | None:
    """Wait until nobody remembers the set that stood there before ours."""
    if scene.moved is None:
        return None
    ends = scene.moved.at + timedelta(seconds=scene.moved.former_ttl)
    if scene.now >= ends:
        return None
    reason = f"resolvers may remember the MX record from before for {scene.moved.former_ttl} s"
    return Deferral(scene.domain, reason, ends, is_waiting=True, verb=verb)


def _mx(scene: DaneScene, records: tuple[Exchanger, ...], ttl: int, because: str) -> Change | Blockage:
    """Publish the set through octoDNS, or tell the person who runs the zone what to publish."""
    before = _set(scene.mx, scene.mx_ttl)
    after = _set(tuple(sorted(records)), ttl)
    if not scene.writes_dns:
        told = " and ".join(after["values"])
        reason = (
            f"publish at {scene.domain.ascii}: MX {told}, TTL {ttl} ({because}); octoDNS writes no such zone"
        )
        return _blocked(scene, Verb.PUBLISH, reason)
    return Change(
        Verb.PUBLISH,
        scene.domain,
        before,
        after,
        f"{scene.domain.ascii} MX: {because}",
        OCTODNS,
        {"name": scene.domain.ascii, "type": "MX", "ttl": ttl},
        "undo puts the set before back, if nothing depends on this one",
    )


def _set(records: tuple[Exchanger, ...], ttl: int) -> dict[str, Any]:
    return {"values": sorted(f"{preference} {host}" for preference, host in records), "ttl": ttl}


def _blocked(scene: DaneScene, verb: Verb, reason: str) -> Blockage:
    return Blockage(scene.domain, verb, reason, (), is_unknown=False)


def _unsigned(scene: DaneScene) -> str:
    if scene.unsigned_because:
        return f"the zone is not signed with DNSSEC ({scene.unsigned_because})"
    return "the zone is not signed with DNSSEC, or the resolver does not validate"


def _has_policy(scene: DaneScene) -> bool:
    """Has it an MTA-STS policy? One of mode none is on its way out (RFC 8461 §8.3)."""
    return scene.policy_mode in ("testing", "enforce")


def _through(_scene: DaneScene) -> Part:
    return None


_STEPS: Mapping[DaneStep, Callable[[DaneScene], Part]] = {
    DaneStep.LOWER_TTL: _lower_ttl,
    DaneStep.DNSSEC: _dnssec,
    DaneStep.SECOND_MX: _second_mx,
    DaneStep.POLICY: _through,
    DaneStep.PROBE: _through,
    DaneStep.SWAP_MX: _swap,
    DaneStep.DROP_OLD_MX: _drop_old,
    DaneStep.DANE: _dane,
    DaneStep.VERIFY: _verify,
    DaneStep.ENFORCE: _through,
    DaneStep.DANE_OFF: _dane_off,
    DaneStep.POLICY_BACK: _through,
    DaneStep.MX_BACK: _mx_back,
    DaneStep.DROP_NEW_MX: _drop_new,
    DaneStep.DNSSEC_OFF: _dnssec_off,
}
_OPEN: Mapping[DaneStep, Callable[[DaneScene], bool]] = {
    # Also where the file is right: its id may not be announced yet.
    DaneStep.POLICY: lambda scene: _has_policy(scene) and not scene.prefers_new,
    DaneStep.PROBE: lambda scene: not scene.prefers_new,
    DaneStep.SWAP_MX: lambda scene: _has_policy(scene) and not scene.prefers_new,
    DaneStep.MX_BACK: lambda scene: _has_policy(scene) and scene.prefers_new,
    DaneStep.ENFORCE: lambda scene: _has_policy(scene),
    DaneStep.POLICY_BACK: lambda scene: _has_policy(scene) and bool(scene.former_host) and scene.prefers_new,
}
