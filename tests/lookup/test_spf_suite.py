"""The RFC 7208 test suite, all of it, over real sockets; and tables of our own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
import yaml

from exo_auth.facts.spf import SpfResult
from exo_auth.lookup.spf_evaluation import Envelope, check_host

Zone = dict[str, list[Any]]


def records(zone: Zone, name: str, rdtype: str) -> list[Any] | None:
    """Give the values of a type at a name; None means that the server fails there (the suite's TIMEOUT)."""
    entries = zone.get(name.lower(), [])
    if not entries and name.lower().startswith("error."):
        return None
    has_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
    found: list[Any] = []
    answered = False
    for entry in entries:
        if entry == "TIMEOUT":
            return found if answered else None
        for kind, value in entry.items():
            kinds = ("SPF",) if has_txt else ("SPF", "TXT")
            if rdtype in (kinds if kind == "SPF" else (kind,)):
                if value == "TIMEOUT":
                    return None
                if value != "NONE":
                    answered = True
                    found.append(value)
    return found


def rdata(rdtype: str, value: Any) -> dns.rdata.Rdata:
    if rdtype == "TXT":
        strings = [value] if isinstance(value, str) else list(value) or [""]
        wire = b"".join(bytes([len(part)]) + part for text in strings for part in [_octets(text)])
        return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))
    if rdtype == "MX":
        text = f"{value[0]} {value[1] or '.'}{'' if str(value[1]).endswith('.') or not value[1] else '.'}"
    elif rdtype in ("CNAME", "PTR"):
        text = f"{value}."
    else:
        text = str(value)
    return dns.rdata.from_text(dns.rdataclass.IN, rdtype, text)


def _wire_name(text: str) -> dns.name.Name:
    return dns.name.Name([*(label.encode("latin-1") for label in text.split(".")), b""])


def _octets(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")


def script_for(zone: Zone) -> Callable[[Any], Any]:
    def script(asked: Any) -> dns.message.Message:
        message = dns.message.make_response(asked.message)
        labels = asked.message.question[0].name.labels[:-1]
        name, rdtype = b".".join(labels).decode("latin-1"), asked.type
        for _ in range(6):
            values = records(zone, name, rdtype)
            if values is None:
                message.set_rcode(dns.rcode.SERVFAIL)
                return message
            if values:
                owner = _wire_name(name)
                message.answer.append(
                    dns.rrset.from_rdata_list(owner, 60, [rdata(rdtype, v) for v in values])
                )
                break
            alias = records(zone, name, "CNAME")
            if not alias:
                if name.lower() not in zone:
                    message.set_rcode(dns.rcode.NXDOMAIN)
                break
            message.answer.append(dns.rrset.from_rdata_list(_wire_name(name), 60, [rdata("CNAME", alias[0])]))
            name = alias[0]
        return message

    return script


def evaluate(lab: SimpleNamespace, zone: Zone, address: str, mail_from: str, helo: str) -> SpfResult:
    server = lab.serve(script_for(zone))
    resolver = lab.resolver(server, timeout=5.0)
    envelope = Envelope.of(address, mail_from, helo)
    return asyncio.run(check_host(resolver, envelope))


def suite() -> Iterator[Any]:
    folder = os.environ.get("EXO_AUTH_CORPORA")
    if not folder:
        return
    text = (Path(folder) / "spf" / "rfc7208-tests.yml").read_text(encoding="utf-8")
    for scenario in yaml.safe_load_all(text):
        zone = {str(name).lower(): entries for name, entries in scenario["zonedata"].items()}
        for name, case in scenario["tests"].items():
            yield pytest.param(zone, case, id=f"{scenario['description']}: {name}")


@pytest.mark.parametrize(("zone", "case"), list(suite()))
def test_the_suite(dns_lab: SimpleNamespace, zone: Zone, case: dict[str, Any]) -> None:
    found = evaluate(dns_lab, zone, case["host"], case["mailfrom"] or "", case["helo"])
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert found.result in wanted, found
    if "explanation" in case and found.result == "fail":
        assert found.explanation == case["explanation"]


ZONE: Zone = {
    "a.example": [{"TXT": "v=spf1 ip4:192.0.2.1 include:b.example ~all"}],
    "b.example": [{"TXT": "v=spf1 a:host.example -all"}],
    "host.example": [{"A": "192.0.2.9"}, {"AAAA": "2001:db8::9"}],
    "r.example": [{"TXT": "v=spf1 redirect=b.example"}],
    "two.example": [{"TXT": "v=spf1 -all"}, {"TXT": "v=spf1 ~all"}],
    "broken.example": [{"TXT": "v=spf1 ip4:999.0.0.1 -all"}],
    "down.example": ["TIMEOUT"],
    "many.example": [{"TXT": "v=spf1 " + " ".join(f"a:h{n}.example" for n in range(11)) + " -all"}],
    **{f"h{n}.example": [{"A": "192.0.2.200"}] for n in range(11)},
    "void.example": [{"TXT": "v=spf1 a:x1.example a:x2.example a:x3.example -all"}],
}
OURS = [  # address, sender, result, lookups, part of the problem, reason
    ("192.0.2.1", "u@a.example", "pass", 0, "", "by its address"),
    ("192.0.2.9", "u@a.example", "pass", 2, "", "by the include's host"),
    ("192.0.2.8", "u@a.example", "softfail", 2, "", "by all"),
    ("::ffff:192.0.2.9", "u@b.example", "pass", 1, "", "an IPv4 address in IPv6"),
    ("2001:db8::9", "u@b.example", "pass", 1, "", "IPv6"),
    ("192.0.2.9", "u@r.example", "pass", 2, "", "by a redirect"),
    ("192.0.2.9", "u@none.example", "none", 0, "no SPF record", "no record"),
    ("192.0.2.9", "u@two.example", "permerror", 0, "2 SPF records", "two records"),
    ("192.0.2.9", "u@broken.example", "permerror", 0, "999.0.0.1", "a term that is wrong"),
    ("192.0.2.9", "u@down.example", "temperror", 0, "SERVFAIL", "a lookup that failed is never none"),
    ("192.0.2.9", "u@many.example", "permerror", 11, "more than 10", "too many lookups"),
    ("192.0.2.9", "u@void.example", "permerror", 3, "found nothing", "too many void lookups"),
]


@pytest.mark.parametrize(
    ("address", "sender", "result", "lookups", "part", "reason"), OURS, ids=[r[5] for r in OURS]
)
def test_ours(
    dns_lab: SimpleNamespace, address: str, sender: str, result: str, lookups: int, part: str, reason: str
) -> None:
    found = evaluate(dns_lab, ZONE, address, sender, "mail.example")
    assert (found.result, found.lookups) == (result, lookups), reason
    assert part in found.problem


def test_the_path_tells_which_term_matched_and_where(dns_lab: SimpleNamespace) -> None:
    found = evaluate(dns_lab, ZONE, "192.0.2.9", "u@a.example", "mail.example")
    assert [(step.domain, step.term, step.matched, step.depth) for step in found.path] == [
        ("a.example", "ip4:192.0.2.1", False, 0),
        ("b.example", "a:host.example", True, 1),
        ("a.example", "include:b.example", True, 0),
    ]


def test_an_empty_sender_is_the_postmaster_of_the_helo_name(dns_lab: SimpleNamespace) -> None:
    assert evaluate(dns_lab, ZONE, "192.0.2.9", "", "b.example").result == "pass"
    assert Envelope.of("192.0.2.1", "@a.example", "h").local_part == "postmaster"
