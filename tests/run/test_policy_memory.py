"""What is kept about an MTA-STS policy: which was asked for, since when it stands, and how long others are remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.records.mta_sts_id import id_of
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy
from exo_auth.run.policy_memory import PolicyMemory

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OLD = MtaStsPolicy(Mode.ENFORCE, ("old.example",), 604_800)
BOTH = MtaStsPolicy(Mode.TESTING, ("old.example", "new.example"), 86_400)
RECORD = ("v=STSv1; id=20261101000000;",)


@pytest.fixture
def memory(tmp_path: Path) -> PolicyMemory:
    return PolicyMemory.of(tmp_path, DomainName("contoso.com"))


def test_the_longest_age_counts_from_the_first_look_at_the_new_policy(memory: PolicyMemory) -> None:
    memory.expect(RECORD, id_of(BOTH), OLD)
    assert memory.forgotten(BOTH) is None, "it does not stand yet"
    week = NOW + timedelta(days=7)
    assert memory.stands(BOTH, NOW) == week, "the age of the policy before, not its own"
    assert memory.stands(BOTH, NOW + timedelta(days=1)) == week, "the first look counts"
    assert memory.forgotten(BOTH) == week
    assert memory.forgotten(OLD) is None, "of another policy nothing is known"


def test_a_shorter_age_in_between_does_not_make_the_long_one_forgotten(memory: PolicyMemory) -> None:
    short = MtaStsPolicy(Mode.TESTING, ("old.example",), 3600)
    memory.expect(RECORD, id_of(short), OLD)
    memory.expect(RECORD, id_of(BOTH), short)
    assert memory.stands(BOTH, NOW) == NOW + timedelta(seconds=OLD.max_age)


def test_a_policy_that_nobody_asked_for_counts_by_its_own_age(memory: PolicyMemory) -> None:
    assert memory.stands(BOTH, NOW) == NOW + timedelta(seconds=BOTH.max_age)


SPOILT = [
    ("[]", "no mapping"),
    ("{", "half of one"),
    ('{"id": 3, "since": 4, "max_age": "x"}', "other kinds"),
    (f'{{"id": "{id_of(BOTH)}", "since": "yesterday"}}', "no time"),
]


@pytest.mark.parametrize(("text", "reason"), SPOILT, ids=[row[1] for row in SPOILT])
def test_a_spoilt_note_is_none(memory: PolicyMemory, text: str, reason: str) -> None:
    memory.path.parent.mkdir()
    memory.path.write_text(text, encoding="utf-8")
    assert memory.forgotten(BOTH) is None, reason
    assert memory.is_stale(RECORD, id_of(BOTH)) is False
    assert memory.stands(BOTH, NOW) == NOW + timedelta(days=1)


def test_an_id_of_others_is_stale_once_another_file_was_asked_for(memory: PolicyMemory) -> None:
    assert not memory.is_stale(RECORD, id_of(BOTH))
    memory.expect(RECORD, id_of(BOTH), OLD)
    assert memory.is_stale(RECORD, id_of(BOTH))
    memory.stands(BOTH, NOW)
    assert memory.is_stale(RECORD, id_of(BOTH)), "what was noted stays"
    assert memory.is_stale((f"v=STSv1; id={id_of(OLD)};",), id_of(BOTH)), "a digest tells by itself"
    assert memory.is_stale((), id_of(BOTH))
