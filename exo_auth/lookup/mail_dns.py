"""All questions about one mail domain, asked at once (lookup)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from exo_auth.domain_name import MAX_NAME, DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import (
    Answer,
    Found,
    LookupFailed,
    MailDns,
    Missing,
    MissingKind,
    Seen,
    SelectorDns,
    Txt,
)
from exo_auth.lookup.questions import all_of, answered, cname, txt
from exo_auth.lookup.resolver import Resolver
from exo_auth.records import dkim
from exo_auth.records.dkim import DkimKeyRecord

SELECTORS = ("selector1", "selector2")


async def gather_mail_dns(resolver: Resolver, domain: DomainName, *, random_label: str) -> MailDns:
    """Ask about both selectors and the wildcard; DNS trouble is in the facts, nothing is raised for it."""
    return await answered(resolver, mail_dns(domain, random_label))


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


async def mail_dns(domain: DomainName, random_label: str) -> MailDns:
    """The steps of `gather_mail_dns`."""
    first, second, wildcard = await all_of(
        *(_selector(domain, selector) for selector in SELECTORS), txt(_probe(domain, random_label))
    )
    return MailDns(domain, first, second, wildcard)


async def public_keys(domain: DomainName, random_label: str) -> MailDns:
    """The steps that ask as little as a look without the tenant needs: the TXT answer shows the CNAME it came by.

    The classic slip of a doubled zone is looked for, and so is a wildcard, only where there is a reason to.
    """
    first, second = await all_of(*(_public_selector(domain, selector) for selector in SELECTORS))
    wildcard: Answer[Txt] = Missing(MissingKind.NXDOMAIN)
    if _may_be_of_wildcard(first) or _may_be_of_wildcard(second):
        wildcard = await txt(_probe(domain, random_label))
    return MailDns(domain, first, second, wildcard)


def _may_be_of_wildcard(selector: SelectorDns) -> bool:
    """Could a wildcard have answered? A CNAME to a name that begins with the selector is nobody's wildcard."""
    if not isinstance(selector.key, Found):
        return False
    via = selector.key.via
    return not (via and via[0].target.ascii.startswith(f"{selector.selector}-"))


def _probe(domain: DomainName, random_label: str) -> DomainName:
    return DomainName(f"{random_label}._domainkey.{domain.ascii}")


async def _selector(domain: DomainName, selector: str) -> SelectorDns:
    owner = DomainName(f"{selector}._domainkey.{domain.ascii}")
    alias, key = await all_of(cname(owner), txt(owner))
    doubled = await _doubled(owner, domain) if isinstance(alias, Missing) else None
    return SelectorDns(selector, owner, alias, _seen(key), doubled)


async def _public_selector(domain: DomainName, selector: str) -> SelectorDns:
    owner = DomainName(f"{selector}._domainkey.{domain.ascii}")
    key = await txt(owner)
    alias: Answer[DomainName]
    if key.via:
        alias = Found((key.via[0].target,), key.via[0].ttl, server=key.server)
    elif isinstance(key, LookupFailed):
        alias = await cname(owner)
    else:
        alias = key if isinstance(key, Missing) else Missing(MissingKind.NODATA, server=key.server)
    doubled = await _doubled(owner, domain) if isinstance(key, Missing) and not key.via else None
    return SelectorDns(selector, owner, alias, _seen(key), doubled)


async def _doubled(owner: DomainName, domain: DomainName) -> Answer[DomainName]:
    name = DomainName(f"{owner.ascii}.{domain.ascii}")
    if len(name.ascii) > MAX_NAME:  # so nobody can have published it
        return Missing(MissingKind.NXDOMAIN)
    return await cname(name)


def _seen(answer: Answer[Txt]) -> Answer[Seen[DkimKeyRecord]]:
    if not isinstance(answer, Found):
        return answer
    values = tuple(Seen(txt, _parsed(txt)) for txt in answer.values)
    return answer.holding(values)


def _parsed(txt: Txt) -> DkimKeyRecord | RecordSyntaxError:
    try:
        return dkim.parse(txt.text)
    except RecordSyntaxError as error:
        return error
