"""What a shell is offered, as its completion script asks for it."""

import shlex
from pathlib import Path

import pytest

from exo_auth.cli.app import run
from exo_auth.run.journal import Journal
from exo_auth.run.service_clock import utc_now

OFFERS = [
    ("plan onb", ["onboard-tenant"], "a playbook that ships"),
    ("apply enable-d", ["enable-dane", "enable-dkim"], "apply takes one, too"),
    ("apply mi", ["mine.yaml"], "and a file"),
    ("apply sub/", ["sub/some.plan"], "in a folder"),
    ("plan mine.yaml --stage ", ["first", "rotate"], "a stage by its name, or what it does"),
    ("plan mine.yaml --stage r", ["rotate"], "that begins so"),
    ("apply mine.yaml --var ", ["who="], "a variable"),
    ("plan rotate-dkim --stage ", ["rotate"], "a playbook of one step has one stage"),
    ("plan --stage ", [], "no playbook, no stage"),
    ("plan broken.yaml --stage ", [], "a file that is no playbook"),
    ("plan --for r", ["rotate"], "a verb"),
    ("undo ", ["2026-11-24T03-00-00Z-2222", "2026-11-23T03-00-00Z-1111"], "a run, the newest first"),
    ("journal show 2026-11-23", ["2026-11-23T03-00-00Z-1111"], "a run that begins so"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nvariables: {who: }\nstages: [{name: first, do: publish, domains: ['${who}']}, {do: rotate}]\n"
    )
    (tmp_path / "broken.yaml").write_text("version: [\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "some.plan").touch()
    journal_file = tmp_path / "state" / "tenants" / "t" / "journal.jsonl"
    journal_file.parent.mkdir(parents=True)
    journal = Journal.open(journal_file)
    for name in ("2026-11-23T03-00-00Z-1111", "2026-11-24T03-00-00Z-2222"):
        journal.append("intent", run_id=name, at=utc_now(), service_time=utc_now(), body={})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("line", "offered", "why"), OFFERS, ids=[row[2] for row in OFFERS])
def test_what_is_offered(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    offered: list[str],
    why: str,
) -> None:
    words = ["exo-auth", *shlex.split(line)]
    monkeypatch.setenv("_EXO_AUTH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"exo-auth {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(words) - (0 if line.endswith(" ") else 1)))
    monkeypatch.setenv("EXO_AUTH_STATE_DIR", str(folder / "state"))
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == offered
