"""`advance-dmarc` asks about many domains side by side: a resolver that answers none before all are asked about keeps it waiting for nobody."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
from terminal import in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

NAMES = tuple(f"d{number}.example" for number in range(8))
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    *(DomainSpec(name) for name in NAMES),
)


@contextmanager
def gathering_resolver(behind: tuple[str, int], owners: set[str]) -> Iterator[str]:
    """Hand on questions, those about the owners when all of them were asked about; gives `host:port`."""
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", 0))
    missing, kept = set(owners), []

    def answer(wire: bytes, client: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner, contextlib.suppress(OSError):
            inner.settimeout(5)
            inner.sendto(wire, behind)
            door.sendto(inner.recv(65535), client)

    def serve() -> None:
        while True:
            try:
                wire, client = door.recvfrom(4096)
            except OSError:
                return
            owner = dns.message.from_wire(wire).question[0].name.to_text(omit_final_dot=True).lower()
            missing.discard(owner)
            kept.append((wire, client))
            if missing and owner in owners:
                continue
            ready = kept if not missing else [kept.pop()]
            while ready:
                threading.Thread(target=answer, args=ready.pop(), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield "{}:{}".format(*door.getsockname())
    finally:
        door.close()


def test_no_domain_waits_for_the_answer_about_another(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        host, _, port = box.description.nameserver.rpartition(":")
        with gathering_resolver((host, int(port)), {f"_dmarc.{name}" for name in NAMES}) as nameserver:
            environment = {
                **box.description.environment,
                "EXO_AUTH_NAMESERVER": nameserver,
                "EXO_AUTH_STATE_DIR": str(tmp_path),
                "EXO_AUTH_MAX_SHARE": "100%",
                "HOME": str(tmp_path),
            }
            line = "plan advance-dmarc --var goal=quarantine --var observe=0d -o json"
            done = in_process(*line.split(), environment=environment)
    document = json.loads(done.out)
    assert (done.code, document["blockages"]) == (0, []), done
    assert [one["domain"] for one in document["changes"]] == list(NAMES)
