"""Findings as one HTML file: no script, nothing fetched, readable on a phone, on paper, by day and by night (render, pure)."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape

from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import DnsRecord, Finding, Severity
from exo_auth.domain_name import DomainName
from exo_auth.render.evidence_text import evidence_heads
from exo_auth.render.findings_writer import FindingsWriter
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible
from exo_auth.render.times import moment

MOST_SHOWN = 30  # domains in the summary before it has to be opened

_WORST_FIRST = (Severity.FAIL, Severity.UNKNOWN, Severity.WARN, Severity.INFO)
_STYLE = """
:root{color-scheme:light dark;--fg:#1a1c20;--bg:#fff;--soft:#f3f4f6;--line:#d5d8de;--muted:#565b66;--link:#0b57d0;
--fail:#b3261e;--unknown:#7b2f8f;--warn:#8a5a00;--info:#1b5e85;--ok:#1d6b35}
@media (prefers-color-scheme:dark){:root{--fg:#e6e7ea;--bg:#16181c;--soft:#212429;--line:#3a3f47;--muted:#a4aab5;
--link:#8ab4f8;--fail:#ff8a80;--unknown:#d7a1e8;--warn:#f2c14e;--info:#84c5ec;--ok:#7fd39a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,"Segoe UI",Roboto,sans-serif;
display:flex;flex-direction:column;min-height:100vh}
header,main,footer{width:100%;max-width:60rem;margin:0 auto;padding:1rem}
header{order:0}#summary{order:1}main{order:2}#end{order:3}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:0;overflow-wrap:anywhere;font-weight:600}
p{margin:.35rem 0;overflow-wrap:anywhere}a{color:var(--link)}.muted{color:var(--muted)}
.counts{display:flex;flex-wrap:wrap;gap:.5rem;padding:0;list-style:none;margin:.5rem 0}
.counts li{border:1px solid var(--line);border-radius:.5rem;padding:.25rem .75rem;background:var(--soft)}
.counts b{font-size:1.2rem;margin-right:.35rem}
article{border:1px solid var(--line);border-left:.35rem solid var(--mark);border-radius:.5rem;padding:.75rem 1rem;
margin:.75rem 0;background:var(--soft)}
article:target{outline:2px solid var(--link)}
.fail{--mark:var(--fail)}.unknown{--mark:var(--unknown)}.warn{--mark:var(--warn)}.info{--mark:var(--info)}
.ok{--mark:var(--ok)}.badge{color:var(--mark);font-weight:700;text-transform:uppercase;font-size:.8rem;
letter-spacing:.04em;margin-right:.5rem}
dl{display:grid;grid-template-columns:6rem minmax(0,1fr);gap:.15rem .75rem;margin:.5rem 0 0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere;min-width:0}
code,pre{font-family:ui-monospace,Consolas,Menlo,monospace;font-size:.9em}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.25rem 0;padding:.5rem;border:1px solid var(--line);
border-radius:.35rem;background:var(--bg)}
details{margin-top:.5rem}summary{cursor:pointer;color:var(--muted)}
.anchor{text-decoration:none;font-size:.85rem;margin-left:.35rem}
@media (max-width:36rem){dl{grid-template-columns:minmax(0,1fr)}dt{margin-top:.35rem}header,main,footer{padding:.75rem}}
.domains{columns:16rem;padding:0;list-style:none;margin:.5rem 0}.domains li{overflow-wrap:anywhere;break-inside:avoid}
@media print{:root{--fg:#000;--bg:#fff;--soft:#fff;--line:#999;--muted:#333;--link:#000}body{font-size:10pt}
header,main,footer{padding:0 0 .5rem}article{break-inside:avoid}h2{break-after:avoid}.anchor{display:none}
details>summary{list-style:none}details::details-content{display:block;content-visibility:visible}
@supports not selector(details::details-content){details{display:none}}}
"""
_RFC = re.compile(r"RFC (\d+)(?: §([\d.]*\d))?")
_PAGE = re.compile(r"\blearn\.microsoft\.com/[\w./-]*\w")


class HtmlFindings(FindingsWriter):
    """Streams like the other writers; the summary comes last in the file and is shown first."""

    def __init__(self, at: datetime, profile: Profile, *, beside_baseline: bool = False) -> None:
        self._at, self._profile = at, profile
        self._nothing, self._in_order = ("no change", "unchanged") if beside_baseline else ("ok", "in order")
        self._worst: dict[str, Severity] = {}  # by domain, of those that are not in order

    def begin(self) -> str:
        """Write the head of the page."""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>E-mail authentication, {moment(self._at)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            f'<header><h1>E-mail authentication</h1><p class="muted">Checked {moment(self._at)} by exo-auth under the '
            f'profile {self._profile}. <a href="#summary">Summary</a></p></header>\n<main>\n'
        )

    def domain(self, report: DomainReport) -> str:
        """Write the section of one domain."""
        name = report.domain.ascii
        findings = sorted(report.findings, key=lambda one: _WORST_FIRST.index(one.severity))
        numbers: dict[str, int] = {}
        parts = []
        for one in findings:
            numbers[one.code] = numbers.get(one.code, 0) + 1
            parts.append(_article(one, _anchor(name, one.code, numbers[one.code])))
        gate = ""
        if report.gate is not None:
            gate = f"<p>Gate <code>{escape(report.gate.gate)}</code>: <b>{escape(report.gate.state)}</b></p>"
        parts += [
            f'<article class="ok"><h3><span class="badge">gone</span>{escape(visible(past.message))}</h3>'
            f'<p class="muted"><code>{escape(past.code)}</code></p></article>\n'
            for past in report.gone
        ]
        if report.worst is not None:
            self._worst[name] = findings[0].severity
        nothing = f'<span class="badge">{self._nothing}</span>{self._in_order}'
        body = "".join(parts) or f'<article class="ok"><h3>{nothing}</h3></article>\n'
        return (
            f'<section id="{escape(name)}" aria-label="{escape(name)}">\n<h2>{escape(visible(report.domain.unicode))}'
            f'<a class="anchor" href="#{escape(name)}">#</a></h2>\n{gate}{body}</section>\n'
        )

    def end(self, tally: Tally) -> str:
        """Write the summary."""
        counts = "".join(
            f'<li class="{severity.value}"><b class="badge">{tally.by_severity[severity.value]}</b>{severity.value}</li>'
            for severity in _WORST_FIRST
        )
        codes = "".join(
            f"<li><code>{escape(code)}</code> {escape(CATALOGUE[code].title)}: {number}</li>"
            for code, number in sorted(tally.by_code.items(), key=lambda item: (-item[1], item[0]))[:12]
        )
        total = len(tally.domains)
        frequent = f"<details><summary>Most frequent</summary><ul>{codes}</ul></details>" if codes else ""
        return (
            f'</main>\n<footer id="summary"><p>{total} domain{"s" if total != 1 else ""}, {tally.clean} {self._in_order}.</p>'
            f'<ul class="counts">{counts}</ul>{self._contents(tally) if total > 1 else ""}{frequent}</footer>\n'
            "</body>\n</html>\n"
        )

    def _contents(self, tally: Tally) -> str:
        """List the domains, so that nobody has to scroll for one."""
        items = "".join(
            f'<li class="{self._worst.get(name, "ok")}"><span class="badge">{self._worst.get(name, "ok")}</span>'
            f'<a href="#{escape(name)}">{escape(visible(DomainName(name).unicode))}</a></li>'
            for name in tally.domains
        )
        is_short = " open" if len(tally.domains) <= MOST_SHOWN else ""
        return f'<details{is_short}><summary>Domains</summary><ul class="domains">{items}</ul></details>'


def _anchor(domain: str, code: str, number: int) -> str:
    return f"{domain}-{code}" + (f"-{number}" if number > 1 else "")


def _article(one: Finding, anchor: str) -> str:
    rows = [("Seen", _text(one.seen)), ("Wanted", _text(one.wanted)), ("Do", escape(visible(one.remedy)))]
    rows += [("Publish", _record(record)) for record in one.records]
    rows += [("Not before", moment(one.not_before))]
    rows += [("Source", _linked(one.source)), ("Frameworks", escape(", ".join(one.frameworks)))]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value)
    return (
        f'<article class="{one.severity.value}" id="{escape(anchor)}"><h3><span class="badge">{one.severity.value}</span>'
        f'{escape(visible(one.message))}<a class="anchor" href="#{escape(anchor)}">#</a></h3>'
        f'<p class="muted"><code>{escape(one.code)}</code> {escape(CATALOGUE[one.code].why)}</p>'
        f"<dl>{listed}</dl>{_evidence(one)}</article>\n"
    )


def _text(value: str) -> str:
    return f"<code>{escape(visible(value))}</code>" if value else ""


def _record(record: DnsRecord) -> str:
    return f"<pre>{escape(visible(record_line(record)))}</pre>"


def _linked(source: str) -> str:
    """Link RFC sections and Microsoft's pages; nothing is fetched before somebody follows them."""
    text = _RFC.sub(lambda rfc: _link(_rfc_address(rfc[1], rfc[2]), rfc[0]), escape(source))
    return _PAGE.sub(lambda page: _link(f"https://{page[0]}", page[0]), text)


def _rfc_address(number: str, section: str | None) -> str:
    return f"https://www.rfc-editor.org/rfc/rfc{number}" + (f"#section-{section}" if section else "")


def _link(address: str, text: str) -> str:
    return f'<a href="{address}" rel="noreferrer">{text}</a>'


def _evidence(one: Finding) -> str:
    if not one.evidence:
        return ""
    lines = ["\n".join([head, *(f"  {value}" for value in values)]) for head, values in evidence_heads(one)]
    return f"<details><summary>Evidence</summary><pre>{escape(visible_lines(lines))}</pre></details>"


def visible_lines(lines: list[str]) -> str:
    """Make each line safe and keep the line ends between them."""
    return "\n".join(visible(part) for line in lines for part in line.split("\n"))
