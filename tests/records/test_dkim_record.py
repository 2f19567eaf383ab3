import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import key_text

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dkim
from exo_auth.records.dkim import DkimKeyRecord

KEY = key_text(7).split("p=")[1].rstrip(";")
SHORT = key_text(7, 1024).split("p=")[1].rstrip(";")

READ = [  # text, field, value, reason
    (f"v=DKIM1; k=rsa; p={KEY};", "key_size", 2048, "as Exchange Online publishes it"),
    (f"v=DKIM1; k=rsa; p={KEY};", "exponent", 65537, "the exponent comes out of the DER"),
    (f"p={SHORT}", "key_size", 1024, "v and k have defaults"),
    (f"p={SHORT}", "version", None, "an absent v stays absent"),
    (f"v=DKIM1;p={KEY[:100]} \t{KEY[100:]}", "key_size", 2048, "white space inside p is dropped"),
    ("v=DKIM1; p=", "is_revoked", True, "an empty p revokes"),
    ("v=DKIM1; p=", "key_size", None, "a revoked key has no size"),
    (f"v=DKIM1; t=y:s; p={KEY}", "is_testing", True, "t=y among other flags"),
    (f"v=DKIM1; t=s; p={KEY}", "is_testing", False, "t=s is no test"),
    (f"v=DKIM1; s=tlsrpt; p={KEY}", "serves_email", False, "RFC 8460 service only"),
    (f"v=DKIM1; s=email:other; p={KEY}", "serves_email", True, "unknown services are ignored"),
    (f"v=DKIM1; h=sha1:sha256; p={KEY}", "hashes", ("sha1", "sha256"), "a colon list"),
    (f"v=DKIM1; n=a note; p={KEY}", "note", "a note", "notes keep inner blanks"),
    (f"v=DKIM1; x=1; p={KEY}", "unknown", (("x", "1"),), "unknown tags are kept"),
    (
        "v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(range(32))).decode(),
        "key_size",
        256,
        "RFC 8463 §4.2",
    ),
    (
        "v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(range(32))).decode(),
        "exponent",
        None,
        "no RSA, no exponent",
    ),
]

REFUSED = [  # text, position, part of the message, reason
    (f"v=DKIM2; p={KEY}", 2, "v=DKIM2", "another version discards the record"),
    (f"k=rsa; v=DKIM1; p={KEY}", 9, "not the first", "v must come first"),
    ("v=DKIM1; k=rsa", 14, "no key", "p is required"),
    (f"v=DKIM1; k=dsa; p={KEY}", 11, "dsa", "an unknown type"),
    (f"v=DKIM1; p={KEY}; p={KEY}", 16 + len(KEY) - 1, "twice", "a duplicate tag voids the record"),
    (f"v=DKIM1; p={KEY[:250]}", 11 + 250, "cut off", "cut by a DNS panel at 255 characters"),
    (f"v=DKIM1; p={KEY[:248]}", 11 + 248, "octets are missing", "cut at a multiple of four"),
    ("v=DKIM1; p=MIIB*", 15, "“*”", "not base64"),
    ("v=DKIM1; p=-----BEGIN PUBLIC KEY-----", 11, "“-”", "PEM armour"),
    ("v=DKIM1; k=ed25519; p=AAAA", 22, "3 octets", "an Ed25519 key has 32 octets"),
    ("v=DKIM1;; p=", 8, "empty tag", "two semicolons"),
    ("", 0, "empty tag", "nothing at all"),
    ("v", 1, "has no value", "no equals sign"),
    ("1=a; p=", 0, "cannot begin a tag", "a tag begins with a letter"),
    ("v=DKIM1; n=caf\u00e9; p=", 14, "xe9", "bytes outside ASCII"),
    (f"v=DKIM1; h=sha256::x; p={KEY}", 18, "“”", "an empty word in a list"),
]


@pytest.mark.parametrize(("text", "field", "value", "reason"), READ, ids=[row[3] for row in READ])
def test_reads(text: str, field: str, value: object, reason: str) -> None:
    assert getattr(dkim.parse(text), field) == value, reason


@pytest.mark.parametrize(("text", "position", "part", "reason"), REFUSED, ids=[row[3] for row in REFUSED])
def test_refuses_at_the_place(text: str, position: int, part: str, reason: str) -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        dkim.parse(text)
    assert part in str(caught.value), reason
    assert caught.value.position == position, reason


@pytest.mark.parametrize(
    ("der", "part"),
    [
        ("3000", "ends too early"),
        ("30820122", "octets are missing"),
        ("3006020103020103ff", "follow the key"),
        ("3006020104020103", "not those of an RSA key"),
        ("3006020103020101", "not those of an RSA key"),
        ("3006020183020103", "negative"),
        ("3003020103", "ends too early"),
        ("30853000000000", "length is malformed"),
        ("300c300a06082a8648ce3d030107", "not an RSA key"),
        ("3000ff", "follow the key"),
    ],
)
def test_names_what_is_wrong_with_the_der(der: str, part: str) -> None:
    with pytest.raises(RecordSyntaxError, match=part):
        dkim.parse("p=" + base64.b64encode(bytes.fromhex(der)).decode())


def test_the_same_key_in_both_containers_is_the_same() -> None:
    whole = dkim.parse(key_text(7))
    rsa = whole.rsa_key
    assert rsa is not None
    modulus = rsa.modulus.to_bytes(257)
    inner = b"\x02\x82\x01\x01" + modulus + b"\x02\x03\x01\x00\x01"
    bare = b"\x30\x82" + len(inner).to_bytes(2) + inner
    other = dkim.parse("p=" + base64.b64encode(bare).decode())
    assert whole.same_key_as(other)
    assert not whole.same_key_as(dkim.parse(key_text(8)))
    assert whole.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("text", "answer", "reason"),
    [
        ("v=DKIM1; p=", True, "a key record"),
        ("V=dkim1", True, "a broken one gets a verdict, too"),
        ("k=rsa; p=MIIB", True, "without v"),
        ("v=spf1 -all", False, "another protocol"),
        ("v=DMARC1; p=none", False, "p alone does not make it one"),
        ("google-site-verification=x", False, "a token"),
    ],
)
def test_tells_key_records_from_others(text: str, answer: bool, reason: str) -> None:
    assert dkim.looks_like(text) is answer, reason


word = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
records = st.builds(
    DkimKeyRecord,
    public_key=st.one_of(
        st.just(b""),
        st.integers(1, 1 << 30).map(lambda seed: base64.b64decode(key_text(seed, 1024).split("p=")[1][:-1])),
    ),
    hashes=st.lists(word, max_size=3).map(tuple),
    services=st.lists(word, min_size=1, max_size=3).map(tuple),
    flags=st.lists(word, max_size=3).map(tuple),
    note=st.from_regex(r"([!-:<-~]([!-:<-~ ]{0,20}[!-:<-~])?)?", fullmatch=True),
    version=st.sampled_from(["DKIM1", None]),
    unknown=st.lists(st.tuples(st.sampled_from(["x", "y2"]), word), max_size=2, unique_by=lambda t: t[0]).map(
        tuple
    ),
)


@given(records)
def test_what_is_rendered_parses_to_the_same(record: DkimKeyRecord) -> None:
    assert dkim.parse(dkim.render(record)) == record


@given(st.text(alphabet=st.characters(max_codepoint=300), max_size=80))
def test_any_text_is_a_record_or_a_syntax_error(text: str) -> None:
    try:
        record = dkim.parse(text)
    except RecordSyntaxError as error:
        record, position = None, error.position
    else:
        position = 0
    assert 0 <= position <= len(text)
    assert record is None or dkim.parse(dkim.render(record)).public_key == record.public_key


@given(
    st.sampled_from([KEY, SHORT, KEY[:-4], KEY[:-1], "", "AAAA", "MIIBIjANBg=="]),
    st.sampled_from(["", ";", " ;"]),
    st.sampled_from([" ", "", "  "]),
)
def test_the_usual_form_is_read_as_any_other(key: str, end: str, gap: str) -> None:
    """A blank at the end changes nothing, and takes the road for what is not written as usual."""

    def outcome(text: str) -> object:
        try:
            return dkim.parse(text)
        except RecordSyntaxError as error:
            return error.reason, error.position

    text = f"v=DKIM1;{gap}k=rsa;{gap}p={key}{end}"
    assert outcome(text) == outcome(f"{text} ")
