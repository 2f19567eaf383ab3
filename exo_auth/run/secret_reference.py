"""Where a secret is kept, read only at the moment it is needed (run)."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exo_auth.errors import InputError
from exo_auth.identity.secrets import Secret

COMMAND_TIMEOUT = 60  # seconds; a vault that has not answered by then will not
MAX_SIZE = 100_000  # characters; a secret is shorter, and a device file would never end

SCHEMES = {
    "env": "env:NAME, a variable",
    "file": "file:PATH, the text of a file",
    "credential": "credential:NAME, a systemd credential",
    "keyring": "keyring:SERVICE/USER, the platform's store",
    "command": "command:PROGRAM ARGUMENTS, what a program prints",
}
_HINT = "write one of " + "; ".join(SCHEMES.values())


@dataclass(frozen=True)
class SecretReference:
    """A place that holds a secret: `scheme` is a key of SCHEMES, `target` what follows the colon."""

    scheme: str
    target: str

    @classmethod
    def parse(cls, text: str, base: Path) -> SecretReference:
        """Read `scheme:target`; a relative file is below `base`. Raises InputError without showing `text`."""
        scheme, _, target = text.partition(":")
        if scheme not in SCHEMES or not target.strip():
            raise InputError("a secret is not written here, only where it is kept", hint=_HINT)
        if scheme == "file":
            target = str(base / _expanded(target))
        if scheme == "keyring" and not all(target.partition("/")):
            raise InputError("a keyring reference names a service and a user", hint="keyring:SERVICE/USER")
        return cls(scheme, target)

    def resolve(self, environment: Mapping[str, str]) -> Secret:
        """Read the secret, without the line end that editors add; raises InputError that names the place."""
        text = self._read(environment).removesuffix("\n").removesuffix("\r")
        if not text:
            raise InputError(f"the secret at {self} is empty or not there", hint=SCHEMES[self.scheme])
        return Secret(text)

    def _read(self, environment: Mapping[str, str]) -> str:
        match self.scheme:
            case "env":
                return environment.get(self.target, "")
            case "credential":
                return self._from_file(self._credential(environment))
            case "keyring":
                return self._from_keyring()
            case "command":
                return self._from_command(environment)
            case _:
                return self._from_file(Path(self.target))

    def _credential(self, environment: Mapping[str, str]) -> Path:
        folder = environment.get("CREDENTIALS_DIRECTORY")
        if not folder or Path(self.target).name != self.target:
            raise InputError(
                f"the secret at {self} cannot be read: no systemd credential of that name is passed to this run",
                hint="set LoadCredential= in the unit",
            )
        return Path(folder) / self.target

    def _from_file(self, path: Path) -> str:
        try:
            with path.open(encoding="utf-8") as file:
                return file.read(MAX_SIZE)
        except UnicodeDecodeError:
            raise InputError(f"the secret at {self} is not text") from None
        except OSError as error:
            raise InputError(
                f"the secret at {self} cannot be read: {error.strerror or error}",
                hint="the user who runs this needs to read that file",
            ) from None

    def _from_keyring(self) -> str:
        from exo_auth.identity.keyring_store import read_keyring

        service, _, user = self.target.partition("/")
        return read_keyring(service, user)

    def _from_command(self, environment: Mapping[str, str]) -> str:
        # Only the program is named in errors: arguments and output may hold what must not be shown.
        try:
            words = shlex.split(self.target)
            done = subprocess.run(
                words,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="strict",
                timeout=COMMAND_TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{self} did not answer within {COMMAND_TIMEOUT} seconds") from None
        except ValueError:
            raise InputError(f"{self} is no command line, or printed what is not text") from None
        except OSError as error:
            raise InputError(f"{self} cannot be started: {error.strerror or error}") from None
        if done.returncode != 0:
            raise InputError(
                f"{self} failed with exit code {done.returncode}", hint="run it by hand to see why"
            )
        return done.stdout[:MAX_SIZE]

    def __str__(self) -> str:
        if self.scheme == "command":
            return f"command:{self.target.split()[0]} …"
        return f"{self.scheme}:{self.target}"

    def __repr__(self) -> str:
        return f"SecretReference('{self.scheme}:…')"


def _expanded(target: str) -> Path:
    try:
        return Path(target).expanduser()
    except RuntimeError as error:  # “~name” of a user that does not exist
        raise InputError(str(error)) from None
