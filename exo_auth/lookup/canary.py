"""Does the resolver work, and does it tell the truth about names that do not exist? (lookup; async I/O)"""

from __future__ import annotations

import secrets

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.lookup.resolver import Resolver

NOBODYS = "invalid"  # RFC 6761 §6.4: a name that never exists


async def check_resolver(resolver: Resolver) -> str | None:
    """Ask for a name that cannot exist; give a sentence when the resolver fails or invents an answer."""
    name = DomainName.parse_lookup(f"exo-auth-{secrets.token_hex(6)}.{NOBODYS}")
    answer = await resolver.txt(name)
    if isinstance(answer, LookupFailed):
        return f"the resolver gives no verdicts: {answer.detail}"
    if isinstance(answer, Found):
        return (
            f"the resolver invents answers: {name} cannot exist, and it gave {answer.values[0].text[:40]!r}"
        )
    return None
