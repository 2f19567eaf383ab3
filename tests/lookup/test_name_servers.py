"""Servers that misbehave, over real sockets: who is asked, how often, and what is believed."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dns.edns
import dns.flags
import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, LookupFailed, Txt

NAME = DomainName.parse_lookup("selector1._domainkey.a.example")
OTHER = DomainName.parse_lookup("selector2._domainkey.a.example")
SHORT = 0.2  # seconds; only tests in which somebody stays silent wait for it


def good(q: Any) -> Any:
    return q.reply(f'{q.name}. 60 IN TXT "x"')


def silent(q: Any) -> None:
    return None


def servfail(q: Any) -> Any:
    return q.reply(rcode="SERVFAIL")


def ask(lab: SimpleNamespace, *servers: Any, names: tuple[DomainName, ...] = (NAME,), **how: Any) -> Any:
    """Ask one resolver for the names one after the other; the last answer counts."""

    async def go() -> Answer[Txt]:
        resolver = lab.resolver(*servers, **how)
        return [await resolver.txt(name) for name in names][-1]

    return asyncio.run(go())


# What SERVFAIL means


def bogus(q: Any) -> Any:
    return good(q) if q.checking_disabled else servfail(q)


def test_a_bogus_zone_is_a_verdict_that_no_other_server_may_hide(dns_lab: SimpleNamespace) -> None:
    validating, credulous = dns_lab.serve(bogus), dns_lab.serve(good)
    answer = ask(dns_lab, validating, credulous)
    assert answer.reason is FailureReason.BOGUS
    assert not answer.temporary
    assert credulous.asked == []


def test_a_server_that_recovers_while_it_is_questioned_is_believed(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: servfail(q) if len(server.asked) == 1 else good(q))
    assert isinstance(ask(dns_lab, server), Found)
    assert [q.checking_disabled for q in server.asked] == [False, True, False]


@pytest.mark.parametrize("unchecked", [servfail, lambda q: q.reply(rcode="REFUSED"), lambda q: q.octets[:5]])
def test_servfail_stays_servfail_when_asking_unchecked_gives_no_verdict(
    dns_lab: SimpleNamespace, unchecked: Callable[[Any], Any]
) -> None:
    server = dns_lab.serve(lambda q: unchecked(q) if q.checking_disabled else servfail(q))
    answer = ask(dns_lab, server, attempts=1, timeout=SHORT)
    assert answer.reason is FailureReason.SERVFAIL
    assert answer.temporary


def test_the_servers_own_explanation_is_told_without_control_characters(dns_lab: SimpleNamespace) -> None:
    option = dns.edns.EDEOption(7, "expired\x1b[31m")
    server = dns_lab.serve(
        lambda q: good(q) if q.checking_disabled else q.reply(rcode="SERVFAIL", options=[option])
    )
    answer = ask(dns_lab, server)
    assert "EDE 7 expired�[31m" in answer.detail
    assert answer.detail.isprintable()


# Silence, loss and bad company


def test_a_silent_server_is_asked_last_until_it_answers(dns_lab: SimpleNamespace) -> None:
    dead, alive = dns_lab.serve(silent), dns_lab.serve(good)
    names = tuple(NAME.child(f"n{i}") for i in range(5))
    assert isinstance(ask(dns_lab, dead, alive, names=names, timeout=4 * SHORT), Found)
    assert len(dead.asked) == 1
    assert len(alive.asked) == 5


def test_a_closed_port_does_not_cost_the_others_their_time(dns_lab: SimpleNamespace) -> None:
    closed = dns_lab.serve(good)
    closed.close()
    alive = dns_lab.serve(good)
    assert isinstance(ask(dns_lab, closed, alive), Found)


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (lambda q: change_id(q.reply()), "the answer to another question"),
        (lambda q: b"rubbish that does not begin with the number asked", "no DNS message"),
        (lambda q: q.octets, "the answer to another question"),  # the question itself, reflected
    ],
)
def test_what_was_ignored_is_told_when_nothing_better_comes(
    dns_lab: SimpleNamespace, forge: Callable[[Any], Any], told: str
) -> None:
    answer = ask(dns_lab, dns_lab.serve(forge), attempts=1, timeout=SHORT)
    assert answer.reason is FailureReason.TIMEOUT
    assert told in answer.detail


def change_id(message: Any) -> Any:
    message.id ^= 0x0101
    return message


def test_an_answer_from_another_port_is_not_heard(dns_lab: SimpleNamespace) -> None:
    stranger = dns_lab.serve(silent)

    def script(q: Any) -> Any:
        client = server.clients[-1]
        stranger.send(q.reply(f'{q.name}. 60 IN TXT "forged"').to_wire(), client)
        return good(q)

    server = dns_lab.serve(script)
    assert ask(dns_lab, server).values[0].text == "x"


def test_an_answer_without_the_question_is_not_believed(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        bare = q.reply()
        bare.question = []
        return [bare, good(q)]

    assert isinstance(ask(dns_lab, dns_lab.serve(script)), Found)


def test_the_failure_that_says_most_is_kept(dns_lab: SimpleNamespace) -> None:
    dead, refusing = dns_lab.serve(silent), dns_lab.serve(lambda q: q.reply(rcode="REFUSED"))
    for servers in ((dead, refusing), (refusing, dead)):
        answer = ask(dns_lab, *servers, timeout=2 * SHORT, attempts=1)
        assert answer.reason is FailureReason.REFUSED


# Answers that are none


def test_a_referral_is_not_an_absent_record(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(authority=("example. 60 IN NS ns.example.",), flags=0))
    answer = ask(dns_lab, server, attempts=1)
    assert isinstance(answer, LookupFailed)
    assert answer.reason is FailureReason.REFUSED


def test_an_unknown_response_code_is_not_an_absent_record(dns_lab: SimpleNamespace) -> None:
    answer = ask(dns_lab, dns_lab.serve(lambda q: q.reply(rcode="NOTAUTH")), attempts=1)
    assert answer.reason is FailureReason.MALFORMED


# TCP


def over_tcp(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda q: answer(q) if q.over == "tcp" else q.reply(flags=dns.flags.TC)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda q: q.reply(flags=dns.flags.TC), "cut off over TCP"),
        (lambda q: None, "ended inside"),
        (lambda q: change_id(good(q)), "another question"),
        (lambda q: b"rubbish", "too early"),
    ],
    ids=["truncated again", "hung up", "another question", "no DNS message"],
)
def test_what_comes_over_tcp_is_checked_too(
    dns_lab: SimpleNamespace, answer: Callable[[Any], Any], told: str
) -> None:
    failed = ask(dns_lab, dns_lab.serve(over_tcp(answer)), attempts=1)
    assert failed.reason is FailureReason.MALFORMED
    assert told in failed.detail


def test_an_answer_larger_than_any_datagram_arrives_over_tcp(dns_lab: SimpleNamespace) -> None:
    strings = " ".join(['"' + "k" * 255 + '"'] * 200)
    server = dns_lab.serve(over_tcp(lambda q: q.reply(f"{q.name}. 60 IN TXT {strings}")))
    assert ask(dns_lab, server).values[0].text == "k" * 51000


# EDNS


@pytest.mark.parametrize("code", ["FORMERR", "NOTIMP", "BADVERS"])
def test_a_server_without_edns_is_remembered(dns_lab: SimpleNamespace, code: str) -> None:
    server = dns_lab.serve(lambda q: q.reply(rcode=code) if q.edns else good(q))
    assert isinstance(ask(dns_lab, server, names=(NAME, OTHER)), Found)
    assert [q.edns for q in server.asked] == [True, False, False]


def test_a_formerr_that_leaves_the_question_out_is_understood(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        return q.octets[:2] + b"\x81\x81" + bytes(8) if q.edns else good(q)

    assert isinstance(ask(dns_lab, dns_lab.serve(script)), Found)


def test_a_server_that_refuses_every_form_is_not_asked_for_ever(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(rcode="FORMERR"))
    assert ask(dns_lab, server, attempts=1).reason is FailureReason.MALFORMED
    assert len(server.asked) == 2


# Sharing and remembering


def test_a_verdict_is_remembered_a_passing_failure_is_not(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(rcode="REFUSED") if len(server.asked) == 1 else good(q))
    assert isinstance(ask(dns_lab, server, names=(NAME,) * 4, attempts=1), Found)
    assert len(server.asked) == 2


def test_who_gives_up_waiting_leaves_the_answer_to_the_others(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: None if len(server.asked) == 1 else good(q))

    async def go() -> Any:
        resolver = dns_lab.resolver(server, timeout=4 * SHORT, attempts=4)
        impatient, patient = (asyncio.create_task(resolver.txt(NAME)) for _ in range(2))
        await asyncio.wait([impatient], timeout=SHORT / 4)
        impatient.cancel()
        return await patient

    assert isinstance(asyncio.run(go()), Found)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_as_many_questions_are_under_way_as_allowed(dns_lab: SimpleNamespace, concurrency: int) -> None:
    together = threading.Barrier(concurrency, timeout=5)  # breaks when fewer are under way
    under_way: list[None] = []
    peaks: list[int] = []

    def script(q: Any) -> Any:
        under_way.append(None)
        peaks.append(len(under_way))
        together.wait()
        under_way.pop()
        return good(q)

    server = dns_lab.serve(script)

    async def go() -> list[Answer[Txt]]:
        resolver = dns_lab.resolver(server, concurrency=concurrency, timeout=10.0, attempts=1)
        return list(await asyncio.gather(*(resolver.txt(NAME.child(f"n{i}")) for i in range(6))))

    assert all(isinstance(answer, Found) for answer in asyncio.run(go()))
    assert max(peaks) == concurrency


def test_lost_datagrams_end_in_a_timeout_within_the_tries(dns_lab: SimpleNamespace) -> None:
    first, second = dns_lab.serve(silent), dns_lab.serve(silent)
    answer = ask(dns_lab, first, second, timeout=SHORT, attempts=3)
    assert answer.reason is FailureReason.TIMEOUT
    assert (len(first.asked), len(second.asked)) == (3, 3)


# Names as they are published


@pytest.mark.parametrize(
    ("published", "seen", "reason"),
    [
        ("Key.Contoso.COM.", "key.contoso.com", "lower case"),
        (
            r"key\032.example.",
            r"key\032.example",
            "a space at the end of a label: a slip to show, not to hide",
        ),
        (r"a\.b.example.", r"a\046b.example", "a dot inside a label is not two labels"),
        ("xn--a-.example.", "xn--a-.example", "no valid A-label, published all the same"),
    ],
)
def test_cname_targets_are_facts_whatever_they_are(
    dns_lab: SimpleNamespace, published: str, seen: str, reason: str
) -> None:
    def script(q: Any) -> Any:
        if q.name == NAME.ascii:
            return q.reply(f"{q.name}. 60 IN CNAME {published}")
        return good(q)

    server = dns_lab.serve(script)

    async def go() -> Any:
        resolver = dns_lab.resolver(server)
        return await resolver.cname(NAME), await resolver.txt(NAME)

    cname, txt = asyncio.run(go())
    assert [target.ascii for target in cname.values] == [seen], reason
    assert isinstance(txt, Found)
    assert txt.via[0].target.ascii == seen


def test_an_alias_of_the_root_is_a_fault_of_the_zone(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: q.reply(f"{q.name}. 60 IN CNAME ."))

    async def go() -> Any:
        resolver = dns_lab.resolver(server)
        return await resolver.cname(NAME), await resolver.txt(NAME)

    for answer in asyncio.run(go()):
        assert isinstance(answer, LookupFailed)
        assert not answer.temporary
        assert "root" in answer.detail


def test_a_chain_that_loops_over_several_answers_ends(dns_lab: SimpleNamespace) -> None:
    hop = {NAME.ascii: "b.example", "b.example": "c.example", "c.example": NAME.ascii}
    server = dns_lab.serve(lambda q: q.reply(f"{q.name}. 60 IN CNAME {hop[q.name]}."))
    answer = ask(dns_lab, server)
    assert answer.reason is FailureReason.LOOP
    assert [h.target.ascii for h in answer.via] == ["b.example", "c.example", NAME.ascii]


@pytest.mark.parametrize(("length", "ends"), [(16, True), (17, False)])
def test_a_chain_may_have_sixteen_hops(dns_lab: SimpleNamespace, length: int, ends: bool) -> None:
    def script(q: Any) -> Any:
        number = 0 if q.name == NAME.ascii else int(q.name.split(".")[0][1:])
        return good(q) if number == length else q.reply(f"{q.name}. 60 IN CNAME n{number + 1}.example.")

    answer = ask(dns_lab, dns_lab.serve(script))
    assert isinstance(answer, Found) is ends
    assert len(answer.via) == 16


def test_a_failure_behind_a_cname_tells_the_way_there(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        return q.reply(f"{q.name}. 60 IN CNAME b.example.") if q.name == NAME.ascii else servfail(q)

    answer = ask(dns_lab, dns_lab.serve(script), attempts=1)
    assert answer.reason is FailureReason.SERVFAIL
    assert [hop.target.ascii for hop in answer.via] == ["b.example"]


def test_other_types_come_as_they_are_on_the_wire(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(
        lambda q: q.reply(
            {"MX": f"{q.name}. 60 IN MX 10 Mail.example.", "A": f"{q.name}. 60 IN A 192.0.2.7"}[q.type]
        )
    )

    async def go() -> Any:
        resolver = dns_lab.resolver(server)
        return await resolver.mx(NAME), await resolver.resolve(NAME, "A")

    mx, address = asyncio.run(go())
    assert [(m.preference, m.host) for m in mx.values] == [(10, "mail.example")]
    assert [str(a) for a in address.values] == ["192.0.2.7"]
