"""Snapshots: everything DNS, the policy hosts and the tenant said at one moment, in one file (run).

A snapshot holds answers, not verdicts, so that last month's answers can be judged by today's rules.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.chain_of_trust import Judgement, Trust
from exo_auth.facts.dns import Answer, FailureReason, Found, Hop, LookupFailed, Missing, MissingKind
from exo_auth.facts.domain import Certificate, FetchFault, PolicyFetch
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig, SelectorKey, TenantFacts, TenantRef
from exo_auth.run.field_types import as_declared
from exo_auth.run.snapshot_connections import connections_document, read_connections

if TYPE_CHECKING:
    from exo_auth.lookup.domain_facts import Sources

SCHEMA = "exo-auth/snapshot/1"


@dataclass(frozen=True)
class Snapshot:
    """What was said, by question; `tenant` is None where nobody signed in."""

    taken_at: datetime
    random_label: str
    domains: tuple[DomainName, ...]
    answers: dict[tuple[str, str], Answer[Any]] = field(repr=False)
    fetches: dict[tuple[str, str], PolicyFetch] = field(repr=False)
    tenant: TenantFacts | None = None

    def sources(self, *, subjects: frozenset[Any]) -> Sources:
        """Give the sources that answer from here alone."""
        from exo_auth.lookup.domain_facts import Sources
        from exo_auth.lookup.recorded import ReplayingFetch, ReplayingResolver

        return Sources(
            ReplayingResolver(self.answers),
            ReplayingFetch(self.fetches),
            self.random_label,
            subjects,
            self.tenant is not None,
            clock=lambda: self.taken_at,
        )


def to_text(snapshot: Snapshot) -> str:
    """Write a snapshot as JSON, one answer a line, in order, so that two files can be compared."""
    head = {
        "schema": SCHEMA,
        "taken_at": snapshot.taken_at.isoformat(),
        "random_label": snapshot.random_label,
        "domains": [domain.ascii for domain in snapshot.domains],
        "tenant": _tenant_document(snapshot.tenant) if snapshot.tenant is not None else None,
    }
    answers = [
        json.dumps({"name": name, "type": rdtype, **_answer_document(answer)}, ensure_ascii=False)
        for (name, rdtype), answer in sorted(snapshot.answers.items())
    ]
    policies = [
        json.dumps({"domain": domain, **_fetch_document(fetch)}, ensure_ascii=False)
        for (domain, _), fetch in sorted(snapshot.fetches.items())
    ]
    return (
        json.dumps(head, indent=1, ensure_ascii=False)[:-2]
        + f',\n "answers": [{_lines(answers)}],\n "policies": [{_lines(policies)}]\n}}\n'
    )


def read(path: Path) -> Snapshot:
    """Read a snapshot file; raises InputError that says what is wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="snapshot save makes one") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}", hint="snapshot save makes one") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path} is no snapshot of this version", hint=f"its schema is not {SCHEMA}")
    try:
        return _snapshot(document)
    except KeyError as error:
        raise InputError(f"{path} is damaged: {error} is missing", hint="save it again") from None
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} is damaged: {error}", hint="save it again") from None


def _lines(parts: Iterable[str]) -> str:
    joined = ",\n  ".join(parts)
    return f"\n  {joined}\n " if joined else ""


def _snapshot(document: dict[str, Any]) -> Snapshot:
    tenant = document["tenant"]
    taken = Snapshot(
        datetime.fromisoformat(document["taken_at"]),
        document["random_label"],
        tuple(map(_name, document["domains"])),
        {(_name(row["name"]).ascii, _text(row["type"])): _answer(row) for row in document["answers"]},
        {(_name(row["domain"]).ascii, _text(row["address"])): _fetch(row) for row in document["policies"]},
        _tenant(tenant) if tenant is not None else None,
    )
    strangers = (
        set(taken.domains) - {row.name for row in taken.tenant.accepted_domains} if taken.tenant else ()
    )
    if strangers:
        raise ValueError(f"{min(strangers, key=str)} is no domain of the tenant")
    return as_declared(taken)


def _name(text: Any) -> DomainName:
    return as_declared(DomainName(text))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]} stands where a text belongs")
    return value


# Answers


def _answer_document(answer: Answer[Any]) -> dict[str, Any]:
    via = [[hop.owner.ascii, hop.target.ascii, int(hop.ttl.total_seconds())] for hop in answer.via]
    common: dict[str, Any] = {"via": via} if via else {}
    common |= {"server": answer.server} if answer.server else {}
    if isinstance(answer, Found):
        values = [_value_document(value) for value in answer.values]
        flags: dict[str, Any] = {"authenticated": True} if answer.authenticated else {}
        if answer.judgement is not None:
            flags["judgement"] = [
                answer.judgement.status.value,
                answer.judgement.zone,
                answer.judgement.detail,
            ]
        return {
            "outcome": "found",
            "ttl": int(answer.ttl.total_seconds()),
            "values": values,
            **flags,
            **common,
        }
    if isinstance(answer, Missing):
        ttl = int(answer.negative_ttl.total_seconds()) if answer.negative_ttl is not None else None
        return {"outcome": answer.kind.value, "ttl": ttl, **common}
    detail = {"detail": answer.detail, "temporary": answer.temporary}
    return {"outcome": answer.reason.value, **detail, **common}


def _answer(row: dict[str, Any]) -> Answer[Any]:
    via = tuple(Hop(_name(o), _name(t), timedelta(seconds=ttl)) for o, t, ttl in row.get("via", ()))
    server = row.get("server")
    outcome = row["outcome"]
    if outcome == "found":
        values = tuple(_fitting(_value(value), row["type"]) for value in row["values"])
        ttl = timedelta(seconds=row["ttl"])
        return as_declared(Found(values, ttl, via, server, row.get("authenticated", False), _judgement(row)))
    if outcome in {kind.value for kind in MissingKind}:
        negative = timedelta(seconds=row["ttl"]) if row["ttl"] is not None else None
        return as_declared(Missing(MissingKind(outcome), negative, via, server))
    return as_declared(LookupFailed(FailureReason(outcome), row["detail"], row["temporary"], via, server))


def _fitting(value: Any, rdtype: str) -> Any:
    """Give a value back that answers a question of that type; raises TypeError for another."""
    from exo_auth.lookup.wire import Caa, Mx, Soa, Tlsa

    kinds: dict[str, type] = {"MX": Mx, "SOA": Soa, "TLSA": Tlsa, "CAA": Caa, "TXT": tuple}
    kinds |= {"A": IPv4Address, "AAAA": IPv6Address, "CNAME": str, "NS": str, "PTR": str}
    if rdtype in kinds and not isinstance(value, (kinds[rdtype], bytes)):
        raise TypeError(f"{_value_document(value)} is no {rdtype}")
    return value


def _judgement(row: dict[str, Any]) -> Judgement | None:
    if (parts := row.get("judgement")) is None:
        return None
    status, zone, detail = parts
    return as_declared(Judgement(Trust(status), zone, detail))


def _value_document(value: Any) -> Any:
    if isinstance(value, tuple):  # the strings of a TXT, octet by octet
        return [chunk.decode("latin-1") for chunk in value]
    if isinstance(value, bytes):
        return {"octets": base64.b64encode(value).decode()}
    if isinstance(value, str):
        return value
    if isinstance(value, IPv4Address | IPv6Address):
        return {"address": str(value)}
    fields = {name: getattr(value, name) for name in value.__slots__}
    return {
        type(value).__name__.lower(): {
            name: _value_document(part) if isinstance(part, bytes) else part for name, part in fields.items()
        }
    }


def _value(document: Any) -> Any:
    from ipaddress import ip_address

    from exo_auth.lookup.wire import Caa, Mx, Soa, Tlsa

    if isinstance(document, list):
        return tuple(chunk.encode("latin-1") for chunk in document)
    if isinstance(document, str):
        return document
    ((kind, inner),) = document.items()
    if kind == "octets":
        return base64.b64decode(inner, validate=True)
    if kind == "address":
        return ip_address(inner)
    made = {"mx": Mx, "soa": Soa, "tlsa": Tlsa, "caa": Caa}[kind]
    parts = {name: _value(part) if isinstance(part, dict) else part for name, part in inner.items()}
    return as_declared(made(**parts))


def _fetch_document(fetch: PolicyFetch) -> dict[str, Any]:
    certificate = fetch.certificate
    return {
        "address": fetch.address,
        "fault": fetch.fault.value if fetch.fault is not None else None,
        "detail": fetch.detail,
        "status": fetch.status,
        "media_type": fetch.media_type,
        "encoding": fetch.encoding,
        "body": base64.b64encode(fetch.body).decode(),
        "certificate": [certificate.not_after.isoformat(), certificate.issuer, list(certificate.names)]
        if certificate is not None
        else None,
    }


def _fetch(row: dict[str, Any]) -> PolicyFetch:
    certificate = None
    if row["certificate"] is not None:
        until, issuer, names = row["certificate"]
        certificate = as_declared(Certificate(datetime.fromisoformat(until), issuer, tuple(names)))
    fetch = PolicyFetch(
        row["address"],
        FetchFault(row["fault"]) if row["fault"] is not None else None,
        row["detail"],
        row["status"],
        row["media_type"],
        row["encoding"],
        base64.b64decode(row["body"], validate=True),
        certificate,
    )
    return as_declared(fetch)


# The tenant


def _tenant_document(tenant: TenantFacts) -> dict[str, Any]:
    return {
        "tenant_id": tenant.tenant.tenant_id,
        "initial_domain": tenant.tenant.initial_domain,
        "cloud": tenant.tenant.cloud,
        "service_clock": tenant.service_clock.isoformat() if tenant.service_clock else None,
        "accepted_domains": [_accepted_document(row) for row in tenant.accepted_domains],
        "dkim_configs": [_config_document(row) for row in tenant.dkim_configs],
        "connections": connections_document(tenant.connections) if tenant.connections is not None else None,
    }


def _tenant(document: dict[str, Any]) -> TenantFacts:
    clock = document["service_clock"]
    return TenantFacts(
        as_declared(TenantRef(document["tenant_id"], document["initial_domain"], document["cloud"])),
        tuple(map(_accepted, document["accepted_domains"])),
        tuple(map(_config, document["dkim_configs"])),
        service_clock=datetime.fromisoformat(clock) if clock else None,
        connections=read_connections(document["connections"]) if document.get("connections") else None,
    )


_FLAGS = (
    "is_default",
    "is_initial",
    "is_coexistence",
    "match_subdomains",
    "pending_removal",
    "sending_disabled",
)


def _accepted_document(row: AcceptedDomain) -> dict[str, Any]:
    return {
        "name": row.name.ascii,
        "domain_type": row.domain_type,
        **{flag: getattr(row, flag) for flag in _FLAGS},
    }


def _accepted(document: dict[str, Any]) -> AcceptedDomain:
    flags: dict[str, Any] = {flag: bool(document[flag]) for flag in _FLAGS}
    return as_declared(AcceptedDomain(_name(document["name"]), document["domain_type"], **flags))


def _config_document(row: DkimSigningConfig) -> dict[str, Any]:
    return {
        "domain": row.domain.ascii,
        "enabled": row.enabled,
        "status": row.status,
        "selectors": [
            [key.selector, key.cname_target.ascii if key.cname_target else None, key.key_size, key.public_key]
            for key in (row.selector1, row.selector2)
        ],
        "key_created": row.key_created.isoformat() if row.key_created else None,
        "rotate_on": row.rotate_on.isoformat() if row.rotate_on else None,
        "before": row.selector_before_rotation,
        "after": row.selector_after_rotation,
        "is_default": row.is_default,
    }


def _config(document: dict[str, Any]) -> DkimSigningConfig:
    first, second = (
        as_declared(SelectorKey(name, _name(target) if target else None, size, key))
        for name, target, size, key in document["selectors"]
    )
    created, rotate_on = document["key_created"], document["rotate_on"]
    config = DkimSigningConfig(
        _name(document["domain"]),
        document["enabled"],
        document["status"],
        first,
        second,
        datetime.fromisoformat(created) if created else None,
        datetime.fromisoformat(rotate_on) if rotate_on else None,
        document["before"],
        document["after"],
        document["is_default"],
    )
    return as_declared(config)
