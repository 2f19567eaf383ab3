"""Whatever is asked, the answer is one of a few, and a policy leaves only for its own host and path."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.policy_server.answers import WELL_KNOWN, Request, answer_for_health, answer_for_policy
from exo_auth.policy_server.policies import served_form
from exo_auth.records import mta_sts_policy

POLICY = served_form(b"version: STSv1\nmode: testing\nmx: mail.contoso.example\nmax_age: 86400\n")
HOST = "mta-sts.contoso.example"
KNOWN = {DomainName("contoso.example"): POLICY}
STATUSES = {
    HTTPStatus.OK,
    HTTPStatus.NOT_MODIFIED,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.MISDIRECTED_REQUEST,
}

texts = st.text(st.characters(max_codepoint=255), max_size=60)
targets = st.sampled_from([WELL_KNOWN, "/", f"https://{HOST}{WELL_KNOWN}", "https://[x/", "*"]) | texts
hosts = st.sampled_from([HOST, f"{HOST}:443", f"{HOST.upper()}.", "mta-sts.", "mta-sts..", "other"]) | texts
methods = st.sampled_from(["GET", "HEAD", "POST", "get"]) | texts


@given(methods, targets, hosts, texts)
@example("GET", "https://[x/", HOST, "")
@example("GET", WELL_KNOWN, "mta-sts.*", "")
def test_no_request_gets_more_than_it_may(method: str, target: str, host: str, condition: str) -> None:
    request = Request(method, target, {"host": host, "if-none-match": condition})
    answer = answer_for_policy(request, (HOST, "*.contoso.example"), KNOWN.get)
    assert answer.status in STATUSES
    if answer.status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        assert (request.host, request.path) == (HOST, WELL_KNOWN)
        assert method in ("GET", "HEAD")
    else:
        assert POLICY.body not in answer.body
    assert not any(name == "Location" for name, _ in answer.headers)
    assert answer_for_health(request, HTTPStatus.OK, "{}").status in STATUSES


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                b"version: STSv1",
                b"mode: none",
                b"mode: testing",
                b"mx: a.example",
                b"max_age: 1",
                b" ",
                b"\r",
                b"x: y",
            ]
        )
    ).map(b"\n".join)
)
def test_what_is_served_parses_and_is_served_the_same_again(raw: bytes) -> None:
    try:
        served = served_form(raw)
    except RecordSyntaxError:
        return
    assert mta_sts_policy.parse(served.body.decode()) == mta_sts_policy.parse(raw.decode("ascii"))
    assert served.body.count(b"\r\n") == served.body.count(b"\n") == served.body.count(b"\r")
    assert served_form(served.body) == served


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_make_no_other_policy(ends: str) -> None:
    assert served_form(POLICY.body.decode().replace("\r\n", ends).encode()) == POLICY
