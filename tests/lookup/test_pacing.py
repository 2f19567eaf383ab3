"""How fast questions may go, with the time passed in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.lookup.pacing import PUBLIC_RATE, TokenBucket, polite_rate


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket = TokenBucket(100.0, burst=0.05)
    waits = [bucket.take(7.0) for _ in range(8)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.01, 0.02, 0.03])


def test_a_pause_gives_no_more_than_one_burst() -> None:
    bucket = TokenBucket(100.0, burst=0.05)
    for now in (0.0, 1000.0):
        assert [bucket.take(now) > 1e-9 for _ in range(6)] == [False] * 5 + [True]


@given(st.floats(1, 5000), st.lists(st.floats(0, 0.05), min_size=1, max_size=300))
def test_no_second_sees_more_than_the_rate_and_one_burst(rate: float, pauses: list[float]) -> None:
    bucket, now, sent = TokenBucket(rate, burst=0.1), 0.0, []
    for pause in pauses:
        now += pause
        sent.append(now + bucket.take(now))
    assert sent == sorted(sent)
    for first, start in enumerate(sent):
        within = sum(start <= at <= start + 0.5 for at in sent[first:])
        assert within <= rate * (0.5 + 0.1) + 2


def test_a_rate_without_limit_never_waits() -> None:
    bucket = TokenBucket(math.inf)
    assert {bucket.take(0.0) for _ in range(1000)} == {0.0}


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="questions a second"):
        TokenBucket(rate)


@pytest.mark.parametrize(
    ("host", "rate", "reason"),
    [
        ("8.8.8.8", PUBLIC_RATE, "public"),
        ("2001:4860:4860:0:0:0:0:8844", PUBLIC_RATE, "public, written in full"),
        ("2620:fe::FE", PUBLIC_RATE, "public, in capitals"),
        ("192.0.2.53", None, "one's own"),
        ("127.0.0.1", None, "this machine"),
        ("fe80::1%eth0", None, "a neighbour, with its zone"),
        ("resolver.example", None, "no address"),
    ],
)
def test_whom_politeness_is_owed(host: str, rate: float | None, reason: str) -> None:
    assert polite_rate(host) == rate, reason
