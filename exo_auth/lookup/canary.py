"""Does the resolver work, and does it tell the truth about names that do not exist? (lookup; async I/O)"""

from __future__ import annotations

import asyncio
import secrets

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, Found, LookupFailed
from exo_auth.lookup.resolver import Resolver

NOBODYS = "invalid"  # RFC 6761 §6.4: nothing exists below it
KEYS_LIVE_BELOW = DomainName("onmicrosoft.com")  # where the CNAMEs of the selectors lead


async def check_resolver(resolver: Resolver) -> str | None:
    """Give a sentence when the resolver reaches nothing or invents answers, None when it is honest.

    Many resolvers answer for `invalid` themselves, so a name of the world outside is asked as well. Type A is
    asked because that is what resolvers that show advertisements for mistyped names invent.
    """
    nobody = DomainName(f"exo-auth-{secrets.token_hex(6)}.{NOBODYS}")
    outside, *absent = await asyncio.gather(
        resolver.resolve(KEYS_LIVE_BELOW, "TXT"),
        resolver.resolve(nobody, "TXT"),
        resolver.resolve(nobody, "A"),
    )
    # A resolver that refuses works: one for a closed network knows no other zone.
    if isinstance(outside, LookupFailed) and outside.reason is not FailureReason.REFUSED:
        return f"the resolver does not answer about {KEYS_LIVE_BELOW}: {outside.detail}"
    for answer in absent:
        if isinstance(answer, Found):
            given = str(answer.values[0])[:60]
            return f"the resolver invents answers: {nobody} cannot exist, yet it gave {given}"
    for answer in absent:
        if isinstance(answer, LookupFailed):
            return f"the resolver does not say that an absent name is absent: {answer.detail}"
    return None
