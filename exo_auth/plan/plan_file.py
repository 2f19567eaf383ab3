"""A plan as a file, and whether such a file may still be applied (plan, pure: text in, text out)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from exo_auth.checks.finding import DnsRecord, Finding, Severity
from exo_auth.checks.finding_document import finding_document
from exo_auth.checks.gates import Gate
from exo_auth.domain_name import DomainName
from exo_auth.errors import ExoAuthError, InputError, PlanStale
from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.mail_flow import CMDLETS
from exo_auth.plan.plan import Plan

SCHEMA = "exo-auth/plan/1"
OCTODNS = "octodns"  # stands in a change where a cmdlet does for those of the tenant
MAIL_FLOW_VERBS = (Verb.CREATE, Verb.UPDATE, Verb.REMOVE, Verb.ENABLE, Verb.DISABLE)
# What a plan may send: a file is data from outside, and must not become a way to run any cmdlet.
APPLYABLE = frozenset(
    {
        (Verb.CREATE, "New-DkimSigningConfig"),
        (Verb.ENABLE, "Set-DkimSigningConfig"),
        (Verb.DISABLE, "Set-DkimSigningConfig"),
        (Verb.ROTATE, "Rotate-DkimSigningConfig"),
        (Verb.PUBLISH, OCTODNS),
        (Verb.REMOVE, OCTODNS),
        *((verb, cmdlet) for cmdlet in CMDLETS for verb in MAIL_FLOW_VERBS),
    }
)


def to_document(plan: Plan) -> dict[str, Any]:
    """Give the plan as plain JSON values; times are ISO 8601 in UTC, domains ASCII."""
    return {
        "schema": SCHEMA,
        "tenant": {
            "tenant_id": plan.tenant.tenant_id,
            "initial_domain": plan.tenant.initial_domain,
            "cloud": plan.tenant.cloud,
        },
        "command": plan.command,
        "made_at": _time(plan.made_at),
        "expires_at": _time(plan.expires_at),
        "digest": plan.digest,
        "policy": dict(plan.policy),
        "considered": plan.considered,
        "exceeds_limit": plan.exceeds_limit,
        "stages": list(plan.stages),
        "changes": [change_document(change) for change in plan.changes],
        "deferrals": [
            {
                "domain": part.target.ascii,
                "verb": part.verb.value,
                "reason": part.reason,
                "not_before": _time(part.retry_after),
                "is_waiting": part.is_waiting,
                "stage": part.stage,
            }
            for part in plan.deferrals
        ],
        "blockages": [
            {
                "domain": part.target.ascii,
                "verb": part.verb.value,
                "reason": part.reason,
                "is_unknown": part.is_unknown,
                "findings": [finding_document(finding) for finding in part.findings],
                "stage": part.stage,
            }
            for part in plan.blockages
        ],
        "steady": [name.ascii for name in plan.steady],
    }


def to_text(plan: Plan) -> str:
    """Write the plan as a file's text."""
    return json.dumps(to_document(plan), indent=2, ensure_ascii=False) + "\n"


def from_text(text: str, *, file: str) -> Plan:
    """Read a plan file; raises InputError that says what is wrong, PlanStale when it was edited."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}:{error.lineno}:{error.colno}: not JSON: {error.msg}",
            hint="give a file that `exo-auth plan --out FILE` wrote",
        ) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(
            f"{file} is not a plan of this version ({SCHEMA})",
            hint="give a file that `exo-auth plan --out FILE` wrote",
        )
    try:
        plan = _plan(document)
    except (KeyError, TypeError, ValueError, AttributeError, ExoAuthError) as error:
        raise InputError(
            f"{file} is not a whole plan: {type(error).__name__}: {error}",
            hint="make it anew with `exo-auth plan --out FILE`",
        ) from None
    if plan.digest != document.get("digest"):
        raise PlanStale(
            f"{file} was changed after it was made: its digest does not fit its content",
            hint="make it anew with `exo-auth plan --out FILE`",
        )
    return plan


def check_applyable(plan: Plan, *, tenant_id: str, now: datetime) -> None:
    """Raise when this plan must not be applied to this tenant now: another tenant, too old, unknown cmdlets."""
    if plan.tenant.tenant_id != tenant_id:
        raise PlanStale(
            f"the plan is for tenant {plan.tenant}, and this is tenant {tenant_id}",
            hint="sign in to the plan's tenant, or make a plan for this one",
        )
    if now >= plan.expires_at:
        raise PlanStale(
            f"the plan expired at {plan.expires_at:%Y-%m-%d %H:%MZ}",
            hint="DNS has moved on since: make a new plan",
        )
    for change in plan.changes:
        if (change.verb, change.cmdlet) not in APPLYABLE:
            raise InputError(
                f"the plan asks for {change.verb} by {change.cmdlet}, which this version never sends"
            )


def _plan(document: Mapping[str, Any]) -> Plan:
    tenant = document["tenant"]
    return Plan(
        tenant=TenantRef(str(tenant["tenant_id"]), str(tenant["initial_domain"]), str(tenant["cloud"])),
        made_at=_moment(document["made_at"]),
        command=str(document["command"]),
        policy=dict(document["policy"]),
        changes=tuple(change_from_document(part) for part in document["changes"]),
        deferrals=tuple(
            Deferral(
                DomainName.parse(part["domain"]),
                str(part["reason"]),
                _optional(part["not_before"]),
                is_waiting=bool(part["is_waiting"]),
                verb=Verb(part["verb"]),
                stage=_stage(part),
            )
            for part in document["deferrals"]
        ),
        blockages=tuple(
            Blockage(
                DomainName.parse(part["domain"]),
                Verb(part["verb"]),
                str(part["reason"]),
                tuple(_finding(finding) for finding in part["findings"]),
                is_unknown=bool(part["is_unknown"]),
                stage=_stage(part),
            )
            for part in document["blockages"]
        ),
        steady=tuple(DomainName.parse(name) for name in document["steady"]),
        considered=int(document["considered"]),
        exceeds_limit=document["exceeds_limit"],
        stages=tuple(map(str, document["stages"])),
    )


def change_document(change: Change) -> dict[str, Any]:
    """Give a change as plain JSON values."""
    return {
        "verb": change.verb.value,
        "domain": change.target.ascii,
        "before": dict(change.before),
        "after": dict(change.after),
        "because": change.because,
        "cmdlet": change.cmdlet,
        "parameters": dict(change.parameters),
        "undo": change.undo,
        "stage": change.stage,
        "gates": list(change.gates),
    }


def change_from_document(part: Mapping[str, Any]) -> Change:
    """Read a change back, as a plan file or a journal line holds it; raises KeyError, ValueError, InputError."""
    return Change(
        verb=Verb(part["verb"]),
        target=DomainName.parse(part["domain"]),
        before=dict(part["before"]),
        after=dict(part["after"]),
        because=str(part["because"]),
        cmdlet=str(part["cmdlet"]),
        parameters=dict(part["parameters"]),
        undo=str(part["undo"]),
        stage=_stage(part),
        gates=tuple(Gate(word).value for word in part.get("gates", ())),
    )


def _stage(part: Mapping[str, Any]) -> str:
    return str(part.get("stage", ""))  # journals of earlier versions have none


def _finding(part: Mapping[str, Any]) -> Finding:
    return Finding(
        code=str(part["code"]),
        severity=Severity(part["severity"]),
        subject=DomainName.parse(part["domain"]),
        message=str(part["message"]),
        seen=str(part["seen"]),
        wanted=str(part["wanted"]),
        remedy=str(part["remedy"]),
        records=tuple(
            DnsRecord(
                DomainName.parse_lookup(record["owner"]),
                str(record["type"]),
                str(record["value"]),
                int(record["ttl_seconds"]),
            )
            for record in part["records"]
        ),
        source=str(part["source"]),
        frameworks=tuple(part["frameworks"]),
        not_before=_optional(part["not_before"]),
    )


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"“{text}” has no offset")
    return moment.astimezone(UTC)


def _optional(text: str | None) -> datetime | None:
    return _moment(text) if text else None
