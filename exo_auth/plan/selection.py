"""Which domains of the tenant a command works on (plan, pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from exo_auth.checks.domains import ClassifiedDomain
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError


def choose(
    domains: Sequence[ClassifiedDomain], patterns: Sequence[str], ignore: Iterable[str] = ()
) -> tuple[DomainName, ...]:
    """Choose domains by name or glob; no pattern means all that are managed.

    A glob takes managed domains only. A name takes any accepted domain, because whoever spells it out means it.
    Raises InputError for a name the tenant does not accept, and for a glob that meets nothing.
    """
    ignored = tuple(pattern.lower() for pattern in ignore)
    managed = [
        domain.name
        for domain in domains
        if domain.is_managed and not any(fnmatchcase(domain.name.ascii, pattern) for pattern in ignored)
    ]
    chosen: set[DomainName] = set()
    for pattern in patterns or ("*",):
        chosen.update(
            _by_glob(pattern, managed, is_default=not patterns)
            if any(char in pattern for char in "*?[")
            else _by_name(pattern, domains)
        )
    return tuple(sorted(chosen))


def _by_glob(pattern: str, managed: list[DomainName], *, is_default: bool) -> list[DomainName]:
    wanted = pattern.strip().lower()
    found = [name for name in managed if fnmatchcase(name.ascii, wanted) or fnmatchcase(name.unicode, wanted)]
    if not found and wanted != "*" and not is_default:
        raise InputError(
            f"no managed domain of the tenant matches “{pattern}”", hint="exo-auth domain list shows them all"
        )
    return found


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
