"""What people and programs are shown of rules, connectors and probes, held by golden files."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import jsonschema
import pytest
from scenes import HOUR, NOW, name

from exo_auth.checks.partner_tls import TlsDemand, Verify, judge_partner
from exo_auth.facts.dns import Found, Missing, MissingKind
from exo_auth.facts.domain import Certificate, DomainFacts, Exchanger, MailHost
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule
from exo_auth.facts.partner import PartnerFacts
from exo_auth.facts.starttls import SmtpFault, SmtpProbe
from exo_auth.render.mail_flow_text import connectors_text, rules_text
from exo_auth.render.partner_text import partner_text
from exo_auth.render.schema import schema_text

GOLDEN = Path(__file__).parent / "golden"
PARTNER = name("bücher.example")
HOST = "mx1.xn--bcher-kva.example"
RULES = (
    TransportRule(
        name="Require TLS to fabrikam.com",
        guid="d60d0c37-4f9d-4bcb-8b5e-2c91edfd4cbb",
        priority=0,
        state="Enabled",
        mode="Enforce",
        requires_tls=True,
        conditions=("SentToScope", "RecipientDomainIs"),
        actions=("RouteMessageOutboundRequireTls",),
        sent_to_scope="NotInOrganization",
        recipient_domains=("fabrikam.com", "fabrikam.de"),
        except_recipient_domains=("lists.fabrikam.com",),
        changed=NOW,
    ),
    TransportRule(
        name="Evil\x1b[31m | name",
        guid="",
        priority=1,
        state="Disabled",
        mode="Audit",
        requires_tls=False,
        actions=("RouteMessageOutboundConnector",),
        sender_domains=("contoso.com",),
        connector="For rules",
        stops_processing=True,
        expiry=NOW,
    ),
)
OUTBOUND = (
    OutboundConnector(
        name="To fabrikam",
        guid="g1",
        enabled=True,
        connector_type="Partner",
        connector_source="AdminUI",
        recipient_domains=("fabrikam.com", "*.fabrikam.com"),
        use_mx_record=True,
        smart_hosts=(),
        tls_settings="DomainValidation",
        tls_domain="*.fabrikam.com",
        is_rule_scoped=False,
        mta_sts_mode="None",
        smtp_dane_mode="Mandatory",
    ),
    OutboundConnector(
        name="For rules",
        guid="g2",
        enabled=False,
        connector_type="OnPremises",
        connector_source="Default",
        recipient_domains=(),
        use_mx_record=False,
        smart_hosts=("mail.contoso.com",),
        tls_settings="",
        tls_domain="",
        is_rule_scoped=True,
        test_mode=True,
        mta_sts_mode="Opportunistic",
        changed=NOW,
    ),
)
INBOUND = (
    InboundConnector(
        name="From fabrikam",
        guid="g3",
        enabled=True,
        connector_type="Partner",
        connector_source="Default",
        address_spaces=("smtp:fabrikam.com;1",),
        require_tls=True,
        restricts_to_certificate=True,
        restricts_to_addresses=False,
        certificate_name="mail.fabrikam.com",
    ),
    InboundConnector(
        name="From the printer",
        guid="g4",
        enabled=True,
        connector_type="OnPremises",
        connector_source="Default",
        address_spaces=("smtp:*;1",),
        require_tls=False,
        restricts_to_certificate=False,
        restricts_to_addresses=True,
        sender_addresses=("192.0.2.0/24",),
    ),
)
SHOWN = Certificate(NOW + timedelta(days=3), "R11", (HOST, "*.xn--bcher-kva.example"))
GOOD = SmtpProbe(HOST, "192.0.2.1", 25, None, "", "mx ESMTP", ("STARTTLS",), "TLSv1.3", "AES", SHOWN, True)
PLAIN = SmtpProbe(
    "mx2.xn--bcher-kva.example", "192.0.2.2", 25, SmtpFault.NO_STARTTLS, "EHLO offers no STARTTLS", "mx\x07"
)
MX = Found((Exchanger(10, GOOD.host), Exchanger(20, PLAIN.host)), HOUR)
HOSTS = tuple(
    MailHost(one.host, Found((IPv4Address(one.address),), HOUR), Missing(MissingKind.NODATA))
    for one in (GOOD, PLAIN)
)
FACTS = PartnerFacts(DomainFacts(PARTNER, mx=MX, hosts=HOSTS), (GOOD, PLAIN))


def probed(output: str, facts: PartnerFacts = FACTS, verify: Verify = Verify.DOMAIN) -> str:
    demand = TlsDemand(verify, "*.xn--bcher-kva.example" if verify is Verify.DOMAIN else "")
    return partner_text(facts, judge_partner(facts, demand, NOW), output)


TEXTS: dict[str, Callable[[], str]] = {
    "tls-rules.txt": lambda: rules_text(RULES, "table"),
    "tls-rules.md": lambda: rules_text(RULES, "md"),
    "tls-connectors.txt": lambda: connectors_text(OUTBOUND, INBOUND, "table"),
    "tls-connectors.csv": lambda: connectors_text(OUTBOUND, INBOUND, "csv"),
    "tls-probe.txt": lambda: probed("table"),
    "tls-probe.csv": lambda: probed("csv"),
    "tls-probe-ready.txt": lambda: probed("table", replace(FACTS, probes=(GOOD,)), Verify.ENCRYPTION),
    "tls-probe-nobody.txt": lambda: probed("table", PartnerFacts(DomainFacts(PARTNER)), Verify.ENCRYPTION),
}


@pytest.mark.parametrize("file", TEXTS)
def test_a_text_is_as_the_golden_file_has_it(file: str) -> None:
    path = GOLDEN / file
    text = TEXTS[file]() + "\n"
    if os.environ.get("EXO_AUTH_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert "\x1b" not in text


DOCUMENTS = {
    "tls-rules": lambda: rules_text(RULES, "json"),
    "tls-connectors": lambda: connectors_text(OUTBOUND, INBOUND, "json"),
    "tls-probe": lambda: probed("json"),
}


@pytest.mark.parametrize("schema", DOCUMENTS)
def test_a_document_follows_its_schema(schema: str) -> None:
    document = json.loads(DOCUMENTS[schema]())
    jsonschema.validate(document, json.loads(schema_text(schema)))
    assert document["schema"] == f"exo-auth/{schema}/1"
