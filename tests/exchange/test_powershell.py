"""The PowerShell transport against a stand-in `pwsh` that keeps to what a real one was seen to do."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stand_in_pwsh import write_stand_in

from exo_auth.cloud import DOD, WORLDWIDE, Cloud, custom_cloud
from exo_auth.domain_name import DomainName
from exo_auth.errors import (
    CmdletFailed,
    CnameMissing,
    ExoAuthError,
    InputError,
    NotFound,
    NotPermitted,
    ProtocolError,
    Refusal,
    TransportBroken,
)
from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.exchange.powershell import PowerShellLimits, PowerShellTransport, connection_of
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.secrets import Secret

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TENANT = "11111111-2222-3333-4444-555555555555"
CONTOSO = {
    "DomainName": "contoso.com",
    "DomainType": "Authoritative",
    "Default": True,
    "InitialDomain": False,
    "IsCoexistenceDomain": False,
    "MatchSubDomains": False,
    "PendingRemoval": False,
    "SendingFromDomainDisabled": False,
}
ROTATE = "Rotate-DkimSigningConfig"


class Tokens:
    """Gives a new token each time, and counts."""

    def __init__(self) -> None:
        self.given = 0
        self.now = NOW

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        self.given += 1
        return AccessToken(Secret(f"the-token-{self.given}"), self.now + timedelta(hours=1))


class Machine:
    """A machine with a stand-in of the given traits, and the transports that were made on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens = Tokens()
        self.made: list[PowerShellTransport] = []
        self.said: list[str] = []

    def transport(
        self,
        *,
        limits: PowerShellLimits | None = None,
        cloud: Cloud = WORLDWIDE,
        organization: str = "contoso.onmicrosoft.com",
        environment: dict[str, str] | None = None,
        **traits: Any,
    ) -> PowerShellTransport:
        write_stand_in(self.folder, tell=str(self.folder / "told"), **traits)
        transport = PowerShellTransport(
            cloud,
            TENANT,
            organization,
            self.tokens,
            program=str(self.folder / "pwsh"),
            environment={"PATH": os.defpath, **(environment or {})},
            limits=limits,
            now=lambda: self.tokens.now,
            say=self.said.append,
        )
        self.made.append(transport)
        return transport

    @property
    def told(self) -> dict[str, Any]:
        """What the last child was given: argv, environment, pid."""
        told: dict[str, Any] = json.loads((self.folder / "told").read_text())
        return told


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Machine(tmp_path / "bin")
    yield made
    for transport in made.made:
        transport.close()
    assert list(tmp_path.glob("exo-auth-pwsh-*")) == [], "a folder for temporary files was left behind"


def test_the_same_client_reads_through_it(machine: Machine) -> None:
    told = {"Get-AcceptedDomain": {"rows": [CONTOSO], "warnings": ["a warning"]}}
    reader = ExchangeReader(machine.transport(cmdlets=told))
    assert [row.name.ascii for row in reader.accepted_domains()] == ["contoso.com"]
    assert reader.warnings == ("a warning",)
    assert reader.last_service_clock is None
    assert reader.requests_sent == 1


def test_the_same_client_writes_through_it(machine: Machine) -> None:
    writer = ExchangeWriter(machine.transport())
    writer.rotate_dkim(DomainName.parse("contoso.com"), 2048)
    writer.enable_dkim(DomainName.parse("contoso.com"))


def test_what_a_module_prints_is_never_an_answer(machine: Machine) -> None:
    # Every answer of the stand-in comes after such a line, and behind a warning without a line end.
    answer = machine.transport().invoke("Get-AcceptedDomain", {"ResultSize": "Unlimited"})
    assert answer.rows == ()


def test_a_module_that_prints_without_end_stops_nothing(machine: Machine) -> None:
    transport = machine.transport(cmdlets={"Get-AcceptedDomain": "floods"})
    assert transport.invoke("Get-AcceptedDomain", {}).rows == ()


def test_text_of_the_whole_world_comes_through(machine: Machine) -> None:
    rows = [{"Name": "Regel für 日本 \u2028", "Comments": ""}]
    transport = machine.transport(cmdlets={"Get-TransportRule": {"rows": rows, "warnings": []}})
    assert [dict(row) for row in transport.invoke("Get-TransportRule", {}).rows] == rows


# Errors of cmdlets


ERRORS: list[tuple[str, str, type[ExoAuthError], str]] = [  # message, type, what it becomes, reason
    (
        "Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|object 'x' couldn't"
        " be found on 'X'.",
        "System.Exception",
        NotFound,
        "the type stands in the text",
    ),
    (
        "|Microsoft.Exchange.Management.Tasks.ValidationException|CNAME record does not exist for this config.",
        "System.Exception",
        CnameMissing,
        "without an id",
    ),
    (
        "The term 'Set-DkimSigningConfig' is not recognized as a name of a cmdlet, function, script file, or"
        " executable program.",
        "System.Management.Automation.CommandNotFoundException",
        NotPermitted,
        "what the caller may not run was not imported",
    ),
    ("UnAuthorized", "System.UnauthorizedAccessException", NotPermitted, "the token ran out"),
    (
        "it went wrong",
        "System.InvalidOperationException",
        CmdletFailed,
        "the type of the record is all there is",
    ),
]


@pytest.mark.parametrize(("message", "kind", "expected", "reason"), ERRORS, ids=[row[3] for row in ERRORS])
def test_errors_are_the_same_as_over_rest(
    machine: Machine, message: str, kind: str, expected: type[ExoAuthError], reason: str
) -> None:
    identifier = f"[Server=AB1,RequestId={TENANT},TimeStamp=Mon],Write-ErrorMessage"
    error = {"message": message, "type": kind, "identifier": identifier}
    transport = machine.transport(cmdlets={"Set-DkimSigningConfig": {"error": error}})
    with pytest.raises(expected) as caught:
        transport.invoke("Set-DkimSigningConfig", {"Identity": "x", "Enabled": True}, is_write=True)
    failed = caught.value
    assert isinstance(failed, CmdletFailed | NotPermitted), reason
    assert failed.correlation is not None
    assert (failed.correlation.request_id, failed.correlation.server) == (TENANT, "AB1")
    if isinstance(failed, CmdletFailed):
        assert failed.exception_type.startswith(("Microsoft.Exchange.", "System.Invalid"))


# Starting and connecting


def test_the_token_is_nowhere_to_be_read(machine: Machine) -> None:
    mine = {"EXO_AUTH_CLIENT_SECRET": "s3cret", "AZURE_CLIENT_SECRET": "s3cret", "HOME": "/home/x"}
    machine.transport(environment=mine).granted_cmdlets()
    told = machine.told
    assert "the-token" not in json.dumps(told)
    assert "s3cret" not in json.dumps(told)
    assert told["environment"]["HOME"] == "/home/x"
    assert told["environment"]["TERM"] == "dumb"


KEPT = [  # variable, kept?, reason
    ("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", True, "no ICU on this machine"),
    ("DOTNET_ROOT", True, "PowerShell as a .NET tool"),
    ("XDG_DATA_HOME", True, "where modules lie on Linux"),
    ("PSModulePath", True, "where modules lie"),
    ("https_proxy", True, "written in either case"),
    ("LOCALAPPDATA", True, "Windows"),
    ("GITHUB_TOKEN", False, "a secret of somebody else"),
    ("EXO_AUTH_CLIENT_SECRET", False, "a secret of ours"),
]


@pytest.mark.parametrize(("name", "kept", "reason"), KEPT, ids=[row[0] for row in KEPT])
def test_variables_of_the_child(name: str, kept: bool, reason: str) -> None:
    from exo_auth.exchange.pwsh_child import child_environment

    assert (name in child_environment({name: "x"})) is kept, reason


def test_a_private_authority_of_requests_is_one_of_dotnet(machine: Machine) -> None:
    from exo_auth.exchange.pwsh_child import child_environment

    bundle = {"REQUESTS_CA_BUNDLE": "/etc/corp.pem"}
    assert child_environment(bundle)["SSL_CERT_FILE"] == "/etc/corp.pem"
    assert child_environment({**bundle, "SSL_CERT_FILE": "/own.pem"})["SSL_CERT_FILE"] == "/own.pem"
    assert child_environment(bundle, "/sandbox.pem")["SSL_CERT_FILE"] == "/sandbox.pem"


CONNECTIONS: list[tuple[Cloud, dict[str, Any], dict[str, str]]] = [
    (WORLDWIDE, {"idtyp": "app"}, {"Organization": "contoso.onmicrosoft.com"}),
    (DOD, {}, {"Organization": "contoso.onmicrosoft.com", "ExchangeEnvironmentName": "O365USGovDoD"}),
    (
        WORLDWIDE,
        {"scp": "Exchange.Manage", "upn": "ann@contoso.com"},
        {"UserPrincipalName": "ann@contoso.com"},
    ),
    (
        custom_cloud(DOD, authority=None, exchange_url=None, ca_file="/my-ca.pem"),
        {},
        {"Organization": "contoso.onmicrosoft.com", "ExchangeEnvironmentName": "O365USGovDoD"},
    ),
    (
        custom_cloud(WORLDWIDE, authority="https://login.x", exchange_url="https://ex.x", ca_file=None),
        {},
        {
            "Organization": "contoso.onmicrosoft.com",
            "ConnectionUri": "https://ex.x/powershell-liveid/",
            "AzureADAuthorizationEndpointUri": "https://login.x/organizations",
        },
    ),
]


@pytest.mark.parametrize(("cloud", "claims", "expected"), CONNECTIONS)
def test_who_connects_where(cloud: Cloud, claims: dict[str, Any], expected: dict[str, str]) -> None:
    token = AccessToken(Secret("x"), NOW, claims)
    parameters = connection_of(cloud, "contoso.onmicrosoft.com", token)
    assert parameters == {"ExchangeEnvironmentName": "O365Default", **expected}


def test_what_the_caller_may_run_is_what_the_module_imported(machine: Machine) -> None:
    assert machine.transport().granted_cmdlets() == {name.lower() for name in ALLOWED}
    reader = [name for name in ALLOWED if name.startswith("Get-")]
    transport = machine.transport(granted=reader)
    assert ROTATE.lower() not in transport.granted_cmdlets()
    with pytest.raises(NotPermitted) as caught:
        transport.invoke(ROTATE, {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.refusal is Refusal.CMDLET_NOT_GRANTED
    assert "Exchange Administrator" in str(caught.value.hint)


def test_one_child_serves_a_run_and_a_token_that_ends_begins_another(machine: Machine) -> None:
    transport = machine.transport()
    pids = []
    for minutes in (0, 30, 57, 58):
        machine.tokens.now = NOW + timedelta(minutes=minutes)
        transport.invoke("Get-AcceptedDomain", {})
        pids.append(machine.told["pid"])
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert machine.tokens.given == 2


UNFIT: list[tuple[dict[str, Any], str, str]] = [  # traits, message, remedy
    ({"powershell": "7.2.24"}, "this is PowerShell 7.2.24", "install PowerShell 7.4"),
    ({"powershell": "5.1.19041"}, "this is PowerShell 5.1.19041", "install PowerShell 7.4"),
    ({"modules": []}, "is not installed", "Install-Module ExchangeOnlineManagement"),
    ({"modules": [["2.0.5", "3.0"]]}, "is 2.0.5, which is too old", "3.5.0 or newer"),
    ({"modules": [["3.10.1", "7.6"]]}, "too new for PowerShell 7.4.5", "3.9.2 is the"),
]


@pytest.mark.parametrize(("traits", "message", "remedy"), UNFIT)
def test_a_machine_that_lacks_something_is_told_with_its_remedy(
    machine: Machine, traits: dict[str, Any], message: str, remedy: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        machine.transport(**traits).granted_cmdlets()
    assert remedy in str(caught.value.hint)


def test_the_newest_module_that_runs_is_taken(machine: Machine) -> None:
    both = [["3.10.1", "7.6"], ["3.9.2", "3.0"]]
    assert machine.transport(modules=both).granted_cmdlets()


def test_no_powershell_is_an_error_with_a_remedy() -> None:
    transport = PowerShellTransport(WORLDWIDE, "t", "o", Tokens(), program="/no/such/pwsh", environment={})
    with pytest.raises(InputError, match="cannot be started") as caught:
        transport.granted_cmdlets()
    assert "aka.ms/powershell" in str(caught.value.hint)


def test_a_tenant_given_by_its_id_is_refused_before_anything_is_started(machine: Machine) -> None:
    with pytest.raises(InputError, match="by its id") as caught:
        machine.transport(organization=TENANT).granted_cmdlets()
    assert "initial_domain" in str(caught.value.hint)
    assert not (machine.folder / "told").exists()


REFUSALS = [  # message, type, what it becomes, part of what is said
    ("UnAuthorized", "System.Exception", NotPermitted, "does not accept the access token"),
    (
        "The role assigned to application x isn't supported in this scenario.",
        "System.UnauthorizedAccessException",
        NotPermitted,
        "no Exchange role",
    ),
    ("No such host is known", "System.Net.Http.HttpRequestException", ProtocolError, "HttpRequestException"),
]


@pytest.mark.parametrize(("message", "kind", "expected", "part"), REFUSALS)
def test_a_connection_that_is_refused(
    machine: Machine, message: str, kind: str, expected: type[ExoAuthError], part: str
) -> None:
    with pytest.raises(expected) as caught:
        machine.transport(refusal=[message, kind]).granted_cmdlets()
    assert part in caught.value.message
    if isinstance(caught.value, NotPermitted):
        assert caught.value.refusal in (Refusal.TOKEN, Refusal.NO_ROLE)


# The end of the child, whatever happens


STARTS = [  # trait, exit code, what it printed
    ("fails", 134, "valid ICU package"),
    ("throws", 1, "the term 'Get-What' is not recognized"),
]


@pytest.mark.parametrize(("start", "code", "printed"), STARTS)
def test_a_child_that_dies_before_it_was_asked_has_done_nothing(
    machine: Machine, start: str, code: int, printed: str
) -> None:
    with pytest.raises(TransportBroken) as caught:
        machine.transport(start=start).invoke(ROTATE, {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.sent is False
    assert f"exit code {code}; it printed: " in caught.value.message
    assert printed in caught.value.message
    assert "\x1b" not in caught.value.message


def test_a_child_that_dies_with_a_write_leaves_it_unknown(machine: Machine) -> None:
    with pytest.raises(TransportBroken, match="OutOfMemoryException") as caught:
        machine.transport(cmdlets={ROTATE: "dies"}).invoke(ROTATE, {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.sent is True


def test_an_answer_that_is_none_leaves_a_write_unknown(machine: Machine) -> None:
    with pytest.raises(TransportBroken, match="not understood") as caught:
        machine.transport(cmdlets={ROTATE: "babbles"}).invoke(ROTATE, {"Identity": "x.com"}, is_write=True)
    assert caught.value.sent is True


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_does_not_answer_is_ended_and_the_write_is_unknown(machine: Machine) -> None:
    transport = machine.transport(cmdlets={ROTATE: "hangs"}, limits=replace(PowerShellLimits(), write=0.3))
    with pytest.raises(TransportBroken, match=r"no answer within 0\.3 s; it printed: ") as caught:
        transport.invoke(ROTATE, {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.sent is True
    assert not is_alive(machine.told["pid"])
    assert transport.invoke("Get-AcceptedDomain", {}).rows == (), "the next question gets a child of its own"


def test_a_child_that_never_calls_is_ended_and_nothing_was_sent(machine: Machine) -> None:
    transport = machine.transport(start="hangs", limits=replace(PowerShellLimits(), connect=0.5))
    with pytest.raises(TransportBroken, match=r"no answer within 0\.5 s") as caught:
        transport.invoke(ROTATE, {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.sent is False
    assert machine.said == ["connecting through PowerShell, which may take 0.5 s"], (
        "a person should not wonder"
    )
    if (machine.folder / "told").exists():  # else it was ended before it said who it is
        assert not is_alive(machine.told["pid"])


def test_closing_lets_the_child_disconnect(machine: Machine) -> None:
    transport = machine.transport()
    transport.granted_cmdlets()
    child = transport._child
    assert child is not None
    transport.close()
    assert child._process.returncode == 0
    transport.close()  # and a second time


def test_a_child_that_does_not_disconnect_is_killed(machine: Machine) -> None:
    transport = machine.transport(close="hangs", limits=PowerShellLimits(end=0.2))
    transport.granted_cmdlets()
    child = machine.told["pid"]
    transport.close()
    assert not is_alive(child)


OWNER = """
import sys
sys.path[:0] = {paths!r}
import test_powershell as t
from pathlib import Path
machine = t.Machine(Path({folder!r}))
transport = machine.transport(cmdlets={{t.ROTATE: "hangs"}}, limits=t.PowerShellLimits(end=0.2))
transport.granted_cmdlets()
print("ready", flush=True)
transport.invoke(t.ROTATE, {{"Identity": "contoso.com"}}, is_write=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_child_in_the_middle_of_a_cmdlet_ends_when_we_are_killed(tmp_path: Path) -> None:
    text = OWNER.format(paths=[str(Path(__file__).parent), *sys.path], folder=str(tmp_path / "bin"))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, env=environment
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        child = json.loads((tmp_path / "bin" / "told").read_text())["pid"]
        ends = os.pidfd_open(child)
        owner.send_signal(signal.SIGKILL)
    import select

    seen, _, _ = select.select([ends], [], [], 60)
    os.close(ends)
    assert seen, "the child lives on"
    assert list(tmp_path.glob("exo-auth-pwsh-*")) == [], "its folder for temporary files was left behind"


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_the_terminals_ctrl_c_is_not_for_the_child(machine: Machine) -> None:
    machine.transport().granted_cmdlets()
    pid = machine.told["pid"]
    assert os.getpgid(pid) == pid != os.getpgid(0)


def test_a_stranger_on_the_port_is_turned_away(machine: Machine) -> None:
    import socket

    from exo_auth.exchange.pwsh_child import PwshChild

    write_stand_in(machine.folder)
    child = PwshChild(str(machine.folder / "pwsh"), {"PATH": os.defpath})
    with socket.create_connection(child._port.getsockname()) as stranger:
        stranger.sendall(b"let me in\n")
        child.open({"token": "t", "cmdlets": [], "connection": {"Organization": "o"}}, "t", 30)
        assert stranger.recv(10) == b""
        assert child.receive(30)["granted"] == []
    child.end()


def test_a_cmdlet_outside_the_list_never_reaches_the_child(machine: Machine) -> None:
    with pytest.raises(ProtocolError):
        machine.transport().invoke("Remove-Mailbox", {})
    assert machine.tokens.given == 0
