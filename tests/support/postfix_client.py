"""Asks for policies with postfix-mta-sts-resolver, which serves policies to Postfix; a program of its own because
that package reads proxy and trusted roots from the environment when it is imported.

Arguments: name server, time-out in seconds, then domains, each as DOMAIN or DOMAIN=ID (the id known already).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


async def ask(server: str, timeout: float, wanted: list[str]) -> dict[str, Any]:
    import aiodns
    from postfix_mta_sts_resolver.resolver import STSResolver

    resolver = STSResolver(loop=asyncio.get_running_loop(), timeout=timeout)
    resolver._resolver = aiodns.DNSResolver(nameservers=[server], timeout=timeout)
    found: dict[str, Any] = {}
    for word in wanted:
        domain, _, known = word.partition("=")
        result, policy = await resolver.resolve(domain, known or None)
        found[domain] = {"result": result.name, "id": policy[0], **policy[1]} if policy else result.name
    return found


def resolved(
    *wanted: str, server: tuple[str, int], proxy: str, ca_file: Path, timeout: float = 20
) -> Mapping[str, Any]:
    """Run this file; give what the client made of each domain."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, f"{server[0]}:{server[1]}", str(timeout), *wanted],
        env={"PATH": os.defpath, "SSL_CERT_FILE": str(ca_file), "https_proxy": proxy},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))))
