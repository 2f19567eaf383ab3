"""All questions about one mail domain, asked at once (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from exo_auth.domain_name import MAX_NAME, DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import (
    Answer,
    FailureReason,
    Found,
    LookupFailed,
    MailDns,
    Missing,
    MissingKind,
    Seen,
    SelectorDns,
    Txt,
)
from exo_auth.lookup.resolver import Resolver
from exo_auth.records import dkim
from exo_auth.records.dkim import DkimKeyRecord


async def gather_mail_dns(resolver: Resolver, domain: DomainName, *, random_label: str) -> MailDns:
    """Ask about both selectors and the wildcard; DNS trouble is in the facts, nothing is raised for it."""
    probe = DomainName(f"{random_label}._domainkey.{domain}")
    first, second, wildcard = await asyncio.gather(
        _selector(resolver, domain, "selector1"),
        _selector(resolver, domain, "selector2"),
        _txt(resolver, probe),
    )
    return MailDns(domain, first, second, wildcard)


async def gather_public_keys(resolver: Resolver, domain: DomainName, *, random_label: str) -> MailDns:
    """Ask as little as a look without the tenant needs: the TXT answer shows the CNAME it came by.

    The classic slip of a doubled zone is looked for, and so is a wildcard, only where there is a reason to.
    """
    first, second = await asyncio.gather(
        _public_selector(resolver, domain, "selector1"), _public_selector(resolver, domain, "selector2")
    )
    wildcard: Answer[Txt] = Missing(MissingKind.NXDOMAIN)
    if isinstance(first.key, Found) or isinstance(second.key, Found):
        wildcard = await _txt(resolver, DomainName(f"{random_label}._domainkey.{domain}"))
    return MailDns(domain, first, second, wildcard)


async def gather_all(
    resolver: Resolver,
    domains: Iterable[DomainName],
    *,
    random_label: str,
    concurrency: int = 32,
    on_done: Callable[[DomainName], None] | None = None,
) -> dict[DomainName, MailDns]:
    """Ask about many domains, `concurrency` at a time; `on_done` hears of each that is finished."""
    slots = asyncio.Semaphore(concurrency)
    wanted = list(dict.fromkeys(domains))

    async def one(domain: DomainName) -> MailDns:
        async with slots:
            facts = await gather_mail_dns(resolver, domain, random_label=random_label)
        if on_done is not None:
            on_done(domain)
        return facts

    return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))


async def _selector(resolver: Resolver, domain: DomainName, selector: str) -> SelectorDns:
    owner = DomainName(f"{selector}._domainkey.{domain}")
    if _is_too_long(owner):
        return SelectorDns(selector, owner, _unaskable(owner), _unaskable(owner))
    cname, key = await asyncio.gather(resolver.cname(owner), resolver.txt(owner))
    doubled = await _doubled(resolver, owner, domain) if isinstance(cname, Missing) else None
    return SelectorDns(selector, owner, cname, _seen(key), doubled)


async def _public_selector(resolver: Resolver, domain: DomainName, selector: str) -> SelectorDns:
    owner = DomainName(f"{selector}._domainkey.{domain}")
    if _is_too_long(owner):
        return SelectorDns(selector, owner, _unaskable(owner), _unaskable(owner))
    key = await resolver.txt(owner)
    cname: Answer[DomainName]
    if key.via:
        cname = Found((key.via[0].target,), key.via[0].ttl, server=key.server)
    elif isinstance(key, LookupFailed):
        cname = await resolver.cname(owner)
    else:
        cname = key if isinstance(key, Missing) else Missing(MissingKind.NODATA, server=key.server)
    doubled = await _doubled(resolver, owner, domain) if isinstance(key, Missing) and not key.via else None
    return SelectorDns(selector, owner, cname, _seen(key), doubled)


async def _doubled(resolver: Resolver, owner: DomainName, domain: DomainName) -> Answer[DomainName]:
    name = DomainName(f"{owner}.{domain}")
    if _is_too_long(name):  # so nobody can have published it
        return Missing(MissingKind.NXDOMAIN)
    return await resolver.cname(name)


async def _txt(resolver: Resolver, name: DomainName) -> Answer[Txt]:
    return _unaskable(name) if _is_too_long(name) else await resolver.txt(name)


def _is_too_long(name: DomainName) -> bool:
    return len(name.ascii) > MAX_NAME


def _unaskable(name: DomainName) -> LookupFailed:
    return LookupFailed(
        FailureReason.MALFORMED,
        f"{name} has {len(name.ascii)} characters; DNS holds names of at most {MAX_NAME}",
        temporary=False,
    )


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
