"""What is asked about one mail domain, and what the facts say when names are odd or servers fail."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, MailDns, Missing, MissingKind
from exo_auth.lookup.canary import check_resolver
from exo_auth.lookup.mail_dns import gather_all, gather_mail_dns
from exo_auth.records.dkim import DkimKeyRecord

DOMAIN = DomainName.parse("a.example")
REVOKED = "v=DKIM1; k=rsa; p="
PROBE = "probe"


def gather(lab: SimpleNamespace, script: Any, domain: DomainName = DOMAIN) -> MailDns:
    server = lab.serve(script)

    async def go() -> MailDns:
        return await gather_mail_dns(lab.resolver(server, attempts=1), domain, random_label=PROBE)

    return asyncio.run(go())


def absent(q: Any) -> Any:
    return q.reply(
        rcode="NXDOMAIN",
        authority=("example. 600 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 300",),
    )


def test_nothing_more_is_asked_than_needed(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(
        lambda q: absent(q) if q.name.startswith(("selector2", PROBE)) else with_key(q, "selector1")
    )

    async def go() -> MailDns:
        return await gather_mail_dns(dns_lab.resolver(server), DOMAIN, random_label=PROBE)

    asyncio.run(go())
    assert sorted((q.name, q.type) for q in server.asked) == [
        ("probe._domainkey.a.example", "TXT"),
        ("selector1._domainkey.a.example", "CNAME"),
        ("selector1._domainkey.a.example", "TXT"),
        ("selector2._domainkey.a.example", "CNAME"),
        ("selector2._domainkey.a.example", "TXT"),
        ("selector2._domainkey.a.example.a.example", "CNAME"),
    ]


def with_key(q: Any, selector: str, text: str = REVOKED) -> Any:
    alias = f"{q.name}. 300 IN CNAME {selector}-a-example._domainkey.contoso.onmicrosoft.com."
    if q.type == "CNAME":
        return q.reply(alias)
    return q.reply(alias, f'{selector}-a-example._domainkey.contoso.onmicrosoft.com. 60 IN TXT "{text}"')


def test_the_key_is_read_and_the_way_to_it_kept(dns_lab: SimpleNamespace) -> None:
    facts = gather(dns_lab, lambda q: with_key(q, q.name.partition(".")[0]))
    for seen in (facts.selector1, facts.selector2):
        assert isinstance(seen.key, Found)
        assert isinstance(seen.cname, Found)
        assert seen.key.via[0].target == seen.cname.values[0]
        assert isinstance(seen.key.values[0].parsed, DkimKeyRecord)
        assert seen.key.values[0].parsed.is_revoked
        assert seen.key.values[0].txt.text == REVOKED


def test_every_txt_at_the_end_is_kept_the_malformed_too(dns_lab: SimpleNamespace) -> None:
    def script(q: Any) -> Any:
        return q.reply(f'{q.name}. 60 IN TXT "{REVOKED}"', f'{q.name}. 60 IN TXT "v=DKIM1; p=\\195\\164"')

    facts = gather(dns_lab, lambda q: script(q) if q.type == "TXT" else absent(q))
    assert isinstance(facts.selector1.key, Found)
    kinds = {type(seen.parsed) for seen in facts.selector1.key.values}
    assert kinds == {DkimKeyRecord, RecordSyntaxError}


def test_the_slip_of_the_panel_is_found(dns_lab: SimpleNamespace) -> None:
    doubled = "selector1._domainkey.a.example.a.example"
    facts = gather(dns_lab, lambda q: with_key(q, "selector1") if q.name == doubled else absent(q))
    assert isinstance(facts.selector1.doubled, Found)
    assert isinstance(facts.selector2.doubled, Missing)


def test_a_wildcard_is_found(dns_lab: SimpleNamespace) -> None:
    facts = gather(dns_lab, lambda q: q.reply(f'{q.name}. 60 IN TXT "any"') if q.type == "TXT" else absent(q))
    assert isinstance(facts.wildcard, Found)
    assert facts.wildcard.values[0].text == "any"


def test_a_failed_cname_is_no_reason_to_look_for_a_slip(dns_lab: SimpleNamespace) -> None:
    facts = gather(dns_lab, lambda q: q.reply(rcode="SERVFAIL"))
    for answer in (facts.selector1.cname, facts.selector2.key, facts.wildcard):
        assert isinstance(answer, LookupFailed)
        assert answer.reason is FailureReason.SERVFAIL
    assert facts.selector1.doubled is None


LONG = DomainName.parse(
    ".".join(["a" * 50] * 4)
)  # 203 characters: the owner fits, the doubled owner does not
LONGER = DomainName.parse(".".join(["a" * 59] * 4))  # 239 characters: not even the owner fits


def test_a_name_too_long_for_dns_is_absent_where_nobody_can_have_published_it(
    dns_lab: SimpleNamespace,
) -> None:
    facts = gather(dns_lab, absent, LONG)
    assert facts.selector1.doubled == Missing(MissingKind.NXDOMAIN)


def test_a_domain_too_long_for_dkim_is_told_so(dns_lab: SimpleNamespace) -> None:
    facts = gather(dns_lab, absent, LONGER)
    for answer in (facts.selector1.cname, facts.selector2.key, facts.wildcard):
        assert isinstance(answer, LookupFailed)
        assert not answer.temporary
        assert "at most 253" in answer.detail


def test_many_domains_are_asked_and_told_of_once_each(dns_lab: SimpleNamespace) -> None:
    names = tuple(DomainName.parse(f"d{i}.example") for i in range(40))
    server = dns_lab.serve(absent)
    done: list[DomainName] = []

    async def go() -> dict[DomainName, MailDns]:
        resolver = dns_lab.resolver(server, concurrency=16)
        return await gather_all(
            resolver, (*names, names[0]), random_label=PROBE, concurrency=4, on_done=done.append
        )

    facts = asyncio.run(go())
    assert tuple(facts) == names
    assert sorted(done) == sorted(names)
    assert all(mail.domain == name for name, mail in facts.items())


# doctor's question


def absent_here_only(q: Any) -> Any:
    return absent(q) if q.name.endswith(".invalid") else q.reply(rcode="REFUSED")


@pytest.mark.parametrize(
    ("script", "part", "reason"),
    [
        (absent, None, "honest"),
        (absent_here_only, None, "a resolver of a closed network"),
        (
            lambda q: q.reply(f"{q.name}. 60 IN A 192.0.2.9") if q.type == "A" else absent(q),
            "192.0.2.9",
            "shows advertisements for mistyped names",
        ),
        (
            lambda q: absent(q) if q.name.endswith(".invalid") else q.reply(rcode="SERVFAIL"),
            "does not answer about onmicrosoft.com",
            "cut off from the world, yet knows `invalid` by itself",
        ),
        (lambda q: q.reply(rcode="REFUSED"), "does not say that an absent name is absent", "refuses all"),
    ],
)
def test_what_doctor_says_of_a_resolver(
    dns_lab: SimpleNamespace, script: Any, part: str | None, reason: str
) -> None:
    server = dns_lab.serve(script)
    told = asyncio.run(ask_canary(dns_lab.resolver(server, attempts=1)))
    assert told is None if part is None else part in str(told), reason


async def ask_canary(resolver: Any) -> str | None:
    return await check_resolver(resolver)


def test_offline_the_resolver_is_said_to_be_silent(dns_lab: SimpleNamespace) -> None:
    closed = dns_lab.serve(absent)
    closed.close()
    told = asyncio.run(ask_canary(dns_lab.resolver(closed, timeout=0.2, attempts=1)))
    assert "does not answer" in str(told)
