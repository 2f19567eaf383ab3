"""What goes wrong with MTA-STS policy hosts, on request: in DNS, in the certificate, in the answer (sandbox)."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import timedelta

from exo_auth.sandbox.certificates import HostCertificate
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Response
from exo_auth.sandbox.zones import ZoneRecord

FORBIDDEN = '0 issue "digicert.com"'  # the sandbox's policy hosts have certificates of another authority
GONE = "deleted-app.azurestaticapps.invalid"
OTHER_SITE = "::1"  # where another site answers
LARGE = 64 * 1024 + 1  # octets: one more than a sender reads, RFC 8461 §3.3
PAGE = (
    b"<!doctype html><html><head><title>Oops</title></head><body><h1>This page is gone</h1></body></html>\n"
)
_BY_CERTIFICATE = {
    "policy-expired": HostCertificate(life=timedelta(days=-3)),
    "policy-wrong-name": HostCertificate(name="www.other.example"),
    "policy-untrusted": HostCertificate(self_signed=True),
}


def faulty_records(faults: Faults, name: str, rdtype: str) -> tuple[ZoneRecord, ...]:
    """Give the records that a fault puts at a policy host's name; () where none does."""
    if not name.startswith("mta-sts."):
        return ()
    if faults.take("policy-dangling", domain=name):
        return (ZoneRecord(name, "CNAME", (GONE,)),)
    if rdtype == "CAA" and faults.take("policy-caa", domain=name):
        return (ZoneRecord(name, "CAA", (FORBIDDEN,)),)
    if rdtype == "AAAA" and faults.take("policy-ipv6", domain=name):
        return (ZoneRecord(name, "AAAA", (OTHER_SITE,)),)
    return ()


def faulty_certificate(faults: Faults, host: str) -> HostCertificate:
    """Say what certificate a policy host shows."""
    found = (wanted for kind, wanted in _BY_CERTIFICATE.items() if faults.take(kind, domain=host))
    return next(found, HostCertificate())


def faulty_answer(faults: Faults, host: str, path: str, right: Response) -> Response:
    """Spoil the answer of a policy host as faults say."""
    take = faults.take
    if fault := take("policy-redirect", domain=host):
        domain = host.removeprefix("mta-sts.")
        elsewhere = f"https://{host if fault.value == 'https' else f'www.{domain}'}{path}"
        return Response(301, {"Location": fault.value if fault.value and "://" in fault.value else elsewhere})
    if take("policy-page", domain=host):
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
    if fault := take("policy-status", domain=host):
        return Response(int(fault.value or 404), {"Content-Type": "text/html"}, PAGE)
    if take("policy-reset", domain=host):
        return Response(200, hang_up=True)
    if take("policy-large", domain=host):
        return replace(right, body=right.body.ljust(LARGE, b"\n"))
    if take("policy-compressed", domain=host):
        headers = {**right.headers, "Content-Encoding": "gzip"}
        return replace(right, headers=headers, body=gzip.compress(right.body))
    if take("policy-syntax", domain=host):
        return replace(right, body=right.body.replace(b"mode:", b"mode :"))
    if fault := take("policy-type", domain=host):
        return replace(right, headers={"Content-Type": fault.value or "application/octet-stream"})
    if fault := take("policy-slow", domain=host):
        return replace(right, delay_seconds=float(fault.value or 15))
    return right
