"""`PwshChild`: one `pwsh` process, the private channel to it, and its certain end (I/O).

Requests and answers are lines of JSON on a loopback connection, for which the child shows a secret that came by its
standard input. What it prints is kept for error texts and never read as data. Its folder for temporary files is its own.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from typing import IO, Any

from exo_auth.exchange.reason import tidy

MAX_ANSWER = 64 * 2**20  # octets of one line
_LOOK = 0.1  # seconds between two looks whether a child that has not called yet still lives
_KEPT_LINES = 30
_TOLD = 600  # characters of what was printed, in an error
_ANSI = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")

# What PowerShell, .NET and the module need to find themselves, a proxy and certificates; secrets lie in other variables.
_KEPT = frozenset(
    {
        *("PATH", "PATHEXT", "PSMODULEPATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"),
        *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"),
        *("TMPDIR", "TEMP", "TMP", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *(
            "SYSTEMROOT",
            "SYSTEMDRIVE",
            "WINDIR",
            "COMSPEC",
            "USERPROFILE",
            "USERNAME",
            "HOMEDRIVE",
            "HOMEPATH",
        ),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "ALLUSERSPROFILE", "PROGRAMFILES", "PROGRAMFILES(X86)"),
        *("COMMONPROGRAMFILES", "PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS", "OS"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    }
)
_QUIET = {
    "TERM": "dumb",  # the only one that takes the colour from errors, too
    "NO_COLOR": "1",
    "POWERSHELL_TELEMETRY_OPTOUT": "1",
    "POWERSHELL_UPDATECHECK": "Off",
}


class PwshEndedError(Exception):
    """The child is gone; `args[0]` says how, with the last of what it printed."""


class PwshChild:
    """A child that runs `session.ps1`. Raises OSError when the program cannot be started."""

    def __init__(
        self, program: str, environment: Mapping[str, str], *, ca_file: str | None = None, grace: float = 5.0
    ) -> None:
        """`grace` is how many seconds it gets to disconnect, when it is told to end and when we are gone."""
        self._grace = grace
        self.folder = tempfile.mkdtemp(prefix="exo-auth-pwsh-")
        self._secret = secrets.token_hex(32)
        self._hidden: tuple[str, ...] = (self._secret,)
        self._printed: deque[str] = deque(maxlen=_KEPT_LINES)
        self._connection: socket.socket | None = None
        self._lines: IO[bytes] | None = None
        self._port = socket.create_server(("127.0.0.1", 0))
        try:
            self._process = _spawn(program, child_environment(environment, ca_file))
        except OSError:
            self._port.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self._drain = threading.Thread(target=self._keep_what_is_printed, daemon=True)
        self._drain.start()

    def open(self, job: Mapping[str, Any], hidden: str, seconds: float) -> None:
        """Hand the job over and wait until the child calls; `hidden` never shows in what is told of it.

        Raises TimeoutError and PwshEndedError.
        """
        self._hidden = (self._secret, hidden)
        deadline = time.monotonic() + seconds
        first = {
            **job,
            "secret": self._secret,
            "port": self._port.getsockname()[1],
            "folder": self.folder,
            "grace": int(self._grace * 1000),
        }
        stdin = self._process.stdin
        if stdin is None:  # pragma: no cover - it is a pipe
            raise PwshEndedError("no standard input")
        with suppress(OSError):  # a child that is gone is told of below
            stdin.write(json.dumps(first).encode("ascii") + b"\n")
        with suppress(OSError):
            stdin.close()
        self._port.settimeout(_LOOK)
        while self._connection is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            try:
                self._meet(self._port.accept()[0])
            except TimeoutError:
                if self._process.poll() is not None:
                    raise PwshEndedError(self._how_it_ended()) from None
        self._port.close()

    def send(self, document: Mapping[str, Any]) -> None:
        """Write one line; raises PwshEndedError."""
        try:
            if self._connection is None:
                raise BrokenPipeError
            self._connection.sendall(json.dumps(document).encode("ascii") + b"\n")
        except OSError:
            raise PwshEndedError(self._how_it_ended()) from None

    def receive(self, seconds: float) -> dict[str, Any]:
        """Read one line; raises TimeoutError, PwshEndedError, and ValueError for what is no JSON object."""
        line = b""
        try:
            if self._connection is not None and self._lines is not None:
                self._connection.settimeout(seconds)
                line = self._lines.readline(MAX_ANSWER)
        except TimeoutError:
            raise
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            if len(line) == MAX_ANSWER:
                raise ValueError("the answer is too long")
            raise PwshEndedError(self._how_it_ended())
        document = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError("the answer is no JSON object")
        return document

    def end(self) -> None:
        """Let the child disconnect, and kill it when it has not ended in time."""
        self._hang_up()
        try:
            self._process.wait(timeout=self._grace)
        except subprocess.TimeoutExpired:
            self._kill()
        self._tidy_up()

    def kill(self) -> None:
        """End the child and whatever it started, at once."""
        self._kill()
        self._hang_up()
        self._tidy_up()

    def last_words(self) -> str:
        """The last of what the child printed, on one line, without colour and secrets; "" for nothing."""
        text = tidy(" ".join(self._printed))
        for secret in self._hidden:
            text = text.replace(secret, "…") if secret else text
        return text if len(text) <= _TOLD else f"…{text[-_TOLD:]}"

    def _meet(self, stranger: socket.socket) -> None:
        """Take a caller that shows the secret; any local process can call."""
        stranger.settimeout(2)
        lines = stranger.makefile("rb")
        with suppress(OSError):
            said = lines.readline(len(self._secret) + 2).strip()
            if hmac.compare_digest(said, self._secret.encode("ascii")):
                self._connection, self._lines = stranger, lines
                return
        lines.close()
        stranger.close()

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):  # its end of the connection goes a moment before it
            self._process.wait(timeout=self._grace)
        self._drain.join(timeout=1)
        words = self.last_words()
        how = f"exit code {self._process.poll()}"
        return f"{how}; it printed: {words}" if words else how

    def _keep_what_is_printed(self) -> None:
        pipe = self._process.stdout
        with suppress(ValueError, OSError):  # the pipe is closed under us
            for line in iter(lambda: pipe.readline(4096) if pipe else b"", b""):
                if text := _ANSI.sub("", line.decode("utf-8", "replace")).strip():
                    self._printed.append(text)

    def _hang_up(self) -> None:
        self._port.close()
        for end in (self._process.stdin, self._lines, self._connection):
            if end is not None:
                with suppress(OSError):
                    end.close()
        self._connection = self._lines = None

    def _kill(self) -> None:
        if self._process.poll() is not None:  # its number may be somebody else's by now
            return
        with suppress(OSError):  # it has gone by itself
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _tidy_up(self) -> None:
        self._drain.join(timeout=1)  # a grandchild may hold the pipe
        if self._process.stdout and not self._drain.is_alive():
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def child_environment(environment: Mapping[str, str], ca_file: str | None = None) -> dict[str, str]:
    """Give the variables of the child: no secret of ours, and no colour.

    .NET knows private certificate authorities by SSL_CERT_FILE, Python's requests by REQUESTS_CA_BUNDLE.
    """
    given = {
        name: value
        for name, value in environment.items()
        if name.upper() in _KEPT or name.upper().startswith("DOTNET_")
    }
    bundle = ca_file or environment.get("SSL_CERT_FILE") or environment.get("REQUESTS_CA_BUNDLE")
    return {**given, **({"SSL_CERT_FILE": bundle} if bundle else {}), **_QUIET}


def _spawn(program: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start it in a group of its own: Ctrl-C in a terminal is for us, who let the change under way finish."""
    script = str(files("exo_auth.exchange") / "session.ps1")
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows
    return subprocess.Popen(
        [program, "-NoProfile", "-NonInteractive", "-NoLogo", "-File", script],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        creationflags=flags,
    )
