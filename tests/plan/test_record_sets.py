"""Record sets: compared by meaning, merged into shared ones; DMARC records made from what is published; DNS hosts."""

from __future__ import annotations

import pytest

from exo_auth.checks.entry import Profile
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.plan.dmarc_edit import (
    DmarcWish,
    authorizations,
    by_rules,
    effects,
    is_stricter,
    policy_named,
    rules_named,
    text_of,
    wished,
)
from exo_auth.plan.dns_hosts import recognise
from exo_auth.plan.receiver_effects import (
    authorization_effects,
    mta_sts_effects,
    parked_effects,
    size_of,
    spf_effects,
    tls_rpt_effects,
)
from exo_auth.plan.record_meaning import first_difference
from exo_auth.plan.record_set import RecordChange, merged, same_values
from exo_auth.records import dmarc, spf
from exo_auth.records.dmarc import Policy
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy
from exo_auth.records.tls_rpt import TlsRptRecord

NAME = DomainName("contoso.com")
SAME = [
    ("CNAME", ("A.Example.",), ("a.example",), True, "case and the last dot"),
    ("MX", ("10  a.example", "0 b.example"), ("0 B.example.", "10 a.example"), True, "order does not count"),
    ("MX", ("0 a.example",), ("10 a.example",), False, "a preference is another way"),
    ("CNAME", ("A.Example.",), ("a.example",), True, "a name's case and its dot"),
    ("TXT", ("v=A",), ("v=a",), False, "texts have case"),
    ("TXT", ("v=spf1 mx -all",), ("V=SPF1  MX   -ALL ",), True, "SPF: blanks and case"),
    ("TXT", ("v=spf1 ip4:192.0.2.1 include:A.Example. ~all",), ("v=spf1 include:a.example ip4:192.0.2.1/32 ~all",), True, "SPF: the order of terms that pass"),
    ("TXT", ("v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 ~all",), ("v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.1 ~all",), False, "SPF: the order around a refusal"),
    ("TXT", ("v=spf1 exists:%{i}.a.example mx ~all",), ("v=spf1 mx exists:%{i}.a.example ~all",), False, "SPF: the order around a macro"),
    ("TXT", ("v=spf1 exists:%{s}.a.example ~all",), ("v=spf1 exists:%{S}.a.example ~all",), False, "SPF: a macro in capitals is escaped"),
    ("TXT", ("v=spf1 mx ~all",), ("v=spf1 mx -all",), False, "SPF: another end"),
    ("TXT", ("v=spf1 a/24 ~all",), ("v=spf1 a/24//128 ~all",), True, "SPF: a length that is the default"),
    ("TXT", ("v=spf1 redirect=A.example exp=b.example",), ("v=spf1 exp=b.example redirect=a.example",), True, "SPF: the order of modifiers"),
    ("TXT", ("v=spf1 ip4:192.0.2.1 nonsense ~all",), ("v=spf1  ip4:192.0.2.1 nonsense ~all",), False, "SPF: what cannot be read means itself"),
    ("TXT", ("v=DMARC1; p=none; rua=mailto:d@x.example",), ("v=DMARC1;rua=mailto:d@X.Example ;p=NONE;adkim=r;aspf=r;fo=0;",), True, "DMARC: order, blanks, defaults, the host's case"),
    ("TXT", ("v=DMARC1; rua=mailto:d@x.example",), ("v=DMARC1; p=none; rua=mailto:d@x.example",), True, "DMARC: none is the default beside rua"),
    ("TXT", ("v=DMARC1; p=none; rua=mailto:d@x.example",), ("v=DMARC1; p=none; rua=mailto:D@x.example",), False, "DMARC: a local part has case"),
    ("TXT", ("v=DMARC1; p=none; fo=1:d; ruf=mailto:d@x.example",), ("v=DMARC1; p=none; fo=d:1; ruf=mailto:d@x.example",), True, "DMARC: the order of options"),
    ("TXT", ("v=DMARC1; p=reject",), ("v=DMARC1; p=reject; pct=50",), False, "DMARC: old receivers heed pct"),
    ("TXT", ("v=DMARC1; p=reject",), ("v=DMARC1; p=reject; sp=none",), False, "DMARC: another policy below"),
    ("TXT", ("v=TLSRPTv1; rua=mailto:t@x.example",), ("v=TLSRPTv1;rua=MAILTO:t@X.example;",), True, "TLS-RPT: blanks, and the case of scheme and host"),
    ("TXT", ("v=TLSRPTv1; rua=https://x.example/A",), ("v=TLSRPTv1; rua=https://X.example/a",), False, "TLS-RPT: a path has case"),
    ("TXT", ("v=STSv1; id=1; a=1; b=2;",), ("v=STSv1;id=1;b=2;a=1",), True, "MTA-STS: order and blanks"),
    ("TXT", ("v=STSv1; id=a1;",), ("v=STSv1; id=A1;",), False, "MTA-STS: an id has case"),
    ("TXT", ("v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; t=y:s",), ("k=ed25519;p=AA AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;t=s:y",), True, "DKIM: order, defaults, blanks in the key"),
    ("TXT", ("v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",), ("v=DKIM1; k=ed25519; p=BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",), False, "DKIM: another key"),
    ("TXT", ("a",), ("a", "a"), False, "a value more"),
]  # fmt: skip


@pytest.mark.parametrize(("rdtype", "one", "other", "same", "reason"), SAME, ids=[row[4] for row in SAME])
def test_sets_are_compared_by_meaning(
    rdtype: str, one: tuple[str, ...], other: tuple[str, ...], same: bool, reason: str
) -> None:
    assert same_values(rdtype, one, other) is same, reason
    assert RecordChange(NAME, rdtype, one, other).is_needed is not same


@pytest.mark.parametrize(
    ("one", "other", "octet"),
    [("abc", "abc", 0), ("abc", "abd", 3), ("abc", "ab", 3), ("", "a", 1), ("a b", "a  b", 3)],
)
def test_the_first_octet_that_differs(one: str, other: str, octet: int) -> None:
    assert first_difference(one, other) == first_difference(other, one) == octet


MERGED = [
    (("MS=1", "old", "x"), ("new",), ("old",), ("MS=1", "new", "x"), "in the place of the old one"),
    (("MS=1",), ("new",), (), ("MS=1", "new"), "behind what is there"),
    ((), ("new",), (), ("new",), "alone"),
    (("a", "b"), ("new",), ("a", "b"), ("new",), "two become one"),
    (("new",), ("new",), (), ("new",), "never twice"),
]


@pytest.mark.parametrize(("live", "own", "gone", "result", "reason"), MERGED, ids=[row[4] for row in MERGED])
def test_values_of_others_stay(
    live: tuple[str, ...], own: tuple[str, ...], gone: tuple[str, ...], result: tuple[str, ...], reason: str
) -> None:
    assert merged(live, own, replaced=gone) == result, reason


WISHES = [  # published, wish, result, reason
    ("", DmarcWish(rua=("mailto:d@x.example",)), "v=DMARC1; p=none; rua=mailto:d@x.example", "observation first"),
    ("v=DMARC1; p=none; pct=25; ri=3600", DmarcWish(), "v=DMARC1; p=none", "historic tags go"),
    ("v=DMARC1;p=none;rua=mailto:a@x.example", DmarcWish(Policy.REJECT), "v=DMARC1; p=reject; rua=mailto:a@x.example", "p second"),
    ("v=DMARC1; p=reject rua=mailto:a@x.example", DmarcWish(), "v=DMARC1; p=none", "the missing semicolon"),
    ("v=DMARC1; p=none; adkim=s", DmarcWish(strict=False), "v=DMARC1; p=none", "relaxed again"),
    ("v=DMARC1; p=none; np=reject", DmarcWish(subdomain_policy=Policy.QUARANTINE), "v=DMARC1; p=none; sp=quarantine; np=reject", "np stays"),
]  # fmt: skip


@pytest.mark.parametrize(("live", "wish", "result", "reason"), WISHES, ids=[row[3] for row in WISHES])
def test_dmarc_records(live: str, wish: DmarcWish, result: str, reason: str) -> None:
    old = dmarc.parse(live) if live else None
    record, because = wished(old, wish)
    assert text_of(record) == result, reason
    assert because
    assert dmarc.parse(text_of(record)) == record


RULES = [  # whose rules, what is published, what is asked for, what comes
    (Profile.IETF, "v=DMARC1; p=none", DmarcWish(), "v=DMARC1; p=none", "the RFC leaves it to you"),
    (Profile.CISA, "v=DMARC1; p=none", DmarcWish(), "v=DMARC1; p=quarantine", "one step"),
    (Profile.CIS, "v=DMARC1; p=quarantine", DmarcWish(), "v=DMARC1; p=reject", "the next"),
    (Profile.MICROSOFT, "v=DMARC1; p=reject", DmarcWish(), "v=DMARC1; p=reject", "no further"),
    (Profile.MICROSOFT, "v=DMARC1; p=none", DmarcWish(Policy.NONE), "v=DMARC1; p=none", "what is asked for counts"),
    (Profile.CISA, "", DmarcWish(), "v=DMARC1; p=none", "observation comes first"),
    (Profile.PARKED, "", DmarcWish(), "v=DMARC1; p=reject; sp=reject; np=reject", "at once"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "live", "wish", "result", "reason"), RULES, ids=[row[4] for row in RULES])
def test_whose_rules_count(rules: Profile, live: str, wish: DmarcWish, result: str, reason: str) -> None:
    old = dmarc.parse(live) if live else None
    record, _ = wished(old, by_rules(rules, old, wish))
    assert text_of(record) == result, reason


def test_what_receivers_will_do_is_said() -> None:
    old = dmarc.parse("v=DMARC1; p=quarantine; pct=10; rua=mailto:d@x.example")
    new, _ = wished(old, DmarcWish(Policy.REJECT, nonexistent_policy=Policy.REJECT))
    said = " ".join(effects(new, old))
    assert "reject for the domain" in said
    assert "pct=10 is dropped" in said
    assert "RFC 9989 §7.4" in said
    assert "§7.4" not in " ".join(effects(new, new))
    assert "names that do not exist" in said
    assert is_stricter(new, old)
    assert not is_stricter(old, new)
    assert is_stricter(new, None)
    assert "failures stay unseen" in " ".join(effects(dmarc.parse("v=DMARC1; p=none"), None))


def test_bad_words() -> None:
    with pytest.raises(InputError, match="no address for reports"):
        wished(None, DmarcWish(rua=("dmarc@x.example",)))
    with pytest.raises(InputError, match="no policy"):
        policy_named("block")
    assert policy_named("") is None
    with pytest.raises(InputError, match="no rules"):
        rules_named("nist")


def test_authorization_records() -> None:
    sets = authorizations([NAME, DomainName("a.msp.example")], DomainName("msp.example"))
    assert [(one.owner.ascii, one.values) for one in sets] == [
        ("contoso.com._report._dmarc.msp.example", ("v=DMARC1;",))
    ]


@pytest.mark.parametrize(
    ("servers", "name"),
    [
        (["ns-12.awsdns-34.co.uk."], "Amazon Route 53"),
        (["ns1-05.azure-dns.com"], "Azure DNS"),
        (["KATE.NS.CLOUDFLARE.COM"], "Cloudflare"),
        (["ns1.bdm.microsoftonline.com"], "Microsoft 365"),
    ],
)
def test_dns_hosts(servers: list[str], name: str) -> None:
    host = recognise(servers)
    assert host is not None
    assert host.name == name


def test_an_unknown_dns_host() -> None:
    assert recognise(["ns1.example"]) is None


MICROSOFT = "v=spf1 include:spf.protection.outlook.com"
EFFECTS = [  # what a reader of the record will do, and what is said of it
    (spf_effects(spf.parse(f"{MICROSOFT} -all")), "refuse them at MAIL FROM"),
    (spf_effects(spf.parse(f"{MICROSOFT} ~all")), "leave the verdict to DKIM and DMARC"),
    (spf_effects(spf.parse(MICROSOFT)), "as if nothing were published"),
    (spf_effects(spf.parse("v=spf1 +all")), "whoever likes"),
    (spf_effects(spf.parse("v=spf1 redirect=_spf.x.example")), "redirect="),
    (tls_rpt_effects(TlsRptRecord(("mailto:t@msp.example",)), NAME), "to each address"),
    (tls_rpt_effects(TlsRptRecord(("mailto:t@mx.contoso.com",)), NAME), "lies in the domain itself"),
    (mta_sts_effects(MtaStsPolicy(Mode.ENFORCE, ("mx.x.example",), 604_800)), "they keep it for 7 d"),
    (mta_sts_effects(MtaStsPolicy(Mode.ENFORCE, ("mx.x.example",), 604_800)), "do not deliver to a host"),
    (mta_sts_effects(MtaStsPolicy(Mode.TESTING, ("mx.x.example",), 100)), "they keep it for 100 s"),
    (mta_sts_effects(MtaStsPolicy(Mode.NONE, (), 86_400)), "forget the policy"),
    (parked_effects(), "refuse all mail"),
    (authorization_effects(authorizations([NAME], DomainName("msp.example")), DomainName("msp.example")), "9 octets"),
    ((size_of(("x" * 300,)),), "300 octets of TXT at the name in 2 character-strings"),
    ((size_of(("x" * 300, "y" * 200)),), "more than 450"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "part"), EFFECTS, ids=[row[1] for row in EFFECTS])
def test_what_a_record_costs_and_does_is_said(said: tuple[str, ...], part: str) -> None:
    assert part in " | ".join(said)


def test_a_policy_that_is_taken_back_binds_nobody_for_long() -> None:
    assert not any("they keep it" in text for text in mta_sts_effects(MtaStsPolicy(Mode.NONE, (), 86_400)))
