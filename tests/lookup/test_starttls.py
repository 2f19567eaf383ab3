"""Mail hosts asked for TLS over real sockets: those of the sandbox, and scripted ones that break the protocol."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exo_auth.facts.starttls import SmtpFault, SmtpProbe
from exo_auth.lookup.starttls import StartTlsProber, probe_all
from exo_auth.sandbox.certificates import Certificates
from exo_auth.sandbox.mail_hosts import MailHosts, wanted_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("tls"), mail_hosts=wanted_certificates())


@pytest.fixture(scope="module")
def hosts(certificates: Certificates) -> Iterator[MailHosts]:
    running = MailHosts(certificates.mail_files)
    if not running.addresses:
        pytest.skip("this machine has no addresses in 127.0.0.0/8 but 127.0.0.1")
    yield running
    running.close()


@pytest.fixture(scope="module")
def prober(hosts: MailHosts, certificates: Certificates) -> StartTlsProber:
    return StartTlsProber(port=hosts.port, timeout=1, authorities=str(certificates.ca_file))


HOSTS = [  # label, fault, part of the detail, is TLS agreed?, reason
    ("good", None, "", True, "all is right"),
    ("ends-soon", None, "", True, "it counts until it ends"),
    ("wrong-name", SmtpFault.CERTIFICATE_NAME, "it names mail.other.example", True, "for another host"),
    ("expired", SmtpFault.CERTIFICATE_EXPIRED, "expired", True, "run out"),
    ("self-signed", SmtpFault.CERTIFICATE_UNTRUSTED, "self-signed", True, "of nobody"),
    ("plain", SmtpFault.NO_STARTTLS, "offers no STARTTLS", False, "no STARTTLS"),
    ("old-tls", SmtpFault.HANDSHAKE, "PROTOCOL", False, "TLS 1.0 alone"),
    ("broken-tls", SmtpFault.HANDSHAKE, "", False, "no TLS behind STARTTLS"),
    ("no-starttls-now", SmtpFault.STARTTLS_REFUSED, "454 4.7.0", False, "offered and put off"),
    ("busy", SmtpFault.BUSY, "421 4.3.2", False, "not now"),
    ("rejecting", SmtpFault.REJECTED, "554 5.7.1", False, "not from here"),
    ("silent", SmtpFault.TIMEOUT, "silent", False, "says nothing"),
    ("hanging-up", SmtpFault.CLOSED, "closed", False, "cuts the connection"),
]


@pytest.mark.parametrize(
    ("label", "fault", "part", "encrypts", "reason"), HOSTS, ids=[row[0] for row in HOSTS]
)
def test_a_host_of_each_kind(
    hosts: MailHosts,
    prober: StartTlsProber,
    label: str,
    fault: SmtpFault | None,
    part: str,
    encrypts: bool,
    reason: str,
) -> None:
    name = f"mx.{label}.partner.example"
    found = prober.probe(name, hosts.addresses[name])
    assert (found.fault, found.encrypts) == (fault, encrypts), reason
    assert part in found.detail
    assert (found.host, found.address, found.port) == (name, hosts.addresses[name], hosts.port)


def test_what_a_good_host_shows(hosts: MailHosts, prober: StartTlsProber) -> None:
    name = "mx.good.partner.example"
    found = prober.probe(name.upper(), hosts.addresses[name])  # names have no case
    assert (found.fault, found.tls_version, found.name_matches) == (None, "TLSv1.3", True)
    assert (found.banner, found.extensions) == (f"{name} ESMTP", ("STARTTLS", "8BITMIME"))
    assert found.certificate is not None
    assert (found.certificate.issuer, found.certificate.names) == ("exo-auth sandbox CA", (name,))
    assert found.certificate.not_after > datetime.now(UTC) + timedelta(days=20)


def test_a_certificate_that_does_not_count_is_shown_all_the_same(
    hosts: MailHosts, prober: StartTlsProber
) -> None:
    name = "mx.expired.partner.example"
    found = prober.probe(name, hosts.addresses[name])
    assert found.certificate is not None
    assert found.certificate.not_after < datetime.now(UTC)
    assert found.name_matches is True


def test_a_root_that_nobody_told_of_is_not_trusted(hosts: MailHosts) -> None:
    name = "mx.good.partner.example"
    found = StartTlsProber(port=hosts.port, timeout=1).probe(name, hosts.addresses[name])
    assert found.fault is SmtpFault.CERTIFICATE_UNTRUSTED


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = StartTlsProber(port=port, timeout=1).probe("mx.example", "127.0.0.1")
    assert found.fault is SmtpFault.CONNECT_REFUSED
    assert found.is_undecided


def test_a_full_queue_looks_like_a_firewall() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
        found = StartTlsProber(port=port, timeout=0.3).probe("mx.example", "127.0.0.1")
        for sock in waiting:
            sock.close()
    assert found.fault is SmtpFault.CONNECT_TIMEOUT


def test_an_address_that_is_none() -> None:
    assert StartTlsProber(timeout=1).probe("mx.example", "256.0.0.1").fault is SmtpFault.UNREACHABLE


# Scripted hosts

Start = Callable[[list[bytes]], int]


@pytest.fixture
def scripted() -> Iterator[Start]:
    """Give a host that says its first text at once, and one more for each thing it hears; then it hangs up."""
    closing: list[Callable[[], None]] = []

    def start(texts: list[bytes]) -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with suppress(OSError):
                client, _ = listening.accept()
                with client:
                    for text in texts:
                        client.sendall(text)
                        if not client.recv(4096):
                            return

        thread = threading.Thread(target=serve)
        thread.start()

        def close() -> None:
            listening.close()
            thread.join(timeout=10)

        closing.append(close)
        return int(listening.getsockname()[1])

    yield start
    for close in closing:
        close()


HELLO, EHLO = b"220 mx ESMTP\r\n", b"250-mx\r\n250 STARTTLS\r\n"
SCRIPTS = [  # what it says, fault, part of the detail, reason
    ([b"SSH-2.0-OpenSSH_9.6\r\n"], SmtpFault.PROTOCOL, "SSH-2.0", "it speaks something else"),
    ([b"22\r\n"], SmtpFault.PROTOCOL, "no reply", "half a code"),
    ([b"220xmx\r\n"], SmtpFault.PROTOCOL, "no reply", "no blank behind the code"),
    ([b"\xff\xfe\r\n"], SmtpFault.PROTOCOL, "no reply", "octets"),
    ([b"2" * 70000], SmtpFault.PROTOCOL, "a line without end", "a line without end"),
    ([b"220-mx\r\n" * 101], SmtpFault.PROTOCOL, "more than 100 lines", "a reply without end"),
    ([b"220 mx"], SmtpFault.TIMEOUT, "silent", "a line that does not end"),
    ([b"220\r\n", b"500 what?\r\n"], SmtpFault.NO_STARTTLS, "500 what?", "it knows no EHLO"),
    ([HELLO, b"421 4.3.2 closing\r\n"], SmtpFault.BUSY, "421", "it puts off at EHLO"),
    ([HELLO, b"250 STARTTLS\r\n"], SmtpFault.NO_STARTTLS, "", "its name is no offer"),
    ([HELLO, b"250-mx\r\n250-\r\n250 size 1\r\n"], SmtpFault.NO_STARTTLS, "", "other offers"),
    ([b"220-mx\r\n220-rules\r\n220 ESMTP\r\n", EHLO, b"501 5.5.4 no\r\n"], SmtpFault.STARTTLS_REFUSED, "501", "refused"),
    ([HELLO, b"250-mx\n250 starttls\n", b"503 no\n"], SmtpFault.STARTTLS_REFUSED, "503", "bare LF, lower case"),
    ([HELLO, EHLO, b"220 go\r\n250 injected\r\n"], SmtpFault.PROTOCOL, "in the clear", "more than it should say"),
    ([HELLO, EHLO], SmtpFault.CLOSED, "closed", "it hangs up at STARTTLS"),
    ([HELLO, EHLO, b"220 go\r\n"], SmtpFault.HANDSHAKE, "", "it hangs up in the handshake"),
    ([HELLO, EHLO, b"220 go\r\n", b"220 what?\r\n"], SmtpFault.HANDSHAKE, "WRONG_VERSION", "it does not speak TLS"),
    ([HELLO, EHLO, b"220 go\r\n", b""], SmtpFault.TIMEOUT, "handshake", "it is silent in the handshake"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "fault", "part", "reason"), SCRIPTS, ids=[row[3] for row in SCRIPTS])
def test_a_host_that_breaks_the_protocol(
    scripted: Start, texts: list[bytes], fault: SmtpFault, part: str, reason: str
) -> None:
    found = StartTlsProber(port=scripted(texts), timeout=0.5).probe("mx.example", "127.0.0.1")
    assert found.fault is fault, reason
    assert part in found.detail
    assert len(found.detail) <= 300
    assert not found.encrypts


def test_all_steps_together_have_a_limit(scripted: Start) -> None:
    readings = iter(range(0, 1000, 20))  # every look at the clock costs 20 s
    port = scripted([HELLO, EHLO, b"220 go\r\n"])
    prober = StartTlsProber(port=port, timeout=5, total=50, clock=lambda: float(next(readings)))
    found = prober.probe("mx.example", "127.0.0.1")
    assert (found.fault, found.detail) == (SmtpFault.TIMEOUT, "the time for all steps ran out")


# Many at once


class Watched(StartTlsProber):
    """Counts how many probes of one host, and of all, are under way at the same time."""

    def __init__(self) -> None:
        super().__init__(port=1, timeout=0.1)
        self._lock = threading.Lock()
        self._under_way: list[str] = []
        self._first_two = [threading.Barrier(2)] * 2  # they meet, so that there was a moment with both
        self.most = 0
        self.most_of_a_host = 0

    def probe(self, host: str, address: str) -> SmtpProbe:
        with self._lock:
            self._under_way.append(host)
            self.most = max(self.most, len(self._under_way))
            self.most_of_a_host = max(self.most_of_a_host, self._under_way.count(host))
            barrier = self._first_two.pop() if self._first_two else None
        if barrier is not None:
            barrier.wait(timeout=10)
        with self._lock:
            self._under_way.remove(host)
        return SmtpProbe(host, address, self.port)


def test_many_hosts_are_probed_politely_and_answered_in_order() -> None:
    targets = [(f"mx{number % 12}.example", f"192.0.2.{number}") for number in range(36)]
    watched = Watched()
    found = asyncio.run(probe_all(watched, targets))
    assert [(one.host, one.address) for one in found] == targets
    assert watched.most_of_a_host == 1
    assert 1 < watched.most <= 8


def test_a_probe_says_whether_it_decided_anything() -> None:
    probe = SmtpProbe("mx", "192.0.2.1", 25)
    undecided = {fault for fault in SmtpFault if replace(probe, fault=fault).is_undecided}
    assert {fault.value for fault in set(SmtpFault) - undecided} == {
        "protocol",
        "no-starttls",
        "starttls-refused",
        "handshake",
        "certificate-name",
        "certificate-expired",
        "certificate-untrusted",
    }


def test_files_are_private(certificates: Certificates) -> None:
    for file in certificates.mail_files.values():
        assert Path(file).stat().st_mode & 0o077 == 0
