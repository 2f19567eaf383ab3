"""DMARC policy records (records, pure): the TXT at `_dmarc.<domain>`.

    v=DMARC1; p=reject; rua=mailto:dmarc@contoso.com        RFC 9989 §4.7, §4.8

A record may hold faulty tags and still count: RFC 9989 ignores them, or lets the policy fall to none. So `parse` keeps
them as `faults`, and raises only where there is no DMARC record at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from exo_auth.errors import RecordSyntaxError

WHITE = " \t"
HISTORIC = frozenset({"pct", "rf", "ri"})  # RFC 9989 §9.3
KNOWN = frozenset({"v", "p", "sp", "np", "adkim", "aspf", "rua", "ruf", "fo", "psd", "t"}) | HISTORIC

_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(;|$)")  # the value is case-sensitive, RFC 9989 §4.8
_TAG = re.compile(r"[ \t]*([A-Za-z]+)[ \t]*=[ \t]*([\x20-\x3a\x3c-\x7e]*)[ \t]*", re.ASCII)  # RFC 9989 §4.7
_TAG_NAME = re.compile(r"[A-Za-z]+", re.ASCII)
_BAD_VALUE = re.compile(r"[^\x20-\x3a\x3c-\x7e]")  # RFC 9989 §4.7
_PLAIN_ADDRESS = re.compile(r"mailto:[\w.+-]+@[\w.-]+", re.IGNORECASE | re.ASCII)  # as nearly all are written
_SIZE = re.compile(r"![0-9]+[kmgt]?$", re.IGNORECASE | re.ASCII)  # obsolete, RFC 9989 §4.8


class Policy(StrEnum):
    """What receivers are asked to do with mail that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def one_level_down(self) -> Policy:
        """One level down, as `t=y` asks for (RFC 9989 §4.7)."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


@dataclass(frozen=True)
class TagFault:
    """A tag that is ignored, or turns the policy off, and where its value stands."""

    tag: str
    message: str
    position: int


@dataclass(frozen=True)
class DmarcRecord:
    """A policy record. A policy that was given and is invalid is None and stands in `faults`."""

    policy: Policy | None = None
    subdomain_policy: Policy | None = None
    nonexistent_policy: Policy | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    rua: tuple[str, ...] = ()
    ruf: tuple[str, ...] = ()
    failure_options: tuple[str, ...] = ("0",)
    psd: str = "u"  # y, n, u
    is_testing: bool = False
    historic: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    faults: tuple[TagFault, ...] = ()

    @property
    def has_valid_rua(self) -> bool:
        """Is there one address that aggregate reports can go to?"""
        return any(is_report_address(address) for address in self.rua)

    @property
    def is_void(self) -> bool:
        """Does RFC 9989 §4.10.1 switch DMARC off for this record? A bad policy without a valid rua does."""
        return (self.policy is None or self._has_bad_policy) and not self.has_valid_rua

    @property
    def _has_bad_policy(self) -> bool:
        return bool(self.faults) and any(fault.tag in ("p", "sp", "np") for fault in self.faults)

    def applies(self, *, is_subdomain: bool, exists: bool) -> Policy | None:
        """Give the policy for a name it governs, before `t=y`; None when DMARC does not apply."""
        if self.is_void:
            return None
        if self.policy is None or self._has_bad_policy:
            return Policy.NONE  # RFC 9989 §4.10.1: there is a rua to report to
        if not is_subdomain:
            return self.policy
        subdomains = self.subdomain_policy or self.policy
        return subdomains if exists else self.nonexistent_policy or subdomains


def looks_like(text: str) -> bool:
    """Is this TXT a DMARC record? The version must be first, with nothing before it (RFC 9989 §4.7)."""
    return _VERSION.match(text) is not None


def parse(text: str) -> DmarcRecord:
    """Read a record; raises RecordSyntaxError for what is none, and for a tag that occurs twice."""
    if not looks_like(text):
        raise RecordSyntaxError("no DMARC record", position=0, expected="v=DMARC1 at the beginning")
    tags: dict[str, tuple[str, int]] = {}
    faults: list[TagFault] = []
    start = 0
    for part in text.split(";"):
        match = _TAG.fullmatch(part)
        if match is None:
            faults += _faults_in(part, start)
        else:
            name, value = match[1].lower(), match[2].rstrip(WHITE)
            position = start + len(part.rstrip(WHITE)) - len(value)
            if name in tags:  # the tag-list rule of RFC 6376 §3.2, which DMARC builds on
                raise RecordSyntaxError(
                    f"the tag “{name}” occurs twice", position=position, expected="each tag once"
                )
            tags[name] = (value, position)
        start += len(part) + 1
    return _record(tags, faults)


def render(record: DmarcRecord) -> str:
    """Write a record with the tags of RFC 9989, `p` second; historic and faulty tags are left out."""
    parts = [
        ("p", record.policy),
        ("sp", record.subdomain_policy),
        ("np", record.nonexistent_policy),
        ("adkim", "s" if record.strict_dkim else None),
        ("aspf", "s" if record.strict_spf else None),
        ("rua", ",".join(record.rua) or None),
        ("ruf", ",".join(record.ruf) or None),
        ("fo", ":".join(record.failure_options) if record.failure_options != ("0",) else None),
        ("psd", record.psd if record.psd != "u" else None),
        ("t", "y" if record.is_testing else None),
        *record.unknown,
    ]
    return "; ".join(["v=DMARC1", *(f"{name}={value}" for name, value in parts if value is not None)])


def is_report_address(address: str) -> bool:
    """Can a report be sent there? Only mailto needs to be supported (RFC 9989 §4.7)."""
    if _PLAIN_ADDRESS.fullmatch(address):
        return True
    try:
        split = urlsplit(address)
    except ValueError:  # such as mailto://[
        return False
    local, at, domain = split.path.rpartition("@")
    return split.scheme.lower() == "mailto" and bool(local and at and domain) and "," not in address


def _faults_in(part: str, start: int) -> list[TagFault]:
    """Find out why this is no tag; what is empty is no fault."""
    stripped = part.strip(WHITE)
    if not stripped:
        return []
    match = _TAG_NAME.match(stripped)
    after = stripped[match.end() :].lstrip(WHITE) if match else ""
    if match is None or not after.startswith("="):
        words = f"“{stripped[:40]}” is no tag: a semicolon or an equals sign is missing"
        return [TagFault("", words, start + part.index(stripped[0]))]
    value = after[1:].strip(WHITE)
    position = start + len(part.rstrip(WHITE)) - len(value)
    return [
        TagFault(match.group().lower(), f"{bad.group()!r} in the value", position + bad.start())
        for bad in (_BAD_VALUE.search(value),)
        if bad is not None
    ]


def _record(tags: dict[str, tuple[str, int]], faults: list[TagFault]) -> DmarcRecord:
    policies = {name: _policy(name, tags, faults) for name in ("p", "sp", "np")}
    return DmarcRecord(
        policy=policies["p"],
        subdomain_policy=policies["sp"],
        nonexistent_policy=policies["np"],
        strict_dkim=_word("adkim", ("r", "s"), "r", tags, faults) == "s",
        strict_spf=_word("aspf", ("r", "s"), "r", tags, faults) == "s",
        rua=_addresses("rua", tags, faults),
        ruf=_addresses("ruf", tags, faults),
        failure_options=_failure_options(tags, faults),
        psd=_word("psd", ("y", "n", "u"), "u", tags, faults),
        is_testing=_word("t", ("y", "n"), "n", tags, faults) == "y",
        historic=tuple((name, value) for name, (value, _) in tags.items() if name in HISTORIC),
        unknown=tuple((name, value) for name, (value, _) in tags.items() if name not in KNOWN),
        faults=tuple(faults),
    )


def _policy(name: str, tags: dict[str, tuple[str, int]], faults: list[TagFault]) -> Policy | None:
    if name not in tags:
        return None
    value, position = tags[name]
    try:
        return Policy(value.lower())  # literals of the grammar have no case, RFC 5234 §2.3
    except ValueError:
        hint = "; a semicolon is missing" if "=" in value or " " in value else ""
        faults.append(TagFault(name, f"“{value}” is no policy{hint}", position))
        return None


def _word(
    name: str, words: tuple[str, ...], default: str, tags: dict[str, tuple[str, int]], faults: list[TagFault]
) -> str:
    value, position = tags.get(name, (default, 0))
    if value.lower() in words:
        return value.lower()
    faults.append(TagFault(name, f"“{value}” is none of {', '.join(words)}; {default} counts", position))
    return default


def _addresses(name: str, tags: dict[str, tuple[str, int]], faults: list[TagFault]) -> tuple[str, ...]:
    value, position = tags.get(name, ("", 0))
    found = []
    for raw in value.split(",") if value else []:
        address = raw.strip(WHITE)
        if size := _SIZE.search(address):
            faults.append(TagFault(name, f"the size in “{address}” is ignored", position))
            address = address[: size.start()]
        if not is_report_address(address):
            faults.append(TagFault(name, f"“{address}” is no address for reports (mailto:…)", position))
        found.append(address)
        position += len(raw) + 1
    return tuple(found)


def _failure_options(tags: dict[str, tuple[str, int]], faults: list[TagFault]) -> tuple[str, ...]:
    value, position = tags.get("fo", ("0", 0))
    options = tuple(part.strip(WHITE).lower() for part in value.split(":"))
    if set(options) <= {"0", "1", "d", "s"}:
        return options
    faults.append(TagFault("fo", f"“{value}” is none of 0, 1, d, s", position))
    return ("0",)
