"""Words to people: to a real web server and a real mail server, also to ones that hang or refuse."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from terminal import in_process

from exo_auth.errors import InputError
from exo_auth.plan.job import Event, events_of
from exo_auth.render.notice_text import account_notice, notice_title, output_notice
from exo_auth.run.notify import beat, send, wanted, without_secrets

LIMIT = timedelta(seconds=20)
SOON = timedelta(seconds=5)  # time enough for a child to start, also on a busy machine
AT_ONCE = timedelta(milliseconds=1)
TOKEN = "T0KEN-not-to-be-told"


class Web(http.server.BaseHTTPRequestHandler):
    """Keeps what is asked for; a path with `refuse` in it is answered with 403."""

    got: list[tuple[str, Any]] = []  # noqa: RUF012 - of these tests alone

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(json.loads(body))

    def do_GET(self) -> None:
        self._answer(None)

    def _answer(self, body: Any) -> None:
        self.got.append((self.path, body))
        self.send_response(403 if "refuse" in self.path else 200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    Web.got.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


class Mailbox:
    """Takes mail, or refuses every recipient."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.mails: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd’s
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _s: object, _session: object, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope.content)
        return "250 OK"


@contextmanager
def mail_server(mailbox: Mailbox) -> Iterator[str]:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"mailto://127.0.0.1:{port}?from=exo-auth@contoso.example&to=admins@contoso.example&mode=insecure"
    finally:
        controller.stop()


def test_every_address_is_told(web: str) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as mail:
        assert (
            send(f"json://{web}/a\n{mail}, json://{web}/b", "exo-auth nightly: failed", "a line", LIMIT) == 3
        )
    assert sorted((path, told["title"], told["message"]) for path, told in Web.got) == [
        ("/a", "exo-auth nightly: failed", "a line"),
        ("/b", "exo-auth nightly: failed", "a line"),
    ]
    (sent,) = mailbox.mails
    assert b"Subject: exo-auth nightly: failed" in sent
    assert b"a line" in sent


TROUBLE = [  # what the address is, part of the message
    ("nonsense", "address 1 of EXO_AUTH_NOTIFY_URLS (no scheme): it is none that Apprise knows"),
    (f"nonsense://{TOKEN}", "address 1 of EXO_AUTH_NOTIFY_URLS (nonsense): it is none that Apprise knows"),
    (f"json://127.0.0.1:9/{TOKEN}", "address 1 of EXO_AUTH_NOTIFY_URLS (json): A Connection error occurred"),
]


@pytest.mark.parametrize(("url", "part"), TROUBLE)
def test_who_could_not_be_told_is_named_by_place_and_without_the_address(
    url: str, part: str, web: str
) -> None:
    with pytest.raises(InputError) as caught:
        send(f"{url} json://{web}/still", "t", "b", LIMIT)
    assert part in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert [path for path, _ in Web.got] == ["/still"]  # one that fails keeps no other from being told


def test_a_web_server_that_refuses_is_told_with_its_answer(web: str) -> None:
    with pytest.raises(InputError, match=r"\(json\): .*error=403") as caught:
        send(f"json://user:{TOKEN}@{web}/refuse/{TOKEN}", "t", "b", LIMIT)
    assert TOKEN not in str(caught.value)


def test_a_mail_server_that_refuses_is_told() -> None:
    mailbox = Mailbox("550 5.7.1 not you")
    with mail_server(mailbox) as mail, pytest.raises(InputError, match=r"\(mailto\):"):
        send(mail, "t", "b", LIMIT)
    assert mailbox.mails == []


def test_servers_that_hang_are_given_up_at_the_limit_all_at_once(web: str) -> None:
    to = "?from=a@contoso.example&to=b@contoso.example&mode=insecure"
    with silent_server() as silent, pytest.raises(InputError) as caught:
        send(f"json://{silent} mailto://{silent}{to} json://{web}/next", "t", "b", SOON)
    assert [path for path, _ in Web.got] == ["/next"]
    told = str(caught.value)
    assert "address 1 of EXO_AUTH_NOTIFY_URLS (json): no answer within 5 s" in told
    assert "address 2 of EXO_AUTH_NOTIFY_URLS (mailto): no answer within 5 s" in told


BEATS = [  # what stands behind the host, state, code, path that is asked for
    ("/ping/uuid", "start", None, "/ping/uuid/start"),
    ("/ping/uuid/", "success", 0, "/ping/uuid/0"),
    ("/ping/uuid", "fail", 6, "/ping/uuid/6"),
    ("/push?status={state}&msg={code}", "fail", 10, "/push?status=fail&msg=10"),
]


@pytest.mark.parametrize(("tail", "state", "code", "path"), BEATS)
def test_the_heartbeat_tells_start_and_end(
    tail: str, state: str, code: int | None, path: str, web: str
) -> None:
    beat(f"http://{web}{tail}", state, code, LIMIT)
    assert Web.got == [(path, None)]


def test_a_heartbeat_that_is_not_taken_is_told_without_its_url(web: str) -> None:
    with silent_server() as silent, pytest.raises(InputError, match=r"no answer within 0\.001 s"):
        beat(f"http://{silent}/{TOKEN}", "start", None, AT_ONCE)
    with pytest.raises(InputError, match="it answered 403") as caught:
        beat(f"http://{web}/refuse/{TOKEN}", "start", None, LIMIT)
    assert TOKEN not in str(caught.value)
    with pytest.raises(InputError, match=r"no http\(s\) URL"):
        beat(f"file:///etc/{TOKEN}", "start", None, LIMIT)
    with pytest.raises(InputError, match="nobody answered"):
        beat("http://127.0.0.1:9/x", "start", None, LIMIT)


def test_the_commands(web: str, tmp_path: Any) -> None:
    (tmp_path / "urls").write_text(f"json://{web}/a\njson://{web}/b\n")
    environment = {"HOME": str(tmp_path), "EXO_AUTH_NOTIFY_URLS_FILE": str(tmp_path / "urls")}
    assert in_process("notify", "test", environment=environment).out == "sent to 2\n"
    assert in_process("notify", "send", "down", "--body", "look", environment=environment).code == 0
    assert [(told["title"], told["message"]) for _, told in Web.got[2:]] == [("down", "look")] * 2
    none = in_process("notify", "test", environment={"HOME": str(tmp_path)})
    assert (none.code, "EXO_AUTH_NOTIFY_URLS is not set" in none.err) == (64, True)


# What is said


def test_only_what_was_asked_for_is_told_the_gravest_first() -> None:
    events = events_of(6, changed=True)
    assert wanted(("change", "failure", "waiting"), events) == (Event.FAILURE, Event.CHANGE)
    title = notice_title("nightly", wanted(("change", "failure"), events))
    assert title == "exo-auth nightly: failed, changed something"


def test_a_command_without_an_account_is_told_by_its_last_lines() -> None:
    text = output_notice("exo-auth check", 6, "\n".join(f"line {n}\n" for n in range(50)))
    assert text.startswith("exo-auth check ended with 6\n\nline 30\n")
    assert text.endswith("line 49")


def outcome(number: int, result: str, error: str = "") -> dict[str, Any]:
    return {"key": "", "domain": f"d{number}.example", "verb": "rotate", "cmdlet": "", "result": result,
            "error": error, "hint": "", "not_before": None}  # fmt: skip


def test_an_account_is_told_in_parts_and_not_endlessly() -> None:
    plan = {
        "deferrals": [
            {"domain": "w.example", "verb": "rotate", "reason": "the CNAME is new", "not_before": "2026-11-25T10:00:00+00:00",
             "is_waiting": True},
            {"domain": "p.example", "verb": "rotate", "reason": "pending", "not_before": None, "is_waiting": False},
        ],
        "blockages": [{"domain": "b.example", "verb": "rotate", "reason": "no CNAME", "is_unknown": False, "findings": []}],
    }  # fmt: skip
    document = {"command": "dkim rotate", "tenant": "contoso.example", "exit_code": 5, "error": "", "hint": "", "run": "r1",
                "plan": plan, "outcomes": [outcome(0, "failed", "no answer"), *(outcome(n, "applied") for n in range(1, 30))]}  # fmt: skip
    text = account_notice(document)
    assert text.startswith("exo-auth dkim rotate on contoso.example ended with 5\n")
    assert "- d0.example rotate: failed: no answer" in text
    assert "- d19.example rotate: applied\n- and 10 more" in text
    assert "needs a person:\n- b.example rotate: no CNAME" in text
    assert "waiting:\n- w.example rotate: the CNAME is new, not before 2026-11-25T10:00:00+00:00" in text
    assert "p.example" not in text  # nothing is due there
    assert text.endswith("run r1: exo-auth journal show r1")
    refused = {
        **document,
        "error": "two is too many",
        "hint": "raise it",
        "plan": None,
        "outcomes": [],
        "tenant": "",
        "run": "",
    }
    assert (
        account_notice(refused) == "exo-auth dkim rotate ended with 5\nerror: two is too many\nhint: raise it"
    )


def test_secrets_are_blotted_out_the_longest_first() -> None:
    assert without_secrets("abcdef abcd ab", ["abcd", "abcdef", "ab", ""]) == "… … ab"
    assert without_secrets("nothing", []) == "nothing"
