"""Read what a check is compared with: an earlier JSON document, or a snapshot judged by today's rules (run)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from exo_auth.checks.changes import Baseline
from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.mta_sts import PolicyState, policy_state
from exo_auth.errors import InputError
from exo_auth.facts.dns import Found, Txt
from exo_auth.facts.domain import MtaStsFacts
from exo_auth.run import snapshot
from exo_auth.run.check import CheckRequest, check_snapshot
from exo_auth.run.settings import Settings


def read_baseline(settings: Settings, file: str, request: CheckRequest) -> Baseline:
    """Read a baseline; raises InputError for a file that is neither."""
    path = Path(file)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", hint=_HINT) from None
    except ValueError as error:
        raise InputError(f"{file} is no JSON: {error}", hint=_HINT) from None
    if isinstance(document, dict) and document.get("schema") == snapshot.SCHEMA:
        reports: list[DomainReport] = []
        taken = snapshot.read(path)
        check_snapshot(settings, taken, (), request, reports.append)
        return Baseline.of_reports(reports, _policies(taken))
    try:
        if document["schema"] != "exo-auth/check/1":
            raise KeyError("schema")
        return Baseline.of_document(document)
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{file} is neither a check nor a snapshot", hint=_HINT) from None


_HINT = "make one with check --report FILE.json, or with snapshot save FILE"


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
