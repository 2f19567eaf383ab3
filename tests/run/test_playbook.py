from pathlib import Path

import jsonschema
import pytest
import yaml

from exo_auth.errors import InputError
from exo_auth.run.playbook import VERBS, parse_playbook, read_playbook, shipped
from exo_auth.run.playbook_schema import playbook_schema

VARIABLES = {
    "onboard-tenant": {"rua": "mailto:d@x.example", "tls_rua": "mailto:t@x.example"},
    "enforce-tls": {"partners": "a.example, b.example"},
    "park-domain": {"domains": "old.example"},
}


def test_those_that_ship_can_be_read_and_explain_themselves() -> None:
    assert {"rotate-dkim", "enable-dkim"} <= shipped().keys()
    for name, path in shipped().items():
        playbook = read_playbook(name, VARIABLES.get(name))
        assert playbook.verb in VERBS or playbook.stages
        assert path.read_text(encoding="utf-8").startswith(f"# {name}: ")


def test_one_is_read_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("version: 1\ndo: rotate\ndomains: [a.com, '*.b.com']\npolicy: {max_key_age: 90d}\n")
    playbook = read_playbook(str(file))
    assert (playbook.verb, playbook.domains) == ("rotate", ("a.com", "*.b.com"))
    assert playbook.policy == {"policy.dkim.max_key_age": "90d"}


def test_stages_variables_and_exceptions() -> None:
    text = (
        "version: 1\nvariables:\n  who:\n  mode: Audit\ndomains: ['*']\nexcept: [old.example]\nstages:\n"
        "  - do: rotate\n  - {name: partners, do: enforce-tls, with: {partners: '${who}', mode: '${mode}'}}\n"
    )
    playbook = parse_playbook(text, "p", {"who": "a.example,b.example"})
    assert [(stage.name, stage.do) for stage in playbook.stages] == [
        ("rotate", "rotate"),
        ("partners", "enforce-tls"),
    ]
    assert playbook.stages[1].values == {"partners": ("a.example", "b.example"), "mode": ("Audit",)}
    assert playbook.excepted == ("old.example",)


def test_the_schema_takes_what_the_reader_takes() -> None:
    validator = jsonschema.Draft202012Validator(playbook_schema())
    for path in shipped().values():
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    for text, _, reason in WRONG[:-1]:
        assert not validator.is_valid(yaml.safe_load(text)), reason


WRONG = [  # text, message, reason
    ("do: rotate\n", "p:1:1: the version must be 1", "no version"),
    ("version: 2\ndo: rotate\n", "p:1:10: the version must be 1", "a version of the future"),
    ("version: 1\n", "p:1:1: “do” says", "nothing to do"),
    ("version: 1\ndo: tea\n", "p:2:5: “do” says", "a verb there is not"),
    ("version: 1\ndo: rotate\ndomain: []\n", "p:3:1: “domain” is no key here", "a slip"),
    ("version: 1\ndo: rotate\ndomains: x\n", "p:3:10: “domains” is a list", "a text in place of a list"),
    (
        "version: 1\ndo: rotate\npolicy:\n  max_age: 1d\n",
        "p:4:3: “max_age” is no key here",
        "a slip deeper down",
    ),
    (
        "version: 1\ndo: rotate\npolicy: 3\n",
        "p:3:9: here stands a number where keys belong",
        "a number for keys",
    ),
    ("version: 1\ndo: rotate\nstages: [{do: dane}]\n", "p:2:5: “do” and “stages” exclude", "both"),
    ("version: 1\nstages: x\n", "p:2:9: “stages” is a list", "a text for stages"),
    (
        "version: 1\nstages: [{do: danes}]\n",
        "p:2:15: “do” says what the stage does",
        "a slip in a stage",
    ),
    (
        "version: 1\nstages: [{do: dane, with: {rua: x}}]\n",
        "p:2:28: “rua” is no key here",
        "what a stage does not take",
    ),
    ("[", "p:1:2", "not YAML"),
]


@pytest.mark.parametrize(("text", "message", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_mistakes_have_a_place(text: str, message: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_playbook(text, "p")
    assert str(caught.value).startswith(message), reason


def test_an_unknown_name_has_a_neighbour() -> None:
    with pytest.raises(InputError) as caught:
        read_playbook("rotate-dkm")
    assert caught.value.hint == "did you mean rotate-dkim?"
    with pytest.raises(InputError) as caught:
        read_playbook("zzz")
    assert "rotate-dkim" in (caught.value.hint or "")


UNFIT = [
    ("stages: [{do: dane}]", {"x": "1"}, "no variable “x”", "a value for nothing"),
    ("variables: {x: }\nstages: [{do: dane}]", {}, "“x” has no value", "a variable without a value"),
    ("stages: [{do: publish, with: {rua: '${r}'}}]", {}, "no variable “r”", "a variable that is none"),
]


@pytest.mark.parametrize(("text", "given", "part", "reason"), UNFIT, ids=[row[3] for row in UNFIT])
def test_variables_that_do_not_fit(text: str, given: dict[str, str], part: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_playbook(f"version: 1\n{text}\n", "p", given)
    assert part in str(caught.value), reason
