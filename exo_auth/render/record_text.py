"""Any record taken apart in plain words: SPF, DMARC, DKIM key (render, pure)."""

from __future__ import annotations

from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.records import dkim, dmarc, spf
from exo_auth.records.dkim import DkimKeyRecord
from exo_auth.render.dmarc_text import dmarc_lint_text
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.spf_text import spf_lint_text

_TAGS = {
    "p": "what receivers do with mail that fails",
    "sp": "the same for subdomains",
    "np": "the same for names that do not exist",
    "adkim": "how the DKIM domain must match: r the organizational domain, s exactly",
    "aspf": "how the SPF domain must match: r the organizational domain, s exactly",
    "rua": "where aggregate reports go",
    "ruf": "where failure reports go",
    "fo": "which failures are reported",
    "psd": "is this a public suffix?",
    "t": "y: receivers apply the policy one level lower",
}


def is_record(text: str) -> bool:
    """Is this text a record of one of the kinds that can be taken apart?"""
    return spf.looks_like(text) or dmarc.looks_like(text) or dkim.looks_like(text)


def record_text(text: str, output: str) -> str:
    """Take a record apart; raises InputError for a text of no known kind."""
    if spf.looks_like(text):
        return spf_lint_text(text, _parsed_spf(text), output)
    if dmarc.looks_like(text):
        return _dmarc(text, output)
    if dkim.looks_like(text):
        return _dkim(text, output)
    raise InputError(
        f"“{text[:60]}” is no record of a known kind", hint="SPF, DMARC and DKIM key records are taken apart"
    )


def _parsed_spf(text: str) -> spf.SpfRecord | RecordSyntaxError:
    try:
        return spf.parse(text)
    except RecordSyntaxError as error:
        return error


def _dmarc(text: str, output: str) -> str:
    try:
        parsed: dmarc.DmarcRecord | RecordSyntaxError = dmarc.parse(text)
    except RecordSyntaxError as error:
        parsed = error
    lint = dmarc_lint_text(text, parsed, output)
    if output == "json":
        return lint
    names = [part.partition("=")[0].strip().lower() for part in text.split(";")]
    told = [f"{name.ljust(6)}{_TAGS[name]}" for name in names if name in _TAGS]
    return "\n".join([lint, *told])


def _dkim(text: str, output: str) -> str:
    try:
        parsed = dkim.parse(text)
    except RecordSyntaxError as error:
        facts = {"valid": "no", "position": str(error.position), "message": error.message}
        told = f"{visible(text)}\n{' ' * error.position}^ {visible(error.message)}"
    else:
        facts = {"valid": "yes", "position": "", "message": "", **_facts(parsed)}
        told = "\n".join(f"{name.ljust(12)}{value}" for name, value in _facts(parsed).items())
    return to_text({"schema": "exo-auth/dkim-key/1", "record": text, **facts}) if output == "json" else told


def _facts(record: DkimKeyRecord) -> dict[str, str]:
    if record.is_revoked:
        return {"key": "revoked: p= is empty (RFC 6376 §3.6.1)"}
    facts = {
        "key": f"{record.key_type}, {record.key_size} bits",
        "fingerprint": record.fingerprint,
        "hashes": ", ".join(record.hashes) or "all",
        "services": ", ".join(record.services),
        "flags": ", ".join(record.flags) or "none",
    }
    if record.is_testing:
        facts["testing"] = "t=y: verifiers may treat a failing signature as none"
    return facts
