"""What each failed answer of the admin API means."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import (
    CmdletFailed,
    CnameMissing,
    Conflict,
    ExchangeError,
    NotFound,
    NotPermitted,
    ProtocolError,
    Refusal,
    Throttled,
    TransportBroken,
)
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.exchange.errors_on_wire import TRANSIENT_TYPES, failure_of, retry_after
from exo_auth.exchange.http_answer import BodyTrouble, Call, HttpAnswer
from exo_auth.exchange.reason import reason_in_text, reason_of
from exo_auth.exchange.refusals import remedy
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.secrets import Secret

NOW = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
NEW = Call("New-DkimSigningConfig", "tenant", "id", True)
SET = Call("Set-DkimSigningConfig", "tenant", "id", True)
GET = Call("Get-DkimSigningConfig", "tenant", "id")
GONE = (
    "Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|The operation couldn't"
    " be performed because object 'nope.contoso.com' couldn't be found on 'DC001.PROD.OUTLOOK.COM'."
)
CNAME = (
    "|Microsoft.Exchange.Management.Tasks.ValidationException|CNAME record does not exist for this config."
    " Please publish the following two CNAME records first. Domain Name : contoso.com"
)


def ran(text, code="BadRequest"):
    """The body of a cmdlet that ran and said no."""
    return {"error": {"code": code, "message": "Error executing cmdlet", "details": [{"message": text}]}}


def failed(call, status, body, token=None, trouble=None, **headers):
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return failure_of(HttpAnswer(status, names, raw, trouble), call, token, NOW)


def token(**claims):
    return AccessToken(Secret("t"), NOW, claims)


@pytest.mark.parametrize(
    ("call", "status", "body", "kind"),
    [
        (SET, 404, ran(GONE, "NotFound"), NotFound),  # the captured shape
        (SET, 400, ran(GONE), NotFound),  # the other status it is reported with
        (SET, 500, ran(GONE), NotFound),  # a developer sample shows 500 with the same details
        (SET, 400, ran("Ex94914C|X.Y|Das Objekt fehlt."), NotFound),  # by id, in another language
        (SET, 400, ran("|X.ManagementObjectNotFoundException|Das Objekt fehlt."), NotFound),  # by type
        (SET, 400, ran("object 'x' couldn’t be found on 'DC'"), NotFound),  # by text alone
        (NEW, 400, ran("|X.ADObjectAlreadyExistsException|…"), Conflict),  # by type
        (NEW, 400, ran("|X.ValidationException|The config already exists."), Conflict),  # by text
        (
            SET,
            400,
            ran("|X.ValidationException|A rotation already exists."),
            CmdletFailed,
        ),  # nothing to create
        (SET, 400, ran(CNAME), CnameMissing),  # CNAMEs not seen
        (SET, 400, ran("|X.ManagementObjectAmbiguousException|two"), CmdletFailed),  # not "not found"
        (SET, 400, ran("|X.ParameterTransformationException|Cannot convert"), CmdletFailed),  # bad enum
        (
            SET,
            400,
            {"error": {"code": "BadRequest", "message": "Invalid Operation"}},
            CmdletFailed,
        ),  # no details
        (SET, 400, {"error": {"code": "BadRequest"}}, CmdletFailed),  # not even a message
        (SET, 400, {"odata.error": {"message": {"lang": "en", "value": "No."}}}, CmdletFailed),  # OData v3
        (SET, 400, {"error": "No."}, CmdletFailed),  # an error that is only a text
        (SET, 400, b"<html></html>", ProtocolError),  # a proxy's page
        (SET, 400, b"", ProtocolError),  # nothing
        (SET, 404, b"", ProtocolError),  # a wrong URL is not a missing object
        (SET, 404, {"error": {"code": "NotFound", "message": "No HTTP resource"}}, ProtocolError),  # likewise
        (SET, 405, {"error": {"code": "X", "message": "Method not allowed"}}, ProtocolError),  # wrong version
        (SET, 418, b"\xff\xfe\0", ProtocolError),  # bytes of no encoding
        (SET, 429, b"", Throttled),  # plain
        (
            SET,
            503,
            b"You have reached the maximum number of concurrent requests per tenant.",
            Throttled,
        ),  # text
        (SET, 500, b"", TransportBroken),  # nothing is known
        (SET, 502, b"<html>Bad gateway</html>", TransportBroken),  # a front door
        (SET, 503, b"\0\0", TransportBroken),  # a front door without words
        (SET, 504, ran("|System.TimeoutException|too slow"), TransportBroken),  # it may still be running
        (SET, 500, ran("|System.NullReferenceException|Oops"), TransportBroken),  # how far did it get?
        (SET, 408, b"", TransportBroken),  # the request may have arrived
        (SET, 400, ran("X|Y.Z|… This issue may be transient."), TransportBroken),  # the service says so
        (SET, 403, b"\0" * 470, NotPermitted),  # NUL bytes
        (SET, 401, b"", NotPermitted),  # no words
        (SET, 400, ran("x is not present in the role definition of the current user"), NotPermitted),  # text
    ],
)
def test_status_and_body_make_one_class(call, status, body, kind):
    failure = failed(call, status, body)
    assert type(failure.error) is kind
    assert failure.error.hint
    assert failure.error.correlation.status == status
    assert "\0" not in str(failure.error)


@pytest.mark.parametrize("kind", sorted(TRANSIENT_TYPES))
def test_a_passing_trouble_leaves_a_write_open_and_a_read_to_be_repeated(kind):
    failure = failed(SET, 400, ran(f"Ex1|Microsoft.Exchange.Data.{kind}|later"), retry_after="7")
    assert isinstance(failure.error, TransportBroken)
    assert failure.error.sent
    assert failure.repeatable
    assert failure.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("document", "text", "exception_type"),
    [
        (ran("Ex1|A.B|text | with | bars"), "text | with | bars", "A.B"),  # the text may hold bars
        (ran("a|b"), "a|b", ""),  # one bar is no prefix
        (ran("x y|not a type|text"), "x y|not a type|text", ""),  # nor are words
        (ran('{"localizedString":{"stringId":"Ex1"},"ClassName":"A.B","Message":"m"}'), "m", "A.B"),  # JSON
        (ran("{broken"), "{broken", ""),  # looks like JSON only
        (
            {"error": {"details": [{"message": "first"}, {"message": "|A.B|second"}]}},
            "second",
            "A.B",
        ),  # typed wins
        (
            {"ERROR": {"InnerError": {"InternalException": {"Message": "m", "Type": "A.B"}}}},
            "m",
            "A.B",
        ),  # any case
        (
            {"error": {"message": "line\r\nbreak\x1b[31m"}},
            "line break [31m",
            "",
        ),  # nothing that moves a cursor
    ],
)
def test_the_reason_is_found_where_it_stands(document, text, exception_type):
    reason = reason_of(document)
    assert (reason.text, reason.exception_type) == (text, exception_type)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"error": None}, {"error": ""}, {"value": []}])
def test_no_error_no_reason(document):
    assert reason_of(document) is None


PROXIED = (
    "|Microsoft.Exchange.Configuration.CmdletProxyException|Error on proxy command 'Set-DkimSigningConfig"
    " -Identity:'{x' -AdminDisplayName:\"private words\"' to server AM1.EURPRD01.PROD.OUTLOOK.COM: Server"
    " version 15.20.1, Proxy method PSWS: NotFound: Error executing cmdlet : %s."
)


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (json.dumps(ran(GONE)), NotFound),  # the whole answer
        (json.dumps(ran(GONE)["error"]), NotFound),  # only what stands under "error"
        ('{"error": {"details": [ {"message":"%s"' % GONE, NotFound),  # cut off  # noqa: UP031
        ('{"cut', CmdletFailed),  # nothing of it is left
        (json.dumps(ran(CNAME)), CnameMissing),  # typed by the server behind
        (json.dumps(ran(PROXIED % json.dumps(ran(CNAME)))), CnameMissing),  # two servers behind
    ],
)
def test_the_error_of_the_server_behind_counts_and_the_command_line_is_dropped(inner, kind):
    error = failed(SET, 400, ran(PROXIED % inner)).error
    assert type(error) is kind
    assert "private words" not in error.message


ROLES = {"roles": ["Exchange.ManageAsApp"]}
READER = {"wids": ["F2EF992C-3AFB-46B9-B7CF-A126EE74C451"]}


@pytest.mark.parametrize(
    ("status", "body", "claims", "refusal", "named"),
    [
        (401, b"", {"roles": []}, Refusal.NO_PERMISSION, "Exchange.ManageAsApp"),  # the lowest rung
        (403, b"\0", {"roles": []}, Refusal.NO_PERMISSION, "admin consent"),  # the token knows better
        (401, b"", ROLES, Refusal.TOKEN, "sign in anew"),  # expired or revoked
        (401, b"", {}, Refusal.TOKEN, "sign in anew"),  # an opaque token
        (403, b"\0" * 470, ROLES, Refusal.NO_ROLE, "Exchange Administrator"),  # permission only
        (
            403,
            b"\0" * 470,
            ROLES | READER,
            Refusal.CMDLET_NOT_GRANTED,
            "Set-DkimSigningConfig",
        ),  # reader writes
        (
            401,
            ran("User is not allowed to call Set-X"),
            ROLES,
            Refusal.CMDLET_NOT_GRANTED,
            "role group",
        ),  # text
        (
            403,
            ran("Unable to initialize the authorization context"),
            ROLES | READER,
            Refusal.NO_ROLE,
            "assign",
        ),
        (403, b"\0", {"scp": "x"}, Refusal.NO_ROLE, "the user"),  # a person is told of persons
        (400, ran("Provide valid credential"), ROLES, Refusal.TOKEN, "sign in anew"),  # under another status
        (
            400,
            ran("The role assigned to application x isn't supported in this scenario."),
            ROLES,
            Refusal.NO_ROLE,
            "Entra",
        ),
    ],
)
def test_a_refusal_names_the_missing_rung_and_its_remedy(status, body, claims, refusal, named):
    error = failed(SET, status, body, token(**claims)).error
    assert isinstance(error, NotPermitted)
    assert error.refusal is refusal
    assert named in error.hint


def test_a_reader_is_sent_for_a_reading_role():
    assert "Security Reader" in remedy(Refusal.NO_ROLE, GET, None)
    assert "Exchange Administrator" in remedy(Refusal.NO_ROLE, SET, None)


def test_the_front_doors_diagnosis_is_told():
    error = failed(SET, 401, b"", x_ms_diagnostics='2000002;reason="The token has expired"').error
    assert "The token has expired" in error.message


def test_the_type_in_the_header_serves_where_the_body_has_none():
    error = failed(
        SET, 400, {"error": {"message": "weg"}}, x_ExceptionType="M.ManagementObjectNotFoundException"
    )
    assert type(error.error) is NotFound


def test_a_body_that_did_not_decode_leaves_the_status():
    assert type(failed(SET, 403, None, trouble=BodyTrouble.UNDECODABLE).error) is NotPermitted
    assert type(failed(SET, 400, None, trouble=BodyTrouble.LOST).error) is ProtocolError


def test_a_stale_page_is_marked():
    assert failed(GET, 400, ran("|X.Y|Expired or Invalid pagination request. Default …")).stale_page


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17),
        (" 0.5 ", 0.5),
        ("Tue, 03 Nov 2026 10:01:00 GMT", 60),
        ("Tue, 03 Nov 2026 09:00:00 GMT", 0),  # in the past: now
        ("", None),
        ("-5", None),
        ("1e9", None),
        ("nan", None),
        ("٣", None),  # a digit, but not ours
        ("Tue, 99 Nov 2026", None),
    ],
)
def test_retry_after_reads_seconds_fractions_and_dates(text, seconds):
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(text, NOW) == wanted


@given(
    status=st.integers(400, 599),
    body=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "details", "message", "innererror", "internalexception", "type", "value"]
                ),
                inner,
                max_size=4,
            )
        ),
    ).map(lambda document: json.dumps(document).encode()),
)
def test_no_body_breaks_the_classifier(status, body):
    failure = failed(GET, status, body)
    assert isinstance(failure.error, ExchangeError)
    assert failure.error.hint


@given(st.text(max_size=200))
def test_no_text_breaks_the_reason(text):
    reason_in_text(text)
    reason_in_text(f"Error on proxy command 'x' to server a: {text}")


def test_every_allowed_cmdlet_has_the_verb_of_its_kind():
    for name, cmdlet in ALLOWED.items():
        assert cmdlet.is_write != name.startswith("Get-"), name
