"""Every hazard of putting includes in as addresses, met on a name server: told, refused, or kept out of the copy."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from terminal import in_process
from zone_server import ZoneServer

DOMAIN, VENDOR = "own.example", "_spf.vendor.example"


def txt(owner: str, text: str, ttl: int = 3600) -> str:
    quoted = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
    return f"{owner}. {ttl} IN TXT {quoted}"


def flatten(lines: list[str], options: str = "", state: Path | None = None) -> tuple[int, Any]:
    """Flatten on a server that holds these records; give the exit code, and the changes or the error."""
    words = ["spf", "flatten", DOMAIN, *options.split(), "-o", "json"]
    words += ["--state", str(state)] if state else []
    with closing(ZoneServer(lines)) as server:
        environment = {"EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}", "HOME": "/nowhere"}
        done = in_process(*words, environment=environment)
    document = json.loads(done.out)
    return done.code, document.get("changes", done.out)


def texts(changes: Any) -> dict[str, str]:
    """Give the SPF record that each name is to have."""
    return {one["name"]: next((v for v in one["after"] if v.startswith("v=spf1")), "") for one in changes}


OWN = txt(DOMAIN, f"v=spf1 include:{VENDOR} ~all")
PUT_IN = f"--include include:{VENDOR}"

COPIED = [  # the hazard, what the vendor publishes, what the copy is
    (
        "overlapping ranges",
        [txt(VENDOR, "v=spf1 ip4:192.0.2.0/25 ip4:192.0.2.128/25 ip4:192.0.2.7 -all")],
        "v=spf1 ip4:192.0.2.0/24 ~all",
    ),
    (
        "IPv6 forgotten",
        [txt(VENDOR, "v=spf1 ip4:192.0.2.1 ip6:2001:db8:1::/48 -all")],
        "v=spf1 ip4:192.0.2.1 ip6:2001:db8:1::/48 ~all",
    ),
    (
        "a and mx of both families",
        [
            txt(VENDOR, "v=spf1 a:mail.vendor.example mx:vendor.example/30//126 -all"),
            "mail.vendor.example. 3600 IN A 192.0.2.1",
            "mail.vendor.example. 3600 IN AAAA 2001:db8::1",
            "vendor.example. 3600 IN MX 0 mx.vendor.example.",
            "mx.vendor.example. 3600 IN A 198.51.100.1",
            "mx.vendor.example. 3600 IN AAAA 2001:db8:2::1",
        ],
        "v=spf1 ip4:192.0.2.1 ip4:198.51.100.0/30 ip6:2001:db8::1 ip6:2001:db8:2::/126 ~all",
    ),
    (
        "an inner all ends the include, and is not copied",
        [txt(VENDOR, "v=spf1 ip4:192.0.2.1 ?all")],
        "v=spf1 ip4:192.0.2.1 ~all",
    ),
    (
        "an include behind a redirect",
        [
            txt(VENDOR, "v=spf1 redirect=_two.vendor.example"),
            txt("_two.vendor.example", "v=spf1 ip4:192.0.2.1 -all"),
        ],
        "v=spf1 ip4:192.0.2.1 ~all",
    ),
]


@pytest.mark.parametrize(("lines", "copy"), [row[1:] for row in COPIED], ids=[row[0] for row in COPIED])
def test_what_is_copied(lines: list[str], copy: str) -> None:
    code, changes = flatten([OWN, *lines], PUT_IN)
    assert code == 0, changes
    assert texts(changes) == {DOMAIN: copy}


REFUSED = [  # the hazard, what the vendor publishes, what is said
    ("macros", [txt(VENDOR, "v=spf1 exists:%{i}.vendor.example -all")], "depends on each message"),
    (
        "an include with a macro",
        [txt(VENDOR, "v=spf1 include:%{i}.vendor.example -all")],
        "depends on each message",
    ),
    ("ptr", [txt(VENDOR, "v=spf1 ptr -all")], "depends on each message"),
    ("an inner refusal", [txt(VENDOR, "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all")], "is no pass"),
    ("an inner softfail", [txt(VENDOR, "v=spf1 ~ip4:192.0.2.1 ip4:192.0.2.0/24 -all")], "is no pass"),
    ("everybody", [txt(VENDOR, "v=spf1 +all")], "lets everybody pass"),
    ("no record", [], "has no record"),
    (
        "too long for one piece, and a term that must keep its place",
        [txt(VENDOR, "v=spf1 " + " ".join(f"ip4:10.{n}.0.0/17" for n in range(40)) + " -all")],
        "must keep its place",
    ),
]


@pytest.mark.parametrize(("lines", "part"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_copied_is_refused(lines: list[str], part: str) -> None:
    own = txt(DOMAIN, f"v=spf1 ?ip4:10.0.0.1 include:{VENDOR} ~all")
    code, told = flatten([own, *lines], PUT_IN)
    assert code == 64, told
    assert part in told


def test_redirect_and_other_modifiers_stay() -> None:
    own = txt(DOMAIN, f"v=spf1 include:{VENDOR} redirect=_rest.own.example")
    many = " ".join(f"ip4:10.{n}.0.0/17" for n in range(40))
    lines = [own, txt(VENDOR, f"v=spf1 {many} -all"), txt("_rest.own.example", "v=spf1 ip4:192.0.2.1 -all")]
    code, changes = flatten(lines, PUT_IN)
    assert code == 0, changes
    assert texts(changes)[DOMAIN].endswith("redirect=_rest.own.example")


def test_a_record_that_grew_too_long_is_split_and_its_parts_come_first() -> None:
    many = " ".join(f"ip4:10.{n}.0.0/17" for n in range(60))
    code, changes = flatten([OWN, txt(VENDOR, f"v=spf1 {many} -all")], PUT_IN)
    assert code == 0
    assert [one["name"] for one in changes][-1] == DOMAIN, "what is included is there before what includes it"
    assert all(len(text) <= 450 for text in texts(changes).values())
    assert texts(changes)[DOMAIN].startswith(f"v=spf1 include:_spf1.{DOMAIN} include:_spf2.{DOMAIN}")
    assert "3 of 10 lookups" in changes[0]["notes"][0]


def test_parts_that_cost_more_than_ten_lookups_are_refused() -> None:
    many = " ".join(f"ip4:{n // 200 + 10}.{n % 200}.0.0/17" for n in range(360))
    code, changes = flatten([OWN, txt(VENDOR, f"v=spf1 {many} -all")], PUT_IN)
    assert code == 3
    assert "more than 10" in changes[0]["refused"]


def test_the_vendors_ttl_is_kept() -> None:
    code, changes = flatten([OWN, txt(VENDOR, "v=spf1 ip4:192.0.2.1 -all", ttl=600)], PUT_IN)
    assert (code, changes[0]["ttl"]) == (0, 600)
    assert any("every 600 s" in note for note in changes[0]["notes"])


def test_a_copy_is_renewed_and_what_the_vendor_dropped_goes(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    own = txt(DOMAIN, f"v=spf1 ip4:198.51.100.1 include:{VENDOR} mx ~all")
    mx = [f"{DOMAIN}. 3600 IN MX 0 mx.{DOMAIN}.", f"mx.{DOMAIN}. 3600 IN A 198.51.100.9"]
    many = [f"ip4:10.{n}.0.0/17" for n in range(40)]

    def published(networks: list[str]) -> list[str]:
        return [*mx, txt(VENDOR, f"v=spf1 {' '.join(networks)} -all")]

    code, changes = flatten([own, *published(many)], PUT_IN, state)
    assert code == 0
    copied = [txt(name, text) for name, text in texts(changes).items()]
    assert len(copied) > 1

    code, changes = flatten([*copied, *published(many)], "", state)
    assert (code, any(one["needed"] for one in changes)) == (0, False), "nothing moved: nothing is to be done"

    moved = [*many[2:], "ip4:203.0.113.0/24"]
    code, changes = flatten([*copied, *published(moved)], "", state)
    assert code == 0, changes
    new = " ".join(texts(changes).values())
    assert "203.0.113.0/24" in new
    assert "10.0.0.0/17" not in new, "who is not the vendor's any more may not send"
    assert "198.51.100.1" in new
    assert " mx " in new, "what is not the vendor's stays"
    assert json.loads(state.read_text())["before"], "the set before, for who wants it back"

    kept = state.read_text()
    code, changes = flatten([*copied, *published(many[:5])], "", state)
    assert code == 3
    assert "of the networks of last time are gone" in changes[0]["refused"]
    assert state.read_text() == kept, "what was refused is not remembered"
    assert flatten([*copied, *published(many[:5])], "--max-shrink 1", state)[0] == 0


def test_a_state_that_is_none_or_of_another_domain(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for text, part in (("{", "is no state"), ('{"domain": "a.example", "networks": []}', "is of a.example")):
        state.write_text(text)
        code, told = flatten([OWN, txt(VENDOR, "v=spf1 ip4:192.0.2.1 -all")], PUT_IN, state)
        assert code == 64
        assert part in told


def test_a_vendor_that_cannot_be_asked_is_not_taken_for_gone() -> None:
    with closing(ZoneServer([OWN])) as server:
        environment = {"EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}", "HOME": "/nowhere"}
    done = in_process("spf", "flatten", DOMAIN, environment=environment | {"EXO_AUTH_DNS_TIMEOUT": "1s"})
    assert done.code == 6, done
