"""`NamedObjects`: objects of one kind with unique names, found by name, GUID or distinguished name (sandbox)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exo_auth.sandbox.refusal import EXISTS, NeedsConfirmation, Refused, invalid, not_found

LONGEST_NAME = 64  # characters


class NamedObjects:
    """An ordered collection. Each object is a dict of plain JSON values with Name, Guid, Created and Changed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.items: list[dict[str, Any]] = []

    def find(self, identity: str) -> dict[str, Any]:
        """Give the object of that name, in any case, or GUID; raises Refused."""
        wanted = identity.strip().lower()
        for item in self.items:
            if wanted in (item["Name"].lower(), item["Guid"]) or wanted.startswith(
                f"cn={item['Name'].lower()},"
            ):
                return item
        raise not_found(identity)

    def add(self, name: str, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Make an object at the end; raises Refused for a bad name or one that is taken."""
        self.check_name(name)
        moment = now.isoformat()
        item = {**values, "Name": name, "Guid": str(uuid.uuid4()), "Created": moment, "Changed": moment}
        self.items.append(item)
        return item

    def check_name(self, name: str, but: Mapping[str, Any] | None = None) -> None:
        """Raise Refused unless the name is good and free, or that of the object `but`."""
        if not name.strip() or len(name) > LONGEST_NAME:
            raise invalid(f"The name '{name}' must have 1 to {LONGEST_NAME} characters.")  # guessed text
        if any(item["Name"].lower() == name.lower() and item is not but for item in self.items):
            # guessed text: that duplicates are refused is known, the sentence is not
            raise Refused(EXISTS, f"The {self.kind} '{name}' already exists.")

    def remove(self, identity: str, values: Mapping[str, Any]) -> None:
        """Take an object away; raises Refused, or NeedsConfirmation unless Confirm is false."""
        item = self.find(identity)
        ask(values, f"Are you sure you want to remove the {self.kind} '{item['Name']}'?")
        self.items.remove(item)

    def shown(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give the objects a Get cmdlet asks for; raises Refused for an unknown identity."""
        return [self.find(str(values["Identity"]))] if values.get("Identity") else list(self.items)


def ask(values: Mapping[str, Any], question: str) -> None:
    """Raise NeedsConfirmation unless the caller sent Confirm false."""
    if values.get("Confirm") is not False:
        raise NeedsConfirmation(question)
