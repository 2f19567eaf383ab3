"""How to register the application that a job signs in as: steps for a person, and the scripts that take them (identity; pure).

The one source of what is needed: `auth setup` prints it, `scripts/register-app` and `scripts/register-role-group.ps1` are what it
prints, and `doctor` proves the result against the same identifiers.
"""

from __future__ import annotations

from importlib.resources import files

from exo_auth.cloud import Cloud
from exo_auth.identity.permission_advice import (
    EXCHANGE_ADMINISTRATOR,
    MANAGE_AS_APP,
    MANAGE_AS_APP_ID,
    RESOURCE_APP_ID,
    portal,
)

GRAPH_ENVIRONMENTS = {"gcchigh": "USGov", "dod": "USGovDoD", "china": "China"}
# What is sent to Exchange Online (exo_auth/exchange/cmdlets.py); a role group needs these and no others.
READS = (
    "Get-AcceptedDomain",
    "Get-ArcConfig",
    "Get-DkimSigningConfig",
    "Get-DnssecStatusForVerifiedDomain",
    "Get-InboundConnector",
    "Get-OrganizationConfig",
    "Get-OutboundConnector",
    "Get-SmtpDaneInboundStatus",
    "Get-TransportRule",
)
WRITES = (
    "Disable-DnssecForVerifiedDomain",
    "Disable-SmtpDaneInbound",
    "Disable-TransportRule",
    "Enable-DnssecForVerifiedDomain",
    "Enable-SmtpDaneInbound",
    "Enable-TransportRule",
    "New-DkimSigningConfig",
    "New-InboundConnector",
    "New-OutboundConnector",
    "New-TransportRule",
    "Remove-InboundConnector",
    "Remove-OutboundConnector",
    "Remove-TransportRule",
    "Rotate-DkimSigningConfig",
    "Set-DkimSigningConfig",
    "Set-InboundConnector",
    "Set-OutboundConnector",
    "Set-TransportRule",
)


def register_app_script() -> str:
    """Give the shell script that registers the application through the Azure CLI."""
    return _filled("register_app.sh")


def role_group_script() -> str:
    """Give the PowerShell script that makes a role group with no more rights than are needed."""
    return _filled("register_role_group.ps1")


def _filled(name: str) -> str:
    text = (files("exo_auth.identity") / name).read_text(encoding="utf-8")
    values = {
        "RESOURCE_APP_ID": RESOURCE_APP_ID,
        "MANAGE_AS_APP_ID": MANAGE_AS_APP_ID,
        "MANAGE_AS_APP": MANAGE_AS_APP,
        "EXCHANGE_ADMINISTRATOR": EXCHANGE_ADMINISTRATOR,
        "READS": _lines(READS),
        "WRITES": _lines(WRITES),
    }
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def _lines(cmdlets: tuple[str, ...]) -> str:
    return "\n".join(f"    '{cmdlet}'" for cmdlet in cmdlets)


def setup_steps(cloud: Cloud, tenant: str) -> str:
    """Give the steps for this cloud and tenant; nothing in them is secret."""
    environment = GRAPH_ENVIRONMENTS.get(cloud.name, "Global")
    return f"""\
Register exo-auth in {tenant}. Three things are needed: a certificate, a permission, a role.

The Azure CLI does steps 2 and 3, shows first what it would do, and can be run again:

     exo-auth auth setup --as script > register-app
     bash register-app --tenant {tenant} --cloud {cloud.name} --certificate exo-auth.cer

1. A certificate. The private file stays on the machine of the job.

     exo-auth auth certificate new --out exo-auth

2. The application, its permission, and consent. By hand: {portal(cloud)}, App registrations, New registration,
   then Certificates & secrets (upload exo-auth.cer), then API permissions: Office 365 Exchange Online, Application
   permissions, {MANAGE_AS_APP}, and Grant admin consent. Or in PowerShell with Microsoft Graph:

     Connect-MgGraph -TenantId {tenant} -Environment {environment} `
       -Scopes Application.ReadWrite.All, AppRoleAssignment.ReadWrite.All, RoleManagement.ReadWrite.Directory
     $certificate = [IO.File]::ReadAllBytes((Resolve-Path exo-auth.cer))
     $permission = @{{ resourceAppId = '{RESOURCE_APP_ID}'
       resourceAccess = @(@{{ id = '{MANAGE_AS_APP_ID}'; type = 'Role' }}) }}
     $app = New-MgApplication -DisplayName exo-auth -RequiredResourceAccess $permission `
       -KeyCredentials @{{ type = 'AsymmetricX509Cert'; usage = 'Verify'; key = $certificate }}
     $me = New-MgServicePrincipal -AppId $app.AppId
     $exchange = Get-MgServicePrincipal -Filter "appId eq '{RESOURCE_APP_ID}'"
     New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $me.Id -PrincipalId $me.Id `
       -ResourceId $exchange.Id -AppRoleId '{MANAGE_AS_APP_ID}'

3. The role. By hand: {portal(cloud)}, Roles and administrators, Exchange Administrator, Add assignments. Or:

     New-MgRoleManagementDirectoryRoleAssignment -PrincipalId $me.Id -DirectoryScopeId '/' `
       -RoleDefinitionId '{EXCHANGE_ADMINISTRATOR}'

   With fewer rights: a role group in Exchange of the cmdlets that exo-auth sends, and no directory role.

     exo-auth auth setup --as role-group > register-role-group.ps1

Without a certificate, for workload identity (GitHub Actions, Kubernetes, Azure Pipelines): give register-app
--federated-subject instead of --certificate, and set EXO_AUTH_METHOD=federated.

Then tell exo-auth, and look what is missing. A new role takes up to an hour to count.

     exo-auth init -t {tenant} --client-id <application id> --certificate-file exo-auth.pem
     exo-auth doctor
"""
