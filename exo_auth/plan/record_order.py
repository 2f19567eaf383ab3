"""Which record must not be published before something else is so: MX before policy, id before file (plan, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from exo_auth.checks.dane import USABLE_USAGES
from exo_auth.checks.zone import is_exchange_online
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.domain import MailHost
from exo_auth.plan.change import Blockage, Deferral, Verb
from exo_auth.records import mta_sts
from exo_auth.records.mta_sts_id import id_of, is_digest
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy

SENDERS_LOOK = timedelta(hours=24)  # for a new id at least daily: RFC 8461 §10.2
TTL = timedelta(hours=1)  # of the record that announces a policy, at most as we publish it

Held = Blockage | Deferral | None


@dataclass(frozen=True)
class MxScene:
    """A set of MX that is to change. `leaving` and `coming` are hosts as they were looked at; names are lower case."""

    domain: DomainName
    now: datetime
    before: tuple[str, ...]  # host names, the first choice first
    after: tuple[str, ...]  # () for none, then the domain itself takes mail (RFC 5321 §5.1)
    policy: MtaStsPolicy | None  # that senders are told of and get
    announced: datetime | None  # when we changed the policy's id last
    is_signed: bool  # is the MX set validated by DNSSEC?
    leaving: tuple[MailHost, ...] = ()
    coming: tuple[MailHost, ...] = ()


def hosts_of(values: tuple[str, ...]) -> tuple[str, ...]:
    """Name the hosts of MX values such as `0 mx.contoso.com`, the first choice first; a null MX names none."""
    words = (value.partition(" ") for value in values)
    rows = sorted((int(preference), host.strip().lower().rstrip(".")) for preference, _, host in words)
    return tuple(host for _, host in rows if host)


def takes_no_mail(values: tuple[str, ...]) -> bool:
    """Is it a null MX? RFC 7505 §3."""
    return bool(values) and not hosts_of(values)


def why_mx_must_wait(scene: MxScene) -> Held:
    """Say why the set must not be published now: senders who heed MTA-STS or DANE would not deliver."""
    return (
        _unnamed_by_policy(scene)
        or _policy_is_young(scene)
        or next((held for host in scene.coming if (held := _unreachable(scene, host))), None)
        or next((held for host in scene.leaving if (held := _pinned(scene, host))), None)
    )


def why_id_must_wait(
    domain: DomainName, before: tuple[str, ...], after: tuple[str, ...], served: MtaStsPolicy | None
) -> Held:
    """Say why a new id must not be published: the file comes first, or senders pair the id with the old one (RFC 8461 §8.1)."""
    new = [text for text in after if mta_sts.looks_like(text) and text not in before]
    if not new:
        return None
    if served is None:
        return _blocked(
            domain, "its MTA-STS policy is not served on every address: the id comes after the file"
        )
    announced = mta_sts.parse(new[0]).id
    if is_digest(announced) and announced != id_of(served):
        return _blocked(
            domain, "the file that is served is another than this id announces: the id comes after the file"
        )
    return None


def _unnamed_by_policy(scene: MxScene) -> Held:
    # RFC 8461 §5: senders do not deliver to a host that a policy in enforce does not name.
    if scene.policy is None or scene.policy.mode is not Mode.ENFORCE:
        return None
    after = scene.after or (scene.domain.ascii,)
    new = [host for host in after if host not in scene.before and not scene.policy.allows(host)]
    if not new and any(scene.policy.allows(host) for host in after):
        return None
    named = ", ".join(new or after)
    return _blocked(
        scene.domain,
        f"its MTA-STS policy is in enforce and does not name {named}: senders who heed it would not deliver. "
        f"First the file and its id: exo-auth mta-sts generate {scene.domain.ascii} --mx {named.split(', ')[0]} …",
    )


def _policy_is_young(scene: MxScene) -> Held:
    """A sender may hold the policy before for a day, so no host goes that it may have named alone (RFC 8461 §8.1)."""
    if scene.announced is None or set(scene.before) <= set(scene.after):
        return None
    ends = scene.announced + SENDERS_LOOK + TTL
    if scene.now >= ends:
        return None
    reason = "senders may hold the MTA-STS policy of before for a day, and it may not name the new host"
    return Deferral(scene.domain, reason, ends, is_waiting=True, verb=Verb.PUBLISH)


def _unreachable(scene: MxScene, host: MailHost) -> Held:
    for rdtype, answer in (("A", host.ipv4), ("AAAA", host.ipv6), ("TLSA", host.tlsa)):
        if isinstance(answer, LookupFailed):
            name = f"_25._tcp.{host.name}" if rdtype == "TLSA" else host.name
            # RFC 7672 §2.1.2: a sender that cannot look does not deliver.
            return _blocked(scene.domain, f"{name} {rdtype}: {answer.detail}", is_unknown=True)
    if isinstance(host.ipv4, Found) or isinstance(host.ipv6, Found):
        return None
    return _blocked(scene.domain, f"{host.name} has no address: mail would have nowhere to go")


def _pinned(scene: MxScene, host: MailHost) -> Held:
    if not (scene.is_signed and is_exchange_online(host.name)):
        return None  # of other hosts the records stay as long as the host does
    if not isinstance(host.tlsa, Found) or not host.tlsa.authenticated:
        return None
    if not any(one.usage in USABLE_USAGES for one in host.tlsa.values):
        return None
    return _blocked(
        scene.domain,
        f"DANE is on for {host.name}, whose certificate senders pin: switch it off first, in the order of "
        "`exo-auth plan disable-dane`",
    )


def _blocked(domain: DomainName, reason: str, *, is_unknown: bool = False) -> Blockage:
    return Blockage(domain, Verb.PUBLISH, reason, (), is_unknown=is_unknown)
