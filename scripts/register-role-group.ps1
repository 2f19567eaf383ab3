<#
.SYNOPSIS
Gives exo-auth the rights in Exchange Online that it needs, and no others, through a role group of its own.

.DESCRIPTION
An alternative to the directory role Exchange Administrator. Registers the application's service principal in Exchange, makes the
role group exo-auth of the smallest management roles that hold the cmdlets exo-auth sends, and puts the service principal into it.
Looks before it does anything, so that it can be run again. Without -Apply it only says what it would do.
Needs ExchangeOnlineManagement 3, connected as a member of Organization Management (Connect-ExchangeOnline).
Written by `exo-auth auth setup --as role-group`.

.EXAMPLE
scripts/register-role-group.ps1 -AppId 11111111-2222-3333-4444-555555555555 -ObjectId 66666666-7777-8888-9999-000000000000 -Apply
#>
param(
    [Parameter(Mandatory)] [string] $AppId,
    [Parameter(Mandatory)] [string] $ObjectId,  # of the service principal (Enterprise applications), not of the app registration
    [string] $Name = 'exo-auth',
    [switch] $ReadOnly,
    [switch] $Apply
)
$ErrorActionPreference = 'Stop'

$reads = @(
    'Get-AcceptedDomain'
    'Get-ArcConfig'
    'Get-DkimSigningConfig'
    'Get-DnssecStatusForVerifiedDomain'
    'Get-InboundConnector'
    'Get-OrganizationConfig'
    'Get-OutboundConnector'
    'Get-SmtpDaneInboundStatus'
    'Get-TransportRule'
)
$writes = @(
    'Disable-DnssecForVerifiedDomain'
    'Disable-SmtpDaneInbound'
    'Disable-TransportRule'
    'Enable-DnssecForVerifiedDomain'
    'Enable-SmtpDaneInbound'
    'Enable-TransportRule'
    'New-DkimSigningConfig'
    'New-InboundConnector'
    'New-OutboundConnector'
    'New-TransportRule'
    'Remove-InboundConnector'
    'Remove-OutboundConnector'
    'Remove-TransportRule'
    'Rotate-DkimSigningConfig'
    'Set-DkimSigningConfig'
    'Set-InboundConnector'
    'Set-OutboundConnector'
    'Set-TransportRule'
)
$cmdlets = if ($ReadOnly) { $reads } else { $reads + $writes }

function Do-It([string] $sentence, [scriptblock] $action) {
    if (-not $Apply) {
        "+ would: $sentence"
        return
    }
    & $action | Out-Null
    "+ done:  $sentence"
}

# For each cmdlet the role that holds the fewest others; one role often serves several.
$roles = @()
foreach ($cmdlet in $cmdlets) {
    $holders = @(Get-ManagementRole -Cmdlet $cmdlet -ErrorAction SilentlyContinue | Where-Object { $_.IsEndUserRole -ne $true })
    if ($holders.Count -eq 0) {
        Write-Warning "no role holds ${cmdlet}: what needs it will be refused"
        continue
    }
    $chosen = @($holders | Where-Object { $roles -contains $_.Name })
    if ($chosen.Count -eq 0) {
        $smallest = $holders | Sort-Object { @(Get-ManagementRoleEntry "$($_.Name)\*").Count } | Select-Object -First 1
        $roles += $smallest.Name
    }
}

$principal = Get-ServicePrincipal -Identity $ObjectId -ErrorAction SilentlyContinue
if ($principal) {
    "= service principal $ObjectId is known to Exchange"
}
else {
    Do-It "register the service principal $ObjectId in Exchange" {
        New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName $Name
    }
}

$group = Get-RoleGroup -Identity $Name -ErrorAction SilentlyContinue
if (-not $group) {
    Do-It "make the role group $Name of $($roles -join ', ')" { New-RoleGroup -Name $Name -Roles $roles -Description 'What exo-auth may do' }
}
else {
    "= role group $Name"
    $assigned = @(Get-ManagementRoleAssignment -RoleAssignee $Name | ForEach-Object { $_.Role })
    foreach ($role in $roles | Where-Object { $assigned -notcontains $_ }) {
        Do-It "add the role $role to it" { New-ManagementRoleAssignment -SecurityGroup $Name -Role $role }
    }
}

$members = @()
if ($group) {
    $members = @(Get-RoleGroupMember -Identity $Name | ForEach-Object { $_.ExternalDirectoryObjectId })
}
if ($members -contains $ObjectId) {
    "= the service principal is a member"
}
else {
    Do-It "put the service principal into it" { Add-RoleGroupMember -Identity $Name -Member $ObjectId -BypassSecurityGroupManagerCheck }
}

if ($Apply) {
    'It takes up to an hour to count. Then: exo-auth doctor'
}
else {
    'Nothing was changed. The same command with -Apply does what is shown.'
}
