"""`Change`, `Deferral` and `Blockage`: the lines of a plan (plan, pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from exo_auth.checks.finding import Finding
from exo_auth.domain_name import DomainName


class Verb(StrEnum):
    """What is done to the target."""

    CREATE = "create"
    ENABLE = "enable"
    ROTATE = "rotate"
    UPDATE = "update"
    DISABLE = "disable"
    REMOVE = "remove"
    PUBLISH = "publish"  # a DNS record, by whoever runs the zone
    REPORT = "report"  # nothing to do by itself, something to say

    @property
    def sign(self) -> str:
        """The sign that stands before the line: + new, ~ changed, - gone, ! look here."""
        return {"create": "+", "publish": "+", "disable": "-", "remove": "-", "report": "!"}.get(
            self.value, "~"
        )


# What the nouns of cmdlets stand for, beside a domain's DKIM configuration.
_KINDS = {
    "TransportRule": "rule",
    "OutboundConnector": "connector",
    "InboundConnector": "inbound connector",
    "Dnssec": "DNSSEC",
    "SmtpDane": "DANE",
}


@dataclass(frozen=True)
class Change:
    """One write to the tenant.

    `before` is the state the change was computed from, as plain JSON values: apply compares it with what it
    sees then, and sends nothing when they differ. `after` is the state that proves success.
    """

    verb: Verb
    target: DomainName
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    because: str
    cmdlet: str  # the cmdlet that does it, such as Rotate-DkimSigningConfig
    parameters: Mapping[str, Any] = field(default_factory=dict)
    undo: str = ""  # how to take it back, or why that is impossible
    stage: str = ""  # of the playbook that wants it
    gates: tuple[str, ...] = ()  # of that stage: the words of `check --gate`

    @property
    def sign(self) -> str:
        """The sign that stands before the line; a record set that replaces another is a change, not new."""
        return "~" if self.verb is Verb.PUBLISH and self.before.get("values") else self.verb.sign

    @property
    def action(self) -> str:
        """What is done to the target, such as `rotate`, `publish _dmarc.contoso.com TXT` or `enable DANE`."""
        return f"{self.verb.value} {self.thing}".strip()

    @property
    def title(self) -> str:
        """The change in a sentence: what is done, and to which domain where the record does not tell."""
        tells = "type" in self.parameters or self.target.unicode in self.thing
        return self.action if tells else f"{self.action} {self.target.unicode}"

    @property
    def key(self) -> str:
        """Stable name inside a plan, such as `rotate:contoso.com` or `publish:contoso.com:TXT:_dmarc.contoso.com`."""
        if "name" in self.parameters and "type" in self.parameters:
            where = f":{self.parameters['type']}:{self.parameters['name']}"
        else:
            where = "".join(f":{part}" for part in (self._kind, self._name) if part)
        return f"{self.verb.value}:{self.target.ascii}{where}"

    @property
    def thing(self) -> str:
        """What of the target changes, such as `_dmarc.contoso.com TXT` or `rule “Require TLS”`; "" for its DKIM."""
        if "name" in self.parameters and "type" in self.parameters:
            return f"{self.parameters['name']} {self.parameters['type']}"
        return f"{self._kind} “{self._name}”" if self._name else self._kind

    @property
    def _kind(self) -> str:
        return next((kind for noun, kind in _KINDS.items() if noun in self.cmdlet), "")

    @property
    def _name(self) -> str:
        if not self._kind or "DomainName" in self.parameters:
            return ""
        return str(self.parameters.get("Identity", self.parameters.get("Name", "")))


@dataclass(frozen=True)
class Deferral:
    """Nothing to do now: `reason`, and when to come back. Not an error.

    `is_waiting` tells a due step whose gate only needs time (exit 4) from one that is simply not due or
    already under way (exit 0).
    """

    target: DomainName
    reason: str
    retry_after: datetime | None
    is_waiting: bool = False
    verb: Verb = Verb.ROTATE
    stage: str = ""


@dataclass(frozen=True)
class Blockage:
    """A due step that cannot be taken: `findings` say why.

    `is_unknown` is True when a look-up failed (exit 6, retry), False when a person must act (exit 3).
    """

    target: DomainName
    verb: Verb
    reason: str
    findings: tuple[Finding, ...]
    is_unknown: bool
    stage: str = ""
