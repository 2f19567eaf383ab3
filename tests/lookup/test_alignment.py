"""Which domains speak for an author domain, by the tree walk and by the suffix list, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import jsonschema
import pytest
from zone_server import ZoneServer

from exo_auth.render.dmarc_text import discovery_text
from exo_auth.render.schema import schema_text
from exo_auth.run.config import load
from exo_auth.run.dmarc import Discovery, discover
from exo_auth.run.settings import Settings

LINES = [
    '_dmarc.contoso.com. 60 IN TXT "v=DMARC1; p=reject"',
    '_dmarc.strict.com. 60 IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"',
    '_dmarc.branch.contoso.com. 60 IN TXT "v=DMARC1; p=none; psd=n"',
    '_dmarc.a.onmicrosoft.com. 60 IN TXT "v=DMARC1; p=reject; psd=n"',
]
CASES = [  # author, domain, by RFC 9989, by RFC 7489, reason
    ("contoso.com", "contoso.com", True, True, "the same name"),
    ("contoso.com", "mail.contoso.com", True, True, "relaxed: one organizational domain"),
    ("contoso.com", "fabrikam.com", False, False, "another organization"),
    ("strict.com", "mail.strict.com", False, False, "strict wants the same name"),
    ("contoso.com", "x.branch.contoso.com", False, True, "psd=n makes the branch an organization of its own"),
    ("a.onmicrosoft.com", "b.onmicrosoft.com", False, True, "all tenants are one under the suffix list"),
]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    server = ZoneServer(LINES)
    yield load({}, environment={"EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}"})
    server.close()


def text(found: Discovery, output: str) -> str:
    walk = found.walk
    return discovery_text(
        walk.author.ascii,
        walk.steps,
        found.verdict,
        found.old,
        found.old_queries,
        output,
        found.alignments,
    )


@pytest.mark.parametrize(("author", "domain", "new", "old", "reason"), CASES, ids=[row[4] for row in CASES])
@pytest.mark.parametrize("mechanism", ["spf", "dkim"])
def test_alignment(
    settings: Settings, author: str, domain: str, new: bool, old: bool, reason: str, mechanism: str
) -> None:
    found = discover(settings, author, **{mechanism: domain})
    (one,) = found.alignments
    assert (one.identifier.mechanism, one.rfc9989, one.rfc7489) == (mechanism, new, old), reason
    document = json.loads(text(found, "json"))
    jsonschema.validate(document, json.loads(schema_text("dmarc-discover")))
    assert f"{mechanism.upper()} {domain}: {'aligned' if new else 'not aligned'}" in text(found, "table")


def test_advice_for_the_initial_domain(settings: Settings) -> None:
    assert "psd=n in the admin centre" in text(discover(settings, "a.onmicrosoft.com"), "table")
    assert "admin centre" not in text(discover(settings, "contoso.com"), "table")
