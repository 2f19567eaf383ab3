"""The whole check beside checkdmarc on the same zones, and its memory with many domains beside that with few."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from check_fleet import make_check_fleet
from dns_bench import HERE, WrongAnswers, replay_server
from dns_fleet import domain_names

ROUNDS = 5
OURS_ALONE = frozenset({"DKIM-SELECTORS-ABSENT", "DMARC-NP-ABSENT"})
LAUNCHER = (
    "import os, sys; pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); "
    "print(os.wait4(pid, 0)[2].ru_maxrss, file=sys.stderr)"
)


def exo_auth(seed: int, domains: int) -> tuple[float, float, int]:
    """Run the command; give domains per second, questions per second, and its greatest memory in KiB."""
    _, expected = make_check_fleet(seed, domains)
    with tempfile.TemporaryDirectory() as folder, replay_server(seed, domains, "--check") as (port, counts):
        names, out = Path(folder, "names"), Path(folder, "out")
        names.write_text("\n".join(domain_names(seed, domains)), encoding="ascii")
        line = ["-m", "exo_auth", "check", "--no-sign-in", "--file", str(names), "-o", "json"]
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "EXO_AUTH_NAMESERVER": f"127.0.0.1:{port}"}
        start = time.perf_counter()
        with out.open("wb") as file:
            # A small process in between: a child's greatest memory counts its parent's at the fork.
            told = subprocess.run(
                [sys.executable, "-S", "-c", LAUNCHER, sys.executable, *line],
                stdout=file,
                stderr=subprocess.PIPE,
                env=environment,
                check=True,
            )
        seconds = time.perf_counter() - start
        document, memory = json.loads(out.read_bytes()), int(told.stderr.split()[-1])
    found: dict[str, list[str]] = {name: [] for name in document["domains"]}
    for one in document["findings"]:
        found[one["domain"]].append(one["code"])
    if {name: sorted(codes) for name, codes in found.items()} != expected:
        raise WrongAnswers("the findings differ from what the fleet holds")
    return domains / seconds, counts["udp"] / seconds, memory


def checkdmarc(seed: int, domains: int) -> tuple[float, float]:
    """Run the peer's whole check, one domain after the other, its fastest way; give domains and questions per second."""
    _, expected = make_check_fleet(seed, domains)
    with replay_server(seed, domains, "--check") as (port, counts):
        line = [sys.executable, str(HERE / "checkdmarc_client.py"), str(port), str(seed), str(domains)]
        done = subprocess.run(line, capture_output=True, check=True)
        seconds = float(done.stderr.split()[-1])
    for result in json.loads(done.stdout):
        of_both = [code for code in expected[result["domain"]] if code not in OURS_ALONE]
        if codes_of(result) != of_both:
            raise WrongAnswers(f"checkdmarc found {codes_of(result)} where the fleet holds {of_both}")
    return domains / seconds, (counts["udp"] + counts["tcp"]) / seconds


def codes_of(result: dict[str, Any]) -> list[str]:
    """Say in our codes what the peer found about one domain."""
    policy = result["dmarc"].get("tags", {}).get("p", {}).get("value")
    told = {
        "DNSSEC-INSECURE": not result["dnssec"],
        "STS-TXT-MISSING": not result["mta_sts"]["valid"],
        "SPF-NEUTRAL": result["spf"]["parsed"]["all"] == "neutral",
        "DMARC-MISSING": policy is None,
        "DMARC-NONE": policy == "none",
        "TLSRPT-MISSING": not result["smtp_tls_reporting"]["valid"],
        "MX-MISSING": not result["mx"]["hosts"],
    }
    return sorted(code for code, is_so in told.items() if is_so)


def beside_checkdmarc() -> tuple[list[float], list[float]]:
    """How many times as fast by domain and by question, round by round; starting Python counts against us."""
    by_domain, by_question = [], []
    for number in range(ROUNDS):
        seed = random.SystemRandom().getrandbits(32)
        ours, peer = exo_auth(seed, 5000), checkdmarc(seed, 200)
        by_domain.append(ours[0] / peer[0])
        by_question.append(ours[1] / peer[1])
        print(
            f"  round {number + 1}: {ours[0]:,.0f} and {peer[0]:,.0f} domains/s, "
            f"{ours[1] / ours[0]:.1f} and {peer[1] / peer[0]:.1f} questions each",
            file=sys.stderr,
            flush=True,
        )
    return by_domain, by_question


def memory_of_many() -> float:
    """How many times the memory of 1,000 domains 10,000 need."""
    seed = random.SystemRandom().getrandbits(32)
    return exo_auth(seed, 10_000)[2] / exo_auth(seed, 1_000)[2]
