"""The lock holds for every command that writes: none looks, plans or sends while another run is at work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import NEW, Desk

from exo_auth.cli.app import build
from exo_auth.run.lock import tenant_lock
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

TENANT, DNS = "tenants", "dns"  # whose lock it is
LINES = [  # with --yes; whose lock
    ("onboard new.example --rua mailto:d@new.example --tls-rua mailto:t@new.example", TENANT),
    ("apply rotate-dkim", TENANT),
    ("apply saved.plan", TENANT),
    ("undo 2026-11-23T20-59-10Z-7cd8", TENANT),
    ("dkim enable", TENANT),
    ("dkim disable new.example", TENANT),
    ("dkim rotate", TENANT),
    ("dkim upgrade-keys", TENANT),
    ("dane enable new.example", TENANT),
    ("dane disable new.example", TENANT),
    ("tls force tls.partner.example", TENANT),
    ("tls rule set tls.partner.example", TENANT),
    ("tls rule remove tls.partner.example", TENANT),
    ("tls connector set tls.partner.example", TENANT),
    ("dns apply new.example", DNS),
    ("dns undo 2026-11-23T20-59-11Z-7cd9", DNS),
    ("undo 2026-11-23T20-59-11Z-7cd9", DNS),
]


@pytest.fixture(scope="module")
def kept_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        yield box


@pytest.fixture
def desk(kept_box: Sandbox, tmp_path: Path) -> Desk:
    desk = Desk(kept_box, tmp_path)
    for folder, run in ((folder_of(desk, TENANT), "10Z-7cd8"), (folder_of(desk, DNS), "11Z-7cd9")):
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_text(f'{{"run":"2026-11-23T20-59-{run}"}}\n')
    kept_box.api.clear_log()
    return desk


def folder_of(desk: Desk, whose: str) -> Path:
    state = Path(desk.environment["EXO_AUTH_STATE_DIR"])
    return state / TENANT / desk.box.tenant.tenant_id if whose == TENANT else state / DNS


@pytest.mark.parametrize(("line", "whose"), LINES, ids=[row[0] for row in LINES])
def test_it_is_refused_while_another_run_is_at_work(desk: Desk, line: str, whose: str) -> None:
    before = desk.box.zones.to_state()
    with tenant_lock(folder_of(desk, whose), command="exo-auth of another"):
        done = desk.run(f"{line} --yes --no-jitter")
    assert done.code == 7, done
    assert f"exo-auth of another, process {os.getpid()} of " in done.err
    assert "--lock-timeout" in done.err
    assert desk.box.requests == (), "it asked the tenant"
    assert desk.box.zones.to_state() == before


PUBLISHING = [
    "onboard new.example --rua mailto:d@new.example --tls-rua mailto:t@new.example",
    "apply onboard-tenant -d new.example --var rua=mailto:d@new.example --var tls_rua=mailto:t@new.example",
]


@pytest.mark.parametrize("line", PUBLISHING)
def test_a_tenants_plan_that_publishes_waits_for_those_who_publish(desk: Desk, line: str) -> None:
    for whose in (TENANT, DNS):
        (folder_of(desk, whose) / "journal.jsonl").unlink()
    before = desk.box.zones.to_state()
    with tenant_lock(folder_of(desk, DNS), command="exo-auth dns apply"):
        done = desk.run(f"{line} --yes")
    assert done.code == 7, done
    assert "exo-auth dns apply, process" in done.err
    assert desk.box.zones.to_state() == before


def test_every_command_that_writes_is_among_them() -> None:
    def commands(command: Any, path: str) -> Iterator[str]:
        for name, child in getattr(command, "commands", {}).items():
            yield from commands(child, f"{path} {name}".strip())
        if any("--yes" in parameter.opts for parameter in command.params):
            assert any("--lock-timeout" in parameter.opts for parameter in command.params), path
            yield path

    tree = build()
    tree.load_all()
    writing = set(commands(tree, ""))
    assert len(writing) > 10
    assert {
        name for name in writing if not any(line.startswith(f"{name} ") or line == name for line, _ in LINES)
    } == set()
