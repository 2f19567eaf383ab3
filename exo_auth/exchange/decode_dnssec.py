"""From rows to the facts of `facts/dnssec.py` (pure).

Nested results come as objects, or, when the service serializes only in part, as the name of their type: such a text
tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import ProtocolError
from exo_auth.exchange.decode import rows_of
from exo_auth.exchange.fields import Row
from exo_auth.exchange.mail_flow_cmdlets import GET_DANE, GET_DNSSEC
from exo_auth.exchange.reason import field_of
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.facts.dnssec import DaneStatus, DnssecStatus, FeatureChange, Validation

_TYPE_NAME = "Microsoft.Exchange."


def dnssec_status(domain: DomainName, answer: CmdletAnswer) -> DnssecStatus:
    """Decode Get-DnssecStatusForVerifiedDomain; raises ProtocolError unless it tells whether DNSSEC is on."""
    row = _only_row(GET_DNSSEC, answer)
    feature = _word(row.any("DnssecFeatureStatus"), "Value")
    if not feature:
        raise row.error("DnssecFeatureStatus", "does not tell whether DNSSEC is enabled")
    mx = row.any("MxValidation")
    return DnssecStatus(
        domain=domain,
        feature_status=feature,
        expected_mx=_word(row.any("ExpectedMxRecord"), "Record"),
        dns=_validation(row.any("DnsValidation"), "DnssecSupport"),
        mx=_validation(mx, "Status"),
        actual_mx=_words(field_of(mx, "ActualMxRecords"), "Record"),
        mta_sts=_validation(row.any("MtaStsValidation"), "Status"),
        errors=_words(row.any("Errors"), "Message"),
        warnings=_words(row.any("Warnings"), "Message"),
        extra=row.rest(),
    )


def dane_status(domain: DomainName, answer: CmdletAnswer) -> DaneStatus:
    """Decode Get-SmtpDaneInboundStatus, whose field nobody has published: any that ends in Status counts."""
    row = _only_row(GET_DANE, answer)
    names = [name for name in row.names if name.lower().endswith("status")]
    status = next(filter(None, (_word(row.any(name), "Value") for name in names)), "")
    if not status:
        raise row.error("Status", "does not tell whether DANE is enabled")
    return DaneStatus(domain, status, row.rest())


def feature_change(domain: DomainName, answer: CmdletAnswer) -> FeatureChange:
    """Decode what Enable- and Disable-… answered; an answer without a row is a success without details."""
    if not answer.rows:
        return FeatureChange(domain, "", warnings=answer.warnings)
    row = rows_of(answer.correlation.cmdlet, answer)[0]
    return FeatureChange(
        domain,
        _word(row.any("Result"), "Value"),
        _word(row.any("DnssecMxValue"), "Value").rstrip(".").lower(),
        _word(row.any("ErrorData"), "Message"),
        answer.warnings,
        row.rest(),
    )


def _only_row(cmdlet: str, answer: CmdletAnswer) -> Row:
    rows = rows_of(cmdlet, answer)
    if len(rows) != 1:
        raise ProtocolError(
            f"{cmdlet} answered with {len(rows)} rows instead of one",
            correlation=answer.correlation,
            hint="check that the domain is an accepted domain of this tenant",
        )
    return rows[0]


def _validation(value: Any, name: str) -> Validation | None:
    if not isinstance(value, Mapping):
        return None
    errors, warnings = field_of(value, "Errors"), field_of(value, "Warnings")
    return Validation(_word(field_of(value, name)), _words(errors, "Message"), _words(warnings, "Message"))


def _words(value: Any, name: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(filter(None, (_word(item, name) for item in items)))


def _word(value: Any, name: str = "Value") -> str:
    """Give a text, be it plain or the field `name` of an object; "" for anything that tells nothing."""
    if isinstance(value, Mapping):
        value = field_of(value, name)
    if value is None or isinstance(value, Mapping | list):
        return ""
    text = str(value).strip()
    return "" if text.startswith(_TYPE_NAME) else text
