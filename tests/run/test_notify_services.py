"""What arrives at Teams, Slack, a webhook and a mail server: the shapes that each of them documents, over real TLS."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from connect_proxy import ConnectProxy
from private_ca import PrivateCa

from exo_auth.errors import InputError
from exo_auth.run.notify import send

LIMIT = timedelta(seconds=30)
SIGNATURE = "SiGnAtUrE-of-the-flow-0123456789"
FLOW = "/workflows/8e7f0123456789abcdef/triggers/manual/paths/invoke"
QUERY = f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIGNATURE}"
AZURE = "prod-01.westeurope.logic.azure.com"
PLATFORM = "default0123.45.environment.api.powerplatform.com"
SLACK = "hooks.slack.com"
HOOK = "T0123ABCD/B0123ABCD/abcdefghijklmnopqrstuvwx"
TITLE, BODY = "exo-auth nightly: failed", "due.example rotate: refused <a & b>\n- ask somebody"


class Service(http.server.BaseHTTPRequestHandler):
    """Stands for all the services: keeps what is posted, and answers as the host of the moment would."""

    got: list[tuple[str, str, Any]] = []  # noqa: RUF012 - of these tests alone
    answers: dict[str, tuple[int, str]] = {AZURE: (202, ""), PLATFORM: (202, ""), SLACK: (200, "ok")}  # noqa: RUF012

    def do_POST(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((host, self.path, json.loads(body)))
        status, text = self.answers.get(host, (200, ""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> PrivateCa:
    return PrivateCa(tmp_path_factory.mktemp("authority"))


def context_of(authority: PrivateCa, folder: Path, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.write(folder / "server.pem", *names))
    return context


@pytest.fixture
def internet(authority: PrivateCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    """Every host of the services is this machine, reached through a proxy, as in many a company."""
    Service.got.clear()
    names = (AZURE, PLATFORM, SLACK, "hook.example")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        context = context_of(authority, tmp_path, *names)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        proxy = ConnectProxy(lambda _host: int(server.server_address[1]))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
        yield proxy
        proxy.close()
        server.shutdown()


TEAMS = [  # the address that Teams gives, the host it names, the path, reason
    (f"https://{AZURE}:443{FLOW}{QUERY}", AZURE, FLOW, "a flow as Teams' Workflows app made them until 2025"),
    (
        f"https://{PLATFORM}:443/powerautomate/automations/direct{FLOW}{QUERY}",
        PLATFORM,
        f"/powerautomate/automations/direct{FLOW}",
        "and as it makes them since",
    ),
]


@pytest.mark.parametrize(("url", "host", "path", "reason"), TEAMS, ids=[row[3] for row in TEAMS])
def test_teams_gets_an_adaptive_card(
    internet: ConnectProxy, url: str, host: str, path: str, reason: str
) -> None:
    assert send(url, TITLE, BODY, LIMIT) == 1
    ((asked, target, document),) = Service.got
    assert (asked, urlsplit(target).path) == (host, path), reason
    assert parse_qs(urlsplit(target).query)["sig"] == [SIGNATURE]
    assert document["type"] == "message"
    (attachment,) = document["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard"
    texts = json.dumps(card["body"], ensure_ascii=False)
    assert TITLE in texts
    assert "due.example rotate: refused <a & b>" in texts
    assert all(block["type"] == "TextBlock" for block in card["body"]), (
        "a picture from the network has no place here"
    )


def test_slack_gets_what_its_incoming_webhooks_take(internet: ConnectProxy) -> None:
    assert send(f"https://{SLACK}/services/{HOOK}", TITLE, BODY, LIMIT) == 1
    ((host, path, document),) = Service.got
    assert (host, path) == (SLACK, f"/services/{HOOK}")
    (attachment,) = document["attachments"]
    assert attachment["title"] == TITLE
    assert attachment["text"] == BODY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert attachment["footer"] == "exo-auth"


def test_a_webhook_gets_title_and_message(internet: ConnectProxy) -> None:
    assert send("jsons://user:pass@hook.example/told?+X-Key=k", TITLE, BODY, LIMIT) == 1
    ((host, path, document),) = Service.got
    assert (host, path) == ("hook.example", "/told")
    assert (document["title"], document["message"]) == (TITLE, BODY)


REFUSED = [  # address, what the service answers, part of what is said
    (f"https://{AZURE}{FLOW}{QUERY}", (400, "the flow is off"), "error=400"),
    (f"https://{SLACK}/services/{HOOK}", (404, "no_service"), "error=404"),
    ("jsons://hook.example/", (500, ""), "error=500"),
]


@pytest.mark.parametrize(("url", "answer", "part"), REFUSED)
def test_a_service_that_refuses_is_told_without_the_secret_in_its_address(
    internet: ConnectProxy, monkeypatch: pytest.MonkeyPatch, url: str, answer: tuple[int, str], part: str
) -> None:
    monkeypatch.setitem(Service.answers, urlsplit(url).hostname or "", answer)
    with pytest.raises(InputError) as caught:
        send(url, TITLE, BODY, LIMIT)
    assert part in str(caught.value)
    assert not {SIGNATURE, *HOOK.split("/")} & set(str(caught.value).replace("/", " ").split())


class Mailbox:
    """Keeps the mails that came after a login over TLS."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, _server: object, session: Any, envelope: Any) -> str:  # noqa: N802
        assert session.authenticated
        assert session.ssl is not None
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server(mailbox: Mailbox, context: ssl.SSLContext) -> Iterator[int]:
    def login(_s: object, _session: object, _e: object, _mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"robot", b"pass-word"))

    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=login,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def test_mail_is_handed_over_by_starttls_and_a_login(
    authority: PrivateCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    mailbox = Mailbox()
    with mail_server(mailbox, context_of(authority, tmp_path, "localhost")) as port:
        to = "mode=starttls&from=exo@contoso.com&to=a@contoso.com,b@contoso.com"
        assert send(f"mailtos://robot:pass-word@localhost:{port}?{to}", TITLE, BODY, LIMIT) == 1
    assert [mail["To"] for mail in mailbox.mails] == ["a@contoso.com", "b@contoso.com"]
    mail = mailbox.mails[0]
    assert mail["Subject"] == TITLE
    assert mail["From"] == "exo@contoso.com"
    assert mail.get_content_type() == "text/plain"
    assert str(mail.get_payload(decode=True), "utf-8").splitlines() == BODY.splitlines()
