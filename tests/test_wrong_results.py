"""Wrong results that tools in use are known for, each as a test of ours, named after the habit.

Those about reading stand in tests/zones/test_habits.py and tests/checks/test_dkim_checks.py (`test_habit_…`).
"""

import ast
import inspect
import os
from pathlib import Path

from bench import Bench
from scenes import accepted, config, key_text, name, scene, target
from terminal import as_cron

from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
from exo_auth.facts.tenant import SelectorKey
from exo_auth.plan.dkim import plan_enable, plan_everything, plan_rotation, plan_upgrade
from exo_auth.run.hands import Reader, Writer
from exo_auth.run.session import ReadingSession
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

PACKAGE = Path(__file__).parent.parent / "exo_auth"


def methods(kind: type) -> set[str]:
    return {label for label, _ in inspect.getmembers(kind, inspect.isfunction) if not label.startswith("_")}


def test_habit_a_reading_command_creates_nothing_because_it_cannot() -> None:
    assert methods(ExchangeReader) & methods(ExchangeWriter) == set()
    assert methods(Reader) & methods(Writer) == set()
    assert not hasattr(ReadingSession, "writer")


def test_habit_no_reading_command_opens_a_writing_session() -> None:
    for file in ("check", "domain", "doctor", "tenant", "journal", "auth"):
        text = (PACKAGE / "cli" / f"{file}.py").read_text(encoding="utf-8")
        assert "WritingSession" not in text, file


def test_habit_a_read_only_analysis_writes_nothing(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions.named("demo")) as box:
        Bench(box, tmp_path).plan()
        assert {request.cmdlet for request in box.requests} == {"Get-AcceptedDomain", "Get-DkimSigningConfig"}


def test_habit_an_absent_configuration_is_created_and_not_taken_for_a_disabled_one() -> None:
    (change,) = plan_enable(scene(domains=(accepted(),))).changes
    assert change.cmdlet == "New-DkimSigningConfig"


def test_habit_a_key_size_that_drifted_converges() -> None:
    short = SelectorKey("selector2", target("contoso.com", "selector2"), 1024, key_text(2))
    (change,) = plan_upgrade(scene(config(selector2=short))).changes
    assert change.parameters == {"KeySize": 2048}


def test_habit_both_selectors_sizes_are_read() -> None:
    for number, selector in ((1, "selector1"), (2, "selector2")):
        short = SelectorKey(selector, target("contoso.com", selector), 1024, key_text(number))
        assert plan_upgrade(scene(config(**{selector: short}))).changes, selector


def test_habit_absent_does_not_mean_disable() -> None:
    assert not plan_everything(scene(config(), domains=(accepted("contoso.com"),))).is_empty
    assert {c.verb.value for c in plan_everything(scene(config())).changes} == {"rotate"}


def test_habit_the_plan_after_the_run_is_empty(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions.named("due:3")) as box:
        bench = Bench(box, tmp_path)
        assert len(bench.run().outcomes) == 3
        assert bench.plan().is_empty


def test_habit_an_exception_is_never_swallowed() -> None:
    """An `except` whose body does nothing hides a failure as a success."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert not all(isinstance(part, ast.Pass) for part in node.body), f"{path}:{node.lineno}"


def test_habit_no_program_is_asked_about_dns() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "nslookup" not in text, path
        assert '"dig"' not in text, path


def test_habit_a_domain_that_cannot_send_is_left_alone() -> None:
    from exo_auth.checks.domains import classify
    from exo_auth.plan.selection import choose

    rows = (
        accepted("a.example"),
        accepted("b.example", sending_disabled=True),
        accepted("c.example", pending_removal=True),
    )
    assert choose(classify(rows, ("onmicrosoft.com",)), ("*",)) == (name("a.example"),)


def test_habit_rotation_looks_at_age_window_and_dns_not_only_at_enabled() -> None:
    assert plan_rotation(scene(config(age=(config().rotate_on - config().rotate_on)))).is_empty  # type: ignore[operator]


def test_habit_every_change_of_a_run_has_an_outcome_and_a_failure_is_never_an_empty_success(
    tmp_path: Path,
) -> None:
    with Sandbox(SandboxOptions.named("due:3")) as box:
        bench = Bench(box, tmp_path)
        report = bench.run(between=lambda: bench.fault("unavailable", count=0))
        assert len(report.outcomes) == len(report.plan.changes) == 3
        assert report.exit_code not in (0, 2)
        assert sum(bench.rotations().values()) == 0


def test_habit_the_exit_code_tells_what_was_found(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions.named("demo")) as box:
        environment = {**box.description.environment, "HOME": str(tmp_path), "PATH": os.defpath}
        assert as_cron("check", "fresh.example", environment=environment).code == 0
        assert as_cron("check", "mended.example", environment=environment).code == 3
        box.faults.add(Fault("dns-servfail", domain="fresh.example", count=0))
        assert as_cron("check", "fresh.example", environment=environment).code == 6
