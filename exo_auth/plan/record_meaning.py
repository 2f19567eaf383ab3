"""What a value means to those who read it, so that desired and live are compared by that and not by octets (plan, pure).

A value that cannot be read means itself: nothing is taken for equal on a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dkim, dmarc, mta_sts, spf, tls_rpt
from exo_auth.records.dmarc import Policy
from exo_auth.records.spf import Mechanism, Qualifier
from exo_auth.records.spf_macro import MacroString


def meaning(rdtype: str, value: str) -> str:
    """Give a text that is the same for values that mean the same. TXT is joined, whatever its chunks were."""
    if rdtype != "TXT":
        return " ".join(value.lower().removesuffix(".").split())
    for looks_like, read in _READERS:
        if looks_like(value):
            try:
                return read(value)
            except (RecordSyntaxError, ValueError):
                return value
    return value


def first_difference(one: str, other: str) -> int:
    """Give the octet, counted from 1, at which two values begin to differ; 0 where they do not."""
    if one == other:
        return 0
    return next((n for n, pair in enumerate(zip(one, other, strict=False), 1) if pair[0] != pair[1]), 0) or (
        min(len(one), len(other)) + 1
    )


def _spf(text: str) -> str:
    record = spf.parse(text)
    modifiers = sorted(f"{one.name}={_name(one.value)}" for one in record.modifiers)
    return f"spf {' '.join(_in_order(record.mechanisms))} {' '.join(modifiers)}"


def _in_order(mechanisms: tuple[Mechanism, ...]) -> Iterator[str]:
    """Terms in their order; among neighbours that give pass and hold no macro it says nothing (RFC 7208 §4.6.2)."""
    group: list[str] = []
    for one in mechanisms:
        is_free = one.qualifier is Qualifier.PASS and one.name != "all"
        if is_free and (one.domain is None or not one.domain.letters()):
            group.append(_term(one))
            continue
        yield from sorted(group)
        group = []
        yield _term(one)
    yield from sorted(group)


def _term(one: Mechanism) -> str:
    domain = "" if one.domain is None else _name(one.domain)
    network = "" if one.network is None else str(one.network)
    return f"{one.qualifier.value}{one.name}:{domain}{network}/{one.prefix4}//{one.prefix6}"


def _name(value: MacroString) -> str:
    """Names have no case; macros do: in capitals they are escaped (RFC 7208 §7.3)."""
    return value.text if value.letters() else value.text.lower().removesuffix(".")


def _dmarc(text: str) -> str:
    record = dmarc.parse(text)
    if record.faults or record.historic:
        return text  # receivers differ about these
    policy = Policy.NONE if record.policy is None and record.has_valid_rua else record.policy
    return repr(
        replace(
            record,
            policy=policy,
            rua=tuple(map(_uri, record.rua)),
            ruf=tuple(map(_uri, record.ruf)),
            failure_options=tuple(sorted(record.failure_options)),
            unknown=tuple(sorted(record.unknown)),
        )
    )


def _tls_rpt(text: str) -> str:
    record = tls_rpt.parse(text)
    return repr(
        replace(record, rua=tuple(map(_uri, record.rua)), extensions=tuple(sorted(record.extensions)))
    )


def _mta_sts(text: str) -> str:
    record = mta_sts.parse(text)
    return repr(replace(record, extensions=tuple(sorted(record.extensions))))


def _dkim(text: str) -> str:
    record = dkim.parse(text)
    return repr(
        replace(
            record,
            version="DKIM1",
            hashes=tuple(sorted(record.hashes)),
            services=tuple(sorted(record.services)),
            flags=tuple(sorted(record.flags)),
            note="",
            unknown=tuple(sorted(record.unknown)),
        )
    )


def _uri(uri: str) -> str:
    """Scheme and host have no case, the local part has (RFC 3986 §6.2.2.1, RFC 5321 §2.4)."""
    scheme, colon, rest = uri.partition(":")
    if scheme.lower() == "mailto":
        local, at, host = rest.rpartition("@")
        return f"{scheme.lower()}{colon}{local}{at}{host.lower()}"
    authority, slash, path = rest.removeprefix("//").partition("/")
    return f"{scheme.lower()}{colon}//{authority.lower()}{slash}{path}"


_READERS: tuple[tuple[Callable[[str], bool], Callable[[str], str]], ...] = (
    (spf.looks_like, _spf),
    (dmarc.looks_like, _dmarc),
    (tls_rpt.looks_like, _tls_rpt),
    (mta_sts.looks_like, _mta_sts),
    (dkim.looks_like, _dkim),
)
