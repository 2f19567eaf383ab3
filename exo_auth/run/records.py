"""Texts of records that people hand over: what they parse to, or why they do not (run)."""

from __future__ import annotations

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dmarc, spf
from exo_auth.records.dmarc import DmarcRecord
from exo_auth.records.spf import SpfRecord


def read_spf(text: str) -> SpfRecord | RecordSyntaxError:
    """Read an SPF record."""
    try:
        return spf.parse(text)
    except RecordSyntaxError as error:
        return error


def read_dmarc(text: str) -> DmarcRecord | RecordSyntaxError:
    """Read a DMARC record."""
    try:
        return dmarc.parse(text)
    except RecordSyntaxError as error:
        return error
