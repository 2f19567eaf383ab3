"""Reads and DNS go beside the writes of one tenant, and its writes one at a time: told by the sandbox's own log."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from bench import Bench

from exo_auth.plan.outcome import Result
from exo_auth.sandbox.admin_api import LoggedRequest
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

ROTATE = "Rotate-DkimSigningConfig"
DUE = 12


MANY = 50


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Bench]:
    with Sandbox(SandboxOptions(domains(DUE))) as box:
        yield before(box, tmp_path)


def domains(due: int) -> tuple[DomainSpec, ...]:
    initial = DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True)
    return (initial, *(DomainSpec(f"d{number:02}.example") for number in range(due)))


def before(box: Sandbox, state: Path) -> Bench:
    bench = Bench(box, state)
    bench.environment |= {"EXO_AUTH_MAX_SHARE": "100%", "EXO_AUTH_MAX_CHANGES": str(MANY)}
    bench.environment["EXO_AUTH_DNS_TIMEOUT"] = (
        "30s"  # what is asked about so many may wait for a busy machine
    )
    return bench


def slow_down(bench: Bench) -> None:
    bench.box.faults.add(Fault("latency", value="30-60", count=0))


def span(request: LoggedRequest) -> tuple[float, float]:
    begun = request.at.timestamp()
    return begun, begun + request.seconds


def test_one_write_at_a_time_and_reads_beside_it(tenant: Bench) -> None:
    report = tenant.run("*", between=lambda: slow_down(tenant))
    assert [outcome.result for outcome in report.outcomes] == [Result.APPLIED] * DUE
    log = tenant.box.requests
    writes = sorted(span(request) for request in log if request.cmdlet == ROTATE)
    reads = [span(request) for request in log if request.cmdlet != ROTATE]
    assert len(log) <= 2 + 2 * DUE
    assert all(end <= begin for (_, end), (begin, _) in pairwise(writes)), "two writes"
    assert any(begun < w_end and w_begun < ended for begun, ended in reads for w_begun, w_end in writes), (
        "no read went beside a write"
    )


TROUBLE = [  # faults beside the latency, reason
    ([Fault("throttle", cmdlet=ROTATE, value="2", after=2, count=3)], "three 429s in a row"),
    (
        [Fault("throttle", value="1", after=5, count=2), Fault("throttle", after=15, count=1)],
        "429s for anybody",
    ),
    ([Fault("reset-after", cmdlet=ROTATE, after=3, count=2)], "two answers lost, both took effect"),
    ([Fault("reset-before", cmdlet=ROTATE, after=3)], "an answer lost that never took effect"),
    ([Fault("reset-after", after=4, count=3)], "answers lost, of whatever call"),
    ([Fault("lag", cmdlet=ROTATE, value="40", after=2)], "reads lag behind"),
]


@pytest.mark.parametrize(("faults", "reason"), TROUBLE, ids=[row[1] for row in TROUBLE])
def test_no_domain_is_lost_or_rotated_twice(tenant: Bench, faults: list[Fault], reason: str) -> None:
    def break_it() -> None:
        slow_down(tenant)
        for fault in faults:
            tenant.box.faults.add(Fault(**fault.__dict__))

    first = tenant.run("*", between=break_it)
    results = Counter(outcome.result for outcome in first.outcomes)
    assert results.total() == DUE
    done = sum(tenant.rotations().values())
    assert results[Result.APPLIED] == done, reason
    tenant.box.faults.clear()
    tenant.box.advance(timedelta(hours=1))
    tenant.run("*")
    assert set(tenant.rotations().values()) == {1}, "lost, or rotated twice"


def test_of_many_none_is_lost_or_rotated_twice_whatever_share_of_calls_goes_wrong(tmp_path: Path) -> None:
    """Every 7th call meets a 429, every 10th rotation takes effect unanswered, every 25th breaks before it does."""
    with Sandbox(SandboxOptions(domains(MANY))) as box:
        bench = before(box, tmp_path)
        for _ in range(MANY):
            bench.fault("throttle", value="20", after=6)
            bench.fault("reset-after", cmdlet=ROTATE, after=9)
            bench.fault("reset-before", cmdlet=ROTATE, after=24)
        results = Counter(outcome.result for outcome in bench.run("*").outcomes)
        assert results.total() == MANY
        assert results[Result.APPLIED] == sum(bench.rotations().values())
        assert results[Result.SKIPPED] == 0, "it gave up"
        assert Counter(request.status for request in box.requests)[429] > MANY // 4
        box.advance(timedelta(hours=1))
        bench.run("*")
        assert set(bench.rotations().values()) == {1}, "lost, or rotated twice"
