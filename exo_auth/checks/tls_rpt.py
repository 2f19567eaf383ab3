"""What is wrong with a domain's TLS-RPT (checks, pure). RFC 8460."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import absence, could_not_look, evidence, shortened
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing, Txt
from exo_auth.records import tls_rpt


def check_tls_rpt(domain: DomainName, answer: Answer[Txt]) -> tuple[Finding, ...]:
    """Judge the TXT set at `_smtp._tls.<domain>`."""
    return tuple(_findings(domain, answer))


def _findings(domain: DomainName, answer: Answer[Txt]) -> Iterator[Finding]:
    name = f"_smtp._tls.{domain.ascii}"
    if isinstance(answer, LookupFailed):
        yield could_not_look(domain, name, "TXT", answer)
        return
    texts = [txt.text for txt in answer.values] if isinstance(answer, Found) else []
    records = [text for text in texts if tls_rpt.looks_like(text)]
    near = [
        text for text in texts if text.strip(" \"'").lower().startswith("v=tlsrpt") and text not in records
    ]
    if len(records) > 1:
        yield finding(
            "TLSRPT-MULTI",
            domain,
            f"{len(records)} TLS-RPT records stand at {name}",
            seen=shortened(" | ".join(records)),
            evidence=(evidence(name, "TXT", answer),),
        )
    elif records:
        yield from _record_findings(domain, records[0])
    elif near:
        yield finding(
            "TLSRPT-SYNTAX",
            domain,
            "a record that looks like TLS-RPT and is discarded",
            seen=shortened(near[0]),
            wanted="v=TLSRPTv1; at the very beginning",
            evidence=(evidence(name, "TXT", answer),),
        )
    else:
        yield finding(
            "TLSRPT-MISSING",
            domain,
            "there is no TLS-RPT",
            seen=absence(name, "TXT", answer) if isinstance(answer, Missing) else f"{name}: no such record",
            records=(DnsRecord(DomainName(name), "TXT", f"v=TLSRPTv1; rua=mailto:tls@{domain.ascii}"),),
            evidence=(evidence(name, "TXT", answer),),
        )


def _record_findings(domain: DomainName, text: str) -> Iterator[Finding]:
    try:
        record = tls_rpt.parse(text)
    except RecordSyntaxError as error:
        yield finding(
            "TLSRPT-SYNTAX",
            domain,
            f"the record is void: {error.message}",
            seen=shortened(text),
            wanted=error.expected,
        )
        return
    for uri in record.unusable:
        yield finding(
            "TLSRPT-SCHEME",
            domain,
            f"“{shortened(uri)}” is no address that reports can go to",
            seen=shortened(text),
            wanted=f"mailto:{uri}" if "@" in uri and ":" not in uri else "mailto: or https:",
        )
    hosts = {_mail_host(uri) for uri in record.rua if uri not in record.unusable}
    if hosts == {domain.ascii}:
        yield finding(
            "TLSRPT-SELF-DEST",
            domain,
            "reports about the domain go to the domain alone",
            seen=shortened(text),
        )


def _mail_host(uri: str) -> str:
    split = urlsplit(uri)
    return split.path.rpartition("@")[2].lower() if split.scheme.lower() == "mailto" else split.netloc
