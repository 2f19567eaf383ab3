"""Snapshots, baselines and audits, as a nightly job uses them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bench import Bench
from terminal import Done, as_cron, in_process

from exo_auth.errors import InputError
from exo_auth.facts.domain import Subject
from exo_auth.render.schema import schema_text
from exo_auth.run import snapshot
from exo_auth.run.check import CheckRequest, check_snapshot
from exo_auth.run.config import load


@pytest.fixture
def cron(bench: Bench) -> dict[str, str]:
    return {**bench.environment, "PATH": os.defpath, "HOME": str(bench.state)}


def run(cron: dict[str, str], line: str) -> Done:
    return in_process(*line.split(), environment=cron)


def valid(text: str, schema: str) -> dict[str, object]:
    document = json.loads(text)
    jsonschema.validate(document, json.loads(schema_text(schema)))
    return document  # type: ignore[no-any-return]


def findings(done: Done) -> set[tuple[str, str]]:
    return {(row["domain"], row["code"]) for row in json.loads(done.out)["findings"]}


def test_a_snapshot_is_judged_as_the_world_was(bench: Bench, cron: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    assert run(cron, f"snapshot save {file}").code == 0
    live = run(cron, "check -o json")
    bench.box.remove_record("_dmarc.fresh.example", "TXT")
    alone = {key: value for key, value in cron.items() if not key.startswith("EXO_AUTH_")}
    replayed = run({**alone, "EXO_AUTH_NAMESERVER": "127.0.0.1:9"}, f"check --from {file} -o json")
    assert replayed.code == live.code == 3
    assert findings(replayed) == findings(live)


def test_what_was_never_asked_is_unknown_not_missing(cron: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    run(cron, f"snapshot save {file} fresh.example")
    document = json.loads(file.read_text())
    document["answers"] = [row for row in document["answers"] if not row["name"].startswith("_dmarc.")]
    file.write_text(json.dumps(document))
    done = run(cron, f"check --from {file} -o json")
    codes = {code for _, code in findings(done)}
    assert done.code == 6
    assert "TRANSIENT" in codes
    assert "DMARC-MISSING" not in codes


def test_a_diff_names_the_record_that_changed(bench: Bench, cron: dict[str, str], tmp_path: Path) -> None:
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    run(cron, f"snapshot save {before} fresh.example")
    assert run(cron, f"snapshot diff {before} {before} -o json").code == 0
    bench.box.publish_txt("fresh.example", "v=spf1 +all")
    run(cron, f"snapshot save {after} fresh.example")
    done = run(cron, f"snapshot diff {before} {after} -o json")
    document = valid(done.out, "snapshot-diff")
    assert done.code == 2
    assert any(row["name"] == "fresh.example" and "+all" in row["after"] for row in document["differences"])  # type: ignore[attr-defined]
    compared = run(cron, f"audit compare {before} {after} -o json")
    assert compared.code == 2
    changes = valid(compared.out, "compare")["changes"]
    assert ("new", "SPF-PLUSALL") in {(row["change"], row["code"]) for row in changes}  # type: ignore[attr-defined]


def test_beside_a_baseline_only_changes_are_told(bench: Bench, cron: dict[str, str], tmp_path: Path) -> None:
    base = tmp_path / "base.json"
    assert run(cron, f"check --report {base}").code == 3
    same = run(cron, f"check --baseline {base} -o json")
    assert (same.code, findings(same)) == (0, set())
    bench.box.publish_txt("_dmarc.fresh.example", "v=DMARC1; p=none; rua=mailto:d@fresh.example")
    bench.box.publish_txt("_dmarc.new.example", "v=DMARC1; p=reject; rua=mailto:d@new.example")
    changed = run(cron, f"check --baseline {base} -o json")
    document = valid(changed.out, "check")
    assert ("fresh.example", "DMARC-NONE") in findings(changed)
    assert {"domain": "new.example", "code": "DMARC-MISSING"}.items() <= document["gone"][0].items()  # type: ignore[index]


def test_a_failed_look_up_makes_nothing_go_away(bench: Bench, cron: dict[str, str], tmp_path: Path) -> None:
    from exo_auth.sandbox.faults import Fault

    base = tmp_path / "base.json"
    run(cron, f"check new.example --report {base}")
    bench.box.faults.add(Fault("dns-servfail", domain="_dmarc.new.example", count=0))
    done = run(cron, f"check new.example --baseline {base} -o json")
    assert done.code == 6
    assert json.loads(done.out)["gone"] == []


def test_an_unchanged_id_before_a_changed_policy_is_told(
    bench: Bench, cron: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "s.json"
    run(cron, f"snapshot save {file} fresh.example")
    document = json.loads(file.read_text())
    document["policies"][0]["body"] = "dmVyc2lvbjogU1RTdjEK"  # another file stood there
    file.write_text(json.dumps(document))
    done = run(cron, f"check fresh.example --baseline {file} -o json")
    assert ("fresh.example", "STS-ID-STALE") in findings(done)


def test_rules_are_judged_and_scored(cron: dict[str, str]) -> None:
    done = run(cron, "audit run --framework scuba,cis -o json")
    document = valid(done.out, "audit")
    assert done.code == 3
    assert {rule["framework"] for rule in document["rules"]} == {"scuba", "cis"}  # type: ignore[attr-defined]
    alone = run(cron, "audit run fresh.example --framework scuba -o json")
    assert (alone.code, json.loads(alone.out)["score"]["percent"]) == (0, 100.0)
    score = run(cron, "audit score fresh.example -o json")
    assert valid(score.out, "audit-score")["percent"] == 100.0
    assert run(cron, "audit score fresh.example").out.strip() == "100.0"


def test_an_audit_beside_a_baseline_tells_rules_that_changed(
    bench: Bench, cron: dict[str, str], tmp_path: Path
) -> None:
    base, check, taken = tmp_path / "audit.json", tmp_path / "check.json", tmp_path / "snapshot.json"
    base.write_text(run(cron, "audit run fresh.example -o json").out)
    run(cron, f"check fresh.example --rules cisa --report {check}")
    run(cron, f"snapshot save {taken} fresh.example")
    same = run(cron, f"audit run fresh.example --baseline {base}")
    assert (same.code, same.out.strip()) == (0, "no rule changed")
    bench.box.publish_txt("_dmarc.fresh.example", "v=DMARC1; p=none; rua=mailto:d@fresh.example")
    for file in (base, check, taken):
        done = run(cron, f"audit run fresh.example --framework scuba --baseline {file} -o json")
        (rule,) = valid(done.out, "audit-changes")["rules"]  # type: ignore[misc]
        assert (done.code, rule["rule"], rule["broken"]) == (3, "MS.EXO.4.2v1", ["fresh.example"])  # type: ignore[index]
    after = tmp_path / "after.json"
    after.write_text(run(cron, "audit run fresh.example -o json").out)
    compared = run(cron, f"audit compare {base} {after} -o json")
    assert ("new", "DMARC-NONE") in {
        (row["change"], row["code"])  # type: ignore[index]
        for row in valid(compared.out, "compare")["changes"]  # type: ignore[attr-defined]
    }


UNLIKE = [  # how the baseline was made, how it is used, part of the message, reason
    ("check a.example", "check a.example --rules cisa", "by the rules of ietf", "other rules"),
    ("check a.example", "check a.example --only spf", "looked at everything", "fewer subjects"),
    ("check a.example --only spf", "check a.example", "looked at spf", "more subjects"),
    ("check a.example", "audit run a.example", "by the rules of ietf", "rules of frameworks"),
    ("check a.example --baseline {other}", "check a.example", "only what changed", "changes alone"),
]


@pytest.mark.parametrize(("made", "used", "part", "reason"), UNLIKE, ids=[row[3] for row in UNLIKE])
def test_what_cannot_be_compared_is_refused(
    made: str, used: str, part: str, reason: str, cron: dict[str, str], tmp_path: Path
) -> None:
    base, other = tmp_path / "base.json", tmp_path / "other.json"
    head = {"schema": "exo-auth/check/1", "profile": "ietf", "beside_baseline": False}
    head["subjects"] = [subject.value for subject in Subject]
    other.write_text(json.dumps(head | {"domains": [], "findings": []}))
    base.write_text(run(cron, f"{made.format(other=other)} --no-sign-in -o json").out)
    done = run(cron, f"{used} --baseline {base}")
    assert (done.code, part in done.err) == (64, True), (reason, done.err)


def test_a_snapshot_tells_what_it_holds(cron: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    run(cron, f"snapshot save {file} fresh.example")
    shown = valid(run(cron, f"snapshot show {file} -o json").out, "snapshot-show")
    assert shown["domains"] == ["fresh.example"]
    assert shown["answers"]["failed"] == 0  # type: ignore[index]


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to every part, of lists to the first two items."""
    rows = document.items() if isinstance(document, dict) else enumerate(document[:2])
    for key, part in rows:
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from places(part, (*path, key))


def damaged(document: Any, path: tuple[Any, ...], part: object) -> Any:
    """Give the document with another part at that place; None takes it away."""
    copy = json.loads(json.dumps(document))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    if part is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = part
    return copy


def test_a_damaged_snapshot_is_refused_or_judged_and_never_breaks_the_program(
    bench: Bench, cron: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "s.json"
    run(cron, f"snapshot save {file} fresh.example")
    document = json.loads(file.read_text())
    kept: dict[str, Any] = {}  # one answer of each kind is enough
    for row in document["answers"]:
        kept.setdefault(f"{row['type']} {row['outcome']}", row)
    document["answers"] = list(kept.values())
    settings = load({}, environment=bench.environment, config_file=tmp_path / "none.yaml")
    refused = judged = 0
    for path in [
        ("answers", at, *rest) for at in range(len(kept)) for rest in places(document["answers"][at])
    ] + [path for path in places(document) if path[0] != "answers"]:
        for part in (None, 5, "x", ["x"], {"a": 1}):
            file.write_text(json.dumps(damaged(document, path, part)))
            try:
                taken = snapshot.read(file)
            except InputError:
                refused += 1
                continue
            try:
                check_snapshot(settings, taken, (), CheckRequest(), lambda _report: None)
            except InputError:
                refused += 1
            judged += 1
    assert refused > judged > 0


BAD = [  # command line, part of the message, reason
    ("check --from /no/such/file", "cannot be read", "no file"),
    ("check --from {file}", "no snapshot", "another document"),
    ("check --baseline {file}", "neither a check, an audit nor a snapshot", "... as a baseline"),
    ("audit run --framework nist", "no framework “nist”", "an unknown framework"),
    ("check --only spf,smtp", "no subject “smtp”", "an unknown subject"),
    ("check --gate open", "no gate “open”", "an unknown gate"),
    ("check --report x.doc", "names no format", "an unknown suffix"),
    ("plan -o html", "does not write html", "a format of reports elsewhere"),
]


@pytest.mark.parametrize(("line", "part", "reason"), BAD, ids=[row[2] for row in BAD])
def test_bad_input_is_one_sentence(
    cron: dict[str, str], tmp_path: Path, line: str, part: str, reason: str
) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")
    done = run(cron, line.format(file=file))
    assert (done.code, part in done.err) == (64, True), (reason, done)
    assert "Traceback" not in done.err


def test_names_come_from_a_file_and_from_standard_input(cron: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "names.csv"
    file.write_text("# ours\nfresh.example;yes\n\nnew.example,no\nfresh.example\n")
    done = run(cron, f"check --no-sign-in --file {file} -o ndjson")
    assert [json.loads(line)["domain"] for line in done.out.splitlines()] == ["fresh.example", "new.example"]
    piped = as_cron(
        *["check", "--no-sign-in", "-", "-o", "csv", "--only", "spf"], environment=cron, stdin="new.example\n"
    )
    assert "new.example,fail,SPF-MISSING" in piped.out
    bad = as_cron(*["check", "--no-sign-in", "-"], environment=cron, stdin="ok.example\nnot a name\n")
    assert (bad.code, "standard input, line 2" in bad.err) == (64, True)


def test_reports_are_written_in_every_format(cron: dict[str, str], tmp_path: Path) -> None:
    suffixes = ("json", "ndjson", "csv", "md", "html", "sarif", "xml", "txt")
    options = " ".join(f"--report {tmp_path}/r.{suffix}" for suffix in suffixes)
    assert run(cron, f"check new.example {options}").code == 3
    assert all("SPF-MISSING" in (tmp_path / f"r.{suffix}").read_text() for suffix in suffixes)
    assert sorted(path.name for path in tmp_path.glob("r.*")) == sorted(f"r.{suffix}" for suffix in suffixes)
    for output in ("html", "sarif", "junit", "md"):
        assert "SPF-MISSING" in run(cron, f"check new.example -o {output}").out
