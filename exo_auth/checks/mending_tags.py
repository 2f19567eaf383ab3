"""DMARC, TLS-RPT and MTA-STS records mended: what to paste in place of a faulty one (checks, pure).

No policy gets stricter by pasting: what might stop mail is left to who has read the reports.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from exo_auth.checks.mending import Mended
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dmarc, mta_sts, tls_rpt

_POLICIES = ("none", "quarantine", "reject")
_LOST_SEMICOLON = re.compile(r"=\s*(none|quarantine|reject)[\s,]+(?=[a-z]+\s*=)", re.IGNORECASE)
_VERSION = re.compile(r"""^[\s"'“”]*v\s*[=:]\s*dmarc\s*1\s*;?""", re.IGNORECASE)
_SIZE = re.compile(r"![0-9]+[kmgt]?(?=\s*(,|$))", re.IGNORECASE)
_MODES = {"strict": "s", "relaxed": "r"}

Tags = list[tuple[str, str]]


def mended_dmarc(text: str, domain: DomainName, *, is_wildcard: bool) -> Mended | None:
    """Mend a DMARC record, or a text that was meant to be one; `is_wildcard`: every name below exists."""
    heals: set[str] = set()
    body = _VERSION.sub("", text, count=1).strip("\"'“” ")
    spaced = _LOST_SEMICOLON.sub(r"=\1; ", body)
    tags = [
        (name.strip().lower(), value.strip())
        for name, _, value in (part.partition("=") for part in spaced.split(";") if part.strip())
    ]
    if len({name for name, _ in tags}) != len(tags):  # which of the two was meant?
        return None
    if spaced != body:
        heals |= {"DMARC-P-INVALID", "DMARC-SP-INVALID"}
    if not text.startswith("v=DMARC1"):
        heals |= {"DMARC-STRAY-TXT", "DMARC-MISSING"}
    for change in (_words, _addresses, _without_history):
        tags = change(tags, heals)
    tags = _completed(tags, heals, domain, is_wildcard=is_wildcard)
    mended = "; ".join(["v=DMARC1", *(f"{name}={value}" for name, value in tags)])
    try:
        record = dmarc.parse(mended)
    except RecordSyntaxError:
        return None
    if record.faults or record.is_void:
        return None
    return Mended(mended, frozenset(heals)) if heals else None


def _words(tags: Tags, heals: set[str]) -> Tags:
    """Write policies and modes as the words they were meant to be."""
    mended = []
    for name, value in tags:
        better = value
        if name in ("p", "sp", "np") and value.lower() not in _POLICIES:
            better = next(iter(difflib.get_close_matches(value.lower(), _POLICIES, 1, 0.75)), value)
            heals.add("DMARC-P-INVALID" if name == "p" else "DMARC-SP-INVALID")
        elif name in ("adkim", "aspf"):
            better = _MODES.get(value.lower(), value)
            heals |= {"DMARC-SYNTAX"} if better != value else set()
        mended.append((name, better))
    return mended


def _addresses(tags: Tags, heals: set[str]) -> Tags:
    """Write `mailto:` before addresses, and no sizes behind them."""
    mended = []
    for name, value in tags:
        if name in ("rua", "ruf"):
            without = _SIZE.sub("", value)
            heals |= {"DMARC-SIZE-SUFFIX"} if without != value else set()
            better = ",".join(_with_scheme(part.strip()) for part in without.split(","))
            heals |= {"DMARC-SYNTAX", "DMARC-NO-RUA"} if better != without else set()
            mended.append((name, better))
        else:
            mended.append((name, value))
    return mended


def _with_scheme(uri: str) -> str:
    return f"mailto:{uri}" if "@" in uri and ":" not in uri else uri


def _without_history(tags: Tags, heals: set[str]) -> Tags:
    """Leave out what RFC 9989 made historic; a pct below 100 is a policy of its own, and stays."""
    kept = [
        (name, value) for name, value in tags if name not in ("rf", "ri") and (name, value) != ("pct", "100")
    ]
    heals |= {"DMARC-HISTORIC-TAG"} if kept != tags else set()
    return kept


def _completed(tags: Tags, heals: set[str], domain: DomainName, *, is_wildcard: bool) -> Tags:
    names = {name for name, _ in tags}
    tags = list(tags)
    if "p" not in names:
        tags.insert(0, ("p", "none"))
        heals.add("DMARC-VOID")
    present = dict(tags)
    if "np" not in names and not is_wildcard and present.get("sp", present["p"]).lower() != "reject":
        tags.insert(1, ("np", "reject"))  # nobody sends as a name that does not exist
        heals.add("DMARC-NP-ABSENT")
    if "rua" not in names:
        tags.append(("rua", f"mailto:dmarc@{domain.ascii}"))
        heals.add("DMARC-NO-RUA")
    return tags


def mended_tls_rpt(texts: list[str], domain: DomainName) -> Mended | None:
    """Mend one TLS-RPT record, or put several into one."""
    uris: list[str] = []
    for text in texts:
        body = re.sub(r"""^[\s"'“”]*v\s*=\s*tlsrptv1\s*;?""", "", text, count=1, flags=re.IGNORECASE)
        found = re.search(r"rua\s*=\s*([^;\"'”]*)", body, re.IGNORECASE)
        uris += [
            _with_scheme(part.strip()) for part in (found[1] if found else "").split(",") if part.strip()
        ]
    mended = f"v=TLSRPTv1; rua={','.join(dict.fromkeys(uris)) or f'mailto:tls@{domain.ascii}'}"
    return _accepted(mended, tls_rpt.parse, "TLSRPT-MULTI", "TLSRPT-SYNTAX", "TLSRPT-SCHEME")


def mended_mta_sts(text: str, policy_id: str) -> Mended | None:
    """Mend an MTA-STS record; an id that is none becomes `policy_id`."""
    found = re.search(r"id\s*=\s*([A-Za-z0-9]{1,32})\s*(;|$)", text)
    mended = f"v=STSv1; id={found[1] if found else policy_id};"
    return _accepted(mended, mta_sts.parse, "STS-SYNTAX", "STS-ID", "STS-MULTI")


def _accepted(text: str, parse: Callable[[str], object], *heals: str) -> Mended | None:
    try:
        parse(text)
    except RecordSyntaxError:
        return None
    return Mended(text, frozenset(heals))
