# Puts the runbook exo_auth_nightly_rotation on its schedule: 17 3 * * * (UTC).
# Needs Az.Automation, and the rights of an Automation Contributor on the account. Run it again after a change: it replaces.
#   ./exo_auth_nightly_rotation_schedule.ps1 -ResourceGroupName GROUP -AutomationAccountName ACCOUNT
param(
    [Parameter(Mandatory)] [string] $ResourceGroupName,
    [Parameter(Mandatory)] [string] $AutomationAccountName
)
$ErrorActionPreference = 'Stop'
$account = @{ ResourceGroupName = $ResourceGroupName; AutomationAccountName = $AutomationAccountName }
$tomorrow = (Get-Date).Date.AddDays(1)

Remove-AzAutomationSchedule @account -Name 'exo-auth-nightly-rotation-1' -Force -ErrorAction SilentlyContinue
New-AzAutomationSchedule @account -Name 'exo-auth-nightly-rotation-1' -TimeZone 'UTC' `
    -StartTime ($tomorrow.AddHours(3).AddMinutes(17)) -DayInterval 1
Register-AzAutomationScheduledRunbook @account -RunbookName 'exo_auth_nightly_rotation' -ScheduleName 'exo-auth-nightly-rotation-1'
