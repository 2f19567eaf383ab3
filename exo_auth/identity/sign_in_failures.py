"""What goes wrong before Entra answers: network, TLS, unknown authority, a broken cache (identity)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from msal.exceptions import MsalError
from msal.managed_identity import ManagedIdentityError

from exo_auth.errors import SignInError
from exo_auth.identity.sign_in_errors import Asker, code_number, correlation_in, refused, shown


@contextmanager
def told(asker: Asker, *, asked: str = "") -> Iterator[None]:
    """Turn every failure of MSAL and requests inside into SignInError; `asked` is the host that is asked."""
    host = asked or host_of(asker.authority)
    try:
        yield
    except requests.exceptions.RequestException as error:
        raise unreachable(error, host) from None
    except OSError as error:  # requests raises a bare one for a CA file that is not there
        raise SignInError(
            f"{host} cannot be asked: {shown(str(error), asker)}",
            code="local_file",
            hint="check ca_file and the folder of the token cache",
        ) from None
    except ManagedIdentityError as error:
        raise SignInError(
            f"the managed identity endpoint {host} cannot be used: {shown(str(error), asker)}",
            code="managed_identity",
            hint="check that the machine has the identity and that its agent is up to date",
        ) from None
    except (MsalError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "OIDC Discovery" not in str(error):
            raise _not_understood(error, asker, host) from None  # such as an id token of another sign-in
        raise SignInError(  # MSAL's two ways to say HTTP 5xx
            f"{host} is out of order: {shown(str(error), asker)}",
            code="server_error",
            hint="run it again in a few minutes; https://status.cloud.microsoft tells of outages",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # MSAL reads the answers without checking their shape, and raises ValueError for unknown tenants.
        raise _not_understood(error, asker, host) from None


def unreachable(error: requests.exceptions.RequestException, host: str) -> SignInError:
    """Make the error for a connection that failed; it names the host, not the whole URL."""
    if isinstance(error, requests.exceptions.SSLError):
        return SignInError(
            f"{host} showed a certificate that is not trusted",
            code="tls",
            hint="when a company proxy opens TLS, set the cloud's ca_file to its root certificate",
        )
    if isinstance(error, requests.exceptions.ProxyError):
        what, hint = "cannot be reached through the proxy", "check HTTPS_PROXY and NO_PROXY"
    elif isinstance(error, requests.exceptions.Timeout):
        what, hint = "did not answer in time", "check the network and the firewall, then run it again"
    else:
        what, hint = "cannot be reached", "check DNS, the network, the firewall and HTTPS_PROXY"
    return SignInError(f"{host} {what}", code="network", hint=hint)


def host_of(url: str) -> str:
    """Give the host of a URL with its port; the text itself when there is none."""
    try:
        parts = urlsplit(url)
        return parts.netloc.rpartition("@")[2] or url
    except ValueError:
        return url


def _not_understood(error: Exception, asker: Asker, host: str) -> SignInError:
    text = f"{error} {error.__context__ or ''}"
    number = code_number({}, text)
    if number is not None:
        answer = {"error_codes": [number], "error_description": text, "correlation_id": correlation_in(text)}
        return refused(answer, asker)
    if "OIDC Discovery failed" in text:
        return refused({"error_codes": [90002]}, asker)  # a 4xx without a code: the path is not a tenant's
    return SignInError(
        f"{host} answered something that is not a sign-in answer: {shown(str(error), asker)}",
        code="not_understood",
        hint="look for a proxy or a captive portal in between, and check the cloud's authority",
    )
