"""From the words of a person to wishes about partners (run)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.plan.partner_wish import PartnerWish
from exo_auth.run.partner import demand_of
from exo_auth.run.settings import Settings

LONGEST_NAME = 64  # characters
MTA_STS_MODES = ("Opportunistic", "None")
SMTP_DANE_MODES = ("Opportunistic", "Mandatory", "None")


@dataclass(frozen=True)
class RuleWords:
    """What was said about rules; `terms` are by the cmdlet's names, `mode` "" leaves it as it is."""

    partners: tuple[str, ...]
    name: str = ""
    mode: str = ""
    priority: int | None = None
    adopts: bool = False
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ConnectorWords:
    """What was said about connectors; "" leaves a mode as it is."""

    partners: tuple[str, ...]
    verify: str
    tls_domain: str = ""
    inbound_certificate: str = ""
    inbound_tls: bool = False
    inbound_on: bool | None = None
    mta_sts_mode: str = ""
    smtp_dane_mode: str = ""
    adopts: bool = False


def rule_wishes(settings: Settings, words: RuleWords) -> list[PartnerWish]:
    """Give one wish for each partner, or one for all under a name; raises InputError."""
    names = [DomainName.parse(name) for name in words.partners]
    if len(words.name) > LONGEST_NAME:
        raise InputError(
            f"--name has {len(words.name)} characters; {LONGEST_NAME} is the most", hint="shorten it"
        )
    shared: dict[str, Any] = {
        "mode": words.mode,
        "adopts": words.adopts,
        "terms": words.terms,
        "priority": words.priority,
    }
    if words.name:
        stands_for = names[0] if names else _own_domain(settings)
        domains = tuple(name.ascii for name in names)
        return [PartnerWish(stands_for, recipients=domains, called=words.name, **shared)]
    if not names:
        raise InputError("no partner was named", hint="give a mail domain, or --name and what the rule meets")
    if words.priority is not None and len(names) > 1:
        raise InputError(
            "--priority gives one rule its place", hint="name one partner, or one rule for all with --name"
        )
    return [PartnerWish(name, **shared) for name in names]


def connector_wishes(words: ConnectorWords) -> list[PartnerWish]:
    """Give one wish for each partner; raises InputError."""
    demand_of(words.verify, words.tls_domain)
    mta_sts = _word(words.mta_sts_mode, MTA_STS_MODES, "--mta-sts-mode")
    dane = _word(words.smtp_dane_mode, SMTP_DANE_MODES, "--smtp-dane-mode")
    if words.inbound_on is not None and not (words.inbound_tls or words.inbound_certificate):
        raise InputError(
            "there is no inbound connector to switch",
            hint="add --inbound-tls or --inbound-certificate, which say what it demands",
        )
    return [
        PartnerWish(
            DomainName.parse(name),
            "connector",
            verify=words.verify,
            tls_domain=words.tls_domain.lower(),
            inbound_certificate=words.inbound_certificate.lower(),
            requires_inbound_tls=words.inbound_tls,
            inbound_enabled=words.inbound_on,
            mta_sts_mode=mta_sts,
            smtp_dane_mode=dane,
            adopts=words.adopts,
        )
        for name in words.partners
    ]


def _word(text: str, known: tuple[str, ...], option: str) -> str:
    """Give the service's spelling of a word; "" for none."""
    found = next((word for word in known if word.lower() == text.lower()), "")
    if text and not found:
        raise InputError(f"there is no {option} {text}", hint=f"one of {', '.join(known)}")
    return found


def _own_domain(settings: Settings) -> DomainName:
    """Give a domain of the tenant for a rule that is about no partner."""
    text = settings.initial_domain or settings.tenant
    try:
        return DomainName.parse(text)
    except InputError:
        raise InputError(
            "a rule without a partner needs the tenant's initial domain",
            hint="set initial_domain, or name a PARTNER",
        ) from None
