"""Record sets in the forms of DNS hosts and tools, each read back by a parser of that form where there is one."""

from __future__ import annotations

import csv
import io
import json
import re

import dns.zone
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.plan.dns_hosts import HOSTS
from exo_auth.plan.record_set import RecordChange, RecordSet
from exo_auth.render.record_change_text import changes_text
from exo_auth.render.record_set_text import FORMS, quoted, relative, written_as

ZONE = DomainName("contoso.com")
SETS = [
    RecordSet(ZONE, "MX", ("0 contoso-com.mail.protection.outlook.com",)),
    RecordSet(ZONE, "TXT", ("MS=ms1", 'say "hi" \\ there', "v=spf1 -all")),
    RecordSet(DomainName("selector1._domainkey.contoso.com"), "CNAME", ("s1.dkim.mail.microsoft",)),
    RecordSet(DomainName("_dmarc.contoso.com"), "TXT", ("v=DMARC1; p=none",), 300),
    RecordSet(DomainName("mta-sts.contoso.com"), "A", ("192.0.2.1",)),
    RecordSet(DomainName("nomail.contoso.com"), "MX", ("0 ",)),
]


def test_a_zone_file_is_read_back() -> None:
    head = "@ 3600 IN SOA ns. h. 1 2 3 4 5\n@ 3600 IN NS ns.\n"
    text = written_as("zone", ZONE, SETS)
    zone = dns.zone.from_text(head + text.split("\n", 1)[1] + "\n", origin="contoso.com.", relativize=False)
    got = {
        (name.to_text(omit_final_dot=True), rdataset.rdtype.name): sorted(
            b"".join(r.strings).decode() if rdataset.rdtype.name == "TXT" else r.to_text() for r in rdataset
        )
        for name, rdataset in zone.iterate_rdatasets()
    }
    assert got["contoso.com", "TXT"] == sorted(SETS[1].values)
    assert got["nomail.contoso.com", "MX"] == ["0 ."]
    assert got["selector1._domainkey.contoso.com", "CNAME"] == ["s1.dkim.mail.microsoft."]


def test_octodns_yaml_has_names_and_keys_in_order() -> None:
    document = yaml.safe_load(written_as("octodns", ZONE, SETS))
    assert list(document) == sorted(document)
    assert document["_dmarc"] == {"ttl": 300, "type": "TXT", "value": "v=DMARC1\\; p=none"}
    assert [entry["type"] for entry in document[""]] == ["MX", "TXT"]
    assert document["nomail"]["value"] == {"exchange": ".", "preference": 0}
    for entry in (document["_dmarc"], *document[""]):
        assert list(entry) == sorted(entry)


def test_csv_is_read_back() -> None:
    rows = list(csv.DictReader(io.StringIO(written_as("csv", ZONE, SETS))))
    assert [row["value"] for row in rows if row["name"] == "@" and row["type"] == "TXT"] == list(
        SETS[1].values
    )
    assert rows[-1]["value"] == "0 ."


def test_terraform_keeps_templates_out() -> None:
    text = written_as("terraform", ZONE, [RecordSet(ZONE, "TXT", ("a ${b} %{c}",))])
    assert "$${b} %%{c}" in text


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_every_value(form: str) -> None:
    text = written_as(form, ZONE, SETS, ("a note",), HOSTS[0])
    for word in ("contoso-com.mail.protection.outlook.com", "s1.dkim.mail.microsoft", "192.0.2.1", "MS=ms1"):
        assert word in text, form


def test_the_letter_names_host_and_notes() -> None:
    text = written_as("text", ZONE, SETS, ("a note",), HOSTS[2])
    assert "DNS only" in text
    assert text.endswith("Note: a note")
    assert "   Value  0 ." in text


def test_powershell_quotes() -> None:
    text = written_as("azure", ZONE, [RecordSet(ZONE, "TXT", ("it's $x",))])
    assert "-Value 'it''s $x'" in text


def test_an_unknown_form() -> None:
    with pytest.raises(InputError, match="no form"):
        written_as("xml", ZONE, SETS)


def test_relative_names() -> None:
    assert relative(ZONE, ZONE) == "@"
    assert relative(DomainName("a.b.contoso.com"), ZONE) == "a.b"
    assert relative(DomainName("x.other.example"), ZONE) == "x.other.example."


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=700))
def test_quoted_texts_are_read_back(text: str) -> None:
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', quoted(text))
    assert "".join(re.sub(r"\\(.)", r"\1", one) for one in strings) == text
    assert all(len(re.sub(r"\\(.)", r"\1", one)) <= 255 for one in strings)


def test_changes() -> None:
    new = RecordChange(ZONE, "TXT", ("MS=1",), ("MS=1", "v=spf1 -all"), ("why",), ("costs",))
    refused = RecordChange(ZONE, "MX", ("0 a.example",), ("0 ",), refusal="no")
    text = changes_text([new, refused, RecordChange(ZONE, "MX", (), ())], "table", {"f.txt": "line\n"})
    assert "~ contoso.com TXT" in text
    assert "      MS=1" in text
    assert "    + v=spf1 -all" in text
    assert "! contoso.com MX" in text
    assert "    + 0 ." in text
    assert "refused: no" in text
    assert "= contoso.com MX" in text
    assert "f.txt:\n  line" in text
    assert json.loads(changes_text([new], "json"))["changes"][0]["needed"] is True
    assert "Before" in changes_text([new], "md")
