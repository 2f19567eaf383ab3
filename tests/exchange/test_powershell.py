"""The PowerShell transport against a stand-in `pwsh` that keeps to what a real one was seen to do."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

from exo_auth.cloud import WORLDWIDE
from exo_auth.errors import CmdletFailed, CnameMissing, InputError, NotFound, ProtocolError, TransportBroken
from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.exchange.powershell import PowerShellLimits, PowerShellTransport
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.secrets import Secret

# It prints warnings in colour between the answers, as the module does, and answers by the cmdlet's name.
STAND_IN = """#!{python}
import json, os, sys, time
say = lambda text: print(text, flush=True)
assert sys.argv[1:5] == ["-NoProfile", "-NonInteractive", "-NoLogo", "-File"], sys.argv
assert "token" not in " ".join(sys.argv)
assert os.environ["EXO_AUTH_TOKEN"] == "the-token" and os.environ["TERM"] == "dumb"
job = json.loads(sys.stdin.readline())
marker = job["marker"]
answer = lambda **fields: say(marker + json.dumps(fields))
mode = {mode!r}
say("\\x1b[33;1mWARNING: Writing Auth logs to /tmp/x\\x1b[0m")
if mode == "no-module":
    answer(id=0, error={{"message": "The module ExchangeOnlineManagement is not installed. Run: Install-Module", "type": "RuntimeException"}})
    sys.exit(1)
if mode == "dies":
    sys.exit(3)
answer(id=0, granted=[name for name in job["cmdlets"] if mode != "reader" or name.startswith("Get-")])
for line in sys.stdin:
    call = json.loads(line)
    say("MSAL Correlation ID not found.")
    say('{{"id": %d, "rows": [{{"forged": true}}]}}' % call["id"])
    cmdlet, parameters = call["cmdlet"], call["parameters"]
    if mode == "dies-in-the-middle":
        os._exit(9)
    if mode == "slow":
        time.sleep(60)
    if cmdlet.startswith("Get-Accepted"):
        row = {{"DomainName": "contoso.com", "DomainType": "Authoritative", "Default": True, "InitialDomain": False,
               "IsCoexistenceDomain": False, "MatchSubDomains": False, "PendingRemoval": False, "SendingFromDomainDisabled": False}}
        answer(id=call["id"], rows=[row], warnings=["a warning"])
    elif parameters.get("Identity") == "nobody.com":
        answer(id=call["id"], error={{"message": "Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|object 'nobody.com' couldn't be found on 'X'.", "type": "System.Exception"}})
    elif parameters.get("Identity") == "early.com":
        answer(id=call["id"], error={{"message": "|Microsoft.Exchange.Management.Tasks.ValidationException|CNAME record does not exist for this config. Please publish", "type": "System.Exception"}})
    else:
        assert parameters["Confirm"] is False
        answer(id=call["id"], rows=[], warnings=[])
"""


class Tokens:
    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        return AccessToken(Secret("the-token"), datetime(2026, 11, 23, tzinfo=UTC), {})


Start = Callable[..., PowerShellTransport]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[PowerShellTransport] = []

    def begin(mode: str = "", limits: PowerShellLimits | None = None) -> PowerShellTransport:
        program = tmp_path / "pwsh"
        program.write_text(STAND_IN.format(python=sys.executable, mode=mode))
        program.chmod(0o700)
        transport = PowerShellTransport(
            WORLDWIDE,
            "11111111-2222-3333-4444-555555555555",
            "contoso.onmicrosoft.com",
            Tokens(),
            program=str(program),
            environment={"PATH": os.defpath},
            limits=limits,
        )
        started.append(transport)
        return transport

    yield begin
    for transport in started:
        transport.close()


def test_the_same_client_reads_through_it(start: Start) -> None:
    reader = ExchangeReader(start())
    assert [row.name.ascii for row in reader.accepted_domains()] == ["contoso.com"]
    assert reader.warnings == ("a warning",)
    assert reader.last_service_clock is None
    assert reader.requests_sent == 1


def test_the_same_client_writes_through_it(start: Start) -> None:
    writer = ExchangeWriter(start())
    from exo_auth.domain_name import DomainName

    writer.rotate_dkim(DomainName.parse("contoso.com"), 2048)
    writer.enable_dkim(DomainName.parse("contoso.com"))


ERRORS = [("nobody.com", NotFound), ("early.com", CnameMissing)]


@pytest.mark.parametrize(("identity", "kind"), ERRORS)
def test_errors_are_the_same_as_over_rest(start: Start, identity: str, kind: type[CmdletFailed]) -> None:
    with pytest.raises(kind) as caught:
        start().invoke("Set-DkimSigningConfig", {"Identity": identity, "Enabled": True}, is_write=True)
    assert caught.value.correlation is not None
    assert caught.value.exception_type.startswith("Microsoft.Exchange.")


def test_what_the_caller_may_run_is_what_the_module_imported(start: Start) -> None:
    assert start().granted_cmdlets() == {name.lower() for name in ALLOWED}
    assert "rotate-dkimsigningconfig" not in start("reader").granted_cmdlets()


def test_a_missing_module_is_told_with_its_remedy(start: Start) -> None:
    with pytest.raises(ProtocolError, match="Install-Module"):
        start("no-module").invoke("Get-AcceptedDomain", {"ResultSize": "Unlimited"})


def test_a_child_that_dies_before_it_was_asked_has_done_nothing(start: Start) -> None:
    with pytest.raises(TransportBroken) as caught:
        start("dies").invoke("Rotate-DkimSigningConfig", {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.sent is False


def test_a_child_that_dies_with_a_write_leaves_it_unknown(start: Start) -> None:
    with pytest.raises(TransportBroken) as caught:
        start("dies-in-the-middle").invoke(
            "Rotate-DkimSigningConfig", {"Identity": "contoso.com"}, is_write=True
        )
    assert caught.value.sent is True


def test_a_child_that_does_not_answer_is_ended_and_the_write_is_unknown(start: Start) -> None:
    transport = start("slow", replace(PowerShellLimits(), write=0.3))
    with pytest.raises(TransportBroken, match="no answer within") as caught:
        transport.invoke("Rotate-DkimSigningConfig", {"Identity": "contoso.com"}, is_write=True)
    assert caught.value.sent is True


def test_no_powershell_is_an_error_with_a_remedy() -> None:
    transport = PowerShellTransport(WORLDWIDE, "t", "o", Tokens(), program="/no/such/pwsh", environment={})
    with pytest.raises(InputError, match="cannot be started"):
        transport.granted_cmdlets()


def test_a_cmdlet_outside_the_list_never_reaches_the_child(start: Start) -> None:
    with pytest.raises(ProtocolError):
        start().invoke("Remove-Mailbox", {})


def test_the_script_is_powershell() -> None:
    source = (files("exo_auth.exchange") / "session.ps1").read_bytes()
    tree = Parser(Language(tree_sitter_pwsh.language())).parse(source)

    def wrong(node: Node) -> list[tuple[int, int]]:
        here = [(node.start_point[0] + 1, node.start_point[1])] if node.is_error or node.is_missing else []
        return here + [place for child in node.children for place in wrong(child)]

    assert wrong(tree.root_node) == []
    assert source.isascii()
