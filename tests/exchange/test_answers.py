"""What the body of a 2xx means."""

import json
from datetime import UTC, datetime

import pytest

from exo_auth.errors import CmdletFailed, NotFound, ProtocolError, Throttled
from exo_auth.exchange.answers import Page, page_of
from exo_auth.exchange.challenge import claims_challenge
from exo_auth.exchange.errors_on_wire import Failure
from exo_auth.exchange.http_answer import Call, HttpAnswer

NOW = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
READ = Call("Get-DkimSigningConfig", "tenant", "id")
WRITE = Call("Set-DkimSigningConfig", "tenant", "id", True)


def read(body, call=READ, status=200, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return page_of(HttpAnswer(status, names, raw), call, NOW)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ({"value": [{"A": 1}, {"A": 2}]}, ({"A": 1}, {"A": 2})),  # the rule
        ({"Value": [{"A": 1}]}, ({"A": 1},)),  # the other spelling
        ({"value": {"A": 1}}, ({"A": 1},)),  # one object instead of a list
        ({"value": None}, ()),  # null
        ({}, ()),  # no value at all
        ({"value": []}, ()),  # none
        ({"value": [{}]}, ()),  # the empty object some builds give for "not found"
        ({"value": [None]}, ()),  # a row that is none
        (b"", ()),  # an empty body
        (b" \r\n", ()),  # an empty line
        (b"null", ()),  # null alone
        (b'\xef\xbb\xbf{"value":[]}', ()),  # a byte order mark
    ],
)
def test_rows_are_found_in_every_envelope(body, rows):
    assert read(body).rows == rows


def test_a_204_has_no_rows():
    assert read(b"", WRITE, 204) == Page()


@pytest.mark.parametrize(
    ("row", "bare"),
    [
        ({"K@data.type": "System.UInt16", "K@odata.type": "#Decimal", "K": "2048"}, {"K": 2048}),  # a text
        ({"K@data.type": "System.UInt16", "K": 2048.0}, {"K": 2048}),  # a decimal
        ({"K@data.type": "System.UInt16", "K": 20.5}, {"K": 20.5}),  # not whole: left to the decoder
        ({"K@data.type": "System.Int32", "K": "many"}, {"K": "many"}),  # likewise
        ({"K@data.type": "System.Int32", "K": None}, {"K": None}),  # null stays null
        ({"K@data.type": "System.Boolean", "K": "False"}, {"K": False}),  # a word
        ({"K@data.type": "System.DateTime", "K": "2026-07-01T08:00:00Z"}, {"K": "2026-07-01T08:00:00Z"}),
        ({"K@odata.type": "#Collection(String)", "K": "top"}, {"K": ["top"]}),  # one text of many
        ({"K": {"N@data.type": "System.Int32", "N": "1"}}, {"K": {"N": 1}}),  # inside an object
        ({"K": [{"N@odata.type": "x", "N": 1}, 2]}, {"K": [{"N": 1}, 2]}),  # inside a list
    ],
)
def test_sidecars_type_their_neighbour_and_disappear(row, bare):
    assert read({"value": [row]}).rows == (bare,)


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        ({"@adminapi.warnings": ["a", "b"]}, ("a", "b")),  # a list
        ({"@adminapi.warnings": "a"}, ("a",)),  # one text
        ({"@adminapi.warnings": None, "adminapi.warnings@odata.type": "#Collection(String)"}, ()),  # none
        ({"@adminapi.warnings": ["line\nbreak", ""]}, ("line break",)),  # fit for one line
    ],
)
def test_warnings_are_texts(body, warnings):
    assert read(body).warnings == warnings


def test_warnings_in_the_header_serve_where_the_body_has_none():
    assert read(b"", WRITE, x_warnings="one<eow>two<eow>").warnings == ("one", "two")
    assert read({"@adminapi.warnings": ["one"]}, x_warnings="one<eow>").warnings == ("one",)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "No."}, "value": []}, CmdletFailed),  # an error in a 200
        ({"@odata.error": {"message": "No."}}, CmdletFailed),  # spelt otherwise
        ({"@adminapi.errors": ["Ex6F9304|M.ManagementObjectNotFoundException|gone"]}, NotFound),  # a text
        ({"@adminapi.errors": [{"message": "|A.B|No."}], "value": [{"A": 1}]}, CmdletFailed),  # an object
        ({"@adminapi.errors": "No."}, CmdletFailed),  # not even a list
        ({"@adminapi.errors": [7]}, CmdletFailed),  # nobody knows what it says
        ({"@adminapi.confirmationmessage": "Are you sure?"}, CmdletFailed),  # nothing was done
        (b"You have reached the maximum number of concurrent requests per tenant.", Throttled),  # plain text
    ],
)
@pytest.mark.parametrize("call", [READ, WRITE])
def test_an_error_in_a_200_is_an_error(body, kind, call):
    failure = read(body, call)
    assert isinstance(failure, Failure)
    assert type(failure.error) is kind


def test_an_empty_list_of_errors_is_none():
    assert read({"@adminapi.errors": [], "value": [{"A": 1}]}).rows == ({"A": 1},)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"7", b'"text"', b'{"value":"text"}', b'{"value":[7]}', b'{"value":NaN}', b"[" * 100_000],
)
def test_an_unreadable_answer_is_an_error_of_a_read_and_a_warning_of_a_write(body):
    failure = read(body)
    assert isinstance(failure, Failure)
    assert type(failure.error) is ProtocolError
    assert failure.repeatable
    page = read(body, WRITE)
    assert isinstance(page, Page)
    assert len(page.warnings) == 1


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ('Bearer realm="", claims="eyJhIjoxfQ=="', '{"a":1}'),  # base64
        ('Bearer claims="eyJhIjoxfQ"', '{"a":1}'),  # without padding
        ("Bearer realm=x,claims=eyJhIjoxfQ", '{"a":1}'),  # not even quoted
        ('Bearer error="x", claims="{\\"a\\":1}"', '{"a":1}'),  # JSON with quoted quotation marks
        ('Bearer claims="eyJhIjoiPz4_In0"', '{"a":"?>?"}'),  # the alphabet for URLs
        ('Bearer claims="eyJhIjoiPz4/In0="', '{"a":"?>?"}'),  # the ordinary alphabet
        ('Bearer realm=""', None),  # no challenge
        ('Bearer authorization_uri="https://x/?myclaims=eyJhIjoxfQ"', None),  # not a parameter
        ('Bearer claims="???"', None),  # neither base64 nor JSON
        ('Bearer claims="WzFd"', None),  # a list is no challenge
        ("", None),
    ],
)
def test_a_claims_challenge_is_decoded(header, claims):
    assert claims_challenge(header) == claims
