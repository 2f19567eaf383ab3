"""`dns propagation` as its users type it, before a real Knot whose secondary lags."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from knot_pair import KnotPair, knot_pair
from knot_primary import KNOT
from terminal import Done, in_process
from zone_server import ZoneServer

pytestmark = pytest.mark.skipif(KNOT is None, reason="Knot is not installed")
OLD, NEW = 'x.contoso.test. 300 IN TXT "old"', 'x.contoso.test. 300 IN TXT "new"'
ABOVE = [
    "test. 900 IN SOA ns.test. h.test. 1 7200 600 86400 900",
    "test. 900 IN NS ns.test.",
    "ns.test. 900 IN A 127.0.0.2",
]


def look(pair: KnotPair, cached: str, *words: str) -> Done:
    """Look with a resolver that still has the `cached` version."""
    with closing(ZoneServer([*ABOVE, *pair.lines(cached)])) as resolver:
        environment = {
            "PATH": os.defpath,
            "HOME": str(pair.folder),
            "EXO_AUTH_NAMESERVER": f"127.0.0.1:{resolver.address[1]}",
            "EXO_AUTH_PUBLIC_RESOLVERS": f"127.0.0.1:{resolver.address[1]}",
            "EXO_AUTH_AUTHORITY_PORT": str(pair.port),
            "EXO_AUTH_DNS_TIMEOUT": "5s",
        }
        return in_process("dns", "propagation", "x.contoso.test", "TXT", *words, environment=environment)


def test_the_variable_holds_a_value_a_line() -> None:
    """MX and TXT values have blanks in them."""
    environment = {
        "PATH": os.defpath,
        "EXO_AUTH_NAMESERVER": "127.0.0.1:9",
        "EXO_AUTH_EXPECT": "10 mail.contoso.test\nmail.contoso.test",
    }
    done = in_process("dns", "propagation", "contoso.test", "MX", environment=environment)
    assert (done.code, "“mail.contoso.test” is no value of type MX" in done.err) == (64, True)


def state(done: Done) -> tuple[str, list[str], int]:
    document = json.loads(done.out)
    return document["state"], document["lagging"], done.code


def test_a_change_goes_its_way_through_primary_secondary_and_cache(tmp_path: Path) -> None:
    with knot_pair(tmp_path, "contoso.test", OLD) as pair:
        assert state(look(pair, OLD, "-o", "json")) == ("everywhere", [], 0)

        wanted = ("--expect", '"new"', "-o", "json")
        early = look(pair, OLD, *wanted)
        assert state(early)[::2] == ("lagging", 4)
        assert json.loads(early.out)["resolvers"] == []  # nobody is made to remember the old version

        pair.publish(NEW)
        late = look(pair, OLD, *wanted)
        assert state(late) == ("lagging", ["ns2.contoso.test (127.0.0.3)"], 4)
        serials = {view["server"]: view["serial"] for view in json.loads(late.out)["authorities"]}
        assert serials == {"ns1.contoso.test": 2, "ns2.contoso.test": 1}
        told = look(pair, OLD).out
        assert "lags: ns2.contoso.test (127.0.0.3)" in told
        assert "look for a new version every 7200 s, and sooner when they are notified" in told
        assert "remember the old one for up to 300 s after that" in told
        assert "an absent name of contoso.test is remembered for 600 s" in told

        pair.notify()
        cached = look(pair, OLD, *wanted)
        assert state(cached) == ("cached", ["own resolver"], 4)
        assert json.loads(cached.out)["not_before"]
        assert "\nnot before 20" in look(pair, OLD).out
        assert state(look(pair, NEW, *wanted)) == ("everywhere", [], 0)


def test_what_is_taken_away_is_gone_when_nobody_has_it(tmp_path: Path) -> None:
    with knot_pair(tmp_path, "contoso.test", OLD) as pair:
        gone = ("--expect", "", "-o", "json")
        assert state(look(pair, OLD, *gone))[::2] == ("lagging", 4)
        pair.publish()
        assert state(look(pair, OLD, *gone)) == ("lagging", ["ns2.contoso.test (127.0.0.3)"], 4)
        pair.notify()
        assert state(look(pair, OLD, *gone))[::2] == ("cached", 4)
        assert state(look(pair, NEW.replace("x.", "y.", 1), *gone))[::2] == ("everywhere", 0)
        absent = look(pair, OLD)
        assert (absent.code, "2 of 2 servers of contoso.test have no such record" in absent.out) == (4, True)


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--expect", "x", "--for", "soon", "--watch"), "soon"),
    (("--expect",), "requires an argument"),
    (("--expect", "", "--expect", "x"), "give either '' or values"),
]


@pytest.mark.parametrize(("words", "part"), BAD)
def test_bad_input(words: tuple[str, ...], part: str) -> None:
    done = in_process("dns", "propagation", "x.contoso.test", "TXT", *words, environment={"PATH": os.defpath})
    assert done.code == 64
    assert part in done.err
    assert "Traceback" not in done.err
