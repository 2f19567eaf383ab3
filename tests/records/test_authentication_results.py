"""Authentication-Results and Received-SPF as servers write them, those of Exchange Online among them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import authentication_results, received_spf
from exo_auth.records.received_spf import ReceivedSpf

EXCHANGE = (
    "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=contoso.com; dkim=pass (signature was verified)\r\n"
    " header.d=contoso.com;dmarc=pass action=none header.from=contoso.com;compauth=pass reason=100"
)
READ = [  # text, server, method=result list, reason
    ("example.org 1; none", "example.org", [], "nothing was tested, RFC 8601 appendix B.2"),
    (
        "example.com; spf=pass smtp.mailfrom=example.net",
        "example.com",
        ["spf=pass"],
        "one method, appendix B.3",
    ),
    (
        'example.com; dkim=pass reason="good signature" header.i=@mail; dkim=fail reason="bad; (really)"',
        "example.com",
        ["dkim=pass", "dkim=fail"],
        "two signatures, a semicolon and parentheses in a quoted text",
    ),
    (
        "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait) fail",
        "foo.example.net",
        ["dkim=fail"],
        "comments everywhere, appendix B.7",
    ),
    ("MX.Example; SPF=Pass", "mx.example", ["spf=pass"], "names are not case-sensitive"),
    (
        EXCHANGE,
        "",
        ["spf=pass", "dkim=pass", "dmarc=pass", "compauth=pass"],
        "Exchange Online names no server",
    ),
    ("mx.example; auth=pass (a (nested) one) smtp.auth=a", "mx.example", ["auth=pass"], "nested comments"),
]
REFUSED = [  # text, position, reason
    ("mx.example; spf=pass (never ends", 21, "an open comment"),
    ('mx.example; spf="pass', 21, "an open quotation"),
    ("mx.example; what is this", 12, "no result"),
    ("one two three; spf=pass", 0, "no server"),
    ("mx.example; a=" + "(" * 30 + ")" * 30, 34, "comments without end"),
]


@pytest.mark.parametrize(("text", "server", "results", "reason"), READ, ids=[row[3] for row in READ])
def test_fields_are_read(text: str, server: str, results: list[str], reason: str) -> None:
    field = authentication_results.parse(text)
    assert field.server == server, reason
    assert [f"{one.method}={one.result}" for one in field.results] == results, reason
    assert authentication_results.parse(authentication_results.render(field)) == field


@pytest.mark.parametrize(("text", "position", "reason"), REFUSED, ids=[row[2] for row in REFUSED])
def test_faulty_fields(text: str, position: int, reason: str) -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        authentication_results.parse(text)
    assert caught.value.position == position, reason


def test_properties() -> None:
    field = authentication_results.parse(EXCHANGE)
    assert field.of("spf")[0].value("smtp.mailfrom") == "contoso.com"
    assert field.of("dmarc")[0].value("header.from") == "contoso.com"
    assert field.of("dmarc")[0].value("absent") == ""


SPF = [  # text, what is read, reason
    (
        "Pass (protection.outlook.com: domain of contoso.com designates 192.0.2.1 as permitted sender)\r\n"
        " receiver=protection.outlook.com; client-ip=192.0.2.1; helo=mail.contoso.com; pr=C",
        ReceivedSpf("pass", "192.0.2.1", "", "mail.contoso.com"),
        "Exchange Online",
    ),
    (
        'fail (x: not permitted) identity=mailfrom; client-ip=2001:db8::1; helo=h.example; envelope-from="a@b.example"; receiver=r',
        ReceivedSpf("fail", "2001:db8::1", "a@b.example", "h.example"),
        "RFC 7208 §9.1",
    ),
    ("None", ReceivedSpf("none"), "nothing but the result"),
]


@pytest.mark.parametrize(("text", "field", "reason"), SPF, ids=[row[2] for row in SPF])
def test_received_spf(text: str, field: ReceivedSpf, reason: str) -> None:
    assert received_spf.parse(text) == field, reason


def test_received_spf_without_a_result() -> None:
    with pytest.raises(RecordSyntaxError):
        received_spf.parse("hello")


@given(st.text(max_size=200))
def test_nothing_else_is_raised(text: str) -> None:
    for grammar in (authentication_results.parse, received_spf.parse):
        with suppress(RecordSyntaxError):
            grammar(text)
