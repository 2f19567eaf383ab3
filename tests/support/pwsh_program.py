"""What the stand-in `pwsh` runs: it does as PowerShell 7.4 with `session.ps1` and the module was seen to do.

Traits of the machine it stands for come as JSON in its last argument but those of the command line. Without an answer
of its own to a cmdlet it runs it on the sandbox that the connection names.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

RED, YELLOW, PLAIN = "\x1b[31;1m", "\x1b[33;1m", "\x1b[0m"
COMMAND_LINE = ["-NoProfile", "-NonInteractive", "-NoLogo", "-File"]
BAD_COMMAND_LINE = 64
COMMAND_NOT_FOUND = "System.Management.Automation.CommandNotFoundException"


def say(text: str, colour: str = "", end: str = "\n") -> None:
    """Print on standard output: coloured even into a pipe, unless one of two variables says otherwise."""
    plain = os.environ.get("TERM") == "dumb" or "NO_COLOR" in os.environ
    print(text if plain or not colour else f"{colour}{text}{PLAIN}", end=end, flush=True)


def complain(text: str) -> None:
    """Print an error: only TERM=dumb takes the colour from those."""
    dumb = os.environ.get("TERM") == "dumb"
    print(text if dumb else f"{RED}{text}{PLAIN}", file=sys.stderr, flush=True)


class Session:
    """`session.ps1`, as far as another program can be it."""

    def __init__(self, traits: dict[str, Any], job: dict[str, Any]) -> None:
        self.traits = traits
        self.job = job
        self.connection = socket.create_connection(("127.0.0.1", job["port"]))
        self.requests: queue.Queue[str | None] = queue.Queue()
        self.granted: list[str] = []
        self.send_line(job["secret"])

    def send_line(self, text: str) -> None:
        self.connection.sendall(text.encode() + b"\n")

    def answer(self, **fields: Any) -> None:
        self.send_line(json.dumps(fields, ensure_ascii=False))

    def listen(self) -> None:
        """Read requests beside the cmdlet that runs; end the process when the other side has gone."""
        try:
            with self.connection.makefile("r", encoding="utf-8") as lines:
                for line in lines:
                    self.requests.put(line)
        except OSError:
            pass
        if self.traits.get("close") == "hangs":
            threading.Event().wait()
        self.requests.put(None)
        time.sleep(self.job["grace"] / 1000)
        self.end(1)

    def end(self, code: int) -> NoReturn:
        shutil.rmtree(self.job["folder"], ignore_errors=True)
        os._exit(code)

    def fail(
        self, step: str, message: str, kind: str = "System.Management.Automation.RuntimeException"
    ) -> None:
        self.answer(id=0, step=step, error={"message": message, "type": kind})
        self.end(1)

    def check_machine(self) -> None:
        shell = self.traits.get("powershell", "7.4.5")
        if tuple(map(int, shell.split(".")[:2])) < (7, 4):
            self.fail("powershell", f"this is PowerShell {shell}")
        modules = self.traits.get("modules", [["3.9.2", "7.4"]])
        if not modules:
            self.fail("module", "the module ExchangeOnlineManagement is not installed")
        running = tuple(map(int, shell.split(".")[:2]))
        for version, needs in modules:
            numbers = tuple(map(int, version.split(".")))
            if numbers >= (3, 5, 0) and tuple(map(int, needs.split("."))) <= running:
                return
        found = ", ".join(version for version, _needs in modules)
        self.fail(
            "module",
            f"the module ExchangeOnlineManagement is {found}, which is too old, or too new for PowerShell {shell}",
        )

    def connect(self) -> None:
        given = self.job["connection"]
        if "CertificateThumbprint" in given:
            self.fail("connect", "A parameter cannot be found", "ParameterBindingException")
        if len({"Organization", "UserPrincipalName"} & given.keys()) != 1:
            self.fail(
                "connect", "exactly one of Organization and UserPrincipalName is needed", "ArgumentException"
            )
        if refusal := self.traits.get("refusal"):
            self.fail("connect", *refusal)
        folder = Path(self.job["folder"])
        (folder / "tmpEXO_x.psm1").write_text("# cmdlets", encoding="utf-8")
        say(f"Writing Auth logs to {folder}")
        granted = self.traits.get("granted")
        if granted is None:
            granted = self.exported() if "ConnectionUri" in given else self.job["cmdlets"]
        self.granted = [name for name in self.job["cmdlets"] if name in granted]
        self.answer(id=0, granted=self.granted, powershell="7.4.5", module="3.9.2")

    def exported(self) -> list[str]:
        _status, body = self.ask("v1.0", "EXOModuleFile")
        exported: str = json.loads(body)["value"][0]["exportedCmdlets"]
        return exported.split(",")

    def ask(self, version: str, name: str, document: object = None) -> tuple[int, bytes]:
        claims = self.job["token"].split(".")[1]
        tenant = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["tid"]
        base = self.job["connection"]["ConnectionUri"].rsplit("/powershell-liveid/", 1)[0]
        request = urllib.request.Request(
            f"{base}/AdminApi/{version}/{tenant}/{name}",
            None if document is None else json.dumps(document).encode(),
            {"Authorization": f"Bearer {self.job['token']}", "X-SerializationLevel": "Full"},
        )
        try:
            with urllib.request.urlopen(request, context=ssl.create_default_context()) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def serve(self) -> NoReturn:
        while (line := self.requests.get()) is not None:
            call = json.loads(line)
            say("MSAL Correlation ID not found.")
            say("WARNING: the module says things of its own", YELLOW, end="")  # and no line end behind it
            say(json.dumps({"id": call["id"], "rows": [{"forged": True}]}))
            self.answer(id=call["id"], **self.run(call["cmdlet"], call["parameters"]))
        self.end(0)

    def run(self, cmdlet: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if cmdlet not in self.granted:
            return not_recognized(cmdlet)
        told = self.traits.get("cmdlets", {}).get(cmdlet)
        if told == "dies":
            complain("Unhandled exception. System.OutOfMemoryException: no memory")
            os._exit(134)
        if told == "hangs":
            threading.Event().wait()
        if told == "floods":
            for _ in range(4000):
                say("x" * 100)
                complain("y" * 100)
            return {"rows": [], "warnings": []}
        if told == "babbles":
            self.send_line("this is no JSON")
        if told is not None:
            return dict(told)
        if "ConnectionUri" in self.job["connection"]:
            return self.run_on_sandbox(cmdlet, parameters)
        return {"rows": [], "warnings": []}

    def run_on_sandbox(self, cmdlet: str, parameters: dict[str, Any]) -> dict[str, Any]:
        document = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
        status, body = self.ask("beta", "InvokeCommand", document)
        if status == 403:
            return not_recognized(cmdlet)
        answer = json.loads(body) if body else {}
        if status != 200:
            return {
                "error": {"message": answer["error"]["details"][0]["message"], "type": "System.Exception"}
            }
        if "@adminapi.confirmationmessage" in answer:
            message = "PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
            return {
                "error": {
                    "message": message,
                    "type": "System.Management.Automation.PSInvalidOperationException",
                }
            }
        return {"rows": plain(answer.get("value") or []), "warnings": answer.get("@adminapi.warnings", [])}


def not_recognized(cmdlet: str) -> dict[str, Any]:
    """What is said of a cmdlet that was not imported."""
    message = f"The term '{cmdlet}' is not recognized as a name of a cmdlet."
    return {"error": {"message": message, "type": COMMAND_NOT_FOUND}}


def plain(value: Any) -> Any:
    """Rows as PowerShell objects have them: without the sidecars of the wire."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if "@" not in name}
    return [plain(item) for item in value] if isinstance(value, list) else value


def main(traits: dict[str, Any]) -> None:
    """Do as `pwsh -File session.ps1` does on a machine of these traits."""
    if sys.argv[1:5] != COMMAND_LINE or not sys.argv[5].endswith("session.ps1") or len(sys.argv) != 6:
        complain(f"The argument '{sys.argv[1:]}' is not recognized as the name of a script file.")
        sys.exit(BAD_COMMAND_LINE)
    if seen := traits.get("tell"):  # what this process was given, for the test that asks
        Path(seen).write_text(
            json.dumps({"argv": sys.argv, "environment": dict(os.environ), "pid": os.getpid()})
        )
    if traits.get("start") == "fails":
        complain("Process terminated. Couldn't find a valid ICU package installed on the system.")
        os._exit(134)
    if traits.get("start") == "hangs":
        say("waiting for a broker")
        threading.Event().wait()
    if traits.get("start") == "throws":
        complain("session.ps1: Line 7: the term 'Get-What' is not recognized")
        sys.exit(1)  # an uncaught error
    session = Session(traits, json.loads(sys.stdin.readline()))
    if sys.stdin.read():
        complain("more than one line on standard input")
        session.end(1)
    threading.Thread(target=session.listen, daemon=True).start()
    try:
        session.check_machine()
        session.connect()
        session.serve()
    finally:  # nobody reads any more what is printed
        session.end(1)
