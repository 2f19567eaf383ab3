"""Record sets in the forms that DNS hosts and tools take (render, pure)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence

import yaml

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.plan.dns_hosts import DnsHost
from exo_auth.plan.record_set import RecordSet
from exo_auth.render.document import to_text
from exo_auth.render.table import Table

LONGEST_STRING = 255  # octets of one character-string, RFC 1035 §3.3


def written_as(
    form: str,
    zone: DomainName,
    sets: Sequence[RecordSet],
    notes: Iterable[str] = (),
    host: DnsHost | None = None,
) -> str:
    """Write the sets of one zone; raises InputError for a form there is none of."""
    check_form(form)
    if form == "text":
        return _letter(zone, sets, tuple(notes), host)
    if form == "json":
        return to_text(sets_document(zone, sets, notes, host))
    return FORMS[form](zone, sets)


def check_form(form: str) -> None:
    """Raise InputError for a form there is none of."""
    if form not in FORMS:
        raise InputError(f"there is no form “{form}”", hint=f"one of {', '.join(FORMS)}")


def sets_document(
    zone: DomainName, sets: Iterable[RecordSet], notes: Iterable[str], host: DnsHost | None
) -> dict[str, object]:
    """Describe the sets as plain JSON values."""
    return {
        "zone": zone.ascii,
        "dns_host": host.name if host else None,
        "hint": host.hint if host else None,
        "records": [
            {
                "name": one.owner.ascii,
                "relative_name": relative(one.owner, zone),
                "type": one.type,
                "ttl": one.ttl,
                "values": list(one.values),
            }
            for one in sets
        ],
        "notes": list(notes),
    }


def relative(owner: DomainName, zone: DomainName) -> str:
    """Give the name as panels want it: `@` for the zone itself, absolute with a dot where it lies elsewhere."""
    if owner == zone:
        return "@"
    if not owner.is_within(zone):
        return f"{owner.ascii}."
    return owner.ascii.removesuffix(f".{zone.ascii}")


def quoted(text: str) -> str:
    """Write a TXT value as a zone file has it: quoted strings of at most 255 octets. RFC 1035 §5.1."""
    chunks = [text[at : at + LONGEST_STRING] for at in range(0, len(text), LONGEST_STRING)] or [""]
    return " ".join('"' + "".join(map(_zone_character, chunk)) + '"' for chunk in chunks)


def _zone_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\{ord(character):03}"


def shown(rdtype: str, value: str) -> str:
    """Write a value as people enter it: the host of a null MX is a dot (RFC 7505 §3)."""
    return f"{value.strip()} ." if rdtype == "MX" and value.endswith(" ") else value


def _table(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    rows = tuple(
        (relative(one.owner, zone), f"{one.owner}.", one.type, shown(one.type, value), str(one.ttl))
        for one in sets
        for value in one.values
    )
    return Table(("Name", "Full name", "Type", "Value", "TTL"), rows).to_text("table")


def _zone_file(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    lines = [f"$ORIGIN {zone}."]
    for one in sets:
        for value in one.values:
            lines.append(f"{one.owner}. {one.ttl} IN {one.type} {_data(one.type, value)}")
    return "\n".join(lines)


def _data(rdtype: str, value: str) -> str:
    if rdtype == "TXT":
        return quoted(value)
    return value if rdtype in ("A", "AAAA") else f"{value}."


def _octodns(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    """Write what octoDNS' YamlProvider reads: names and keys in order, semicolons escaped, names absolute."""
    names: dict[str, list[dict[str, object]]] = {}
    for one in sets:
        if not one.owner.is_within(zone):
            continue
        name = "" if one.owner == zone else relative(one.owner, zone)
        entry: dict[str, object] = {"ttl": one.ttl, "type": one.type}
        values = [_octodns_value(one.type, value) for value in one.values]
        entry |= {"value": values[0]} if len(values) == 1 else {"values": values}
        names.setdefault(name, []).append(entry)
    document = {
        name: entries[0] if len(entries) == 1 else sorted(entries, key=lambda entry: str(entry["type"]))
        for name, entries in sorted(names.items())
    }
    return "---\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=False, width=4096).rstrip()


def _octodns_value(rdtype: str, value: str) -> object:
    if rdtype == "TXT":
        return value.replace(";", "\\;")
    if rdtype == "MX":
        preference, _, host = value.partition(" ")
        return {"exchange": f"{host}.", "preference": int(preference)}
    return value if rdtype in ("A", "AAAA") else f"{value}."


def _dnscontrol(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    lines = [f"D_EXTEND({json.dumps(zone.ascii)},"]
    for one in sets:
        name = json.dumps(relative(one.owner, zone))
        for value in one.values:
            lines.append(f"  {_dnscontrol_call(one.type, name, value)[:-1]}, TTL({one.ttl})),")
    return "\n".join([*lines, ");"])


def _dnscontrol_call(rdtype: str, name: str, value: str) -> str:
    if rdtype == "MX":
        preference, _, host = value.partition(" ")
        return f"MX({name}, {preference}, {json.dumps(host + '.')})"
    text = value if rdtype in ("TXT", "A", "AAAA") else f"{value}."
    return f"{rdtype}({name}, {json.dumps(text)})"


def _terraform(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    """Write a map that any provider's record resource can take with `for_each`."""
    lines = ["locals {", f"  exo_auth_{zone.ascii.replace('.', '_')} = {{"]
    for one in sets:
        name = relative(one.owner, zone)
        values = ", ".join(_hcl(_terraform_value(one.type, value)) for value in one.values)
        lines += [
            f"    {_hcl(f'{name}/{one.type}')} = {{",
            f"      name   = {_hcl(name)}",
            f"      type   = {_hcl(one.type)}",
            f"      ttl    = {one.ttl}",
            f"      values = [{values}]",
            "    }",
        ]
    return "\n".join([*lines, "  }", "}"])


def _hcl(text: str) -> str:
    """Write a string of the HashiCorp language, in which ${ and %{ begin templates."""
    escaped = "".join(map(_hcl_character, text))
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'


def _hcl_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\u{ord(character):04x}"


def _terraform_value(rdtype: str, value: str) -> str:
    return value if rdtype in ("TXT", "A", "AAAA") else f"{value}."


def _azure(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    lines = ["# Az.Dns; -Overwrite replaces a whole set: the values of others in it are listed here too."]
    for one in sets:
        configs = ", ".join(_azure_config(one.type, value) for value in one.values)
        lines.append(
            f"New-AzDnsRecordSet -ZoneName {_single(zone.ascii)} -ResourceGroupName $resourceGroup "
            f"-Name {_single(relative(one.owner, zone))} -RecordType {one.type} -Ttl {one.ttl} "
            f"-DnsRecords @({configs}) -Overwrite"
        )
    return "\n".join(lines)


def _azure_config(rdtype: str, value: str) -> str:
    if rdtype == "TXT":
        return f"(New-AzDnsRecordConfig -Value {_single(value)})"
    if rdtype == "MX":
        preference, _, host = value.partition(" ")
        return f"(New-AzDnsRecordConfig -Preference {preference} -Exchange {_single(host or '.')})"
    if rdtype == "CNAME":
        return f"(New-AzDnsRecordConfig -Cname {_single(value)})"
    return f"(New-AzDnsRecordConfig -Ipv{4 if rdtype == 'A' else 6}Address {_single(value)})"


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _csv(zone: DomainName, sets: Sequence[RecordSet]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("zone", "name", "full_name", "type", "value", "ttl"))
    for one in sets:
        for value in one.values:
            writer.writerow(
                (
                    zone.ascii,
                    relative(one.owner, zone),
                    one.owner.ascii,
                    one.type,
                    shown(one.type, value),
                    one.ttl,
                )
            )
    return out.getvalue().rstrip("\n")


def _letter(zone: DomainName, sets: Sequence[RecordSet], notes: tuple[str, ...], host: DnsHost | None) -> str:
    """Write to whoever runs the DNS."""
    lines = [
        f"Please publish these records in the zone {zone.unicode}, in this order.",
        "Names are relative to the zone (“@” is the zone itself); values are to be entered without quotes.",
        "Other records of the same name and type stay as they are.",
    ]
    if host is not None:
        lines.append(f"The zone is at {host.name}: {host.hint}.")
    for number, one in enumerate(sets, start=1):
        lines += ["", f"{number}. Name   {relative(one.owner, zone)}", f"   Type   {one.type}"]
        lines += [f"   Value  {shown(one.type, value)}" for value in one.values]
        lines.append(f"   TTL    {one.ttl} seconds")
    return "\n".join([*lines, "", *(f"Note: {note}" for note in notes)]).rstrip()


FORMS: dict[str, Callable[[DomainName, Sequence[RecordSet]], str]] = {
    "table": _table,
    "zone": _zone_file,
    "octodns": _octodns,
    "dnscontrol": _dnscontrol,
    "terraform": _terraform,
    "azure": _azure,
    "csv": _csv,
    "text": lambda zone, sets: _letter(zone, sets, (), None),
    "json": lambda zone, sets: to_text(sets_document(zone, sets, (), None)),
}
FILE_ENDINGS = {  # octoDNS finds a zone by the name of its file: zone and `.yaml`
    "table": ".txt",
    "zone": ".zone",
    "octodns": ".yaml",
    "dnscontrol": ".js",
    "terraform": ".tf",
    "azure": ".ps1",
    "csv": ".csv",
    "text": ".txt",
    "json": ".json",
}
