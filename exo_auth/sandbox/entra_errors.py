"""Refusals of the sandbox's Entra, in the form MSAL reads (sandbox)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from exo_auth.sandbox.http_message import Response, json_response

_TEXTS = {
    50011: "The redirect URI specified in the request does not match those configured for the application.",
    50020: "User account does not exist in tenant and cannot access the application in that tenant.",
    50076: "Due to a configuration change made by your administrator, you must use multi-factor authentication.",
    50097: "Device authentication is required.",
    50158: "External security challenge not satisfied.",
    50173: "The provided grant has expired due to it being revoked.",
    50177: "External challenge is not supported for passthrough users.",
    50196: "The server terminated an operation because it encountered a client request loop.",
    53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    65001: "The user or administrator has not consented to use the application.",
    70008: "The provided authorization code or refresh token has expired due to inactivity.",
    70003: "The app requested an unsupported grant type.",
    70021: "No matching federated identity record found for presented assertion.",
    500011: "The resource principal was not found in the tenant.",
    500112: "The reply address does not match the reply address provided when requesting authorization code.",
    501481: "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    900144: "The request body must contain the following parameter: 'scope'.",
    1002012: "The provided value for scope is not valid. Client credential flows must have a scope value with "
    "/.default suffixed to the resource identifier.",
    7000216: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    7000218: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    90002: "Tenant not found. Check to make sure you have the correct tenant ID.",
    90024: "RequestBudgetExceededError - A transient error has occurred.",
    90033: "A transient error has occurred. Please try again.",
    650051: "The application requested a service principal that already exists.",
    650052: "The app is trying to access a service that your organization lacks a service principal for.",
    700016: "Application was not found in the directory.",
    700021: "Client assertion application identifier doesn't match 'client_id' parameter.",
    700024: "Client assertion is not within its valid time range.",
    700027: "The certificate with identifier used to sign the client assertion is not registered on application.",
    700082: "The refresh token has expired due to inactivity.",
    700211: "No matching federated identity record found for presented assertion issuer.",
    700212: "No matching federated identity record found for presented assertion audience.",
    700213: "No matching federated identity record found for presented assertion subject.",
    900023: "Specified tenant identifier is neither a valid DNS name, nor a valid external domain.",
    7000112: "Application is disabled.",
    7000215: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.",
    7000222: "The provided client secret keys for app are expired.",
    5000224: "We are sorry, this resource is not available.",
    9002313: "Invalid request. Request is malformed or invalid.",
}
_WORDS = {
    700082: "invalid_grant",
    70008: "invalid_grant",
    50173: "invalid_grant",
    50011: "invalid_request",
    50020: "invalid_grant",
    50177: "invalid_grant",
    50097: "interaction_required",
    50158: "interaction_required",
    70003: "unsupported_grant_type",
    70021: "invalid_request",
    500011: "invalid_resource",
    500112: "invalid_grant",
    501481: "invalid_grant",
    900144: "invalid_request",
    1002012: "invalid_scope",
    65001: "invalid_grant",
    50076: "interaction_required",
    53003: "access_denied",
    90002: "invalid_tenant",
    900023: "invalid_request",
    9002313: "invalid_request",
    700016: "unauthorized_client",
    7000112: "unauthorized_client",
    90033: "temporarily_unavailable",
    90024: "temporarily_unavailable",
}


def refusal(number: int, *, status: int | None = None, word: str | None = None, more: str = "") -> Response:
    """Refuse with an AADSTS number; word and status follow from it unless they are given."""
    error = word or _WORDS.get(number, "invalid_client")
    return _error(
        status or (401 if error == "invalid_client" else 400), error, number, _TEXTS.get(number, "") + more
    )


def pending(word: str) -> Response:
    """Answer a poll of a device code: authorization_pending, slow_down, expired_token, authorization_declined."""
    numbers = {"authorization_pending": 70016, "expired_token": 70020, "authorization_declined": 65004}
    return _error(400, word, numbers.get(word, 70016), word.replace("_", " "))


def _error(status: int, word: str, number: int, text: str) -> Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    description = f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    return json_response(
        status,
        {
            "error": word,
            "error_description": description,
            "error_codes": [number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={number}",
        },
    )
