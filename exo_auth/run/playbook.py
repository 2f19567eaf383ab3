"""Playbooks: what is wanted for which domains, as a YAML file, by path or by the name of one that ships (run)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from exo_auth.checks.gates import Gate
from exo_auth.errors import ConfigError, InputError
from exo_auth.plan.selection import Tags, nearest_tag
from exo_auth.run.config_schema import nearest

SUFFIX = ".yaml"


@dataclass(frozen=True)
class Place:
    """Where something stands in a file; line and column are 1-based."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Stage:
    """One step of a playbook: `do` is a key of WITH, `values` what it was told, as texts, defaults put in.

    It is for those of the playbook's domains that `domains` meets (empty: all) and `excepted` does not. Its changes
    wait until the `gates` are open, and until `after` has passed since the domain was through the stages before.
    """

    name: str
    do: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    domains: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    after: timedelta | None = None

    def value(self, key: str) -> str:
        """Give the value of a key, "" where it has none."""
        return next(iter(self.values.get(key, ())), "")


@dataclass(frozen=True)
class Playbook:
    """What is wanted for which domains. `verb` is that of a playbook of one DKIM step, "" where there are stages.

    `policy` holds values for keys of the settings table, as texts; `domains` and `excepted` are names, globs, tags
    or `all`. `tag_places` says where each tag is used.
    """

    verb: str
    domains: tuple[str, ...]
    policy: Mapping[str, str] = field(default_factory=dict)
    excepted: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    tags: Tags = field(default_factory=dict)
    tag_places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The stages; a playbook of one DKIM step has one."""
        return self.stages or (Stage(self.verb, self.verb),)

    def until(self, name: str) -> Playbook:
        """Leave out the stages after that one; raises InputError for a name that is none."""
        names = [stage.name for stage in self.steps]
        if name not in names:
            near = nearest(name, names)
            raise InputError(
                f"there is no stage “{name}”",
                hint=f"did you mean {near}?" if near else f"one of {', '.join(names)}",
            )
        return replace(self, stages=self.steps[: names.index(name) + 1])

    def every_tag(self, configured: Tags) -> Tags:
        """Lay the playbook's tags over those of the configuration; raises ConfigError for one that is used and none."""
        known = {**configured, **self.tags}
        for tag, place in self.tag_places.items():
            if tag not in known:
                raise ConfigError(
                    f"there is no tag “{tag}”",
                    file=place.file,
                    line=place.line,
                    column=place.column,
                    hint=nearest_tag(tag, known),
                )
        return known


def shipped() -> dict[str, Path]:
    """Give the playbooks that ship with the package, by name."""
    package = Path(str(files("exo_auth")))
    inside = package / "playbooks"
    # The wheel has them inside the package; in a checkout they stand beside it.
    folder = inside if inside.is_dir() else package.parent / "playbooks"
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def playbook_text(name: str) -> tuple[str, str]:
    """Give the text of a playbook and where it lies, by path or name; raises InputError."""
    known = shipped()
    path = known.get(name) or Path(name)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError):
        near = nearest(name, known)
        raise InputError(
            f"there is no playbook “{name}”, neither by that name nor as a file",
            hint=f"did you mean {near}?" if near else f"those that ship: {', '.join(known)}",
        ) from None


def read_playbook(name: str, given: Mapping[str, str] | None = None) -> Playbook:
    """Read a playbook by path or name; raises InputError, or ConfigError with line and column."""
    from exo_auth.run.playbook_reader import parse_playbook

    text, file = playbook_text(name)
    return parse_playbook(text, file, given)
