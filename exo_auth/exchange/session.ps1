# One Exchange Online session for exo-auth: reads one JSON object a line from standard input, runs the cmdlet it names,
# and writes one line of JSON to standard output, behind a marker that tells it from what the module prints by itself.
#
# The first line is the job: organization, environment, cmdlets (the only ones that may run), marker.
# The access token comes in the environment variable EXO_AUTH_TOKEN, which is removed before anything else is done.
# Needs PowerShell 7.4 and the module ExchangeOnlineManagement 3.5 or newer.

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$MinimumVersion = '3.5.0'

$token = $env:EXO_AUTH_TOKEN
Remove-Item -Path Env:EXO_AUTH_TOKEN
$job = [Console]::In.ReadLine() | ConvertFrom-Json -AsHashtable

function Send-Answer {
    param([hashtable]$Answer)
    $json = ConvertTo-Json -InputObject $Answer -Depth 8 -Compress -EnumsAsStrings
    [Console]::Out.WriteLine($job.marker + $json)
    [Console]::Out.Flush()
}

function Get-Failure {
    param($Record)
    return @{
        message = [string]$Record.Exception.Message
        type = [string]$Record.Exception.GetType().FullName
        category = [string]$Record.CategoryInfo.Category
        identifier = [string]$Record.FullyQualifiedErrorId
    }
}

function ConvertTo-Plain {
    param($Value, [int]$Depth = 4)
    if ($null -eq $Value) { return $null }
    if ($Value -is [bool] -or $Value -is [int] -or $Value -is [long] -or $Value -is [uint16]) { return $Value }
    if ($Value -is [datetime]) { return $Value.ToUniversalTime().ToString('o') }
    if ($Value -is [string] -or $Depth -le 0) { return [string]$Value }
    if ($Value -is [System.Collections.IDictionary]) {
        $plain = [ordered]@{}
        foreach ($key in $Value.Keys) {
            $plain[[string]$key] = ConvertTo-Plain -Value $Value[$key] -Depth ($Depth - 1)
        }
        return $plain
    }
    if ($Value -is [System.Collections.IEnumerable]) {
        return , @($Value | ForEach-Object { ConvertTo-Plain -Value $_ -Depth ($Depth - 1) })
    }
    # Nested results of the module are property bags; all other objects know how to write themselves.
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $plain = [ordered]@{}
        foreach ($property in $Value.PSObject.Properties) {
            $plain[$property.Name] = ConvertTo-Plain -Value $property.Value -Depth ($Depth - 1)
        }
        return $plain
    }
    return [string]$Value
}

function ConvertTo-Row {
    param($Item)
    $row = [ordered]@{}
    foreach ($property in $Item.PSObject.Properties) {
        $row[$property.Name] = ConvertTo-Plain -Value $property.Value
    }
    return $row
}

try {
    $module = Get-Module -Name ExchangeOnlineManagement -ListAvailable |
        Sort-Object -Property Version -Descending |
        Select-Object -First 1
    if ($null -eq $module) {
        throw 'The module ExchangeOnlineManagement is not installed. Run: Install-Module ExchangeOnlineManagement'
    }
    if ($module.Version -lt [version]$MinimumVersion) {
        throw "The module ExchangeOnlineManagement is $($module.Version), and $MinimumVersion is needed. Run: Update-Module ExchangeOnlineManagement"
    }
    Import-Module -ModuleInfo $module
    $connection = @{
        AccessToken = $token
        Organization = $job.organization
        ExchangeEnvironmentName = $job.environment
        CommandName = $job.cmdlets
        ShowBanner = $false
        ShowProgress = $false
        SkipLoadingFormatData = $true
    }
    Connect-ExchangeOnline @connection
    $granted = @($job.cmdlets | Where-Object { $null -ne (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
    Send-Answer -Answer @{ id = 0; granted = $granted }
} catch {
    Send-Answer -Answer @{ id = 0; error = (Get-Failure -Record $_) }
    exit 1
}

try {
    $line = [Console]::In.ReadLine()
    while ($null -ne $line) {
        $call = $line | ConvertFrom-Json -AsHashtable
        $answer = @{ id = $call.id }
        try {
            if ($job.cmdlets -notcontains $call.cmdlet) { throw "The cmdlet $($call.cmdlet) is not in this job." }
            $parameters = $call.parameters
            $warnings = @()
            $items = @(& $call.cmdlet @parameters -WarningVariable warnings -WarningAction SilentlyContinue)
            $answer.rows = @($items | Where-Object { $null -ne $_ } | ForEach-Object { ConvertTo-Row -Item $_ })
            $answer.warnings = @($warnings | ForEach-Object { [string]$_ })
        } catch {
            $answer.error = Get-Failure -Record $_
        }
        Send-Answer -Answer $answer
        $line = [Console]::In.ReadLine()
    }
} finally {
    Disconnect-ExchangeOnline -Confirm:$false | Out-Null
}
