"""Read what a check is compared with: an earlier JSON document, or a snapshot judged by today's rules (run)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from exo_auth.checks.changes import Baseline
from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.entry import Profile
from exo_auth.checks.mta_sts import PolicyState, policy_state
from exo_auth.errors import InputError
from exo_auth.facts.dns import Found, Txt
from exo_auth.facts.domain import ALL_SUBJECTS, MtaStsFacts, Subject
from exo_auth.run import snapshot
from exo_auth.run.check import CheckRequest, check_snapshot
from exo_auth.run.settings import Settings

_DOCUMENTS = ("exo-auth/check/1", "exo-auth/audit/1")
_HINT = "make one with check --report FILE.json, with audit run -o json, or with snapshot save FILE"


def read_baseline(settings: Settings, file: str, request: CheckRequest) -> Baseline:
    """Read a baseline to hold a check of `request` beside; raises InputError for a file that is none for it."""
    document = _read(file)
    if document["schema"] == snapshot.SCHEMA:
        reports: list[DomainReport] = []
        taken = snapshot.read(Path(file))
        check_snapshot(settings, taken, (), request, reports.append)
        return Baseline.of_reports(reports, _policies(taken))
    try:
        _refuse_unlike(document, file, request)
        return Baseline.of_document(document)
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{file} is damaged: a part of it is missing", hint=_HINT) from None


def read_two(settings: Settings, before: str, after: str) -> tuple[Baseline, Baseline]:
    """Read two documents that are to be compared; snapshots are judged by the rules of the other one."""
    request = CheckRequest()
    for document in (_read(after), _read(before)):
        if document["schema"] in _DOCUMENTS:
            request = _request_of(document, before)
    return read_baseline(settings, before, request), read_baseline(settings, after, request)


def _read(file: str) -> dict[str, Any]:
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", hint=_HINT) from None
    except ValueError as error:
        raise InputError(f"{file} is no JSON: {error}", hint=_HINT) from None
    if not isinstance(document, dict) or document.get("schema") not in (*_DOCUMENTS, snapshot.SCHEMA):
        raise InputError(f"{file} is neither a check, an audit nor a snapshot", hint=_HINT)
    return document


def _request_of(document: dict[str, Any], file: str) -> CheckRequest:
    try:
        return CheckRequest(Profile(document["profile"]), frozenset(map(Subject, document["subjects"])))
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{file} does not say what was looked at, and by whose rules", hint=_HINT) from None


def _refuse_unlike(document: dict[str, Any], file: str, request: CheckRequest) -> None:
    """Refuse what would show differences that are none: changes alone, other rules, other subjects."""
    past = _request_of(document, file)
    if document["beside_baseline"]:
        raise InputError(f"{file} holds only what changed since another baseline", hint=_HINT)
    if past.profile is not request.profile:
        raise InputError(
            f"{file} was judged by the rules of {past.profile}, and this is by those of {request.profile}",
            hint="judge both by the same --rules; a snapshot can be judged by any",
        )
    if past.subjects != request.looked_at:
        raise InputError(
            f"{file} looked at {_listed(past.subjects)}, and this looks at {_listed(request.looked_at)}",
            hint="look at the same with --only; a snapshot holds everything",
        )


def _listed(subjects: frozenset[Subject]) -> str:
    return "everything" if subjects == ALL_SUBJECTS else ", ".join(sorted(subjects))


def _policies(taken: snapshot.Snapshot) -> dict[str, PolicyState]:
    states = {}
    for domain in taken.domains:
        answer = taken.answers.get((f"_mta-sts.{domain.ascii}", "TXT"))
        if isinstance(answer, Found):
            txt = replace(answer, values=tuple(Txt(value) for value in answer.values))
            fetches = tuple(f for (name, _), f in taken.fetches.items() if name == domain.ascii)
            state = policy_state(MtaStsFacts(txt, fetches=fetches))
            if state is not None:
                states[domain.ascii] = state
    return states
