"""What a finding offers to paste heals it: the offered records are published on a real server, and it is looked again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from broken_domains import BROKEN, Broken
from broken_zone import zone_lines
from conftest import Verdicts, check_here
from policy_host import PolicyHost
from zone_server import ZoneServer

# What only its owner can mend: which sender, host, key, policy or web server is meant nobody can tell from outside.
NOTHING_TO_PASTE = {
    *("SPF-MACRO", "SPF-PTR", "SPF-WIDE", "SPF-MXLIMIT", "SPF-LOOKUPS", "SPF-VOID4", "SPF-VOID6", "SPF-SIZE"),
    *("SPF-SENDERID",),  # to be deleted
    *("DMARC-MULTI", "DMARC-NONE", "DMARC-SP-WEAKER", "DMARC-TEST-MODE", "DMARC-PCT-RAMP", "DMARC-INHERITED"),
    *("DMARC-RUA-NOMX", "DMARC-NP-USELESS-WILDCARD", "DMARC-PSL-TREEWALK-DIFFER"),
    *("MX-MISSING", "MX-NULL", "MX-NOADDR", "MX-ADDRESS", "MX-EXTRA", "MX-CLIENT-HOST"),
    *("STS-TXT-MISSING", "STS-HOST", "STS-HTTP", "STS-REDIRECT", "STS-CERT", "STS-CERT-EXPIRY", "STS-CTYPE"),
    *(
        "STS-FILE-SYNTAX",
        "STS-MODE",
        "STS-MAXAGE",
        "STS-MX-UNMATCHED",
        "STS-WILDCARD-BROAD",
    ),  # the file, not DNS
    *("TLSRPT-SELF-DEST", "WILDCARD-TXT", "BIMI-SYNTAX", "BIMI-DMARC"),
    *("DKIM-SELECTORS-ABSENT", "DKIM-CNAME-MISSING", "DKIM-DANGLING", "DKIM-KEY-MISSING", "DKIM-KEY-REVOKED"),
    *(
        "DKIM-KEY-SHORT",
        "DKIM-KEY-SYNTAX",
        "DKIM-KEY-MULTIPLE",
        "DKIM-TESTING",
        "DKIM-DUPKEY",
        "DKIM-WILDCARD",
    ),
}
NOT_CERTAIN = {  # (domain, code): why no record is offered here, though it is elsewhere
    ("spf-url", "SPF-SYNTAX"): "which name was meant?",
    ("spf-after-all", "SPF-SYNTAX"): "what was meant?",
    ("spf-v10", "SPF-LEFTOVER"): "another version may be meant",
    ("spf-loop", "SPF-LOOP"): "it would name nobody any more",
    ("spf-self", "SPF-LOOP"): "it would name nobody any more",
    ("spf-dead", "SPF-DEADINC"): "it would name nobody any more",
    ("spf-dead-text", "SPF-DEADINC"): "it would name nobody any more",
    ("spf-dead-void", "SPF-DEADINC"): "it would name nobody any more",
    ("spf-dead-two", "SPF-DEADINC"): "it would name nobody any more",
    ("spf-dead-redirect", "SPF-DEADINC"): "it would name nobody any more",
    ("spf-void", "SPF-VOID"): "it would name nobody any more",
    ("spf-private", "SPF-PRIVATE"): "it would name nobody any more",
    ("spf-redirect-all", "SPF-REDIRECT-ALL"): "it would name nobody any more",
    ("dmarc-double-tag", "DMARC-VOID"): "which of the two was meant?",
}


def offered(verdicts: Verdicts, case: Broken) -> dict[str, list[dict[str, Any]]]:
    return {one["code"]: one["records"] for one in verdicts[case.name]["findings"]}


def test_every_finding_has_a_record_to_paste_or_a_reason_why_not(verdicts: Verdicts) -> None:
    without = {
        (case.label, code)
        for case in BROKEN
        for code, records in offered(verdicts, case).items()
        if not records and code not in NOTHING_TO_PASTE
    }
    assert without == NOT_CERTAIN.keys()
    paste = {code for case in BROKEN for code, records in offered(verdicts, case).items() if records}
    assert not paste & NOTHING_TO_PASTE


def pasted(case: Broken, records: list[dict[str, Any]]) -> Broken:
    """Publish records as a person does: in place of what stands at their names, other TXT at the domain left alone."""
    from dataclasses import replace

    changes = dict(case.changes)
    also = list(case.also)
    for record in records:
        if not f".{record['owner']}".endswith(f".{case.name}"):
            also.append(f'{record["owner"]}. 3600 IN {record["type"]} "{record["value"]}"')
            continue
        label = record["owner"].removesuffix(case.name).rstrip(".") or "@"
        key = f"{label} {record['type']}"
        if record["type"] == "CNAME":
            changes[f"{label} TXT"] = []
        present = case.records().get(key, [])
        kept = [text for text in present if label == "@" and record["type"] == "TXT" and not is_spf(text)]
        new = [
            f"{value['value']}." if value["type"] in ("CNAME", "MX") else value["value"]
            for value in records
            if value["owner"] == record["owner"] and value["type"] == record["type"]
        ]
        changes[key] = [*new, *(text for text in kept if text not in new)]
    return replace(case, changes=changes, also=tuple(also), dmarc_authorized=True)


def is_spf(text: str) -> bool:
    return text.strip(" \"'").lower().startswith("v=spf")


COMES_TO_LIGHT = {  # what could not be seen before: the record was void, or not there
    *(
        "DMARC-NONE",
        "DMARC-NO-RUA",
        "DMARC-NP-ABSENT",
        "DMARC-SP-WEAKER",
        "TLSRPT-SELF-DEST",
        "DKIM-DANGLING",
    ),
}
HEALABLE = [case for case in BROKEN if case.expected - NOTHING_TO_PASTE]


@pytest.fixture(scope="module")
def after(verdicts: Verdicts, policy_host: PolicyHost) -> Iterator[Verdicts]:
    """Give the verdicts after all offers of all domains were published, one code's records after the other's."""
    mended = []
    for case in BROKEN:
        every = [record for records in offered(verdicts, case).values() for record in records]
        mended.append(pasted(case, list({(r["owner"], r["type"], r["value"]): r for r in every}.values())))
    server = ZoneServer(zone_lines(mended))
    yield check_here(server.address, policy_host)
    server.close()


@pytest.mark.parametrize("case", HEALABLE, ids=lambda case: case.label)
def test_what_is_pasted_heals(case: Broken, verdicts: Verdicts, after: Verdicts) -> None:
    promised = {code for code, records in offered(verdicts, case).items() if records}
    left = {one["code"] for one in after[case.name]["findings"]}
    promised -= {"DMARC-WRONG-NAME"}  # what stands at the wrong name is to be deleted by hand
    assert not promised & left, after[case.name]["findings"]
    assert left <= case.expected | COMES_TO_LIGHT, "nothing new breaks"


def test_every_finding_says_who_answered_what_and_when(verdicts: Verdicts) -> None:
    now = datetime.now(UTC)
    for verdict in verdicts.values():
        for one in verdict["findings"]:
            assert one["evidence"], one["code"]
            for proof in one["evidence"]:
                assert proof["server"], one
                assert datetime.fromisoformat(proof["at"]) <= now
                assert proof["outcome"] != "found" or (proof["values"] and proof["ttl_seconds"] is not None)
            assert one["source"], one["code"]


def test_the_strings_of_a_record_are_shown_as_they_came(verdicts: Verdicts) -> None:
    (chunks, _) = verdicts["spf-chunk.test"]["findings"]
    assert chunks["evidence"][0]["values"] == ['"v=spf1 include:i1.ok.test" "include:i2.ok.test -all"']
