"""How a cmdlet says no, or asks whether it is meant (sandbox)."""

from __future__ import annotations

VALIDATION = "Microsoft.Exchange.Management.Tasks.ValidationException"
NOT_FOUND = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
EXISTS = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"
SERVER = "AM6PR01A06DC001.EURPR01A006.PROD.OUTLOOK.COM"


class Refused(Exception):  # noqa: N818 - a cmdlet's “no”
    """A cmdlet ran and said no: the .NET type and the sentence."""

    def __init__(self, exception_type: str, text: str) -> None:
        super().__init__(text)
        self.exception_type = exception_type
        self.text = text


class NeedsConfirmation(Exception):  # noqa: N818 - a question
    """A cmdlet asks before it acts, and did nothing; it acts when it is sent with Confirm false."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def not_found(identity: str) -> Refused:
    """Refuse because there is no such object."""
    return Refused(
        NOT_FOUND,
        f"The operation couldn't be performed because object '{identity}' couldn't be found on '{SERVER}'.",
    )


def invalid(text: str) -> Refused:
    """Refuse because the values do not fit."""
    return Refused(VALIDATION, text)
