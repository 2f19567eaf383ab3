"""MTA-STS records and policies, TLS-RPT records: what is read, what is refused and where."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import mta_sts, mta_sts_policy, tls_rpt
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy, matches

READ = [  # text, rendered, reason
    ("v=STSv1; id=20261123000000;", "v=STSv1; id=20261123000000;", "the usual form"),
    ("v=STSv1;id=1", "v=STSv1; id=1;", "no spaces, no last semicolon"),
    ("v=STSv1; id=1; x-note=a.b;", "v=STSv1; id=1; x-note=a.b;", "an extension is kept"),
    ("v=STSv1; id=1; id=2;", "v=STSv1; id=1;", "the first of two counts"),
    ("v=STSv1;\t id=abcDEF123 ;", "v=STSv1; id=abcDEF123;", "white space around fields"),
]
REFUSED = [  # text, position, part, reason
    ("v=STSv1 ; id=1;", 0, "v=STSv1;", "a space before the first semicolon"),
    ("v=stsv1; id=1;", 0, "no MTA-STS record", "the version is case-sensitive"),
    ("v=STSv1;", 8, "no id", "nothing behind the version"),
    ("v=STSv1; id=;", 12, "without a value", "an empty id"),
    ("v=STSv1; id=2026-11-23;", 12, "2026-11-23", "a hyphen in the id"),
    ("v=STSv1; id=" + "1" * 33, 12, "1 to 32", "too long an id"),
    ("v=STSv1;; id=1;", 8, "empty field", "two semicolons"),
    ("v=STSv1; hello", 9, "no field", "no equals sign"),
    ("v=STSv1; id=1; note=a b;", 21, "without spaces", "a space in a value"),
    ("v=STSv1; id=1; n=a=b;", 18, "'='", "an equals sign in a value"),
]


@pytest.mark.parametrize(("text", "rendered", "reason"), READ, ids=[row[2] for row in READ])
def test_a_record_is_read_and_written(text: str, rendered: str, reason: str) -> None:
    record = mta_sts.parse(text)
    assert mta_sts.render(record) == rendered, reason
    assert mta_sts.parse(rendered) == record


@pytest.mark.parametrize(("text", "position", "part", "reason"), REFUSED, ids=[row[3] for row in REFUSED])
def test_a_faulty_record_is_refused_at_its_place(text: str, position: int, part: str, reason: str) -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        mta_sts.parse(text)
    assert caught.value.position == position, reason
    assert part in caught.value.message


GOOD = "version: STSv1\r\nmode: enforce\r\nmx: a.example\r\nmx: *.b.example\r\nmax_age: 604800\r\n"
POLICIES = [  # text, policy, reason
    (GOOD, MtaStsPolicy(Mode.ENFORCE, ("a.example", "*.b.example"), 604800), "the usual form"),
    (GOOD.replace("\r\n", "\n"), MtaStsPolicy(Mode.ENFORCE, ("a.example", "*.b.example"), 604800), "LF"),
    (GOOD.rstrip(), MtaStsPolicy(Mode.ENFORCE, ("a.example", "*.b.example"), 604800), "no last line end"),
    (
        GOOD.replace("enforce", "  testing  "),
        MtaStsPolicy(Mode.TESTING, ("a.example", "*.b.example"), 604800),
        "white space around a value",
    ),
    ("version: STSv1\nmode: none\nmax_age: 0\n", MtaStsPolicy(Mode.NONE, (), 0), "none needs no mx"),
    (
        GOOD + "mode: none\nx: y\n",
        MtaStsPolicy(Mode.ENFORCE, ("a.example", "*.b.example"), 604800, (("x", "y"),)),
        "the first mode counts, an unknown key is kept",
    ),
]
BAD_POLICIES = [  # text, position, part, reason
    ("", 0, "no version", "nothing"),
    ("<!DOCTYPE html>", 0, "no line of a policy", "a web page"),
    ("version : STSv1", 0, "no line of a policy", "white space before the colon"),
    (" version: STSv1", 0, "no line of a policy", "white space before the key"),
    (GOOD.replace("STSv1", "STSv2"), 9, "STSv2", "another version"),
    (GOOD.replace("enforce", "Enforce"), 22, "Enforce", "the mode is case-sensitive"),
    (GOOD.replace("604800", "31557601"), 72, "31557601", "longer than a year"),
    (GOOD.replace("604800", "1e5"), 72, "1e5", "no number"),
    (GOOD.replace("a.example", "192.0.2.1 "), None, None, "an address is a name to the grammar"),
    (GOOD.replace("a.example", "*"), 35, "the mx", "a star alone"),
    (GOOD.replace("a.example", "a.*.example"), 35, "the mx", "a star inside"),
    ("version: STSv1\nmode: enforce\nmax_age: 1\n", 40, "no mx", "enforce without mx"),
    ("version: STSv1\rmode: enforce", 14, "printable", "a bare CR is no line end"),
]


@pytest.mark.parametrize(("text", "policy", "reason"), POLICIES, ids=[row[2] for row in POLICIES])
def test_a_policy_is_read_and_written(text: str, policy: MtaStsPolicy, reason: str) -> None:
    assert mta_sts_policy.parse(text) == policy, reason
    assert mta_sts_policy.parse(mta_sts_policy.render(policy)) == policy


@pytest.mark.parametrize(
    ("text", "position", "part", "reason"), BAD_POLICIES, ids=[row[3] for row in BAD_POLICIES]
)
def test_a_faulty_policy_is_refused_at_its_place(
    text: str, position: int | None, part: str | None, reason: str
) -> None:
    if position is None:
        assert mta_sts_policy.parse(text).mx[0] == "192.0.2.1", reason
        return
    with pytest.raises(RecordSyntaxError) as caught:
        mta_sts_policy.parse(text)
    assert (caught.value.position, part in caught.value.message) == (position, True), reason


MATCHES = [  # pattern, host, does it, reason
    ("a.example", "A.Example.", True, "case and the last dot are nothing"),
    ("*.example.com", "a.example.com", True, "one label"),
    ("*.example.com", "a.b.example.com", False, "not two"),
    ("*.example.com", "example.com", False, "not none"),
    ("*.mail.protection.outlook.com", "contoso-com.mail.protection.outlook.com", True, "the old host"),
    ("*.mx.microsoft", "contoso-com.o-v1.mx.microsoft", False, "two labels stand before mx.microsoft"),
    ("*.o-v1.mx.microsoft", "contoso-com.o-v1.mx.microsoft", True, "the pattern that matches"),
    ("mail.protection.outlook.com", "contoso-com.mail.protection.outlook.com", False, "without the wildcard"),
]


@pytest.mark.parametrize(("pattern", "host", "wanted", "reason"), MATCHES, ids=[row[3] for row in MATCHES])
def test_a_pattern_stands_for_one_label(pattern: str, host: str, wanted: bool, reason: str) -> None:
    assert matches(pattern, host) is wanted, reason


REPORTS = [  # text, addresses, reason
    ("v=TLSRPTv1; rua=mailto:tls@a.example", ("mailto:tls@a.example",), "one"),
    (
        "v=TLSRPTv1;rua=mailto:a@b.example,https://c.example/r?x=1;",
        ("mailto:a@b.example", "https://c.example/r?x=1"),
        "two, one with an equals sign",
    ),
    (
        "v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example",
        ("mailto:a@b.example",),
        "the first counts",
    ),
]
BAD_REPORTS = [  # text, position, reason
    ("v=TLSRPTv1 rua=mailto:a@b.example", 0, "no semicolon behind the version"),
    ("v=TLSRPTv1;", 11, "no rua"),
    ("v=TLSRPTv1; rua=", 16, "an empty rua"),
    ("v=TLSRPTv1; rua=mailto:a@b.example,", 16, "an empty address"),
    ("v=TLSRPTv1; rua=mailto:a@b.example c", 34, "a space"),
]


@pytest.mark.parametrize(("text", "rua", "reason"), REPORTS, ids=[row[2] for row in REPORTS])
def test_report_addresses_are_read(text: str, rua: tuple[str, ...], reason: str) -> None:
    record = tls_rpt.parse(text)
    assert (record.rua, record.unusable) == (rua, ()), reason
    assert tls_rpt.parse(tls_rpt.render(record)) == record


@pytest.mark.parametrize(("text", "position", "reason"), BAD_REPORTS, ids=[row[2] for row in BAD_REPORTS])
def test_a_faulty_report_record_is_refused(text: str, position: int, reason: str) -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        tls_rpt.parse(text)
    assert caught.value.position == position, reason


def test_an_address_of_another_scheme_is_unusable() -> None:
    record = tls_rpt.parse(
        "v=TLSRPTv1; rua=tls@a.example,ftp://a.example,mailto:,https:,mailto:a@b!c,https://["
    )
    assert record.unusable == record.rua


@pytest.mark.parametrize("grammar", [mta_sts, mta_sts_policy, tls_rpt])
@given(text=st.one_of(st.text(), st.text(alphabet="v=STSTLRPT1; idrua:\r\n,mx.*-a0"), st.just("v=STSv1;")))
def test_nothing_but_a_syntax_error_is_raised(grammar: object, text: str) -> None:
    for prefix in ("", "v=STSv1;", "v=TLSRPTv1;", "version: STSv1\n"):
        with suppress(RecordSyntaxError):
            record = grammar.parse(prefix + text)  # type: ignore[attr-defined]
            assert grammar.parse(grammar.render(record)) == record  # type: ignore[attr-defined]
