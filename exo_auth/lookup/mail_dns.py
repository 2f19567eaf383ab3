"""All questions about one mail domain, asked at once (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.facts.dns import (
    Answer,
    FailureReason,
    Found,
    LookupFailed,
    MailDns,
    Missing,
    Seen,
    SelectorDns,
    Txt,
)
from exo_auth.lookup.resolver import Resolver
from exo_auth.records import dkim
from exo_auth.records.dkim import DkimKeyRecord


async def gather_mail_dns(resolver: Resolver, domain: DomainName, *, random_label: str) -> MailDns:
    """Ask about both selectors and the wildcard; DNS trouble is in the facts, nothing is raised for it."""
    first, second, wildcard = await asyncio.gather(
        _selector(resolver, domain, "selector1"),
        _selector(resolver, domain, "selector2"),
        _txt(resolver, domain, f"{random_label}._domainkey"),
    )
    return MailDns(domain, first, second, wildcard)


async def gather_all(
    resolver: Resolver,
    domains: Sequence[DomainName],
    *,
    random_label: str,
    on_done: Callable[[DomainName], None] | None = None,
) -> dict[DomainName, MailDns]:
    """Ask about many domains; `on_done` hears of each that is finished."""

    async def one(domain: DomainName) -> MailDns:
        facts = await gather_mail_dns(resolver, domain, random_label=random_label)
        if on_done is not None:
            on_done(domain)
        return facts

    return dict(zip(domains, await asyncio.gather(*map(one, domains)), strict=True))


async def _selector(resolver: Resolver, domain: DomainName, selector: str) -> SelectorDns:
    owner = domain.child(f"{selector}._domainkey")
    cname, key = await asyncio.gather(resolver.cname(owner), resolver.txt(owner))
    doubled: Answer[DomainName] | None = None
    if isinstance(cname, Missing):
        doubled = await _doubled(resolver, owner, domain)
    return SelectorDns(selector, owner, cname, _seen(key), doubled)


async def _doubled(resolver: Resolver, owner: DomainName, domain: DomainName) -> Answer[DomainName]:
    try:
        name = DomainName.parse_lookup(f"{owner}.{domain}")
    except InputError as error:  # longer than a name may be, so nobody can have published it
        return LookupFailed(FailureReason.MALFORMED, error.message, temporary=False)
    return await resolver.cname(name)


async def _txt(resolver: Resolver, domain: DomainName, prefix: str) -> Answer[Txt]:
    return await resolver.txt(domain.child(prefix))


def _seen(answer: Answer[Txt]) -> Answer[Seen[DkimKeyRecord]]:
    if not isinstance(answer, Found):
        return answer
    values = tuple(Seen(txt, _parsed(txt)) for txt in answer.values)
    return Found(values, answer.ttl, answer.via, answer.server, answer.authenticated)


def _parsed(txt: Txt) -> DkimKeyRecord | RecordSyntaxError:
    try:
        return dkim.parse(txt.text)
    except RecordSyntaxError as error:
        return error
