"""check_host(): may this address send for this domain? (lookup; async I/O). RFC 7208 §4, §5, §7."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from exo_auth.domain_name import MAX_LABEL, MAX_NAME, DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Found, LookupFailed, Txt
from exo_auth.facts.spf import NO_EXPLANATION, SpfResult, SpfStep
from exo_auth.lookup.resolver import Resolver
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, SpfRecord
from exo_auth.records.spf_macro import MacroString, parse_macro_string

MOST_LOOKUPS = 10  # terms that ask DNS, RFC 7208 §4.6.4
MOST_VOID_LOOKUPS = 2
COMPILED_RECORDS = KNOWN_NAMES = 2048  # kept
MOST_NAMES = 10  # of one mx or ptr

_ODD = re.compile(r"[^!-~]|\\")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class _Ended(Exception):  # noqa: N818 - an end of the evaluation, not always an error
    """The evaluation is over with this result."""

    def __init__(self, result: str, problem: str) -> None:
        super().__init__(problem)
        self.result = result
        self.problem = problem


@dataclass(frozen=True)
class Envelope:
    """Who sends: the address, MAIL FROM (or postmaster at HELO), the HELO name, and the receiver's own name."""

    address: Address
    sender: str
    helo: str
    receiver: str = "unknown"

    @classmethod
    def of(cls, address: str, mail_from: str, helo: str, receiver: str = "unknown") -> Envelope:
        """Read the parts as given; raises ValueError for an address that is none."""
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped  # RFC 7208 §5
        sender = mail_from or f"postmaster@{helo}"  # RFC 7208 §2.4
        local, at, domain = sender.rpartition("@")
        return cls(parsed, f"{local or 'postmaster'}@{domain if at else sender}", helo, receiver)

    @property
    def domain(self) -> str:
        """The domain to begin with."""
        return self.sender.rpartition("@")[2]

    @property
    def local_part(self) -> str:
        """What stands before the at sign."""
        return self.sender.rpartition("@")[0]


async def check_host(
    resolver: Resolver, envelope: Envelope, *, now: Callable[[], float] = time.time
) -> SpfResult:
    """Evaluate SPF for an envelope; DNS trouble is temperror, never an exception."""
    evaluation = _Evaluation(resolver, envelope, now)
    try:
        result, explanation = await evaluation.check(envelope.domain, depth=0)
        problem = evaluation.problem
    except _Ended as ended:
        result, explanation, problem = ended.result, "", ended.problem
    return SpfResult(
        result,
        explanation if result == "fail" else "",
        tuple(evaluation.path),
        evaluation.lookups,
        evaluation.void_lookups,
        problem,
    )


@dataclass
class _Evaluation:
    """The counters of one check_host(), shared by all its includes."""

    resolver: Resolver
    envelope: Envelope
    now: Callable[[], float]
    lookups: int = 0
    void_lookups: int = 0
    problem: str = ""
    path: list[SpfStep] = field(default_factory=list)

    async def check(self, domain: str, depth: int) -> tuple[str, str]:
        """Evaluate one domain's record; give the result and, for fail at the top, the explanation."""
        record = await self._record(domain)
        if record is None:
            return "none", ""
        for mechanism in record.mechanisms:
            matched = await self._matches(mechanism, domain, depth)
            self.path.append(SpfStep(domain, mechanism.text, matched, depth))
            if matched:
                result = mechanism.qualifier.result
                wants_words = result == "fail" and depth == 0
                return result, await self._explanation(record, domain) if wants_words else ""
        redirect = record.modifier("redirect")
        if redirect is None:
            return "neutral", ""  # RFC 7208 §4.7
        return await self._redirected(redirect.value, redirect.text, domain, depth)

    async def _redirected(self, target: MacroString, text: str, domain: str, depth: int) -> tuple[str, str]:
        self._count_lookup()
        other = await self._expanded(target, domain)
        self.path.append(SpfStep(domain, text, True, depth))
        result, explanation = await self.check(other, depth)
        if result == "none":  # RFC 7208 §6.1
            raise _Ended("permerror", f"{domain} redirects to {other}, which has no SPF record")
        return result, explanation

    async def _record(self, domain: str) -> SpfRecord | None:
        """Find the one SPF record of a domain (RFC 7208 §4.3 to §4.5); None when there is none."""
        if not can_be_asked(domain) or "." not in domain.strip("."):
            self.problem = f"“{domain}” is no domain that can have a record"
            return None
        answer = await self.resolver.txt(as_name(domain))
        if isinstance(answer, LookupFailed):
            raise _Ended("temperror", f"TXT of {domain}: {answer.detail}")
        texts = [latin_text(txt) for txt in answer.values] if isinstance(answer, Found) else []
        records = [text for text in texts if spf.looks_like(text)]
        if not records:
            self.problem = f"{domain} has no SPF record"
            return None
        if len(records) > 1:
            raise _Ended("permerror", f"{domain} has {len(records)} SPF records")
        try:
            return _compiled(records[0])
        except RecordSyntaxError as error:
            raise _Ended("permerror", f"{domain}: {error.message}") from None

    async def _matches(self, mechanism: Mechanism, domain: str, depth: int) -> bool:
        if mechanism.costs_lookup:
            self._count_lookup()
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return self.envelope.address in mechanism.network
        target = await self._expanded(mechanism.domain, domain) if mechanism.domain else domain
        if mechanism.name == "include":
            return await self._included(target, domain, depth)
        if mechanism.name == "a":
            return self._is_near(await self._addresses(target), mechanism)
        if mechanism.name == "mx":
            return await self._mx(target, mechanism)
        if mechanism.name == "exists":
            return bool(await self._ask(target, "A"))
        return await self._ptr(target)

    async def _included(self, target: str, domain: str, depth: int) -> bool:
        result, _ = await self.check(target, depth + 1)
        if result == "none":  # RFC 7208 §5.2
            raise _Ended("permerror", f"{domain} includes {target}, which has no SPF record")
        return result == "pass"

    async def _mx(self, target: str, mechanism: Mechanism) -> bool:
        exchangers = sorted(await self._ask(target, "MX"), key=lambda mx: mx.preference)
        if len(exchangers) > MOST_NAMES:
            raise _Ended("permerror", f"{target} has more than {MOST_NAMES} mail exchangers")
        for mx in exchangers:
            if mx.host and self._is_near(await self._addresses(mx.host), mechanism):
                return True
        return False

    async def _ptr(self, target: str) -> bool:
        wanted = target.rstrip(".").lower()
        names = await self._validated_names()
        return any(name == wanted or name.endswith(f".{wanted}") for name in names)

    async def _validated_names(self) -> list[str]:
        """Give the names of the address that lead back to it (RFC 7208 §5.5); DNS trouble means none."""
        try:
            names = await self._ask(self.envelope.address.reverse_pointer, "PTR")
        except _Ended as ended:
            if ended.result == "permerror":
                raise
            return []
        validated = []
        for name in names[:MOST_NAMES]:
            try:
                addresses = await self._addresses(str(name), counts=False)
            except _Ended:
                continue
            if self.envelope.address in addresses:
                validated.append(str(name).lower().rstrip("."))
        return validated

    async def _addresses(self, name: str, *, counts: bool = True) -> list[Address]:
        rdtype = "A" if self.envelope.address.version == 4 else "AAAA"
        return list(await self._ask(name, rdtype, counts=counts))

    def _is_near(self, addresses: list[Address], mechanism: Mechanism) -> bool:
        own = self.envelope.address
        length = mechanism.prefix4 if own.version == 4 else mechanism.prefix6
        return any(own in ipaddress.ip_network((address, length), strict=False) for address in addresses)

    async def _ask(self, name: str, rdtype: str, *, counts: bool = True) -> tuple[Any, ...]:
        """Give the values; () for none, which counts as a void lookup; raises _Ended for temperror."""
        if not can_be_asked(name):
            return ()
        answer = await self.resolver.resolve(as_name(name), rdtype)
        if isinstance(answer, LookupFailed):
            raise _Ended("temperror", f"{rdtype} of {name}: {answer.detail}")
        if isinstance(answer, Found) and answer.values:
            return answer.values
        if counts:
            self.void_lookups += 1
            if self.void_lookups > MOST_VOID_LOOKUPS:
                raise _Ended(
                    "permerror", f"more than {MOST_VOID_LOOKUPS} lookups found nothing (the last: {name})"
                )
        return ()

    def _count_lookup(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise _Ended("permerror", f"more than {MOST_LOOKUPS} terms ask DNS")

    # Macros and explanations

    async def _expanded(self, spec: MacroString, domain: str) -> str:
        """Put the macros in and cut from the left what is too long (RFC 7208 §7.3)."""
        values = await self._values(spec, domain) if spec.letters() else {}
        name = spec.expand(values).rstrip(".")
        while len(name) > MAX_NAME and "." in name:
            name = name.partition(".")[2]
        return name

    async def _explanation(self, record: SpfRecord, domain: str) -> str:
        """Give the domain's own words for a fail; anything odd about them gives the default (RFC 7208 §6.2)."""
        modifier = record.modifier("exp")
        if modifier is None:
            return NO_EXPLANATION
        try:
            target = await self._expanded(modifier.value, domain)
            if not can_be_asked(target):
                return NO_EXPLANATION
            answer = await self.resolver.txt(as_name(target))
            if not isinstance(answer, Found) or len(answer.values) != 1:
                return NO_EXPLANATION
            text = latin_text(answer.values[0])
            if not text.isascii():
                return NO_EXPLANATION
            words = parse_macro_string(text, 0, in_explanation=True)
            return words.expand(await self._values(words, domain))
        except (RecordSyntaxError, _Ended):
            return NO_EXPLANATION

    async def _values(self, spec: MacroString, domain: str) -> dict[str, str]:
        envelope = self.envelope
        own = envelope.address
        dotted = str(own) if own.version == 4 else ".".join(own.exploded.replace(":", "").upper())
        values = {
            "s": envelope.sender,
            "l": envelope.local_part,
            "o": envelope.domain,
            "d": domain,
            "i": dotted,
            "v": "in-addr" if own.version == 4 else "ip6",
            "h": envelope.helo,
            "c": str(own),
            "r": envelope.receiver,
            "t": str(int(self.now())),
        }
        if "p" in spec.letters():
            values["p"] = await self._name_of_address(domain)
        return values

    async def _name_of_address(self, domain: str) -> str:
        names = await self._validated_names()
        wanted = domain.lower()
        within = [name for name in names if name == wanted] or [n for n in names if n.endswith(f".{wanted}")]
        return (within or names or ["unknown"])[0]


@lru_cache(COMPILED_RECORDS)
def _compiled(text: str) -> SpfRecord:
    """Take a record apart; the records of large senders are met again and again."""
    return spf.parse(text)


@lru_cache(KNOWN_NAMES)
def can_be_asked(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    return len(name) <= MAX_NAME and all(0 < len(label) <= MAX_LABEL and label.isascii() for label in labels)


@lru_cache(KNOWN_NAMES)
def as_name(text: str) -> DomainName:
    # SPF asks for names of any characters, checked for length alone; odd ones travel as \\DDD (RFC 1035 §5.1).
    odd = _ODD.sub(lambda match: f"\\{ord(match[0]):03d}", text.lower().removesuffix("."))
    return DomainName(odd)


def latin_text(txt: Txt) -> str:
    """Join the strings; octets outside ASCII stay visible to the grammar as characters it refuses."""
    return b"".join(txt.chunks).decode("latin-1")


__all__ = ["Envelope", "check_host"]
