"""Messages signed in the test, judged over real sockets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dkim
import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from terminal import as_cron, in_process
from zone_server import ZoneServer

from exo_auth.checks.message import MessageVerdict
from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.records import dkim_signature
from exo_auth.render.message_text import message_text
from exo_auth.render.record_text import record_text
from exo_auth.render.schema import schema_text
from exo_auth.run.config import load
from exo_auth.run.message import check_message, read_message

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
NOW = datetime.now(UTC)
MAIL = (
    b"From: Ann <ann@author.test>\r\nTo: bob@other.test\r\nSubject: hello\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\nGood morning.\r\n"
)


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def record(key: rsa.RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
    return " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))


LINES = [
    f"s1._domainkey.author.test. 60 IN TXT {record(KEY)}",
    f"s1._domainkey.mail.author.test. 60 IN TXT {record(KEY)}",
    f"s1._domainkey.vendor.test. 60 IN TXT {record(KEY)}",
    f"small._domainkey.author.test. 60 IN TXT {record(SMALL)}",
    'gone._domainkey.author.test. 60 IN TXT "v=DKIM1; p="',
    '_dmarc.author.test. 60 IN TXT "v=DMARC1; p=reject; rua=mailto:d@author.test"',
    'author.test. 60 IN TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    '_dmarc.strict.test. 60 IN TXT "v=DMARC1; p=quarantine; adkim=s"',
    f"s1._domainkey.sub.strict.test. 60 IN TXT {record(KEY)}",
]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    server = ZoneServer(LINES)
    yield {"EXO_AUTH_NAMESERVER": f"{server.address[0]}:{server.address[1]}", "HOME": "/nonexistent"}
    server.close()


def signed(
    mail: bytes = MAIL,
    domain: str = "author.test",
    selector: str = "s1",
    key: rsa.RSAPrivateKey = KEY,
    **how: object,
) -> bytes:
    header: bytes = dkim.sign(mail, selector.encode(), domain.encode(), pem(key), **how)  # type: ignore[arg-type]
    return header + mail


def judged(environment: dict[str, str], mail: bytes, ip: str = "", mail_from: str = "") -> MessageVerdict:
    return check_message(
        load({}, environment=environment), mail, ip=ip, mail_from=mail_from, helo="h.test", now=NOW
    )


MESSAGES = [  # message, signature results, DMARC results of both models, reason
    (signed(), ["pass"], ["pass", "pass"], "all is well"),
    (signed(domain="mail.author.test"), ["pass"], ["pass", "pass"], "a subdomain is aligned, relaxed"),
    (signed(domain="vendor.test"), ["pass"], ["unknown", "unknown"], "a vendor's signature is not aligned"),
    (signed().replace(b"Good", b"Bad!"), ["fail"], ["unknown", "unknown"], "the body was changed"),
    (signed().replace(b"hello", b"howdy"), ["fail"], ["unknown", "unknown"], "the subject was changed"),
    (signed(selector="gone"), ["permerror"], ["unknown", "unknown"], "the key is revoked"),
    (signed(selector="none"), ["permerror"], ["unknown", "unknown"], "there is no key"),
    (signed(key=SMALL, selector="small"), ["pass"], ["pass", "pass"], "1024 bits are accepted"),
    (signed(signed(domain="vendor.test")), ["pass", "pass"], ["pass", "pass"], "one of two is aligned"),
    (
        b"DKIM-Signature: v=1; a=rsa-sha256\r\n" + signed(),
        ["permerror", "pass"],
        ["pass", "pass"],
        "a broken field beside a good one",
    ),
    (MAIL, [], ["unknown", "unknown"], "not signed at all"),
    (MAIL.replace(b"ann@author.test", b"ann"), [], ["none", "none"], "From without a domain"),
    (
        MAIL.replace(b"Ann <ann@author.test>", b"a@author.test, b@other.test"),
        [],
        ["none", "none"],
        "two authors of two domains",
    ),
    (
        signed(MAIL.replace(b"author.test", b"strict.test"), "sub.strict.test"),
        ["pass"],
        ["unknown", "unknown"],
        "strict alignment wants the same name",
    ),
]


@pytest.mark.parametrize(
    ("mail", "signatures", "models", "reason"), MESSAGES, ids=[row[3] for row in MESSAGES]
)
def test_messages(
    environment: dict[str, str], mail: bytes, signatures: list[str], models: list[str], reason: str
) -> None:
    verdict = judged(environment, mail)
    assert [one.result for one in verdict.signatures] == signatures, verdict
    assert [model.result for model in verdict.models] == models, reason
    stranger = judged(environment, mail, "198.51.100.1", "ann@author.test")  # whom SPF does not name
    known = ["fail" if model == "unknown" else model for model in models]
    assert [model.result for model in stranger.models] == known, reason
    jsonschema.validate(json.loads(message_text(verdict, "json")), json.loads(schema_text("message")))
    assert "DMARC" in message_text(verdict, "table")


def test_spf_alone_can_carry_a_message(environment: dict[str, str]) -> None:
    verdict = judged(environment, MAIL, "192.0.2.7", "ann@author.test")
    assert (verdict.spf_result, [m.result for m in verdict.models]) == ("pass", ["pass", "pass"])
    other = judged(environment, MAIL, "198.51.100.1", "ann@author.test")
    assert (other.spf_result, [m.result for m in other.models]) == ("fail", ["fail", "fail"])


def test_verifying_tells_of_signatures_alone(environment: dict[str, str], tmp_path: Path) -> None:
    for mail, end, code in (
        (signed(), "an aligned signature verifies", 0),
        (signed(domain="vendor.test"), "no aligned signature verifies", 3),
        (MAIL, "no aligned signature verifies", 3),
    ):
        (tmp_path / "mail.eml").write_bytes(mail)
        done = in_process("dkim", "verify", "--message", str(tmp_path / "mail.eml"), environment=environment)
        assert (done.code, done.out.splitlines()[-1]) == (code, end)
        assert "DMARC" not in done.out
        assert "SPF" not in done.out


def test_an_expired_signature_fails(environment: dict[str, str]) -> None:
    past = int((NOW - timedelta(days=1)).timestamp())
    mail = signed()
    head, _, rest = mail.partition(b"; bh=")
    verdict = judged(environment, head + f"; x={past}; bh=".encode() + rest)
    assert verdict.signatures[0].reason == "the signature has expired"


def test_a_failed_look_up_is_no_verdict() -> None:
    nobody = {"EXO_AUTH_NAMESERVER": "127.0.0.1:9", "HOME": "/nonexistent"}
    verdict = judged(nobody, signed())
    assert verdict.signatures[0].result == "temperror"
    assert [model.result for model in verdict.models] == ["temperror", "temperror"]


def test_the_receivers_word_is_compared(environment: dict[str, str]) -> None:
    field = b"Authentication-Results: mx.other.test; dkim=pass header.d=author.test; dmarc=fail; spf=none\r\n"
    verdict = judged(environment, field + signed())
    assert verdict.differences == ("dmarc: the receiver said fail, here it is pass",)


FORGED = b"Authentication-Results: mx.other.test; dmarc=fail\r\n"
BORDER = b"Authentication-Results: border.test; dkim=pass header.d=author.test; spf=none; dmarc=none\r\n"


def test_only_the_trusted_servers_word_counts(environment: dict[str, str]) -> None:
    mail = FORGED + BORDER + signed()
    settings = load({}, environment=environment)
    verdict = check_message(settings, mail, ip="", mail_from="", helo="", now=NOW, trust="BORDER.test")
    assert verdict.differences == ("dmarc: the receiver said none, here it is pass",)
    nobody = check_message(settings, mail, ip="", mail_from="", helo="", now=NOW, trust="else.test")
    assert (nobody.trusted_results, nobody.differences) == ("", ())


def test_the_envelope_is_read_from_the_border_servers_field(environment: dict[str, str]) -> None:
    field = (
        b"Received-SPF: Pass (border.test: domain of author.test designates 192.0.2.7)\r\n"
        b" receiver=border.test; client-ip=192.0.2.7; helo=out.author.test; pr=C\r\n"
        b"Return-Path: <ann@author.test>\r\n"
    )
    verdict = judged(environment, field + MAIL)
    assert (verdict.spf_result, verdict.envelope_source) == ("pass", "Received-SPF")
    assert "Received-SPF" in message_text(verdict, "table")
    assert judged(environment, b"Received-SPF: pass (no address)\r\n" + MAIL).spf_result == ""


def test_sealers_are_named(environment: dict[str, str]) -> None:
    seals = (
        b"ARC-Seal: i=2; a=rsa-sha256; cv=pass; d=second.test; s=s; b=AA\r\n"
        b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=first.test; s=s; b=AA\r\n"
    )
    verdict = judged(environment, seals + MAIL)
    assert verdict.arc_sealers == ("second.test", "first.test")
    assert "second.test" in message_text(verdict, "table")


def test_the_command(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "m.eml"
    file.write_bytes(signed().replace(b"\r\n", b"\n"))  # as a file on disk has it
    done = as_cron("message", "check", str(file), "-o", "json", environment=environment)
    assert done.code == 0, done
    assert json.loads(done.out)["dmarc"][0]["result"] == "pass"
    assert as_cron("dkim", "verify", "--message", str(file), environment=environment).code == 0
    file.write_bytes(MAIL)
    assert as_cron("dkim", "verify", "--message", str(file), environment=environment).code == 3
    for line, part in (
        (["/no/such"], "cannot be read"),
        (["/dev/null"], "is no message"),
        ([str(file), "--ip", "x"], "no IP"),
    ):
        bad = as_cron("message", "check", *line, environment=environment)
        assert (bad.code, part in bad.err) == (64, True), bad


def test_hostile_octets_are_a_verdict_not_a_trace(environment: dict[str, str]) -> None:
    for octets in (
        b"\xff:\x00\x1b[2J\r\n\r\n",
        b"From: \x1b]0;x\x07@author.test\r\nDKIM-Signature: \x00=\r\n\r\n",
    ):
        assert "\x1b" not in message_text(judged(environment, octets), "table")


SIGNATURE = "v=1; a=rsa-sha256; c=relaxed/simple; d=a.test; s=s1; h=From:To; bh=YQ==; b=Yg=="
BAD = [  # text, part, reason
    (SIGNATURE.replace("v=1", "v=2"), "v=2", "another version"),
    (SIGNATURE.replace("rsa-sha256", "md5"), "a=md5", "another algorithm"),
    (SIGNATURE.replace("d=a.test; ", ""), "no d=", "no domain"),
    (SIGNATURE.replace("Yg==", "Y"), "b=Y", "no base64"),
    (SIGNATURE.replace("relaxed/simple", "nofws"), "c=nofws", "another canonicalization"),
    (SIGNATURE + "; l=x", "l=x", "no number"),
    (SIGNATURE.replace("From:To", "From::To"), "h=From::To", "an empty name"),
]


@pytest.mark.parametrize(("text", "part", "reason"), BAD, ids=[row[2] for row in BAD])
def test_a_faulty_signature_is_refused(text: str, part: str, reason: str) -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        dkim_signature.parse(text)
    assert part in caught.value.message, reason
    assert "^" in record_text(f"DKIM-Signature: {text}", "table")


def test_a_signature_is_read_written_and_explained() -> None:
    parsed = dkim_signature.parse(f"DKIM-Signature: {SIGNATURE}; l=5; x=9; t=1; i=u@a.test")
    assert dkim_signature.parse(dkim_signature.render(parsed)) == parsed
    told = record_text(f"DKIM-Signature: {SIGNATURE}; l=5; x=9", "table")
    assert "s1._domainkey.a.test" in told
    assert "anybody can add text behind them" in told


@given(st.text(max_size=200))
def test_any_text_is_a_signature_or_a_syntax_error(text: str) -> None:
    for prefix in ("", "DKIM-Signature:", SIGNATURE + ";"):
        try:
            parsed = dkim_signature.parse(prefix + text)
        except RecordSyntaxError:
            continue
        assert dkim_signature.parse(dkim_signature.render(parsed)) == parsed


def test_an_enormous_message_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "big.eml"
    with file.open("wb") as opened:
        opened.truncate(51 * 1024 * 1024)
    with pytest.raises(InputError, match="larger than 50 MiB"):
        read_message(str(file))
