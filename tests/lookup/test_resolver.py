"""Every way in which DNS answers, and what it is taken for."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import dns.flags
import dns.message
import pytest

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind
from exo_auth.lookup.canary import check_resolver
from exo_auth.lookup.mail_dns import gather_all
from exo_auth.lookup.resolver import StubResolver
from exo_auth.lookup.servers import HttpsServer, TlsServer, parse_nameserver
from exo_auth.lookup.system_servers import read_resolv_conf

NAME = DomainName.parse_lookup("selector1._domainkey.a.example")
OWNER = "selector1._domainkey.a.example."
SOA = ("example. 600 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 300",)


def txt(resolver: StubResolver, name: DomainName = NAME) -> Any:
    return asyncio.run(resolver.txt(name))


def cname(resolver: StubResolver, name: DomainName = NAME) -> Any:
    return asyncio.run(resolver.cname(name))


def ask(lab: SimpleNamespace, script: Callable[[Any], Any], **how: Any) -> Any:
    return txt(lab.resolver(lab.serve(script), **how))


def test_a_chain_is_kept_hop_by_hop(dns_lab: SimpleNamespace) -> None:
    found = ask(
        dns_lab,
        lambda q: q.reply(
            f"{OWNER} 300 IN CNAME Key.Contoso.example.",
            "key.contoso.example. 200 IN CNAME end.example.",
            'end.example. 100 IN TXT "v=DKIM1;" " p="',
        ),
    )
    assert isinstance(found, Found)
    assert [(hop.owner.ascii, hop.target.ascii, hop.ttl.seconds) for hop in found.via] == [
        (NAME.ascii, "key.contoso.example", 300),
        ("key.contoso.example", "end.example", 200),
    ]
    assert found.values[0].chunks == (b"v=DKIM1;", b" p=")
    assert found.values[0].text == "v=DKIM1; p="
    assert found.ttl == timedelta(seconds=100)


def test_a_chain_of_which_a_server_gives_only_a_part_is_followed(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        if q.name == NAME.ascii:
            return q.reply(f"{OWNER} 300 IN CNAME end.example.")
        return q.reply('end.example. 100 IN TXT "x"')

    found = ask(dns_lab, script)
    assert isinstance(found, Found)
    assert [hop.target.ascii for hop in found.via] == ["end.example"]


MISSING = [  # answer, kind, negative TTL, reason
    (
        lambda q: q.reply(rcode="NXDOMAIN", authority=SOA),
        MissingKind.NXDOMAIN,
        300,
        "no such name; the SOA's minimum",
    ),
    (lambda q: q.reply(authority=SOA), MissingKind.NODATA, 300, "another type only"),
    (
        lambda q: q.reply(rcode="NXDOMAIN", authority=(SOA[0].replace(" 600 IN", " 60 IN", 1),)),
        MissingKind.NXDOMAIN,
        60,
        "the SOA's own TTL is shorter, RFC 2308 §5",
    ),
    (lambda q: q.reply(rcode="NXDOMAIN"), MissingKind.NXDOMAIN, None, "no SOA: nobody says how long"),
    (lambda q: q.reply(), MissingKind.NODATA, None, "an empty answer"),
    (
        lambda q: q.reply(f"{OWNER} 300 IN CNAME gone.example.", rcode="NXDOMAIN", authority=SOA),
        MissingKind.NXDOMAIN,
        300,
        "the end of the chain does not exist",
    ),
]


@pytest.mark.parametrize(("script", "kind", "ttl", "reason"), MISSING, ids=[row[3] for row in MISSING])
def test_missing(
    dns_lab: SimpleNamespace, script: Any, kind: MissingKind, ttl: int | None, reason: str
) -> None:
    answer = ask(dns_lab, script)
    assert isinstance(answer, Missing), reason
    assert answer.kind is kind
    assert answer.negative_ttl == (timedelta(seconds=ttl) if ttl else None)


def bogus(q: Any) -> Any:
    if q.checking_disabled:
        return q.reply(f'{OWNER} 60 IN TXT "x"')
    return q.reply(rcode="SERVFAIL")


FAILED = [  # answer, reason of the failure, may it pass by itself, reason
    (lambda q: q.reply(rcode="SERVFAIL"), FailureReason.SERVFAIL, True, "the server fails"),
    (bogus, FailureReason.BOGUS, False, "the same question is answered without validation"),
    (lambda q: q.reply(rcode="REFUSED"), FailureReason.REFUSED, None, "a lame server"),
    (lambda q: None, FailureReason.TIMEOUT, True, "silence"),
    (lambda q: q.octets[:2] + b"\x80\x00 rubbish", FailureReason.MALFORMED, None, "no DNS message"),
    (
        lambda q: q.reply(f"{OWNER} 60 IN CNAME b.example.", f"b.example. 60 IN CNAME {OWNER}"),
        FailureReason.LOOP,
        False,
        "two CNAMEs that point at each other",
    ),
    (
        lambda q: q.reply(
            f"{OWNER} 60 IN CNAME n0.example.",
            *(f"n{i}.example. 60 IN CNAME n{i + 1}.example." for i in range(20)),
        ),
        FailureReason.LOOP,
        False,
        "a chain without an end in sight",
    ),
]


@pytest.mark.parametrize(("script", "why", "temporary", "reason"), FAILED, ids=[row[3] for row in FAILED])
def test_failed(
    dns_lab: SimpleNamespace, script: Any, why: FailureReason, temporary: bool | None, reason: str
) -> None:
    answer = ask(dns_lab, script, timeout=0.6, attempts=1)
    assert isinstance(answer, LookupFailed), reason
    assert answer.reason is why
    assert temporary is None or answer.temporary is temporary
    assert answer.detail


def test_a_closed_port_is_a_network_failure_or_silence() -> None:
    answer = txt(StubResolver((("127.0.0.1", 1),), timeout=0.5, attempts=1))
    assert isinstance(answer, LookupFailed)
    assert answer.reason in (FailureReason.NETWORK, FailureReason.TIMEOUT)


def test_no_server_at_all_is_a_network_failure() -> None:
    answer = txt(StubResolver(()))
    assert isinstance(answer, LookupFailed)
    assert answer.reason is FailureReason.NETWORK


def test_the_next_server_is_asked_when_the_first_gives_no_verdict(dns_lab: SimpleNamespace) -> None:
    lame = dns_lab.serve(lambda q: q.reply(rcode="REFUSED"))
    good = dns_lab.serve(lambda q: q.reply(f'{OWNER} 60 IN TXT "x"'))
    found = txt(dns_lab.resolver(lame, good))
    assert isinstance(found, Found)
    assert found.server == f"127.0.0.1:{good.address[1]}"


def test_a_lost_datagram_is_asked_for_again(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        return None if len(server.asked) == 1 else q.reply(f'{OWNER} 60 IN TXT "x"')

    server = dns_lab.serve(script)
    assert isinstance(txt(dns_lab.resolver(server, timeout=2.0, attempts=4)), Found)
    assert len(server.asked) == 2


def test_a_truncated_answer_is_asked_for_over_tcp(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        if q.over == "udp":
            return q.reply(flags=dns.flags.TC)
        return q.reply(f'{OWNER} 60 IN TXT "x"')

    server = dns_lab.serve(script)
    assert isinstance(txt(dns_lab.resolver(server)), Found)
    assert [asked.over for asked in server.asked] == ["udp", "tcp"]


def test_an_answer_with_another_id_or_question_is_not_ours(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        forged = q.reply(f'{OWNER} 60 IN TXT "forged"')
        forged.id ^= 1
        other = dns.message.make_response(dns.message.make_query("other.example", "TXT"))
        other.id = q.message.id
        return [forged, other, q.reply(f'{OWNER} 60 IN TXT "true"')]

    assert ask(dns_lab, script).values[0].text == "true"


def test_a_server_that_does_not_know_edns_is_asked_without(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        return q.reply(rcode="FORMERR") if q.edns else q.reply(f'{OWNER} 60 IN TXT "x"')

    server = dns_lab.serve(script)
    assert isinstance(txt(dns_lab.resolver(server)), Found)
    assert [asked.edns for asked in server.asked] == [True, False]


def test_a_validated_answer_says_so(dns_lab: SimpleNamespace) -> None:
    assert ask(dns_lab, lambda q: q.reply(f'{OWNER} 60 IN TXT "x"', flags=dns.flags.AD)).authenticated


def test_the_cname_of_a_name_is_asked_for_itself(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(
        lambda q: q.reply(f"{OWNER} 300 IN CNAME b.example.", "b.example. 60 IN CNAME c.example.")
    )
    found = cname(dns_lab.resolver(server))
    assert [target.ascii for target in found.values] == ["b.example"]
    assert server.asked[0].type == "CNAME"


def test_a_name_without_a_cname_has_none(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(authority=SOA))
    assert cname(dns_lab.resolver(server)).kind is MissingKind.NODATA


def test_the_same_question_at_the_same_time_is_asked_once(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(f'{OWNER} 60 IN TXT "x"'))

    async def thrice() -> list[Any]:
        resolver = dns_lab.resolver(server)
        return list(await asyncio.gather(*(resolver.txt(NAME) for _ in range(3))))

    assert all(isinstance(answer, Found) for answer in asyncio.run(thrice()))
    assert len(server.asked) == 1


def test_several_questions_are_answered_in_their_order(dns_lab: SimpleNamespace) -> None:
    records = {"MX": "10 mx.example.", "TXT": '"x"', "CNAME": "b.example.", "A": "192.0.2.7"}

    def script(q: Any) -> Any:
        if q.name.startswith("none"):
            return q.reply(rcode="NXDOMAIN", authority=SOA)
        return None if q.name.startswith("lost") else q.reply(f"{q.name}. 60 IN {q.type} {records[q.type]}")

    server = dns_lab.serve(script)
    asked = [
        (NAME, "MX"),
        (NAME.child("lost"), "A"),
        (NAME, "TXT"),
        (NAME.child("none"), "MX"),
        (NAME, "CNAME"),
    ]

    async def go() -> Any:
        resolver = dns_lab.resolver(server, timeout=0.2, attempts=1)
        assert await resolver.resolve_all([]) == []
        return await resolver.resolve_all([*asked, (NAME, "TXT")]), resolver.questions

    (mx, lost, text, none, alias, again), questions = asyncio.run(go())
    assert mx.values[0].host == "mx.example"
    assert lost.reason is FailureReason.TIMEOUT
    assert text.values == again.values == ((b"x",),)
    assert none.kind is MissingKind.NXDOMAIN
    assert alias.values == ("b.example",)
    assert questions == 5  # the same question is asked once


# All questions about one mail domain


def test_a_mail_domain_is_asked_about_both_selectors_and_the_wildcard(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        if q.name.startswith("selector1._domainkey.a.example.a."):
            return q.reply(rcode="NXDOMAIN", authority=SOA)
        if q.name.startswith("selector1"):
            return q.reply(
                f"{OWNER} 60 IN CNAME k.example.",
                *(['k.example. 60 IN TXT "v=DKIM1; p=!"'] * (q.type == "TXT")),
            )
        return q.reply(rcode="NXDOMAIN", authority=SOA)

    server = dns_lab.serve(script)
    done: list[str] = []

    async def gather() -> Any:
        domains = (DomainName.parse("a.example"),)
        return await gather_all(
            dns_lab.resolver(server),
            domains,
            random_label="probe",
            on_done=lambda name: done.append(name.ascii),
        )

    facts = asyncio.run(gather())[DomainName.parse("a.example")]
    assert done == ["a.example"]
    assert isinstance(facts.selector1.cname, Found)
    assert isinstance(facts.selector1.key.values[0].parsed, RecordSyntaxError)
    assert facts.selector1.doubled is None
    assert isinstance(facts.selector2.cname, Missing)
    assert isinstance(facts.selector2.doubled, Missing)
    assert isinstance(facts.wildcard, Missing)
    assert "probe._domainkey.a.example" in {asked.name for asked in server.asked}


def test_a_domain_too_long_to_be_doubled_is_no_trouble(dns_lab: SimpleNamespace) -> None:
    long = DomainName.parse(".".join(["a" * 50] * 4))
    server = dns_lab.serve(lambda q: q.reply(rcode="NXDOMAIN", authority=SOA))

    async def gather() -> Any:
        return await gather_all(dns_lab.resolver(server), (long,), random_label="probe")

    facts = asyncio.run(gather())[long]
    assert not isinstance(facts.selector1.doubled, Found)


# The resolver itself


def test_a_resolver_that_tells_the_truth(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(rcode="NXDOMAIN"))
    assert asyncio.run(check_resolver(dns_lab.resolver(server))) is None


@pytest.mark.parametrize(
    ("script", "part"),
    [
        (lambda q: q.reply(f'{q.name}. 60 IN TXT "buy this"'), "invents answers"),
        (lambda q: q.reply(rcode="SERVFAIL"), "does not answer"),
    ],
)
def test_a_resolver_that_lies_or_fails_is_told_of(dns_lab: SimpleNamespace, script: Any, part: str) -> None:
    told = asyncio.run(check_resolver(dns_lab.resolver(dns_lab.serve(script))))
    assert part in str(told)


SERVERS = [
    ("192.0.2.1", ("192.0.2.1", 53)),
    ("192.0.2.1:5353", ("192.0.2.1", 5353)),
    ("2001:db8::1", ("2001:db8::1", 53)),
    ("[2001:db8::1]", ("2001:db8::1", 53)),
    ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ("tls://9.9.9.9", TlsServer("9.9.9.9", 853, "9.9.9.9")),
    ("tls://9.9.9.9:8853#dns.quad9.net", TlsServer("9.9.9.9", 8853, "dns.quad9.net")),
    ("tls://[2620:fe::fe]", TlsServer("2620:fe::fe", 853, "2620:fe::fe")),
    ("tls://dns.quad9.net", TlsServer("dns.quad9.net", 853, "dns.quad9.net")),
    ("https://dns.google/dns-query", HttpsServer("https://dns.google/dns-query")),
    ("https://9.9.9.9:5053", HttpsServer("https://9.9.9.9:5053/dns-query")),
]


@pytest.mark.parametrize(("text", "server"), SERVERS)
def test_servers_as_people_write_them(text: str, server: tuple[str, int]) -> None:
    assert parse_nameserver(text) == server


@pytest.mark.parametrize(
    "text",
    [
        *("", "dns.example", "192.0.2.1:", "192.0.2.1:99999", "192.0.2.1:x", "[::1]:0", "1.2.3"),
        *(
            "tls://",
            "tls://9.9.9.9/x",
            "tls://9.9.9.9:0x",
            "tls://9.9.9.9#a_b",
            "tls://-a.example",
            "tls://[::1",
        ),
        *(
            "http://dns.google/dns-query",
            "https:///dns-query",
            "https://u@dns.google/",
            "https://dns.google/#x",
        ),
        *("https://dns.google/dns-query{?dns}", "https://dns.google/?dns", "quic://9.9.9.9"),
    ],
)
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(InputError):
        parse_nameserver(text)


RESOLV_CONF = [
    ("nameserver 192.0.2.1\n", (("192.0.2.1", 53),), 5.0, 2, "one server"),
    (
        "# nameserver 192.0.2.9\nnameserver fe80::1%eth0 ; here\n",
        (("fe80::1%eth0", 53),),
        5.0,
        2,
        "comments and a zone",
    ),
    ("", (("127.0.0.1", 53),), 5.0, 2, "none: this machine"),
    (
        "nameserver 1.1.1.1\noptions timeout:1 attempts:9 rotate\n",
        (("1.1.1.1", 53),),
        1.0,
        5,
        "options, capped",
    ),
    ("nameserver 1.1.1.1\n" * 5, (("1.1.1.1", 53),) * 3, 5.0, 2, "three at most"),
]


@pytest.mark.parametrize(
    ("text", "servers", "timeout", "attempts", "reason"), RESOLV_CONF, ids=[r[4] for r in RESOLV_CONF]
)
def test_the_systems_servers(
    text: str, servers: tuple[tuple[str, int], ...], timeout: float, attempts: int, reason: str
) -> None:
    found = read_resolv_conf(text)
    assert (found.servers, found.timeout, found.attempts) == (servers, timeout, attempts), reason
