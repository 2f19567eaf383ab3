"""Transport rules: the five cmdlets, dense priorities, and rows of 200 fields (sandbox)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from exo_auth.sandbox.named_objects import NamedObjects, ask
from exo_auth.sandbox.refusal import invalid, not_found
from exo_auth.sandbox.rows import FOREST, date_text
from exo_auth.sandbox.transport_rule_fields import (
    ACTIONS,
    BOOLEANS,
    CONTENT,
    GROUPS,
    NO_ACTIONS,
    PAIRS,
    PREDICATES,
    SETTINGS,
)

MOST_RULES = 300  # of a tenant, documented
LONGEST_COMMENT = 1024  # characters

_CLASSES = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks"
_DEFAULTS: dict[str, Any] = {
    "State": "Enabled",
    "Mode": "Enforce",
    "RuleErrorAction": "Ignore",
    "SenderAddressLocation": "Header",
    "Comments": None,
    "ActivationDate": None,
    "ExpiryDate": None,
}


class TransportRules:
    """The rules of a tenant in their order.

    `is_scoped` tells whether a connector of that name may be a rule's, `is_accepted` whether a domain is the tenant's:
    groups are taken for there when their address is at one.
    """

    def __init__(
        self, initial_domain: str, is_scoped: Callable[[str], bool], is_accepted: Callable[[str], bool]
    ) -> None:
        self.objects = NamedObjects("transport rule")
        self._initial_domain = initial_domain
        self._is_scoped = is_scoped
        self._is_accepted = is_accepted

    def run(self, cmdlet: str, values: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
        """Run one of the cmdlets; gives rows; raises Refused or NeedsConfirmation."""
        if cmdlet == "Get-TransportRule":
            return self._get(values)
        if cmdlet == "New-TransportRule":
            return [self._row(self._new(values, now))]
        identity = str(values["Identity"])
        if cmdlet == "Set-TransportRule":
            self._set(identity, values, now)
        elif cmdlet == "Remove-TransportRule":
            self.objects.remove(identity, values)
        else:
            self._switch(cmdlet, identity, values, now)
        return []

    def _get(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        rows = [self._row(rule) for rule in self.objects.shown(values)]
        return [row for row in rows if values.get("State") in (None, row["State"])]

    def _new(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        count = len(self.objects.items)
        self.objects.check_name(str(values["Name"]))
        if count >= MOST_RULES:
            raise invalid(f"You can't have more than {MOST_RULES} transport rules.")  # guessed text
        rule = {**_DEFAULTS, "State": "Enabled" if values.get("Enabled", True) else "Disabled"}
        rule |= _told(values)
        self._check(rule)
        priority = _checked_priority(values.get("Priority", count), count)
        made = self.objects.add(str(values["Name"]), rule, now)
        self._move(made, priority)
        return made

    def _set(self, identity: str, values: Mapping[str, Any], now: datetime) -> None:
        rule = self.objects.find(identity)
        name = str(values.get("Name", rule["Name"]))
        self.objects.check_name(name, but=rule)
        self._check({**rule, **_told(values)})
        last = len(self.objects.items) - 1
        place = self.objects.items.index(rule)
        priority = _checked_priority(values.get("Priority", place), last)
        rule.update(_told(values), Name=name, Changed=now.isoformat())
        self._move(rule, priority)

    def _switch(self, cmdlet: str, identity: str, values: Mapping[str, Any], now: datetime) -> None:
        rule = self.objects.find(identity)
        if cmdlet == "Disable-TransportRule":
            ask(values, f"Are you sure you want to disable the transport rule '{rule['Name']}'?")
        rule["State"] = "Disabled" if cmdlet == "Disable-TransportRule" else "Enabled"
        rule["Mode"] = values.get("Mode", rule["Mode"])
        rule["Changed"] = now.isoformat()

    def _move(self, rule: dict[str, Any], priority: int) -> None:
        """Put a rule at its place; those that stood there and below go down by one."""
        self.objects.items.remove(rule)
        self.objects.items.insert(priority, rule)

    def _check(self, rule: Mapping[str, Any]) -> None:
        if not any(rule.get(name) for name in ACTIONS if name not in NO_ACTIONS):
            raise invalid("You must specify at least one action for the rule.")  # guessed text
        if len(rule.get("Comments") or "") > LONGEST_COMMENT:
            raise invalid(
                f"The comment must not have more than {LONGEST_COMMENT} characters."
            )  # guessed text
        for prefix in ("", "ExceptIf"):
            self._check_terms(rule, prefix)
        connector = rule.get("RouteMessageOutboundConnector")
        if connector and not self._is_scoped(connector):
            raise invalid(f"The connector '{connector}' doesn't exist or isn't scoped to transport rules.")

    def _check_terms(self, rule: Mapping[str, Any], prefix: str) -> None:  # the sentences are guessed
        for pair in PAIRS:
            name, values = (f"{prefix}{one}" for one in pair)
            if bool(rule.get(name)) != bool(rule.get(values)):
                raise invalid(f"The parameters {name} and {values} must be used together.")
        for kind in GROUPS:
            for group in rule.get(f"{prefix}{kind}") or ():
                if not self._is_accepted(group.rpartition("@")[2]):
                    raise not_found(group)

    def _row(self, rule: dict[str, Any]) -> dict[str, Any]:
        return {
            "Priority@data.type": "System.Int32",
            "Priority": self.objects.items.index(rule),
            **_head(rule),
            **{name: rule.get(name, _empty(name)) for name in CONTENT},
            **self._tail(rule),
        }

    def _tail(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        name, domain = rule["Name"], self._initial_domain
        organization = f"{FOREST}/Microsoft Exchange Hosted Organizations/{domain}"
        return {
            "Identity": name,
            "DistinguishedName": f"CN={name},CN=TransportVersioned,CN=Rules,CN=Transport Settings,CN=Configuration,"
            f"CN={domain},CN=ConfigurationUnits,DC=EURPR01A006,DC=PROD,DC=OUTLOOK,DC=COM",
            "Guid@data.type": "System.Guid",
            "Guid": rule["Guid"],
            "ImmutableId@data.type": "System.Guid",
            "ImmutableId": rule["Guid"],
            "OrganizationId": f"{organization} - {FOREST}/ConfigurationUnits/{domain}/Configuration",
            "Name": name,
            "IsValid": True,
            "WhenChanged": date_text(datetime.fromisoformat(rule["Changed"])).replace("Z", "+00:00"),
            "ObjectState": "Unchanged",
        }


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a caller says about a rule; null puts a property back to empty."""
    told = {name: values[name] for name in (*SETTINGS, *CONTENT) if name in values and name != "Priority"}
    return {name: _empty(name) if value is None else value for name, value in told.items()}


def _empty(name: str) -> bool | None:
    return False if name.removeprefix("ExceptIf") in BOOLEANS else None


def _checked_priority(priority: int, last: int) -> int:
    if not 0 <= priority <= last:
        raise invalid(
            "The specified rule priority is invalid. "
            f"Use a value between '0' (highest priority), and '{last}' (lowest priority)."
        )
    return priority


def _head(rule: Mapping[str, Any]) -> dict[str, Any]:
    version = {
        "Major": 14,
        "Minor": 0,
        "Build": 0,
        "Revision": 0,
        "MajorRevision": 0,
        "MinorRevision": 0,
    }
    conditions = [name for name in PREDICATES if rule.get(name)]
    exceptions = [name for name in PREDICATES if rule.get(f"ExceptIf{name}")]
    actions = [name for name in ACTIONS if rule.get(name)]
    return {
        "DlpPolicy": None,
        "DlpPolicyId@data.type": "System.Guid",
        "DlpPolicyId": "00000000-0000-0000-0000-000000000000",
        "Comments": rule["Comments"],
        "CreatedBy": "exo-auth sandbox",
        "LastModifiedBy": "exo-auth sandbox",
        "ManuallyModified": False,
        "ActivationDate": rule["ActivationDate"],
        "ExpiryDate": rule["ExpiryDate"],
        "Description": _description(rule, conditions, exceptions, actions),
        "RuleVersion": version,
        "Size": 200 + 30 * len([*conditions, *exceptions, *actions]),
        "Conditions": _classes(conditions, "Predicate"),
        "Exceptions": _classes(exceptions, "Predicate"),
        "Actions": _classes(actions, "Action"),
        "State": rule["State"],
        "Mode": rule["Mode"],
        "IsRuleConfigurationSupported": True,
        "RuleConfigurationUnsupportedReason": "",
        "RuleErrorAction": rule["RuleErrorAction"],
        "SenderAddressLocation": rule["SenderAddressLocation"],
        "RecipientAddressType": "Resolved",
        "RuleSubType": "None",
        "RegexSize": 0,
        "UseLegacyRegex": False,
    }


def _classes(names: list[str], kind: str) -> list[str] | None:
    return [f"{_CLASSES}.{name}{kind}" for name in names] or None


def _description(
    rule: Mapping[str, Any], conditions: list[str], exceptions: list[str], actions: list[str]
) -> str:
    parts = (
        ("If the message:", [(name, rule[name]) for name in conditions]),
        ("Take the following actions:", [(name, rule[name]) for name in actions]),
        ("Except if the message:", [(name, rule[f"ExceptIf{name}"]) for name in exceptions]),
    )
    return "".join(
        f"{head}\r\n" + "".join(f"\t{name} '{_shown(value)}'\r\n" for name, value in lines)
        for head, lines in parts
        if lines
    )


def _shown(value: Any) -> str:
    return "' or '".join(map(str, value)) if isinstance(value, list) else str(value)
