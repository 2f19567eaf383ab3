"""What things cost, each beside its limit or a peer in the same run: the best of several, alternating."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

ROUNDS = 15


def best(*things: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Run the things in turn and give the best time of each, in seconds."""
    times = [float("inf")] * len(things)
    for _ in range(rounds):
        for index, thing in enumerate(things):
            start = time.perf_counter()
            thing()
            times[index] = min(times[index], time.perf_counter() - start)
    return times


def process(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True)


def told(name: str, ours: float, other: float, limit: float, what: str) -> bool:
    ratio = ours / other
    good = ratio <= limit
    print(
        f"{name:<28} {ours * 1000:9.1f} ms   {what} {other * 1000:9.1f} ms   {ratio:5.2f} of {limit:.2f}   {'ok' if good else 'OVER'}"
    )
    return good


def version() -> bool:
    """`--version` beside a bare interpreter."""
    ours, bare = best(process("-m", "exo_auth", "--version"), process("-c", "pass"))
    return told("version", ours, bare, 1.5, "bare Python")


def help_text() -> bool:
    """`--help` beside the import of Typer alone, which it cannot do without."""
    ours, typer = best(process("-m", "exo_auth", "--help"), process("-c", "import typer"))
    return told("help", ours, typer, 2.5, "import typer")


def dns() -> bool:
    """Readiness of 200 domains beside the same questions asked with dnspython's asynchronous resolver."""
    import dns.asyncresolver
    import dns.exception

    from exo_auth.domain_name import DomainName
    from exo_auth.lookup.mail_dns import gather_all
    from exo_auth.lookup.resolver import StubResolver
    from exo_auth.sandbox.serve import Sandbox, SandboxOptions

    with Sandbox(SandboxOptions.named("steady:200")) as box:
        host, port = box.description.nameserver.split(":")
        names = [DomainName.parse(name) for name in box.description.domains if name.startswith("d")]

        def ours() -> None:
            resolver = StubResolver(((host, int(port)),), timeout=10.0)
            asyncio.run(gather_all(resolver, names, random_label="probe"))

        async def with_dnspython() -> None:
            resolver = dns.asyncresolver.Resolver(configure=False)
            resolver.nameservers, resolver.port = [host], int(port)
            slots = asyncio.Semaphore(64)

            async def ask(name: str, rdtype: str) -> None:
                async with slots:
                    try:
                        await resolver.resolve(name, rdtype, search=False)
                    except dns.exception.DNSException:
                        return

            await asyncio.gather(
                *(
                    ask(f"{selector}._domainkey.{name}", rdtype)
                    for name in names
                    for selector, rdtypes in (
                        ("selector1", ("CNAME", "TXT")),
                        ("selector2", ("CNAME", "TXT")),
                        ("probe", ("TXT",)),
                    )
                    for rdtype in rdtypes
                )
            )

        mine, peer = best(ours, lambda: asyncio.run(with_dnspython()), rounds=3)
    return told("dns of 200 domains", mine, peer, 1.0, "dnspython")


def demo() -> bool:
    """The whole demo beside the half minute it may take."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home}
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "exo_auth", "demo", "--quiet"],
            env=environment,
            capture_output=True,
            check=True,
        )
    return told("demo", time.perf_counter() - start, 30.0, 1.0, "limit")


BENCHMARKS = {"version": version, "help": help_text, "dns": dns, "demo": demo}

if __name__ == "__main__":
    chosen = sys.argv[1:] or list(BENCHMARKS)
    verdicts = [BENCHMARKS[name]() for name in chosen]
    sys.exit(0 if all(verdicts) else 1)
