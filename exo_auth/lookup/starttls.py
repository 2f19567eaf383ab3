"""STARTTLS as a sending server meets it: banner, EHLO, STARTTLS, TLS with a verified certificate (lookup; I/O).

Nothing is ever mailed. Whatever goes wrong is in the value; nothing is raised. The certificate's chain is verified in
the handshake and its names after it, so that a certificate for another host can be shown. One that the handshake
refuses is fetched once more without trust, to say what it is; nothing is sent over that connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from exo_auth.facts.domain import Certificate
from exo_auth.facts.starttls import SmtpFault, SmtpProbe
from exo_auth.records.mta_sts_policy import matches

SMTP = 25
STEP_TIMEOUT = 10.0  # seconds for each step
TOTAL_TIMEOUT = 45.0  # seconds for all steps at one address
MOST_AT_ONCE = 8  # connections; of these one at a time to each host
MOST_LINES = 100  # of one reply
MOST_OCTETS = 64 * 1024  # of one reply
LONGEST_DETAIL = 300  # characters

_EXPIRED, _NOT_YET_VALID = 10, 9  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID


class StartTlsProber:
    """Asks mail hosts for TLS. Times are in seconds; `authorities` is a file of further trusted roots."""

    def __init__(
        self,
        *,
        port: int = SMTP,
        timeout: float = STEP_TIMEOUT,
        total: float = TOTAL_TIMEOUT,
        authorities: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port = port
        self._timeout = timeout
        self._total = total
        self._clock = clock
        self._verifying = _context(authorities, verifies=True)
        self._looking = _context(authorities, verifies=False)

    def probe(self, host: str, address: str) -> SmtpProbe:
        """Ask one address of a host; `host` is the name that the certificate must show."""
        deadline = self._clock() + self._total
        found = self._attempt(host, address, self._verifying, deadline)
        if found.fault in (SmtpFault.CERTIFICATE_EXPIRED, SmtpFault.CERTIFICATE_UNTRUSTED):
            seen = self._attempt(host, address, self._looking, deadline)
            return replace(
                found,
                tls_version=seen.tls_version,
                cipher=seen.cipher,
                certificate=seen.certificate,
                name_matches=seen.name_matches,
            )
        if found.fault is None and not found.name_matches:
            names = ", ".join(found.certificate.names if found.certificate else ()) or "no host"
            return replace(
                found, fault=SmtpFault.CERTIFICATE_NAME, detail=f"it names {names}"[:LONGEST_DETAIL]
            )
        return found

    def _attempt(self, host: str, address: str, context: ssl.SSLContext, deadline: float) -> SmtpProbe:
        probe = SmtpProbe(host, address, self.port)
        talk = _Talk(self._timeout, deadline, self._clock)
        try:
            talk.connect(address, self.port)
            probe = _greeted(talk, probe)
            return _secured(talk, probe, context)
        except _Ended as end:
            return replace(end.probe or probe, fault=end.fault, detail=end.detail[:LONGEST_DETAIL])
        finally:
            talk.close()


async def probe_all(prober: StartTlsProber, targets: Iterable[tuple[str, str]]) -> tuple[SmtpProbe, ...]:
    """Probe hosts at their addresses, in the order given; at most one connection at a time to each host."""
    wanted = list(targets)
    slots = asyncio.Semaphore(MOST_AT_ONCE)
    turns = {host: asyncio.Lock() for host, _ in wanted}

    async def one(host: str, address: str) -> SmtpProbe:
        async with turns[host], slots:
            return await asyncio.to_thread(prober.probe, host, address)

    return tuple(await asyncio.gather(*(one(host, address) for host, address in wanted)))


class _Ended(Exception):  # noqa: N818 - an end, not always an error
    """The way ended before a verified connection."""

    def __init__(self, fault: SmtpFault, detail: str, probe: SmtpProbe | None = None) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.probe = probe


@dataclass(frozen=True)
class _Reply:
    """One reply: its code and the texts of its lines. RFC 5321 §4.2."""

    code: int
    lines: tuple[str, ...]

    @property
    def told(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"

    def expect(self, kind: int, refused: SmtpFault) -> None:
        """End the way unless the code is of that kind: 4xx says not now, any other code `refused`."""
        if self.code // 100 == kind:
            return
        raise _Ended(SmtpFault.BUSY if self.code // 100 == 4 else refused, self.told)


class _Talk:
    """One connection, on which every step has its time limit and all together have one."""

    def __init__(self, timeout: float, deadline: float, clock: Callable[[], float]) -> None:
        self._timeout = timeout
        self._deadline = deadline
        self._clock = clock
        self._sock: socket.socket | None = None
        self._is_in_the_clear = True
        self._rest = b""

    def connect(self, address: str, port: int) -> None:
        try:
            self._sock = socket.create_connection((address, port), self._left())
        except TimeoutError:
            raise _Ended(SmtpFault.CONNECT_TIMEOUT, "no answer to the connection") from None
        except ConnectionRefusedError:
            raise _Ended(SmtpFault.CONNECT_REFUSED, "the connection is refused") from None
        except OSError as error:
            raise _Ended(SmtpFault.UNREACHABLE, error.strerror or str(error)) from None

    @property
    def own_name(self) -> str:
        """This machine as an address literal (RFC 5321 §4.1.3), which every machine has."""
        own = ipaddress.ip_address(str(self._socket.getsockname()[0]).partition("%")[0])
        return f"[{own}]" if own.version == 4 else f"[IPv6:{own}]"

    def ask(self, line: str) -> _Reply:
        """Send a command and read its reply."""
        self._guarded(lambda sock: sock.sendall(f"{line}\r\n".encode("ascii")))
        return self.reply()

    def reply(self) -> _Reply:
        """Read one reply with all its lines."""
        lines: list[str] = []
        while len(lines) < MOST_LINES:
            line = self._line()
            code, mark, text = line[:3], line[3:4], line[4:]
            if not (len(code) == 3 and code.isascii() and code.isdigit() and mark in ("", " ", "-")):
                raise _Ended(SmtpFault.PROTOCOL, f"no reply of SMTP: {line}")
            lines.append(text)
            if mark != "-":
                return _Reply(int(code), tuple(lines))
        raise _Ended(SmtpFault.PROTOCOL, f"a reply of more than {MOST_LINES} lines")

    def secure(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """Shake hands; errors of the handshake go up as they are."""
        if self._rest:  # RFC 3207 §4.2: what was said before TLS does not count, and nobody should say it
            raise _Ended(SmtpFault.PROTOCOL, "it goes on talking in the clear after STARTTLS")
        self._socket.settimeout(self._left())
        self._is_in_the_clear = False
        secured = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._sock = secured  # the plain one is detached
        secured.do_handshake()
        return secured

    def close(self) -> None:
        """Say good-bye where that can still be understood, and let go."""
        if self._sock is None:
            return
        with suppress(OSError):
            if self._is_in_the_clear:
                self._sock.sendall(b"QUIT\r\n")
        self._sock.close()

    @property
    def _socket(self) -> socket.socket:
        assert self._sock is not None  # noqa: S101 - connect() comes first
        return self._sock

    def _left(self) -> float:
        left = min(self._timeout, self._deadline - self._clock())
        if left <= 0:
            raise _Ended(SmtpFault.TIMEOUT, "the time for all steps ran out")
        return left

    def _line(self) -> str:
        while b"\n" not in self._rest:
            data = self._guarded(lambda sock: sock.recv(4096))
            if not data:
                raise _Ended(SmtpFault.CLOSED, "the connection was closed")
            self._rest += data
            if len(self._rest) > MOST_OCTETS:
                raise _Ended(SmtpFault.PROTOCOL, "a line without end")
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", errors="replace").rstrip("\r")

    def _guarded(self, step: Callable[[socket.socket], Any]) -> Any:
        self._socket.settimeout(self._left())
        try:
            return step(self._socket)
        except TimeoutError:
            raise _Ended(SmtpFault.TIMEOUT, "connected, and then silent") from None
        except OSError as error:
            raise _Ended(SmtpFault.CLOSED, error.strerror or str(error)) from None


def _greeted(talk: _Talk, probe: SmtpProbe) -> SmtpProbe:
    """Go as far as the offer of STARTTLS."""
    banner = talk.reply()
    probe = replace(probe, banner=" ".join(banner.lines)[:LONGEST_DETAIL])
    try:
        banner.expect(2, SmtpFault.REJECTED)
        hello = talk.ask(f"EHLO {talk.own_name}")
        hello.expect(2, SmtpFault.NO_STARTTLS)  # RFC 1869: a server that knows no EHLO has no extensions
    except _Ended as end:
        end.probe = end.probe or probe
        raise
    keywords = tuple(line.split(" ")[0].upper() for line in hello.lines[1:] if line.strip())
    return replace(probe, extensions=keywords)


def _secured(talk: _Talk, probe: SmtpProbe, context: ssl.SSLContext) -> SmtpProbe:
    """Ask for TLS and shake hands. RFC 3207 §4."""
    if "STARTTLS" not in probe.extensions:
        raise _Ended(SmtpFault.NO_STARTTLS, "EHLO offers no STARTTLS", probe)
    try:
        talk.ask("STARTTLS").expect(2, SmtpFault.STARTTLS_REFUSED)
        secured = talk.secure(context, probe.host)
    except _Ended as end:
        # A host that offers STARTTLS and puts it off has shown what it does to mail that must be encrypted.
        fault = SmtpFault.STARTTLS_REFUSED if end.fault is SmtpFault.BUSY else end.fault
        raise _Ended(fault, end.detail, probe) from None
    except ssl.SSLCertVerificationError as error:
        raise _Ended(_certificate_fault(error), error.verify_message, probe) from None
    except TimeoutError:
        raise _Ended(SmtpFault.TIMEOUT, "no end to the handshake", probe) from None
    except OSError as error:  # an SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise _Ended(SmtpFault.HANDSHAKE, str(reason), probe) from None
    with suppress(OSError):
        secured.sendall(b"QUIT\r\n")
    return _shown(secured, probe)


def _shown(secured: ssl.SSLSocket, probe: SmtpProbe) -> SmtpProbe:
    certificate = _certificate(secured.getpeercert(binary_form=True) or b"")
    cipher = secured.cipher()
    return replace(
        probe,
        tls_version=secured.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate=certificate,
        name_matches=None if certificate is None else _names(certificate, probe.host),
    )


def _names(certificate: Certificate, host: str) -> bool:
    """RFC 9525 §6.3: a wildcard stands for the whole left-most label, and for nothing else."""
    return any(matches(name.lower(), host.lower()) for name in certificate.names)


def _certificate(der: bytes) -> Certificate | None:
    """Read a certificate that nobody may have verified."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        read = x509.load_der_x509_certificate(der)
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = tuple(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        hosts = ()
    except ValueError:
        return None
    issuer = (
        *read.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME),
        *read.issuer.get_attributes_for_oid(NameOID.COMMON_NAME),
    )
    told = str(issuer[0].value) if issuer else ""
    return Certificate(read.not_valid_after_utc.astimezone(UTC), told, hosts)


def _context(authorities: str | None, *, verifies: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Exchange Online sends with no older one
    context.check_hostname = False  # the names are compared after the handshake
    # Python 3.13 asks for more than mail servers do, and more than many certificates of theirs have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if authorities:
        context.load_verify_locations(authorities)
    context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    return context


def _certificate_fault(error: ssl.SSLCertVerificationError) -> SmtpFault:
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return SmtpFault.CERTIFICATE_EXPIRED
    return SmtpFault.CERTIFICATE_UNTRUSTED
