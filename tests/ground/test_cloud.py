import pytest

from exo_auth.cloud import CHINA, CLOUDS, DOD, GCC_HIGH, WORLDWIDE, cloud_named, custom_cloud
from exo_auth.errors import InputError, RecordSyntaxError


@pytest.mark.parametrize(
    ("name", "cloud"),
    [("worldwide", WORLDWIDE), ("GCC", WORLDWIDE), ("gcchigh", GCC_HIGH), ("dod", DOD), ("china", CHINA)],
)
def test_clouds_are_found_by_name(name: str, cloud: object) -> None:
    assert cloud_named(name) is cloud


def test_an_unknown_cloud_lists_the_known() -> None:
    with pytest.raises(InputError) as caught:
        cloud_named("mars")
    assert "gcchigh" in (caught.value.hint or "")


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=lambda cloud: cloud.name)
def test_every_cloud_is_https_and_asks_for_its_own_resource(cloud: object) -> None:
    assert cloud.authority.startswith("https://")  # type: ignore[attr-defined]
    assert cloud.exchange_url.startswith("https://")  # type: ignore[attr-defined]
    assert cloud.scope.endswith("/.default")  # type: ignore[attr-defined]
    assert not cloud.is_sandbox  # type: ignore[attr-defined]


CUSTOM = [  # authority, exchange, CA, is it a sandbox, is instance discovery on, reason
    (None, None, None, False, True, "nothing given: the cloud itself"),
    ("https://127.0.0.1:4443", "https://127.0.0.1:4443", "ca.pem", True, False, "a sandbox"),
    ("https://login.example", "https://[::1]:1", None, True, False, "an IPv6 sandbox"),
    (None, "https://localhost", None, True, True, "a sandbox by name"),
    (None, None, "proxy.pem", False, True, "a proxy's root"),
]


@pytest.mark.parametrize(
    ("authority", "exchange", "ca", "sandbox", "discovery", "reason"), CUSTOM, ids=[r[5] for r in CUSTOM]
)
def test_other_endpoints(
    authority: str | None, exchange: str | None, ca: str | None, sandbox: bool, discovery: bool, reason: str
) -> None:
    cloud = custom_cloud(WORLDWIDE, authority=authority, exchange_url=exchange, ca_file=ca)
    assert (cloud.is_sandbox, cloud.instance_discovery, cloud.ca_file) == (sandbox, discovery, ca), reason
    assert cloud.resource == (exchange or WORLDWIDE.resource), reason


def test_plain_http_is_refused() -> None:
    with pytest.raises(InputError, match="https://"):
        custom_cloud(WORLDWIDE, authority="http://login.example", exchange_url=None, ca_file=None)


def test_syntax_errors_are_compared_by_what_they_say() -> None:
    first = RecordSyntaxError("odd", position=3, expected="even")
    assert first == RecordSyntaxError("odd", position=3, expected="even")
    assert first != RecordSyntaxError("odd", position=4, expected="even")
    assert len({first, RecordSyntaxError("odd", position=3, expected="even")}) == 1
