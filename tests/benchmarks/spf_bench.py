"""SPF evaluations beside pyspf on the same zones: verdicts equal, questions counted at the server."""

from __future__ import annotations

import json
import random
import subprocess
import sys

from dns_bench import HERE, WrongAnswers, replay_server

ROUNDS = 5
SIZE, FEW = 2000, 200  # domains of the fleet, and how many of them the slow peer is asked about
EACH = 3  # evaluations of one domain


def evaluated(which: str, seed: int, count: int) -> tuple[float, float, list[str]]:
    """Give evaluations per second, questions per evaluation, and the verdicts."""
    with replay_server(seed, SIZE, "--check") as (port, counts):
        line = [str(HERE / "spf_client.py"), which, str(port), str(seed), str(SIZE), str(count)]
        done = json.loads(
            subprocess.run(
                [sys.executable, *line], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
            ).stdout
        )
    return count * EACH / done["seconds"], counts["udp"] / (count * EACH), done["verdicts"]


def beside_pyspf() -> tuple[list[float], list[float]]:
    """How many times as fast with a memory and without one, round by round."""
    cached, uncached = [], []
    for number in range(ROUNDS):
        seed = random.SystemRandom().getrandbits(32)
        remembering, forgetting = (evaluated(which, seed, SIZE) for which in ("cached", "uncached"))
        peer = evaluated("pyspf", seed, FEW)
        for ours in (remembering, forgetting):
            if ours[2][: FEW * EACH] != peer[2]:
                raise WrongAnswers("the verdicts differ from pyspf's")
        cached.append(remembering[0] / peer[0])
        uncached.append(forgetting[0] / peer[0])
        print(
            f"  round {number + 1}: {remembering[0]:,.0f}/s ({remembering[1]:.2f} questions each), "
            f"{forgetting[0]:,.0f}/s ({forgetting[1]:.2f}), pyspf {peer[0]:,.0f}/s ({peer[1]:.2f})",
            file=sys.stderr,
            flush=True,
        )
    return cached, uncached
