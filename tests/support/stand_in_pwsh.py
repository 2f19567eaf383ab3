"""A stand-in for `pwsh`: speaks as `session.ps1` does, and runs the cmdlets on a sandbox tenant."""

from __future__ import annotations

import sys
from pathlib import Path

_PROGRAM = """#!{python}
import json, os, re, ssl, sys, urllib.error, urllib.request
job = json.loads(sys.stdin.readline())
token = os.environ["EXO_AUTH_TOKEN"]
context = ssl.create_default_context(cafile={ca_file!r})

def ask(path, document=None, **headers):
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request({base!r} + path, body, {{"Authorization": "Bearer " + token, **headers}})
    try:
        with urllib.request.urlopen(request, context=context) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()

def say(**fields):
    print("\\x1b[33;1mWARNING: the module says things of its own\\x1b[0m")
    print(job["marker"] + json.dumps(fields), flush=True)

def plain(value):
    if isinstance(value, dict):
        return {{name: plain(item) for name, item in value.items() if "@" not in name}}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value

def run(cmdlet, parameters):
    document = {{"CmdletInput": {{"CmdletName": cmdlet, "Parameters": parameters}}}}
    status, body = ask("/adminapi/beta/{tenant}/InvokeCommand", document, **{{"X-SerializationLevel": "Full"}})
    if status == 403:
        message = "The term '" + cmdlet + "' is not recognized as a name of a cmdlet."
        return {{"error": {{"message": message, "type": "System.Management.Automation.CommandNotFoundException"}}}}
    answer = json.loads(body) if body else {{}}
    if status != 200:
        message = answer["error"]["details"][0]["message"]
        return {{"error": {{"message": message, "type": "System.Exception"}}}}
    if "@adminapi.confirmationmessage" in answer:
        return {{"error": {{"message": "PowerShell is in NonInteractive mode.", "type": "PSInvalidOperationException"}}}}
    return {{"rows": plain(answer.get("value") or []), "warnings": answer.get("@adminapi.warnings", [])}}

status, body = ask("/adminapi/v1.0/{tenant}/EXOModuleFile")
exported = json.loads(body)["value"][0]["exportedCmdlets"].split(",")
say(id=0, granted=[name for name in job["cmdlets"] if name in exported])
for line in sys.stdin:
    call = json.loads(line)
    say(id=call["id"], **run(call["cmdlet"], call["parameters"]))
"""


def write_stand_in(folder: Path, *, base: str, tenant: str, ca_file: str) -> Path:
    """Write the program as `pwsh` into a folder for PATH; give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "pwsh"
    text = _PROGRAM.format(python=sys.executable, base=base, tenant=tenant, ca_file=ca_file)
    program.write_text(text, encoding="utf-8")
    program.chmod(0o700)
    return folder
