"""Which domains of the tenant a command works on (plan, pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from exo_auth.checks.domains import MANAGED_KINDS, ClassifiedDomain, DomainKind
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError

EVERY = "all"  # the word for all managed domains; no domain of one label is ever accepted by a tenant
NOBODY = "none"
TAG_SIGNS = (
    "@",
    "tag:",
)  # PowerShell and YAML read a bare @ themselves: there the second form needs no quotes

Tags = Mapping[str, Sequence[str]]  # names and globs of domains by the tag they have, without its sign
NO_TAGS: Tags = {}


def choose(
    domains: Sequence[ClassifiedDomain],
    patterns: Sequence[str],
    ignore: Iterable[str] = (),
    tags: Tags = NO_TAGS,
    kinds: frozenset[DomainKind] = MANAGED_KINDS,
) -> tuple[DomainName, ...]:
    """Choose domains by name, glob, tag (`@parked`, `tag:parked`), `all` or `none`; no pattern means all of the kinds.

    By default those are the managed ones. A glob takes domains of the kinds only. A name takes any accepted domain,
    because whoever spells it out means it. Raises InputError for a name the tenant does not accept, a tag that is
    none, and a glob that meets nothing.
    """
    names = [domain.name for domain in domains if domain.kind in kinds]
    ignored = matching(names, domains, tuple(ignore), tags, is_strict=False)
    managed = [name for name in names if name not in ignored]
    chosen: set[DomainName] = set()
    for pattern in patterns or (EVERY,):
        if tag_of(pattern) is not None:
            tagged = with_tags_resolved([pattern], tags)
            chosen.update(*(_one(part, managed, domains, may_be_nothing=True) for part in tagged))
        else:
            chosen.update(_one(pattern, managed, domains, may_be_nothing=not patterns))
    return tuple(sorted(chosen))


def matching(
    names: Iterable[DomainName],
    domains: Sequence[ClassifiedDomain],
    patterns: Sequence[str],
    tags: Tags = NO_TAGS,
    *,
    is_strict: bool = True,
) -> frozenset[DomainName]:
    """Give those of the names that a pattern meets: a filter, for which a glob that meets nothing is no mistake.

    Raises InputError for a tag that is none, and, when strict, for a name that the tenant does not accept: an
    exception that is misspelled would except nothing.
    """
    found: set[DomainName] = set()
    candidates = list(names)
    for pattern in with_tags_resolved(patterns, tags):
        if is_strict and not _is_glob(pattern):
            found.update(name for name in _by_name(pattern, domains) if name in candidates)
        else:
            found.update(_by_glob(pattern, candidates))
    return frozenset(found)


def with_tags_resolved(patterns: Iterable[str], tags: Tags) -> tuple[str, ...]:
    """Put the names and globs of each tag in its place; raises InputError for one that is none."""
    found: list[str] = []
    for pattern in patterns:
        tag = tag_of(pattern)
        if tag is None:
            found.append(pattern)
        elif tag in tags:
            found.extend(tags[tag])
        else:
            raise InputError(f"there is no tag “{pattern}”", hint=nearest_tag(tag, tags))
    return tuple(found)


def tag_of(pattern: str) -> str | None:
    """Give the tag that a pattern names, None for names and globs."""
    text = pattern.strip()
    return next((text.removeprefix(sign) for sign in TAG_SIGNS if text.startswith(sign)), None)


def nearest_tag(tag: str, tags: Tags) -> str:
    """Say which tag was probably meant, or which there are."""
    near = difflib.get_close_matches(tag, list(tags), n=1)
    if near:
        return f"did you mean {TAG_SIGNS[0]}{near[0]}?"
    known = ", ".join(f"{TAG_SIGNS[0]}{one}" for one in sorted(tags))
    return f"there are {known}" if known else "tags are given under “tags:” of the configuration or playbook"


def _is_glob(pattern: str) -> bool:
    return pattern.strip() in (EVERY, NOBODY) or any(char in pattern for char in "*?[")


def _one(
    pattern: str, managed: list[DomainName], domains: Sequence[ClassifiedDomain], *, may_be_nothing: bool
) -> list[DomainName]:
    if not _is_glob(pattern):
        return _by_name(pattern, domains)
    found = _by_glob(pattern, managed)
    if not found and not may_be_nothing and pattern.strip() not in ("*", EVERY, NOBODY):
        raise InputError(
            f"no managed domain of the tenant matches “{pattern}”", hint="exo-auth domain list shows them all"
        )
    return found


def _by_glob(pattern: str, names: list[DomainName]) -> list[DomainName]:
    wanted = pattern.strip().lower()
    wanted = "*" if wanted == EVERY else wanted
    return [name for name in names if fnmatchcase(name.ascii, wanted) or fnmatchcase(name.unicode, wanted)]


def _by_name(text: str, domains: Sequence[ClassifiedDomain]) -> list[DomainName]:
    name = DomainName.parse(text)
    if any(domain.name == name for domain in domains):
        return [name]
    near = difflib.get_close_matches(name.ascii, [domain.name.ascii for domain in domains], n=1)
    raise InputError(
        f"{name} is not an accepted domain of this tenant",
        hint=f"did you mean {near[0]}?" if near else "exo-auth domain list shows the accepted domains",
    )


def choose_named(names: Sequence[DomainName], patterns: Sequence[str]) -> tuple[DomainName, ...]:
    """Choose among names, in their order, by name or glob; raises InputError for a pattern that meets nothing."""
    if not patterns:
        return tuple(names)
    chosen: set[DomainName] = set()
    for pattern in patterns:
        wanted = pattern.strip().lower().removesuffix(".")
        found = [n for n in names if fnmatchcase(n.ascii, wanted) or fnmatchcase(n.unicode, wanted)]
        if not found:
            near = difflib.get_close_matches(wanted, [n.ascii for n in names], n=1)
            raise InputError(
                f"“{pattern}” is not among the {len(names)} domains there",
                hint=f"did you mean {near[0]}?" if near else None,
            )
        chosen.update(found)
    return tuple(name for name in names if name in chosen)
