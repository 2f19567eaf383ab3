from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bench import Bench

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DAY = timedelta(days=1)
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("due-a.example", age=200 * DAY),
    DomainSpec("due-b.example", age=200 * DAY, new_target_form=False),
    DomainSpec("fresh.example", age=10 * DAY, dmarc="reject", policy="enforce"),
    DomainSpec("new.example", listed=False, cnames="none", spf="", dmarc=""),
    DomainSpec("off.example", age=10 * DAY, enabled=False),
    DomainSpec("short.example", age=10 * DAY, key_sizes=(1024, 1024)),
)


@pytest.fixture(scope="session")
def shared_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS)) as box:
        yield box


@pytest.fixture
def box(shared_box: Sandbox) -> Sandbox:
    shared_box.reset()
    return shared_box


@pytest.fixture
def bench(box: Sandbox, tmp_path: Path) -> Bench:
    return Bench(box, tmp_path / "state")
