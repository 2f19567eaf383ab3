"""A stand-in for the Azure CLI: `az rest` against a tenant that is a file, with a log of calls, and a death on demand.

It knows the part of Microsoft Graph that `scripts/register-app` uses, refuses what Graph refuses (a second assignment of the same
permission or role, a second credential of the same name), and answers queries as `az` does, by JMESPath.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
TENANT = "99999999-2222-3333-4444-555555555555"


def fresh() -> dict[str, Any]:
    return {"applications": [], "servicePrincipals": [{"id": "exchange-object", "appId": EXCHANGE}], "assignments": [],
            "roles": [], "writes": 0}  # fmt: skip


class RefusedError(Exception):
    """What Graph answers with an error."""


def main(arguments: list[str], file: Path) -> int:
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    state = json.loads(file.read_text()) if file.exists() else fresh()
    with file.with_suffix(".log").open("a") as log:
        log.write(json.dumps(arguments) + "\n")
    url = urlsplit(options["--uri"])
    assert url.hostname in ("graph.microsoft.com", "graph.microsoft.us"), url
    path = url.path.removeprefix("/v1.0/").split("/")
    body = json.loads(options["--body"]) if "--body" in options else None
    try:
        answer = get(state, path, parse_qs(url.query)) if options["--method"] == "GET" else write(state, options["--method"], path, body)  # fmt: skip
    except RefusedError as refused:
        print(f"Bad Request({refused})", file=sys.stderr)
        return 1
    if options["--method"] != "GET":
        state["writes"] += 1
        file.write_text(json.dumps(state))
        if str(state["writes"]) == os.environ.get("AZ_DIES_AFTER"):
            os.killpg(0, signal.SIGKILL)  # the script, too, before it hears the answer
    if "--query" in options:
        import jmespath  # the dearest thing here, and most calls have no query

        answer = jmespath.search(options["--query"], answer)
    print_as(options.get("--output", "json"), answer)
    return 0


def get(state: dict[str, Any], path: list[str], query: dict[str, list[str]]) -> Any:
    wanted = unquote(query.get("$filter", [""])[0])
    match path:
        case ["organization"]:
            return {
                "value": [
                    {
                        "id": TENANT,
                        "verifiedDomains": [{"name": "contoso.onmicrosoft.com"}, {"name": "contoso.com"}],
                    }
                ]
            }
        case ["applications" | "servicePrincipals" as kind]:
            key, value = re.fullmatch(r"(\w+) eq '(.*)'", wanted).groups()  # type: ignore[union-attr]
            return {"value": [one for one in state[kind] if one[key] == value]}
        case ["applications", identity]:
            return named(state["applications"], identity)
        case ["applications", identity, "federatedIdentityCredentials"]:
            return {"value": named(state["applications"], identity)["federated"]}
        case ["servicePrincipals", identity, "appRoleAssignments"]:
            return {"value": [one for one in state["assignments"] if one["principalId"] == identity]}
        case ["roleManagement", "directory", "roleAssignments"]:
            identity = re.fullmatch(r"principalId eq '(.*)'", wanted)[1]  # type: ignore[index]
            return {"value": [one for one in state["roles"] if one["principalId"] == identity]}
    raise RefusedError(f"no resource {path}")


def write(state: dict[str, Any], method: str, path: list[str], body: Any) -> Any:
    match method, path:
        case "POST", ["applications"]:
            one = {
                "id": str(uuid.uuid4()),
                "appId": str(uuid.uuid4()),
                "keyCredentials": [],
                "federated": [],
                **body,
            }
            state["applications"].append(one)
            return one
        case "PATCH", ["applications", identity]:
            named(state["applications"], identity).update(body)
            return None
        case "POST", ["servicePrincipals"]:
            if any(one["appId"] == body["appId"] for one in state["servicePrincipals"]):
                raise RefusedError("the service principal exists")
            one = {"id": str(uuid.uuid4()), **body}
            state["servicePrincipals"].append(one)
            return one
        case "POST", ["servicePrincipals", identity, "appRoleAssignments"]:
            assert body["principalId"] == identity
            return added(state["assignments"], body)
        case "POST", ["roleManagement", "directory", "roleAssignments"]:
            return added(state["roles"], body)
        case "POST", ["applications", identity, "federatedIdentityCredentials"]:
            present = named(state["applications"], identity)["federated"]
            if any(one["name"] == body["name"] for one in present) or not re.fullmatch(
                r"[A-Za-z0-9-]{3,120}", body["name"]
            ):
                raise RefusedError("the name of the credential")
            return added(present, body)
    raise RefusedError(f"no resource {path}")


def named(rows: list[dict[str, Any]], identity: str) -> dict[str, Any]:
    return next(one for one in rows if one["id"] == identity)


def added(rows: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    if body in rows:
        raise RefusedError("it exists already")
    rows.append(body)
    return body


def print_as(form: str, value: Any) -> None:
    if form == "none" or value is None:
        return
    if form == "json":
        print(json.dumps(value, indent=2))
        return
    for row in value if isinstance(value, list) else [value]:
        print("\t".join(map(str, row)) if isinstance(row, list) else row)


if __name__ == "__main__":
    if sys.argv[1] != "rest":
        sys.exit("only az rest is known here")
    sys.exit(main(sys.argv[1:], Path(os.environ["AZ_STAND_IN"])))
