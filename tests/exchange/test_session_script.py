"""`session.ps1`, which no test can run where there is no PowerShell: its syntax, and a table of PowerShell's traps."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest
import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

SOURCE = (files("exo_auth.exchange") / "session.ps1").read_bytes()
ROOT = Path(__file__).parents[2]
SCRIPTS = [ROOT / "exo_auth" / "exchange" / "session.ps1", *sorted((ROOT / "scripts").rglob("*.ps1"))]


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def parse(source: bytes) -> Node:
    return Parser(Language(tree_sitter_pwsh.language())).parse(source).root_node


@cache
def commands() -> tuple[str, ...]:
    """Every command of the script with its arguments."""
    return tuple(
        node.text.decode()
        for node in nodes(parse(SOURCE))
        if node.type == "command" and node.text is not None
    )


@cache
def words() -> frozenset[str]:
    """Every variable of the script, lower case."""
    found = (node.text for node in nodes(parse(SOURCE)) if node.type == "variable" and node.text)
    return frozenset(text.decode().lower() for text in found)


def all_of(command: str, *parts: str) -> Callable[[], bool]:
    """Holds when the command occurs, and every occurrence has all of the parts."""

    def holds() -> bool:
        found = [text for text in commands() if text.startswith(command)]
        return bool(found) and all(part in text for text in found for part in parts)

    return holds


def none_of(pattern: str) -> Callable[[], bool]:
    """Holds when nothing in the script looks like that, comments aside."""
    code = "\n".join(line for line in SOURCE.decode().splitlines() if not line.lstrip().startswith("#"))
    return lambda: not re.search(pattern, code, re.IGNORECASE)


TRAPS: list[tuple[str, Callable[[], bool]]] = [  # the trap, what keeps the script out of it
    ("ConvertTo-Json cuts below two levels", all_of("ConvertTo-Json", "-Depth 10")),
    ("a pipe into ConvertTo-Json unwraps one element and swallows none", all_of("ConvertTo-Json", "-InputObject")),
    ("an answer of more than one line is none", all_of("ConvertTo-Json", "-Compress")),
    ("a pipe into ConvertTo-Json", none_of(r"\|\s*ConvertTo-Json")),
    ("keys of ConvertFrom-Json's objects cannot be splatted", all_of("ConvertFrom-Json -InputObject", "-AsHashtable")),
    ("an error that does not end a cmdlet looks like success", all_of("& $Call.cmdlet", "-ErrorAction Stop")),
    ("warnings would be lost", all_of("& $Call.cmdlet", "3>&1")),
    ("a module's warning is not an object of the cmdlet's", none_of(r"-WarningVariable|2>&1")),
    ("7.4 is less than 7.4.0 where a version has no third number", none_of(r"::new\(\$shell\.Major, \$shell\.Minor\)")),
    ("a broken module elsewhere on the path ends the search", all_of("Get-Module", "-ErrorAction SilentlyContinue")),
    ("to ask for a command by name imports a stranger's module", all_of("Get-Command", "-ListImported")),
    ("and so does a name", none_of(r"Get-Command[^|]*-Name")),
    ("there is no certificate store on Linux", none_of("CertificateThumbprint")),
    ("a prompt under -NonInteractive is an error", none_of(r"Read-Host|Get-Credential|PromptForChoice")),
    ("Disconnect-ExchangeOnline asks", all_of("Disconnect-ExchangeOnline", "-Confirm:$false")),
    ("text made into a script can hold anything", none_of(r"Invoke-Expression|\biex\b|\[scriptblock\]::Create")),
    ("pwsh -File reads all of standard input for a script that names $input", lambda: "$input" not in words()),
    ("what is printed belongs to nobody", none_of(r"Write-(Host|Output|Information)|\[Console\]::Out|\[Console\]::Write")),
    ("a variable of the environment can be read by others", none_of(r"\$env:\w*(token|secret)")),
    ("exit waits for threads that read", none_of(r"^\s*exit\b")),
    ("temporary files of the module stay after a crash", lambda: {"$env:tmpdir", "$env:temp", "$env:tmp"} <= words()),
    ("an OEM code page is the console's on Windows", none_of(r"\[Console\]::(InputEncoding|OutputEncoding)")),
    ("a time without a zone is moved by ToUniversalTime", lambda: b"[System.DateTimeKind]::Unspecified" in SOURCE),
    ("a file without a mark is read in the local code page", SOURCE.isascii),
]  # fmt: skip


@pytest.mark.parametrize(("trap", "holds"), TRAPS, ids=[row[0] for row in TRAPS])
def test_traps(trap: str, holds: Callable[[], bool]) -> None:
    assert holds(), trap


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_every_script_that_ships_is_powershell(path: Path) -> None:
    wrong = [node.start_point for node in nodes(parse(path.read_bytes())) if node.is_error or node.is_missing]
    assert wrong == []


def test_the_certain_end_is_in_the_script() -> None:
    """The reader of requests ends the process when the connection is gone; so does the last line of the script."""
    (listener,) = (text for text in re.findall(rb"AddScript\(\{(.*?)\n\}\)", SOURCE, re.DOTALL))
    assert (
        listener.index(b"$Requests.CompleteAdding()")
        < listener.index(b"Sleep(")
        < listener.index(b"::Exit(1)")
    )
    assert SOURCE.rstrip().endswith(b"[Environment]::Exit($code)\n}")
