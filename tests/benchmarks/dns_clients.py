"""One client asks about a fleet, in a process of its own, and prints what it found and how long it took, as JSON.

Both clients ask the same: eight questions about each domain, and up to four more that the answers lead to.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

from dns_fleet import NODATA, NXDOMAIN, digest, domain_names, line

FAILED = "failed"
Asked = list[tuple[str, str]]  # names and types
Ask = Callable[[Asked], Awaitable[list[list[str]]]]  # what was found for each, or one word
FIRST = (
    ("", "MX"),
    ("", "TXT"),
    ("_dmarc.", "TXT"),
    ("selector1._domainkey.", "CNAME"),
    ("selector2._domainkey.", "CNAME"),
    ("_mta-sts.", "TXT"),
    ("mta-sts.", "A"),
    ("_smtp._tls.", "TXT"),
)


async def audit(domain: str, ask: Ask, heard: list[tuple[Asked, list[list[str]]]]) -> None:
    first = [(prefix + domain, rdtype) for prefix, rdtype in FIRST]
    found = await ask(first)
    further = list(_further(found))
    heard += [(first, found), (further, await ask(further))]


def _further(found: list[list[str]]) -> Iterator[tuple[str, str]]:
    exchangers, texts, _dmarc, *aliases = found[:5]
    for text in exchangers:
        if " " in text:
            yield text.partition(" ")[2], "A"
    for text in texts:
        if text.startswith("v=spf1 include:"):
            yield text.split(" ")[1].removeprefix("include:"), "TXT"
    for (alias,) in aliases:
        if "." in alias:
            yield alias, "TXT"


async def audit_all(domains: list[str], in_flight: int, ask: Ask) -> dict[str, object]:
    heard: list[tuple[Asked, list[list[str]]]] = []
    left = iter(domains)

    async def worker() -> None:
        for domain in left:
            await audit(domain, ask, heard)

    start, start_cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    lines = [line(*one, found) for asked, answers in heard for one, found in zip(asked, answers, strict=True)]
    failed = sum(text.endswith(" " + FAILED) for text in lines)
    done = {"seconds": seconds, "cpu": cpu, "digest": digest(lines), "questions": len(lines)}
    return done | {"failed": failed}


async def exo_auth_client(port: int, domains: list[str], in_flight: int) -> dict[str, object]:
    from exo_auth.domain_name import DomainName
    from exo_auth.facts.dns import Answer, Found, Missing
    from exo_auth.lookup.resolver import StubResolver
    from exo_auth.lookup.wire import Data, Mx

    def text(value: object) -> str:
        if isinstance(value, tuple):
            return b"".join(value).decode()
        return f"{value.preference} {value.host}" if isinstance(value, Mx) else str(value)

    async with StubResolver((("127.0.0.1", port),), timeout=10.0) as resolver:

        def said(answer: Answer[Data]) -> list[str]:
            if isinstance(answer, Found):
                return [text(value) for value in answer.values]
            return [str(answer.kind) if isinstance(answer, Missing) else FAILED]

        async def ask(asked: Asked) -> list[list[str]]:
            answers = await resolver.resolve_all([(DomainName(name), rdtype) for name, rdtype in asked])
            return [said(answer) for answer in answers]

        done = await audit_all(domains, in_flight, ask)
        return done | {"asked": resolver.questions, "again": resolver.retransmissions}


async def dnspython_client(port: int, domains: list[str], in_flight: int) -> dict[str, object]:
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    resolver.use_edns(0, 0, 1232)

    def text(value: object) -> str:
        if hasattr(value, "strings"):
            return b"".join(value.strings).decode()
        return value.to_text().removesuffix(".")

    async def one(name: str, rdtype: str) -> list[str]:
        try:
            answer = await resolver.resolve(name, rdtype, search=False)
        except dns.resolver.NXDOMAIN:
            return [NXDOMAIN]
        except dns.resolver.NoAnswer:
            return [NODATA]
        except dns.exception.DNSException:
            return [FAILED]
        return [text(value) for value in answer]

    async def ask(asked: Asked) -> list[list[str]]:
        return await asyncio.gather(*(one(name, rdtype) for name, rdtype in asked))

    return await audit_all(domains, in_flight, ask)


CLIENTS = {"exo-auth": exo_auth_client, "dnspython": dnspython_client}

if __name__ == "__main__":
    which, port, seed, count, in_flight = sys.argv[1], *map(int, sys.argv[2:])
    if hasattr(os, "sched_setaffinity") and len(cores := os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, cores - {max(cores)})  # the server's
    print(json.dumps(asyncio.run(CLIENTS[which](port, domain_names(seed, count), in_flight))))
