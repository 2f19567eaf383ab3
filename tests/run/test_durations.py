"""Durations: what is read, what is refused and where, and that both directions agree."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import InputError
from exo_auth.run.durations import LONGEST, parse_duration, render_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("180d", timedelta(days=180)),
        ("96h", timedelta(hours=96)),
        ("30m", timedelta(minutes=30)),
        ("4d12h", timedelta(days=4, hours=12)),
        ("2w", timedelta(days=14)),
        ("1w1d1h1m1s", timedelta(days=8, hours=1, minutes=1, seconds=1)),
        ("0s", timedelta(0)),
        (" 5m ", timedelta(minutes=5)),  # blanks around it come from shells and files
        ("007d", timedelta(days=7)),
        ("0" * 30 + "7d", timedelta(days=7)),
    ],
)
def test_a_duration_is_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "fragment"),
    [
        ("", 0, "is empty"),
        ("   ", 0, "is empty"),
        ("180", 3, "a unit is expected"),  # days or seconds? nobody guesses
        ("d", 0, "a number is expected"),
        ("-4d", 0, "a number is expected"),
        ("4d 12h", 2, "a number is expected"),
        ("1.5h", 1, "a unit is expected"),
        ("4days", 1, "“days” is not a unit"),
        ("4D", 1, "“D” is not a unit"),
        ("6mo", 1, "“mo” is not a unit"),  # months differ in length
        ("12h4d", 4, "after a smaller or equal unit"),
        ("4d4d", 3, "after a smaller or equal unit"),
        (" 4x", 2, "at character 3"),
        ("٣d", 0, "a number is expected"),  # digits are ASCII
        ("36501d", 0, "longer than a century"),
        ("9" * 5000 + "s", 0, "longer than a century"),
    ],
)
def test_a_wrong_duration_is_refused_at_its_position(text: str, position: int, fragment: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(text)
    assert caught.value.position == position
    assert fragment in caught.value.message
    assert caught.value.hint == "write it like 180d, 96h, 30m or 4d12h"


@given(st.integers(min_value=0, max_value=int(LONGEST.total_seconds())))
def test_what_is_written_reads_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(render_duration(duration)) == duration


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_within_itself(text: str) -> None:
    position: int | None = 0
    try:
        assert timedelta(0) <= parse_duration(text) <= LONGEST
    except InputError as refused:
        position = refused.position
    assert position is not None
    assert 0 <= position <= len(text)
