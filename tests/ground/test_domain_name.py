from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError

READ = [  # text, ascii, reason
    ("contoso.com", "contoso.com", "as it is"),
    ("Contoso.COM", "contoso.com", "case is nothing"),
    ("contoso.com.", "contoso.com", "one final dot is allowed"),
    ("  contoso.com\n", "contoso.com", "white space around it"),
    ("b\u00fccher.example", "xn--bcher-kva.example", "as people write it"),
    ("B\u00dcCHER.example", "xn--bcher-kva.example", "... in capitals"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example", "as the wire has it"),
    ("contoso\u3002com", "contoso.com", "an ideographic full stop"),
    ("fa\u00df.example", "xn--fa-hia.example", "IDNA 2008 keeps the sharp s"),
    ("a-b.c1.example", "a-b.c1.example", "hyphens and digits"),
]
REFUSED = [  # text, position, part of the message, reason
    ("", 0, "empty", "nothing"),
    ("   ", 0, "empty", "only white space"),
    ("b%d.com", 1, "“%” at character 2", "a character that is none"),
    ("con toso.com", 3, "“ ” at character 4", "a blank inside"),
    ("contoso..com", 8, "empty label at character 9", "two dots"),
    (".contoso.com", 0, "empty label at character 1", "a dot at the beginning"),
    ("-a.com", 0, "begins or ends with a hyphen", "a hyphen first"),
    ("a-.com", 1, "begins or ends with a hyphen", "a hyphen last"),
    ("_dmarc.contoso.com", 0, "“_” at character 1", "an underscore in a mail domain"),
    ("*.contoso.com", 0, "“*” at character 1", "a glob where a name belongs"),
    (f"{'a' * 64}.com", 0, "64 characters", "a label too long"),
    (".".join(["a" * 60] * 5), 253, "at most 253", "a name too long"),
    ("xn--a\u00fc.com", 5, "not a domain name", "half an A-label"),
    ("xn--zzzzzz99999.com", 0, "not a domain name", "an A-label of nothing"),
    ("\u2603\u0301\u200d.com", 0, "not a domain name", "what IDNA does not allow"),
]


@pytest.mark.parametrize(("text", "ascii_form", "reason"), READ, ids=[row[2] for row in READ])
def test_reads(text: str, ascii_form: str, reason: str) -> None:
    assert DomainName.parse(text).ascii == ascii_form, reason


@pytest.mark.parametrize(("text", "position", "part", "reason"), REFUSED, ids=[row[3] for row in REFUSED])
def test_refuses_at_the_place(text: str, position: int, part: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        DomainName.parse(text)
    assert part in caught.value.message, reason
    assert caught.value.position == position, reason


def test_a_lookup_name_may_have_underscores_and_a_star() -> None:
    assert DomainName.parse_lookup("*._domainkey.Contoso.com").ascii == "*._domainkey.contoso.com"
    assert DomainName.parse("contoso.com").child("_dmarc").ascii == "_dmarc.contoso.com"


def test_relations() -> None:
    name = DomainName.parse("mail.contoso.com")
    assert name.labels == ("mail", "contoso", "com")
    assert name.parent == DomainName.parse("contoso.com")
    assert DomainName("com").parent is None
    assert name.is_within(DomainName.parse("contoso.com"))
    assert name.is_within(name)
    assert not DomainName.parse("notcontoso.com").is_within(DomainName.parse("contoso.com"))
    assert str(name) == "mail.contoso.com"


def test_people_see_unicode_and_what_does_not_decode_stays() -> None:
    assert DomainName.parse("xn--bcher-kva.example").unicode == "b\u00fccher.example"
    assert DomainName("xn--zzzzzz99999.example").unicode == "xn--zzzzzz99999.example"


label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda text: text[2:4] != "--"
)


@given(st.lists(label, min_size=1, max_size=6).map(".".join))
def test_what_was_read_reads_to_the_same(text: str) -> None:
    name = DomainName.parse(text)
    assert DomainName.parse(name.ascii) == name
    assert DomainName.parse(name.unicode) == name


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_an_input_error(text: str) -> None:
    try:
        name = DomainName.parse_lookup(text)
    except InputError as error:
        name, position = None, error.position or 0
    else:
        position = 0
    assert 0 <= position <= max(len(text), 253)
    assert name is None or name.ascii == name.ascii.lower()


@given(st.text(alphabet="ab1-._*XN", max_size=12) | st.text(alphabet="axn-", min_size=60, max_size=70))
def test_a_plain_name_is_read_as_any_other(text: str) -> None:
    """A blank in front changes nothing but the position, and takes the road for what is not plain."""

    def outcome(read: Callable[[str], DomainName], typed: str) -> object:
        try:
            return read(typed)
        except InputError as error:
            return type(error)

    for read in (DomainName.parse, DomainName.parse_lookup):
        assert outcome(read, text) == outcome(read, f" {text}")
