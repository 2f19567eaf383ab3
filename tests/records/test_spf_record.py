from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import spf

READ = [  # text, rendered, reason
    ("v=spf1", "v=spf1", "no terms"),
    ("V=SPF1 -ALL", "v=spf1 -all", "case is nothing"),
    ("v=spf1  +a   ~all ", "v=spf1 a ~all", "more spaces"),
    ("v=spf1 a:host.example/24//64 -all", "v=spf1 a:host.example/24//64 -all", "both prefix lengths"),
    ("v=spf1 mx/24 mx//64 ?all", "v=spf1 mx/24 mx//64 ?all", "of the domain itself"),
    (
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
        "networks",
    ),
    ("v=spf1 ip4:192.0.2.1 ip6:::1 -all", "v=spf1 ip4:192.0.2.1 ip6:::1 -all", "addresses"),
    ("v=spf1 include:%{d2}.a.example redirect=%{ir}.b.example", None, "macros"),
    (
        "v=spf1 exists:%{l1r-}.c.example exp=why.example x-note=any%_thing -all",
        None,
        "modifiers, an unknown one",
    ),
    ("v=spf1 ptr ptr:d.example -all", "v=spf1 ptr ptr:d.example -all", "ptr"),
]
REFUSED = [  # text, position, part, reason
    ("v=spf10 -all", 0, "no SPF record", "another version"),
    ("v=spf1 -all foo", 12, "unknown mechanism “foo”", "a mechanism there is not"),
    ("v=spf1 all:x.example", 10, "after all", "all takes nothing"),
    ("v=spf1 include", 14, "without a domain", "include needs a domain"),
    ("v=spf1 include:", 15, "no domain", "... that is not empty"),
    ("v=spf1 a:host", 9, "“host” cannot end a domain", "a top label alone"),
    ("v=spf1 a:host.123", 14, "cannot end a domain", "a top label of digits"),
    ("v=spf1 a/33", 8, "prefix length 33", "too long a prefix"),
    ("v=spf1 a/024", 8, "prefix length 024", "a leading zero"),
    ("v=spf1 a//129", 8, "prefix length 129", "too long a prefix for IPv6"),
    ("v=spf1 ip4:999.0.0.1", 11, "no ip4 address", "no address"),
    ("v=spf1 ip4:192.0.2.0/", 20, "“/”", "no length"),
    ("v=spf1 ip6:192.0.2.1", 11, "no ip6 address", "the other kind"),
    ("v=spf1 ip4", 10, "without an address", "nothing"),
    ("v=spf1 redirect=a.example redirect=b.example", 26, "second redirect", "two redirects"),
    ("v=spf1 exp=%{c}.example", 11, "macro letter “c”", "a letter for explanations only"),
    ("v=spf1 exists:%{d0}.example", 14, "keeps no part", "zero parts"),
    ("v=spf1 exists:%x.example", 14, "macro that is none", "a lonely percent sign"),
    ("v=spf1 a:caf\u00e9.example", 12, "é", "outside ASCII"),
]


def without_places(record: spf.SpfRecord) -> spf.SpfRecord:
    """Leave out where each term stood, and how it was written."""
    mechanisms = (replace(one, position=0, text="") for one in record.mechanisms)
    return spf.SpfRecord(
        tuple(mechanisms), tuple(replace(one, position=0, text="") for one in record.modifiers)
    )


@pytest.mark.parametrize(("text", "rendered", "reason"), READ, ids=[row[2] for row in READ])
def test_reads_and_writes(text: str, rendered: str | None, reason: str) -> None:
    record = spf.parse(text)
    if rendered is not None:
        assert spf.render(record) == rendered, reason
    assert without_places(spf.parse(spf.render(record))) == without_places(record)


@pytest.mark.parametrize(("text", "position", "part", "reason"), REFUSED, ids=[row[3] for row in REFUSED])
def test_refuses_at_the_place(text: str, position: int, part: str, reason: str) -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        spf.parse(text)
    assert part in str(caught.value) or part in repr(caught.value), reason
    assert caught.value.position == position, reason


def test_only_the_version_and_a_space_make_an_spf_record() -> None:
    assert [spf.looks_like(text) for text in ("v=spf1", "v=spf1 -all", "v=spf1-all", "v=spf2.0/pra", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


@given(st.text(max_size=60))
def test_any_text_is_a_record_or_a_syntax_error(text: str) -> None:
    for candidate in (text, f"v=spf1 {text}"):
        try:
            record = spf.parse(candidate)
        except RecordSyntaxError as error:
            assert_position = error.position
        else:
            assert_position = 0
            assert spf.looks_like(spf.render(record))
        assert 0 <= assert_position <= len(candidate)
