"""`Cmdlet`: one cmdlet that may be sent, and with which parameters (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exo_auth.errors import ProtocolError

UNLIMITED = "Unlimited"
FULL = "Full"  # nested results as objects, not as names of their types


@dataclass(frozen=True)
class Parameter:
    """One parameter: the JSON type it is sent as, whether it must be there, and its values if few.

    A `list` holds texts. `nullable` parameters take None, which clears the property. `longest` is in characters.
    """

    kind: type[str] | type[bool] | type[int] | type[list[str]]
    mandatory: bool = False
    values: tuple[str | int | bool, ...] = ()
    nullable: bool = False
    longest: int = 0  # 0 for any length

    def complaint(self, value: object) -> str:
        """Say what is wrong with `value`; "" when nothing is."""
        if value is None and self.nullable:
            return ""
        if self.kind is list:
            return self._complaint_of_list(value)
        if type(value) is not self.kind:  # exact, because True is an int to isinstance
            return f"is {value!r}, not a {self.kind.__name__}"
        if self.kind is str and not str(value).strip():
            return "is empty"
        if self.values and value not in self.values:
            return f"is {value!r}, not one of {', '.join(map(str, self.values))}"
        if self.longest and len(str(value)) > self.longest:
            return f"has {len(str(value))} characters; {self.longest} is the most"
        return ""

    def _complaint_of_list(self, value: object) -> str:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            return f"is {value!r}, not a list of texts"
        if not value or not all(item.strip() for item in value):
            return "is empty, or holds an empty text" + ("; None clears it" if self.nullable else "")
        return ""


@dataclass(frozen=True)
class Cmdlet:
    """One allowed cmdlet; `serialization` is how deep its results come."""

    name: str
    is_write: bool
    parameters: Mapping[str, Parameter]
    serialization: str = "Partial"

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise ProtocolError unless the parameters are known, complete and of the declared types."""
        for name, value in parameters.items():
            known = self.parameters.get(name)
            complaint = known.complaint(value) if known else f"is not one of {', '.join(self.parameters)}"
            if complaint:
                raise ProtocolError(f"{self.name} was not sent: the parameter {name} {complaint}")
        missing = [n for n, p in self.parameters.items() if p.mandatory and n not in parameters]
        if missing:
            raise ProtocolError(f"{self.name} was not sent: it needs the parameter {', '.join(missing)}")


IDENTITY = Parameter(str, mandatory=True)
CONFIRMED = Parameter(bool, mandatory=True, values=(False,))  # else the service asks, and does nothing
ALL = Parameter(str, values=(UNLIMITED,))
