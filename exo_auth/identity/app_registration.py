"""How to register the application that a job signs in as: steps for a person, commands to paste (identity; pure)."""

from __future__ import annotations

from exo_auth.cloud import Cloud
from exo_auth.identity.permission_advice import (
    EXCHANGE_ADMINISTRATOR,
    MANAGE_AS_APP,
    MANAGE_AS_APP_ID,
    RESOURCE_APP_ID,
    portal,
)

GRAPH_ENVIRONMENTS = {"gcchigh": "USGov", "dod": "USGovDoD", "china": "China"}


def setup_steps(cloud: Cloud, tenant: str) -> str:
    """Give the steps for this cloud and tenant; nothing in them is secret."""
    environment = GRAPH_ENVIRONMENTS.get(cloud.name, "Global")
    return f"""\
Register exo-auth in {tenant}. Three things are needed: a certificate, a permission, a role.

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

Without a certificate, for workload identity (GitHub Actions, Kubernetes, Azure Pipelines): add a federated credential
to the application instead of step 1, and set EXO_AUTH_METHOD=federated.

Then tell exo-auth, and look what is missing. A new role takes up to an hour to count.

     exo-auth init -t {tenant} --client-id <application id> --certificate-file exo-auth.pem
     exo-auth auth test
"""
