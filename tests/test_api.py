"""The public Python API, as a newcomer meets it."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Coroutine, Iterator
from pathlib import Path

import pytest
from broken_domains import BROKEN
from broken_zone import zone_lines
from terminal import in_process
from zone_server import ZoneServer

import exo_auth
import exo_auth.api
from exo_auth import (
    CannotLook,
    DomainName,
    InputError,
    Profile,
    Severity,
    StubResolver,
    Subject,
    check_domain,
    discover_dmarc,
    evaluate_spf,
)
from exo_auth.lookup.recorded import RecordingResolver

FUNCTIONS = (check_domain, evaluate_spf, discover_dmarc)
CASES = [case for case in BROKEN if case.label in ("healthy", "spf-plusall", "dmarc-quarantine", "dkim-one")]


@pytest.fixture(scope="module")
def server() -> Iterator[ZoneServer]:
    running = ZoneServer(zone_lines(CASES))
    yield running
    running.close()


@pytest.fixture
def resolver(server: ZoneServer) -> StubResolver:
    return StubResolver((server.address,))


def test_everything_can_be_imported_from_the_package_and_is_told_about() -> None:
    assert set(exo_auth.__all__) == {*exo_auth.api.__all__, "__version__"}
    assert dir(exo_auth) == sorted(exo_auth.__all__)
    for name in exo_auth.api.__all__:
        assert getattr(exo_auth, name) is getattr(exo_auth.api, name)
        assert inspect.getdoc(getattr(exo_auth, name)), name
    with pytest.raises(AttributeError, match="no attribute “check_domains”"):
        exo_auth.check_domains  # noqa: B018
    assert (Path(exo_auth.__file__).parent / "py.typed").exists()


def test_the_import_loads_nothing() -> None:
    code = "import sys, exo_auth; print([name for name in sys.modules if name.startswith('exo_auth.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_every_parameter_has_a_type_and_one_of_them_is_the_resolver(function: object) -> None:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    hints = typing.get_type_hints(function)
    assert hints.keys() == {*signature.parameters, "return"}
    assert signature.parameters["resolver"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.parameters["resolver"].default is None


def test_a_check_finds_what_the_command_finds(server: ZoneServer, resolver: StubResolver) -> None:
    environment = {"HOME": "/nonexistent", "EXO_AUTH_NAMESERVER": f"{server.address[0]}:{server.address[1]}"}
    words = [*(case.name for case in CASES), "--only", "spf,dkim,dmarc", "--rules", "microsoft", "-o", "json"]
    done = in_process("check", *words, environment=environment)
    shown = {(one["domain"], one["code"], one["severity"]) for one in json.loads(done.out)["findings"]}

    async def all_at_once() -> list[exo_auth.DomainReport]:
        async with resolver:
            return await asyncio.gather(
                *(
                    check_domain(
                        case.name,
                        resolver=resolver,
                        profile=Profile.MICROSOFT,
                        subjects=[Subject.SPF, Subject.DKIM, Subject.DMARC],
                    )
                    for case in CASES
                )
            )

    reports = asyncio.run(all_at_once())
    found = {(r.domain.ascii, one.code, one.severity.value) for r in reports for one in r.findings}
    assert found == shown
    assert ("spf-plusall.test", "SPF-PLUSALL", "fail") in found
    assert [report.worst for report in reports if report.domain.ascii == "spf-plusall.test"] == [
        Severity.FAIL
    ]


def test_nobody_but_the_resolver_is_asked(server: ZoneServer) -> None:
    recording = RecordingResolver(StubResolver((server.address,)))
    before = server.questions
    asyncio.run(check_domain(DomainName("healthy.test"), resolver=recording, subjects={Subject.MX}))
    assert 0 < len(recording.answers) == server.questions - before


def test_spf_is_evaluated(resolver: StubResolver) -> None:
    good = asyncio.run(evaluate_spf("192.0.2.7", "a@healthy.test", resolver=resolver))
    bad = asyncio.run(evaluate_spf("::ffff:198.51.100.7", "a@healthy.test", resolver=resolver))
    null = asyncio.run(evaluate_spf("192.0.2.7", "", "healthy.test", resolver=resolver))
    assert (good.result, bad.result, null.result) == ("pass", "fail", "pass")
    assert [step.term for step in good.path if step.matched] == ["ip4:192.0.2.0/24"]


def test_a_policy_is_discovered(resolver: StubResolver) -> None:
    found = asyncio.run(discover_dmarc("a.healthy.test", resolver=resolver))
    assert (found.policy, found.organizational_domain.ascii) == ("reject", "healthy.test")
    assert found.queries == ("_dmarc.a.healthy.test", "_dmarc.healthy.test", "_dmarc.test")
    none = asyncio.run(discover_dmarc("absent.example", resolver=resolver))
    assert (none.policy, none.organizational_domain.ascii) == (None, "absent.example")


WRONG = [  # a call, part of the message, reason
    (lambda r: check_domain("no such name", resolver=r), "no such name", "no name"),
    (lambda r: check_domain("", resolver=r), "empty", "nothing"),
    (lambda r: evaluate_spf("192.0.2.300", "a@b.test", resolver=r), "no IP address", "no address"),
    (lambda r: discover_dmarc("a..b", resolver=r), "a..b", "an empty label"),
]


@pytest.mark.parametrize(("call", "part", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_wrong_input_is_told(
    call: typing.Callable[[StubResolver], Coroutine[object, object, object]],
    part: str,
    reason: str,
    resolver: StubResolver,
) -> None:
    with pytest.raises(InputError) as caught:
        asyncio.run(call(resolver))
    assert part in str(caught.value), reason


def test_silence_is_a_value_and_only_where_there_is_no_room_an_exception() -> None:
    silent = ZoneServer([])
    silent.close()
    resolver = StubResolver((silent.address,), timeout=0.2, attempts=1)
    report = asyncio.run(check_domain("a.test", resolver=resolver, subjects=[Subject.SPF]))
    assert {one.severity for one in report.findings} == {Severity.UNKNOWN}
    assert asyncio.run(evaluate_spf("192.0.2.1", "a@a.test", resolver=resolver)).result == "temperror"
    with pytest.raises(CannotLook):
        asyncio.run(discover_dmarc("a.test", resolver=resolver))
