"""Whose sign-in the token cache holds, and how it is forgotten; without the network (identity)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Person:
    """Somebody whose sign-in is stored."""

    user_name: str
    tenant_id: str


def stored_people(cache: Any) -> tuple[Person, ...]:
    """List who is signed in, without the network."""
    accounts = cache.search(cache.CredentialType.ACCOUNT) if cache is not None else ()
    people = {Person(str(one.get("username") or ""), str(one.get("realm") or "")) for one in accounts}
    return tuple(sorted(people, key=lambda one: (one.user_name, one.tenant_id)))


def forget_people(cache: Any) -> tuple[Person, ...]:
    """Remove every stored sign-in of people, and name them; applications' tokens stay."""
    if cache is None:
        return ()
    gone = stored_people(cache)
    kinds = cache.CredentialType
    removers = (
        (kinds.REFRESH_TOKEN, cache.remove_rt),
        (kinds.ACCESS_TOKEN, cache.remove_at),
        (kinds.ID_TOKEN, cache.remove_idt),
        (kinds.ACCOUNT, cache.remove_account),
    )
    for kind, remove in removers:
        for entry in list(cache.search(kind)):
            if entry.get("home_account_id"):  # a person's; an application's tokens have none
                remove(entry)
    return gone
