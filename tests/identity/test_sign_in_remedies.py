from __future__ import annotations

from typing import Any

import pytest
from token_server import entra_error

from exo_auth.identity.sign_in_errors import Asker, is_transient, known_codes, refused

ASKER = Asker("the-client", "the-tenant", "https://login.example", "https://outlook.example", ("hush",))

REMEDIES = [  # code, part of message or hint
    (7000215, "not its id"),
    (7000222, "expired"),
    (700027, "thumbprint"),
    (700016, "https://login.example/the-tenant/adminconsent?client_id=the-client"),
    (65001, "adminconsent"),
    (50020, "GDAP"),
    (50177, "GDAP"),
    (700082, "sign in again"),
    (50173, "sign in again"),
    (70008, "sign in again"),
    (53003, "Conditional Access"),
    (50097, "Conditional Access"),
    (50158, "Conditional Access"),
    (50076, "second factor"),
    (90002, "the-tenant"),
    (900023, "the-tenant"),
    (9002313, "malformed"),
    (5000224, "Microsoft support"),
    (650051, "subscription"),
    (650052, "subscription"),
    (7000112, "Enterprise applications"),
    (90033, "in a few minutes"),
    (90024, "in a few minutes"),
    (50196, "loop"),
    (70021, "issuer, subject and audience"),
    (700211, "issuer, subject and audience"),
    (700213, "issuer, subject and audience"),
]


@pytest.mark.parametrize(("code", "part"), REMEDIES)
def test_each_code_has_its_own_remedy(code: int, part: str) -> None:
    error = refused(entra_error(code), ASKER)
    assert part in f"{error.message} {error.hint}"
    assert error.code == f"AADSTS{code}"
    assert f"AADSTS{code}" in error.message
    assert error.correlation_id == "99999999-8888-7777-6666-555555555555"


@pytest.mark.parametrize("code", known_codes())
def test_every_remedy_can_be_filled_in(code: int) -> None:
    error = refused({"error_codes": [code]}, ASKER)
    assert "{" not in f"{error.message} {error.hint}"


def test_only_the_transient_are_worth_another_try() -> None:
    transient = {code for code in known_codes() if is_transient(refused({"error_codes": [code]}, ASKER))}
    assert transient == {90033, 90024, 50196}


ODD: list[tuple[dict[str, Any], str, str, str]] = [  # answer, code, part of the message, reason
    ({}, "unknown_error", "unknown_error", "nothing at all"),
    ({"error": "odd"}, "odd", "odd", "a word nobody knows"),
    (entra_error(4711, text="Something."), "AADSTS4711", "Something.", "a code nobody knows"),
    ({"error_description": "AADSTS65001: x"}, "AADSTS65001", "no consent", "the code only in the text"),
    ({"error_codes": [1, 65001]}, "AADSTS65001", "no consent", "the known code before others"),
    ({"error_codes": "65001", "error": "e"}, "e", "e", "a list that is none"),
    ({"error": "authorization_declined"}, "authorization_declined", "declined", "RFC 8628"),
    ({"error": "x", "error_description": "a\x1b[31m\nb" + "y" * 999}, "x", "a [31m b", "control characters"),
    ({"error": "x", "error_description": "says hush loudly"}, "x", "says … loudly", "a secret"),
    ({"error": "x", "correlation_id": 5}, "x", "x", "an id that is a number"),
]


@pytest.mark.parametrize(("answer", "code", "part", "reason"), ODD, ids=[one[3] for one in ODD])
def test_odd_answers_are_told_all_the_same(answer: Any, code: str, part: str, reason: str) -> None:
    error = refused(answer, ASKER)
    assert error.code == code
    assert part in error.message
    assert len(error.message) < 500
    assert "Trace ID" not in error.message
