from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from token_server import TENANT, jwt_of

from exo_auth.cloud import WORLDWIDE
from exo_auth.errors import SignInError
from exo_auth.identity.claims import read_claims
from exo_auth.identity.credential import GivenToken
from exo_auth.identity.secrets import Secret
from exo_auth.identity.token_checks import checked_token, is_guid, spoken
from exo_auth.identity.token_source import token_source

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def given_source(text: str, tenant: str = TENANT) -> Any:
    return token_source(GivenToken(Secret(text)), WORLDWIDE, tenant, environment={}, clock=lambda: NOW)


def claims(**more: Any) -> dict[str, Any]:
    return {"tid": TENANT, "nbf": SECONDS - 60, "exp": SECONDS + 3600, **more}


GOOD = [  # claims, tenant, reason
    (claims(), TENANT, "all as it should be"),
    (claims(), TENANT.upper(), "GUIDs have no case"),
    (claims(), "contoso.com", "a domain cannot be compared"),
    (claims(exp=SECONDS + 300), TENANT, "five minutes are enough"),
    (claims(nbf=SECONDS + 300), TENANT, "clocks differ by minutes"),
    (claims(aud="https://outlook.office365.com"), TENANT, "Exchange's audience"),
    (claims(aud="00000002-0000-0ff1-ce00-000000000000"), TENANT, "… or by its id"),
    (claims(aud=["x"], nbf="soon", iat=True), TENANT, "claims of odd types are not believed"),
]
BAD = [  # claims, tenant, code, part of the message
    (claims(exp=SECONDS - 7200), TENANT, "expired_token", "2 h 0 min ago"),
    (claims(exp=SECONDS), TENANT, "expired_token", "expired"),
    (claims(exp=SECONDS + 299), TENANT, "expired_token", "4 min 59 s more"),
    (claims(nbf=SECONDS + 301), TENANT, "clock_skew", "5 min 1 s in the future"),
    (claims(iat=SECONDS + 86_400 * 3), TENANT, "clock_skew", "3 days 0 h"),
    (claims(tid="99999999-2222-3333-4444-555555555555"), TENANT, "wrong_tenant", "99999999"),
    (claims(aud="https://graph.microsoft.com/"), TENANT, "wrong_audience", "Microsoft Graph"),
]


@pytest.mark.parametrize(("said", "tenant", "reason"), GOOD, ids=[one[2] for one in GOOD])
def test_a_good_given_token_is_given(said: dict[str, Any], tenant: str, reason: str) -> None:
    assert given_source(jwt_of(**said), tenant).token().tenant_id == TENANT


@pytest.mark.parametrize(("said", "tenant", "code", "part"), BAD, ids=[f"{one[2]}: {one[3]}" for one in BAD])
def test_a_bad_given_token_is_told_why(said: dict[str, Any], tenant: str, code: str, part: str) -> None:
    text = jwt_of(**said)
    with pytest.raises(SignInError, match=part) as caught:
        given_source(text, tenant).token()
    assert caught.value.code == code
    assert caught.value.hint
    assert text not in f"{caught.value} {caught.value.hint}"


def test_a_given_token_cannot_be_renewed() -> None:
    source = given_source(jwt_of(**claims()))
    with pytest.raises(SignInError, match="cannot be renewed") as caught:
        source.token(renew=True)
    assert "outlook.office365.com" in str(caught.value.hint)
    with pytest.raises(SignInError, match="cannot be renewed"):
        source.token('{"access_token":{}}')


def test_an_opaque_token_is_given_as_it_is() -> None:
    token = given_source("opaque-text").token()
    assert (token.tenant_id, dict(token.claims)) == ("", {})
    assert token.expires_at > NOW


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_token_is_none(text: str) -> None:
    with pytest.raises(SignInError, match="empty"):
        given_source(text).token()


def test_what_the_issuer_says_counts_when_the_token_is_opaque() -> None:
    token = checked_token(Secret("opaque"), TENANT, NOW, life=timedelta(minutes=7))
    assert token.expires_at == NOW + timedelta(minutes=7)


@given(
    st.one_of(st.text(), st.lists(st.text(alphabet="abcXYZ019-_=é"), min_size=3, max_size=3).map(".".join))
)
def test_any_text_is_read_or_is_opaque(text: str) -> None:
    assert isinstance(read_claims(text), dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("exp", "nbf", "iat", "tid", "aud"), json_values)))
def test_claims_of_any_type_give_a_token_or_an_error_of_ours(said: dict[str, Any]) -> None:
    assert read_claims(jwt_of(**said)) == said
    with contextlib.suppress(SignInError):
        assert given_source(jwt_of(**said)).token().expires_at > NOW


def test_guids_and_spans() -> None:
    assert is_guid(TENANT)
    assert is_guid(TENANT.upper())
    assert not is_guid(TENANT + "0")
    assert not is_guid("contoso.com")
    spans = [(59, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min"), (172_800, "2 days 0 h")]
    assert [spoken(timedelta(seconds=seconds)) for seconds, _ in spans] == [text for _, text in spans]
