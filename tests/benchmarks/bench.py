"""What things cost, each beside its limit or a peer in the same run: the best of several, alternating."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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


def told_ratios(name: str, ratios: list[float], least: float, what: str) -> bool:
    """Print the median of ratios taken round by round, with the smallest and the greatest."""
    ratio = statistics.median(ratios)
    good = ratio >= least
    span = f"[{min(ratios):.2f}–{max(ratios):.2f}]"
    print(f"{name:<28} {ratio:6.2f} {span:<16} {what}, at least {least:.2f}   {'ok' if good else 'UNDER'}")
    return good


def dns() -> bool:
    """The resolver beside dnspython's, beside the delay of the network, and with answers lost."""
    import dns_bench

    fast = told_ratios("dns, no delay", dns_bench.beside_dnspython(), 15.0, "times dns.asyncresolver")
    of_bound, of_lossless = dns_bench.beside_the_network()
    near = told_ratios("dns, 20–30 ms", of_bound, 0.90, "of what the delay allows")
    steady = told_ratios("dns, 1 % lost", of_lossless, 0.75, "of the rate without loss")
    return fast and near and steady


def check() -> bool:
    """The whole check beside checkdmarc, and its memory with ten times the domains."""
    import check_bench

    by_domain, by_question = check_bench.beside_checkdmarc()
    fast = told_ratios("check, by domain", by_domain, 25.0, "times checkdmarc")
    each = told_ratios("check, by question", by_question, 10.0, "times checkdmarc")
    growth = check_bench.memory_of_many()
    print(f"{'check, memory':<28} {growth:6.2f}                  times that of 1,000 at 10,000, at most 1.30")
    return fast and each and growth <= 1.3


def spf() -> bool:
    """SPF evaluations beside pyspf, with the resolver's memory and without."""
    import spf_bench

    cached, uncached = spf_bench.beside_pyspf()
    fast = told_ratios("spf, cached", cached, 20.0, "times pyspf")
    each = told_ratios("spf, uncached", uncached, 5.0, "times pyspf")
    return fast and each


def cli() -> bool:
    """Starting: `--help` beside `az --help` where az is installed, and beside `checkdmarc --help`."""
    ours = process("-m", "exo_auth", "--help")
    good = [version(), help_text()]
    peers = [("checkdmarc", [str(Path(sys.executable).with_name("checkdmarc")), "--help"], 0.25)]
    if az := shutil.which("az"):
        peers.append(("az", [az, "--help"], 0.60))
    for name, line, limit in peers:
        mine, peer = best(ours, partial(subprocess.run, line, capture_output=True, check=True), rounds=7)
        good.append(told("help", mine, peer, limit, f"{name} --help"))
    return all(good)


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


def plan() -> bool:
    """What a plan for a large tenant costs this machine: CPU seconds of the whole command."""
    import tenant_bench

    line = ("dkim", "rotate", "-d", "*", "--dry-run", "--output", "json")
    costs = [tenant_bench.cpu_of_plan(CHOSEN.size, *line) for _ in range(CHOSEN.rounds)]
    return told_most(f"plan, {CHOSEN.size:,} due", costs, 5.0, "CPU seconds")


def apply() -> bool:
    """The apply of a saved plan beside the sum of its writes' latencies, as the service logged them."""
    import tenant_bench

    ratios = []
    for _ in range(CHOSEN.rounds):
        done = tenant_bench.apply_saved(CHOSEN.size)
        if done.code or set(done.rotations.values()) != {1} or len(done.rotations) != CHOSEN.size:
            print(f"apply ended with {done.code}: {len(done.rotations)} domains, {done.writes} writes")
            return False
        ratios.append(done.ratio)
    return told_most(f"apply, {CHOSEN.size:,} rotations", ratios, 1.15, "times the sum of its writes")


def trouble() -> bool:
    """The same while the service refuses calls and loses answers: counted at the service."""
    import trouble_bench

    done = trouble_bench.apply_in_trouble(CHOSEN.size)
    verdict = "ok" if done.is_right else "WRONG"
    told = f"{done.runs} runs, {done.refused} times 429, {done.unclear} unclear answers"
    print(f"{'apply, in trouble':<28} {done.once} of {done.domains} rotated exactly once: {told}   {verdict}")
    return done.is_right


def told_most(name: str, figures: list[float], most: float, what: str) -> bool:
    """Print the median of figures taken round by round, with the smallest and the greatest."""
    figure = statistics.median(figures)
    good = figure <= most
    span = f"[{min(figures):.2f}–{max(figures):.2f}]"
    print(f"{name:<28} {figure:6.2f} {span:<16} {what}, at most {most:.2f}   {'ok' if good else 'OVER'}")
    return good


BENCHMARKS = {
    "cli": cli,
    "dns": dns,
    "spf": spf,
    "check": check,
    "demo": demo,
    "plan": plan,
    "trouble": trouble,
    "apply": apply,
}


@dataclass
class Chosen:
    """How large a tenant `plan`, `apply` and `trouble` get, and how often the first two are measured."""

    size: int = 1000
    rounds: int = 1


CHOSEN = Chosen()


def chosen_names() -> list[str]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument(
        "--size", type=int, default=1000, help="domains of the tenant, for plan, apply, trouble"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often plan and apply are measured")
    given = parser.parse_args()
    CHOSEN.size, CHOSEN.rounds = given.size, given.rounds
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}: one of {', '.join(BENCHMARKS)}")
    return given.names or list(BENCHMARKS)


if __name__ == "__main__":
    verdicts = [BENCHMARKS[name]() for name in chosen_names()]
    sys.exit(0 if all(verdicts) else 1)
