"""`Switches`: what nobody has documented about the service, each guess as a choice (sandbox)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

from exo_auth.errors import InputError

CHOICES: dict[str, tuple[str, ...]] = {
    "empty_write_body": ("empty", "list"),
    "unknown_identity": ("all", "empty_object", "none", "not_found"),
    "selector_case": ("lower", "capital"),
    "paging": ("normal", "stale"),
    "not_found_status": ("404", "400"),
    "rotation_in_window": ("refused", "swaps"),
    "domain_without_keys": ("absent", "listed"),
    "connector_filters": ("docs", "live"),
}


@dataclass(frozen=True)
class Switches:
    """One field for each guess; the default is the likeliest."""

    empty_write_body: str = "empty"  # a write answers 200 without a body, or with value: []
    unknown_identity: str = "all"  # what Get-DkimSigningConfig answers to a domain it does not have
    selector_case: str = "lower"  # selector1 or Selector1 in the two rotation fields
    blank_cnames_in_window: bool = False  # does Get blank the CNAME fields while a rotation is pending?
    nul_403_gzip: bool = True  # is the 403 of zero bytes declared as gzip?
    hidden_initial_new_refused: bool = True  # does New refuse the initial domain?
    not_found_status: str = "404"  # HTTP status of a missing object
    rotation_in_window: str = "refused"  # or does a second Rotate within 96 hours swap again?
    domain_without_keys: str = "absent"  # or is it listed with the status NoDKIMKeys?
    paging: str = "normal"  # or is every paging link refused?
    new_enabled_warns: bool = True  # New -Enabled without CNAMEs: object and warning, or an error?
    connector_filters: str = "docs"  # does Get-OutboundConnector hide scoped and test connectors by default?
    nested_needs_full: bool = True  # do nested results come only with X-SerializationLevel: Full?
    anchor_needed: bool = False  # is a request without X-AnchorMailbox refused?
    negative_cache_minutes: int = 30  # how long Exchange remembers an absent CNAME

    @property
    def negative_cache(self) -> timedelta:
        """The time Exchange remembers an absent CNAME."""
        return timedelta(minutes=self.negative_cache_minutes)

    @classmethod
    def parse(cls, texts: tuple[str, ...]) -> Switches:
        """Read `name=value` texts; raises InputError with the names and values there are."""
        values: dict[str, object] = {}
        kinds = {field.name: field.type for field in fields(cls)}
        for text in texts:
            name, _, value = text.partition("=")
            name = name.strip().replace("-", "_")
            if name not in kinds:
                raise InputError(f"there is no switch “{name}”", hint=f"one of {', '.join(kinds)}")
            values[name] = _value(name, value.strip(), str(kinds[name]))
        return cls(**values)  # type: ignore[arg-type]  # _value has read each by the field's type


def _value(name: str, text: str, kind: str) -> object:
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise InputError(f"the switch {name} is true or false, not “{text}”")
        return text.lower() == "true"
    if kind == "int":
        if not text.isdecimal():
            raise InputError(f"the switch {name} is a number, not “{text}”")
        return int(text)
    if text not in CHOICES[name]:
        raise InputError(f"the switch {name} cannot be “{text}”", hint=f"one of {', '.join(CHOICES[name])}")
    return text
