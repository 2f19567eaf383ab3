"""`mta-sts build`: which policy, held against which MX, and whether each bundle does what its host needs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from private_ca import PrivateCa
from serving import PATH, Client, ServerProcess
from terminal import Done, in_process
from zone_server import ZoneServer

from exo_auth.domain_name import DomainName
from exo_auth.plan.mta_sts import PlannedPolicy
from exo_auth.records import mta_sts, mta_sts_policy
from exo_auth.render.schema import schema_text

LEGACY = "contoso-com.mail.protection.outlook.com"
SIGNED = "fabrikam-com.o-v1.mx.microsoft"
ZONE = (
    f"contoso.example. 60 IN MX 0 {LEGACY}.",
    f"fabrikam.example. 60 IN MX 10 {SIGNED}.",
    "null.example. 60 IN MX 0 .",
    f"two.example. 60 IN MX 0 {LEGACY}.",
    f"two.example. 60 IN MX 0 {SIGNED}.",
    'bare.example. 60 IN TXT "no mail"',
)
DOMAINS = ("contoso.example", "fabrikam.example")


@pytest.fixture(scope="module")
def name_server() -> Iterator[tuple[str, int]]:
    server = ZoneServer(ZONE)
    yield server.address
    server.close()


class Builder:
    def __init__(self, name_server: tuple[str, int], folder: Path) -> None:
        self.folder = folder / "bundle"
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "EXO_AUTH_NAMESERVER": f"{name_server[0]}:{name_server[1]}",
            "EXO_AUTH_DNS_TIMEOUT": "1s",
        }

    def run(self, line: str, kind: str = "serve") -> Done:
        return in_process(
            *("mta-sts", "build", "--for", kind, "--out", str(self.folder), *line.split()),
            environment=self.environment,
        )

    def built(self, kind: str, line: str = "-d contoso.example -d fabrikam.example") -> dict[str, Any]:
        done = self.run(f"{line} -o json", kind)
        assert done.code == 0, done.err
        document: dict[str, Any] = json.loads(done.out)
        jsonschema.validate(document, json.loads(schema_text("mta-sts-build")))
        return document

    def text(self, name: str) -> str:
        return (self.folder / name).read_bytes().decode()


@pytest.fixture
def builder(name_server: tuple[str, int], tmp_path: Path) -> Builder:
    return Builder(name_server, tmp_path)


def policy_for(host: str) -> str:
    return f"version: STSv1\r\nmode: testing\r\nmx: {host}\r\nmax_age: 86400\r\n"


WISHES = [  # options, mx of the policy, max_age, part of a warning; reason
    ("-d contoso.example", [LEGACY], 86400, "", "what is published is listed"),
    ("-d two.example --mode enforce", [LEGACY, SIGNED], 604800, "", "all of it"),
    (f"-d contoso.example --mx {LEGACY.upper()}.", [LEGACY], 86400, "", "case and dot"),
    (
        "-d contoso.example --mx *.mail.protection.outlook.com",
        ["*.mail.protection.outlook.com"],
        86400,
        "other tenants",
        "a wildcard that matches, and too much",
    ),
    (
        f"-d contoso.example --mx {LEGACY} --mx {SIGNED}",
        [LEGACY, SIGNED],
        86400,
        "matches no published MX",
        "an MX that is yet to come",
    ),
    ("-d contoso.example --mode none", [], 86400, "", "the end of a policy"),
    ("-d nowhere.example --mode none", [], 86400, "", "... of a domain without MX"),
    (
        f"-d contoso.example --mx {SIGNED} --allow-mismatch --mode enforce",
        [SIGNED],
        604800,
        "refuse to deliver",
        "a mismatch that is wanted",
    ),
    (f"-d bare.example --mx {LEGACY} --allow-mismatch", [LEGACY], 86400, "", "an MX before it is published"),
    ("-d contoso.example --mode enforce --max-age 60", [LEGACY], 60, "less than a day", "a short life"),
]


@pytest.mark.parametrize(("line", "mx", "age", "warning", "reason"), WISHES, ids=[row[4] for row in WISHES])
def test_the_policy_is_the_one_that_was_wished_for(
    builder: Builder, line: str, mx: list[str], age: int, warning: str, reason: str
) -> None:
    document = builder.built("serve", line)
    (one,) = document["domains"]
    assert (one["mx"], one["max_age"]) == (mx, age), reason
    assert warning in " ".join(one["warnings"])
    assert bool(warning) == bool(one["warnings"])
    policy = mta_sts_policy.parse(builder.text(f"policies/{one['domain']}.txt"))
    assert (policy.mode, list(policy.mx), policy.max_age) == (one["mode"], mx, age)
    assert mta_sts.parse(one["record"]["value"]).id == one["id"]
    assert one["record"]["owner"] == f"_mta-sts.{one['domain']}"


REFUSED = [  # options, exit code, part of stderr, reason
    (f"-d contoso.example --mx {SIGNED}", 9, f"does not list {LEGACY}", "the MX is not listed"),
    ("-d fabrikam.example --mx *.mx.microsoft", 9, f"write --mx {SIGNED}", "the wildcard is one label"),
    (f"-d two.example --mx {LEGACY}", 9, f"does not list {SIGNED}", "one of two is not listed"),
    ("-d null.example", 64, "null MX", "no mail is taken"),
    ("-d bare.example", 64, "no MX record", "nothing could be listed"),
    ("-d contoso.example --mx mail_x.example", 64, "the mx “mail_x.example”", "no host name"),
    ("-d contoso.example --max-age 31557601", 64, "max_age", "longer than RFC 8461 allows"),
    ("-d contoso.example --max-age -1", 64, "max_age", "less than nothing"),
    ("-d con..toso", 64, "empty label", "no domain"),
    ("", 64, "domain", "none is named"),
    ("-d contoso.example --mode strict", 64, "strict", "no mode"),
]


@pytest.mark.parametrize(("line", "code", "part", "reason"), REFUSED, ids=[row[3] for row in REFUSED])
def test_a_policy_that_would_stop_mail_is_refused_and_nothing_is_written(
    builder: Builder, line: str, code: int, part: str, reason: str
) -> None:
    done = builder.run(line)
    assert (done.code, part in done.err) == (code, True), (reason, done)
    assert "Traceback" not in done.err
    assert not builder.folder.exists()


def test_without_an_answer_nothing_is_built(builder: Builder) -> None:
    builder.environment["EXO_AUTH_NAMESERVER"] = "127.0.0.1:9"
    done = builder.run("-d contoso.example")
    assert done.code == 6
    assert "never built from nothing" in done.err
    assert not builder.folder.exists()
    assert builder.run(f"-d contoso.example --mx {LEGACY} --allow-mismatch --mode testing").code == 0


def test_the_same_wish_writes_nothing_twice(builder: Builder) -> None:
    first = builder.built("serve")
    before = {file: file.stat().st_mtime_ns for file in builder.folder.rglob("*")}
    again = builder.built("serve")
    assert all(file["changed"] for file in first["files"])
    assert not any(file["changed"] for file in again["files"])
    assert {file: file.stat().st_mtime_ns for file in builder.folder.rglob("*")} == before
    assert again["domains"] == first["domains"]
    other = builder.built("serve", "-d contoso.example -d fabrikam.example --mode enforce")
    assert {one["id"] for one in other["domains"]}.isdisjoint(one["id"] for one in first["domains"])


def test_what_is_written_may_be_read_by_a_web_server(builder: Builder) -> None:
    builder.built("nginx")
    for file in builder.folder.rglob("*.*"):
        assert file.stat().st_mode & 0o777 == 0o644
        assert not file.name.startswith(".")


def test_a_folder_that_cannot_be_is_told(builder: Builder) -> None:
    builder.folder.write_text("a file")
    done = builder.run("-d contoso.example")
    assert done.code == 64
    assert "cannot be written" in done.err


KINDS = ("azure-static-web-apps", "azure-functions", "cloudflare-worker", "nginx", "caddy", "serve")


@pytest.mark.parametrize("kind", KINDS)
def test_every_bundle_has_steps_with_commands_that_exist(builder: Builder, kind: str) -> None:
    document = builder.built(kind)
    steps = builder.text("README.md")
    for one in document["domains"]:
        assert f'_mta-sts.{one["domain"]}. 3600 IN TXT "v=STSv1; id={one["id"]};"' in steps
        assert f"exo-auth mta-sts test {one['domain']}" in steps
    assert steps.index("## 3. See") < steps.index("## 4. Publish")
    for command in set(re.findall(r"exo-auth (mta-sts \w+)", steps)):
        assert in_process(*command.split(), "--help", environment=builder.environment).code == 0
    assert "\r" not in steps
    policies = [name for name in (file["path"] for file in document["files"]) if name.endswith(".txt")]
    for name in policies:
        if name != "requirements.txt":
            assert mta_sts_policy.parse(builder.text(name))
            assert builder.text(name).count("\r\n") == builder.text(name).count("\n")


def test_people_read_what_to_publish_and_where_the_traps_are(builder: Builder) -> None:
    done = builder.run("-d contoso.example --mx *.mail.protection.outlook.com")
    assert "warning: *.mail.protection.outlook.com names the exchangers of other tenants" in done.out
    assert "_mta-sts.contoso.example. 3600 IN TXT" in done.out
    assert "senders who heed RFC 8461 deliver as before" in done.out
    table = builder.run("-d contoso.example -o csv")
    assert table.out.splitlines()[0] == "Domain,Mode,Max age,MX,Record"


# Each bundle at work


def test_our_own_server_serves_its_bundle(builder: Builder, tmp_path: Path) -> None:
    builder.built("serve")
    ca = PrivateCa(tmp_path)
    certificate = ca.write(tmp_path / "both.pem", *(f"mta-sts.{domain}" for domain in DOMAINS))
    arguments = (str(builder.folder / "policies"), "--certificate", str(certificate))
    with ServerProcess(*arguments, "--listen", "127.0.0.1:0") as server:
        for domain, host in zip(DOMAINS, (LEGACY, SIGNED), strict=True):
            with closing(Client(server.port, f"mta-sts.{domain}", ca.ca_file)) as client:
                assert client.get()[2].decode() == policy_for(host)


NODE = shutil.which("node")
ASK_WORKER = """
import worker from "./worker.mjs";
const answers = [];
for (const [method, url] of JSON.parse(process.argv[2])) {
  const answer = await worker.fetch(new Request(url, { method }));
  answers.push([answer.status, answer.headers.get("content-type"), await answer.text()]);
}
console.log(JSON.stringify(answers));
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_worker_answers_by_host(builder: Builder) -> None:
    builder.built("cloudflare-worker")
    shutil.copy(builder.folder / "worker.js", builder.folder / "worker.mjs")
    (builder.folder / "ask.mjs").write_text(ASK_WORKER)
    base = "https://mta-sts.contoso.example"
    asked = [
        ("GET", f"{base}{PATH}"),
        ("HEAD", f"{base}{PATH}"),
        ("GET", f"https://mta-sts.fabrikam.example{PATH}"),
        ("GET", f"https://mta-sts.other.example{PATH}"),
        ("GET", f"{base}/"),
        ("GET", f"{base}{PATH}?x"),
        ("POST", f"{base}{PATH}"),
    ]
    done = subprocess.run(
        [str(NODE), "ask.mjs", json.dumps(asked)],
        cwd=builder.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers[:3] == [
        [200, "text/plain", policy_for(LEGACY)],
        [200, "text/plain", ""],
        [200, "text/plain", policy_for(SIGNED)],
    ]
    assert [answer[0] for answer in answers[3:]] == [404, 404, 404, 405]


def test_the_worker_has_a_name_for_each_domain_and_no_other(builder: Builder) -> None:
    builder.built("cloudflare-worker")
    settings = tomllib.loads(builder.text("wrangler.toml"))
    assert settings["routes"] == [
        {"pattern": f"mta-sts.{domain}", "custom_domain": True} for domain in DOMAINS
    ]
    assert (settings["main"], settings["workers_dev"]) == ("worker.js", False)


def test_the_function_answers_by_host(builder: Builder) -> None:
    func = pytest.importorskip("azure.functions")
    builder.built("azure-functions")
    spec = importlib.util.spec_from_file_location("function_app", builder.folder / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (function,) = module.app.get_functions()
    trigger = json.loads(str(function))["bindings"][0]
    assert (trigger["route"], trigger["authLevel"]) == (".well-known/mta-sts.txt", "ANONYMOUS")
    assert json.loads(builder.text("host.json"))["extensions"]["http"]["routePrefix"] == ""

    def ask(host: str) -> Any:
        request = func.HttpRequest(
            method="GET", url=f"https://{host}{PATH}", headers={"Host": host}, body=b""
        )
        return function.get_user_function()(request)

    answer = ask("mta-sts.contoso.example")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain")
    assert answer.get_body().decode() == policy_for(LEGACY)
    assert ask("mta-sts.Fabrikam.example:443").get_body().decode() == policy_for(SIGNED)
    assert ask("mta-sts.other.example").status_code == 404


def test_a_static_web_app_has_a_start_page_and_the_right_type(builder: Builder) -> None:
    builder.built("azure-static-web-apps")
    for domain, host in zip(DOMAINS, (LEGACY, SIGNED), strict=True):
        assert builder.text(f"{domain}/.well-known/mta-sts.txt") == policy_for(host)
        assert "<!doctype html>" in builder.text(f"{domain}/index.html")
        settings = json.loads(builder.text(f"{domain}/staticwebapp.config.json"))
        (route,) = settings["routes"]
        assert route["route"] == PATH
        assert route["headers"]["Content-Type"] == "text/plain"


@pytest.mark.parametrize(("kind", "file"), [("nginx", "mta-sts.conf"), ("caddy", "Caddyfile")])
def test_a_web_server_serves_one_path_for_each_host(builder: Builder, kind: str, file: str) -> None:
    builder.built(kind)
    text = builder.text(file)
    assert text.count("{") == text.count("}")
    for domain in DOMAINS:
        assert f"mta-sts.{domain}" in text
        assert f"{domain}.txt" in text
    assert "DOMAIN" not in text
    assert text.count(PATH) == len(DOMAINS)
    assert not re.search(r"redir|return 30|rewrite .*https", text)


def test_an_id_belongs_to_one_file() -> None:
    def planned(age: int) -> PlannedPolicy:
        policy = mta_sts_policy.MtaStsPolicy(mta_sts_policy.Mode.TESTING, (LEGACY,), age)
        return PlannedPolicy(DomainName("contoso.example"), policy)

    assert planned(86400).id == planned(86400).id != planned(86401).id
    assert mta_sts.parse(planned(86400).record.value)
