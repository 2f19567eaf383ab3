"""tests/wire/*.json: what each call puts on the wire, what comes back, and what is made of it."""

import dataclasses
import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.exchange.transport import CmdletAnswer

GOLDENS = sorted((Path(__file__).parent.parent / "wire").glob("*.json"))
FREE = {
    "Authorization": "Bearer <token>",
    "Host": "<host>",
    "client-request-id": "<id>",
    "connection-id": "<id>",
}


def plain(value):
    """A fact as JSON."""
    if isinstance(value, CmdletAnswer):
        return {"rows": plain(value.rows), "warnings": plain(value.warnings)}
    if isinstance(value, DomainName):
        return value.ascii
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def argument(value):
    """A text is a domain's name, unless it stands as {"text": …}."""
    if isinstance(value, dict) and set(value) == {"text"}:
        return value["text"]
    return DomainName(value) if isinstance(value, str) else value


def observe(golden, bench, wire):
    """Make the golden's call against its answer; give the request as sent and the result."""
    b = bench()
    b.server.answers(wire.Reply(golden["response"]["status"], golden["response"]["body"]))
    side = {"reader": ExchangeReader, "writer": ExchangeWriter}[golden["call"]["side"]](b.transport)
    result = getattr(side, golden["call"]["method"])(*map(argument, golden["call"]["arguments"]))
    sent = b.server.requests[0]
    assert len(b.server.requests) == golden["call"].get("requests", 1)
    request = {
        "method": sent.method,
        "path": sent.path,
        "headers": {name: FREE.get(name, value) for name, value in sorted(sent.headers.items())},
        "body": sent.json if sent.body else None,
    }
    return request, plain(result)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_the_wire_is_as_recorded(path, bench, wire):
    golden = json.loads(path.read_text(encoding="utf-8"))
    request, decoded = observe(golden, bench, wire)
    if os.environ.get("EXO_AUTH_UPDATE_GOLDEN"):
        golden |= {"request": request, "decoded": decoded}
        path.write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert request == golden["request"]
    assert decoded == golden["decoded"]


def test_every_allowed_cmdlet_has_a_golden():
    sent = [json.loads(path.read_text(encoding="utf-8"))["request"]["body"] for path in GOLDENS]
    assert {body["CmdletInput"]["CmdletName"] for body in sent if body} == set(ALLOWED)
