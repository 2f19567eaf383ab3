"""A short run of the fuzzer, and that it would tell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fuzz import MESSAGES, Target, fuzz, main, targets

from exo_auth.lookup.wire import parse_message


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_nothing_but_its_own_error_comes_out(target: Target) -> None:
    wrong = fuzz(target, seed=20, count=10_000, seconds=2.0)
    assert wrong is None, wrong and wrong.octets.hex()


def test_every_grammar_is_a_target() -> None:
    assert {"dns message", "dkim", "dmarc", "spf"} <= {target.name for target in targets()}


def test_what_comes_out_is_told() -> None:
    wrong = fuzz(Target("one", lambda octets: octets[200], [b"seed"]), seed=1, count=1000)
    assert wrong is not None
    assert "IndexError" in wrong.what
    assert len(wrong.octets) <= 200


def test_the_counts_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["0.4"]) == 0
    assert capsys.readouterr().out.count("strings, the slowest took") == len(targets())


def test_the_messages_to_damage_are_whole() -> None:
    assert [len(parse_message(octets).answers) for octets in MESSAGES[::2] + MESSAGES[3:]] == [2, 2, 2]
    assert len(parse_message(MESSAGES[1]).answers) == 2
