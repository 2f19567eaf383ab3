"""Records for many names at once: the parked pack, and agreements to take reports about an MSP's clients."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from terminal import Done, in_process
from zone_server import ZoneServer

NAMES = [f"brand{n}.example" for n in range(80)]
ZONE = [f"{name}. 3600 IN MX 0 ." for name in NAMES] + [
    'brand7.example. 3600 IN TXT "v=spf1 ip4:192.0.2.1 -all"'
]
Run = Callable[[str], Done]


@pytest.fixture
def run() -> Iterator[Run]:
    with closing(ZoneServer(ZONE)) as server:
        environment = {"EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}", "HOME": "/nowhere"}
        yield lambda line: in_process(*line.split(), environment=environment)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text("# parked\n" + "".join(f"{name}\n" for name in NAMES))
    return file


def test_a_parked_pack_tells_once_what_is_true_of_all(run: Run, names: Path) -> None:
    done = run(f"dns export --parked --file {names} --as csv")
    assert done.code == 3, "one of them lets somebody send"
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 3 * len(NAMES) - 3
    assert done.out.count("zone,") == 1, "one heading"
    assert done.err.count("receivers of both models of DMARC refuse all mail from it") == 1
    assert done.err.count("refused: ") == 2, "MX stands there already"
    assert "brand7.example TXT: its SPF lets 1 network send today (192.0.2.1/32)" in done.err
    assert run(f"dns export --parked --allow-loss --file {names} --as csv").code == 0


def test_a_parked_pack_is_one_document(run: Run, names: Path) -> None:
    done = run(f"dns export --parked --file {names} -o json")
    document = json.loads(done.out)
    assert [one["domain"] for one in document["domains"]] == NAMES, "in the order of the names"
    assert document["failed"] == []
    assert document["domains"][0]["notes"][0].startswith("receivers of both models")


def test_a_domain_that_cannot_be_looked_at_stops_no_other(tmp_path: Path) -> None:
    with closing(ZoneServer(ZONE[:1], broken=["brand1.example"])) as server:
        environment = {
            "EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}",
            "HOME": str(tmp_path),
        }
        done = in_process(
            "dns",
            "export",
            "--parked",
            "brand1.example",
            "brand0.example",
            "-o",
            "json",
            environment=environment,
        )
    assert done.code == 6, done
    document = json.loads(done.out)
    assert [one["domain"] for one in document["domains"]] == ["brand0.example"]
    assert [one["domain"] for one in document["failed"]] == ["brand1.example"]


def test_a_whole_client_list_is_agreed_to(run: Run, tmp_path: Path) -> None:
    clients = tmp_path / "clients.csv"
    lines = ["# clients", "contoso.com,Contoso Ltd", "", "bücher.example", "contoso.com", "own.msp.example"]
    clients.write_text("\n".join(lines), encoding="utf-8")
    done = run(f"dmarc authorize --host reports.msp.example --file {clients} --as zone")
    assert done.code == 0, done
    assert [line for line in done.out.splitlines() if not line.startswith("$")] == [
        'contoso.com._report._dmarc.reports.msp.example. 3600 IN TXT "v=DMARC1;"',
        'xn--bcher-kva.example._report._dmarc.reports.msp.example. 3600 IN TXT "v=DMARC1;"',
        'own.msp.example._report._dmarc.reports.msp.example. 3600 IN TXT "v=DMARC1;"',
    ]
    assert "records of the zone of reports.msp.example: 3, 27 octets" in done.err
    assert "without one they leave out" in done.err
    wrong = run(f"dmarc authorize --host reports.msp.example --file {tmp_path / 'names'}")
    assert wrong.code == 64
    clients.write_text("contoso.com\nno name at all\n")
    wrong = run(f"dmarc authorize --host reports.msp.example --file {clients}")
    assert (wrong.code, "line 2" in wrong.err) == (64, True), wrong


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("octodns", "brand0.example.yaml"),  # how octoDNS finds a zone
        ("zone", "brand0.example.zone"),
        ("terraform", "brand0.example.tf"),
        ("azure", "brand0.example.ps1"),
        ("dnscontrol", "brand0.example.js"),
        ("csv", "brand0.example.csv"),
        ("text", "brand0.example.txt"),
    ],
)
def test_each_zone_has_a_file_of_its_own(run: Run, tmp_path: Path, form: str, name: str) -> None:
    line = f"dns export --parked brand0.example brand1.example --as {form} --out {tmp_path}/zones"
    done = run(line)
    assert done.code == 0, done
    assert done.out.splitlines()[0] == f"{tmp_path}/zones/{name}  written"
    assert sorted(file.name for file in (tmp_path / "zones").iterdir()) == [name, name.replace("d0", "d1")]
    printed = run(f"dns export --parked brand0.example --as {form}").out
    assert (tmp_path / "zones" / name).read_text() == printed
    assert run(line).out.splitlines()[0].endswith("  as it was")


def test_domains_of_one_zone_share_its_file_which_is_whole_or_left_alone(tmp_path: Path) -> None:
    zone = ["shop.example. 3600 IN SOA ns.shop.example. host.shop.example. 1 7200 900 1209600 300"]
    with closing(ZoneServer(zone)) as server:
        environment = {"EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}", "HOME": str(tmp_path)}
        line = f"dns export --parked shop.example a.shop.example --as octodns --out {tmp_path}"
        done = in_process(*line.split(), environment=environment)
        assert done.code == 0, done
        text = (tmp_path / "shop.example.yaml").read_text()
        assert list(yaml.safe_load(text)) == ["", "_dmarc", "_dmarc.a", "a"]
    with closing(ZoneServer(zone, broken=["a.shop.example"])) as server:
        environment["EXO_AUTH_NAMESERVER"] = f"127.0.0.1:{server.address[1]}"
        done = in_process(*line.split(), environment=environment)
        assert done.code == 6, done
        assert done.out == ""
        assert "shop.example: its file is left as it is" in done.err
        assert (tmp_path / "shop.example.yaml").read_text() == text
