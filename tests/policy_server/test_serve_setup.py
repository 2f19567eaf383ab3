"""What `mta-sts serve` takes and refuses before it listens, its YAML file, and its systemd unit."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from private_ca import PrivateCa
from serving import Client, ServerProcess
from terminal import Done, in_process

POLICY = "version: STSv1\r\nmode: testing\r\nmx: mail.contoso.example\r\nmax_age: 86400\r\n"


@pytest.fixture
def ca(tmp_path: Path) -> PrivateCa:
    return PrivateCa(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, ca: PrivateCa) -> Path:
    """A folder with one policy, one certificate, and nothing wrong."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "contoso.example.txt").write_text(POLICY)
    ca.write(tmp_path / "contoso.pem", "mta-sts.contoso.example")
    return tmp_path


def run(*arguments: str) -> Done:
    return in_process(
        "mta-sts", "serve", *arguments, environment={"PATH": os.defpath, "HOME": "/nonexistent"}
    )


CONFIG = """\
version: 1
listen: ["127.0.0.1:0"]
certificates:
  - {certificate: contoso.pem}
domains:
  contoso.example: {mode: enforce, mx: [mail.contoso.example, "*.backup.example"], max_age: 604800}
"""


def test_everything_may_stand_in_one_file(folder: Path, ca: PrivateCa) -> None:
    (folder / "serve.yaml").write_text(CONFIG)
    with (
        ServerProcess("--file", str(folder / "serve.yaml")) as server,
        closing(Client(server.port, "mta-sts.contoso.example", ca.ca_file)) as client,
    ):
        assert client.get()[2] == (
            b"version: STSv1\r\nmode: enforce\r\nmx: mail.contoso.example\r\n"
            b"mx: *.backup.example\r\nmax_age: 604800\r\n"
        )


def test_a_changed_file_is_taken_up_and_a_void_one_is_not(folder: Path, ca: PrivateCa) -> None:
    file = folder / "serve.yaml"
    file.write_text(CONFIG)
    with ServerProcess("--file", str(file)) as server:
        file.write_text(CONFIG.replace("enforce", "strict"))
        server.signal(signal.SIGHUP)
        assert "serve.yaml:6:3: the mode “strict”" in server.wait_for("reload-refused")["detail"]
        with closing(Client(server.port, "mta-sts.contoso.example", ca.ca_file)) as client:
            assert b"mode: enforce\r\n" in client.get()[2]
            file.write_text(CONFIG.replace("enforce", "none"))
            server.signal(signal.SIGHUP)
            server.wait_for("reloaded")
            assert b"mode: none\r\n" in client.get()[2]


BAD_FILES = [  # what is replaced, by what, place, part of the message
    ("version: 1", "version: 2", ":1:10:", "the version must be 1"),
    ("mode: enforce", "mode: strict", ":6:3:", "the mode “strict”"),
    ("max_age: 604800", "max_age: 1y", ":6:3:", "the max_age “1y”"),
    ("mx: [mail.contoso.example", "mx: [mail_contoso.example", ":6:3:", "the mx “mail_contoso.example”"),
    (", mx:", ", mxs:", ":6:", "did you mean mx?"),
    ("contoso.example:", "contoso..example:", ":6:3:", "empty label"),
    ("127.0.0.1:0", "everywhere:443", ":2:10:", "no address to listen on"),
    ("listen", "health", ":2:9:", "no address to listen on"),
    ("listen: [", "listens: [", ":2:1:", "did you mean listen?"),
    ("certificate: contoso.pem", "key: contoso.pem", ":4:5:", "“certificate” is missing"),
]


@pytest.mark.parametrize(("old", "new", "place", "part"), BAD_FILES, ids=[row[1] for row in BAD_FILES])
def test_a_mistake_in_the_file_has_a_place(folder: Path, old: str, new: str, place: str, part: str) -> None:
    (folder / "serve.yaml").write_text(CONFIG.replace(old, new))
    done = run("--file", str(folder / "serve.yaml"), "--check")
    assert done.code == 64
    assert f"serve.yaml{place}" in done.err
    assert part in done.err


REFUSED = [  # arguments, part of stderr, reason
    ((), "name a folder", "nothing is named"),
    (("{f}/policies", "--file", "x.yaml"), "name a folder", "two sources"),
    (("{f}/nowhere", "--certificate", "{f}/contoso.pem"), "cannot be listed", "no folder"),
    (("{f}/policies",), "no certificate to show", "no certificate"),
    (("{f}/policies", "--certificate", "{f}/nowhere.pem"), "No such file", "no certificate file"),
    (("{f}/policies", "--certificate", "{f}/private-root.crt"), "key", "a certificate without its key"),
    (("{f}/policies", "--key", "{f}/contoso.pem"), "--certificate", "a key alone"),
    (
        ("{f}/policies", "--certificate", "a", "--certificate", "b", "--key", "c"),
        "2 times --certificate and 1 times --key",
        "a key is missing",
    ),
    (("{f}", "--certificate", "{f}/contoso.pem"), "no policy to serve", "an empty folder"),
    (("{f}/policies", "--listen", "0.0.0.0"), "no address", "no port"),
    (("{f}/policies", "--listen", "0.0.0.0:70000"), "no address", "a port there is not"),
    (("{f}/policies", "--health", "0.0.0.0:8080"), "no loopback address", "health for everybody"),
    (
        ("{f}/policies", "--certificate", "{f}/contoso.pem", "--access-log", "/no/such/folder/log"),
        "cannot be written",
        "a log that cannot be",
    ),
    (
        ("{f}/policies", "--certificate", "{f}/contoso.pem", "--listen", "192.0.2.1:443"),
        "cannot listen on 192.0.2.1:443",
        "an address of somebody else",
    ),
]


@pytest.mark.parametrize(("arguments", "part", "reason"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_served_is_told(
    folder: Path, arguments: tuple[str, ...], part: str, reason: str
) -> None:
    done = run(*(word.format(f=folder) for word in arguments))
    assert done.code == 64, done
    assert part in done.err, reason
    assert "Traceback" not in done.err


BAD_POLICIES = [  # content of a file, part of the reason
    (b"\xef\xbb\xbf" + POLICY.encode(), "0xef"),
    (POLICY.replace("testing", "Testing").encode(), "the mode “Testing”"),
    (POLICY.replace("STSv1", "STSv2").encode(), "the version “STSv2”"),
    (POLICY.replace("mx: mail.contoso.example\r\n", "").encode(), "no mx"),
    (POLICY.replace("\r\n", "\r").encode(), "printable ASCII"),
    (POLICY.replace("mode:", "mode :").encode(), "no line of a policy"),
    (b"<!doctype html>", "no line of a policy"),
    (b"", "no version"),
    (POLICY.encode() + b"x: " + b"y" * 70000, "more text than senders read"),
]


@pytest.mark.parametrize(("content", "part"), BAD_POLICIES, ids=[row[1] for row in BAD_POLICIES])
def test_check_judges_policies_and_serves_nothing(folder: Path, content: bytes, part: str) -> None:
    arguments = (str(folder / "policies"), "--certificate", str(folder / "contoso.pem"), "--check")
    assert run(*arguments).code == 0
    (folder / "policies/void.example.txt").write_bytes(content)
    done = run(*arguments)
    assert done.code == 3
    assert part in done.out
    assert "ok  contoso.example" in done.out


def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    arguments = (str(folder / "policies"), "--certificate", str(folder / "contoso.pem"), "--listen")
    with ServerProcess(*arguments, "127.0.0.1:0") as server:
        done = run(*arguments, f"127.0.0.1:{server.port}")
    assert done.code == 64
    assert "Address already in use" in done.err


# The unit


def unit_for(folder: Path, *arguments: str) -> str:
    done = run(str(folder / "policies"), *arguments, "--print-unit")
    assert done.code == 0, done.err
    return done.out


def test_the_unit_hands_keys_over_as_credentials(folder: Path) -> None:
    pair = folder / "live/mta-sts.contoso.example"
    pair.mkdir(parents=True)
    for name in ("fullchain.pem", "privkey.pem"):
        (pair / name).write_text("x")
    unit = unit_for(folder, "--certificates", str(folder / "live"), "--listen", "0.0.0.0:443")
    assert f"LoadCredential=certificate-1.pem:{pair}/fullchain.pem\n" in unit
    assert f"LoadCredential=key-1.pem:{pair}/privkey.pem\n" in unit
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert command is not None
    assert str(pair) not in command[1]
    assert "--key ${CREDENTIALS_DIRECTORY}/key-1.pem" in command[1]
    assert command[1].endswith("--listen 0.0.0.0:443")
    for line in ("DynamicUser=yes", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "Type=notify"):
        assert f"\n{line}\n" in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit_and_finds_it_tight(folder: Path) -> None:
    file = folder / "exo-auth-mta-sts.service"
    unit = unit_for(folder, "--certificate", str(folder / "contoso.pem"))
    file.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, check=False
    )
    assert "exo-auth-mta-sts" not in verified.stderr, verified.stderr
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rated.returncode == 0, rated.stdout[-300:]  # at most 2.0 of 10
