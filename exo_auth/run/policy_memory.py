"""What is kept about a domain's MTA-STS policy between runs: what was asked for, and since when it stands (run).

Senders keep a policy for its max_age (RFC 8461 §3.2). Neither DNS nor the policy host tells what stood there before, so it is
noted when another file is asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.records import mta_sts
from exo_auth.records.mta_sts_id import id_of, is_digest
from exo_auth.records.mta_sts_policy import MtaStsPolicy

SCHEMA = "exo-auth/mta-sts-note/1"


@dataclass(frozen=True)
class PolicyMemory:
    """The note about one domain. A note that is missing or spoilt is an empty one."""

    path: Path

    @classmethod
    def of(cls, state_dir: Path, domain: DomainName) -> PolicyMemory:
        """Give the note of a domain in the folder of our state."""
        return cls(state_dir / "mta-sts" / f"{domain.ascii}.json")

    def is_stale(self, texts: tuple[str, ...], wanted: str) -> bool:
        """Is the published id older than the file? Ours are the file's digest; of others the note is asked."""
        own = [text for text in texts if mta_sts.looks_like(text)]
        if len(own) != 1:
            return True
        published = _id_in(own[0])
        if published is None or is_digest(published):
            return published != wanted
        # Where nothing was asked for, a valid record of others is left alone.
        note = self._note()
        return note.get("record") == own[0] and note.get("id") == wanted

    def expect(self, texts: tuple[str, ...], wanted: str, served: MtaStsPolicy | None) -> None:
        """Keep what stands there now; the file that this id announces is to come."""
        own = [text for text in texts if mta_sts.looks_like(text)]
        age = max(served.max_age if served is not None else 0, self._longest())
        self._write({"record": own[0] if own else None, "id": wanted, "max_age": age})

    def stands(self, policy: MtaStsPolicy, now: datetime) -> datetime:
        """Note that a policy is served and announced, and give when nobody remembers another; `now` is the service's."""
        wanted = id_of(policy)
        note = self._note()
        if note.get("id") != wanted or self._since() is None:
            age = max(policy.max_age, self._longest())
            self._write({"record": None, **note, "id": wanted, "max_age": age, "since": now.isoformat()})
        return self.forgotten(policy) or now

    def forgotten(self, policy: MtaStsPolicy) -> datetime | None:
        """Give when nobody remembers another policy than this one; None where it was not noted that it stands."""
        since = self._since()
        if since is None or self._note().get("id") != id_of(policy):
            return None
        return since + timedelta(seconds=self._longest())

    def _since(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self._note()["since"])
        except (KeyError, TypeError, ValueError):
            return None

    def _longest(self) -> int:
        """Give the longest max_age, in seconds, that was seen to be served."""
        age = self._note().get("max_age")
        return age if isinstance(age, int) else 0

    def _note(self) -> dict[str, Any]:
        try:
            note = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def _write(self, note: dict[str, Any]) -> None:
        from exo_auth.run.private_file import write_private

        write_private(
            self.path, json.dumps({"schema": SCHEMA, **note}) + "\n", replace=True, make_folder=True
        )


def _id_in(text: str) -> str | None:
    try:
        return mta_sts.parse(text).id
    except RecordSyntaxError:
        return None
