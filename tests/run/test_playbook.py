from pathlib import Path

import pytest

from exo_auth.errors import InputError
from exo_auth.run.playbook import VERBS, parse_playbook, read_playbook, shipped


def test_those_that_ship_can_be_read_and_explain_themselves() -> None:
    assert {"rotate-dkim", "enable-dkim"} <= shipped().keys()
    for name, path in shipped().items():
        assert read_playbook(name).verb in VERBS
        assert path.read_text(encoding="utf-8").startswith(f"# {name}: ")


def test_one_is_read_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("version: 1\ndo: rotate\ndomains: [a.com, '*.b.com']\npolicy: {max_key_age: 90d}\n")
    playbook = read_playbook(str(file))
    assert (playbook.verb, playbook.domains) == ("rotate", ("a.com", "*.b.com"))
    assert playbook.policy == {"policy.dkim.max_key_age": "90d"}


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
