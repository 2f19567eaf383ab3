from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from exo_auth.checks.gates import Gate
from exo_auth.errors import ConfigError, InputError
from exo_auth.run.playbook import read_playbook, shipped
from exo_auth.run.playbook_keys import VERBS
from exo_auth.run.playbook_reader import parse_playbook
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
    assert playbook.stages[1].values == {
        "partners": ("a.example", "b.example"),
        "mode": ("Audit",),
        "verify": ("encryption",),  # the defaults of what was not told
        "weaken": ("never",),
    }
    assert playbook.excepted == ("old.example",)


def test_the_schema_takes_what_the_reader_takes() -> None:
    validator = jsonschema.Draft202012Validator(playbook_schema())
    for path in shipped().values():
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    for text, _, reason in WRONG[:-3]:
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
    ("version: 1\nstages: [{do: dane, gate: dkim-enabel}]\n", "p:2:27: there is no gate", "a gate"),
    ("version: 1\nstages: [{do: dane, gate: [spf, x]}]\n", "p:2:33: there is no gate", "one of two gates"),
    ("version: 1\nstages: [{do: dane, after: 2x}]\n", "p:2:28: ", "a duration that is none"),
    (
        "version: 1\nstages: [{do: dane, domain: all}]\n",
        "p:2:21: “domain” is no key",
        "a slip in a stage's key",
    ),
    (
        "version: 1\nstages: [{do: enforce-tls, domains: all}]\n",
        "p:2:28: “enforce-tls” is about others",
        "domains for what is about partners",
    ),
    (
        "version: 1\nstages: [{do: advance-dmarc, with: {to: rejct}}]\n",
        "p:2:41: “to” cannot be “rejct”",
        "a word that is none",
    ),
    ("version: 1\nstages: [{do: advance-dmarc, with: {observe: 30}}]\n", "p:2:46: ", "30 of what"),
    (
        "version: 1\nstages: [{do: advance-dmarc, with: {to: [none, reject]}}]\n",
        "p:2:41: “to” is one value",
        "two values, of which one would be overlooked",
    ),
    ("version: 1\nstages: [{do: enforce-tls}]\n", "p:2:10: “partners” names nobody", "with nobody"),
    (
        "version: 1\nstages: [{do: enforce-tls, with: {mode: Audit}}]\n",
        "p:2:10: “partners” names nobody",
        "nor here",
    ),
    ("version: 1\ndo: rotate\ntags: [a]\n", "p:3:7: tags must be a mapping", "tags in a list"),
    ("version: 1\ndo: rotate\ntags: {a: b}\n", "p:3:11: the tag a must be a list", "a tag's text"),
    ("version: 1\ndo: rotate\ntags: {a: ['@b']}\n", "p:3:12: the tag a must hold", "tags in tags"),
    ("version: 1\ndo: rotate\ntags: {'a b': [c]}\n", "p:3:15: “a b” is no name", "a tag with a blank"),
    ("version: 1\ndo: rotate\nvariables: {Rua: x}\n", "p:3:13: “Rua” is no name", "a variable's name"),
    # What no schema can tell:
    ("version: 1\nstages: [{do: dane}, {do: dane}]\n", "p:2:22: two stages are called “dane”", "names"),
    ("version: 1\ndo: rotate\ndomains: [@x]\n", "p:3:11: not YAML", "a tag without quotes"),
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
    (
        "domains: ['${x}']\nvariables: {x: }\nstages: [{do: park}]",
        {"x": ""},
        "“domains” names nobody",
        "an empty list is not all",
    ),
    (
        "variables: {x: }\nstages: [{do: enforce-tls, with: {partners: '${x}'}}]",
        {"x": ""},
        "“partners” names nobody",
        "nor are no partners all in order",
    ),
    (
        "variables: {x: }\nstages: [{do: park, domains: ['${x}']}]",
        {"x": " , "},
        "“domains” names nobody",
        "nor is it in a stage",
    ),
    (
        "stages: [{do: publish, with: {rua: '${Rua}'}}]",
        {},
        "no variable “Rua”",
        "nothing is left as it stands",
    ),
]


@pytest.mark.parametrize(("text", "given", "part", "reason"), UNFIT, ids=[row[3] for row in UNFIT])
def test_variables_that_do_not_fit(text: str, given: dict[str, str], part: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_playbook(f"version: 1\n{text}\n", "p", given)
    assert part in str(caught.value), reason


STAGED = """version: 1
domains: all
except: ["@parked"]
tags: {parked: [old.example], ring=canary: ["*.test"]}
variables: {pause: 14d}
stages:
  - do: rotate
  - {name: canary, do: publish, domains: [tag:ring=canary], except: [b.test], gate: [spf, dkim-rotate], after: "${pause}"}
"""


def test_a_stage_for_some_domains_behind_gates_and_time() -> None:
    playbook = parse_playbook(STAGED, "p")
    assert (playbook.domains, playbook.excepted) == (("all",), ("@parked",))
    assert playbook.tags == {"parked": ("old.example",), "ring=canary": ("*.test",)}
    stage = playbook.stages[1]
    assert (stage.domains, stage.excepted) == (("tag:ring=canary",), ("b.test",))
    assert stage.gates == (Gate.SPF, Gate.DKIM_ROTATE)
    assert stage.after == timedelta(days=14)
    assert jsonschema.Draft202012Validator(playbook_schema()).is_valid(yaml.safe_load(STAGED))


def test_a_tag_that_nobody_gives_has_a_place_and_a_neighbour() -> None:
    playbook = parse_playbook("version: 1\ndo: rotate\nexcept:\n  - '@parkd'\n", "p")
    with pytest.raises(ConfigError) as caught:
        playbook.every_tag({"parked": ("old.example",)})
    assert str(caught.value).startswith("p:4:5: there is no tag “parkd”")
    assert caught.value.hint == "did you mean @parked?"
    own = parse_playbook("version: 1\ndo: rotate\nexcept: ['@p']\ntags: {p: [x.example]}\n", "p")
    assert own.every_tag({"p": ("y.example",)})["p"] == ("x.example",), "the playbook's own come first"
