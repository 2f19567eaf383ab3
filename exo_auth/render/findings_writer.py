"""What writes findings domain by domain, so that ten thousand need no more memory than a thousand (render, pure)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from exo_auth.checks.domain_report import DomainReport, Tally


class FindingsWriter(ABC):
    """Gives text for the beginning, for each domain as it is done, and for the end.

    What the writers share: nothing at the beginning, nothing at the end.
    """

    def begin(self) -> str:
        """Give what stands before the first domain."""
        return ""

    @abstractmethod
    def domain(self, report: DomainReport) -> str:
        """Give the part of one domain."""

    def end(self, tally: Tally) -> str:  # noqa: ARG002 - the others count
        """Give what stands behind the last domain."""
        return ""
