# One Exchange Online session for exo-auth. Needs PowerShell 7.4 and the module ExchangeOnlineManagement 3.5, or newer.
#
# The job, with the access token, is the one line of JSON on standard input: arguments and variables can be read by others.
# Requests and answers are lines of JSON on a connection to the program that started this one, because standard output
# belongs to whatever PowerShell and the module print. This runs for as long as that connection does, and ends with it.

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$job = [Console]::In.ReadLine() | ConvertFrom-Json

# The module writes its cmdlets and its logs to the folder for temporary files: this one is private, and removed at the end.
$env:TMPDIR = $job.folder
$env:TEMP = $job.folder
$env:TMP = $job.folder

$utf8 = [System.Text.UTF8Encoding]::new($false)
$client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', $job.port)
$stream = $client.GetStream()
$reader = [System.IO.StreamReader]::new($stream, $utf8)
$writer = [System.IO.StreamWriter]::new($stream, $utf8)
$writer.AutoFlush = $true
$writer.WriteLine([string]$job.secret)

# Requests are read beside the cmdlet that runs, so that a connection which ends is seen in the middle of it, too.
$requests = [System.Collections.Concurrent.BlockingCollection[string]]::new()
$listener = [System.Management.Automation.PowerShell]::Create()
$null = $listener.AddScript({
    param($Reader, $Requests, $Folder, $Milliseconds)
    try {
        while ($null -ne ($line = $Reader.ReadLine())) { $Requests.Add($line) }
    } catch {
        $line = $null
    }
    $Requests.CompleteAdding()
    [System.Threading.Thread]::Sleep($Milliseconds)
    try {
        [System.IO.Directory]::Delete($Folder, $true)
    } finally {
        [Environment]::Exit(1)
    }
})
$null = $listener.AddArgument($reader).AddArgument($requests).AddArgument($job.folder).AddArgument([int]$job.grace)
$null = $listener.BeginInvoke()

function Send-Answer {
    param([System.Collections.IDictionary]$Answer)
    $writer.WriteLine((ConvertTo-Json -InputObject $Answer -Depth 10 -Compress))
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

# ConvertTo-Json would make numbers of enums, objects of GUIDs, and more than one form of times.
function ConvertTo-Plain {
    param($Value, [int]$Depth = 4)
    if ($null -eq $Value) { return $null }
    if ($Value -is [bool]) { return [bool]$Value }
    if ($Value -is [int] -or $Value -is [long] -or $Value -is [int16] -or $Value -is [uint16]) { return [long]$Value }
    if ($Value -is [uint32] -or $Value -is [byte]) { return [long]$Value }
    if ($Value -is [double] -or $Value -is [single] -or $Value -is [decimal]) { return [double]$Value }
    if ($Value -is [datetime]) {
        # The service's times are UTC; one that does not say so must not be moved by this machine's zone.
        if ($Value.Kind -eq [System.DateTimeKind]::Unspecified) {
            $Value = [datetime]::SpecifyKind($Value, [System.DateTimeKind]::Utc)
        }
        return $Value.ToUniversalTime().ToString('o')
    }
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

function Invoke-Request {
    param($Call)
    if ($granted -notcontains $Call.cmdlet) { throw "The term '$($Call.cmdlet)' is not recognized as a name of a cmdlet." }
    $parameters = $Call.parameters
    # An error that does not end a cmdlet would look like success.
    $output = @(& $Call.cmdlet @parameters -ErrorAction Stop 3>&1)
    $warnings = @($output | Where-Object { $_ -is [System.Management.Automation.WarningRecord] })
    $items = @($output | Where-Object { $null -ne $_ -and $_ -isnot [System.Management.Automation.WarningRecord] })
    return @{
        id = $Call.id
        rows = @($items | ForEach-Object { ConvertTo-Row -Item $_ })
        warnings = @($warnings | ForEach-Object { [string]$_.Message })
    }
}

$code = 1
$step = 'powershell'
try {
    $shell = $PSVersionTable.PSVersion
    $running = [version]::new($shell.Major, $shell.Minor, [int]$shell.Patch)
    if ($running -lt [version]'7.4') { throw "this is PowerShell $shell" }

    $step = 'module'
    $found = @(Get-Module -Name ExchangeOnlineManagement -ListAvailable -ErrorAction SilentlyContinue |
        Sort-Object -Property Version -Descending)
    if ($found.Count -eq 0) { throw 'the module ExchangeOnlineManagement is not installed' }
    $module = $found |
        Where-Object { $_.Version -ge [version]'3.5.0' } |
        Where-Object { $null -eq $_.PowerShellVersion -or $_.PowerShellVersion -le $running } |
        Select-Object -First 1
    if ($null -eq $module) {
        $versions = ($found | ForEach-Object { [string]$_.Version }) -join ', '
        throw "the module ExchangeOnlineManagement is $versions, which is too old, or too new for PowerShell $shell"
    }
    Import-Module -ModuleInfo $module

    $step = 'connect'
    $connection = @{
        AccessToken = $job.token
        CommandName = $job.cmdlets
        ShowBanner = $false
        ShowProgress = $false
        SkipLoadingFormatData = $true
    }
    foreach ($property in $job.connection.PSObject.Properties) { $connection[$property.Name] = $property.Value }
    Connect-ExchangeOnline @connection | Out-Null
    try {
        # To ask for a name would import whatever module on this machine has a command of that name.
        $imported = @(Get-Command -CommandType Function, Cmdlet -ListImported | ForEach-Object { $_.Name })
        $granted = @($job.cmdlets | Where-Object { $imported -contains $_ })
        Send-Answer -Answer @{
            id = 0
            granted = $granted
            powershell = [string]$shell
            module = [string]$module.Version
        }
        $step = 'cmdlets'
        foreach ($line in $requests.GetConsumingEnumerable()) {
            $call = ConvertFrom-Json -InputObject $line -AsHashtable
            try {
                $answer = Invoke-Request -Call $call
            } catch {
                $answer = @{ id = $call.id; error = (Get-Failure -Record $_) }
            }
            Send-Answer -Answer $answer
        }
    } finally {
        Disconnect-ExchangeOnline -Confirm:$false | Out-Null
    }
    $code = 0
} catch {
    if ($step -ne 'cmdlets') { Send-Answer -Answer @{ id = 0; step = $step; error = (Get-Failure -Record $_) } }
} finally {
    $client.Close()
    Remove-Item -LiteralPath $job.folder -Recurse -Force -ErrorAction SilentlyContinue
    [Environment]::Exit($code)
}
