"""`exo-auth sandbox start` as a program uses it: one JSON line, foreign clients, a state that is kept."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
import requests
from terminal import as_cron

KEYS = {
    "authority",
    "exchange_url",
    "graph_url",
    "tenant_id",
    "initial_domain",
    "client_id",
    "client_secret",
    "certificate_file",
    "ca_file",
    "nameserver",
    "domains",
}


@contextmanager
def started(*options: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", "sandbox", "start", "--output", "json", *options],
        env={"PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def session(box: dict[str, Any]) -> requests.Session:
    """A client that shares nothing with ours."""
    foreign = requests.Session()
    foreign.trust_env = False
    foreign.verify = box["ca_file"]
    token = foreign.post(
        f"{box['authority']}/{box['tenant_id']}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": box["client_id"],
            "client_secret": box["client_secret"],
            "scope": f"{box['exchange_url']}/.default",
        },
    ).json()["access_token"]
    foreign.headers["Authorization"] = f"Bearer {token}"
    return foreign


def invoke(
    foreign: requests.Session, box: dict[str, Any], cmdlet: str, **parameters: Any
) -> requests.Response:
    return foreign.post(
        f"{box['exchange_url']}/AdminApi/beta/{box['tenant_id']}/invokecommand",
        json={"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}},
    )


def test_one_line_says_everything_and_foreign_clients_get_along() -> None:
    with started() as (box, _):
        assert box.keys() >= KEYS
        foreign = session(box)
        rows = invoke(foreign, box, "Get-DkimSigningConfig").json()["value"]
        assert {row["Domain"] for row in rows} < set(box["domains"])
        target = next(row for row in rows if row["Domain"] == "fresh.example")["Selector1CNAME"]
        host, port = box["nameserver"].split(":")
        question = dns.message.make_query("selector1._domainkey.fresh.example", "TXT")
        answer, _ = dns.query.udp_with_fallback(question, host, port=int(port), timeout=5)
        assert answer.answer[0][0].to_text().lower() == f"{target.lower()}."  # type: ignore[attr-defined]
        assert "v=DKIM1" in answer.answer[1][0].to_text()  # type: ignore[attr-defined]


def test_the_kept_tenant_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options = ("--state", str(tmp_path), "--scenario", "due:2")
    with started(*options) as (box, _):
        assert (
            invoke(session(box), box, "Rotate-DkimSigningConfig", Identity="d0001.example").status_code == 200
        )
        control = {"EXO_AUTH_SANDBOX_CONTROL": box["control"]}
        assert as_cron("sandbox", "advance", "5d", environment=control).code == 0
    with started(*options) as (box, _):
        rows = {
            row["Domain"]: row for row in invoke(session(box), box, "Get-DkimSigningConfig").json()["value"]
        }
        assert rows["d0001.example"]["SelectorAfterRotateOnDate"] == "selector2"
        assert rows["d0002.example"]["SelectorAfterRotateOnDate"] == "selector1"
        date = session(box).get(f"{box['exchange_url']}/adminapi/beta/x/y").headers["Date"]
        assert date  # the sandbox's clock, five days on
        control = {"EXO_AUTH_SANDBOX_CONTROL": box["control"]}
        assert as_cron("sandbox", "reset", environment=control).code == 0
        rows = {
            row["Domain"]: row for row in invoke(session(box), box, "Get-DkimSigningConfig").json()["value"]
        }
        assert rows["d0001.example"]["SelectorAfterRotateOnDate"] == "selector1"


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "tenant.json").write_text("{")
    done = as_cron("sandbox", "start", "--state", str(tmp_path), environment={"PATH": os.defpath})
    assert done.code == 64
    assert "tenant.json" in done.err


def test_ports_are_fixed_by_option_and_a_busy_one_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = as_cron("sandbox", "start", "--port", str(port), environment={"PATH": os.defpath})
        assert done.code == 64
        assert f"the port {port} cannot be had" in done.err
        done = as_cron("sandbox", "start", "--dns-port", str(port), environment={"PATH": os.defpath})
        assert f"the DNS port {port} cannot be had" in done.err
    with started("--port", str(port)) as (box, _):
        assert box["authority"] == f"https://127.0.0.1:{port}"


def test_more_host_names_stand_in_the_certificate() -> None:
    from cryptography import x509

    with started("--host-name", "login.example", "--host-name", "192.0.2.7") as (box, _):
        import ssl

        host, port = box["authority"].removeprefix("https://").split(":")
        certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "login.example" in names.get_values_for_type(x509.DNSName)
        assert "192.0.2.7" in map(str, names.get_values_for_type(x509.IPAddress))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--scenario", "tea"], "there is no scenario “tea”"),
        (["--scenario", "due:0"], "there is no scenario"),
        (["--switch", "tea=1"], "there is no switch “tea”"),
        (["--switch", "paging=tea"], "cannot be “tea”"),
        (["--switch", "nul_403_gzip=maybe"], "true or false"),
        (["--switch", "negative_cache_minutes=soon"], "is a number"),
        (["--port", "99999"], "is no port"),
    ],
)
def test_bad_options_are_named(options: list[str], part: str) -> None:
    done = as_cron("sandbox", "start", *options, environment={"PATH": os.defpath})
    assert done.code == 64
    assert part in done.err


def test_the_printed_environment_can_be_pasted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", "sandbox", "start"],
        env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(10)]
    pasted = dict(
        line.removeprefix("export ").strip().replace("'", "").split("=", 1)
        for line in lines
        if line.startswith("export")
    )
    done = as_cron("dkim", "status", environment={**pasted, "HOME": str(tmp_path), "PATH": os.defpath})
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 0
    assert done.code == 0
    assert "fresh.example" in done.out


def test_no_web_page_reaches_the_management_door() -> None:
    with started() as (box, _):
        plain = requests.Session()
        plain.trust_env = False
        foreign = plain.post(f"{box['control']}/advance", json={"by": "4d"}, headers={"Host": "evil.example"})
        assert foreign.status_code == 403
        crossed = plain.post(
            f"{box['control']}/advance", json={"by": "4d"}, headers={"Origin": "https://evil.example"}
        )
        assert crossed.status_code == 403
        assert plain.post(f"{box['control']}/advance", json={"by": "soon"}).status_code == 400
        assert plain.get(f"{box['control']}/requests").json() == {"requests": []}
