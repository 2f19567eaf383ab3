"""The policy server as senders meet it: a process, TLS under a private root, and clients that misbehave."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from private_ca import PrivateCa
from serving import PATH, Client, ServerProcess, said, tls_to

from exo_auth.render.schema import schema_text

POLICY = "version: STSv1\nmode: {mode}\nmx: mail.contoso.example\nmax_age: {age}\n"
ONE, TWO, BARE = "mta-sts.contoso.example", "mta-sts.fabrikam.example", "mta-sts.bare.example"


def write(path: Path, text: str) -> None:
    """Put a text into a file in one step, as careful programs do."""
    temporary = path.with_suffix(".part")
    temporary.write_text(text)
    temporary.replace(path)


class Place:
    """A folder of policies, certificates for their hosts, and the server that serves them."""

    def __init__(self, folder: Path) -> None:
        self.ca = PrivateCa(folder)
        self.policies = folder / "policies"
        self.certificates = folder / "certificates"
        for made in (self.policies, self.certificates):
            made.mkdir()
        write(self.policies / "contoso.example.txt", POLICY.format(mode="testing", age=86400))
        (self.policies / "fabrikam.example").mkdir()
        write(self.policies / "fabrikam.example/mta-sts.txt", POLICY.format(mode="enforce", age=604800))
        self.ca.write(self.certificates / "contoso.pem", ONE, BARE)
        pair = self.certificates / "fabrikam"
        pair.mkdir()
        for name, content in zip(
            ("fullchain.pem", "privkey.pem"), self.ca.issue("*.fabrikam.example"), strict=True
        ):
            (pair / name).write_bytes(content)
        self.arguments = (
            str(self.policies),
            "--certificates",
            str(self.certificates),
            "--listen",
            "127.0.0.1:0",
        )

    def client(self, server: ServerProcess, name: str = ONE) -> Client:
        return Client(server.port, name, self.ca.ca_file)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def shared(shared_place: Place) -> Iterator[ServerProcess]:
    with ServerProcess(*shared_place.arguments, "--health", "127.0.0.1:0") as server:
        yield server


def test_the_answer_is_what_the_standard_asks_for(shared: ServerProcess, shared_place: Place) -> None:
    with closing(shared_place.client(shared)) as client:
        status, headers, body = client.get()
    assert status == 200
    assert body == POLICY.format(mode="testing", age=86400).replace("\n", "\r\n").encode()
    assert headers["content-type"] == "text/plain"
    assert headers["cache-control"] == "no-cache"
    assert int(headers["content-length"]) == len(body)
    assert {"date", "etag"} <= headers.keys()
    assert "location" not in headers


ANSWERS = [  # host, method, path, status, reason
    (ONE, "GET", "/", 404, "nothing else is served"),
    (ONE, "GET", "/.well-known/mta-sts.txt/", 404, "the path is exact"),
    (ONE, "GET", "/.well-known/MTA-STS.txt", 404, "... in its case"),
    (ONE, "GET", "/.well-known/mta-sts.txt?a=b", 404, "... and without a query"),
    (ONE, "GET", "/.well-known/../.well-known/mta-sts.txt", 404, "... and without detours"),
    (ONE, "GET", "/%2ewell-known/mta-sts.txt", 404, "... and without escapes"),
    (ONE, "POST", PATH, 405, "reading only"),
    (ONE, "DELETE", PATH, 405, "reading only"),
    (BARE, "GET", PATH, 404, "covered by a certificate, without a policy"),
    (TWO, "GET", PATH, 200, "a wildcard certificate and a policy in a folder"),
    ("www.fabrikam.example", "GET", PATH, 404, "covered, and no policy host"),
]


@pytest.mark.parametrize(("host", "method", "path", "status", "reason"), ANSWERS, ids=[a[4] for a in ANSWERS])
def test_status_codes(
    shared: ServerProcess, shared_place: Place, host: str, method: str, path: str, status: int, reason: str
) -> None:
    with closing(shared_place.client(shared, host)) as client:
        got, headers, _ = client.get(path, method)
    assert got == status, reason
    assert headers.get("allow") == ("GET, HEAD" if status == 405 else None)


def test_head_tells_the_length_and_sends_nothing(shared: ServerProcess, shared_place: Place) -> None:
    with closing(shared_place.client(shared)) as client:
        _, whole, _ = client.get()
        status, headers, body = client.get(method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["content-length"] == whole["content-length"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_known_tag_is_answered_with_304(shared: ServerProcess, shared_place: Place, form: str) -> None:
    with closing(shared_place.client(shared)) as client:
        _, headers, _ = client.get()
        status, again, body = client.get(If_None_Match=form.format(headers["etag"]))
        assert (status, body, again["etag"]) == (304, b"", headers["etag"])
        assert client.get(If_None_Match='"other"')[0] == 200


def test_one_connection_serves_many_requests(shared: ServerProcess, shared_place: Place) -> None:
    with closing(shared_place.client(shared)) as client:
        statuses = []
        for _ in range(100):
            status, headers, _ = client.get()
            statuses.append((status, headers.get("connection")))
    assert statuses == [(200, None)] * 99 + [(200, "close")]


HOSTS = [  # Host header, on a connection for contoso.example; status; reason
    (b"mta-sts.contoso.example", b"200", "its own"),
    (b"MTA-STS.Contoso.Example.", b"200", "case and the final dot do not matter"),
    (b"mta-sts.contoso.example:443", b"200", "a port does not matter"),
    (b"mta-sts.fabrikam.example", b"421", "served here, under another certificate"),
    (b"www.example.org", b"421", "a stranger"),
    (b"192.0.2.1", b"421", "an address"),
    (b"[2001:db8::1]", b"400", "no host name"),
    (b"../../etc/passwd", b"400", "no host name"),
    (b"", b"400", "nothing"),
]


@pytest.mark.parametrize(("host", "status", "reason"), HOSTS, ids=[row[2] for row in HOSTS])
def test_hosts(shared: ServerProcess, shared_place: Place, host: bytes, status: bytes, reason: str) -> None:
    request = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    answer = said(tls_to(shared.port, ONE, shared_place.ca.ca_file), request)
    assert answer.split()[1] == status, reason


RUDE = [  # octets, status; b"" for a connection that just ends; reason
    (b"GET / HTTP/1.1\r\n\r\n", b"400", "no host"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400", "two hosts"),
    (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400", "no HTTP at all"),
    (b"GET  /  HTTP/1.1\r\n\r\n", b"400", "superfluous blanks"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000 + b"\r\n\r\n", b"431", "headers that are too large"),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"400",
        "framed twice",
    ),
    (
        b"POST / HTTP/1.1\r\nHost: mta-sts.contoso.example\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
        b"413",
        "a body that is too large",
    ),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400", "no length"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400", "HTTP/2 without asking"),
    (
        b"GET " + PATH.encode() + b" HTTP/1.0\r\nHost: mta-sts.contoso.example\r\n\r\n",
        b"200",
        "an old client",
    ),
    (
        b"GET https://mta-sts.contoso.example" + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n"
        b"Connection: close\r\n\r\n",
        b"200",
        "the absolute form (RFC 9112 §3.2.2)",
    ),
    (b"GET https://[x/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"400", "a bad absolute form"),
]


@pytest.mark.parametrize(("octets", "status", "reason"), RUDE, ids=[row[2] for row in RUDE])
def test_rude_requests(
    shared: ServerProcess, shared_place: Place, octets: bytes, status: bytes, reason: str
) -> None:
    answer = said(tls_to(shared.port, ONE, shared_place.ca.ca_file), octets)
    assert answer.split()[1] == status, reason


def test_requests_in_one_go_are_answered_in_order(shared: ServerProcess, shared_place: Place) -> None:
    one = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: mta-sts.contoso.example\r\n"
    answer = said(
        tls_to(shared.port, ONE, shared_place.ca.ca_file), one + b"\r\n" + one + b"Connection: close\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 200 ") == 2


def test_a_strange_name_is_told_as_such(shared: ServerProcess, shared_place: Place) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        tls_to(shared.port, "mta-sts.stranger.example", shared_place.ca.ca_file)


def test_without_sni_a_certificate_is_shown(shared: ServerProcess, shared_place: Place) -> None:
    with tls_to(shared.port, None, shared_place.ca.ca_file) as secured:
        assert secured.version() == "TLSv1.3"


def test_old_tls_is_refused(shared: ServerProcess, shared_place: Place) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1"), pytest.raises(ssl.SSLError):  # RFC 8461 §7.2
        tls_to(
            shared.port,
            ONE,
            shared_place.ca.ca_file,
            minimum_version=ssl.TLSVersion.TLSv1,
            maximum_version=ssl.TLSVersion.TLSv1_1,
        )


def test_health(shared: ServerProcess, shared_place: Place) -> None:
    def probe(path: str, method: str = "GET") -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(shared.ready["health"], timeout=30)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    status, body = probe("/healthz")
    document = json.loads(body)
    jsonschema.validate(document, json.loads(schema_text("mta-sts-health")))
    assert (status, document["status"]) == (200, "ok")
    assert document["policies"] == ["contoso.example", "fabrikam.example"]
    assert probe(PATH)[0] == 404
    assert probe("/healthz", "POST")[0] == 405


# Change while it runs


def test_a_changed_policy_is_served_at_once_and_a_void_one_never(place: Place) -> None:
    file = place.policies / "contoso.example.txt"
    with ServerProcess(*place.arguments) as server, closing(place.client(server)) as client:
        _, first, _ = client.get()
        write(file, POLICY.format(mode="enforce", age=604800))
        _, second, body = client.get()
        assert b"mode: enforce\r\n" in body
        assert first["etag"] != second["etag"]
        assert server.wait_for("policy-changed")["subject"] == "contoso.example"
        write(file, "mode: enforce\n")
        assert client.get()[2] == body
        refused = server.wait_for("policy-refused")
        assert "no version" in refused["detail"]
        assert "the policy before it is served still" in refused["detail"]
        write(file, POLICY.format(mode="testing", age=60))
        assert b"max_age: 60\r\n" in client.get()[2]
        file.unlink()
        assert client.get()[0] == 404
        assert server.wait_for("policy-gone")["subject"] == "contoso.example"


def test_a_new_domain_needs_no_restart(place: Place) -> None:
    with ServerProcess(*place.arguments) as server, closing(place.client(server, BARE)) as client:
        assert client.get()[0] == 404
        write(place.policies / "bare.example.txt", POLICY.format(mode="testing", age=86400))
        assert client.get()[0] == 200


def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_stay(place: Place) -> None:
    with ServerProcess(*place.arguments) as server, closing(place.client(server)) as old:
        assert old.get()[0] == 200
        assert old.shown == (ONE, BARE)
        place.ca.write(place.certificates / "contoso.pem", ONE, BARE, "mta-sts.third.example")
        with closing(place.client(server)) as fresh:
            assert fresh.get()[0] == 200
            assert fresh.shown == (ONE, BARE, "mta-sts.third.example")
        assert old.get()[0] == 200


def test_a_certificate_half_renewed_is_refused_and_the_old_one_shown(place: Place) -> None:
    folder = place.certificates / "fabrikam"
    chain, key = place.ca.issue("*.fabrikam.example", "renewed.example")
    with ServerProcess(*place.arguments) as server:
        (folder / "fullchain.pem").write_bytes(chain)
        with closing(place.client(server, TWO)) as client:
            assert client.get()[0] == 200
            assert client.shown == ("*.fabrikam.example",)
        assert "the key does not belong to it" in server.wait_for("certificate-refused")["detail"]
        (folder / "privkey.pem").write_bytes(key)
        with closing(place.client(server, TWO)) as client:
            assert client.get()[0] == 200
            assert client.shown == ("*.fabrikam.example", "renewed.example")


def test_a_signal_reads_everything_again_and_drops_nobody(place: Place) -> None:
    with ServerProcess(*place.arguments) as server, closing(place.client(server)) as client:
        assert client.get()[0] == 200
        place.ca.write(place.certificates / "late.pem", "mta-sts.late.example")
        write(place.policies / "late.example.txt", POLICY.format(mode="testing", age=86400))
        write(place.policies / "void.example.txt", "<html>")
        write(place.policies / "uncovered.example.txt", POLICY.format(mode="testing", age=86400))
        server.signal(signal.SIGHUP)
        server.wait_for("reloaded")
        assert client.get()[0] == 200
        with closing(place.client(server, "mta-sts.late.example")) as late:
            assert late.get()[0] == 200
    kinds = {(line["what"], line.get("subject")) for line in server.log}
    assert {("policy-refused", "void.example"), ("policy-uncovered", "uncovered.example")} <= kinds


def test_a_folder_that_vanished_is_told_and_nothing_is_lost(place: Place) -> None:
    with ServerProcess(*place.arguments) as server:
        place.certificates.rename(place.certificates.with_name("elsewhere"))
        server.signal(signal.SIGHUP)
        assert "cannot be listed" in server.wait_for("reload-refused")["detail"]
        with closing(place.client(server)) as client:
            assert client.get()[0] == 200


def test_the_end_waits_for_who_is_being_served(place: Place) -> None:
    with ServerProcess(*place.arguments) as server:
        idle = tls_to(server.port, ONE, place.ca.ca_file)
        busy = tls_to(server.port, ONE, place.ca.ca_file)
        with idle, busy:
            request = b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: mta-sts.contoso.example\r\n\r\n"
            idle.sendall(request)
            assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
            busy.sendall(request[:-2])
            server.wait_for("request")
            server.signal(signal.SIGTERM)
            server.wait_for("stopping")
            assert idle.recv(65536) == b""
            busy.sendall(request[-2:])
            answer = b""
            while data := busy.recv(65536):
                answer += data
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
        assert server.ended() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=30)


# What it says


def test_every_line_of_the_log_follows_its_schema(place: Place) -> None:
    schema = json.loads(schema_text("mta-sts-log"))
    with ServerProcess(*place.arguments) as server:
        with closing(place.client(server)) as client:
            client.get(User_Agent="a sender")
        line = server.wait_for("request")
        assert server.stop() == 0
    jsonschema.validate(server.ready, json.loads(schema_text("mta-sts-serve")))
    for written in server.log:
        jsonschema.validate(written, schema)
    assert (line["client"], line["host"], line["status"]) == ("127.0.0.1", ONE, 200)
    assert (line["method"], line["target"], line["agent"]) == ("GET", PATH, "a sender")
    assert line["tls"] == "TLSv1.3"
    assert [one["what"] for one in server.log][-2:] == ["stopping", "stopped"]


def test_the_access_log_is_a_file_that_can_be_moved_away(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with ServerProcess(*place.arguments, "--access-log", str(log)) as server:
        with closing(place.client(server)) as client:
            client.get()
            log.rename(tmp_path / "access.log.1")
            server.signal(signal.SIGHUP)
            server.wait_for("reloaded")
            client.get(path="/other")
        server.stop()
    assert [json.loads(line)["status"] for line in (tmp_path / "access.log.1").read_text().splitlines()] == [
        200
    ]
    assert [json.loads(line)["status"] for line in log.read_text().splitlines()] == [404]


def test_systemd_hears_when_it_is_ready_and_when_it_stops(place: Place, tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        with ServerProcess(
            *place.arguments, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}
        ) as server:
            assert listener.recv(100) == b"READY=1"
            server.stop()
            assert listener.recv(100) == b"STOPPING=1"


def test_a_certificate_that_ends_soon_is_told(place: Place) -> None:
    place.ca.write(place.certificates / "contoso.pem", ONE, life=timedelta(days=5))
    with ServerProcess(*place.arguments) as server:
        assert "valid until" in server.wait_for("certificate-ends")["detail"]
