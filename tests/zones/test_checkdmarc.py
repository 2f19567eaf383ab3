"""checkdmarc's verdict about the same broken domains, and why ours differs where it does."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from broken_domains import BROKEN, Broken
from broken_zone import zone_lines
from zone_server import ZoneServer

checkdmarc = pytest.importorskip("checkdmarc", reason="checkdmarc is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

import checkdmarc.dmarc  # noqa: E402, F811 - only where it is installed
import checkdmarc.mta_sts  # noqa: E402
import checkdmarc.smtp_tls_reporting  # noqa: E402
import checkdmarc.spf  # noqa: E402
import dns.resolver  # noqa: E402

# What makes the record of a subject void for receivers, in our codes. Advice is not compared: each tool has its own.
VOID = {
    "spf": {
        "SPF-MISSING",
        "SPF-SUBDOMAIN",
        "SPF-MULTI",
        "SPF-SYNTAX",
        "SPF-LOOKUPS",
        "SPF-VOID4",
        "SPF-VOID6",
        "SPF-MXLIMIT",
        "SPF-LOOP",
        "SPF-DEADINC",
    },
    "dmarc": {"DMARC-MISSING", "DMARC-MULTI", "DMARC-VOID", "DMARC-P-INVALID", "DMARC-SP-INVALID"},
    "mta-sts": {"STS-TXT-MISSING", "STS-MULTI", "STS-SYNTAX", "STS-ID"},
    "tls-rpt": {"TLSRPT-MISSING", "TLSRPT-MULTI", "TLSRPT-SYNTAX", "TLSRPT-SCHEME"},
}
DIFFERENCES = {  # (domain, subject): which rule ours follows
    ("spf-after-all", "spf"): "RFC 7208 §4.6: a syntax error anywhere voids the record, also behind all",
    (
        "spf-void6",
        "spf",
    ): "RFC 7208 §5: an IPv6 client asks for AAAA, so three hosts without are three void lookups",
    (
        "dmarc-no-p",
        "dmarc",
    ): "RFC 9989 §4.10.1: without a policy and without a valid rua there is no DMARC processing",
    ("dmarc-rua-plain", "dmarc"): "RFC 9989 §4.8: a faulty rua is ignored, and p=reject stands",
    (
        "sts-space",
        "mta-sts",
    ): "RFC 8461 §3.1: records that do not begin with the literal v=STSv1; are discarded",
}


@pytest.fixture(scope="module")
def resolver() -> Iterator[dns.resolver.Resolver]:
    server = ZoneServer(zone_lines())
    asking = dns.resolver.Resolver(configure=False)
    asking.nameservers, asking.port = [server.address[0]], server.address[1]
    logging.disable(logging.CRITICAL)
    yield asking
    logging.disable(logging.NOTSET)
    server.close()


def peer_verdicts(name: str, resolver: dns.resolver.Resolver) -> dict[str, bool]:
    """Give checkdmarc's word on whether the record of each subject is valid."""
    try:
        sts = bool(checkdmarc.mta_sts.query_mta_sts_record(name, resolver=resolver)["record"]) and bool(
            checkdmarc.mta_sts.parse_mta_sts_record(
                checkdmarc.mta_sts.query_mta_sts_record(name, resolver=resolver)["record"]
            )
        )
    except checkdmarc.mta_sts.MTASTSError:
        sts = False
    return {
        "spf": bool(checkdmarc.spf.check_spf(name, resolver=resolver)["valid"]),
        "dmarc": bool(checkdmarc.dmarc.check_dmarc(name, resolver=resolver)["valid"]),
        "mta-sts": sts,
        "tls-rpt": bool(
            checkdmarc.smtp_tls_reporting.check_smtp_tls_reporting(name, resolver=resolver)["valid"]
        ),
    }


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.label)
def test_differences_from_checkdmarc_are_known(case: Broken, resolver: dns.resolver.Resolver) -> None:
    ours = {subject: not (codes & case.expected) for subject, codes in VOID.items()}
    theirs = peer_verdicts(case.name, resolver)
    differing = {(case.label, subject) for subject in VOID if ours[subject] != theirs[subject]}
    known = {key for key in DIFFERENCES if key[0] == case.label}
    assert differing == known, {subject: (ours[subject], theirs[subject]) for _, subject in differing}


def test_every_difference_names_its_rule() -> None:
    assert all("RFC" in reason for reason in DIFFERENCES.values())
    assert {label for label, _ in DIFFERENCES} <= {case.label for case in BROKEN}
