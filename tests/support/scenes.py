"""Builders of facts: a tenant in which everything is right, and single things made wrong."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Found, Hop, MailDns, Missing, MissingKind, Seen, SelectorDns, Txt
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig, SelectorKey, TenantFacts, TenantRef
from exo_auth.plan.dkim import DkimPolicy, Scene
from exo_auth.plan.limits import Limits
from exo_auth.records import dkim

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TENANT = TenantRef("11111111-2222-3333-4444-555555555555", "contoso.onmicrosoft.com", "worldwide")
HOUR = timedelta(hours=1)


def name(text: str) -> DomainName:
    return DomainName.parse_lookup(text)


def key_text(seed: int = 1, bits: int = 2048, exponent: int = 65537) -> str:
    """A key record around a number of the right size; nobody needs the private half."""
    modulus = (1 << (bits - 1)) | (seed << 16) | 1
    der = (
        RSAPublicNumbers(exponent, modulus)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()};"


def target(domain: str, selector: str) -> DomainName:
    return name(f"{selector}-{domain.replace('.', '-')}._domainkey.contoso.n-v1.dkim.mail.microsoft")


def accepted(domain: str = "contoso.com", **changes: object) -> AcceptedDomain:
    row = AcceptedDomain(
        name=name(domain),
        domain_type="Authoritative",
        is_default=False,
        is_initial=False,
        is_coexistence=False,
        match_subdomains=False,
        pending_removal=False,
        sending_disabled=False,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def config(
    domain: str = "contoso.com", age: timedelta = timedelta(days=200), **changes: object
) -> DkimSigningConfig:
    """A configuration that signs with selector1 and was never rotated."""
    row = DkimSigningConfig(
        domain=name(domain),
        enabled=True,
        status="Valid",
        selector1=SelectorKey("selector1", target(domain, "selector1"), 2048, key_text(1)),
        selector2=SelectorKey("selector2", target(domain, "selector2"), 2048, key_text(2)),
        key_created=NOW - age,
        rotate_on=NOW - age,
        selector_before_rotation="selector2",
        selector_after_rotation="selector1",
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def rotated(domain: str = "contoso.com", age: timedelta = timedelta(days=1)) -> DkimSigningConfig:
    """A configuration that was rotated from selector1 to selector2."""
    return config(
        domain,
        age,
        rotate_on=NOW - age + timedelta(hours=96),
        selector_before_rotation="selector1",
        selector_after_rotation="selector2",
    )


def seen(text: str) -> Seen[dkim.DkimKeyRecord]:
    try:
        parsed: dkim.DkimKeyRecord | RecordSyntaxError = dkim.parse(text)
    except RecordSyntaxError as error:
        parsed = error
    return Seen(Txt((text.encode(),)), parsed)


def selector_dns(domain: str, selector: str, key: str) -> SelectorDns:
    owner = name(f"{selector}._domainkey.{domain}")
    hop = Hop(owner, target(domain, selector), HOUR)
    return SelectorDns(
        selector,
        owner,
        cname=Found((hop.target,), HOUR),
        key=Found((seen(key),), HOUR, via=(hop,)),
    )


def mail_dns(domain: str = "contoso.com", **changes: object) -> MailDns:
    facts = MailDns(
        name(domain),
        selector_dns(domain, "selector1", key_text(1)),
        selector_dns(domain, "selector2", key_text(2)),
        wildcard=Missing(MissingKind.NXDOMAIN),
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def without_cname(domain: str = "contoso.com", selector: str = "selector2") -> SelectorDns:
    gone = Missing(MissingKind.NXDOMAIN, timedelta(minutes=10))
    return SelectorDns(selector, name(f"{selector}._domainkey.{domain}"), gone, gone, gone)


def scene(
    *configs: DkimSigningConfig,
    domains: tuple[AcceptedDomain, ...] | None = None,
    dns: dict[DomainName, MailDns] | None = None,
    policy: DkimPolicy | None = None,
    limits: Limits | None = None,
    now: datetime = NOW,
) -> Scene:
    rows = domains or tuple(accepted(row.domain.ascii) for row in configs)
    return Scene(
        tenant=TenantFacts(TENANT, rows, configs, service_clock=now),
        chosen=tuple(row.name for row in rows),
        dns={row.name: mail_dns(row.name.ascii) for row in rows} | (dns or {}),
        now=now,
        policy=policy or DkimPolicy(),
        limits=limits or Limits(),
    )
