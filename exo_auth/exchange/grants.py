"""From the file the service would give its PowerShell module to the cmdlets the caller may run (pure)."""

from __future__ import annotations

from datetime import datetime

from exo_auth.errors import ProtocolError
from exo_auth.exchange.errors_on_wire import Failure
from exo_auth.exchange.http_answer import Call, HttpAnswer
from exo_auth.exchange.reason import field_of

GRANTS = "EXOModuleFile"  # stands in for a cmdlet's name in errors


def grants_of(answer: HttpAnswer, call: Call, now: datetime) -> frozenset[str] | Failure:
    """Read the names, lower case; `now` is UTC."""
    try:
        names = _names(answer)
    except ValueError as error:
        failed = ProtocolError(
            f"the list of granted cmdlets cannot be read: {error}",
            correlation=call.correlation(answer, now),
            hint="try again; when it stays so, look for a proxy that rewrites answers",
        )
        return Failure(failed, repeatable=True)
    return frozenset(names)


def _names(answer: HttpAnswer) -> set[str]:
    files = field_of(answer.document(), "value")
    texts = [field_of(file, "exportedCmdlets") for file in (files if isinstance(files, list) else [files])]
    lists = [text.split(",") if isinstance(text, str) else text for text in texts if text is not None]
    if not lists or not all(isinstance(names, list) for names in lists):
        raise ValueError("it has no exportedCmdlets")
    return {str(name).strip().lower() for names in lists for name in names or () if str(name).strip()}
