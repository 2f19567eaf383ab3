"""The sandbox's name servers as clients see them: lag, a lame secondary, a resolver that remembers, updates that fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import FAULT_KINDS, Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions
from exo_auth.sandbox.zone_updates import KEY_NAME, KEY_SECRET

DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("new.example", listed=False, cnames="none"),
)
OWNER = "x.new.example"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS)) as box:
        yield box


def ask(
    box: Sandbox, host: str, name: str = OWNER, rdtype: str = "TXT", *, recursion: bool = False
) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype)
    if not recursion:
        query.flags &= ~dns.flags.RD
    port = int(box.description.nameserver.rpartition(":")[2])
    return dns.query.udp(query, host, port=port, timeout=5)


def texts(answer: dns.message.Message) -> list[str]:
    return [rdata.to_text() for one in answer.answer for rdata in one]


def serial(answer: dns.message.Message) -> int:
    return int(answer.answer[0][0].serial)  # type: ignore[attr-defined]


FIRST, SECOND = "127.0.0.1", "127.0.0.2"


def test_a_zone_has_two_servers_that_agree(box: Sandbox) -> None:
    servers = sorted(texts(ask(box, FIRST, "new.example", "NS")))
    assert servers == ["ns1.new.example.", "ns2.new.example."]
    assert [texts(ask(box, FIRST, name, "A")) for name in servers] == [[FIRST], [SECOND]]
    box.publish_txt(OWNER, "here")
    for host in (FIRST, SECOND):
        answer = ask(box, host)
        assert answer.flags & dns.flags.AA
        assert texts(answer) == ['"here"']


def test_a_secondary_is_late_by_the_clock_that_moves(box: Sandbox) -> None:
    box.publish_txt(OWNER, "old")
    box.advance(timedelta(hours=3))
    box.faults.add(Fault("dns-lag", domain="new.example", value="2h"))
    before = serial(ask(box, SECOND, "new.example", "SOA"))
    box.publish_txt(OWNER, "new")
    box.publish_txt(f"other.{OWNER}", "more")
    assert texts(ask(box, FIRST)) == ['"new"']
    assert texts(ask(box, SECOND)) == ['"old"']
    assert ask(box, SECOND, f"other.{OWNER}").rcode() == dns.rcode.NXDOMAIN
    assert serial(ask(box, SECOND, "new.example", "SOA")) == before
    box.remove_record(OWNER, "TXT")
    assert texts(ask(box, SECOND)) == ['"old"'], "a removal comes late, too"
    box.advance(timedelta(hours=2, minutes=1))
    assert ask(box, SECOND).rcode() == dns.rcode.NOERROR
    assert texts(ask(box, SECOND)) == []
    assert serial(ask(box, SECOND, "new.example", "SOA")) > before


@pytest.mark.parametrize(("value", "code"), [(None, dns.rcode.NOERROR), ("refused", dns.rcode.REFUSED)])
def test_a_lame_secondary(box: Sandbox, value: str | None, code: dns.rcode.Rcode) -> None:
    box.publish_txt(OWNER, "here")
    box.faults.add(Fault("dns-lame", value=value))
    for _ in range(2):  # it stays so until the faults are taken back
        answer = ask(box, SECOND)
        assert answer.rcode() == code
        assert not answer.flags & dns.flags.AA
        assert texts(answer) == []
    assert texts(ask(box, FIRST)) == ['"here"']
    box.faults.clear()
    assert texts(ask(box, SECOND)) == ['"here"']


def test_a_resolver_remembers_that_a_name_is_absent(box: Sandbox) -> None:
    box.faults.add(Fault("dns-cache"))
    first = ask(box, FIRST, recursion=True)
    assert first.rcode() == dns.rcode.NXDOMAIN
    assert not first.flags & dns.flags.AA, "a resolver has no authority"
    assert first.authority[0].ttl == 900
    box.publish_txt(OWNER, "here")
    box.publish_txt(f"below.{OWNER}", "here")
    box.advance(timedelta(minutes=10))
    again = ask(box, FIRST, recursion=True)
    assert again.rcode() == dns.rcode.NXDOMAIN
    assert 290 <= again.authority[0].ttl <= 300, "what is left of the SOA's minimum"
    below = ask(box, FIRST, f"below.{OWNER}", recursion=True)
    assert below.rcode() == dns.rcode.NXDOMAIN, "NXDOMAIN hides all names below (RFC 8020)"
    assert texts(ask(box, FIRST)) == ['"here"'], "the zone's own server remembers nothing"
    box.advance(timedelta(minutes=6))
    assert texts(ask(box, FIRST, recursion=True)) == ['"here"']


def test_a_resolver_remembers_an_old_value_for_its_ttl(box: Sandbox) -> None:
    box.faults.add(Fault("dns-cache", value="20s"))
    box.publish_txt(OWNER, "old")
    assert ask(box, FIRST, recursion=True).answer[0].ttl == 20
    box.publish_txt(OWNER, "new")
    assert texts(ask(box, FIRST, recursion=True)) == ['"old"']
    box.advance(timedelta(seconds=21))
    assert texts(ask(box, FIRST, recursion=True)) == ['"new"']


def test_who_was_asked_is_kept_in_order(box: Sandbox) -> None:
    ask(box, FIRST)
    ask(box, SECOND, rdtype="A")
    ask(box, FIRST, recursion=True)
    seen = [(one["server"], one["name"], one["type"]) for one in box.questions_document()]
    assert seen == [("ns1", OWNER, "TXT"), ("ns2", OWNER, "A"), ("resolver", OWNER, "TXT")]


UPDATES = [  # fault, what the client hears, does it stand there afterwards?
    ("update-refused", dns.rcode.REFUSED, False),
    ("update-unseen", None, False),
    ("update-unanswered", None, True),
]


@pytest.mark.parametrize(("kind", "code", "stands"), UPDATES, ids=[row[0] for row in UPDATES])
def test_updates_that_fail(box: Sandbox, kind: str, code: dns.rcode.Rcode | None, stands: bool) -> None:
    box.faults.add(Fault(kind))
    keyring = dns.tsigkeyring.from_text({KEY_NAME: KEY_SECRET})
    update = dns.update.Update("new.example", keyring=keyring, keyalgorithm="hmac-sha256")
    update.add(f"{OWNER}.", 300, "TXT", '"here"')
    port = int(box.description.nameserver.rpartition(":")[2])
    try:
        heard: dns.rcode.Rcode | None = dns.query.tcp(update, FIRST, port=port, timeout=1).rcode()
    except (EOFError, OSError, dns.exception.Timeout):
        heard = None
    assert heard == code
    assert (texts(ask(box, FIRST)) == ['"here"']) is stands


def test_no_fault_of_updates_is_left_out() -> None:
    assert {row[0] for row in UPDATES} == {kind for kind in FAULT_KINDS if kind.startswith("update-")}
