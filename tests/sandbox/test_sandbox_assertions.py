"""Client assertions at the sandbox's token endpoint: the application's own, and those of another issuer."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from exo_auth.sandbox.entra import Entra, FederatedCredential, Registration
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request
from exo_auth.sandbox.principal import MANAGE_AS_APP, Principal

TENANT = "11111111-2222-3333-4444-555555555555"
BASE = "https://127.0.0.1:4443"
APP = "aaaaaaaa-0000-4000-8000-00000000000a"
OTHER_APP = "aaaaaaaa-0000-4000-8000-00000000000b"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

SIGNING = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY = rsa.generate_private_key(
    public_exponent=65537, key_size=2048
)  # the application's, and the other issuer's
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(key: rsa.RSAPrivateKey, begins: datetime, ends: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "application")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins)
    return builder.not_valid_after(ends).sign(key, hashes.SHA256())


DAY = timedelta(days=1)
GOOD = certificate(KEY, NOW - DAY, NOW + 30 * DAY)
EXPIRED = certificate(KEY, NOW - 30 * DAY, NOW - DAY)
UNKNOWN = certificate(KEY, NOW - DAY, NOW + 30 * DAY)  # the right key, but never registered


def pem(what: x509.Certificate | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    if isinstance(what, x509.Certificate):
        return what.public_bytes(Encoding.PEM).decode()
    return what.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, *, assertions_once: bool = True) -> Entra:
    federated = (
        FederatedCredential("https://issuer.example", "job:1", pem(KEY)),
        FederatedCredential("https://issuer.example", "job:1", pem(EC_KEY), audience="api://second"),
        FederatedCredential("self.example", "self.example", pem(KEY)),
    )
    registration = Registration(
        APP, certificates=(pem(GOOD), pem(EXPIRED)), federated=federated, roles=frozenset({MANAGE_AS_APP})
    )
    return Entra(
        TENANT,
        "contoso.onmicrosoft.com",
        BASE,
        (registration, Registration(OTHER_APP)),
        (),
        Faults(),
        real_clock=clock,
        key=SIGNING,
        assertions_once=assertions_once,
    )


@pytest.fixture
def entra(clock: Clock) -> Entra:
    return make(clock)


def signed_in(entra: Entra, assertion: str) -> Principal | int:
    """Show an assertion; give who the token speaks for, or the AADSTS number of the refusal."""
    form = {
        "client_id": APP,
        "grant_type": "client_credentials",
        "scope": "https://outlook.office365.com/.default",
        "client_assertion": assertion,
        "client_assertion_type": JWT_BEARER,
    }
    response = entra.handle(Request("POST", f"/{TENANT}/oauth2/v2.0/token", {}, {}, urlencode(form).encode()))
    assert response is not None
    answer = json.loads(response.body)
    if response.status != 200:
        (number,) = answer["error_codes"]
        assert isinstance(number, int)
        return number
    principal = entra.verify(answer["access_token"])
    assert isinstance(principal, Principal)
    return principal


WHO = Principal(TENANT, APP, roles=frozenset({MANAGE_AS_APP}))


def thumbprint(cert: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(cert.fingerprint(algorithm)).decode().rstrip("=")


def headers_of(cert: x509.Certificate, form: str) -> dict[str, Any]:
    return {
        "x5t": {"x5t": thumbprint(cert, hashes.SHA1())},
        "x5t#S256": {"x5t#S256": thumbprint(cert, hashes.SHA256())},
        "x5c": {"x5c": [base64.b64encode(cert.public_bytes(Encoding.DER)).decode()]},
        "hex": {"x5t": cert.fingerprint(hashes.SHA1()).hex()},
        "rubbish": {"x5t": "é"},
        "empty chain": {"x5c": []},
        "rubbish chain": {"x5c": ["%"]},
        "none": {},
    }[form]


def own_claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "aud": f"{BASE}/{TENANT}/oauth2/v2.0/token",
        "iss": APP,
        "sub": APP,
        "jti": str(uuid.uuid4()),
        "nbf": NOW.timestamp(),
        "exp": NOW.timestamp() + 600,
        **changes,
    }
    return {name: value for name, value in claims.items() if value != "ABSENT"}


def own_assertion(
    form: str = "x5t#S256",
    algorithm: str = "PS256",
    cert: x509.Certificate = GOOD,
    key: Any = KEY,
    **changes: Any,
) -> str:
    return jwt.encode(own_claims(**changes), key, algorithm=algorithm, headers=headers_of(cert, form))


# Assertions with a certificate


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize("form", ["x5t", "x5t#S256", "x5c"])
def test_a_registered_certificate_signs_in(entra: Entra, form: str, algorithm: str) -> None:
    assert signed_in(entra, own_assertion(form, algorithm)) == WHO


@pytest.mark.parametrize("audience", [f"{BASE}/{TENANT}/v2.0", f"{BASE}/common/oauth2/v2.0/token"])
def test_an_assertion_may_be_for_the_issuer(entra: Entra, audience: str) -> None:
    assert signed_in(entra, own_assertion(aud=audience)) == WHO


ASSERTIONS: list[tuple[str, dict[str, Any], int]] = [
    ("certificate not registered", {"cert": UNKNOWN}, 700027),
    ("certificate expired", {"cert": EXPIRED}, 700027),
    ("no certificate named", {"form": "none"}, 700027),
    ("thumbprint in hex", {"form": "hex"}, 700027),  # the header field is base64url
    ("thumbprint of rubbish", {"form": "rubbish"}, 700027),
    ("empty chain", {"form": "empty chain"}, 700027),
    ("chain of rubbish", {"form": "rubbish chain"}, 700027),
    ("signed by another key", {"key": SIGNING}, 700027),
    ("signed with a curve", {"key": EC_KEY, "algorithm": "ES256"}, 700027),
    ("for another endpoint", {"aud": "https://login.example/token"}, 700021),
    ("for nobody", {"aud": "ABSENT"}, 700021),
    ("of another application", {"iss": OTHER_APP, "sub": OTHER_APP}, 700021),
    ("about another application", {"sub": OTHER_APP}, 700021),
    ("ended", {"exp": NOW.timestamp() - 301}, 700024),
    ("ends never", {"exp": "ABSENT"}, 700024),
    ("ends at a word", {"exp": "never"}, 700024),
    ("lives too long", {"exp": NOW.timestamp() + 25 * 3600}, 700024),
    ("begins later", {"nbf": NOW.timestamp() + 301}, 700024),
    ("without jti", {"jti": "ABSENT"}, 9002313),
]


@pytest.mark.parametrize(("what", "changes", "number"), ASSERTIONS, ids=[row[0] for row in ASSERTIONS])
def test_an_assertion_is_refused(entra: Entra, what: str, changes: dict[str, Any], number: int) -> None:
    assert signed_in(entra, own_assertion(**changes)) == number


def test_an_assertion_counts_once(entra: Entra, clock: Clock) -> None:
    assertion = own_assertion()
    assert signed_in(entra, assertion) == WHO
    assert signed_in(entra, assertion) == 9002313
    clock.now = NOW + timedelta(minutes=14)
    assert signed_in(entra, assertion) == 9002313


def test_assertions_may_be_let_count_again(clock: Clock) -> None:
    entra = make(clock, assertions_once=False)
    assertion = own_assertion()
    assert [signed_in(entra, assertion) for _ in range(2)] == [WHO, WHO]


# Assertions of another issuer


def federated_assertion(key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {
        "iss": "https://issuer.example",
        "sub": "job:1",
        "aud": "api://AzureADTokenExchange",
        "exp": NOW.timestamp() + 300,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value != "ABSENT"}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"x5t": "of-the-issuer"})


FEDERATED: list[tuple[str, dict[str, Any], int | None]] = [
    ("fits", {}, None),
    ("one of several audiences", {"aud": ["api://AzureADTokenExchange", "x"]}, None),
    ("second credential, another key", {"aud": "api://second", "key": EC_KEY, "algorithm": "ES256"}, None),
    ("issuer and subject the same", {"iss": "self.example", "sub": "self.example"}, None),
    ("another issuer", {"iss": "https://evil.example"}, 700211),
    ("issuer with a slash", {"iss": "https://issuer.example/"}, 700211),
    ("another subject", {"sub": "job:2"}, 700213),
    ("subject in other case", {"sub": "JOB:1"}, 700213),
    ("another audience", {"aud": "api://other"}, 700212),
    ("no audience", {"aud": "ABSENT"}, 700212),
    ("another key", {"key": SIGNING}, 70021),
    ("key of another kind", {"key": EC_KEY, "algorithm": "ES256"}, 70021),
    ("ended", {"exp": NOW.timestamp() - 301}, 700024),
    ("ends never", {"exp": "ABSENT"}, 700024),
]


@pytest.mark.parametrize(("what", "changes", "number"), FEDERATED, ids=[row[0] for row in FEDERATED])
def test_an_assertion_of_another_issuer(
    entra: Entra, what: str, changes: dict[str, Any], number: int | None
) -> None:
    assert signed_in(entra, federated_assertion(**changes)) == (number or WHO)


def test_an_assertion_of_another_issuer_may_come_again(entra: Entra) -> None:
    assertion = federated_assertion()  # a projected file is read many times
    assert [signed_in(entra, assertion) for _ in range(2)] == [WHO, WHO]
