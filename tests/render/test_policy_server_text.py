"""What the policy server writes: lines that no client can forge, and JSON that programs can rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from exo_auth.facts.served import EventKind, ServedRequest, ServerEvent
from exo_auth.render.policy_server_text import check_text, event_line, ready_text, request_line
from exo_auth.render.schema import schema_text

AT = datetime(2026, 11, 23, 12, 0, 1, 234567, UTC)
PATH = "/.well-known/mta-sts.txt"
SERVED = ServedRequest(
    AT, "192.0.2.1", "mta-sts.contoso.com", "GET", PATH, 200, 98, 0.00123, "TLSv1.3", "sender/1"
)
NASTY = ServedRequest(AT, "::1", "", "", '/"\r\n\x1b[2J', 400, 12, 0, "", 'a"b\\c\u202e')
STATE: dict[str, Any] = {
    "policies": ["contoso.com"],
    "refused": [{"subject": "void.example", "reason": "no version"}],
    "certificates": [{"names": ["mta-sts.contoso.com"], "not_after": "2027-01-01T00:00:00Z"}],
}


def test_a_request_is_one_line() -> None:
    assert request_line(SERVED, "table") == (
        '2026-11-23T12:00:01Z 192.0.2.1 mta-sts.contoso.com "GET /.well-known/mta-sts.txt" 200 98 1.2ms TLSv1.3'
        ' "sender/1"'
    )
    nasty = request_line(NASTY, "table")
    assert nasty.isprintable()
    assert nasty.count('"') - nasty.count('\\"') == 4  # nothing inside ends a quotation


@pytest.mark.parametrize("output", ["json", "ndjson"])
@pytest.mark.parametrize("served", [SERVED, NASTY])
def test_a_request_as_json(served: ServedRequest, output: str) -> None:
    line = request_line(served, output)
    assert "\n" not in line
    document = json.loads(line)
    jsonschema.validate(document, json.loads(schema_text("mta-sts-log")))
    assert document["at"] == "2026-11-23T12:00:01.234Z"
    assert (document["target"], document["agent"]) == (served.target, served.agent)


EVENTS = [
    (EventKind.LISTENING, "https", "2026-11-23T12:00:01Z listening x: https"),
    (EventKind.STOPPED, "", "2026-11-23T12:00:01Z stopped x"),
    (EventKind.POLICY_REFUSED, "no\nmode", "2026-11-23T12:00:01Z warning: policy-refused x: no\\x0amode"),
]


@pytest.mark.parametrize(("kind", "detail", "line"), EVENTS)
def test_an_event_is_one_line(kind: EventKind, detail: str, line: str) -> None:
    event = ServerEvent(AT, kind, "x", detail)
    assert event_line(event, "table") == line
    document = json.loads(event_line(event, "json"))
    jsonschema.validate(document, json.loads(schema_text("mta-sts-log")))
    assert (document["what"], document["detail"]) == (kind.value, detail)


def test_what_is_served_is_told_once_it_listens() -> None:
    told = ready_text(["0.0.0.0:443", "[::]:443"], "127.0.0.1:8080", STATE, "table")
    assert told == (
        "1 policy on 0.0.0.0:443, [::]:443\nhealth on 127.0.0.1:8080\nrefused: void.example: no version"
    )
    two = {**STATE, "policies": ["a.example", "b.example"], "refused": []}
    assert ready_text(["0.0.0.0:443"], None, two, "table") == "2 policies on 0.0.0.0:443"
    line = ready_text(["0.0.0.0:443"], None, STATE, "json")
    jsonschema.validate(json.loads(line), json.loads(schema_text("mta-sts-serve")))
    assert "\n" not in line


def test_what_would_be_served_is_told() -> None:
    assert check_text(STATE, "table") == (
        "ok  contoso.com\nok  certificate for mta-sts.contoso.com until 2027-01-01T00:00:00Z\n"
        "refused  void.example: no version"
    )
    for output in ("json", "ndjson"):
        document = json.loads(check_text(STATE, output))
        jsonschema.validate(document, json.loads(schema_text("mta-sts-serve")))
        assert document["listen"] == []
