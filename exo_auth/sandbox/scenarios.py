"""Tenants to start with (sandbox)."""

from __future__ import annotations

from datetime import timedelta

from exo_auth.errors import InputError
from exo_auth.sandbox.dkim_state import DomainSpec

INITIAL = "contoso.onmicrosoft.com"
DAY = timedelta(days=1)

_INITIAL = DomainSpec(INITIAL, listed=False, cnames="none", initial=True)

DEMO = (
    _INITIAL,
    DomainSpec("contoso.mail.onmicrosoft.com", listed=False, cnames="none", coexistence=True),
    DomainSpec("fresh.example", age=20 * DAY, default=True, dmarc="reject", policy="enforce"),
    DomainSpec("rotate-me.example", age=200 * DAY, letter="w"),
    DomainSpec("old-keys.example", age=400 * DAY, new_target_form=False),
    DomainSpec("pending.example", age=1 * DAY, rotated=True, letter="e"),
    DomainSpec("mended.example", age=190 * DAY, cnames="selector1", letter="r"),
    DomainSpec("new.example", listed=False, cnames="none", letter="y", spf="", dmarc=""),
    DomainSpec("short.example", age=30 * DAY, key_sizes=(1024, 1024), suffix="01be2e"),
)

# Three domains without Exchange Online's records: one whose newsletters another sender mails already, one that is to be parked.
ONBOARDING = (
    _INITIAL,
    DomainSpec(
        "shop.example", listed=False, cnames="none", letter="k", spf="v=spf1 ip4:198.51.100.25 ~all", dmarc=""
    ),
    DomainSpec("brand.example", listed=False, cnames="none", spf="", dmarc=""),
    DomainSpec("moved.example", listed=False, cnames="none", letter="t", spf="", dmarc=""),
)
NAMED = {"demo": DEMO, "empty": (_INITIAL,), "onboarding": ONBOARDING}
WORDS = f"{', '.join(NAMED)}, steady:N or due:N"


def domains_of(scenario: str) -> tuple[DomainSpec, ...]:
    """Give the domains of a name in NAMED, of `steady:N` or `due:N`; raises InputError."""
    if scenario in NAMED:
        return NAMED[scenario]
    name, _, count = scenario.partition(":")
    if name in ("steady", "due") and count.isdecimal() and 0 < int(count) <= 20000:
        age = 20 * DAY if name == "steady" else 200 * DAY
        return (
            _INITIAL,
            *(DomainSpec(f"d{number:04}.example", age=age) for number in range(1, int(count) + 1)),
        )
    raise InputError(f"there is no scenario “{scenario}”", hint=f"{WORDS} with N up to 20000")
