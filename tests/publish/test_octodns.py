"""Records published through octoDNS to a real BIND 9 and a real Knot over RFC 2136 with TSIG, and taken back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.query
import dns.tsigkeyring
import dns.update
import pytest
from bind_primary import BIND, bind_primary
from knot_primary import KEY_NAME, KNOT, Primary, knot_primary
from terminal import Done, as_cron

ZONE = "contoso.test"
FOREIGN = f'{ZONE}. 3600 TXT "MS=ms12345678"'
LINES = [
    f'{ZONE}. 3600 IN TXT "MS=ms12345678"',
    f'{ZONE}. 3600 IN TXT "v=spf1 a:mail.{ZONE} ~all"',
    f"{ZONE}. 3600 IN MX 10 mail.{ZONE}.",
    f"mail.{ZONE}. 3600 IN A 127.0.0.1",
]
OTHERS = {
    "outlook.com": [
        'spf.protection.outlook.com. 3600 IN TXT "v=spf1 ip4:203.0.113.0/24 -all"',
        "contoso-test.mail.protection.outlook.com. 3600 IN A 127.0.0.1",
    ]
}
WISH = f"{ZONE} --no-sign-in --rua mailto:dmarc@{ZONE} --tls-rua mailto:tls@{ZONE}"


@dataclass(frozen=True)
class World:
    """A real name server, and the environment in which commands write to it."""

    primary: Primary
    environment: dict[str, str]

    def run(self, line: str) -> Done:
        return as_cron(*line.split(), environment=self.environment)


SERVERS = [
    pytest.param(knot_primary, id="knot", marks=pytest.mark.skipif(KNOT is None, reason="no knotd here")),
    pytest.param(bind_primary, id="bind", marks=pytest.mark.skipif(BIND is None, reason="no named here")),
]


@pytest.fixture(params=SERVERS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with request.param(tmp_path / "primary", ZONE, LINES, OTHERS) as primary:
        where = f"127.0.0.1:{primary.address[1]}"
        environment = {
            "EXO_AUTH_NAMESERVER": where,
            "EXO_AUTH_AUTHORITY_PORT": str(primary.address[1]),
            "EXO_AUTH_STATE_DIR": str(tmp_path / "state"),
            "EXO_AUTH_OCTODNS": str(primary.octodns),
            "HOME": str(tmp_path),
        }
        yield World(primary, environment)


def changed_by_hand(primary: Primary, change: str) -> None:
    """Delete one value as somebody else would: `name type` and the data."""
    name, rdtype, data = change.split(" ", 2)
    keyring = dns.tsigkeyring.from_text({KEY_NAME: primary.secret})
    update = dns.update.Update(primary.zone, keyring=keyring, keyalgorithm="hmac-sha256")
    update.delete(f"{name}.", rdtype, data)
    host, port = primary.address
    assert dns.query.tcp(update, host, port=port, timeout=5).rcode() == 0


def run_id(done: Done) -> str:
    return str(json.loads(done.out)["run"])


def test_a_full_set_is_published_and_the_second_plan_is_empty(world: World) -> None:
    before = world.primary.records()
    done = world.run(f"dns apply {WISH} --yes -o json")
    assert done.code == 0, done
    report = json.loads(done.out)
    assert {change["result"] for change in report["outcomes"]} == {"applied"}
    after = world.primary.records()
    assert f'{ZONE}. 3600 TXT "v=spf1 a:mail.{ZONE} include:spf.protection.outlook.com ~all"' in after
    assert f"autodiscover.{ZONE}. 3600 CNAME autodiscover.outlook.com." in after
    assert f'_dmarc.{ZONE}. 3600 TXT "v=DMARC1; p=none; rua=mailto:dmarc@{ZONE}"' in after
    assert f'_smtp._tls.{ZONE}. 3600 TXT "v=TLSRPTv1; rua=mailto:tls@{ZONE}"' in after
    assert FOREIGN in after
    again = world.run(f"dns plan {WISH} --detailed-exitcode")
    assert again.code == 0, again
    assert "steady" in again.out
    undone = world.run(f"dns undo {run_id(done)} --yes")
    assert undone.code == 0, undone
    assert world.primary.records() == before


def test_a_value_deleted_by_hand_is_found(world: World) -> None:
    assert world.run(f"dns apply {WISH} --yes").code == 0
    changed_by_hand(world.primary, f'_smtp._tls.{ZONE} TXT "v=TLSRPTv1; rua=mailto:tls@{ZONE}"')
    done = world.run(f"dns plan {WISH} --detailed-exitcode")
    assert done.code == 2, done
    assert f"_smtp._tls.{ZONE} TXT" in done.out
    assert "1 to publish" in done.out


def test_a_set_that_moved_since_the_plan_is_refused(world: World, tmp_path: Path) -> None:
    file = tmp_path / "dns.plan"
    assert world.run(f"dns plan {WISH} --out {file}").code == 0
    changed_by_hand(world.primary, f'{ZONE} TXT "MS=ms12345678"')
    done = world.run(f"dns apply --plan {file} --yes -o json")
    assert done.code == 8, done
    results = {o["change"]["parameters"]["name"]: o["result"] for o in json.loads(done.out)["outcomes"]}
    assert results[ZONE] == "stale"
    assert results[f"_dmarc.{ZONE}"] == "applied"


def test_undo_leaves_alone_what_moved_since(world: World) -> None:
    done = world.run(f"dns apply {WISH} --yes -o json")
    changed_by_hand(world.primary, f'{ZONE} TXT "MS=ms12345678"')
    undone = world.run(f"dns undo {run_id(done)} --yes")
    assert undone.code == 3, undone
    assert "is not as that run left it" in undone.out
    assert not any("_dmarc" in record for record in world.primary.records())


def test_a_name_server_that_is_gone(world: World) -> None:
    environment = dict(world.environment)
    broken = world.primary.octodns.with_name("broken.yaml")
    broken.write_text(world.primary.octodns.read_text().replace("key_secret: ", "key_secret: AAAA"))
    environment["EXO_AUTH_OCTODNS"] = str(broken)
    done = World(world.primary, environment).run(f"dns apply {WISH} --yes")
    assert done.code == 6, done  # no verdict about this zone; the others of a plan go on
    assert "octoDNS (primary) failed" in done.out
    assert world.primary.secret not in done.err + done.out


def test_octodns_sync_reads_our_yaml_and_plans_nothing(world: World, tmp_path: Path) -> None:
    assert world.run(f"dns apply {WISH} --yes").code == 0
    zones = tmp_path / "zones"
    zones.mkdir()
    done = world.run(f"dns export {WISH} --as octodns -q")
    assert done.code == 0, done
    rest = (
        "mail:\n  ttl: 3600\n  type: A\n  value: 127.0.0.1\nns1:\n  ttl: 900\n  type: A\n  value: 127.0.0.1\n"
    )
    text = done.out + rest
    (zones / f"{ZONE}.yaml").write_text(text, encoding="utf-8")
    config = world.primary.octodns.read_text()
    config = config.replace(
        "providers:\n",
        f"providers:\n  yaml:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {zones}\n    default_ttl: 3600\n    enforce_order: true\n",
    )
    config = config.replace("sources: [primary]", "sources: [yaml]")
    file = tmp_path / "sync.yaml"
    file.write_text(config, encoding="utf-8")
    sync = Path(sys.executable).with_name("octodns-sync")
    told = subprocess.run(
        [str(sync), "--config-file", str(file)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    ours = [line for line in (told.stdout + told.stderr).splitlines() if "Create" in line or "Update" in line]
    assert not ours, told.stdout + told.stderr


def test_providers_are_listed(world: World) -> None:
    done = world.run("dns providers -o json")
    assert json.loads(done.out)["zones"] == [
        {"zone": ZONE, "targets": ["primary"], "providers": ["Rfc2136Provider"]}
    ]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("providers: {}\nzones: {}\n", None),
        ("zones: []\n", "octoDNS cannot use it"),
        (None, "octoDNS cannot use it"),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, text: str | None, part: str | None) -> None:
    file = tmp_path / "octodns.yaml"
    if text is not None:
        file.write_text(text)
    environment = {"EXO_AUTH_OCTODNS": str(file), "HOME": str(tmp_path)}
    done = as_cron("dns", "providers", environment=environment)
    assert done.code == (0 if part is None else 64), done
    if part:
        assert part in done.err
        assert "Traceback" not in done.err
