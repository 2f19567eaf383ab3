"""`Cloud`: the Microsoft clouds as data — hosts, scopes, records; the sandbox is one more (ground)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from exo_auth.errors import InputError


@dataclass(frozen=True)
class Cloud:
    """One Microsoft cloud. All URLs are https, without a trailing slash."""

    name: str
    authority: str  # where tokens are issued; the tenant is appended
    exchange_url: str  # base of the admin API
    resource: str  # audience of the token; the scope is this plus /.default
    powershell_name: str  # -ExchangeEnvironmentName
    spf_include: str  # the include every sending domain of this cloud needs
    mx_suffixes: tuple[str, ...]  # what the MX hosts of this cloud end in
    initial_suffixes: tuple[str, ...]  # what a tenant's initial domain ends in
    ca_file: str | None = None  # an extra root to trust; set for the sandbox only
    instance_discovery: bool = True  # does MSAL ask login.microsoftonline.com about the authority?
    is_sandbox: bool = False

    @property
    def scope(self) -> str:
        """What MSAL is asked for."""
        return f"{self.resource}/.default"


WORLDWIDE = Cloud(
    name="worldwide",
    authority="https://login.microsoftonline.com",
    exchange_url="https://outlook.office365.com",
    resource="https://outlook.office365.com",
    powershell_name="O365Default",
    spf_include="spf.protection.outlook.com",
    mx_suffixes=("mail.protection.outlook.com", "mx.microsoft"),
    initial_suffixes=("onmicrosoft.com",),
)
GCC_HIGH = Cloud(
    name="gcchigh",
    authority="https://login.microsoftonline.us",
    exchange_url="https://outlook.office365.us",
    resource="https://outlook.office365.us",
    powershell_name="O365USGovGCCHigh",
    spf_include="spf.protection.office365.us",
    mx_suffixes=("mail.protection.office365.us",),
    initial_suffixes=("onmicrosoft.us", "onmicrosoft.com"),
)
DOD = Cloud(
    name="dod",
    authority="https://login.microsoftonline.us",
    exchange_url="https://outlook-dod.office365.us",  # not the PowerShell host, webmail.apps.mil
    resource="https://outlook-dod.office365.us",
    powershell_name="O365USGovDoD",
    spf_include="spf.protection.office365.us",
    mx_suffixes=("mail.protection.office365.us",),
    initial_suffixes=("onmicrosoft.us", "onmicrosoft.com"),
)
CHINA = Cloud(
    name="china",
    authority="https://login.chinacloudapi.cn",
    exchange_url="https://partner.outlook.cn",
    resource="https://partner.outlook.cn",
    powershell_name="O365China",
    spf_include="spf.protection.partner.outlook.cn",
    mx_suffixes=("mail.protection.partner.outlook.cn",),
    initial_suffixes=("partner.onmschina.cn", "onmschina.cn"),
)

CLOUDS: dict[str, Cloud] = {
    "worldwide": WORLDWIDE,
    "gcc": WORLDWIDE,  # GCC lives on the worldwide endpoints
    "gcchigh": GCC_HIGH,
    "dod": DOD,
    "china": CHINA,
}


def cloud_named(name: str) -> Cloud:
    """Give the cloud of that name; raises InputError that lists the names there are."""
    try:
        return CLOUDS[name.lower()]
    except KeyError:
        raise InputError(f"there is no cloud “{name}”", hint=f"one of {', '.join(CLOUDS)}") from None


def custom_cloud(
    base: Cloud, *, authority: str | None, exchange_url: str | None, ca_file: str | None
) -> Cloud:
    """Give `base` with other endpoints: the sandbox, a proxy, or a cloud this version does not know.

    The token's audience stays that of `base` unless the Exchange host is replaced, because the service
    checks it. Raises InputError for a URL that is not https.
    """
    for what, url in (("authority", authority), ("exchange_url", exchange_url)):
        if url is not None and not url.startswith("https://"):
            raise InputError(f"{what} must begin with https://, not “{url}”", hint="MSAL refuses plain http")
    if authority is None and exchange_url is None and ca_file is None:
        return base
    exchange = (exchange_url or base.exchange_url).rstrip("/")
    return replace(
        base,
        name="custom",
        authority=(authority or base.authority).rstrip("/"),
        exchange_url=exchange,
        resource=exchange if exchange_url else base.resource,
        ca_file=ca_file,
        instance_discovery=authority is None,
        is_sandbox=_is_loopback(exchange),
    )


def _is_loopback(url: str) -> bool:
    host = url.removeprefix("https://").split("/")[0].rsplit(":", 1)[0]
    return host in ("localhost", "[::1]") or host.startswith("127.")
