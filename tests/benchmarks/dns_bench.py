"""The resolver beside dnspython's, beside what the network allows, and beside itself without loss."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dns_fleet import make_fleet

HERE = Path(__file__).parent
ROUNDS = 5
DELAY = (0.020, 0.030)  # seconds, as the replay server draws them


class WrongAnswers(Exception):  # noqa: N818 - it names what was found
    """A client found something else than there was, or asked something else than it should."""


@contextmanager
def replay_server(seed: int, domains: int, *how: str) -> Iterator[tuple[int, dict[str, int]]]:
    """Give its port, and what it counted once it has ended."""
    command = [sys.executable, str(HERE / "replay_server.py"), "--seed", str(seed), "--domains", str(domains)]
    counts: dict[str, int] = {}
    with subprocess.Popen([*command, *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield int(server.stdout.readline()), counts
        server.stdin.close()
        counts |= json.loads(server.stdout.readline())


def measured(client: str, seed: int, domains: int, in_flight: int, *how: str) -> float:
    """Give domains per second of one client in a fresh process; raises WrongAnswers."""
    fleet = make_fleet(seed, domains)
    with replay_server(seed, domains, *how) as (port, counts):
        command = [str(HERE / "dns_clients.py"), client, str(port), str(seed), str(domains), str(in_flight)]
        done = json.loads(
            subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, check=True).stdout
        )
    _check(client, done, counts, fleet)
    return domains / float(done["seconds"])


def _check(client: str, done: dict[str, Any], counts: dict[str, int], fleet: Any) -> None:
    for told, is_so in (
        (f"{done['failed']} questions failed", done["failed"] == 0),
        ("the answers differ from what the fleet holds", done["digest"] == fleet.digest),
        (f"{counts['unknown']} questions are about nothing in the fleet", counts["unknown"] == 0),
        ("not every question reached the server", counts["distinct"] == fleet.questions == done["questions"]),
        ("a truncated answer was not completed", counts["tcp"] == len(fleet.truncated)),
        (
            "the client miscounts its questions",
            "asked" not in done
            or (done["asked"] == fleet.questions and counts["udp"] <= done["asked"] + done["again"]),
        ),
    ):
        if not is_so:
            raise WrongAnswers(f"{client}: {told}; {done}, {counts}")


def beside_dnspython() -> list[float]:
    """How many times as fast as `dns.asyncresolver`, round by round."""
    ratios = []
    for number in range(ROUNDS):
        seed = random.SystemRandom().getrandbits(32)
        peers = [("exo-auth", 3000), ("dnspython", 120)]
        random.Random(seed).shuffle(peers)
        rates = {client: measured(client, seed, count, 32, "--forged", "0.03") for client, count in peers}
        ratios.append(rates["exo-auth"] / rates["dnspython"])
        _progress(
            f"round {number + 1}: " + ", ".join(f"{c} {rate:,.0f} domains/s" for c, rate in rates.items())
        )
    return ratios


def beside_the_network(in_flight: int = 64, domains: int = 2560) -> tuple[list[float], list[float]]:
    """What part of the rate that the delay allows, and what part of that is left when 1 % of answers are lost."""
    of_bound, of_lossless = [], []
    for number in range(ROUNDS):
        seed = random.SystemRandom().getrandbits(32)
        common = ("--delay", "--forged", "0.03")
        whole = measured("exo-auth", seed, domains, in_flight, *common)
        lossy = measured("exo-auth", seed, domains, in_flight, *common, "--lost", "0.01")
        of_bound.append(whole / _bound(seed, domains, in_flight))
        of_lossless.append(lossy / whole)
        _progress(f"round {number + 1}: {whole:,.0f} domains/s, {lossy:,.0f} with loss")
    return of_bound, of_lossless


def _bound(seed: int, domains: int, in_flight: int) -> float:
    """Domains per second when only the slowest answer of each of the two depths counts."""
    shortest, longest = DELAY

    def slowest_of(count: int) -> float:  # the mean of the greatest of so many uniform draws
        return shortest + (longest - shortest) * count / (count + 1)

    seconds = sum(slowest_of(8) + slowest_of(later) for later in make_fleet(seed, domains).later)
    return in_flight * domains / seconds


def _progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
