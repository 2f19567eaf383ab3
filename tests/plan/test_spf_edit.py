"""SPF records changed term by term, taken together, made simpler, and put in as addresses."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.checks.spf_cost import cost_of
from exo_auth.errors import InputError
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind, Txt
from exo_auth.facts.spf import HostAddresses, SpfBranch, SpfNode
from exo_auth.plan.spf_edit import EMPTY, SpfEdit, edit, merge, read_term, simplify
from exo_auth.plan.spf_flatten import (
    LONGEST,
    cheapest_cut,
    flatten,
    lost_networks,
    networks_that_pass,
    put_in,
    shrinkage,
    split,
)
from exo_auth.plan.spf_senders import SENDERS
from exo_auth.records import spf
from exo_auth.records.spf import Qualifier

M365 = "include:spf.protection.outlook.com"
EDITS = [  # record, edit, result, reason
    ("v=spf1 -all", SpfEdit((M365,)), f"v=spf1 {M365} -all", "before all, whose sign stays"),
    (f"v=spf1 {M365} ~all", SpfEdit((M365,)), f"v=spf1 {M365} ~all", "what is there is not added twice"),
    (f"v=spf1 {M365.upper()} ~all", SpfEdit((M365,)), "v=spf1 include:SPF.PROTECTION.OUTLOOK.COM ~all", "names have no case"),
    ("v=spf1 a mx ~all", SpfEdit(remove=("mx",)), "v=spf1 a ~all", "a term is removed"),
    ("v=spf1 a ~all", SpfEdit(sign=Qualifier.FAIL), "v=spf1 a -all", "a stricter end"),
    ("v=spf1 a", SpfEdit(sign=Qualifier.SOFTFAIL), "v=spf1 a ~all", "an end where there was none"),
    ("v=spf1 a exp=e.example ~all", SpfEdit(("ip4:192.0.2.1",)), "v=spf1 a ip4:192.0.2.1 ~all exp=e.example", "modifiers stay"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted", "result", "reason"), EDITS, ids=[row[3] for row in EDITS])
def test_edits(text: str, wanted: SpfEdit, result: str, reason: str) -> None:
    assert spf.render(edit(spf.parse(text), wanted).record) == result, reason


@pytest.mark.parametrize(
    ("record", "wanted", "part"),
    [
        ("v=spf1 -all", SpfEdit(remove=("mx",)), "no term mx"),
        ("v=spf1 -all", SpfEdit(("nonsense:x",)), "no SPF mechanism"),
        ("v=spf1 redirect=a.example", SpfEdit(sign=Qualifier.FAIL), "redirect"),
    ],
)
def test_edits_that_are_none(record: str, wanted: SpfEdit, part: str) -> None:
    with pytest.raises(InputError) as caught:
        edit(spf.parse(record), wanted)
    assert part in caught.value.message


def test_two_records_become_one() -> None:
    merged = merge([spf.parse("v=spf1 a -all"), spf.parse(f"v=spf1 {M365} a ~all")])
    assert spf.render(merged.record) == f"v=spf1 a {M365} ~all"
    assert "RFC 7208 §4.5" in merged.because[0]
    assert merge([EMPTY]).because == ()


SIMPLE = [  # record, result, what is said
    ("v=spf1 a a ~all", "v=spf1 a ~all", "twice"),
    ("v=spf1 a ~all mx", "v=spf1 a ~all", "behind all"),
    ("v=spf1 ip4:192.0.2.0/24 ip4:192.0.2.1 ~all", "v=spf1 ip4:192.0.2.0/24 ~all", "inside ip4:192.0.2.0/24"),
    ("v=spf1 ip4:192.0.2.1 ip4:192.0.2.0/24 ~all", "v=spf1 ip4:192.0.2.0/24 ~all", "inside ip4:192.0.2.0/24"),
    ("v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 ~all", "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 ~all", ""),
    ("v=spf1 ip4:192.0.2.1 -a ip4:192.0.2.0/24 ~all", "v=spf1 ip4:192.0.2.1 -a ip4:192.0.2.0/24 ~all", ""),
    ("v=spf1 ip6:2001:db8::/32 ip4:192.0.2.1 ~all", "v=spf1 ip6:2001:db8::/32 ip4:192.0.2.1 ~all", ""),
]


@pytest.mark.parametrize(("text", "result", "said"), SIMPLE, ids=[row[0] for row in SIMPLE])
def test_what_cannot_matter_is_left_out(text: str, result: str, said: str) -> None:
    simple = simplify(spf.parse(text))
    assert spf.render(simple.record) == result
    assert said in " ".join(simple.because)
    assert bool(simple.because) == bool(said)


TERMS = st.sampled_from(
    [
        "a",
        "mx",
        "ip4:192.0.2.0/24",
        "ip4:192.0.2.7",
        "-ip4:192.0.2.7",
        "include:a.example",
        "~all",
        "?all",
        "ip6:2001:db8::1",
    ]
)


@given(st.lists(TERMS, max_size=6))
def test_simplifying_twice_changes_nothing_more(terms: list[str]) -> None:
    once = simplify(spf.parse(" ".join(["v=spf1", *terms]))).record
    assert simplify(once).record == once


def test_every_sender_has_a_term_that_can_be_read() -> None:
    assert len({sender.word for sender in SENDERS}) == len(SENDERS)
    for sender in SENDERS:
        assert read_term(sender.term).name == "include"


# The tree behind a record, made by hand


def found(text: str) -> Found[Txt]:
    return Found((Txt((text.encode(),)),), timedelta(hours=1))


def node(domain: str, text: str, **behind: SpfNode) -> SpfNode:
    record = spf.parse(text)
    branches = []
    for term in record.mechanisms:
        if term.name == "include" and term.domain is not None:
            branches.append(SpfBranch(term, term.domain.text, behind[term.domain.text.partition(".")[0]]))
        elif term.name == "a":
            hosts = HostAddresses(
                domain,
                Found((IPv4Address("192.0.2.9"),), timedelta(1)),
                Found((IPv6Address("2001:db8::9"),), timedelta(1)),
            )
            branches.append(SpfBranch(term, domain, hosts=(hosts,)))
        elif term.costs_lookup:
            branches.append(SpfBranch(term, ""))
    return SpfNode(domain, found(text), (text,), record, tuple(branches))


VENDOR = node("vendor.example", "v=spf1 ip4:198.51.100.0/25 ip4:198.51.100.128/25 ip6:2001:db8:1::/48 -all")
NESTED = node("nested.example", "v=spf1 include:vendor.example ip4:203.0.113.1 ?all", vendor=VENDOR)


def test_an_include_is_put_in_as_what_it_lets_pass() -> None:
    own = node("own.example", "v=spf1 ip4:192.0.2.1 include:nested.example ~all", nested=NESTED)
    flattened = flatten(own.branches)
    assert flattened.hazards == ()
    assert [str(network) for network in flattened.networks] == [
        "198.51.100.0/24",
        "203.0.113.1/32",
        "2001:db8:1::/48",
    ]
    assert isinstance(own.record, spf.SpfRecord)
    (part,) = split(put_in(own.record, flattened), "own.example")
    assert part[1] == "v=spf1 ip4:192.0.2.1 ip4:198.51.100.0/24 ip4:203.0.113.1 ip6:2001:db8:1::/48 ~all"
    assert len(flattened.source) == 64


HAZARDS = [
    (node("x.example", "v=spf1 exists:%{i}.x.example -all"), "depends on each message"),
    (node("x.example", "v=spf1 ptr -all"), "depends on each message"),
    (node("x.example", "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all"), "no pass"),
    (node("x.example", "v=spf1 +all"), "everybody"),
    (SpfNode("x.example", LookupFailed(FailureReason.TIMEOUT, "late", True)), "could not be looked up"),
    (SpfNode("x.example", Missing(MissingKind.NXDOMAIN)), "no record"),
]


@pytest.mark.parametrize(("behind", "hazard"), HAZARDS, ids=[row[1] + row[0].domain for row in HAZARDS])
def test_what_cannot_be_copied_is_told(behind: SpfNode, hazard: str) -> None:
    own = node("own.example", "v=spf1 include:x.example ~all", x=behind)
    assert any(hazard in told for told in flatten(own.branches).hazards)


def test_a_term_that_is_no_include_is_not_put_in() -> None:
    own = node("own.example", "v=spf1 a ~all")
    assert "only includes" in flatten(own.branches).hazards[0]
    assert [str(network) for network in networks_that_pass(own)[0]] == ["192.0.2.9/32", "2001:db8::9/128"]


def test_the_cheapest_cut_adds_the_fewest_networks() -> None:
    wide = node("wide.example", "v=spf1 " + " ".join(f"ip4:10.{n}.0.1" for n in range(20)) + " -all")
    deep = node("deep.example", "v=spf1 include:vendor.example -all", vendor=VENDOR)
    own = node(
        "own.example",
        "v=spf1 include:wide.example include:deep.example mx exists:a.%{i}.x exists:b.%{i}.x exists:c.%{i}.x "
        "exists:d.%{i}.x exists:e.%{i}.x exists:f.%{i}.x exists:g.%{i}.x ~all",
        wide=wide,
        deep=deep,
    )
    assert cost_of(own).lookups == 11
    assert [branch.target for branch in cheapest_cut(own)] == ["deep.example"]
    assert cheapest_cut(own, most=3) == ()
    assert cheapest_cut(own, most=11) == ()


def test_a_long_record_is_split_into_includes() -> None:
    text = "v=spf1 mx " + " ".join(f"ip4:203.0.{n}.0/24" for n in range(60)) + " -all"
    parts = split(spf.parse(text), "own.example")
    assert [owner for owner, _ in parts][:2] == ["own.example", "_spf1.own.example"]
    assert all(len(part) <= LONGEST for _, part in parts)
    assert parts[0][1].startswith("v=spf1 include:_spf1.own.example include:_spf2.own.example")
    assert parts[0][1].endswith("mx -all")
    assert sum(part.count("ip4:") for _, part in parts) == 60
    for _, part in parts:
        spf.parse(part)


def test_shrinkage() -> None:
    before = [ip_network("192.0.2.0/25"), ip_network("198.51.100.0/24"), ip_network("2001:db8::/32")]
    after = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    assert shrinkage(before, after) == pytest.approx(1 / 3)
    assert lost_networks(before, after) == (ip_network("198.51.100.0/24"),)
    assert shrinkage([], after) == 0
