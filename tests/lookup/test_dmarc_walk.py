"""The tree walk of RFC 9989 §4.10, with its own examples, over real sockets."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import publicsuffixlist
import pytest
from publicsuffixlist import PublicSuffixList

from exo_auth.checks.dmarc_policy import DmarcVerdict, judge
from exo_auth.domain_name import DomainName
from exo_auth.facts.dmarc import DmarcWalk
from exo_auth.lookup.dmarc_walk import walk, walk_names
from exo_auth.lookup.public_suffix import organizational_domain
from exo_auth.records.dmarc import Policy


def names(text: str) -> list[str]:
    return [name.ascii for name in walk_names(DomainName(text))]


def test_the_names_of_a_long_walk_are_eight() -> None:
    assert names("a.b.c.d.e.f.g.h.i.j.mail.example.com") == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    assert names("mail.example.com") == ["mail.example.com", "example.com", "com"]
    assert names("com") == ["com"]


def go(
    lab: SimpleNamespace, zone: dict[str, list[str]], author: str, absent: tuple[str, ...] = ()
) -> DmarcWalk:
    def script(asked: Any) -> Any:
        texts = zone.get(asked.name.removeprefix("_dmarc."), []) if asked.name.startswith("_dmarc.") else []
        if asked.name in absent:
            return asked.reply(rcode="NXDOMAIN", authority=(lab.soa,))
        if texts == ["FAIL"]:
            return asked.reply(rcode="SERVFAIL")
        return asked.reply(
            *(f'{asked.name}. 60 IN TXT "{text}"' for text in texts), authority=() if texts else (lab.soa,)
        )

    resolver_server = lab.serve(script)

    async def ask() -> DmarcWalk:
        return await walk(lab.resolver(resolver_server, timeout=1.0, attempts=1), DomainName(author))

    return asyncio.run(ask())


P = "v=DMARC1; p="
WALKS = [  # zone, author, organizational domain, policy, tag, reason
    ({"example.com": [P + "reject"]}, "example.com", "example.com", Policy.REJECT, "p", "its own record"),
    (
        {"example.com": [P + "reject; sp=none"]},
        "a.example.com",
        "example.com",
        Policy.NONE,
        "sp",
        "the parent's sp",
    ),
    (
        {"mail.example.com": [P + "none"], "example.com": [P + "reject"]},
        "a.mail.example.com",
        "example.com",
        Policy.REJECT,
        "p",
        "not the nearest name, but the organizational domain",
    ),
    (
        {"mail.example.com": [P + "none; psd=n"], "example.com": [P + "reject"]},
        "a.mail.example.com",
        "mail.example.com",
        Policy.NONE,
        "p",
        "psd=n ends the walk",
    ),
    (
        {"giant.bank.example": [P + "quarantine"], "bank.example": [P + "reject; psd=y"]},
        "mail.giant.bank.example",
        "giant.bank.example",
        Policy.QUARANTINE,
        "p",
        "one label below psd=y",
    ),
    (
        {"bank.example": [P + "reject; psd=y"]},
        "mega.bank.example",
        "mega.bank.example",
        Policy.REJECT,
        "p",
        "the public suffix's own policy where there is no other",
    ),
    (
        {"example.com": [P + "none", P + "reject"]},
        "example.com",
        "example.com",
        None,
        "",
        "two records are discarded",
    ),
    (
        {"example.com": [P + "reject; t=y"]},
        "example.com",
        "example.com",
        Policy.QUARANTINE,
        "p",
        "t=y is one level lower",
    ),
    ({"example.com": ["v=dmarc1; p=none"]}, "example.com", "example.com", None, "", "no record"),
    ({"example.com": [P + "rejct"]}, "example.com", "example.com", None, "", "void"),
    ({}, "example.com", "example.com", None, "", "nothing at all"),
]


@pytest.mark.parametrize(
    ("zone", "author", "org", "policy", "tag", "reason"), WALKS, ids=[row[5] for row in WALKS]
)
def test_walks(
    dns_lab: SimpleNamespace,
    zone: dict[str, list[str]],
    author: str,
    org: str,
    policy: Policy | None,
    tag: str,
    reason: str,
) -> None:
    verdict: DmarcVerdict = judge(go(dns_lab, zone, author))
    assert (verdict.organizational_domain.ascii, verdict.policy, verdict.tag) == (org, policy, tag), reason


def test_np_is_for_names_that_do_not_exist(dns_lab: SimpleNamespace) -> None:
    zone = {"example.com": [P + "none; np=reject"]}
    assert judge(go(dns_lab, zone, "no.example.com", absent=("no.example.com",))).policy is Policy.REJECT
    assert judge(go(dns_lab, zone, "yes.example.com")).policy is Policy.NONE


def test_a_step_without_a_verdict_leaves_all_open(dns_lab: SimpleNamespace) -> None:
    found = go(dns_lab, {"a.example.com": [], "example.com": ["FAIL"]}, "a.example.com")
    assert "_dmarc.example.com" in found.failure


@pytest.mark.parametrize(
    ("name", "org"),
    [
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("x.contoso.onmicrosoft.com", "onmicrosoft.com"),
        ("com", "com"),
    ],
)
def test_the_public_suffix_list(name: str, org: str) -> None:
    assert organizational_domain(DomainName(name)).ascii == org


def test_the_rules_of_one_top_level_domain_are_those_of_the_whole_list() -> None:
    whole = PublicSuffixList(accept_unknown=True)
    lines = Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8").splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("//")]
    special = [rule for rule in rules if rule[0] in "*!" or not rule.isascii()]
    for rule in [*rules[::40], *special[::4], "unknown-top-level"]:
        suffix = rule.removeprefix("*.").removeprefix("!").encode("idna").decode("ascii")
        for name in (suffix, f"a.{suffix}", f"b.a.{suffix}", f"c.b.a.{suffix}"):
            expected = whole.privatesuffix(name) or name
            assert organizational_domain(DomainName(name)).ascii == expected, rule
