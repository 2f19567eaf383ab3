"""One administrator before one sandbox whose zones octoDNS may write."""

from __future__ import annotations

import json
from pathlib import Path

from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox

NEW = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("new.example", listed=False, cnames="none", spf="", dmarc=""),
)
WISH = "new.example --rua mailto:d@new.example --tls-rua mailto:t@new.example"


class Desk:
    """Gives commands the environment of a sandbox and nothing else, as a scheduler would."""

    def __init__(self, box: Sandbox, state: Path) -> None:
        self.box = box
        self.environment = {
            **box.description.environment,
            "EXO_AUTH_STATE_DIR": str(state),
            "EXO_AUTH_NO_JITTER": "1",
            "HOME": str(state),
        }

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    def codes(self) -> set[str]:
        """Give what fails at new.example."""
        done = self.run("check new.example -o json")
        return {one["code"] for one in json.loads(done.out)["findings"] if one["severity"] == "fail"}
