"""A real BIND 9 that holds one zone and takes RFC 2136 updates and zone transfers with a TSIG key."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knot_primary import KEY_NAME, Primary, free_address, octodns_file, wait_for_zone, write_zones

BIND = shutil.which("named")


@contextmanager
def bind_primary(
    folder: Path,
    zone: str,
    lines: list[str],
    others: dict[str, list[str]] | None = None,
    more: dict[str, list[str]] | None = None,
) -> Iterator[Primary]:
    """Serve `zone` from its lines (owner TTL IN type data) until the end of the block.

    `others` stay as they are; those of `more` are written as `zone` is.
    """
    assert BIND is not None
    folder.mkdir(parents=True, exist_ok=True)
    host, port = free_address()
    secret = base64.b64encode(os.urandom(32)).decode()
    written = {zone: lines, **(more or {})}
    write_zones(folder, {**written, **(others or {})})
    static = "".join(
        f'zone "{name}" {{ type primary; file "{folder}/{name}.zone"; }};\n' for name in others or {}
    )
    (folder / "named.conf").write_text(
        f'key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        f'options {{ directory "{folder}"; listen-on port {port} {{ {host}; }}; listen-on-v6 {{ none; }};\n'
        f'  pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key"; recursion no;\n'
        '  dnssec-validation no; managed-keys-directory "' + str(folder) + '"; };\n'
        "controls { };\n"
        + "".join(
            f'zone "{name}" {{ type primary; file "{folder}/{name}.zone";\n'
            f'  allow-update {{ key "{KEY_NAME}"; }}; allow-transfer {{ key "{KEY_NAME}"; }}; }};\n'
            for name in written
        )
        + static,
        encoding="utf-8",
    )
    log = folder / "named.log"
    with log.open("wb") as out:
        process = subprocess.Popen([BIND, "-g", "-c", str(folder / "named.conf")], stdout=out, stderr=out)
        try:
            wait_for_zone(process, (host, port), zone, log)
            yield Primary((host, port), zone, secret, octodns_file(folder, (host, port), secret, *written))
        finally:
            process.terminate()
            process.wait()
