"""Bodies of failures, as the admin API writes them (sandbox)."""

from __future__ import annotations

from typing import Any

from exo_auth.sandbox.http_message import Response, json_response

_ODATA = "Microsoft.Exchange.Admin.OData.Core.ODataServiceException"
_STACK = "   at Microsoft.Exchange.AdminApi.CommandInvocation.CommandInvocation.InvokeCommand(QueryContext context)"


def cmdlet_failed(status: int, exception_type: str, text: str, *, error_id: str = "") -> Response:
    """A cmdlet ran and said no."""
    code = "NotFound" if status == 404 else "BadRequest"
    return json_response(
        status, _body(code, "Error executing cmdlet", f"{error_id}|{exception_type}|{text}", text)
    )


def not_understood(exception_type: str, text: str) -> Response:
    """The request itself was wrong: unknown parameter, bad value, no object."""
    kind = f"Microsoft.Exchange.AdminApi.CommandInvocation.{exception_type}"
    return json_response(400, _body("BadRequest", "Invalid Operation", f"|{kind}|{text}", text))


def unauthorized(reason: str, claims: str | None = None) -> Response:
    """The token does not count; with `claims` the service asks for another one (continuous access evaluation)."""
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
    )
    if claims:
        import base64

        encoded = base64.b64encode(claims.encode()).decode()
        challenge += f'error="insufficient_claims", claims="{encoded}"'
    else:
        challenge += f'error="invalid_token", error_description="{reason}"'
    return Response(401, {"WWW-Authenticate": challenge, "Content-Length": "0"})


def not_allowed_to_call(cmdlet: str) -> Response:
    """The application has no permission for Exchange at all."""
    text = f"User is not allowed to call {cmdlet}"
    return json_response(
        401,
        {"error": {"code": "Unauthorized", "message": text, "innererror": {"message": text, "type": _ODATA}}},
    )


def forbidden(*, declared_gzip: bool) -> Response:
    """No role, or the role does not hold the cmdlet: 470 zero bytes that claim to be gzip."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if declared_gzip:
        headers["Content-Encoding"] = "gzip"
    return Response(403, headers, b"\x00" * 470)


def gateway(status: int) -> Response:
    """What a front door says when nobody is behind it."""
    page = (
        f"<html><head><title>{status}</title></head><body><h1>{status} Service Unavailable</h1></body></html>"
    )
    return Response(status, {"Content-Type": "text/html"}, page.encode())


def concurrency(status: int) -> Response:
    """The plain sentence about too many requests at once."""
    text = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"
    return Response(status, {"Content-Type": "text/plain"}, text.encode())


def _body(code: str, message: str, detail: str, text: str) -> dict[str, Any]:
    return {
        "error": {
            "code": code,
            "message": message,
            "details": [{"code": "Client", "target": "", "message": detail}],
            "innererror": {
                "message": message,
                "type": _ODATA,
                "stacktrace": _STACK,
                "internalexception": {"message": text, "type": detail.split("|")[1], "stacktrace": ""},
            },
            "adminapi.warnings@odata.type": "#Collection(String)",
            "@adminapi.warnings": [],
        }
    }
