"""Applications sign in through the real MSAL against a real TLS server."""

from __future__ import annotations

import json
import pickle
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from token_server import APP, DOMAIN, TENANT, Reply, TokenServer, entra_error

from exo_auth.cloud import Cloud, custom_cloud
from exo_auth.errors import InputError, SignInError
from exo_auth.identity.certificate import MadeCertificate
from exo_auth.identity.credential import Certificate, ClientSecret
from exo_auth.identity.http_session import SignInSession
from exo_auth.identity.secrets import Secret
from exo_auth.identity.token_source import token_source

VALUE = "the-secret-value~0123456789"
SECRET = ClientSecret(APP, Secret(VALUE))
CHALLENGE = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'


@pytest.fixture
def source(cloud: Cloud, http: SignInSession) -> Any:
    return token_source(SECRET, cloud, TENANT, http=http, environment={})


def test_a_secret_gives_a_token_whose_claims_are_read(entra: TokenServer, source: Any) -> None:
    token = source.token()
    assert (token.tenant_id, token.is_app_only, token.roles) == (TENANT, True, ("Exchange.ManageAsApp",))
    form = entra.tokens_asked()[0].form
    assert form["client_secret"] == VALUE
    assert form["scope"] == "https://outlook.office365.com/.default"
    assert entra.asked[0].headers["user-agent"].startswith("exo-auth/")


def test_nothing_is_asked_before_the_first_token(entra: TokenServer, source: Any) -> None:
    assert entra.asked == []


def test_the_second_token_comes_from_the_cache(entra: TokenServer, source: Any) -> None:
    assert source.token().text == source.token().text
    assert len(entra.tokens_asked()) == 1


def test_renew_really_fetches_a_new_token(entra: TokenServer, source: Any) -> None:
    old = source.token()
    new = source.token(renew=True)
    assert new.text != old.text
    assert len(entra.tokens_asked()) == 2
    assert source.token().text == new.text  # and it replaces the old one


def test_a_claims_challenge_reaches_the_wire_and_passes_the_cache(entra: TokenServer, source: Any) -> None:
    source.token()
    source.token(CHALLENGE, renew=True)
    sent = json.loads(entra.tokens_asked()[1].form["claims"])
    assert sent["access_token"]["nbf"] == {"essential": True, "value": "1700000000"}


def test_a_domain_stands_for_the_tenant_that_discovery_names(
    cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    source = token_source(SECRET, cloud, DOMAIN, http=http, environment={})
    assert source.token().tenant_id == TENANT
    entra.claims = {"tid": "99999999-2222-3333-4444-555555555555"}
    with pytest.raises(SignInError, match="99999999") as caught:
        source.token(renew=True)
    assert caught.value.code == "wrong_tenant"


def test_another_tenants_token_is_refused(entra: TokenServer, source: Any) -> None:
    entra.claims = {"tid": "99999999-2222-3333-4444-555555555555"}
    with pytest.raises(SignInError) as caught:
        source.token()
    assert caught.value.code == "wrong_tenant"


def test_a_slow_clock_is_named_with_the_skew(cloud: Cloud, http: SignInSession, entra: TokenServer) -> None:
    def behind() -> datetime:
        return datetime.now(UTC) - timedelta(hours=2)

    source = token_source(SECRET, cloud, TENANT, http=http, environment={}, clock=behind)
    with pytest.raises(SignInError, match=r"(2 h 0|1 h 59) min in the future") as caught:
        source.token()
    assert caught.value.code == "clock_skew"


def test_a_fast_clock_is_named(cloud: Cloud, http: SignInSession, entra: TokenServer) -> None:
    def ahead() -> datetime:
        return datetime.now(UTC) + timedelta(hours=3)

    source = token_source(SECRET, cloud, TENANT, http=http, environment={}, clock=ahead)
    with pytest.raises(SignInError) as caught:
        source.token()
    assert "clock is ahead" in str(caught.value.hint)


def test_a_refusal_becomes_an_error_with_code_correlation_and_remedy(entra: TokenServer, source: Any) -> None:
    entra.script.append(Reply(401, entra_error(7000215)))
    with pytest.raises(SignInError) as caught:
        source.token()
    error = caught.value
    assert (error.code, error.correlation_id) == ("AADSTS7000215", "99999999-8888-7777-6666-555555555555")
    assert "not its id" in str(error.hint)
    assert error.exit_code == 10


def test_what_the_administrator_repairs_works_at_the_next_question(entra: TokenServer, source: Any) -> None:
    # MSAL by itself repeats a 400 from memory for a minute
    entra.script.append(Reply(400, entra_error(700016)))
    with pytest.raises(SignInError):
        source.token()
    assert source.token().tenant_id == TENANT


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (entra_error(7000215, text=f"The secret {VALUE} is wrong."), "an endpoint that repeats the secret"),
        (entra_error(4711, text=f"Odd {VALUE}."), "an unknown code"),
        ({"error": VALUE, "error_description": "x"}, "the error word itself"),
    ],
)
def test_no_error_shows_the_secret(entra: TokenServer, source: Any, document: Any, reason: str) -> None:
    entra.script.append(Reply(401, document))
    with pytest.raises(SignInError) as caught:
        source.token()
    error = caught.value
    whole = f"{error!r} {error} {error.hint} {error.code} {''.join(traceback.format_exception(error))}"
    assert VALUE not in whole, reason


def test_neither_credential_nor_token_shows_itself(source: Any) -> None:
    token = source.token()
    assert VALUE not in f"{SECRET!r} {SECRET}"
    assert token.text.reveal() not in f"{token!r} {token}"
    with pytest.raises(TypeError):
        pickle.dumps(token.text)


WIRE_FAULTS = [  # reply, code, reason
    (Reply(500, b"<html>"), "server_error", "a gateway page"),
    (Reply(200, b"<html>captive portal</html>"), "not_understood", "no JSON"),
    (Reply(200, [1]), "not_understood", "JSON, but a list"),
    (Reply(200, {}), "unknown_error", "neither token nor error"),
    (Reply(200, {"access_token": 5, "expires_in": 5}), "unknown_error", "a token that is a number"),
    (
        Reply(307, {}, {"Location": "https://elsewhere.invalid/"}),
        "unknown_error",
        "a redirect is not followed",
    ),
]


@pytest.mark.parametrize(("reply", "code", "reason"), WIRE_FAULTS, ids=[one[2] for one in WIRE_FAULTS])
def test_a_broken_answer_is_an_error_of_ours(
    entra: TokenServer, source: Any, reply: Reply, code: str, reason: str
) -> None:
    entra.script.append(reply)
    with pytest.raises(SignInError) as caught:
        source.token()
    assert caught.value.code == code, reason


def test_a_passing_failure_is_tried_again(cloud: Cloud, entra: TokenServer) -> None:
    entra.script.append(Reply(503, b""))
    source = token_source(SECRET, cloud, TENANT, environment={})
    assert source.token().tenant_id == TENANT
    assert len(entra.tokens_asked()) == 2


DISCOVERY_FAULTS = [
    (Reply(400, entra_error(90002, "invalid_tenant")), "AADSTS90002", "unknown tenant"),
    (Reply(404, b"nothing here"), "AADSTS90002", "a bare 404"),
    (Reply(200, b"<html>"), "not_understood", "a captive portal"),
    (Reply(200, {}), "not_understood", "no endpoints"),
    (Reply(502, b""), "server_error", "a gateway"),
]


@pytest.mark.parametrize(
    ("reply", "code", "reason"), DISCOVERY_FAULTS, ids=[one[2] for one in DISCOVERY_FAULTS]
)
def test_discovery_that_fails_is_an_error_of_ours(
    entra: TokenServer, source: Any, reply: Reply, code: str, reason: str
) -> None:
    entra.discovery = reply
    with pytest.raises(SignInError) as caught:
        source.token()
    assert caught.value.code == code, reason


def test_an_authority_that_is_not_there_is_named_by_its_host(cloud: Cloud) -> None:
    nowhere = custom_cloud(cloud, authority="https://127.0.0.1:1", exchange_url=None, ca_file=cloud.ca_file)
    http = SignInSession(cloud.ca_file, retries=0)
    with pytest.raises(SignInError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        token_source(SECRET, nowhere, TENANT, http=http, environment={}).token()
    assert caught.value.code == "network"


def test_a_stranger_in_tls_is_not_told_the_secret(cloud: Cloud, entra: TokenServer) -> None:
    http = SignInSession(None, retries=0)  # the platform's roots do not know this server
    with pytest.raises(SignInError, match="not trusted") as caught:
        token_source(SECRET, cloud, TENANT, http=http, environment={}).token()
    assert caught.value.code == "tls"
    assert entra.asked == []


def test_a_root_that_is_not_there_is_told(cloud: Cloud, tmp_path: Path) -> None:
    http = SignInSession(str(tmp_path / "none.pem"), retries=0)
    with pytest.raises(SignInError, match=r"none\.pem"):
        token_source(SECRET, cloud, TENANT, http=http, environment={}).token()


def test_neither_a_bundle_variable_nor_netrc_interferes(
    cloud: Cloud, entra: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    token_source(SECRET, cloud, TENANT, environment={}).token()
    assert all("authorization" not in one.headers for one in entra.asked)


@pytest.mark.parametrize("tenant", ["", "a/b", "a b", "contoso.com?x", "-x", "x" * 300])
def test_what_cannot_be_a_tenant_is_refused_before_it_is_asked(cloud: Cloud, tenant: str) -> None:
    with pytest.raises(InputError):
        token_source(SECRET, cloud, tenant, environment={})


# Certificates


def signed_by(entra: TokenServer, made: MadeCertificate) -> tuple[dict[str, Any], dict[str, Any]]:
    """Verify the assertion that arrived with the certificate's key; give header and claims."""
    assertion = entra.tokens_asked()[0].form["client_assertion"]
    certificate = x509.load_der_x509_certificate(made.public_file.read_bytes())
    audience = f"{entra.url}/{TENANT}/oauth2/v2.0/token"
    key: Any = certificate.public_key()
    claims = jwt.decode(assertion, key, algorithms=["PS256", "RS256"], audience=audience)
    return jwt.get_unverified_header(assertion), claims


def pfx_of(made: MadeCertificate, passphrase: bytes | None, path: Path) -> Path:
    content = made.private_file.read_bytes()
    key: Any = serialization.load_pem_private_key(content, None)
    protection: Any = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    certificate = x509.load_pem_x509_certificate(content)
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, protection))
    return path


def encrypted_pem_of(made: MadeCertificate, passphrase: bytes, path: Path, form: str) -> Path:
    content = made.private_file.read_bytes()
    key = serialization.load_pem_private_key(content, None)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        getattr(serialization.PrivateFormat, form),
        serialization.BestAvailableEncryption(passphrase),
    )
    public = x509.load_pem_x509_certificate(content).public_bytes(serialization.Encoding.PEM)
    path.write_bytes(public + secret)  # in the order many tools write it
    return path


@pytest.mark.parametrize(
    ("form", "passphrase"),
    [("pem", None), ("pkcs8", "geheim"), ("pkcs1", "geheim"), ("pfx", None), ("pfx", "pässword")],
)
def test_a_certificate_signs_in_whatever_its_file(
    form: str,
    passphrase: str | None,
    made: MadeCertificate,
    cloud: Cloud,
    http: SignInSession,
    entra: TokenServer,
    tmp_path: Path,
) -> None:
    word = passphrase.encode() if passphrase else None
    files = {
        "pem": lambda: made.private_file,
        "pkcs8": lambda: encrypted_pem_of(made, word or b"", tmp_path / "k.pem", "PKCS8"),
        "pkcs1": lambda: encrypted_pem_of(made, word or b"", tmp_path / "k.pem", "TraditionalOpenSSL"),
        "pfx": lambda: pfx_of(made, word, tmp_path / "k.pfx"),
    }
    credential = Certificate(APP, files[form](), Secret(passphrase) if passphrase else None)
    token_source(credential, cloud, TENANT, http=http, environment={}).token()
    header, claims = signed_by(entra, made)
    assert (header["alg"], len(header["x5c"])) == ("PS256", 1)
    assert claims["iss"] == claims["sub"] == APP


def test_thumbprint_only_is_the_older_header(
    made: MadeCertificate, cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    credential = Certificate(APP, made.private_file, thumbprint_only=True)
    token_source(credential, cloud, TENANT, http=http, environment={}).token()
    header, _ = signed_by(entra, made)
    certificate = x509.load_der_x509_certificate(made.public_file.read_bytes())
    assert header["alg"] == "RS256"
    assert jwt.utils.base64url_decode(header["x5t"]) == certificate.fingerprint(hashes.SHA1())
    assert "x5c" not in header


def test_a_replaced_certificate_file_is_read_after_a_refusal(
    made: MadeCertificate, cloud: Cloud, http: SignInSession, entra: TokenServer, tmp_path: Path
) -> None:
    path = tmp_path / "app.pem"
    source = token_source(Certificate(APP, path), cloud, TENANT, http=http, environment={})
    with pytest.raises(SignInError, match="cannot be read"):
        source.token()
    path.write_bytes(made.private_file.read_bytes())
    assert source.token().tenant_id == TENANT
