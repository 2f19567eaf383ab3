"""Trusted ARC sealers of a tenant: one list (sandbox)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exo_auth.sandbox.parameter import CLEARABLE_TEXTS, IDENTITY, WRITING, Parameter

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Get-ArcConfig": {},
    "Set-ArcConfig": {"Identity": IDENTITY, "ArcTrustedSealers": CLEARABLE_TEXTS, **WRITING},
}


class ArcConfig:
    """The one row of Get-ArcConfig; there is none until sealers were set."""

    def __init__(self) -> None:
        self.sealers: list[str] = []

    def run(self, cmdlet: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run one of the two cmdlets; gives its rows."""
        if cmdlet == "Set-ArcConfig":
            given = values.get("ArcTrustedSealers") or []
            self.sealers = [part.strip() for text in given for part in text.split(",") if part.strip()]
            return []
        return [{"Identity": "Default", "ArcTrustedSealers": ",".join(self.sealers)}] if self.sealers else []
