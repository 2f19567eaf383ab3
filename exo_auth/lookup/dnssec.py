"""Answers validated by ourselves: the chain of signatures from a trust anchor (lookup; async I/O, through dnspython).

RFC 4035 §5. A resolver's AD bit says what the resolver found, as far as the way from it can be trusted; this asks for
the signatures and looks itself. It costs a few questions for each zone on the way, and milliseconds for each signature.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import dns.dnssec
import dns.dnssecalgs
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.DS
import dns.rrset

from exo_auth.domain_name import DomainName
from exo_auth.facts.chain_of_trust import Judgement, Trust
from exo_auth.facts.dns import Answer, FailureReason, Found, LookupFailed
from exo_auth.lookup.batch import Batch
from exo_auth.lookup.denial import Denial, denies_exact_name, read_denial
from exo_auth.lookup.name_servers import Reply, Verdict
from exo_auth.lookup.recorded import OfOneKind
from exo_auth.lookup.search import Search
from exo_auth.lookup.trust_anchors import ROOT_ANCHORS, Anchors
from exo_auth.lookup.wire import NOERROR, NXDOMAIN, TYPES, Data

_SECURE, _INSECURE = Trust.SECURE, Trust.INSECURE
_BOGUS, _INDETERMINATE = Trust.BOGUS, Trust.INDETERMINATE
_ZONE_KEY = 0x0100  # flag of a DNSKEY, RFC 4034 §2.1.1


class SignedSource(Protocol):
    """Gives replies with their signatures, unvalidated, and remembers them."""

    async def signed(self, name: DomainName, rdtype: str) -> Verdict:
        """Ask with DO and CD (RFC 3225, RFC 4035 §3.2.2)."""
        ...


@dataclass(frozen=True)
class _Zone:
    """A zone whose keys the chain of trust leads to."""

    name: dns.name.Name
    keys: dns.rrset.RRset


@dataclass(frozen=True)
class _Judged:
    """What one reply says about one name, as far as it is signed; None where nothing is."""

    judgement: Judgement
    kind: int | None = None  # the type of the records that were validated
    ttl: int | None = None  # how long they may be remembered, seconds
    is_absent: bool | None = None  # the name itself, whatever the RCODE says, which nobody signs


_NO_CUT = None  # no zone begins at that name
_Step = _Zone | Judgement | None


class ValidatingResolver(OfOneKind):
    """Answers with what it validated: `Found.authenticated` is its own verdict, and a broken chain a failed look-up.

    `now` is in seconds since 1970; signatures are compared with it.
    """

    def __init__(
        self, source: SignedSource, anchors: Anchors = ROOT_ANCHORS, now: Callable[[], float] = time.time
    ) -> None:
        self._source = source
        self._validator = Validator(source, anchors, now)

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask, validate, and answer from what was validated."""
        answer, judgement = await self._validator.follow(name, rdtype)
        if isinstance(answer, Found):
            return replace(answer, authenticated=judgement.status is _SECURE, judgement=judgement)
        return answer

    async def judge(self, name: DomainName, rdtype: str) -> Judgement:
        """Say how far the answer to a question may be believed, and why."""
        return (await self._validator.follow(name, rdtype))[1]


class Validator:
    """Follows the chain of trust to names, each part of it once."""

    def __init__(self, source: SignedSource, anchors: Anchors, now: Callable[[], float]) -> None:
        self._source = source
        self._anchors = anchors
        self._now = now
        self._steps: dict[dns.name.Name, asyncio.Task[_Step]] = {}

    async def follow(self, name: DomainName, rdtype: str) -> tuple[Answer[Data], Judgement]:
        """Give an answer over all its CNAMEs, and how far it may be believed: as far as the weakest of them.

        Of each reply only what it says about the name that was asked for is read: that alone was validated.
        """
        search = Search(name, rdtype, Batch(1), 0)
        weakest: Judgement | None = None
        while True:
            said, judgement = await self._look_at(search.at, rdtype)
            if judgement.status is _INSECURE:
                weakest = weakest or judgement
            answer = search.read(said)
            if isinstance(answer, LookupFailed):
                return answer, judgement
            if answer is not None:
                return answer, weakest or judgement

    async def _look_at(self, name: DomainName, rdtype: str) -> tuple[Verdict, Judgement]:
        """Ask about one name, following nothing; what must not be believed is a failed look-up."""
        at = _dns_name(name)
        zone = await self._zone_of(at)
        if isinstance(zone, Judgement) and zone.status is not _INSECURE:
            return _disbelieved(name, rdtype, zone), zone
        reply = await self._source.signed(name, rdtype)
        if not isinstance(reply, Reply):
            return reply, Judgement(_INDETERMINATE, name.ascii, reply.detail)
        if isinstance(zone, Judgement):
            return _said_of(name, rdtype, reply, _Judged(zone)), zone
        message = _read(name.ascii, reply)
        if isinstance(message, Judgement):
            return _disbelieved(name, rdtype, message, reply.server), message
        judged = self._judge_one(zone, message, at, dns.rdatatype.from_text(rdtype))
        if judged.judgement.status is _BOGUS:
            return _disbelieved(name, rdtype, judged.judgement, reply.server), judged.judgement
        said = _said_of(name, rdtype, reply, judged)
        if (
            judged.kind is not None and not said.message.answers
        ):  # dnspython read what our own eyes do not see
            unsure = Judgement(_INDETERMINATE, name.ascii, "the answer can be read in two ways")
            return _disbelieved(name, rdtype, unsure, reply.server), unsure
        return said, judged.judgement

    def _judge_one(
        self, zone: _Zone, message: dns.message.Message, at: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> _Judged:
        """Judge what a message says about one name: its records, its alias, or their absence."""
        for rrset in message.answer:
            if rrset.rdtype == dns.rdatatype.DNAME and at.is_subdomain(rrset.name) and at != rrset.name:
                return self._renamed(zone, message, at, rrset)
        for kind in (rdtype, dns.rdatatype.CNAME):
            found = _rrset(message.answer, at, kind)
            if found is not None:
                return self._judge_records(zone, message, found)
        denial = self._denial(zone, message, at, rdtype)
        if denial is Denial.UNDECIDED:
            words = f"the NSEC3 records of {_text(zone.name)} leave open whether {_text(at)} exists"
            return _Judged(_judgement(_INSECURE, zone, words))
        if denial in (Denial.NO_NAME, Denial.NO_TYPE):
            return _Judged(_judgement(_SECURE, zone, ""), is_absent=denial is Denial.NO_NAME)
        words = f"nothing signed proves that {_text(at)} has no {dns.rdatatype.to_text(rdtype)}"
        return _Judged(_judgement(_BOGUS, zone, words))

    def _judge_records(self, zone: _Zone, message: dns.message.Message, found: dns.rrset.RRset) -> _Judged:
        if why := self._flaw(zone, message.answer, found):
            return _Judged(_judgement(_BOGUS, zone, why))
        applies = self._wildcard_applies(zone, message, found)
        what = f"{dns.rdatatype.to_text(found.rdtype)} of {_text(found.name)}"
        if applies is Denial.UNPROVEN:
            words = f"{what} comes from a wildcard, and nothing proves that the name itself does not exist"
            return _Judged(_judgement(_BOGUS, zone, words))
        ttl = _trusted_ttl(message.answer, found, self._now())
        if applies is Denial.UNDECIDED:
            words = (
                f"{what} comes from a wildcard, and {_text(zone.name)} leaves open whether the name exists"
            )
            return _Judged(_judgement(_INSECURE, zone, words), found.rdtype, ttl)
        return _Judged(_judgement(_SECURE, zone, ""), found.rdtype, ttl)

    def _wildcard_applies(self, zone: _Zone, message: dns.message.Message, found: dns.rrset.RRset) -> Denial:
        """Is the name itself proven absent, where records come from a wildcard? RFC 4035 §5.3.4."""
        labels = _signed_labels(message.answer, found)
        if labels == _labels(found.name):
            return Denial.NO_NAME
        return denies_exact_name(self._proofs(zone, message), found.name, labels)

    def _renamed(
        self, zone: _Zone, message: dns.message.Message, at: dns.name.Name, rename: dns.rrset.RRset
    ) -> _Judged:
        """Judge a DNAME; the CNAME that comes with it is not signed, but must be what follows (RFC 6672 §5.3.1)."""
        judged = self._judge_records(zone, message, rename)
        if judged.judgement.status is _BOGUS:
            return judged
        target: dns.name.Name = at.relativize(rename.name).concatenate(rename[0].target)
        alias = _rrset(message.answer, at, dns.rdatatype.CNAME)
        if alias is None or [record.target for record in alias] != [target]:
            words = f"the CNAME of {_text(at)} is not what the DNAME above it says"
            return _Judged(_judgement(_BOGUS, zone, words))
        return replace(judged, kind=dns.rdatatype.CNAME)

    async def _zone_of(self, name: dns.name.Name) -> _Zone | Judgement:
        """Descend from the nearest anchor to the zone that holds a name."""
        anchor = max((one for one in self._anchors if name.is_subdomain(one)), key=len, default=None)
        if anchor is None:
            return Judgement(_INSECURE, detail=f"no trust anchor is at or above {_text(name)}")
        zone = await self._once(anchor, partial(self._anchored, anchor))
        if not isinstance(zone, _Zone):
            return zone if zone is not None else Judgement(_INDETERMINATE)
        for depth in range(len(anchor) + 1, len(name) + 1):
            child = dns.name.Name(name.labels[-depth:])
            step = await self._once(child, partial(self._below, zone, child))
            if isinstance(step, Judgement):
                return step
            zone = step or zone
        return zone

    async def _once(self, name: dns.name.Name, look: Callable[[], Any]) -> _Step:
        """Look at one step of the chain, whoever asks for it at the same time or later."""
        loop = asyncio.get_running_loop()
        task = self._steps.get(name)
        if task is None or task.get_loop() is not loop or task.cancelled():
            task = self._steps[name] = loop.create_task(look())
        step = await asyncio.shield(task)
        if isinstance(step, Judgement) and step.status is _INDETERMINATE:
            self._steps.pop(name, None)  # it may be found out the next time
        return step

    async def _anchored(self, anchor: dns.name.Name) -> _Step:
        step = await self._zone_with_keys(anchor, self._anchors[anchor], "the trust anchor")
        if not isinstance(step, Judgement) or step.status is not _BOGUS:
            return step
        # Where no chain begins, it says nothing of the zones below: a resolver that strips signatures, a clock that is
        # wrong, and anchors that are old look the same.
        words = f"no chain of trust can begin: {step.detail}; does the resolver pass DNSSEC on, and is the clock right?"
        return Judgement(_INDETERMINATE, step.zone, words)

    async def _below(self, parent: _Zone, child: dns.name.Name) -> _Step:
        """Look whether a zone begins at a name, and whether the chain goes on into it. RFC 4035 §5.2."""
        message = await self._message(child, "DS")
        if isinstance(message, Judgement):
            return message
        delegation = _rrset(message.answer, child, dns.rdatatype.DS)
        if delegation is not None:
            judgement = self._judge_records(parent, message, delegation).judgement
            if judgement.status is not _SECURE:
                return judgement
            usable = [ds for ds in delegation if _is_supported(ds)]
            if not usable:
                words = f"{_text(child)} is signed with algorithms that are not supported here"
                return _judgement(_INSECURE, parent, words)
            return await self._zone_with_keys(child, usable, "the DS record of its parent")
        if any(child.is_subdomain(rrset.name) for rrset in message.answer):  # an alias, which is no zone
            return _NO_CUT
        denial = self._denial(parent, message, child, dns.rdatatype.DS)
        if denial is Denial.UNDECIDED:
            words = f"the NSEC3 records of {_text(parent.name)} leave open whether {_text(child)} is a zone of its own"
            return _judgement(_INSECURE, parent, words)
        if denial is Denial.UNSIGNED_DELEGATION:
            words = f"{_text(parent.name)} has no DS record for {_text(child)}, so that zone is not signed for others"
            return _judgement(_INSECURE, parent, words)
        if denial is Denial.UNPROVEN:
            words = f"{_text(parent.name)} proves neither a DS record for {_text(child)} nor its absence"
            return _judgement(_BOGUS, parent, words)
        return _NO_CUT

    async def _zone_with_keys(
        self, name: dns.name.Name, trusted: Iterable[dns.rdtypes.ANY.DS.DS], by: str
    ) -> _Step:
        """Get a zone's keys, and hold them to the digests that are trusted."""
        message = await self._message(name, "DNSKEY")
        if isinstance(message, Judgement):
            return message
        keys = _rrset(message.answer, name, dns.rdatatype.DNSKEY)
        if keys is None:
            return Judgement(
                _BOGUS, _label(name), f"{_text(name)} publishes no DNSKEY, but {by} asks for one"
            )
        meant = [key for key in keys if any(_is_meant(name, key, ds) for ds in trusted)]
        if not meant:
            return Judgement(_BOGUS, _label(name), f"no DNSKEY of {_text(name)} is the one that {by} names")
        entry = _Zone(name, dns.rrset.from_rdata_list(name, keys.ttl, meant))
        if why := self._flaw(entry, message.answer, keys):
            return Judgement(_BOGUS, _label(name), why)
        usable = [key for key in keys if key.flags & _ZONE_KEY]
        return _Zone(name, dns.rrset.from_rdata_list(name, keys.ttl, usable))

    def _denial(self, zone: _Zone, message: dns.message.Message, name: dns.name.Name, rdtype: int) -> Denial:
        proofs = self._proofs(zone, message)
        return read_denial(proofs, name, rdtype) if proofs else Denial.UNPROVEN

    def _proofs(self, zone: _Zone, message: dns.message.Message) -> list[dns.rrset.RRset]:
        return [
            rrset
            for rrset in message.authority
            if rrset.rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)
            and not self._flaw(zone, message.authority, rrset)
            # what a wildcard's own NSEC says would else be said of every name that it could stand for
            and _signed_labels(message.authority, rrset) == _labels(rrset.name)
        ]

    def _flaw(self, zone: _Zone, section: list[dns.rrset.RRset], rrset: dns.rrset.RRset) -> str:
        """Say why records are not to be believed, "" when the zone has signed them, or the wildcard they come from."""
        what = f"{dns.rdatatype.to_text(rrset.rdtype)} of {_text(rrset.name)}"
        signatures = _signatures(section, rrset)
        if signatures is None:
            return f"{what} is not signed, but the zone {_text(zone.name)} is"
        now = self._now()
        try:
            dns.dnssec.validate(rrset, signatures, {zone.name: zone.keys}, None, now)
        except (dns.exception.DNSException, ValueError):
            return f"{what}: {_why_not(zone, signatures, now)}"
        return ""

    async def _message(self, name: dns.name.Name, rdtype: str) -> dns.message.Message | Judgement:
        verdict = await self._source.signed(DomainName(_label(name)), rdtype)
        if not isinstance(verdict, Reply):
            return Judgement(_INDETERMINATE, _label(name), verdict.detail)
        return _read(_label(name), verdict)


def _read(name: str, reply: Reply) -> dns.message.Message | Judgement:
    try:
        return dns.message.from_wire(reply.message.octets)
    except dns.exception.DNSException as error:
        return Judgement(_INDETERMINATE, name, f"the answer cannot be read: {error}")


def _said_of(name: DomainName, rdtype: str, reply: Reply, judged: _Judged) -> Reply:
    """Keep of a reply what it says about one name, so that nothing is read that was not validated."""
    message = reply.message
    own = [record for record in message.answers if record.owner == name.ascii]
    kinds = (TYPES[rdtype], TYPES["CNAME"]) if judged.kind is None else (judged.kind,)
    kept = next(filter(None, ([r for r in own if r.type == kind] for kind in kinds)), [])
    if kept and judged.is_absent is None:
        records = tuple(r if judged.ttl is None else r._replace(ttl=min(r.ttl, judged.ttl)) for r in kept)
        return reply._replace(message=message._replace(rcode=NOERROR, answers=records, authority=()))
    rcode = message.rcode if judged.is_absent is None else NXDOMAIN if judged.is_absent else NOERROR
    return reply._replace(message=message._replace(rcode=rcode, answers=()))


def _disbelieved(
    name: DomainName, rdtype: str, judgement: Judgement, server: str | None = None
) -> LookupFailed:
    if judgement.status is _BOGUS:
        return LookupFailed(FailureReason.BOGUS, judgement.detail, temporary=False, server=server)
    words = f"{rdtype} {name} cannot be validated: {judgement.detail}"
    return LookupFailed(FailureReason.SERVFAIL, words, temporary=True, server=server)


def _signed_labels(section: list[dns.rrset.RRset], rrset: dns.rrset.RRset) -> int:
    """Give how many labels the signed owner has; less than the owner's came from a wildcard (RFC 4034 §3.1.3)."""
    signatures = _signatures(section, rrset) or ()
    return min((signature.labels for signature in signatures), default=0)


def _labels(name: dns.name.Name) -> int:
    return len(name) - 1 - name.is_wild()


def _trusted_ttl(section: list[dns.rrset.RRset], rrset: dns.rrset.RRset, now: float) -> int:
    """Give how long records may be remembered, in seconds: no longer than they are signed for (RFC 4035 §5.3.3)."""
    signatures = _signatures(section, rrset) or ()
    return max(0, min((min(s.original_ttl, int(s.expiration - now)) for s in signatures), default=0))


def _why_not(zone: _Zone, signatures: dns.rrset.RRset, now: float) -> str:
    known = [s for s in signatures if s.signer == zone.name]
    if not known:
        return f"its signature is by another zone than {_text(zone.name)}"
    if all(s.expiration < now for s in known):
        return f"its signature has expired on {_moment(max(s.expiration for s in known))}"
    if all(s.inception > now for s in known):
        return f"its signature is not valid before {_moment(min(s.inception for s in known))}"
    tags = {dns.dnssec.key_id(key) for key in zone.keys}
    if not any(s.key_tag in tags for s in known):
        named = ", ".join(str(s.key_tag) for s in known)
        return f"it is signed by a key ({named}) that {_text(zone.name)} does not publish, or that is not trusted"
    return f"its signature by {_text(zone.name)} does not fit"


def _is_supported(ds: dns.rdtypes.ANY.DS.DS) -> bool:
    try:
        dns.dnssecalgs.get_algorithm_cls(ds.algorithm)
    except dns.exception.DNSException:
        return False
    return ds.digest_type in (1, 2, 4)  # SHA-1, SHA-256, SHA-384


def _is_meant(zone: dns.name.Name, key: Any, ds: dns.rdtypes.ANY.DS.DS) -> bool:
    if key.algorithm != ds.algorithm or not key.flags & _ZONE_KEY or dns.dnssec.key_id(key) != ds.key_tag:
        return False
    digest = dns.dnssec.make_ds(zone, key, ds.digest_type, validating=True).digest
    return bool(digest == ds.digest)


def _rrset(section: list[dns.rrset.RRset], name: dns.name.Name, rdtype: int) -> dns.rrset.RRset | None:
    return next((rrset for rrset in section if rrset.rdtype == rdtype and rrset.name == name), None)


def _signatures(section: list[dns.rrset.RRset], rrset: dns.rrset.RRset) -> dns.rrset.RRset | None:
    for one in section:
        if one.rdtype == dns.rdatatype.RRSIG and one.name == rrset.name and one.covers == rrset.rdtype:
            return one
    return None


def _judgement(status: Trust, zone: _Zone, detail: str) -> Judgement:
    return Judgement(status, _label(zone.name), detail)


def _dns_name(name: DomainName) -> dns.name.Name:
    return dns.name.from_text(name.ascii + ".")


def _label(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _text(name: dns.name.Name) -> str:
    return _label(name) or "the root zone"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%MZ}"
