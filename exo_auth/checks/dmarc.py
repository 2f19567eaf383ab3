"""What is wrong with a domain's DMARC, for receivers of both models (checks, pure). RFC 9989, RFC 7489."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exo_auth.checks.catalogue import finding
from exo_auth.checks.dmarc_policy import DmarcVerdict, judge, organizational_domain
from exo_auth.checks.evidence import could_not_look, evidence, shortened
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.domain_name import MAX_NAME, DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dmarc import WalkStep
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing, Txt
from exo_auth.facts.domain import DmarcFacts, ReportDestination
from exo_auth.records import dmarc
from exo_auth.records.dmarc import DmarcRecord, Policy, TagFault

_STRENGTH = {Policy.NONE: 0, Policy.QUARANTINE: 1, Policy.REJECT: 2}
_SLIP = re.compile(r"^[\s\"'“”]*(v\s*=\s*)?dmarc\s*1", re.IGNORECASE)


def check_dmarc(
    domain: DomainName,
    facts: DmarcFacts,
    *,
    wildcard: Answer[Txt] | None = None,
    at_apex: Answer[Txt] | None = None,
    initial_suffixes: tuple[str, ...] = ("onmicrosoft.com",),
) -> tuple[Finding, ...]:
    """Judge DMARC of a domain. `wildcard` is the answer at a random label, `at_apex` the domain's own TXT set."""
    findings = list(_findings(domain, facts, initial_suffixes))
    findings += _wildcard(domain, facts, wildcard)
    findings += _wrong_name(domain, facts, at_apex)
    return tuple(findings)


def _findings(domain: DomainName, facts: DmarcFacts, initial_suffixes: tuple[str, ...]) -> Iterator[Finding]:
    name = f"_dmarc.{domain.ascii}"
    if isinstance(facts.at_name, LookupFailed):
        yield could_not_look(domain, name, "TXT", facts.at_name)
        return
    if isinstance(facts.alias, Found) and isinstance(facts.at_name, Found) and not facts.at_name.via:
        yield finding(
            "CNAME-TXT-CONFLICT",
            domain,
            f"{name} has a CNAME and a TXT record",
            seen=f"CNAME {facts.alias.values[0]}, TXT {shortened(facts.at_name.values[0].text)}",
            evidence=(evidence(name, "CNAME", facts.alias), evidence(name, "TXT", facts.at_name)),
        )
    if isinstance(facts.alias, LookupFailed):
        yield could_not_look(domain, name, "CNAME", facts.alias)
    if facts.walk.failure:
        yield finding("TRANSIENT", domain, "the DMARC tree walk has no verdict", seen=facts.walk.failure)
        return
    step = facts.walk.steps[0]
    yield from _strays(domain, name, facts.at_name)
    if step.count > 1:
        yield finding(
            "DMARC-MULTI",
            domain,
            f"{step.count} DMARC records stand at {name}: all are discarded",
            seen=shortened(" | ".join(_dmarc_texts(facts.at_name))),
            wanted="one record",
            evidence=(evidence(name, "TXT", facts.at_name),),
        )
    elif isinstance(step.record, RecordSyntaxError):
        yield finding(
            "DMARC-VOID",
            domain,
            f"the record is void: {step.record.message}",
            seen=shortened(step.text),
            wanted=step.record.expected,
            evidence=(evidence(name, "TXT", facts.at_name),),
        )
    elif step.record is None:
        yield _absent(domain, facts, initial_suffixes)
    else:
        yield from _record_findings(domain, step, step.record, facts)
    yield from _models_differ(domain, facts)


def _dmarc_texts(answer: Answer[Txt]) -> list[str]:
    found = answer.values if isinstance(answer, Found) else ()
    return [txt.text for txt in found if dmarc.looks_like(txt.text)]


def _strays(domain: DomainName, name: str, answer: Answer[Txt]) -> Iterator[Finding]:
    for txt in answer.values if isinstance(answer, Found) else ():
        if not dmarc.looks_like(txt.text):
            yield finding(
                "DMARC-STRAY-TXT",
                domain,
                f"a TXT record at {name} is no DMARC record"
                + ("; it looks like one with a slip at its beginning" if _SLIP.match(txt.text) else ""),
                seen=shortened(txt.text),
                wanted="v=DMARC1; at the very beginning" if _SLIP.match(txt.text) else "",
            )


def _absent(domain: DomainName, facts: DmarcFacts, initial_suffixes: tuple[str, ...]) -> Finding:
    name = DomainName(f"_dmarc.{domain.ascii}")
    verdict = judge(facts.walk)
    proof = (evidence(name, "TXT", facts.at_name),)
    if any(domain.ascii.endswith(f".{suffix}") for suffix in initial_suffixes):
        value = "v=DMARC1; p=reject; adkim=s; aspf=s; psd=n"
        return finding(
            "DMARC-ONMICROSOFT",
            domain,
            "the tenant’s onmicrosoft.com domain has no DMARC record",
            seen=f"{name}: no record",
            records=(DnsRecord(name, "TXT", value),),
            evidence=proof,
        )
    if verdict.record_name is not None and verdict.policy is not None:
        return finding(
            "DMARC-INHERITED",
            domain,
            f"governed by {verdict.tag}={verdict.policy} of {verdict.record_name}",
            seen=f"{name}: no record",
            evidence=proof,
        )
    return finding(
        "DMARC-MISSING",
        domain,
        "no DMARC record governs the domain" + (f": {verdict.reason}" if verdict.record_name else ""),
        seen=f"{name}: no record",
        wanted="one TXT record that begins with v=DMARC1",
        records=(DnsRecord(name, "TXT", f"v=DMARC1; p=none; rua=mailto:dmarc@{domain.ascii}"),),
        remedy="publish the record shown, with an address that somebody reads",
        evidence=proof,
    )


def _record_findings(
    domain: DomainName, step: WalkStep, record: DmarcRecord, facts: DmarcFacts
) -> Iterator[Finding]:
    name = f"_dmarc.{domain.ascii}"
    for fault in record.faults:
        yield finding(
            _code_of(fault),
            domain,
            f"{fault.tag or 'the record'}: {fault.message}",
            seen=shortened(step.text),
            wanted=f"another value at character {fault.position + 1}",
            evidence=(evidence(name, "TXT", facts.at_name),),
        )
    if record.is_void:
        if not any(fault.tag in ("p", "sp", "np") for fault in record.faults):
            yield finding(
                "DMARC-VOID",
                domain,
                "neither a policy nor a valid rua: receivers apply no DMARC",
                seen=shortened(step.text),
                wanted="p= and a policy",
                evidence=(evidence(name, "TXT", facts.at_name),),
            )
        return
    yield from _policy_findings(domain, step, record)
    yield from _tag_findings(domain, step, record)
    own = organizational_domain(facts.walk)
    for destination in facts.destinations:
        yield from _destination_findings(domain, own, destination)


def _code_of(fault: TagFault) -> str:
    if fault.tag == "p":
        return "DMARC-P-INVALID"
    if fault.tag in ("sp", "np"):
        return "DMARC-SP-INVALID"
    if fault.tag in ("rua", "ruf") and fault.message.startswith("the size"):
        return "DMARC-SIZE-SUFFIX"
    return "DMARC-SYNTAX"


def _policy_findings(domain: DomainName, step: WalkStep, record: DmarcRecord) -> Iterator[Finding]:
    policy = record.applies(is_subdomain=False, exists=True)
    seen = shortened(step.text)
    if policy is Policy.NONE:
        yield finding("DMARC-NONE", domain, "the policy is none: it watches, and protects nothing", seen=seen)
    elif policy is Policy.QUARANTINE:
        yield finding("DMARC-QUARANTINE", domain, "the policy is quarantine", seen=seen, wanted="p=reject")
    if policy is not None and _STRENGTH[record.subdomain_policy or policy] < _STRENGTH[policy]:
        yield finding(
            "DMARC-SP-WEAKER",
            domain,
            f"sp={record.subdomain_policy} is weaker than p={policy}",
            seen=seen,
            wanted=f"sp={policy}, or no sp",
        )
    absent_names = record.applies(is_subdomain=True, exists=False)
    if record.nonexistent_policy is None and absent_names is not Policy.REJECT:
        yield finding("DMARC-NP-ABSENT", domain, "names that do not exist may be forged", seen=seen)
    if record.is_testing:
        lowered = policy.one_level_down if policy else Policy.NONE
        yield finding(
            "DMARC-TEST-MODE",
            domain,
            f"t=y: receivers of RFC 9989 apply {lowered}, older ones {policy}",
            seen=seen,
            wanted="no t=y",
        )


def _tag_findings(domain: DomainName, step: WalkStep, record: DmarcRecord) -> Iterator[Finding]:
    seen = shortened(step.text)
    for tag, value in record.historic:
        if tag == "pct" and value != "100":
            yield finding(
                "DMARC-PCT-RAMP",
                domain,
                f"pct={value} counts as 100 at receivers of RFC 9989",
                seen=seen,
                wanted="no pct",
            )
        else:
            yield finding("DMARC-HISTORIC-TAG", domain, f"{tag}={value} is ignored", seen=seen)
    if not record.has_valid_rua:
        yield finding(
            "DMARC-NO-RUA",
            domain,
            "nobody gets aggregate reports",
            seen=seen,
            wanted=f"rua=mailto:dmarc@{domain.ascii}",
        )


def _destination_findings(domain: DomainName, own: DomainName, to: ReportDestination) -> Iterator[Finding]:
    """Judge one destination; `own` is the organizational domain of the record."""
    yield from _takes_mail(domain, to)
    if to.authorization is None or to.walk is None:
        return
    name = f"{domain.ascii}._report._dmarc.{to.host.ascii}"
    if isinstance(to.authorization, LookupFailed):
        yield could_not_look(domain, name, "TXT", to.authorization)
        return
    if not to.walk.failure and organizational_domain(to.walk) == own:
        return  # RFC 9990 §4: one organization needs no agreement with itself
    texts = [txt.text for txt in to.authorization.values] if isinstance(to.authorization, Found) else []
    if any(text.startswith("v=DMARC1") for text in texts):
        return
    if to.walk.failure:  # the host may belong to the same organization
        yield finding(
            "TRANSIENT",
            domain,
            f"the DMARC tree walk of {to.host} has no verdict",
            seen=to.walk.failure,
        )
        return
    if len(name) > MAX_NAME:
        yield finding(
            "DMARC-RUA-UNAUTH",
            domain,
            f"{to.host} cannot agree to receive reports about {domain}: the name of its record would be too long",
            seen=f"{len(name)} characters: {name}",
            wanted=f"at most {MAX_NAME} characters: reports to a host of the same organization, or a shorter one",
        )
        return
    yield finding(
        "DMARC-RUA-UNAUTH",
        domain,
        f"{to.host} has not agreed to receive reports about {domain}",
        seen=f"{name}: " + (shortened(" | ".join(texts)) if texts else "no record"),
        wanted="a TXT record that begins with v=DMARC1",
        records=(DnsRecord(DomainName(name), "TXT", "v=DMARC1;"),),
        evidence=(evidence(name, "TXT", to.authorization),),
    )


def _takes_mail(domain: DomainName, to: ReportDestination) -> Iterator[Finding]:
    if isinstance(to.mx, LookupFailed):
        yield could_not_look(domain, to.host, "MX", to.mx)
        return
    is_null = isinstance(to.mx, Found) and all(not mx.host for mx in to.mx.values)
    if isinstance(to.address, LookupFailed):
        yield could_not_look(domain, to.host, "A", to.address)
    elif is_null or isinstance(to.address, Missing):
        yield finding(
            "DMARC-RUA-NOMX",
            domain,
            f"{to.host} takes no mail, so that no report arrives",
            seen=f"{to.tag}={shortened(to.uri)}; {to.host} has "
            + ("a null MX" if is_null else "no MX, no A"),
            evidence=(evidence(to.host, "MX", to.mx),),
        )


def old_verdict(domain: DomainName, facts: DmarcFacts) -> DmarcVerdict:
    """Judge as receivers of RFC 7489 do, from the steps of the walk: the domain, then the organizational domain."""
    steps = {step.name: step for step in (*facts.walk.steps, *([facts.old_step] if facts.old_step else ()))}
    organizational = facts.psl_organizational
    step = steps.get(domain)
    if step is None or step.count == 0:
        step = steps.get(organizational)
    if step is None or not isinstance(step.record, DmarcRecord):
        return DmarcVerdict(organizational, reason="no DMARC record governs this domain")
    policy = step.record.applies(is_subdomain=step.name != domain, exists=True)
    tag = "sp" if step.name != domain and step.record.subdomain_policy is not None else "p"
    return DmarcVerdict(organizational, step.name, step.record, policy, tag if policy else "")


def old_policy_below(facts: DmarcFacts) -> Policy | None:
    """Give the policy of subdomains without a record as receivers of RFC 7489 see it; they know no np."""
    steps = {step.name: step for step in (*facts.walk.steps, *([facts.old_step] if facts.old_step else ()))}
    step = steps.get(facts.psl_organizational)
    if step is None or not isinstance(step.record, DmarcRecord):
        return None
    return step.record.applies(is_subdomain=True, exists=True)  # RFC 7489 §6.6.3


def _models_differ(domain: DomainName, facts: DmarcFacts) -> Iterator[Finding]:
    """Tell where receivers of the two models end at different records.

    Without any record there is nothing to differ about.
    """
    if facts.old_step is not None and facts.old_step.failure:
        yield finding(
            "TRANSIENT",
            domain,
            f"TXT of _dmarc.{facts.old_step.name} could not be looked up",
            seen=facts.old_step.failure,
        )
        return
    new, old = judge(facts.walk), old_verdict(domain, facts)
    if new.record_name != old.record_name:
        yield finding(
            "DMARC-PSL-TREEWALK-DIFFER",
            domain,
            f"new receivers take the record of {new.record_name or 'nobody'}, old ones that of {old.record_name or 'nobody'}",
            seen=f"organizational domain: {new.organizational_domain} by the tree, {old.organizational_domain} by the list",
        )


def _wildcard(domain: DomainName, facts: DmarcFacts, wildcard: Answer[Txt] | None) -> Iterator[Finding]:
    record = facts.walk.steps[0].record if facts.walk.steps else None
    if not isinstance(record, DmarcRecord) or record.nonexistent_policy is None or wildcard is None:
        return
    if isinstance(wildcard, Missing) and wildcard.kind.value == "nxdomain":
        return
    if record.nonexistent_policy is record.applies(is_subdomain=True, exists=True):
        return
    if isinstance(wildcard, LookupFailed):
        yield could_not_look(domain, f"*.{domain}", "TXT", wildcard)
        return
    yield finding(
        "DMARC-NP-USELESS-WILDCARD",
        domain,
        f"a wildcard makes every name exist: np={record.nonexistent_policy} never applies",
        seen=f"a random name below {domain} exists",
    )


def _wrong_name(domain: DomainName, facts: DmarcFacts, at_apex: Answer[Txt] | None) -> Iterator[Finding]:
    for name, answer in ((f"_dmarc._dmarc.{domain.ascii}", facts.misplaced), (domain.ascii, at_apex)):
        for text in _dmarc_texts(answer) if answer is not None else ():
            is_wildcard = isinstance(facts.at_name, Found) and text in _dmarc_texts(facts.at_name)
            if name.startswith("_dmarc._dmarc.") and is_wildcard:
                continue  # a wildcard below _dmarc answers with the record itself
            yield finding(
                "DMARC-WRONG-NAME",
                domain,
                f"a DMARC record stands at {name}, where nobody looks",
                seen=shortened(text),
                wanted=f"_dmarc.{domain}",
                records=(DnsRecord(DomainName(f"_dmarc.{domain.ascii}"), "TXT", text),),
            )
