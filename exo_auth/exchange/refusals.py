"""401 and 403: which rung of the permission ladder is missing, and how to mend it (pure)."""

from __future__ import annotations

import re

from exo_auth.errors import Correlation, NotPermitted, Refusal
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.exchange.http_answer import Call, HttpAnswer
from exo_auth.exchange.reason import Reason, tidy
from exo_auth.identity.access_token import AccessToken

APP_PERMISSION = "Exchange.ManageAsApp"
USER_PERMISSION = "Exchange.Manage"

# Template ids of the directory roles that reach what exo-auth reads.
READING_ROLES = {
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader",
    "5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
}

_TEXTS = (
    (
        re.compile(r"not present in the role definition of the current user", re.IGNORECASE),
        Refusal.CMDLET_NOT_GRANTED,
    ),
    (re.compile(r"is not allowed to call", re.IGNORECASE), Refusal.CMDLET_NOT_GRANTED),
    # PowerShell's module does not import what the caller may not run: the name is right, the right is missing.
    (re.compile(r"is not recognized as a name of a cmdlet", re.IGNORECASE), Refusal.CMDLET_NOT_GRANTED),
    (re.compile(r"Unable to initialize the authorization context", re.IGNORECASE), Refusal.NO_ROLE),
    (re.compile(r"role assigned to application .* isn['’]t supported", re.IGNORECASE), Refusal.NO_ROLE),
    (re.compile(r"isn['’]t assigned to any management roles", re.IGNORECASE), Refusal.NO_ROLE),
    (re.compile(r"Provide valid credential", re.IGNORECASE), Refusal.TOKEN),
    (re.compile(r"^UnAuthorized\b", re.IGNORECASE), Refusal.TOKEN),  # the module's word for a 401
)


def refused(
    call: Call,
    answer: HttpAnswer,
    reason: Reason | None,
    token: AccessToken | None,
    correlation: Correlation,
) -> NotPermitted:
    """Tell what a 401 or a 403 means; a body of NUL bytes leaves only the token's claims to judge by."""
    refusal = _refusal(answer, reason, token)
    said = reason.text if reason else _diagnosis(answer)
    message = f"Exchange Online refuses {call.cmdlet} (HTTP {answer.status}): {_MEANING[refusal]}"
    return NotPermitted(
        f"{message}: {said}" if said else message,
        refusal=refusal,
        correlation=correlation,
        hint=remedy(refusal, call, token),
    )


def refused_by_text(call: Call, reason: Reason, correlation: Correlation) -> NotPermitted | None:
    """Find a want of rights behind another status; None when the text speaks of something else."""
    refusal = _by_text(reason)
    if refusal is None:
        return None
    return NotPermitted(
        f"Exchange Online refuses {call.cmdlet}: {_MEANING[refusal]}: {reason.text}",
        refusal=refusal,
        correlation=correlation,
        hint=remedy(refusal, call, None),
    )


_MEANING = {
    Refusal.TOKEN: "it does not accept the access token",
    Refusal.NO_PERMISSION: "the token does not carry the API permission",
    Refusal.NO_ROLE: "the caller has no Exchange role in this tenant",
    Refusal.CMDLET_NOT_GRANTED: "the caller's roles do not contain this cmdlet",
}


def remedy(refusal: Refusal, call: Call, token: AccessToken | None) -> str:
    """Name the exact grant that is missing, and where it is given."""
    known = ALLOWED.get(call.cmdlet)
    writes = call.is_write or (known is not None and known.is_write)
    role = "Exchange Administrator" if writes else "Global Reader or Security Reader"
    whom = "the user" if token is not None and not token.is_app_only else "the app's service principal"
    role_group = f"or put it into an Exchange role group whose roles contain {call.cmdlet}"
    afterwards = "then sign in anew: the old token does not know of it"
    if refusal is Refusal.TOKEN:
        return (
            f"check that {call.tenant_id} is the right tenant, and check the cloud and this machine's clock;"
            " then sign in anew"
        )
    if refusal is Refusal.NO_PERMISSION:
        permission = (
            f"the delegated permission {USER_PERMISSION}"
            if whom == "the user"
            else f"the application permission {APP_PERMISSION}"
        )
        return (
            f"in Entra, App registrations > API permissions, add {permission} of Office 365 Exchange Online"
            f" and grant admin consent in tenant {call.tenant_id}; {afterwards}"
        )
    if refusal is Refusal.NO_ROLE:
        return f"in Entra, Roles and administrators, assign {role} to {whom}, {role_group}; {afterwards}"
    return (
        f"assign {role} to {whom} in Entra, Roles and administrators, {role_group};"
        f" Security Administrator may not suffice for writing; {afterwards}"
    )


def _refusal(answer: HttpAnswer, reason: Reason | None, token: AccessToken | None) -> Refusal:
    if token is not None and token.claims and token.is_app_only and APP_PERMISSION not in token.roles:
        return Refusal.NO_PERMISSION
    if reason is not None and (told := _by_text(reason)):
        return told
    if answer.status == 401:
        return Refusal.TOKEN
    holds_role = token is not None and token.directory_roles & READING_ROLES.keys()
    return Refusal.CMDLET_NOT_GRANTED if holds_role else Refusal.NO_ROLE


def _by_text(reason: Reason) -> Refusal | None:
    return next((refusal for pattern, refusal in _TEXTS if pattern.search(reason.text)), None)


def _diagnosis(answer: HttpAnswer) -> str:
    # `2000002;reason="…";error_category="…"`: the front door explains why the token is bad
    diagnostics = answer.header("x-ms-diagnostics")
    return tidy(diagnostics)[:300] if diagnostics.startswith("2000") else ""
