"""Records taken apart: what each term means with its own value, and where the faults are."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scenes import key_text

from exo_auth.render.record_terms import LONGEST
from exo_auth.render.record_text import is_record, record_text
from exo_auth.render.schema import schema_text

MEANINGS = [  # record, term, parts of its meaning, reason
    ("v=DMARC1; p=none", "p=none", ["delivered all the same"], "DMARC: no policy"),
    ("v=DMARC1; p=Reject", "p=Reject", ["is refused"], "case is nothing"),
    ("v=DMARC1; P=none", "P=none", ["delivered", "in lower case"], "... though not of the tag"),
    ("v=DMARC1; p=none; sp=quarantine", "sp=quarantine", ["that exist", "junk"], "subdomains"),
    ("v=DMARC1; p=none; np=reject", "np=reject", ["do not exist", "refused"], "absent subdomains"),
    ("v=DMARC1; p=none; adkim=s", "adkim=s", ["strict", "exactly"], "strict DKIM"),
    ("v=DMARC1; p=none; aspf=r", "aspf=r", ["the default", "envelope"], "relaxed SPF"),
    ("v=DMARC1; p=none; rua=mailto:a@x.example", "rua=mailto:a@x.example", ["to a@x.example"], "one address"),
    (
        "v=DMARC1; p=none; ruf=mailto:a@x.example,mailto:b@y.example",
        "ruf=mailto:a@x.example,mailto:b@y.example",
        ["single messages", "a@x.example and b@y.example"],
        "two addresses",
    ),
    ("v=DMARC1; p=none; rua=", "rua=", ["nobody gets"], "no address"),
    ("v=DMARC1; p=none; fo=1", "fo=1", ["one of DKIM and SPF", "without ruf this is ignored"], "fo alone"),
    ("v=DMARC1; p=none; fo=d:s; ruf=mailto:a@x.example", "fo=d:s", ["signature fails and when SPF"], "fo"),
    ("v=DMARC1; p=reject; t=y", "t=y", ["reject counts as quarantine"], "a test of reject"),
    ("v=DMARC1; p=none; t=y", "t=y", ["none stays none"], "a test of none"),
    ("v=DMARC1; p=reject; t=n", "t=n", ["no test"], "no test"),
    ("v=DMARC1; p=reject; psd=y", "psd=y", ["public suffix"], "a suffix"),
    ("v=DMARC1; p=reject; pct=50", "pct=50", ["all mail", "50 of 100"], "a part of the mail"),
    ("v=DMARC1; p=reject; pct=100", "pct=100", ["as it is without"], "all of it"),
    ("v=DMARC1; p=reject; ri=3600", "ri=3600", ["every 3600 seconds"], "an interval"),
    ("v=DMARC1; p=reject; rf=afrf", "rf=afrf", ["historic"], "a format"),
    ("v=DMARC1; p=reject; x=1", "x=1", ["ignored"], "an unknown tag"),
    ("v=spf1 +all", "+all", ["everybody else may send"], "SPF: open to all"),
    ("v=spf1 ~all", "~all", ["probably may not", "softfail"], "a soft end"),
    ("v=spf1 ip4:192.0.2.1 -all", "ip4:192.0.2.1", ["the address 192.0.2.1 may send"], "an address"),
    ("v=spf1 ip4:192.0.2.0/24 -all", "ip4:192.0.2.0/24", ["256 addresses 192.0.2.0 to 192.0.2.255"], "a network"),
    ("v=spf1 ip6:2001:db8::/32 -all", "ip6:2001:db8::/32", ["2001:db8::/32 may send"], "a network of IPv6"),
    ("v=spf1 a/24//64 -all", "a/24//64", ["the same /24 and //64"], "neighbours"),
    ("v=spf1 -include:x.example ~all", "-include:x.example", ["record of x.example must not send"], "a refusal"),
    ("v=spf1 exists:%{i}.x.example -all", "exists:%{i}.x.example", ["depends on the message"], "a macro"),
    ("v=spf1 include:a.example,b.example -all", "include:a.example,b.example", ["comma"], "a comma"),
    ("v=spf1 redirect=x.example", "redirect=x.example", ["x.example decides"], "a redirect"),
    ("v=spf1 exp=w.example other=1 -all", "exp=w.example", ["explains a fail"], "an explanation"),
    ("v=spf1 exp=w.example other=1 -all", "other=1", ["unknown, and ignored"], "an unknown modifier"),
    (key_text(1), "k=rsa", ["an RSA key"], "DKIM: the type"),
    (key_text(1), "p=", ["RSA public key of 2048 bits"], "a key"),
    (key_text(1, bits=1024), "p=", ["1024 bits", "2048 are wanted"], "a short key"),
    (key_text(1, bits=512), "p=", ["512 bits", "too short"], "a very short one"),
    ("v=DKIM1; p=", "p=", ["revoked"], "a revoked key"),
    ("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "p=", ["Ed25519"], "another kind"),
    ("v=DKIM1; t=y:s; p=", "t=y:s", ["a test", "i="], "both flags"),
    ("v=DKIM1; h=sha1; p=", "h=sha1", ["none that verifiers accept"], "an old hash"),
    ("v=DKIM1; s=tlsrpt; p=", "s=tlsrpt", ["verifiers of mail ignore"], "not for mail"),
    ("v=STSv1; id=2026", "id=2026", ["the edition"], "MTA-STS"),
    ("v=TLSRPTv1; rua=https://r.example/x", "rua=https://r.example/x", ["go to https://r.example/x"], "TLS-RPT"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "term", "parts", "reason"), MEANINGS, ids=[row[3] for row in MEANINGS])
def test_each_term_is_told_with_its_value(text: str, term: str, parts: list[str], reason: str) -> None:
    assert is_record(text)
    document = json.loads(record_text(text, "json"))
    (meaning,) = [one["meaning"] for one in document["terms"] if one["term"].startswith(term)]
    assert all(part in meaning for part in parts), (reason, meaning)


SIGNATURE = "DKIM-Signature: v=1; a={a}; c={c}; d=a.test; s=s1; h={h}; bh=YmI=; b=Yg=={rest}"
SIGNATURES = [  # algorithm, canonicalization, fields, more tags, term, part of its meaning, reason
    ("rsa-sha256", "relaxed/simple", "From", "", "a=", "every verifier", "the usual algorithm"),
    ("rsa-sha1", "relaxed", "From", "", "a=", "must not accept", "an old one"),
    ("ed25519-sha256", "relaxed", "From", "", "a=", "do not know it", "a new one"),
    ("rsa-sha256", "relaxed/relaxed", "From", "", "c=", "header and body: each survives", "both relaxed"),
    ("rsa-sha256", "relaxed", "From", "", "c=", "the body must arrive as it was sent", "the body is simple"),
    ("rsa-sha256", "simple", "From", "", "s=", "s1._domainkey.a.test", "where the key stands"),
    ("rsa-sha256", "simple", "From:To:From", "", "h=", "add another from", "From twice"),
    ("rsa-sha256", "simple", "From", "; l=5", "l=", "text behind", "a part of the body"),
    ("rsa-sha256", "simple", "From", "; x=1795600000", "x=", "after 2026-11-25", "an end"),
    ("rsa-sha256", "simple", "From", "; t=1795600000", "t=", "signed 2026-11-25", "a beginning"),
    ("rsa-sha256", "simple", "From", "; i=u@a.test", "i=", "on whose behalf", "an identity"),
    ("rsa-sha256", "simple", "From", "", "bh=", "2 octets", "a hash"),
]


@pytest.mark.parametrize(
    ("a", "c", "h", "rest", "term", "part", "reason"), SIGNATURES, ids=[row[6] for row in SIGNATURES]
)
def test_a_signature_is_told_tag_by_tag(
    a: str, c: str, h: str, rest: str, term: str, part: str, reason: str
) -> None:
    document = json.loads(record_text(SIGNATURE.format(a=a, c=c, h=h, rest=rest), "json"))
    assert document["valid"]
    (meaning,) = [one["meaning"] for one in document["terms"] if one["term"].startswith(term)]
    assert part in meaning, reason


NOTES = [  # record, part of a note, reason
    ("v=DMARC1; p=reject", "subdomains have reject, too", "no sp"),
    ("v=DMARC1; p=reject", "nobody tells you", "no rua"),
    ("v=DMARC1; rua=mailto:a@x.example", "counts as p=none", "no p"),
    ("v=DMARC1; p=reject; sp=x; rua=mailto:a@x.example", "fault in sp makes the whole", "a typo in sp"),
    ("v=DMARC1; p=reject; adkim=s; aspf=s", "sign as a subdomain", "both strict"),
    ("v=DMARC1; p=none; p=none", "discard it whole", "a tag twice"),
    ("v=spf1 +all", "protects nothing", "open to all"),
    ("v=spf1 -all a", "never looked at", "behind all"),
    ("v=spf1 a", "everybody else is neutral", "no end"),
    ("v=spf1 a", "costs 1 of 10", "the cost"),
    ("v=spf1 redirect=y.example -all", "redirect is ignored", "both ends"),
    ("v=spf1 foo", "permerror", "what a fault does"),
    ('"v=spf1 -all"', "quotes", "copied with its quotes"),
    (key_text(1, exponent=3), "exponent is 3", "an odd exponent"),
    ("v=DKIM1; s=tlsrpt; p=", "not for mail", "another service"),
    (SIGNATURE.format(a="rsa-sha256", c="simple", h="To", rest=""), "From is not signed", "without From"),
    (
        SIGNATURE.format(a="rsa-sha256", c="simple", h="From", rest="; t=9; x=5"),
        "never counted",
        "over before it began",
    ),
    ("version: STSv1\nmode: enforce\nmx: *.mx.microsoft\nmax_age: 604800", "matches no host", "a wide wildcard"),
    (
        "version: STSv1\nmode: enforce\nmx: mail.protection.outlook.com\nmax_age: 604800",
        "nobody’s mail host",
        "no wildcard",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "part", "reason"), NOTES, ids=[row[2] for row in NOTES])
def test_what_follows_from_the_whole_is_noted(text: str, part: str, reason: str) -> None:
    assert any(part in note for note in json.loads(record_text(text, "json"))["notes"]), reason


FAULTS = [  # record, what stands under the mark, part of the message, reason
    ("v=spf1 ip4:192.0.2.0/33 -all", "/33", "prefix length 33", "in one term"),
    ("v=spf1 foo -all", "foo", "unknown mechanism", "a word"),
    ("v=DMARC1; p=reject; adkim=strict", "strict", "r counts", "a tag"),
    ("v=DMARC1; p=none; p=reject", "reject", "twice", "the second one"),
    ("v=DMARC1; p=none; rua=mailto:a@x.example!10m", "mailto:", "the size", "an address"),
    ("v=STSv1; id=2026-11", "2026", "letters or digits", "an id"),
    ("v=TLSRPTv1; rua=mailto:a@x.example,b@x.example", "b@x", "no address", "the second address"),
    ("v=DKIM1; k=dsa; p=", "dsa", "unknown", "a type of key"),
    ("DKIM-Signature: v=1; a=md5; b=Yg==; bh=YmI=; d=a.test; h=From; s=s1", "md5", "expected", "a signature"),
    ("version: STSv1\nmode: on\nmx: mx.example\nmax_age: 1", "on", "enforce", "a line of a policy"),
]


@pytest.mark.parametrize(("text", "marked", "part", "reason"), FAULTS, ids=[row[3] for row in FAULTS])
def test_a_fault_is_marked_under_its_place(text: str, marked: str, part: str, reason: str) -> None:
    lines = record_text(text, "table").splitlines()
    below = next(number for number, line in enumerate(lines) if line.lstrip().startswith("^"))
    column = lines[below].index("^")
    assert lines[below - 1][column:].startswith(marked), reason
    assert part in lines[below]
    assert text[int(lines[below].split("character ")[1].split(":")[0]) - 1 :].startswith(marked)


def test_all_wrong_terms_of_spf_are_marked() -> None:
    told = record_text("v=spf1 ip:1 a:b ip4:999.0.0.1 -all", "table")
    assert told.count("^ character") == 3
    assert told.endswith("3 faults")


@pytest.mark.parametrize("text", [key_text(4)[:253], key_text(4)[:240] + "!" + key_text(4)[241:]])
def test_a_fault_far_inside_a_key_is_shown_with_what_surrounds_it(text: str) -> None:
    lines = record_text(text, "table").splitlines()
    below = next(number for number, line in enumerate(lines) if line.lstrip().startswith("^"))
    position = json.loads(record_text(text, "json"))["faults"][0]["position"]
    assert len(lines[below - 1]) <= LONGEST
    before = lines[below - 1][: lines[below].index("^")].rpartition("…")[2]
    assert len(before) > 20
    assert before == text[position - len(before) : position]


def test_a_fault_at_the_end_has_its_place_too() -> None:
    told = record_text("v=STSv1;", "table")
    assert "no id" in told
    assert "character 9" in told


KINDS = ["v=spf1 ", "v=DMARC1;", "v=DKIM1;", "v=STSv1;", "v=TLSRPTv1;", "version: STSv1\n", "DKIM-Signature:"]
SCHEMA = json.loads(schema_text("record"))


@given(st.sampled_from(KINDS), st.text(alphabet=st.characters(codec="utf-8"), max_size=120))
@example("DKIM-Signature:", " t=99999999999999999999; x=-1")
@example("version: STSv1\n", "max_age: \u0664\nmx:\n")
def test_any_text_can_be_taken_apart(kind: str, rest: str) -> None:
    text = kind + rest
    document = json.loads(record_text(text, "json"))
    jsonschema.validate(document, SCHEMA)
    assert all(text[one["position"] :].startswith(one["term"]) for one in document["terms"])
    assert all(0 <= fault["position"] <= len(text) for fault in document["faults"])
    told = record_text(text, "table")
    assert told.count("^ character") >= len(document["faults"])
    assert all(line.isprintable() for line in told.splitlines())
