"""Exported record sets, read by the tools that the forms are for: every value comes out as it went in."""

from __future__ import annotations

import io
import json
import random
import shutil
import string
import subprocess
from pathlib import Path
from typing import Any

import dns.zone
import hcl2
import pytest
import tree_sitter_pwsh
import yaml
from tree_sitter import Language, Node, Parser

from exo_auth.domain_name import DomainName
from exo_auth.plan.record_set import RecordSet
from exo_auth.render.record_set_text import written_as

NODE = shutil.which("node")
CHECKZONE = shutil.which("named-checkzone")
ZONE = DomainName.parse("bücher.example")
SOME = random.Random(8461)
KEY = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12  # longer than one character-string
VALUES = (  # TXT values, and why each of them
    "v=spf1 include:spf.protection.outlook.com ~all",
    KEY,
    'say "hi"; it\'s \\ here',  # every sign that some form escapes
    "100% ${not} %{a} template, `nor` $(this) nor $that",  # what Terraform, shells and PowerShell expand
    "a;b;;c\\;d",  # octoDNS' own escapes
    " blanks at both ends ",
    "",  # an empty string is a value
    "x" * 255 + "y" * 255 + "z",  # exactly at the borders of character-strings
    "tab\there, and \x01",  # what no panel takes, and a set may hold all the same
    *("".join(SOME.choices(string.printable[:95], k=SOME.randrange(1, 600))) for _ in range(40)),
)
SETS = (
    RecordSet(ZONE, "MX", ("0 xn--bcher-kva-example.mail.protection.outlook.com", "20 mx.example.net")),
    RecordSet(ZONE, "TXT", VALUES),
    RecordSet(
        ZONE.child("selector1._domainkey"),
        "CNAME",
        ("selector1-x._domainkey.contoso.n-v1.dkim.mail.microsoft",),
    ),
    RecordSet(ZONE.child("_dmarc"), "TXT", ("v=DMARC1; p=reject; rua=mailto:a@xn--bcher-kva.example",), 300),
    RecordSet(ZONE.child("mta-sts"), "A", ("192.0.2.1", "192.0.2.2")),
    RecordSet(ZONE.child("v6.mta-sts"), "AAAA", ("2001:db8::1",)),
    RecordSet(ZONE.child("nomail"), "MX", ("0 ",)),
)


def wanted() -> dict[tuple[str, str, int], list[str]]:
    """Give the values by name, type and TTL; host names without their dot."""
    return {(one.owner.ascii, one.type, one.ttl): sorted(one.values) for one in SETS}


def absolute(name: str) -> str:
    return ZONE.ascii if name == "@" else f"{name}.{ZONE.ascii}"


def test_a_zone_file_is_read_by_dnspython() -> None:
    head = "@ 3600 IN SOA ns h 1 2 3 4 5\n@ 3600 IN NS ns.example.net.\n"
    text = written_as("zone", ZONE, SETS)
    zone = dns.zone.from_text(head + text.split("\n", 1)[1] + "\n", origin=f"{ZONE}.", relativize=False)
    got = {
        (name.to_text(omit_final_dot=True), rdataset.rdtype.name, rdataset.ttl): sorted(map(plain, rdataset))
        for name, rdataset in zone.iterate_rdatasets()
        if rdataset.rdtype.name not in ("SOA", "NS")
    }
    assert got == wanted()


def plain(rdata: Any) -> str:
    if rdata.rdtype.name == "TXT":
        return b"".join(rdata.strings).decode("ascii")
    return str(rdata.to_text()).removesuffix(".")


@pytest.mark.skipif(CHECKZONE is None, reason="no named-checkzone here")
def test_a_zone_file_is_read_by_bind(tmp_path: Path) -> None:
    file, out = tmp_path / "zone", tmp_path / "out"
    lines = written_as("zone", ZONE, SETS).split("\n", 1)
    head = f"{lines[0]}\n@ 3600 IN SOA ns h 1 2 3 4 5\n@ 3600 IN NS ns.example.net.\n"
    file.write_text(head + lines[1] + "\n", encoding="ascii")
    done = subprocess.run(
        [str(CHECKZONE), "-D", "-o", str(out), ZONE.ascii, str(file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done
    zone = dns.zone.from_file(str(out), origin=f"{ZONE}.", relativize=False)
    texts = zone.get_rdataset(f"{ZONE}.", "TXT")
    assert texts is not None
    assert sorted(map(plain, texts)) == sorted(VALUES)


DNSCONTROL = """
const found = [];
const TTL = seconds => seconds;
const record = (type, name, values, ttl) => { found.push([name, type, ttl, values.join(" ")]); };
const MX = (name, preference, host, ttl) => record("MX", name, [preference, host], ttl);
const [TXT, CNAME, A, AAAA] =
  ["TXT", "CNAME", "A", "AAAA"].map(type => (name, value, ttl) => record(type, name, [value], ttl));
let zone = "";
const D_EXTEND = (name, ...records) => { zone = name; };
"""


@pytest.mark.skipif(NODE is None, reason="no node here")
def test_dnscontrol_is_evaluated_as_the_javascript_it_is() -> None:
    program = (
        DNSCONTROL + written_as("dnscontrol", ZONE, SETS) + "\nconsole.log(JSON.stringify([zone, found]));"
    )
    done = subprocess.run([str(NODE), "-"], input=program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    zone, found = json.loads(done.stdout)
    got: dict[tuple[str, str, int], list[str]] = {}
    for name, rdtype, ttl, value in found:
        bare = value.removesuffix(".") if rdtype in ("MX", "CNAME") else value
        got.setdefault((absolute(name), rdtype, ttl), []).append(bare)
    assert zone == ZONE.ascii
    assert {key: sorted(values) for key, values in got.items()} == wanted()


def hcl_value(quoted: str) -> str:
    """Read a string as Terraform does: its escapes are those of JSON, and $${ and %%{ are no templates."""
    text: str = json.loads(quoted)
    return text.replace("$${", "${").replace("%%{", "%{")


def test_terraform_is_read_by_a_parser_of_its_language() -> None:
    document = hcl2.load(io.StringIO(written_as("terraform", ZONE, SETS) + "\n"))
    (sets,) = (value for name, value in document["locals"][0].items() if name.startswith("exo_auth_"))
    got = {
        (absolute(hcl_value(one["name"])), hcl_value(one["type"]), one["ttl"]): sorted(
            text.removesuffix(".") if hcl_value(one["type"]) in ("MX", "CNAME") else text
            for text in map(hcl_value, one["values"])
        )
        for one in sets.values()
    }
    assert got == wanted()


def commands(node: Node, name: str) -> list[dict[str, Node]]:
    """Give the parameters of each call of a cmdlet, in order."""
    own = []
    if node.type == "command" and node.children[0].text == name.encode():
        elements = [one for one in node.children[1].children if one.type != "command_argument_sep"]
        named = [n for n, one in enumerate(elements) if one.type == "command_parameter"]
        own = [{(elements[n].text or b"").decode(): elements[n + 1] for n in named if n + 1 < len(elements)}]
    return own + [found for child in node.children for found in commands(child, name)]


def literal(node: Node) -> str:
    """Read an argument as PowerShell does: in single quotes nothing is expanded, and two are one."""
    text = (node.text or b"").decode()
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def azure_value(config: dict[str, Node]) -> str:
    words = [literal(node) for name, node in config.items()]
    return " ".join(words).replace(" .", " ") if "-Preference" in config else words[0]


def test_azure_powershell_is_read_by_a_parser_of_powershell() -> None:
    tree = Parser(Language(tree_sitter_pwsh.language())).parse(written_as("azure", ZONE, SETS).encode())
    assert not tree.root_node.has_error
    got = {}
    for one in commands(tree.root_node, "New-AzDnsRecordSet"):
        assert literal(one["-ZoneName"]) == ZONE.ascii
        key = absolute(literal(one["-Name"])), literal(one["-RecordType"]), int(literal(one["-Ttl"]))
        configs = commands(one["-DnsRecords"], "New-AzDnsRecordConfig")
        got[key] = sorted(map(azure_value, configs))
    assert got == wanted()


def test_octodns_yaml_holds_the_values_with_its_escapes() -> None:
    document = yaml.safe_load(written_as("octodns", ZONE, SETS))
    texts = next(one for one in document[""] if one["type"] == "TXT")["values"]
    assert [text.replace("\\;", ";") for text in texts] == list(VALUES)
