"""The MTA-STS policy file, fetched as a sending server would, from each address of its host (lookup; I/O).

RFC 8461 §3.3: status 200 alone counts, redirects are not followed, the certificate must name the host.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.domain import Certificate, FetchFault, PolicyFetch

WELL_KNOWN = "/.well-known/mta-sts.txt"
MOST_OCTETS = 64 * 1024  # RFC 8461 §3.3
HTTPS = 443

_EXPIRED, _WRONG_NAME = 10, 62  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_HOSTNAME_MISMATCH
_NOT_YET_VALID = 9


class PolicyHosts:
    """Fetches policies. `timeout` is in seconds for each step; `authorities` is a file of further trusted roots."""

    def __init__(self, *, timeout: float = 10, port: int = HTTPS, authorities: str | None = None) -> None:
        self._timeout = timeout
        self._port = port
        self._context = _context(authorities)
        self._authorities = authorities

    def fetch(self, domain: DomainName, address: str) -> PolicyFetch:
        """Fetch the policy of `domain` from one address; whatever goes wrong is in the value."""
        began = time.monotonic()
        fetched = self._fetch(f"mta-sts.{domain.ascii}", address)
        return replace(fetched, seconds=time.monotonic() - began)

    def _fetch(self, host: str, address: str) -> PolicyFetch:
        connection = _Connection(host, address, self._port, self._timeout, self._context)
        try:
            return _answer(connection, address)
        except ssl.SSLCertVerificationError as error:
            fault = _certificate_fault(error)
            shown = self._shown(host, address) if fault is FetchFault.CERTIFICATE_NAME else None
            return PolicyFetch(address, fault, error.verify_message, certificate=shown)
        except ssl.SSLError as error:
            return PolicyFetch(address, FetchFault.TLS, error.reason or str(error))
        except OSError as error:
            return PolicyFetch(address, *self._silence(error, is_connected=connection.is_connected))
        except http.client.HTTPException as error:
            return PolicyFetch(
                address, FetchFault.PROTOCOL, f"no HTTP answer: {str(error) or type(error).__name__}"[:200]
            )
        finally:
            connection.close()

    def _silence(self, error: OSError, *, is_connected: bool) -> tuple[FetchFault, str]:
        """Tell a host that ends the connection from a way to it that does not begin here."""
        if isinstance(error, TimeoutError):
            fault = FetchFault.TIMEOUT if is_connected else FetchFault.CONNECT_TIMEOUT
            return fault, f"no answer within {self._timeout:g} s"
        is_hosts = is_connected or isinstance(error, ConnectionError)  # refused, reset, aborted
        return FetchFault.CONNECT if is_hosts else FetchFault.UNREACHABLE, error.strerror or str(error)

    def _shown(self, host: str, address: str) -> Certificate | None:
        """Look whose certificate it is that does not name the host: shake hands once more, and send nothing."""
        context = _context(self._authorities)
        context.check_hostname = False  # the chain is verified still
        connection = _Connection(host, address, self._port, self._timeout, context)
        try:
            connection.connect()
            return _certificate(connection.certificate)
        except OSError:
            return None
        finally:
            connection.close()


def _context(authorities: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8461 §7.2
    if authorities:
        context.load_verify_locations(authorities)
    return context


class _Connection(http.client.HTTPSConnection):
    """A connection to one address that asks for, and verifies, another name."""

    def __init__(self, host: str, address: str, port: int, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._address = address
        self._tls = context
        self.certificate: dict[str, Any] = {}
        self.version = ""
        self.is_connected = False

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.is_connected = True
        try:
            secured = self._tls.wrap_socket(plain, server_hostname=self.host)  # SNI, RFC 8461 §7.1
        except BaseException:
            plain.close()
            raise
        self.certificate = secured.getpeercert() or {}
        self.version = secured.version() or ""
        self.sock = secured


def _answer(connection: _Connection, address: str) -> PolicyFetch:
    connection.request("GET", WELL_KNOWN, headers={"Accept": "text/plain", "Cache-Control": "no-cache"})
    response = connection.getresponse()
    certificate = _certificate(connection.certificate)
    body = response.read(MOST_OCTETS + 1)
    fault, detail = None, ""
    if 300 <= response.status < 400:
        fault, detail = FetchFault.REDIRECT, response.getheader("Location", "")[:200]
    elif response.status != http.client.OK:
        fault, detail = FetchFault.STATUS, f"status {response.status}"
    elif len(body) > MOST_OCTETS:
        fault, detail = FetchFault.TOO_LARGE, f"more than {MOST_OCTETS} octets"
    return PolicyFetch(
        address,
        fault,
        detail,
        response.status,
        response.getheader("Content-Type", "").partition(";")[0].strip().lower(),
        response.getheader("Content-Encoding", "").strip().lower(),
        body[:MOST_OCTETS],
        certificate,
        tls=connection.version,
    )


def _certificate(shown: dict[str, Any]) -> Certificate | None:
    if not shown:
        return None
    issuer = {key: value for part in shown.get("issuer", ()) for key, value in part}
    return Certificate(
        datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC),
        issuer.get("organizationName", issuer.get("commonName", "")),
        tuple(value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"),
    )


def _certificate_fault(error: ssl.SSLCertVerificationError) -> FetchFault:
    if error.verify_code == _WRONG_NAME:
        return FetchFault.CERTIFICATE_NAME
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return FetchFault.CERTIFICATE_EXPIRED
    return FetchFault.CERTIFICATE_UNTRUSTED
