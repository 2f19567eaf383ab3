import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dmarc
from exo_auth.records.dmarc import DmarcRecord, Policy
from exo_auth.render.dmarc_terms import dmarc_apart

RUA = "rua=mailto:d@a.example"
READ = [  # text, field, value, reason
    ("v=DMARC1; p=reject", "policy", Policy.REJECT, "the usual"),
    ("v=DMARC1;p=Reject;", "policy", Policy.REJECT, "values of the grammar have no case"),
    ("v = DMARC1 ; p = none", "policy", Policy.NONE, "white space around the signs"),
    ("v=DMARC1; rua=mailto:a@b.c; p=none", "policy", Policy.NONE, "order is free"),
    ("v=DMARC1; p=none; sp=quarantine; np=reject", "nonexistent_policy", Policy.REJECT, "np"),
    ("v=DMARC1; p=none; adkim=s; aspf=S", "strict_spf", True, "strict alignment"),
    (
        f"v=DMARC1; p=none; {RUA},mailto:e@b.example",
        "rua",
        ("mailto:d@a.example", "mailto:e@b.example"),
        "two addresses",
    ),
    ("v=DMARC1; p=none; rua=mailto:d@a.example!10m", "rua", ("mailto:d@a.example",), "the size is dropped"),
    ("v=DMARC1; p=none; fo=1:d", "failure_options", ("1", "d"), "failure options"),
    ("v=DMARC1; p=none; psd=n", "psd", "n", "psd"),
    ("v=DMARC1; p=reject; t=y", "is_testing", True, "testing"),
    ("v=DMARC1; p=none; pct=25; ri=1", "historic", (("pct", "25"), ("ri", "1")), "historic tags"),
    ("v=DMARC1; p=none; x=1", "unknown", (("x", "1"),), "unknown tags"),
]
FAULTY = [  # text, tag, position, part, is it void, reason
    ("v=DMARC1; p=nun", "p", 12, "“nun”", True, "no policy and nowhere to report to"),
    (f"v=DMARC1; p=nun; {RUA}", "p", 12, "“nun”", False, "... with somewhere it is p=none"),
    (
        "v=DMARC1; p=reject rua=mailto:d@a.example",
        "p",
        12,
        "semicolon is missing",
        True,
        "the slip of a vendor's page",
    ),
    ("v=DMARC1; p=reject; sp=none-", "sp", 23, "“none-”", True, "a slip in sp switches all off"),
    ("v=DMARC1; p=none; rua=d@a.example", "rua", 22, "no address", False, "an address without mailto"),
    ("v=DMARC1; p=none; adkim=x", "adkim", 24, "r counts", False, "a bad word falls back"),
    ("v=DMARC1; p=none; fo=9", "fo", 21, "none of 0, 1", False, "a bad option"),
    ("v=DMARC1; p=none; rubbish", "", 18, "no tag", False, "no equals sign"),
]


@pytest.mark.parametrize(("text", "field", "value", "reason"), READ, ids=[row[3] for row in READ])
def test_reads(text: str, field: str, value: object, reason: str) -> None:
    assert getattr(dmarc.parse(text), field) == value, reason


@pytest.mark.parametrize(
    ("text", "tag", "position", "part", "void", "reason"), FAULTY, ids=[row[5] for row in FAULTY]
)
def test_faults_have_a_place_and_a_consequence(
    text: str, tag: str, position: int, part: str, void: bool, reason: str
) -> None:
    record = dmarc.parse(text)
    (fault,) = record.faults
    assert (fault.tag, fault.position) == (tag, position), reason
    assert part in fault.message
    assert record.is_void is void
    apart = dmarc_apart(text)
    assert [fault.at for fault in apart.faults] == [position]
    assert any("apply no DMARC" in note for note in apart.notes) is void


NOT_RECORDS = [
    "",
    "v=DMARC1x; p=none",
    "v=dmarc1; p=none",
    " v=DMARC1; p=none",
    "p=none; v=DMARC1",
    "v=DMARC2",
]


@pytest.mark.parametrize("text", NOT_RECORDS)
def test_what_is_no_dmarc_record(text: str) -> None:
    assert not dmarc.looks_like(text)
    with pytest.raises(RecordSyntaxError):
        dmarc.parse(text)


def test_a_tag_twice_voids_the_record() -> None:
    with pytest.raises(RecordSyntaxError, match="twice"):
        dmarc.parse("v=DMARC1; p=none; p=reject")


APPLIES = [  # text, is it a subdomain, does it exist, policy, reason
    ("v=DMARC1; p=reject", False, True, Policy.REJECT, "its own"),
    ("v=DMARC1; p=reject; sp=none", True, True, Policy.NONE, "sp for subdomains"),
    (
        "v=DMARC1; p=reject; sp=none; np=quarantine",
        True,
        False,
        Policy.QUARANTINE,
        "np for names that do not exist",
    ),
    ("v=DMARC1; p=reject; sp=none", True, False, Policy.NONE, "np falls to sp"),
    ("v=DMARC1; p=reject", True, False, Policy.REJECT, "... to p"),
    (f"v=DMARC1; {RUA}", False, True, Policy.NONE, "no p, but somewhere to report to"),
    ("v=DMARC1; adkim=s", False, True, None, "no p, and nowhere"),
]


@pytest.mark.parametrize(
    ("text", "sub", "exists", "policy", "reason"), APPLIES, ids=[row[4] for row in APPLIES]
)
def test_which_policy_applies(text: str, sub: bool, exists: bool, policy: Policy | None, reason: str) -> None:
    assert dmarc.parse(text).applies(is_subdomain=sub, exists=exists) is policy, reason


policies = st.sampled_from([None, *Policy])
records = st.builds(
    DmarcRecord,
    policy=policies,
    subdomain_policy=policies,
    nonexistent_policy=policies,
    strict_dkim=st.booleans(),
    strict_spf=st.booleans(),
    rua=st.lists(st.sampled_from(["mailto:a@b.c", "mailto:d@e.f"]), unique=True, max_size=2).map(tuple),
    psd=st.sampled_from("ynu"),
    is_testing=st.booleans(),
)


@given(records)
def test_what_is_rendered_parses_to_the_same(record: DmarcRecord) -> None:
    assert dmarc.parse(dmarc.render(record)) == record


@given(st.text(max_size=60))
def test_any_text_after_the_version_is_a_record_or_a_syntax_error(text: str) -> None:
    try:
        record = dmarc.parse(f"v=DMARC1;{text}")
    except RecordSyntaxError as error:
        positions = [error.position]
    else:
        positions = [fault.position for fault in record.faults]
    assert all(0 <= position <= len(text) + 9 for position in positions)
