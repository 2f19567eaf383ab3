"""The zone with all broken domains, and the environment under which the command looks at it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from broken_domains import BROKEN, SHARED, Broken
from policy_host import PolicyHost
from scenes import key_text


def zone_lines(cases: Iterable[Broken] = BROKEN) -> list[str]:
    keys = {
        "one": key_text(1),
        "two": key_text(2),
        "short": key_text(3, bits=1024),
        "revoked": "v=DKIM1; p=",
        "cut": key_text(4)[:253],
        "testing": key_text(5).replace("k=rsa;", "k=rsa; t=y;"),
    }
    lines = [f"{label}.keys.test. 3600 IN TXT {_quoted(text)}" for label, text in keys.items()]
    lines += [f"double.keys.test. 3600 IN TXT {_quoted(key_text(n))}" for n in (6, 7)]
    return [*SHARED, *lines, *(line for case in cases for line in case.lines())]


def _quoted(text: str) -> str:
    return " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))


def environment_for(name_server: tuple[str, int], policy_host: PolicyHost) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "EXO_AUTH_CA_FILE": str(policy_host.ca_file),
        "EXO_AUTH_POLICY_PORT": str(policy_host.port),
        "EXO_AUTH_NAMESERVER": f"{name_server[0]}:{name_server[1]}",
    }
