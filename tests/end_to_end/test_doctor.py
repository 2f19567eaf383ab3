"""`doctor` proves what registering the application gave, and that hooks and notifications can work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from terminal import in_process

from exo_auth.sandbox.serve import NO_PERMISSION_APP_ID, NO_ROLE_APP_ID, READER_APP_ID, Sandbox


def lines(box: Sandbox, folder: Path, *options: str, **environment: str) -> dict[str, tuple[str, str, str]]:
    whole = {
        **box.description.environment,
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "EXO_AUTH_STATE_DIR": str(folder),
    }
    done = in_process("doctor", "--output", "json", *options, environment=whole | environment)
    return {row["name"]: (row["state"], row["detail"], row["hint"]) for row in json.loads(done.out)["lines"]}


RIGHTS = [  # who signs in, line, state, part
    ("", "permission", "ok", "Exchange.ManageAsApp, with consent"),
    ("", "rights", "ok", "every cmdlet"),
    (NO_PERMISSION_APP_ID, "permission", "fail", "Exchange.ManageAsApp is missing"),
    (NO_ROLE_APP_ID, "permission", "ok", "with consent"),
    (NO_ROLE_APP_ID, "admin API", "fail", ""),
    (READER_APP_ID, "rights", "fail", "Rotate-DkimSigningConfig"),
]  # fmt: skip


@pytest.mark.parametrize(("app", "name", "state", "part"), RIGHTS)
def test_what_was_registered_is_proved(
    box: Sandbox, tmp_path: Path, app: str, name: str, state: str, part: str
) -> None:
    found = lines(box, tmp_path, **({"EXO_AUTH_CLIENT_ID": app} if app else {}))
    assert found[name][0] == state, found
    assert part in found[name][1]
    if name == "rights" and state == "fail":
        assert "auth setup --as role-group" in found[name][2]


def test_hooks_and_notifications_are_looked_at_and_nobody_is_told(box: Sandbox, tmp_path: Path) -> None:
    found = lines(box, tmp_path, "--offline", EXO_AUTH_AFTER_RUN="sh -c true", EXO_AUTH_ON_FAILURE="/nowhere/page",
                  EXO_AUTH_NOTIFY_URLS="json://127.0.0.1:9/a json://127.0.0.1:9/hunter2")  # fmt: skip
    assert found["hook after_run"][0] == "ok"
    assert found["hook on_failure"][0] == "fail"
    assert found["notifications"][:2] == (
        "ok",
        "2 to tell of failure, finding; `exo-auth notify test` tries them",
    )
    assert "hunter2" not in json.dumps(found)
    unreadable = lines(box, tmp_path, "--offline", EXO_AUTH_NOTIFY_URLS_FILE="/nowhere/urls")
    assert unreadable["notifications"][0] == "fail"
