"""The signed messages of RFC 6376 Appendix A.2 and RFC 8463 Appendix A.3, their keys served by a real Knot or BIND 9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bind_primary import BIND, bind_primary
from knot_primary import KNOT, knot_primary
from terminal import in_process

from exo_auth.checks.message import SignatureVerdict
from exo_auth.run.config import load
from exo_auth.run.message import check_message

VECTORS = Path(__file__).parent.parent / "vectors"
STANDARD = VECTORS / "rfc6376-a2.eml"
BOTH_ALGORITHMS = VECTORS / "rfc8463-a3.eml"

BRISBANE = (  # RFC 6376 Appendix C
    '"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ" "KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"'
    ' "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v" "/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"'
    ' "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"'
)
ED25519 = '"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="'  # RFC 8463 Appendix A.2
RSA = (
    '"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"'
    ' "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"'
    ' "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3" "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"'
)
DMARC = '_dmarc.example.com. 60 IN TXT "v=DMARC1; p=reject; rua=mailto:d@example.com"'


def published(brisbane: str = BRISBANE, ed25519: str = ED25519, rsa: str = RSA) -> list[str]:
    keys = {
        "brisbane._domainkey.example.com": brisbane,
        "brisbane._domainkey.football.example.com": ed25519,
        "test._domainkey.football.example.com": rsa,
    }
    return [DMARC, *(f"{name}. 60 IN TXT {text}" for name, text in keys.items() if text)]


@contextmanager
def served(kind: str, folder: Path, lines: list[str]) -> Iterator[dict[str, str]]:
    serve, program = {"knot": (knot_primary, KNOT), "bind": (bind_primary, BIND)}[kind]
    if program is None:
        pytest.skip(f"{kind} is not installed (Debian packages knot and bind9)")
    with serve(folder, "example.com", lines, {"com": []}) as primary:
        host, port = primary.address
        yield {"EXO_AUTH_NAMESERVER": f"{host}:{port}", "HOME": str(folder)}


@pytest.fixture(scope="module", params=["knot", "bind"])
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    with served(request.param, tmp_path_factory.mktemp("zone"), published()) as found:
        yield found


PASSING = [  # message, domain, (algorithm, canonicalization, bits) of each signature
    (STANDARD, "example.com", [("rsa-sha256", "simple/simple", 1024)]),
    (
        BOTH_ALGORITHMS,
        "football.example.com",
        [("ed25519-sha256", "relaxed/relaxed", 256), ("rsa-sha256", "relaxed/relaxed", 1024)],
    ),
]


@pytest.mark.parametrize(("file", "domain", "signatures"), PASSING, ids=["RFC 6376 A.2", "RFC 8463 A.3"])
def test_the_signed_message_of_the_standard_passes(
    file: Path, domain: str, signatures: list[tuple[str, str, int]], environment: dict[str, str]
) -> None:
    for words in (["message", "check", str(file)], ["dkim", "verify", "--message", str(file)]):
        done = in_process(*words, "-o", "json", environment=environment)
        assert done.code == 0, done
        document = json.loads(done.out)
        assert [
            (one["result"], one["domain"], one["algorithm"], one["canonicalization"], one["key_size"])
            for one in document["signatures"]
        ] == [("pass", domain, *how) for how in signatures]
        assert {one["result"] for one in document["dmarc"]} == {"pass"}


@pytest.mark.parametrize("file", [STANDARD, BOTH_ALGORITHMS], ids=["RFC 6376 A.2", "RFC 8463 A.3"])
@pytest.mark.parametrize(
    ("old", "new"),
    [(b"hungry", b"thirsty"), (b"dinner", b"supper"), (b"11 Jul 2003 21:00", b"11 Jul 2003 22:00")],
    ids=["another body", "another subject", "another date"],
)
def test_a_message_that_was_touched_fails(
    file: Path, old: bytes, new: bytes, environment: dict[str, str], tmp_path: Path
) -> None:
    touched = tmp_path / "touched.eml"
    touched.write_bytes(file.read_bytes().replace(old, new))
    done = in_process("dkim", "verify", "--message", str(touched), "-o", "json", environment=environment)
    assert done.code == 3
    assert {one["result"] for one in json.loads(done.out)["signatures"]} == {"fail"}


KEYS = [  # what is published otherwise, result, reason or note of the ed25519 signature
    ({"ed25519": ""}, "permerror", "there is no key"),
    ({"ed25519": '"v=DKIM1; k=ed25519; p="'}, "permerror", "the key is revoked"),
    ({"ed25519": RSA}, "permerror", "but the key is of type rsa"),
    ({"ed25519": ED25519.replace("k=", "h=sha1; k=")}, "permerror", "the key is for sha1 alone"),
    ({"ed25519": ED25519.replace("k=", "s=tlsrpt; k=")}, "permerror", "the key is not for mail"),
    ({"ed25519": ED25519.replace("11qY", "22qY")}, "fail", "does not fit the message"),
    ({"ed25519": ED25519.replace("k=", "t=s; k=")}, "pass", "the signature verifies"),
    ({"ed25519": ED25519.replace("k=", "t=y; k=")}, "pass", "the owner tests"),
]


@pytest.mark.parametrize(("changes", "result", "part"), KEYS, ids=[row[2] for row in KEYS])
def test_a_key_that_does_not_allow_it_is_never_used(
    changes: dict[str, str], result: str, part: str, tmp_path: Path
) -> None:
    with served("knot", tmp_path / "zone", published(**changes)) as environment:
        done = in_process("message", "check", str(BOTH_ALGORITHMS), "-o", "json", environment=environment)
    first, second = json.loads(done.out)["signatures"]
    assert first["result"] == result
    assert part in " ".join([first["reason"], *first["notes"]])
    assert (second["result"], second["notes"]) == (
        "pass",
        ["the key has 1024 bits; 2048 are advised (RFC 8301 §3.2)"],
    )


def first_signature(environment: dict[str, str], octets: bytes) -> SignatureVerdict:
    from datetime import UTC, datetime

    verdict = check_message(
        load({}, environment=environment), octets, ip="", mail_from="", helo="", now=datetime.now(UTC)
    )
    return verdict.signatures[0]


FIELDS = [  # old, new, result, reason
    (b"i=joe@football.example.com", b"i=joe@other.example", "permerror", "which is not below example.com"),
    (b"h=Received : From :", b"h=Received :", "permerror", "From is not signed"),
    (b"a=rsa-sha256", b"a=rsa-sha1", "policy", "rsa-sha1 must not be used"),
    (b"q=dns/txt;", b"q=dns/txt; x=1528637909;", "fail", "the signature has expired"),
]


@pytest.mark.parametrize(("old", "new", "result", "part"), FIELDS, ids=[row[3] for row in FIELDS])
def test_a_field_that_the_standard_forbids_is_refused(
    old: bytes, new: bytes, result: str, part: str, environment: dict[str, str]
) -> None:
    seen = first_signature(environment, STANDARD.read_bytes().replace(old, new))
    assert (seen.result, part in seen.reason) == (result, True), seen


def test_a_key_for_one_domain_alone_refuses_its_subdomains(tmp_path: Path) -> None:
    strict = BRISBANE.replace("v=DKIM1; p=", "v=DKIM1; t=s; p=")
    with served("knot", tmp_path / "zone", published(brisbane=strict)) as environment:
        seen = first_signature(environment, STANDARD.read_bytes())
    assert (seen.result, "t=s" in seen.reason) == ("permerror", True), seen


def test_a_verified_signature_whose_alignment_is_unknown_is_no_failure(tmp_path: Path) -> None:
    """The walk from d=example.com needs _dmarc.com, which this server refuses."""
    serve = knot_primary if KNOT is not None else bind_primary
    if KNOT is None and BIND is None:
        pytest.skip("neither knot nor bind9 is installed")
    with serve(tmp_path / "zone", "example.com", published()) as primary:
        host, port = primary.address
        environment = {"EXO_AUTH_NAMESERVER": f"{host}:{port}", "HOME": str(tmp_path)}
        done = in_process("dkim", "verify", "--message", str(STANDARD), "-o", "json", environment=environment)
    (signature,) = json.loads(done.out)["signatures"]
    assert (done.code, signature["result"], signature["aligned_rfc9989"]) == (6, "pass", None)


def test_without_dns_there_is_no_verdict() -> None:
    nobody = {"EXO_AUTH_NAMESERVER": "127.0.0.1:9", "HOME": "/nonexistent"}
    assert in_process("message", "check", str(STANDARD), environment=nobody).code == 6
    assert in_process("dkim", "verify", "--message", str(STANDARD), environment=nobody).code == 6
