"""What Entra's codes mean and what to do about each (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exo_auth.errors import SignInError

_CODE = re.compile(r"AADSTS(\d{4,8})")
_TAIL = re.compile(r"\s*(Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)
_CORRELATION = re.compile(r'(?:Correlation ID:\s*|"correlation_id"\s*:\s*")([0-9a-fA-F-]{36})')
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_LONGEST = 400  # characters of a foreign message


@dataclass(frozen=True)
class Asker:
    """Who asked whom: fills the remedies. `hidden` holds texts that no message may show."""

    client_id: str
    tenant: str
    authority: str
    resource: str
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Remedy:
    meaning: str
    hint: str
    is_transient: bool = False


_CONSENT = (
    "a Global or Privileged Role Administrator of the tenant opens "
    "{authority}/{tenant}/adminconsent?client_id={client_id} once"
)
_SIGN_IN_AGAIN = _Remedy("the stored sign-in expired or was revoked", "sign in again: exo-auth auth login")
_POLICY = _Remedy(
    "a Conditional Access policy or missing second factor stops this sign-in",
    "sign in with method browser on a managed device, or let an administrator exclude this sign-in from the policy; "
    "for unattended runs use an application with a certificate",
)
_NO_TENANT = _Remedy(
    "there is no tenant “{tenant}” at {authority}",
    "check the tenant id or domain, and that the cloud is right",
)
_NO_EXCHANGE = _Remedy(
    "the tenant has no usable Exchange Online service",
    "check that it has an Exchange Online subscription; then consent again: " + _CONSENT,
)
_NO_FEDERATION = _Remedy(
    "no federated credential of application {client_id} matches the assertion",
    "under the app registration's “Certificates & secrets”, “Federated credentials”, compare issuer, subject "
    "and audience (api://AzureADTokenExchange) with the assertion's, letter by letter",
)
_BUSY = _Remedy("Entra is busy or broken for a moment", "run it again in a few minutes", is_transient=True)
_PARTNER = _Remedy(
    "the signed-in user is not known in tenant “{tenant}”",
    "sign in as a user of that tenant; a partner's user needs a GDAP relationship and its security group, or an invitation",
)

_REMEDIES: dict[int, _Remedy] = {
    7000215: _Remedy(
        "the client secret of application {client_id} is wrong",
        "paste the secret's value, not its id; the value is shown only once, so else make a new one under "
        "“Certificates & secrets”",
    ),
    7000222: _Remedy(
        "the client secret of application {client_id} has expired",
        "make a new one under “Certificates & secrets”, or better change to a certificate",
    ),
    700027: _Remedy(
        "application {client_id} does not know the certificate that was used",
        "upload its public part (.cer) under “Certificates & secrets” of the app registration and compare the thumbprint",
    ),
    700016: _Remedy(
        "application {client_id} is not in tenant “{tenant}”",
        "check client id and tenant; when both are right, consent is missing: " + _CONSENT,
    ),
    65001: _Remedy("application {client_id} has no consent in tenant “{tenant}”", _CONSENT),
    50020: _PARTNER,
    50177: _PARTNER,
    700082: _SIGN_IN_AGAIN,
    50173: _SIGN_IN_AGAIN,
    70008: _SIGN_IN_AGAIN,
    53003: _POLICY,
    50097: _POLICY,
    50158: _POLICY,
    50076: _POLICY,
    50079: _POLICY,
    90002: _NO_TENANT,
    900023: _NO_TENANT,
    9002313: _Remedy("Entra calls the request malformed", "check tenant and client id for stray characters"),
    5000224: _Remedy(
        "Microsoft has blocked or deleted tenant “{tenant}”",
        "leave this tenant out; its owner asks Microsoft support",
    ),
    650051: _NO_EXCHANGE,
    650052: _NO_EXCHANGE,
    7000112: _Remedy(
        "application {client_id} is disabled in tenant “{tenant}”",
        "enable it under “Enterprise applications”, “Properties”, or sign in with an application of your own",
    ),
    90033: _BUSY,
    90024: _BUSY,
    50196: _Remedy(
        "Entra saw the same request too often", "wait ten minutes; look for a job that runs in a loop", True
    ),
    70021: _NO_FEDERATION,
    700211: _NO_FEDERATION,
    700213: _NO_FEDERATION,
    500011: _Remedy(
        "tenant “{tenant}” does not know {resource}",
        "check that cloud and tenant belong together and that the tenant has Exchange Online",
    ),
}
_WORDS: dict[str, _Remedy] = {  # RFC 6749 §5.2 and RFC 8628 §3.5: errors that come without an AADSTS code
    "authorization_pending": _Remedy(
        "nobody finished the sign-in in time", "start it again and enter the code at once"
    ),
    "expired_token": _Remedy("the code has expired", "start the sign-in again and enter the code at once"),
    "code_expired": _Remedy("the code has expired", "start the sign-in again and enter the code at once"),
    "authorization_declined": _Remedy("the sign-in was declined", "start it again and accept it"),
    "access_denied": _Remedy("the sign-in was declined", "start it again and accept it"),
    "temporarily_unavailable": _BUSY,
}


def refused(answer: Mapping[str, Any], asker: Asker) -> SignInError:
    """Make the error for a token endpoint's error document (RFC 6749 §5.2)."""
    description = str(answer.get("error_description") or "")
    number = code_number(answer, description)
    word = str(answer.get("error") or "unknown_error")
    code = f"AADSTS{number}" if number else shown(word, asker)
    correlation = answer.get("correlation_id") or correlation_in(description)
    remedy = _REMEDIES.get(number or 0) or _WORDS.get(word)
    said = shown(_TAIL.sub("", description), asker)
    if remedy is None:
        return SignInError(
            f"Entra refused the sign-in: {said or code}",
            code=code,
            correlation_id=_text(correlation),
            hint=f"look {code} up at https://login.microsoftonline.com/error?code={number}"
            if number
            else None,
        )
    return SignInError(
        f"{_filled(remedy.meaning, asker)} ({code})",
        code=code,
        correlation_id=_text(correlation),
        hint=_filled(remedy.hint, asker),
    )


def code_number(answer: Mapping[str, Any], text: str = "") -> int | None:
    """Find the AADSTS number: one with a remedy before any other, the list before the text."""
    listed = answer.get("error_codes")
    numbers = [one for one in listed if isinstance(one, int)] if isinstance(listed, list) else []
    numbers += [int(found) for found in _CODE.findall(text)]
    return next((one for one in numbers if one in _REMEDIES), numbers[0] if numbers else None)


def correlation_in(text: str) -> str | None:
    """Find the correlation id in a message or a JSON document."""
    found = _CORRELATION.search(text)
    return found[1] if found else None


def is_transient(error: SignInError) -> bool:
    """Tell whether the same request may succeed soon."""
    number = code_number({}, error.code)
    remedy = _REMEDIES.get(number or 0) or _WORDS.get(error.code)
    return remedy is not None and remedy.is_transient


def known_codes() -> Iterable[int]:
    """List the AADSTS numbers that have a remedy of their own."""
    return _REMEDIES.keys()


def _filled(template: str, asker: Asker) -> str:
    return template.format(
        client_id=asker.client_id,
        tenant=asker.tenant,
        authority=asker.authority,
        resource=asker.resource,
    )


def shown(text: str, asker: Asker) -> str:
    """Cut a foreign text down to one short line without the asker's secrets."""
    for secret in asker.hidden:
        if secret:
            text = text.replace(secret, "…")
    text = _CONTROLS.sub(" ", text).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(value: object) -> str | None:
    return _CONTROLS.sub(" ", value)[:64] if isinstance(value, str) and value else None
