"""The commands as their users run them: from cron, on a terminal, in a pipe."""

import json
import os
import re
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from bench import Bench
from python_repr import reprs_in
from terminal import Done, as_cron, on_terminal

from exo_auth.errors import LockHeld
from exo_auth.render.schema import schema_text
from exo_auth.run.lock import tenant_lock


@pytest.fixture
def cron(bench: Bench) -> dict[str, str]:
    """The environment of a scheduled job: what the sandbox prints, and nothing else."""
    return {**bench.environment, "PATH": os.defpath, "HOME": str(bench.state)}


def run(cron: dict[str, str], line: str) -> Done:
    return as_cron(*line.split(), environment=cron)


JSON = [  # command line, exit code, schema
    ("whoami", 0, "whoami"),
    ("domain list", 0, "domains"),
    ("domain classify", 0, "domains"),
    ("check", 3, "check"),
    ("check fresh.example", 0, "check"),
    ("dkim status", 0, "dkim-status"),
    ("dkim records fresh.example", 0, "dns-records"),
    ("dkim calendar", 0, "dkim-calendar"),
    ("plan", 0, "plan"),
    ("plan --detailed-exitcode", 2, "plan"),
    ("plan --for rotate -d fresh.example --detailed-exitcode", 0, "plan"),
    ("dkim rotate --dry-run", 0, "plan"),
    ("dkim rotate --yes", 0, "run-report"),
    ("dkim rotate fresh.example --yes", 0, "plan"),
    ("dkim enable new.example --yes", 4, "run-report"),
    ("dkim enable off.example --yes", 0, "run-report"),
    ("dkim disable fresh.example --yes", 0, "run-report"),
    ("dkim upgrade-keys --yes", 0, "run-report"),
    ("journal list", 0, "journal-list"),
    ("journal show", 0, "journal"),
    ("journal verify", 0, "journal-verify"),
    ("tenant list", 0, "tenants"),
    ("tenant show", 0, "tenant"),
    ("tenant test", 0, "tenant-test"),
    ("auth status", 0, "auth-status"),
    ("auth test", 0, "auth-test"),
    ("doctor", 0, "doctor"),
    ("doctor --offline", 0, "doctor"),
    ("config show --origin", 0, "config-show"),
    ("explain DKIM-CNAME-MISSING", 0, "explain"),
    ("explain CnameMissing", 0, "explain"),
    ("explain 6", 0, "explain"),
    ("explain", 0, "explain-list"),
    ("version", 0, "version"),
    ("spf test --ip 192.0.2.1 --mail-from u@fresh.example --helo h.example", 0, "spf-test"),
    ("dmarc discover mail.fresh.example", 0, "dmarc-discover"),
    ("dmarc lint v=DMARC1;p=none", 0, "record"),
    ("dmarc lint v=DMARC1;p=nun", 3, "record"),
    ("explain v=spf1", 0, "record"),
    ("explain v=DMARC1;p=none", 0, "record"),
    ("explain v=DKIM1;p=", 0, "record"),
    ("explain v=DKIM1;p=!", 0, "record"),
    ("check fresh.example --no-sign-in --gate mta-sts-enforce", 0, "check"),
    ("check off.example --gate dkim-rotate", 3, "check"),
    ("spf show fresh.example", 0, "spf-show"),
    ("spf show new.example", 3, "spf-show"),
    ("dmarc show fresh.example", 0, "dmarc-show"),
    ("dmarc show new.example", 3, "dmarc-show"),
    ("mta-sts show fresh.example", 0, "mta-sts"),
    ("mta-sts check fresh.example", 0, "mta-sts"),
    ("mta-sts test fresh.example", 0, "mta-sts-test"),
    ("mta-sts test off.example", 3, "mta-sts-test"),
    ("mta-sts build -d fresh.example --for serve --out /dev/null", 64, "error"),
    ("tls-rpt show fresh.example", 0, "tls-rpt"),
    ("dane readiness fresh.example", 0, "dane-readiness"),
    ("tls rule list", 0, "tls-rules"),
    ("tls connector list", 0, "tls-connectors"),
    ("tls probe good.partner.example --from-mx", 0, "tls-probe"),
    ("tls probe plain.partner.example", 3, "tls-probe"),
    ("tls probe busy.partner.example", 6, "tls-probe"),
    ("tls probe mx.good.partner.example --as-host --verify certificate", 0, "tls-probe"),
    ("tls probe good.partner.example --verify nothing", 64, "error"),
    ("explain v=STSv1;id=1;", 0, "record"),
    ("explain v=TLSRPTv1;rua=mailto:a@b.example", 0, "record"),
    ("explain v=TLSRPTv1;", 0, "record"),
    ("spf lint v=spf1", 0, "record"),
    ("spf lint v=spf2", 3, "record"),
    ("spf generate fresh.example", 0, "record-changes"),
    ("spf generate fresh.example --add include:nobody.example", 3, "record-changes"),
    ("spf simplify fresh.example", 0, "record-changes"),
    ("spf flatten fresh.example", 0, "record-changes"),
    ("spf simulate fresh.example --record v=spf1 --sender 192.0.2.1", 3, "spf-simulation"),
    ("spf senders", 0, "spf-senders"),
    ("dmarc generate fresh.example --rua mailto:d@fresh.example", 0, "record-changes"),
    ("dmarc generate new.example --policy reject", 3, "record-changes"),
    ("tls-rpt generate new.example --rua mailto:t@new.example", 0, "record-changes"),
    ("mta-sts generate fresh.example", 0, "record-changes"),
    ("mta-sts generate new.example", 3, "record-changes"),
    ("mta-sts advance fresh.example", 0, "record-changes"),
    ("dns export fresh.example", 0, "dns-export"),
    ("dns export --parked nobody.fresh.example", 0, "dns-export"),
    ("dns propagation fresh.example MX", 0, "propagation"),
    ("playbook list", 0, "playbooks"),
    ("playbook validate enable-dane", 0, "playbook-steps"),
    ("drift", 0, "drift"),
    ("check nobody.example", 64, "error"),
    ("explain XYZZY", 64, "error"),
]


@pytest.mark.parametrize(("line", "code", "schema"), JSON, ids=[row[0] for row in JSON])
def test_json_follows_its_schema(cron: dict[str, str], line: str, code: int, schema: str) -> None:
    done = run(cron, f"{line} --output json")
    assert done.code == code, done
    document = json.loads(done.out)
    jsonschema.validate(document, json.loads(schema_text(schema)))
    assert document["schema"] == f"exo-auth/{schema}/1"
    assert reprs_in(done.out) == []


def test_every_schema_is_a_schema_and_is_met_by_a_command() -> None:
    from exo_auth.render.schema import schema_names

    for name in schema_names():
        jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(name)))
    elsewhere = {
        "certificate",
        "config-validate",
        "audit",
        "audit-changes",
        "audit-score",
        "compare",
        "dns-zones",
        "fleet",
        "jobs",
        "message",
        "mta-sts-build",
        "mta-sts-health",
        "mta-sts-log",
        "onboard",
        "mta-sts-serve",
        "run-account",
        "snapshot-show",
        "snapshot-diff",
    }
    assert {row[2] for row in JSON} | elsewhere == set(schema_names())


TABLES = [
    "domain list --all",
    "check",
    "dkim status",
    "dkim records",
    "dkim calendar",
    "whoami",
    "doctor --offline",
]


@pytest.mark.parametrize("line", TABLES)
@pytest.mark.parametrize("output", ["table", "csv", "md", "ndjson"])
def test_every_reading_command_writes_every_format(cron: dict[str, str], line: str, output: str) -> None:
    done = run(cron, f"{line} --output {output}")
    assert done.code in (0, 3), done.err
    assert done.out.strip()
    assert "\x1b" not in done.out
    assert reprs_in(done.out) == []
    if output == "ndjson":
        assert all(isinstance(json.loads(text), dict) for text in done.out.splitlines())


ONE_THING = [
    "explain v=spf1",
    "explain SPF-MISSING",
    "spf lint v=spf1",
    "spf show fresh.example",
    "spf test --ip 192.0.2.1 --mail-from a@fresh.example",
    "dmarc lint v=DMARC1;p=none",
    "dmarc show fresh.example",
    "dmarc discover fresh.example",
    "mta-sts show fresh.example",
    "tls-rpt show fresh.example",
    "audit score fresh.example",
]


@pytest.mark.parametrize("line", ONE_THING)
def test_a_command_with_one_thing_to_tell_writes_it_on_one_line(cron: dict[str, str], line: str) -> None:
    done = run(cron, f"{line} -o ndjson")
    assert done.code == 0, done
    (document,) = map(json.loads, done.out.splitlines())
    jsonschema.validate(document, json.loads(schema_text(document["schema"].split("/")[1])))


# The nightly job


def test_the_nightly_job(cron: dict[str, str], bench: Bench) -> None:
    first = as_cron("dkim", "rotate", "-d", "*", "--yes", environment=cron)
    assert (first.code, first.err) == (0, "")
    assert "due-a.example  rotate: done" in first.out
    second = as_cron("dkim", "rotate", "-d", "*", "--yes", environment=cron)
    assert second.code == 0
    assert "with nothing to do now" in second.out
    bench.box.advance(timedelta(days=4, hours=1))
    assert as_cron("dkim", "rotate", "-d", "*", "--yes", environment=cron).code == 0
    assert bench.rotations() == {
        "due-a.example": 1,
        "due-b.example": 1,
        "fresh.example": 0,
        "off.example": 0,
        "short.example": 0,
    }


def test_a_due_key_that_needs_a_person_ends_with_3(cron: dict[str, str], bench: Bench) -> None:
    bench.box.remove_record("selector2._domainkey.due-a.example", "CNAME")
    done = run(cron, "dkim rotate --yes")
    assert done.code == 3
    assert "DKIM-CNAME-MISSING" in done.out
    assert re.search(r"selector2\._domainkey\.due-a\.example\. 3600 IN CNAME \S+", done.out)
    assert bench.rotations()["due-b.example"] == 1


def test_a_due_key_that_only_has_to_wait_ends_with_4_and_says_until_when(
    cron: dict[str, str], bench: Bench
) -> None:
    bench.fault("slow", cmdlet="none")
    state = bench.box.tenant.to_state()
    state["due-a.example"]["forced_status"] = "CnameMissing"
    bench.box.tenant.load_state(state)
    done = run(cron, "dkim rotate due-a.example --yes --output json")
    assert done.code == 4
    (deferral,) = json.loads(done.out)["deferrals"]
    assert deferral["not_before"] > json.loads(done.out)["made_at"]


def test_dns_that_cannot_be_asked_ends_with_6(cron: dict[str, str], bench: Bench) -> None:
    bench.fault("dns-servfail", domain="due-a.example", count=0)
    done = run(cron, "dkim rotate due-a.example --yes")
    assert done.code == 6
    assert "could not be looked up: servfail" in done.out


def test_the_limit_tells_its_numbers(cron: dict[str, str], bench: Bench) -> None:
    done = run(cron, "dkim rotate --yes --max-changes 1")
    assert done.code == 9
    assert "2 changes in one run; the limit is 1 (--max-changes)" in done.err
    assert sum(bench.rotations().values()) == 0


def test_a_second_run_is_told_who_holds_the_lock(cron: dict[str, str], bench: Bench) -> None:
    folder = bench.state / "tenants" / bench.box.tenant.tenant_id
    with tenant_lock(folder, command="exo-auth dkim rotate"):
        done = run(cron, "dkim rotate --yes")
    assert done.code == LockHeld.exit_code
    assert "exo-auth dkim rotate, process" in done.err


# Consent


WRITING = ["dkim rotate", "dkim enable", "dkim disable fresh.example", "dkim upgrade-keys", "apply some.plan"]


@pytest.mark.parametrize("line", WRITING)
def test_without_terminal_and_without_yes_nothing_happens_and_the_flag_is_named(
    cron: dict[str, str], bench: Bench, line: str
) -> None:
    done = run(cron, line)
    assert done.code == 64
    assert "--yes" in done.err
    assert bench.box.requests == ()


def test_yes_and_dry_run_contradict_each_other(cron: dict[str, str]) -> None:
    assert run(cron, "dkim rotate --yes --dry-run").code == 64


@pytest.mark.parametrize(("answer", "code", "count"), [("y", 0, 1), ("n", 9, 0), ("", 9, 0)])
def test_a_person_is_asked(cron: dict[str, str], bench: Bench, answer: str, code: int, count: int) -> None:
    done = on_terminal(
        "dkim", "rotate", "due-a.example", environment={**cron, "TERM": "xterm"}, answers={"[y/N]": answer}
    )
    assert done.code == code, done.out
    assert "Apply 1 change to contoso.onmicrosoft.com?" in done.out
    assert bench.rotations()["due-a.example"] == count


def test_colour_is_for_terminals_and_not_for_no_color(cron: dict[str, str]) -> None:
    colored = on_terminal("dkim", "status", environment={**cron, "TERM": "xterm"})
    plain = on_terminal("dkim", "status", environment={**cron, "TERM": "xterm", "NO_COLOR": "1"})
    assert re.search(r"\x1b\[[0-9;]*m", colored.out)
    assert not re.search(r"\x1b\[[0-9;]*m", plain.out)


def test_progress_is_for_terminals(cron: dict[str, str]) -> None:
    assert "asking DNS about" in on_terminal("dkim", "status", environment={**cron, "TERM": "xterm"}).out
    assert run(cron, "dkim status").err == ""


# Plans that are saved


def test_a_saved_plan_is_applied_once_and_then_stale(
    cron: dict[str, str], bench: Bench, tmp_path: Path
) -> None:
    plan = tmp_path / "november.plan"
    saved = run(cron, f"dkim rotate due-a.example --out {plan}")
    assert saved.code == 0
    assert plan.stat().st_mode & 0o077 == 0
    assert sum(bench.rotations().values()) == 0
    assert run(cron, f"apply {plan} --yes").code == 0
    assert bench.rotations()["due-a.example"] == 1
    again = run(cron, f"apply {plan} --yes")
    assert again.code == 0
    assert "was so already" in again.out
    bench.box.advance(timedelta(days=3))
    assert run(cron, f"apply {plan} --yes").code == 8


def test_a_plan_is_refused_when_the_tenant_moved(cron: dict[str, str], bench: Bench, tmp_path: Path) -> None:
    plan = tmp_path / "november.plan"
    assert run(cron, f"plan --for rotate -d due-a.example --out {plan}").code == 0
    bench.box.tenant.set_config("due-a.example", {"Enabled": False})
    done = run(cron, f"apply {plan} --yes")
    assert done.code == 8
    assert "enabled: true, now false" in done.out
    assert bench.rotations()["due-a.example"] == 0


def test_an_approved_digest_is_applied_and_another_is_not(cron: dict[str, str], bench: Bench) -> None:
    digest = json.loads(run(cron, "plan --for rotate -d due-a.example -o json").out)["digest"]
    assert run(cron, f"apply --digest {'0' * 16} --for rotate -d due-a.example --yes").code == 8
    assert bench.rotations()["due-a.example"] == 0
    assert run(cron, f"apply --digest {digest[:16]} --for rotate -d due-a.example --yes").code == 0
    assert bench.rotations()["due-a.example"] == 1


BAD_APPLY = [
    ("apply /no/such/file --yes", 64, "cannot be read"),
    ("apply --yes", 64, "plan file, a playbook or --digest"),
]


@pytest.mark.parametrize(("line", "code", "part"), BAD_APPLY)
def test_a_plan_that_is_not_there(cron: dict[str, str], line: str, code: int, part: str) -> None:
    done = run(cron, line)
    assert done.code == code
    assert part in done.err


# Bad input: one clear error, a code, never a trace

BAD = [  # command line, exit code, part of stderr, reason
    (
        "dkim rotate b%%d.example --dry-run",
        64,
        "“%” at character 2",
        "a bad name with the place of the bad character",
    ),
    ("dkim rotate due-c.example --dry-run", 64, "did you mean due-", "a slip"),
    ("dkim rotate --max-key-age 180x --dry-run", 64, "180x", "a bad span"),
    ("dkim rotate --key-size 512 --dry-run", 64, "512", "a key size the service does not have"),
    ("dkim rotate --max-share 50 --dry-run", 64, "50", "a share without its sign"),
    ("dkim rotate --cloud mars --dry-run", 64, "mars", "a cloud there is not"),
    ("dkim rotate --nameserver nowhere --dry-run", 64, "nowhere", "a name server by name"),
    ("dkim disable --yes", 64, "no domain is named", "disable never means all"),
    ("plan --for tea", 64, "tea", "a plan there is not"),
    ("dkim rotate --no-such-option", 64, "No such option", "an option there is not"),
    ("dkim rotat", 64, "No such command", "a command there is not"),
    ("journal show nothing", 64, "knows no run", "a run there is not"),
    ("dkim rotate --yes --state-dir /dev/null", 64, "state folder", "a state folder that is none"),
    (
        "dkim rotate --out /no/such/folder/x",
        64,
        "/no/such/folder/x: cannot be written",
        "a folder there is not",
    ),
    ("check --report /no/such/folder/x.json", 64, "cannot be written", "... for a report"),
    ("schema nothing", 64, "no document", "a document there is not"),
    ("sandbox advance 4d --control http://example.com", 64, "management URL", "a sandbox elsewhere"),
]


@pytest.mark.parametrize(("line", "code", "part", "reason"), BAD, ids=[row[3] for row in BAD])
def test_bad_input(cron: dict[str, str], line: str, code: int, part: str, reason: str) -> None:
    done = run(cron, line)
    assert done.code == code, done
    assert part in done.err, reason
    assert "Traceback" not in done.err


def test_no_tenant_named(cron: dict[str, str]) -> None:
    del cron["EXO_AUTH_TENANT"]
    done = run(cron, "whoami")
    assert done.code == 64
    assert "EXO_AUTH_TENANT" in done.err


def test_nothing_to_sign_in_with(cron: dict[str, str]) -> None:
    del cron["EXO_AUTH_CLIENT_SECRET"]
    done = run(cron, "whoami")
    assert done.code == 64
    assert "EXO_AUTH_CLIENT_SECRET" in done.err


def test_a_wrong_secret_is_a_sign_in_error_that_does_not_show_it(cron: dict[str, str]) -> None:
    done = as_cron("whoami", environment={**cron, "EXO_AUTH_CLIENT_SECRET": "Wr0ng-And-Secret"})
    assert done.code == 10
    assert "AADSTS7000215" in done.err
    assert "Wr0ng-And-Secret" not in done.err + done.out


def test_a_secret_from_a_file(cron: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(cron.pop("EXO_AUTH_CLIENT_SECRET") + "\n")
    file.chmod(0o600)
    assert as_cron("whoami", environment={**cron, "EXO_AUTH_CLIENT_SECRET_FILE": str(file)}).code == 0


def test_a_certificate_in_place_of_a_secret(cron: dict[str, str], bench: Bench) -> None:
    del cron["EXO_AUTH_CLIENT_SECRET"]
    file = bench.box.description.certificate_file
    assert as_cron("whoami", environment={**cron, "EXO_AUTH_CERTIFICATE_FILE": file}).code == 0


def test_a_service_that_is_unplugged(cron: dict[str, str]) -> None:
    dead = "https://127.0.0.1:9"
    done = as_cron("whoami", environment={**cron, "EXO_AUTH_AUTHORITY": dead, "EXO_AUTH_EXCHANGE_URL": dead})
    assert done.code == 10
    assert "127.0.0.1:9" in done.err


def test_a_resolver_that_refuses_the_root_is_told_by_that_name(cron: dict[str, str]) -> None:
    done = run(cron, "check due-a.example --validate-dnssec")
    assert done.code == 6
    assert "refuses to answer for . (REFUSED)" in done.out


def unread(arguments: str, stream: str, environment: dict[str, str]) -> Done:
    """Run with a pipe that nobody reads as stdout or stderr."""
    import subprocess

    source, sink = os.pipe()
    os.close(source)
    with os.fdopen(sink, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "exo_auth", *arguments.split()],
            env=environment,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: pipe},
        )
    return Done(done.returncode, done.stdout or "", done.stderr or "")


@pytest.mark.parametrize("line", ["schema plan", "check due-a.example --only dkim", "dkim status --help"])
def test_a_reader_that_goes_away_is_no_error_of_ours(cron: dict[str, str], line: str) -> None:
    done = unread(line, "stdout", cron)
    assert (done.code, done.err) == (141, "")


def test_a_rotation_whose_words_nobody_reads_is_finished(bench: Bench, cron: dict[str, str]) -> None:
    done = unread("dkim rotate due-a.example --yes --verbose -o json", "stderr", cron)
    assert done.code == 0, done
    assert [one["result"] for one in json.loads(done.out)["outcomes"]] == ["applied"]


# Certificates, configuration, completion


def test_a_certificate_is_made_and_shown(cron: dict[str, str], tmp_path: Path) -> None:
    made = run(cron, f"auth certificate new --out {tmp_path / 'app'} -o json")
    assert made.code == 0, made.err
    jsonschema.validate(json.loads(made.out), json.loads(schema_text("certificate")))
    assert (tmp_path / "app.pem").stat().st_mode & 0o077 == 0
    shown = run(cron, f"auth certificate show {tmp_path / 'app.pem'} -o json")
    jsonschema.validate(json.loads(shown.out), json.loads(schema_text("certificate")))
    assert json.loads(shown.out)["sha1_thumbprint"] == json.loads(made.out)["sha1_thumbprint"]
    assert run(cron, f"auth certificate new --out {tmp_path / 'app'}").code == 64


def test_a_tenant_is_added_to_a_file_that_stays_as_it_was(cron: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "exo-auth.yaml"
    file.write_text(
        "# ours\nversion: 1\n\ntenants:\n  first:  # the first\n    initial_domain: first.onmicrosoft.com\n"
    )
    added = run(cron, f"tenant add second --initial-domain second.onmicrosoft.com --config {file}")
    assert added.code == 0, added.err
    assert file.read_text().startswith("# ours\nversion: 1\n\ntenants:\n")
    assert "first:  # the first" in file.read_text()
    listed = run(cron, f"tenant list --config {file} -o csv")
    assert {line.split(",")[0] for line in listed.out.splitlines()} == {"Name", "first", "second"}
    assert run(cron, f"tenant add second --initial-domain x.onmicrosoft.com --config {file}").code == 64
    assert run(cron, f"tenant add third --initial-domain not_a_domain --config {file}").code == 64
    assert "third" not in file.read_text()


def test_a_mistake_in_the_configuration_has_a_place_and_a_neighbour(
    cron: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "exo-auth.yaml"
    file.write_text("version: 1\npolicy:\n  dkim:\n    max_key_ages: 180d\n")
    done = run(cron, f"config validate {file} -o json")
    assert done.code == 64
    jsonschema.validate(json.loads(done.out), json.loads(schema_text("config-validate")))
    (error,) = json.loads(done.out)["errors"]
    assert (error["line"], error["column"]) == (4, 5)
    assert "max_key_age" in f"{error['message']} {error['hint']}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_scripts(cron: dict[str, str], shell: str) -> None:
    done = run(cron, f"completion {shell}")
    assert done.code == 0
    assert "exo-auth" in done.out


COMPLETE = [  # words so far, what must be offered, reason
    ("exo-auth dk", "dkim", "a noun"),
    ("exo-auth dkim rot", "rotate", "a verb"),
    ("exo-auth dkim rotate --max-k", "--max-key-age", "an option"),
    ("exo-auth explain dkim-wi", "dkim-wildcard", "a finding"),
    ("exo-auth schema run-", "run-report", "a document"),
    ("exo-auth plan rot", "rotate-dkim", "a playbook"),
    ("exo-auth -t con", "", "no option of the root"),
    ("exo-auth dkim status -t con", "contoso", "a configured tenant"),
]


@pytest.mark.parametrize(("words", "offered", "reason"), COMPLETE, ids=[row[2] for row in COMPLETE])
def test_shells_complete(bench: Bench, tmp_path: Path, words: str, offered: str, reason: str) -> None:
    file = tmp_path / "exo-auth.yaml"
    file.write_text("version: 1\ntenants:\n  contoso:\n    initial_domain: contoso.onmicrosoft.com\n")
    done = as_cron(
        environment={
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "EXO_AUTH_CONFIG": str(file),
            "_EXO_AUTH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
    )
    assert offered in done.out, reason
    assert done.err == ""
    assert bench.box.requests == ()


def test_the_setup_of_an_application_is_printed_and_nothing_is_asked(
    cron: dict[str, str], bench: Bench
) -> None:
    done = run(cron, "auth setup --print")
    assert done.code == 0
    assert "Exchange.ManageAsApp" in done.out
    assert bench.box.requests == ()


def test_a_running_sandbox_is_managed_from_the_command_line(cron: dict[str, str], bench: Bench) -> None:
    before = bench.box.clock.now()
    assert run(cron, "sandbox advance 4d").code == 0
    assert bench.box.clock.now() - before >= timedelta(days=4)
    assert run(cron, "sandbox fault no-right --cmdlet Get-AcceptedDomain").code == 0
    assert run(cron, "domain list").code == 10
    assert run(cron, "sandbox fault --clear").code == 0
    assert run(cron, "domain list").code == 0
    assert run(cron, "sandbox fault tea").code == 64
    assert run(cron, "sandbox fault --list").code == 0
    assert run(cron, "sandbox reset").code == 0
    assert bench.box.clock.offset == timedelta(0)
