import pytest
from scenes import accepted

from exo_auth.checks.domains import CHECKED_KINDS, DomainKind, classify
from exo_auth.errors import InputError
from exo_auth.plan.selection import choose, matching

ROWS = (
    accepted("contoso.com", is_default=True),
    accepted("marketing.contoso.com"),
    accepted("b\u00fccher.example"),
    accepted("contoso.onmicrosoft.com", is_initial=True),
    accepted("contoso.mail.onmicrosoft.com", is_coexistence=True),
    accepted("contoso.excl.cloud"),
    accepted("old.example", pending_removal=True),
    accepted("quiet.example", sending_disabled=True),
)
DOMAINS = classify(ROWS, ("onmicrosoft.com",))

KINDS = [
    ("contoso.com", DomainKind.CUSTOM, "a domain of their own"),
    ("marketing.contoso.com", DomainKind.SUBDOMAIN, "signs with a configuration of its own"),
    ("contoso.onmicrosoft.com", DomainKind.INITIAL, "Microsoft's zone"),
    ("contoso.mail.onmicrosoft.com", DomainKind.COEXISTENCE, "hybrid routing"),
    ("contoso.excl.cloud", DomainKind.VENDOR, "a vendor's zone"),
    ("old.example", DomainKind.LEAVING, "on its way out"),
    ("quiet.example", DomainKind.NOT_SENDING, "cannot send"),
]


@pytest.mark.parametrize(("text", "kind", "reason"), KINDS, ids=[row[2] for row in KINDS])
def test_kinds(text: str, kind: DomainKind, reason: str) -> None:
    (domain,) = [domain for domain in DOMAINS if domain.name.ascii == text]
    assert domain.kind is kind, reason
    assert domain.is_managed == (domain.note == ""), reason


CHOICES = [  # patterns, ignore, names, reason
    ((), (), ["contoso.com", "marketing.contoso.com", "xn--bcher-kva.example"], "all that are managed"),
    (("*",), (), ["contoso.com", "marketing.contoso.com", "xn--bcher-kva.example"], "the same, spelled out"),
    (("*.contoso.com",), (), ["marketing.contoso.com"], "a glob"),
    (("B\u00dcCHER.example",), (), ["xn--bcher-kva.example"], "a name as people write it"),
    (("b\u00fc*",), (), ["xn--bcher-kva.example"], "a glob as people write it"),
    (("contoso.onmicrosoft.com",), (), ["contoso.onmicrosoft.com"], "spelled out, so meant"),
    (("*",), ("*.example",), ["contoso.com", "marketing.contoso.com"], "ignored by configuration"),
    (("contoso.com", "con*"), (), ["contoso.com"], "each once"),
    (("all",), (), ["contoso.com", "marketing.contoso.com", "xn--bcher-kva.example"], "the word for all"),
    (("@quiet",), (), ["quiet.example"], "a tag's name means any accepted domain, as a name does"),
    (("tag:ring=1", "b*"), (), ["contoso.com", "xn--bcher-kva.example"], "the form that needs no quotes"),
    (("@wide",), (), ["marketing.contoso.com"], "a tag's glob takes managed domains; one may meet nothing"),
    (("all",), ("@wide",), ["contoso.com", "xn--bcher-kva.example"], "a tag can be ignored"),
]
TAGS = {
    "quiet": ("quiet.example",),
    "ring=1": ("contoso.com",),
    "wide": ("*.contoso.com", "*.nobody.test"),
    "slip": ("contosso.com",),
}


@pytest.mark.parametrize(("patterns", "ignore", "names", "reason"), CHOICES, ids=[row[3] for row in CHOICES])
def test_choices(patterns: tuple[str, ...], ignore: tuple[str, ...], names: list[str], reason: str) -> None:
    assert [name.ascii for name in choose(DOMAINS, patterns, ignore, TAGS)] == names, reason


WRONG = [
    ("contosso.com", "did you mean contoso.com?", "a slip"),
    ("zzz.test", "exo-auth domain list", "a stranger"),
    ("x*.org", "exo-auth domain list", "a glob that meets nothing"),
    ("@quit", "did you mean @quiet?", "a slip in a tag"),
    ("@zzz", "there are @quiet, @ring=1, @slip, @wide", "a tag that is none"),
    ("@slip", "did you mean contoso.com?", "a slip inside a tag: it would be left out for ever"),
]


@pytest.mark.parametrize(("text", "hint", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_a_wrong_name_is_an_error_with_a_hint(text: str, hint: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(DOMAINS, (text,), (), TAGS)
    assert hint in (caught.value.hint or ""), reason


def test_a_check_looks_at_domains_that_may_not_send_as_well() -> None:
    chosen = choose(DOMAINS, (), kinds=CHECKED_KINDS)
    assert {name.ascii for name in chosen} - {name.ascii for name in choose(DOMAINS, ())} == {"quiet.example"}


def test_a_tenant_without_managed_domains_has_nothing_to_do() -> None:
    assert choose(classify(ROWS[3:4], ("onmicrosoft.com",)), ()) == ()


FILTERS = [  # patterns, names, reason
    (("*.example",), ["quiet.example"], "a filter takes what it is given, managed or not"),
    (("*.nobody.test",), [], "a glob that meets nothing is no mistake here"),
    (("marketing.contoso.com",), [], "accepted, and not among those looked at"),
    (("@ring=1", "@quiet"), ["contoso.com", "quiet.example"], "tags"),
    (("all",), ["contoso.com", "quiet.example"], "all"),
]


@pytest.mark.parametrize(("patterns", "names", "reason"), FILTERS, ids=[row[2] for row in FILTERS])
def test_filters(patterns: tuple[str, ...], names: list[str], reason: str) -> None:
    looked_at = [domain.name for domain in DOMAINS if domain.name.ascii in ("contoso.com", "quiet.example")]
    assert sorted(name.ascii for name in matching(looked_at, DOMAINS, patterns, TAGS)) == names, reason


def test_an_exception_that_is_misspelled_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        matching([], DOMAINS, ("quite.example",))
    assert caught.value.hint == "did you mean quiet.example?"
