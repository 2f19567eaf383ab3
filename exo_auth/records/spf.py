"""SPF records (records, pure): the TXT at the domain itself.

v=spf1 ip4:192.0.2.0/24 include:spf.protection.outlook.com -all        RFC 7208 §4.5, §5, §6, §12
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from exo_auth.errors import RecordSyntaxError
from exo_auth.records.spf_macro import MacroString, parse_domain_spec, parse_macro_string

VERSION = "v=spf1"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)
_CIDR = re.compile(r"(?:/(?P<four>[0-9]+))?(?://(?P<six>[0-9]+))?$", re.ASCII)
_BAD_CIDR = re.compile(r"/[0-9/]*$", re.ASCII)
_WITHOUT_DOMAIN = frozenset({"all"})
_DOMAIN_NEEDED = frozenset({"include", "exists"})
_DOMAIN_ALLOWED = frozenset({"a", "mx", "ptr"})
MECHANISMS = _WITHOUT_DOMAIN | _DOMAIN_NEEDED | _DOMAIN_ALLOWED | {"ip4", "ip6"}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Qualifier(StrEnum):
    """What a match means; the value is its sign."""

    PASS = "+"  # noqa: S105 - a verdict
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"

    @property
    def result(self) -> str:
        """The result of check_host() when the mechanism matches."""
        return _RESULTS[str(self)]


_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass(frozen=True)
class Mechanism:
    """One directive. `prefix4` and `prefix6` are CIDR lengths for `a` and `mx`; `network` is of ip4 and ip6."""

    name: str  # lower case
    qualifier: Qualifier = Qualifier.PASS
    domain: MacroString | None = None
    prefix4: int = 32
    prefix6: int = 128
    network: Network | None = None
    position: int = 0  # in the record
    text: str = ""  # as written

    @property
    def costs_lookup(self) -> bool:
        """Does it count towards the limit of ten? (RFC 7208 §4.6.4)"""
        return self.name in ("include", "a", "mx", "ptr", "exists")


@dataclass(frozen=True)
class Modifier:
    """One `name=value`; unknown ones are kept and ignored (RFC 7208 §6)."""

    name: str  # lower case
    value: MacroString
    position: int = 0
    text: str = ""


@dataclass(frozen=True)
class SpfRecord:
    """A record that is right in every term. Terms keep their order."""

    mechanisms: tuple[Mechanism, ...] = ()
    modifiers: tuple[Modifier, ...] = ()

    def modifier(self, name: str) -> Modifier | None:
        """Give the modifier of that name."""
        return next((modifier for modifier in self.modifiers if modifier.name == name), None)

    @property
    def all(self) -> Mechanism | None:
        """The first `all`: what stands behind it is never looked at."""
        return next((mechanism for mechanism in self.mechanisms if mechanism.name == "all"), None)


def looks_like(text: str) -> bool:
    """Is this TXT an SPF record? The version ends at a space or the end (RFC 7208 §4.5)."""
    return text[:6].lower() == VERSION and (len(text) == 6 or text[6] == " ")


def parse(text: str) -> SpfRecord:
    """Read a record; raises RecordSyntaxError with the position of the first wrong term (RFC 7208 §4.6)."""
    if not looks_like(text):
        raise RecordSyntaxError("no SPF record", position=0, expected="v=spf1 and a space")
    for offset, char in enumerate(text):
        if not " " <= char <= "~":
            raise RecordSyntaxError(f"{char!r}", position=offset, expected="printable ASCII")
    mechanisms: list[Mechanism] = []
    modifiers: list[Modifier] = []
    at = len(VERSION)
    for word in text[at:].split(" "):
        if word:
            term = _term(word, at)
            if isinstance(term, Mechanism):
                mechanisms.append(term)
            else:
                _refuse_second(modifiers, term)
                modifiers.append(term)
        at += len(word) + 1
    return SpfRecord(tuple(mechanisms), tuple(modifiers))


def render(record: SpfRecord) -> str:
    """Write a record: mechanisms in order, then modifiers; `+` is left out."""
    words = [VERSION]
    words += [_render_mechanism(mechanism) for mechanism in record.mechanisms]
    words += [f"{modifier.name}={modifier.value.text}" for modifier in record.modifiers]
    return " ".join(words)


def _refuse_second(modifiers: list[Modifier], term: Modifier) -> None:
    if term.name in ("redirect", "exp") and any(modifier.name == term.name for modifier in modifiers):
        raise RecordSyntaxError(
            f"a second {term.name}", position=term.position, expected="at most one (RFC 7208 §6)"
        )


def _term(word: str, position: int) -> Mechanism | Modifier:
    match = _NAME.match(word)
    if match is not None and word[match.end() : match.end() + 1] == "=":
        return _modifier(word, match, position)
    return _mechanism(word, position)


def _modifier(word: str, match: re.Match[str], position: int) -> Modifier:
    name, value = match.group().lower(), word[match.end() + 1 :]
    start = position + match.end() + 1
    if name in ("redirect", "exp"):
        return Modifier(name, parse_domain_spec(value, start), position, word)
    return Modifier(name, parse_macro_string(value, start), position, word)


def _mechanism(word: str, position: int) -> Mechanism:
    sign = word[0] if word[0] in "+-~?" else ""
    qualifier = Qualifier(sign or "+")
    start = len(sign)
    match = _NAME.match(word, start)
    name = match.group().lower() if match else ""
    if match is None or name not in MECHANISMS:
        raise RecordSyntaxError(
            f"the unknown mechanism “{name or word}”",
            position=position + start,
            expected=f"one of {', '.join(sorted(MECHANISMS))}",
        )
    rest, at = word[match.end() :], position + match.end()
    if name in ("ip4", "ip6"):
        return Mechanism(name, qualifier, network=_network(name, rest, at), position=position, text=word)
    if name == "all":
        if rest:
            raise RecordSyntaxError(f"“{rest}” after all", position=at, expected="nothing")
        return Mechanism(name, qualifier, position=position, text=word)
    has_cidr = name in ("a", "mx")
    four, six, body = _cidr(rest, at) if has_cidr else (32, 128, rest)
    domain = _domain(name, body, at)
    return Mechanism(name, qualifier, domain, four, six, position=position, text=word)


def _domain(name: str, body: str, at: int) -> MacroString | None:
    if not body:
        if name in _DOMAIN_NEEDED:
            raise RecordSyntaxError(f"{name} without a domain", position=at, expected=f"{name}:domain")
        return None
    if body[0] != ":":
        raise RecordSyntaxError(f"“{body}” after {name}", position=at, expected="a colon and a domain")
    return parse_domain_spec(body[1:], at + 1)


def _cidr(rest: str, at: int) -> tuple[int, int, str]:
    """Take `/24//64` off the end; give both lengths and what stands before."""
    found = _CIDR.search(rest)
    if found is None or found.start() == len(rest):
        bad = _BAD_CIDR.search(rest)
        if bad:
            raise RecordSyntaxError(
                f"“{bad.group()}”", position=at + bad.start(), expected="a prefix length such as /24"
            )
        return 32, 128, rest
    four = _length(found["four"], 32, at + found.start())
    six = _length(found["six"], 128, at + found.start())
    return four, six, rest[: found.start()]


def _length(digits: str | None, most: int, at: int) -> int:
    if digits is None:
        return most
    if (len(digits) > 1 and digits[0] == "0") or len(digits) > 3 or int(digits) > most:
        raise RecordSyntaxError(f"the prefix length {digits}", position=at, expected=f"0 to {most}")
    return int(digits)


def _network(name: str, rest: str, at: int) -> Network:
    if not rest.startswith(":"):
        raise RecordSyntaxError(f"{name} without an address", position=at, expected=f"{name}:address")
    address, slash, digits = rest[1:].partition("/")
    most = 32 if name == "ip4" else 128
    if slash and not digits.isdecimal():
        raise RecordSyntaxError(f"“/{digits}”", position=at + 1 + len(address), expected="a prefix length")
    length = _length(digits if slash else None, most, at + 1 + len(address))
    kind = ipaddress.IPv4Address if name == "ip4" else ipaddress.IPv6Address
    try:
        parsed = kind(address)
    except ValueError:
        raise RecordSyntaxError(
            f"“{address}” is no {name} address", position=at + 1, expected="an address"
        ) from None
    if "%" in address:
        raise RecordSyntaxError("an address with a zone", position=at + 1, expected="an address")
    return ipaddress.ip_network((parsed, length), strict=False)


def _render_mechanism(mechanism: Mechanism) -> str:
    sign = "" if mechanism.qualifier is Qualifier.PASS else mechanism.qualifier.value
    text = sign + mechanism.name
    if mechanism.network is not None:
        whole = mechanism.network.prefixlen == mechanism.network.max_prefixlen
        return f"{text}:{mechanism.network.network_address if whole else mechanism.network}"
    if mechanism.domain is not None:
        text += f":{mechanism.domain.text}"
    if mechanism.prefix4 != 32:
        text += f"/{mechanism.prefix4}"
    if mechanism.prefix6 != 128:
        text += f"//{mechanism.prefix6}"
    return text
