"""Is a BIMI record well-formed, and does DMARC carry it? (checks, pure)"""

from __future__ import annotations

from collections.abc import Iterator

from exo_auth.checks.catalogue import finding
from exo_auth.checks.dmarc_policy import judge
from exo_auth.checks.evidence import could_not_look, shortened
from exo_auth.checks.finding import Finding
from exo_auth.domain_name import DomainName
from exo_auth.facts.dmarc import DmarcWalk
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.records.dmarc import Policy


def check_bimi(domain: DomainName, answer: Answer[Txt], walk: DmarcWalk | None) -> tuple[Finding, ...]:
    """Judge the TXT set at `default._bimi.<domain>`; nothing is said where there is none."""
    return tuple(_findings(domain, answer, walk))


def _findings(domain: DomainName, answer: Answer[Txt], walk: DmarcWalk | None) -> Iterator[Finding]:
    if isinstance(answer, LookupFailed):
        yield could_not_look(domain, f"default._bimi.{domain.ascii}", "TXT", answer)
        return
    texts = [txt.text for txt in answer.values] if isinstance(answer, Found) else []
    records = [text for text in texts if text.replace(" ", "").lower().startswith("v=bimi1")]
    for text in records:
        problem = _problem(text)
        if problem:
            yield finding("BIMI-SYNTAX", domain, problem, seen=shortened(text))
    if records and walk is not None and not walk.failure:
        policy = judge(walk).policy
        if policy not in (Policy.QUARANTINE, Policy.REJECT):
            yield finding(
                "BIMI-DMARC", domain, f"a logo is published while the DMARC policy is {policy or 'absent'}"
            )


def _problem(text: str) -> str:
    tags = {
        part.partition("=")[0].strip().lower(): part.partition("=")[2].strip() for part in text.split(";")
    }
    if "l" not in tags:
        return "the record has no l="
    for tag in ("l", "a"):
        if tags.get(tag) and not tags[tag].lower().startswith("https://"):
            return f"{tag}= is no https address"
    return ""
