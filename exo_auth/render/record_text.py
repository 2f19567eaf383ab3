"""Any record taken apart in plain words: SPF, DMARC, DKIM key and signature, MTA-STS, TLS-RPT (render, pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from exo_auth.errors import InputError
from exo_auth.records import dkim, dkim_signature, dmarc, mta_sts_policy, spf
from exo_auth.render.dkim_terms import dkim_key_apart, signature_apart
from exo_auth.render.dmarc_terms import dmarc_apart
from exo_auth.render.record_terms import TakenApart, apart_text
from exo_auth.render.spf_terms import spf_apart
from exo_auth.render.transport_terms import mta_sts_apart, policy_apart, tls_rpt_apart


def is_record(text: str) -> bool:
    """Was this text meant to be a record of one of the kinds that can be taken apart?"""
    return _kind(text) is not None


def record_text(text: str, output: str) -> str:
    """Take a record apart; raises InputError for a text of no known kind."""
    apart = _kind(text)
    if apart is None:
        raise InputError(
            f"“{text[:60]}” is no record of a known kind",
            hint="SPF, DMARC, DKIM, MTA-STS and TLS-RPT records are taken apart, and DKIM-Signature headers",
        )
    return apart_text(_with_advice(apart(text)), output)


def _with_advice(apart: TakenApart) -> TakenApart:
    """Say what quotes around a record are: they come along when the output of a DNS tool is copied."""
    if not apart.record.lstrip().startswith(("'", '"', "“", "”")):
        return apart
    advice = "quotes are how DNS tools show a TXT record, and no part of it: leave them out, here and at the DNS host"
    return replace(apart, notes=(*apart.notes, advice))


def _kind(text: str) -> Callable[[str], TakenApart] | None:
    return next((apart for looks_like, apart in _KINDS if looks_like(text)), None)


def _begins(*beginnings: str) -> Callable[[str], bool]:
    """Is the text meant to be of that kind? A slip in the version must not hide which one."""
    return lambda text: text.strip(" \t\"'“”").lower().startswith(beginnings)


_KINDS: tuple[tuple[Callable[[str], bool], Callable[[str], TakenApart]], ...] = (
    (lambda text: spf.looks_like(text) or _begins("v=spf")(text), spf_apart),
    (lambda text: dmarc.looks_like(text) or _begins("v=dmarc")(text), dmarc_apart),
    (_begins("v=sts"), mta_sts_apart),
    (_begins("v=tlsrpt"), tls_rpt_apart),
    (mta_sts_policy.looks_like, policy_apart),
    (dkim_signature.looks_like, signature_apart),
    (dkim.looks_like, dkim_key_apart),
)
