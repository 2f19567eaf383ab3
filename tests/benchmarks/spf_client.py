"""One SPF evaluator over a fleet, in a process of its own: prints seconds and every verdict, as JSON.

Arguments: which evaluator, port, seed, size of the fleet, how many of its domains to evaluate.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time

from dns_fleet import domain_names

ADDRESSES = ("198.51.100.7", "203.0.113.9", "192.0.2.1")  # the vendor's, the shared one's, nobody's
IN_FLIGHT = 64


def ours(port: int, names: list[str], *, cached: bool) -> list[str]:
    from exo_auth.lookup.resolver import StubResolver
    from exo_auth.lookup.spf_evaluation import Envelope, check_host

    # A clock that leaps a year at every look makes every remembered verdict too old.
    leaping = itertools.count(0, 3.2e7)
    clock = time.monotonic if cached else lambda: float(next(leaping))

    async def every() -> list[str]:
        jobs = [Envelope.of(address, f"a@{name}", "h.example") for name in names for address in ADDRESSES]
        verdicts = [""] * len(jobs)
        numbers = iter(range(len(jobs)))

        async def worker(resolver: StubResolver) -> None:
            for number in numbers:
                verdicts[number] = (await check_host(resolver, jobs[number])).result

        # Without a memory each worker has a resolver of its own: questions under way are not shared either.
        resolvers = [
            StubResolver((("127.0.0.1", port),), clock=clock) for _ in range(1 if cached else IN_FLIGHT)
        ]
        await asyncio.gather(*(worker(resolvers[n % len(resolvers)]) for n in range(IN_FLIGHT)))
        for resolver in resolvers:
            await resolver.close()
        return verdicts

    return asyncio.run(every())


def pyspf(port: int, names: list[str]) -> list[str]:
    import dns.resolver
    import spf

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    dns.resolver.override_system_resolver(resolver)
    dns.resolver.default_resolver = resolver
    return [spf.check2(i=address, s=f"a@{name}", h="h.example")[0] for name in names for address in ADDRESSES]


def main(which: str, port: int, seed: int, size: int, count: int) -> None:
    names = domain_names(seed, size)[:count]
    start = time.perf_counter()
    verdicts = pyspf(port, names) if which == "pyspf" else ours(port, names, cached=which == "cached")
    print(json.dumps({"seconds": time.perf_counter() - start, "verdicts": verdicts}))


main(sys.argv[1], *map(int, sys.argv[2:]))
