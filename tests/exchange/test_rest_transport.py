"""The REST transport against a real HTTPS server on loopback."""

import base64
import gzip
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from exo_auth.errors import (
    CmdletFailed,
    CnameMissing,
    NotFound,
    NotPermitted,
    ProtocolError,
    Refusal,
    Throttled,
    TransportBroken,
)
from exo_auth.exchange.rest import Limits, anchor_of
from exo_auth.exchange.retry import RetryLimits
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.secrets import Secret

GET = "Get-DkimSigningConfig"
ROTATE = ("Rotate-DkimSigningConfig", {"Identity": "contoso.com", "KeySize": 2048})


def error_body(text):
    return {
        "error": {"code": "BadRequest", "message": "Error executing cmdlet", "details": [{"message": text}]}
    }


def test_a_read_sends_one_post_with_the_headers_of_the_admin_api(bench, wire):
    b = bench()
    b.server.answers(wire.Reply(body={"value": [{"Domain": "contoso.com"}]}))
    answer = b.transport.invoke(GET, {})
    sent = b.server.requests[0]
    assert (sent.method, sent.path) == ("POST", f"/adminapi/beta/{wire.TENANT}/InvokeCommand")
    assert sent.json == {"CmdletInput": {"CmdletName": GET, "Parameters": {}}}
    assert sent.headers["Authorization"] == "Bearer token-1"
    assert sent.headers["Accept-Language"] == "en-US"
    assert sent.headers["X-AnchorMailbox"].endswith(f"@{wire.TENANT}")
    assert answer.rows == ({"Domain": "contoso.com"},)
    assert answer.service_clock == datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
    assert answer.correlation.request_id == "r-1"
    assert answer.correlation.server == "BE1"
    assert b.transport.requests_sent == 1


@pytest.mark.parametrize(
    ("claims", "anchor"),
    [
        ({"scp": "Exchange.Manage", "idtyp": "user", "upn": "admin@contoso.com"}, "UPN:admin@contoso.com"),
        ({}, "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@t"),  # an opaque token is an app's
        ({"scp": "x"}, "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@t"),  # a user without a name
    ],
)
def test_the_anchor_follows_from_who_asks(wire, claims, anchor):
    tokens = wire.Tokens()
    tokens.claims = claims
    assert anchor_of(tokens.token(), "t") == anchor


def test_an_anchor_can_be_prescribed(bench):
    b = bench(anchor="UPN:helper@contoso.com")
    b.transport.invoke(GET, {})
    assert b.server.requests[0].headers["X-AnchorMailbox"] == "UPN:helper@contoso.com"


def test_the_same_id_stays_on_retries_and_pages_and_changes_with_the_execution(bench, wire):
    b = bench()
    link = f"https://127.0.0.1:{b.server.port}/adminapi/beta/x/InvokeCommand?%24skiptoken=a"
    b.server.answers(
        wire.Reply(503),
        wire.Reply(body={"value": [{"a": 1}], "@odata.nextLink": link}),
        wire.Reply(body={"value": [{"a": 2}]}),
    )
    assert b.transport.invoke(GET, {}).rows == ({"a": 1}, {"a": 2})
    b.transport.invoke(GET, {})
    ids = [r.headers["client-request-id"] for r in b.server.requests]
    assert len(set(ids[:3])) == 1
    assert ids[3] != ids[0]
    assert len({r.headers["connection-id"] for r in b.server.requests}) == 1
    assert b.server.requests[2].path.endswith("skiptoken=a")
    assert b.server.requests[2].body == b.server.requests[1].body
    assert b.transport.requests_sent == 4


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_read_is_asked_six_times_with_doubling_waits_and_then_broken(bench, wire, status):
    b = bench()
    b.server.answers(wire.Reply(status, b"<html>busy</html>"))
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.sent
    assert b.clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0]  # half of 2, 4, 8, 16, 32
    assert b.transport.requests_sent == 6


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_write_is_not_repeated_after_a_gateway_error(bench, wire, status):
    b = bench()
    b.server.answers(wire.Reply(status))
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert caught.value.sent
    assert b.transport.requests_sent == 1


@pytest.mark.parametrize(
    ("stated", "waited"),
    [
        ("17", 17.0),  # seconds
        ("2.5", 2.5),  # the module reads floats
        ("Tue, 03 Nov 2026 10:00:30 GMT", 30.0),  # a date, against the service's own clock
        ("0", 1.0),  # our own back-off is longer
        ("soon", 1.0),  # no wish at all
    ],
)
def test_a_throttled_write_is_repeated_when_the_service_wishes(bench, wire, stated, waited):
    b = bench()
    b.server.answers(wire.Reply(429, headers={"Retry-After": stated}), wire.Reply(200))
    assert b.transport.invoke(*ROTATE, is_write=True).rows == ()
    assert b.clock.slept == [waited]


def test_a_wish_beyond_the_deadline_ends_the_execution_with_the_wish(bench, wire):
    b = bench(limits=Limits(retry=RetryLimits(total=600)))
    b.server.answers(wire.Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(Throttled) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.retry_after == timedelta(hours=1)
    assert b.clock.slept == []


def test_too_many_requests_as_plain_text_in_a_200_executed_nothing(bench, wire):
    b = bench()
    text = b"You have reached the maximum number of concurrent requests per tenant. Please wait and try again"
    b.server.answers(wire.Reply(200, text), wire.Reply(400, text), wire.Reply(200))
    assert b.transport.invoke(*ROTATE, is_write=True).warnings == ()
    assert b.transport.requests_sent == 3


def test_a_transient_type_in_a_400_is_asked_again_for_a_read_only(bench, wire):
    body = error_body("|Microsoft.Exchange.Data.Directory.ServerBusyException|Busy")
    b = bench()
    b.server.answers(wire.Reply(400, body), wire.Reply(body={"value": []}))
    assert b.transport.invoke(GET, {}).rows == ()
    b.server.answers(wire.Reply(400, body))
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert caught.value.sent
    assert b.transport.requests_sent == 3


def test_a_connection_that_dies_after_the_question_leaves_the_outcome_open(bench, wire):
    b = bench()
    b.server.answers(wire.HANG_UP)
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert caught.value.sent
    assert b.transport.requests_sent == 1


def test_a_kept_connection_that_dies_on_the_next_question_counts_as_sent(bench, wire):
    b = bench(limits=Limits(retry=RetryLimits(retries=0)))
    b.server.answers(wire.Reply(200), wire.HANG_UP)
    b.transport.invoke(GET, {})
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.sent
    assert [r.connection for r in b.server.requests] == [1, 1]


def test_a_write_whose_answer_does_not_come_in_time_is_unknown(bench, wire):
    b = bench(limits=Limits(write=0.2))
    b.server.answers(wire.HOLD)
    with pytest.raises(TransportBroken, match="waiting for the answer") as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert caught.value.sent
    assert b.transport.requests_sent == 1


def test_a_proxy_that_does_not_answer_has_sent_nothing(bench, plain_peer, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{plain_peer.port}")
    b = bench(url="https://outlook.test", limits=Limits(retry=RetryLimits(retries=0)))
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert not caught.value.sent
    assert b.server.requests == []


def test_a_write_opens_its_own_connection(bench, wire):
    b = bench()
    b.transport.invoke(GET, {})
    b.transport.invoke(*ROTATE, is_write=True)
    assert [r.connection for r in b.server.requests] == [1, 2]


def test_a_refused_connection_was_not_sent_and_a_write_is_tried_again(bench):
    with socket.socket() as reserved:  # bound, not listening: nobody else takes the port
        reserved.bind(("127.0.0.1", 0))
        b = bench(url=f"https://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(TransportBroken, match="refused") as caught:
            b.transport.invoke(*ROTATE, is_write=True)
    assert not caught.value.sent
    assert len(b.clock.slept) == 5


def test_a_peer_that_does_not_speak_tls_was_not_told_anything(bench, plain_peer):
    b = bench(url=f"https://127.0.0.1:{plain_peer.port}", limits=Limits(retry=RetryLimits(retries=0)))
    with pytest.raises(TransportBroken, match="TLS failed") as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert not caught.value.sent


def test_an_unknown_certificate_is_refused_at_once_whatever_the_environment_trusts(
    bench, certificate, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    b = bench(ca_file=None)
    with pytest.raises(TransportBroken, match="certificate is not trusted") as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert not caught.value.sent
    assert "ca_file" in (caught.value.hint or "")
    assert b.clock.slept == []


def test_the_clouds_own_root_wins_over_the_environments(bench, tmp_path, monkeypatch):
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert bench().transport.invoke(GET, {}).rows == ()


def test_a_missing_root_file_is_named_as_our_own_fault(bench, tmp_path):
    b = bench(ca_file=str(tmp_path / "missing.pem"))
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(*ROTATE, is_write=True)
    assert not caught.value.sent
    assert "ca_file" in (caught.value.hint or "")


def test_nul_bytes_declared_as_gzip_are_a_403_and_never_shown(bench, wire):
    b = bench()
    b.server.answers(wire.Reply(403, b"\0" * 470, {"Content-Encoding": "gzip"}))
    with pytest.raises(NotPermitted) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.refusal is Refusal.CMDLET_NOT_GRANTED  # the token's wids hold a role
    assert "\0" not in str(caught.value)
    assert b.transport.requests_sent == 1


@pytest.mark.parametrize(
    "reply",
    [
        {"body": b"\0" * 99, "headers": {"Content-Encoding": "gzip"}},  # not gzip
        {"body": b"{"},  # not JSON
        {"body": b"<html>login</html>"},  # a proxy's page
        {"body": b'{"value":[]}', "short": 4},  # broken off
        {"body": b"[1]"},  # no envelope
    ],
)
def test_a_write_with_an_unreadable_200_was_executed_and_a_read_is_asked_again(bench, wire, reply):
    b = bench()
    b.server.answers(wire.Reply(**reply))
    answer = b.transport.invoke(*ROTATE, is_write=True)
    assert answer.rows == ()
    assert "was accepted (HTTP 200)" in answer.warnings[0]
    assert b.transport.requests_sent == 1
    b.server.answers(wire.Reply(**reply), wire.Reply(body={"value": [{"a": 1}]}))
    assert b.transport.invoke(GET, {}).rows == ({"a": 1},)
    assert b.transport.requests_sent == 3


@pytest.mark.parametrize(
    "reply", [{"status": 204}, {"body": b""}, {"body": {"value": []}}, {"body": b"null"}]
)
def test_a_write_may_answer_with_nothing(bench, wire, reply):
    b = bench()
    b.server.answers(wire.Reply(**reply))
    answer = b.transport.invoke(*ROTATE, is_write=True)
    assert (answer.rows, answer.warnings) == ((), ())


def test_gzip_is_read(bench, wire):
    b = bench()
    b.server.answers(
        wire.Reply(body=gzip.compress(b'{"value":[{"a":1}]}'), headers={"Content-Encoding": "gzip"})
    )
    assert b.transport.invoke(GET, {}).rows == ({"a": 1},)


def test_a_body_beyond_the_limit_is_given_up_also_when_it_is_small_on_the_wire(bench, wire):
    b = bench(limits=Limits(body=100_000))
    bomb = gzip.compress(b" " * 5_000_000)
    b.server.answers(wire.Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(ProtocolError, match="too large"):
        b.transport.invoke(GET, {})
    assert b.transport.requests_sent == 1


def test_a_body_that_takes_too_long_is_given_up(bench, wire):
    b = bench(limits=Limits(retry=RetryLimits(retries=0)))
    b.server.answers(wire.Reply(body={"value": []}))
    b.clock.step = 200.0  # every look at the clock costs more than the 120 s a body may take
    with pytest.raises(TransportBroken, match="in time"):
        b.transport.invoke(GET, {})


def test_a_plain_401_costs_one_new_token_also_for_a_write(bench, wire):
    b = bench()
    b.server.answers(wire.Reply(401, headers={"WWW-Authenticate": 'Bearer realm=""'}), wire.Reply(200))
    b.transport.invoke(*ROTATE, is_write=True)
    assert b.tokens.renewals == [None]
    assert [r.headers["Authorization"] for r in b.server.requests] == ["Bearer token-1", "Bearer token-2"]
    assert b.clock.slept == []


def test_a_second_401_is_a_refusal_of_the_token(bench, wire):
    b = bench()
    b.server.answers(wire.Reply(401))
    with pytest.raises(NotPermitted) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.refusal is Refusal.TOKEN
    assert b.transport.requests_sent == 2


def test_a_401_without_the_permission_in_the_token_names_it(bench, wire):
    b = bench(tokens=wire.Tokens(roles=[]))
    b.server.answers(wire.Reply(401))
    with pytest.raises(NotPermitted) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.refusal is Refusal.NO_PERMISSION
    assert "Exchange.ManageAsApp" in (caught.value.hint or "")


def test_a_claims_challenge_reaches_the_token_source_decoded(bench, wire):
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    coded = base64.b64encode(claims.encode()).decode()
    header = f'Bearer realm="", error="insufficient_claims", claims="{coded}"'
    b = bench()
    b.server.answers(wire.Reply(401, headers={"WWW-Authenticate": header}), wire.Reply(200))
    b.transport.invoke(GET, {})
    assert b.tokens.renewals == [claims]


def test_a_token_of_another_tenant_is_not_sent(bench, wire):
    b = bench(tokens=wire.Tokens(tid="99999999-2222-3333-4444-555555555555"))
    with pytest.raises(NotPermitted) as caught:
        b.transport.invoke(GET, {})
    assert caught.value.refusal is Refusal.TOKEN
    assert b.server.requests == []


def test_a_token_that_no_header_can_hold_is_not_sent_and_not_shown(bench, wire):
    tokens = wire.Tokens()
    tokens.token = lambda: AccessToken(Secret("top\r\nX-Evil: 1"), wire.NOW)
    b = bench(tokens=tokens)
    with pytest.raises(NotPermitted) as caught:
        b.transport.invoke(GET, {})
    assert "Evil" not in str(caught.value)
    assert b.server.requests == []


def test_a_cmdlet_or_parameter_outside_the_allow_list_is_not_sent(bench):
    b = bench()
    for cmdlet, parameters, is_write in (
        ("Remove-DkimSigningConfig", {"Identity": "contoso.com"}, True),  # not on the list
        ("Rotate-DkimSigningConfig", {"Identity": "contoso.com"}, False),  # a write in a reader's clothes
        (GET, {"Identity": "contoso.com"}, False),  # may answer with all rows
        ("New-DkimSigningConfig", {"DomainName": "contoso.com", "KeySize": 4096, "Enabled": False}, True),
        ("New-DkimSigningConfig", {"DomainName": "contoso.com", "KeySize": 2048, "Enabled": True}, True),
        ("Set-DkimSigningConfig", {"Identity": "contoso.com", "Enabled": 1}, True),  # a number is no switch
        ("Set-DkimSigningConfig", {"Identity": " ", "Enabled": True}, True),  # whose?
        ("Set-DkimSigningConfig", {"Identity": "contoso.com"}, True),  # what?
    ):
        with pytest.raises(ProtocolError, match="not sent"):
            b.transport.invoke(cmdlet, parameters, is_write=is_write)
    assert b.server.requests == []


def test_a_regional_redirect_repeats_the_same_post_there_and_stays(bench, wire, proxy):
    b = bench(url="https://outlook.test")
    b.server.answers(
        wire.Reply(302, headers={"Location": "https://eur.outlook.test/owa/login?x=1"}), wire.Reply(200)
    )
    b.transport.invoke(*ROTATE, is_write=True)
    b.transport.invoke(GET, {})
    # The read goes over a connection of its own, and straight there.
    assert proxy.asked == ["outlook.test:443", "eur.outlook.test:443", "eur.outlook.test:443"]
    first, second, third = b.server.requests
    assert (second.method, second.path, second.body) == ("POST", first.path, first.body)
    assert second.headers["Authorization"] == first.headers["Authorization"]
    assert [r.headers["Host"] for r in (first, second, third)] == ["outlook.test"] + ["eur.outlook.test"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/",  # another domain
        "https://notoutlook.test/",  # only the letters end alike
        "http://eur.outlook.test/",  # not encrypted
        "https://eur.outlook.test:8443/",  # another port
        "https://outlook.test@evil.test/",  # a user name that looks like the host
        "https://evil.test\\@eur.outlook.test/",  # parsers disagree about it
        "/owa/login",  # the same host: a circle
        "",  # nowhere
        "https://[::1/",  # no URL
    ],
)
def test_the_token_does_not_follow_a_redirect_out_of_the_cloud(bench, wire, proxy, location):
    b = bench(url="https://outlook.test")
    b.server.answers(wire.Reply(302, headers={"Location": location}))
    with pytest.raises(ProtocolError, match="redirected"):
        b.transport.invoke(*ROTATE, is_write=True)
    assert b.transport.requests_sent == 1


def test_a_redirect_to_and_fro_ends(bench, wire, proxy):
    b = bench(url="https://outlook.test")
    fro = wire.Reply(302, headers={"Location": "https://outlook.test/"})
    to = wire.Reply(302, headers={"Location": "https://a.outlook.test/"})
    b.server.answers(to, fro, to, fro)
    with pytest.raises(ProtocolError, match="circle"):
        b.transport.invoke(GET, {})
    assert b.transport.requests_sent == 3


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://evil.test/adminapi", "leads out of the cloud"),
        ("{base}/adminapi/beta/{tenant}/InvokeCommand", "leads back"),  # the first page itself
        ("{base}/next", "leads back"),  # every page names the same next one
    ],
)
def test_paging_stops_at_a_strange_link(bench, wire, link, said):
    b = bench()
    link = link.format(base=f"https://127.0.0.1:{b.server.port}", tenant=wire.TENANT)
    b.server.answers(wire.Reply(body={"value": [{"a": 1}], "@odata.nextLink": link}))
    with pytest.raises(ProtocolError, match=said):
        b.transport.invoke(GET, {})


def test_paging_stops_at_an_absurd_count(bench, wire):
    b = bench(limits=Limits(pages=3))
    pages = [
        wire.Reply(body={"value": [], "@odata.nextLink": f"https://127.0.0.1:{b.server.port}/{n}"})
        for n in range(9)
    ]
    b.server.answers(*pages)
    with pytest.raises(ProtocolError, match="after 3 pages"):
        b.transport.invoke(GET, {})
    assert b.transport.requests_sent == 3


def test_a_stale_page_begins_the_listing_again_once(bench, wire):
    b = bench()
    link = {"@odata.nextLink": f"https://127.0.0.1:{b.server.port}/2"}
    text = "|X.ODataServiceException|Expired or Invalid pagination request. Default Expiry time is 00:30:00"
    stale = wire.Reply(400, error_body(text))
    first = wire.Reply(body={"value": [{"n": 1}], **link})
    b.server.answers(first, stale, first, wire.Reply(body={"value": [{"n": 2}]}))
    assert b.transport.invoke("Get-AcceptedDomain", {}).rows == ({"n": 1}, {"n": 2})
    assert b.server.requests[2].json["CmdletInput"]["Parameters"] == {"ResultSize": "Unlimited"}
    b.server.answers(first, stale, first, stale)
    with pytest.raises(CmdletFailed, match="pagination"):
        b.transport.invoke("Get-AcceptedDomain", {})
    assert b.transport.requests_sent == 8


def test_the_warning_of_a_cut_listing_disappears_when_its_pages_were_read(bench, wire):
    b = bench()
    more = "There are more results available than are currently displayed. To view them, increase …"
    b.server.answers(
        wire.Reply(
            body={
                "value": [],
                "@adminapi.warnings": [more, "other"],
                "@odata.nextLink": f"https://127.0.0.1:{b.server.port}/2",
            }
        ),
        wire.Reply(body={"value": [], "@adminapi.warnings": ["other"]}),
        wire.Reply(body={"value": [], "@adminapi.warnings": [more]}),
    )
    assert b.transport.invoke(GET, {}).warnings == ("other",)
    assert b.transport.invoke(GET, {}).warnings == (more,)


def test_errors_of_the_cmdlet_arrive_as_their_class(bench, wire):
    b = bench()
    gone = "Ex6F9304|M.ManagementObjectNotFoundException|object 'x' couldn't be found on 'DC'."
    cname = "|M.ValidationException|CNAME record does not exist for this config. Please publish …"
    b.server.answers(wire.Reply(404, error_body(gone)), wire.Reply(400, error_body(cname)))
    with pytest.raises(NotFound):
        b.transport.invoke(*ROTATE, is_write=True)
    with pytest.raises(CnameMissing):
        b.transport.invoke(
            "Set-DkimSigningConfig", {"Identity": "contoso.com", "Enabled": True}, is_write=True
        )


def test_granted_cmdlets_come_from_the_module_file(bench, wire):
    b = bench()
    files = [{"fileName": "a.psm1", "fileContent": "…", "exportedCmdlets": "Get-AcceptedDomain, Get-X,"}]
    b.server.answers(wire.Reply(503), wire.Reply(body={"value": files}))
    assert b.transport.granted_cmdlets() == {"get-accepteddomain", "get-x"}
    sent = b.server.requests[-1]
    assert (sent.method, sent.headers["CommandName"], sent.body) == ("GET", "*", b"")
    assert sent.path == f"/adminapi/v1.0/{wire.TENANT}/EXOModuleFile?Version=3.9.2"


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"value":[{"fileName":"x"}]}', b'{"value":[{"exportedCmdlets":7}]}']
)
def test_a_module_file_without_names_is_no_answer(bench, wire, body):
    b = bench(limits=Limits(retry=RetryLimits(retries=1)))
    b.server.answers(wire.Reply(body=body))
    with pytest.raises(ProtocolError):
        b.transport.granted_cmdlets()
    assert b.transport.requests_sent == 2


def test_no_error_shows_the_token(bench, wire):
    tokens = wire.Tokens()
    b = bench(tokens=tokens, anchor="bad\nheader")
    with pytest.raises(TransportBroken) as caught:
        b.transport.invoke(GET, {})
    assert not caught.value.sent
    assert "token-1" not in repr(caught.value) + str(caught.value)
    assert json.dumps(str(caught.value))
