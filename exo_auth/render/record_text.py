"""Any record taken apart in plain words: SPF, DMARC, DKIM key, MTA-STS, TLS-RPT (render, pure)."""

from __future__ import annotations

from collections.abc import Callable

from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.records import dkim, dkim_signature, dmarc, mta_sts, mta_sts_policy, spf, tls_rpt
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
    return (
        any(grammar.looks_like(text) for grammar in (spf, dmarc, dkim, mta_sts, tls_rpt, mta_sts_policy))
        or text.startswith(("v=STSv1", "v=TLSRPTv1"))
        or dkim_signature.looks_like(text)
    )


def record_text(text: str, output: str) -> str:
    """Take a record apart; raises InputError for a text of no known kind."""
    if spf.looks_like(text):
        return spf_lint_text(text, _parsed_spf(text), output)
    if dmarc.looks_like(text):
        return _dmarc(text, output)
    for prefix, kind, read in _FIELDS:
        if text[: len(prefix)].lower() == prefix.lower():
            return _fields(text, kind, read, output)
    if dkim.looks_like(text):
        return _dkim(text, output)
    raise InputError(
        f"“{text[:60]}” is no record of a known kind",
        hint="SPF, DMARC, DKIM key, MTA-STS and TLS-RPT records are taken apart",
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


def _fields(text: str, kind: str, read: Callable[[str], dict[str, str]], output: str) -> str:
    try:
        fields, fault = read(text), None
    except RecordSyntaxError as error:
        fields, fault = {}, error
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/record/1",
                "kind": kind,
                "record": text,
                "valid": fault is None,
                "position": fault.position if fault else None,
                "message": fault.message if fault else "",
                "fields": [{"field": field, "meaning": meaning} for field, meaning in fields.items()],
            }
        )
    if fault is not None:
        return marked(text, fault)
    width = max(map(len, fields), default=0)
    return "\n".join(
        f"{visible(field).ljust(width)}  {visible(meaning)}" for field, meaning in fields.items()
    )


def marked(text: str, fault: RecordSyntaxError) -> str:
    """Write the line of the text that holds the fault, and a mark below its place."""
    start = text.rfind("\n", 0, fault.position) + 1
    line = text[start:].split("\n", 1)[0].rstrip("\r")
    return f"{visible(line)}\n{' ' * (fault.position - start)}^ {visible(fault.message)}"


def _mta_sts_fields(text: str) -> dict[str, str]:
    record = mta_sts.parse(text)
    told = {"v=STSv1": "there is a policy at https://mta-sts.<domain>/.well-known/mta-sts.txt"}
    told[f"id={record.id}"] = "senders fetch the policy again when this changes"
    return told | {f"{name}={value}": "an extension, ignored" for name, value in record.extensions}


def _tls_rpt_fields(text: str) -> dict[str, str]:
    record = tls_rpt.parse(text)
    told = {"v=TLSRPTv1": "senders may report how TLS went"}
    for uri in record.rua:
        told[uri] = (
            "no address that reports can go to" if uri in record.unusable else "reports go here, once a day"
        )
    return told | {f"{name}={value}": "an extension, ignored" for name, value in record.extensions}


_MODES = {
    "enforce": "do not deliver where TLS, certificate or host do not fit",
    "testing": "deliver all the same, and report",
    "none": "as if there were no policy",
}


def _policy_fields(text: str) -> dict[str, str]:
    policy = mta_sts_policy.parse(text)
    told = {f"mode: {policy.mode}": _MODES[policy.mode]}
    for host in policy.mx:
        told[f"mx: {host}"] = "any host one label below" if host.startswith("*.") else "this host"
    told[f"max_age: {policy.max_age}"] = f"senders keep it for {policy.max_age / 86400:.1f} days"
    return told | {f"{name}: {value}": "unknown, ignored" for name, value in policy.extensions}


def _signature_fields(text: str) -> dict[str, str]:
    signature = dkim_signature.parse(text)
    told = {
        f"d={signature.domain}": "who signs; DMARC compares it with From",
        f"s={signature.selector}": f"the key stands at {signature.selector}._domainkey.{signature.domain}",
        f"a={signature.algorithm}": "how it is signed",
        f"c={signature.canonicalization}": "which changes on the way it survives: header and body",
        f"h={':'.join(signature.headers)}": "what is signed"
        if signature.signs_from
        else "From is not among them: the signature does not count (RFC 6376 §5.4)",
    }
    if signature.body_length is not None:
        told[f"l={signature.body_length}"] = "signs a part of the body: text can be added behind it"
    if signature.expires_at is not None:
        told[f"x={signature.expires_at}"] = "does not count after this second since 1970"
    return told | {"bh=, b=": "the hash of the body, and the signature"}


_FIELDS: tuple[tuple[str, str, Callable[[str], dict[str, str]]], ...] = (
    ("v=STSv1", "mta-sts", _mta_sts_fields),
    ("v=TLSRPTv1", "tls-rpt", _tls_rpt_fields),
    ("version", "mta-sts-policy", _policy_fields),
    ("DKIM-Signature:", "dkim-signature", _signature_fields),
)


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
