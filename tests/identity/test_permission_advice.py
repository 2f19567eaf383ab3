from datetime import UTC, datetime

import pytest

from exo_auth.cloud import CHINA, CLOUDS, GCC_HIGH, WORLDWIDE
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.app_registration import setup_steps
from exo_auth.identity.permission_advice import (
    EXCHANGE_ADMINISTRATOR,
    MANAGE_AS_APP_ID,
    RESOURCE_APP_ID,
    advice,
    portal,
)
from exo_auth.identity.secrets import Secret

APP = {"idtyp": "app", "roles": ["Exchange.ManageAsApp"], "wids": [EXCHANGE_ADMINISTRATOR]}
USER = {
    "idtyp": "user",
    "upn": "admin@contoso.com",
    "scp": "Exchange.Manage",
    "wids": [EXCHANGE_ADMINISTRATOR],
}

CASES = [  # claims, parts that must be told, reason
    (APP, [], "everything is there"),
    (USER, [], "everything is there for a person"),
    (APP | {"roles": []}, [MANAGE_AS_APP_ID, RESOURCE_APP_ID, "consent"], "no permission"),
    (APP | {"wids": []}, [EXCHANGE_ADMINISTRATOR, "service principal"], "no role"),
    (APP | {"roles": [], "wids": []}, [MANAGE_AS_APP_ID, EXCHANGE_ADMINISTRATOR], "neither"),
    (USER | {"scp": "User.Read"}, ["Exchange.Manage"], "a person without the permission"),
    (USER | {"wids": []}, ["admin@contoso.com"], "a person without the role"),
    ({}, [], "an opaque token tells nothing"),
]


@pytest.mark.parametrize(("claims", "parts", "reason"), CASES, ids=[case[2] for case in CASES])
def test_what_is_missing_is_named_with_its_remedy(
    claims: dict[str, object], parts: list[str], reason: str
) -> None:
    told = advice(AccessToken(Secret("x"), datetime(2026, 11, 23, tzinfo=UTC), claims), WORLDWIDE)
    assert bool(told) is bool(parts), reason
    assert all(part in " ".join(told) for part in parts), reason


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=lambda cloud: cloud.name)
def test_the_steps_name_everything_and_the_clouds_own_pages(cloud: object) -> None:
    text = setup_steps(cloud, "contoso.onmicrosoft.com")  # type: ignore[arg-type]
    for part in (
        RESOURCE_APP_ID,
        MANAGE_AS_APP_ID,
        EXCHANGE_ADMINISTRATOR,
        "contoso.onmicrosoft.com",
        "{ id =",
    ):
        assert part in text


def test_clouds_have_pages_of_their_own() -> None:
    assert len({portal(WORLDWIDE), portal(GCC_HIGH), portal(CHINA)}) == 3
