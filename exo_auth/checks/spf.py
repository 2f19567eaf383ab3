"""What is wrong with a domain's SPF (checks, pure). RFC 7208."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import absence, could_not_look, evidence, shortened
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.checks.mending import SLIPS_OF_TERMS, TERM_BEGINS, is_internal
from exo_auth.checks.spf_cost import (
    MOST_LOOKUPS,
    MOST_NAMES,
    MOST_VOID_LOOKUPS,
    SpfCost,
    branch_cost,
    cost_of,
)
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing, Txt
from exo_auth.facts.spf import SpfBranch, SpfNode
from exo_auth.records import spf
from exo_auth.records.spf import Mechanism, SpfRecord

OVERHEAD = 12 + 4 + 11  # header, question's type and class, OPT record
PER_RECORD = 12  # compressed owner, type, class, TTL, length
SMALL_MESSAGE = 512  # octets, RFC 1035 §2.3.4
USUAL_MESSAGE = 1232  # octets, DNS flag day 2020
WIDEST = {4: 16, 6: 32}

_SLIP = re.compile(r"""^[\s"'“”]*(v\s*=\s*spf|spf\s*1|v:spf1)""", re.IGNORECASE)
_SENDER_ID = re.compile(r"^spf2\.0/", re.IGNORECASE)


def check_spf(
    domain: DomainName, tree: SpfNode, *, organizational_domain: DomainName | None = None
) -> tuple[Finding, ...]:
    """Judge the tree of a domain; `organizational_domain` tells subdomains apart."""
    return tuple(_findings(domain, tree, organizational_domain))


def txt_size(domain: DomainName, answer: Answer[Txt]) -> int:
    """Give the octets of the DNS message that carries all TXT records of the name."""
    if not isinstance(answer, Found):
        return 0
    strings = sum(len(chunk) + 1 for txt in answer.values for chunk in txt.chunks)
    return OVERHEAD + len(domain.ascii) + 2 + strings + PER_RECORD * len(answer.values)


def _findings(domain: DomainName, tree: SpfNode, organizational: DomainName | None) -> Iterator[Finding]:
    answer = tree.answer
    if answer is None:
        return
    if isinstance(answer, LookupFailed):
        yield could_not_look(domain, domain, "TXT", answer)
        return
    yield from _leftovers(domain, answer)
    if not tree.texts:
        yield _missing(domain, answer, organizational)
        return
    if len(tree.texts) > 1:
        yield finding(
            "SPF-MULTI",
            domain,
            f"{len(tree.texts)} SPF records stand at the domain",
            seen=shortened(" | ".join(tree.texts)),
            wanted="one record",
            evidence=(evidence(domain, "TXT", answer),),
        )
        return
    yield from _size(domain, answer)
    yield from _chunks(domain, answer)
    if isinstance(tree.record, RecordSyntaxError):
        yield _syntax(domain, tree.texts[0], tree.record, answer)
    elif tree.record is not None:
        yield from _record_findings(domain, tree.record, tree.texts[0], answer)
        yield from _tree_findings(domain, tree)


def _missing(domain: DomainName, answer: Answer[Txt], organizational: DomainName | None) -> Finding:
    is_subdomain = organizational is not None and organizational != domain
    seen = (
        absence(domain, "TXT", answer)
        if isinstance(answer, Missing)
        else f"{domain} has TXT records, and none of them is SPF"
    )
    return finding(
        "SPF-SUBDOMAIN" if is_subdomain else "SPF-MISSING",
        domain,
        f"no SPF record; that of {organizational} does not count here"
        if is_subdomain
        else "there is no SPF record",
        seen=seen,
        wanted="one TXT record that begins with v=spf1",
        records=(DnsRecord(domain, "TXT", "v=spf1 include:spf.protection.outlook.com ~all"),),
        remedy="publish the record shown, with the includes of whoever else sends; v=spf1 -all where nobody does",
        evidence=(evidence(domain, "TXT", answer),),
    )


def _leftovers(domain: DomainName, answer: Answer[Txt]) -> Iterator[Finding]:
    for txt in answer.values if isinstance(answer, Found) else ():
        text = txt.text
        if spf.looks_like(text):
            continue
        if _SENDER_ID.match(text):
            yield finding("SPF-SENDERID", domain, "a Sender ID record is left over", seen=shortened(text))
        elif _SLIP.match(text):
            yield finding(
                "SPF-LEFTOVER",
                domain,
                "a TXT record looks like SPF and is none",
                seen=shortened(text),
                wanted="v=spf1 and a space at the very beginning",
            )


def _syntax(domain: DomainName, text: str, error: RecordSyntaxError, answer: Answer[Txt]) -> Finding:
    # The text between the spaces around the fault
    start = text.rfind(" ", 0, error.position + 1) + 1
    term = text[start:].split(" ", 1)[0]
    name = re.match(r"[A-Za-z0-9]*", term.lstrip("+-~?"))
    better = SLIPS_OF_TERMS.get(name.group().lower() if name else "")
    return finding(
        "SPF-SYNTAX",
        domain,
        f"the record is void: {error.message}",
        seen=shortened(text),
        wanted=f"{better}… in place of {term}" if better else error.expected,
        evidence=(evidence(domain, "TXT", answer),),
    )


def _chunks(domain: DomainName, answer: Answer[Txt]) -> Iterator[Finding]:
    """Look for a term that begins where a string begins, right behind another term."""
    for txt in answer.values if isinstance(answer, Found) else ():
        if not spf.looks_like(txt.text):
            continue
        for before, after in pairwise(txt.chunks):
            if before and not before.endswith(b" ") and TERM_BEGINS.match(after):
                yield finding(
                    "SPF-CHUNK",
                    domain,
                    "two terms run together where the strings of the record join",
                    seen=f"…{before[-24:].decode('latin-1')}{after[:24].decode('latin-1')}…",
                    wanted="a space at the end of each string but the last",
                    evidence=(evidence(domain, "TXT", answer),),
                )


def _size(domain: DomainName, answer: Answer[Txt]) -> Iterator[Finding]:
    size = txt_size(domain, answer)
    if size <= SMALL_MESSAGE:
        return
    yield finding(
        "SPF-SIZE",
        domain,
        f"all TXT records of the domain make a DNS message of {size} octets",
        seen=f"{len(answer.values) if isinstance(answer, Found) else 0} TXT records, {size} octets",
        wanted=f"at most {SMALL_MESSAGE} octets"
        + (f"; beyond {USUAL_MESSAGE} receivers need TCP" if size > USUAL_MESSAGE else ""),
        evidence=(evidence(domain, "TXT", answer),),
    )


def _record_findings(
    domain: DomainName, record: SpfRecord, text: str, answer: Answer[Txt]
) -> Iterator[Finding]:
    everybody = record.all
    redirect = record.modifier("redirect")
    if everybody is not None:
        yield from _end(domain, everybody, text)
        behind = record.mechanisms[record.mechanisms.index(everybody) + 1 :]
        if behind:
            yield finding(
                "SPF-AFTERALL",
                domain,
                f"{len(behind)} term{'s' if len(behind) > 1 else ''} behind all",
                seen=" ".join(mechanism.text for mechanism in behind),
                evidence=(evidence(domain, "TXT", answer),),
            )
        if redirect is not None:
            yield finding(
                "SPF-REDIRECT-ALL",
                domain,
                "redirect is ignored beside all",
                seen=redirect.text,
                evidence=(evidence(domain, "TXT", answer),),
            )
    elif redirect is None:
        yield finding(
            "SPF-NOALL",
            domain,
            "the record has neither all nor redirect",
            seen=shortened(text),
            wanted=f"{shortened(text.rstrip())} ~all",
            evidence=(evidence(domain, "TXT", answer),),
        )
    for mechanism in record.mechanisms:
        yield from _mechanism_findings(domain, mechanism)
    targets = Counter(
        mechanism.domain.text.lower().rstrip(".")
        for mechanism in record.mechanisms
        if mechanism.name == "include" and mechanism.domain is not None
    )
    for target, count in targets.items():
        if count > 1:
            yield finding(
                "SPF-DUPINC", domain, f"include:{target} stands {count} times", seen=shortened(text)
            )


def _end(domain: DomainName, everybody: Mechanism, text: str) -> Iterator[Finding]:
    codes = {"pass": "SPF-PLUSALL", "neutral": "SPF-NEUTRAL", "softfail": "SPF-SOFTFAIL"}
    words = {
        "pass": "everybody may send: the record ends in +all",
        "neutral": "the record ends in ?all, which says nothing",
        "softfail": "the record ends in ~all",
    }
    result = everybody.qualifier.result
    if result in codes:
        yield finding(codes[result], domain, words[result], seen=shortened(text), wanted="-all or ~all")


def _mechanism_findings(domain: DomainName, mechanism: Mechanism) -> Iterator[Finding]:
    if mechanism.name == "ptr":
        yield finding("SPF-PTR", domain, "the record uses ptr", seen=mechanism.text)
    network = mechanism.network
    if network is None or mechanism.qualifier.result != "pass":
        return
    if network.prefixlen < WIDEST[network.version]:
        yield finding(
            "SPF-WIDE",
            domain,
            f"{mechanism.text} lets {_amount(network)} addresses pass",
            seen=mechanism.text,
            wanted=f"/{WIDEST[network.version]} or narrower",
        )
    elif is_internal(network):
        yield from _private(domain, mechanism)


def _private(domain: DomainName, mechanism: Mechanism) -> Iterator[Finding]:
    network = mechanism.network
    if network is not None and not _is_documentation(network):
        yield finding(
            "SPF-PRIVATE",
            domain,
            f"{mechanism.text} is no network of the Internet",
            seen=mechanism.text,
        )


_DOCUMENTATION = tuple(  # RFC 5737, RFC 3849, RFC 9637
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    )
)


def _is_documentation(network: spf.Network) -> bool:
    return any(
        network.version == known.version and network.subnet_of(known)  # type: ignore[arg-type]
        for known in _DOCUMENTATION
    )


def _amount(network: spf.Network) -> str:
    bits = network.max_prefixlen - network.prefixlen
    return f"{2**bits:,}" if bits < 40 else f"2^{bits}"


def _tree_findings(domain: DomainName, tree: SpfNode) -> Iterator[Finding]:
    total = cost_of(tree)
    yield from _limits(domain, tree, total)
    seen: set[str] = set()
    for branch in _branches(tree):
        for one in _branch_findings(domain, branch):
            if (key := f"{one.code} {one.message}") not in seen:
                seen.add(key)
                yield one


def _limits(domain: DomainName, tree: SpfNode, total: SpfCost) -> Iterator[Finding]:
    if total.lookups > MOST_LOOKUPS:
        dear = sorted(tree.branches, key=lambda branch: -branch_cost(branch).lookups)[:4]
        yield finding(
            "SPF-LOOKUPS",
            domain,
            f"{total.lookups} terms ask DNS in the worst case; {MOST_LOOKUPS} are allowed",
            seen=", ".join(f"{branch.term.text} {branch_cost(branch).lookups}" for branch in dear),
            wanted=f"at most {MOST_LOOKUPS}",
        )
    if total.void4 > MOST_VOID_LOOKUPS:
        yield finding(
            "SPF-VOID4",
            domain,
            f"{total.void4} lookups find nothing for an IPv4 sender; {MOST_VOID_LOOKUPS} are allowed",
            seen=", ".join(_voids(tree, 4)),
            wanted=f"at most {MOST_VOID_LOOKUPS}",
        )
    if total.void6 > MOST_VOID_LOOKUPS:
        yield finding(
            "SPF-VOID6",
            domain,
            f"{total.void6} lookups find nothing for an IPv6 sender; {MOST_VOID_LOOKUPS} are allowed",
            seen=", ".join(_voids(tree, 6)),
            wanted=f"at most {MOST_VOID_LOOKUPS}",
        )


def _branches(node: SpfNode) -> Iterator[SpfBranch]:
    for branch in node.branches:
        yield branch
        if branch.node is not None:
            yield from _branches(branch.node)


def _voids(tree: SpfNode, family: int) -> list[str]:
    found = [branch.term.text for branch in _branches(tree) if branch.is_void]
    for branch in _branches(tree):
        for host in branch.hosts:
            if isinstance(host.ipv4 if family == 4 else host.ipv6, Missing):
                found.append(f"{branch.term.text} ({host.name})")
    return found[:6]


def _branch_findings(domain: DomainName, branch: SpfBranch) -> Iterator[Finding]:
    term = branch.term.text
    if branch.failure is not None:
        yield could_not_look(domain, branch.target, "MX", branch.failure)
    if branch.node is not None:
        yield from _include_findings(domain, term, branch.node)
    elif not branch.target and branch.kind != "ptr":
        yield finding("SPF-MACRO", domain, f"{term} depends on the message", seen=term)
    if branch.kind == "mx" and len(branch.hosts) > MOST_NAMES:
        yield finding(
            "SPF-MXLIMIT",
            domain,
            f"{term} leads to more than {MOST_NAMES} exchangers",
            seen=f"{branch.target} MX",
            wanted=f"at most {MOST_NAMES}",
        )
    if branch.is_void:
        yield finding("SPF-VOID", domain, f"{term} leads to no exchanger", seen=f"{branch.target} MX: none")
    for host in branch.hosts:
        for rdtype, answer in (("A", host.ipv4), ("AAAA", host.ipv6)):
            if isinstance(answer, LookupFailed):
                yield could_not_look(domain, host.name, rdtype, answer)
        if isinstance(host.ipv4, Missing) and isinstance(host.ipv6, Missing):
            yield finding(
                "SPF-VOID",
                domain,
                f"{term} leads to {host.name}, which has no address",
                seen=absence(host.name, "A", host.ipv4),
            )


def _include_findings(domain: DomainName, term: str, node: SpfNode) -> Iterator[Finding]:
    if node.is_loop:
        yield finding("SPF-LOOP", domain, f"{term} leads back to {node.domain}", seen=term)
    elif isinstance(node.answer, LookupFailed):
        yield could_not_look(domain, node.domain, "TXT", node.answer)
    elif not node.is_cut and not isinstance(node.record, SpfRecord):
        yield finding(
            "SPF-DEADINC",
            domain,
            f"{term}: {_why_dead(node)}",
            seen=_seen_dead(node),
            wanted="one valid SPF record there",
            evidence=(evidence(node.domain, "TXT", node.answer),) if node.answer is not None else (),
        )


def _why_dead(node: SpfNode) -> str:
    if isinstance(node.record, RecordSyntaxError):
        return f"the record of {node.domain} is void"
    if len(node.texts) > 1:
        return f"{node.domain} has {len(node.texts)} SPF records"
    return f"{node.domain} has no SPF record"


def _seen_dead(node: SpfNode) -> str:
    if isinstance(node.record, RecordSyntaxError):
        return node.record.message
    if isinstance(node.answer, Missing):
        return absence(node.domain, "TXT", node.answer)
    return shortened(" | ".join(node.texts)) or "TXT records, none of them SPF"
