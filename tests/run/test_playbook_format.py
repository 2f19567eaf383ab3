"""docs/PLAYBOOKS.md names every key of the schema and no other, with its words, its default, and an example that can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exo_auth.run.playbook_keys import VERSION
from exo_auth.run.playbook_reader import parse_playbook
from exo_auth.run.playbook_schema import playbook_schema

TEXT = (Path(__file__).parents[2] / "docs" / "PLAYBOOKS.md").read_text(encoding="utf-8")
SCHEMA = playbook_schema()
KINDS = {one["properties"]["do"]["const"]: one for one in SCHEMA["properties"]["stages"]["items"]["oneOf"]}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def table(heading: str) -> list[list[str]]:
    """The cells of the rows below a heading, code marks left in."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def plain(cell: str) -> str:
    return "" if cell == "–" else cell.strip("`")


TOP, STAGE = table("The file"), table("A stage")
TOLD = [row for row in table("What a stage does")[1:] if row[1] != "–"]


def words_of(shape: dict[str, Any]) -> set[str]:
    """All words that a value may be, none where any text will do."""
    if "const" in shape:
        return {str(shape["const"])}
    if "enum" in shape:
        return set(shape["enum"])
    if "pattern" in shape and shape["pattern"].startswith("^(["):
        return {
            word.lower()
            for word in re.findall(r"\[.(.)\]([a-z-]+)", shape["pattern"])
            for word in ["".join(word)]
        }
    return set().union(*(words_of(one) for one in shape.get("anyOf", ())))


def names(rows: list[list[str]], column: int = 0) -> set[str]:
    return {plain(row[column]) for row in rows}


def test_every_key_of_the_schema_is_named_and_the_reverse() -> None:
    assert names(TOP) == SCHEMA["properties"].keys()
    assert names(STAGE) == set().union(*(one["properties"] for one in KINDS.values()))
    assert names(table("What a stage does")[1:]) == KINDS.keys()
    told = {(plain(row[0]), plain(row[1])) for row in TOLD}
    assert told == {(do, key) for do, one in KINDS.items() for key in one["properties"]["with"]["properties"]}


def shape_of(row: list[str]) -> dict[str, Any]:
    shape: dict[str, Any] = KINDS[plain(row[0])]["properties"]["with"]["properties"][plain(row[1])]
    return shape


@pytest.mark.parametrize("row", TOLD, ids=lambda row: f"{plain(row[0])}-{plain(row[1])}")
def test_what_a_stage_takes(row: list[str]) -> None:
    do, key, kind, default, example, _ = row
    shape = shape_of(row)
    assert set(re.findall(r"`([^`]+)`", kind)) == words_of(shape)
    is_list = "maxItems" not in str(shape) and "anyOf" in shape
    assert kind.startswith("list") == is_list
    assert (kind == "duration") == ("pattern" in shape)
    if plain(default) != "all of them" and default.startswith(("`", "–")):
        assert plain(default) == shape.get("default", "")
    value = yaml.safe_load(example.strip("`"))
    assert set(value) == {plain(key)}
    needed = KINDS[plain(do)]["properties"]["with"]["required"]
    assert (plain(key) in needed) == (default == "must be given")
    others = {"partners": ["fabrikam.com"]} if needed else {}
    check({"version": 1, "stages": [{"do": plain(do), "with": others | value}]})


def test_the_keys_of_the_file_and_of_a_stage() -> None:
    for key, _, _, example, _ in TOP:
        value = yaml.safe_load(example.strip("`"))
        assert set(value) == {plain(key)}
        check({"version": 1, "do": "all"} | value if key != "`stages`" else {"version": 1} | value)
    for key, _, _, example, _ in STAGE:
        value = yaml.safe_load(example.strip("`"))
        assert set(value) == {plain(key)}
        stage = {"do": "publish"} | value
        check({"version": 1, "tags": {"parked": ["old.example"]}, "stages": [stage]})
    gates = next(row for row in STAGE if row[0] == "`gate`")[1]
    assert set(re.findall(r"`([^`]+)`", gates)) == words_of(KINDS["publish"]["properties"]["gate"])
    verbs = next(row for row in TOP if row[0] == "`do`")[1]
    assert set(re.findall(r"`([^`]+)`", verbs)) == words_of(SCHEMA["properties"]["do"])


def check(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)
    parse_playbook(yaml.safe_dump(document), "example")


def test_the_first_example_and_the_version() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    VALIDATOR.validate(yaml.safe_load(example))
    playbook = parse_playbook(example, "example", {"rua": "mailto:d@contoso.com"})
    assert [stage.name for stage in playbook.stages] == ["records", "keys", "stricter"]
    assert TEXT.startswith(f"# Playbook files, version {VERSION}\n")
    assert SCHEMA["$id"].endswith(f"/{VERSION}")
