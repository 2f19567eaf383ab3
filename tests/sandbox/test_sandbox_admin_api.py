"""The sandbox's admin API as the real one is described: checks in order, envelope, paging, batch, errors."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exo_auth.sandbox.admin_api import AdminApi
from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault, Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.principal import EXCHANGE_ADMINISTRATOR, MANAGE_AS_APP, BadToken, Principal
from exo_auth.sandbox.switches import Switches
from exo_auth.sandbox.tenant import SandboxTenant
from exo_auth.sandbox.zones import Zones

TENANT = "11111111-2222-3333-4444-555555555555"
ANCHOR = f"APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{TENANT}"
PATH = f"/adminapi/beta/{TENANT}/InvokeCommand"
ADMIN = Principal(
    TENANT, "app", roles=frozenset({MANAGE_AS_APP}), directory_roles=frozenset({EXCHANGE_ADMINISTRATOR})
)
CALLERS = {
    "admin": ADMIN,
    "no-role": replace(ADMIN, directory_roles=frozenset()),
    "no-permission": replace(ADMIN, roles=frozenset()),
    "official": replace(ADMIN, roles=frozenset({"Exchange.ManageAsAppV2"})),
    "person": Principal(
        TENANT, "app", "a@b", scopes=frozenset({"Exchange.Manage"}), directory_roles=ADMIN.directory_roles
    ),
}
SPECS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True, default=True),
    DomainSpec("on.example"),
    DomainSpec("old.example", new_target_form=False),
    DomainSpec("off.example", enabled=False),
    DomainSpec("none.example", listed=False),
)


class Lab:
    """The admin API without sockets."""

    def __init__(self, switches: Switches) -> None:
        self.clock = SandboxClock()
        self.faults = Faults()
        self.zones = Zones(tuple(spec.name for spec in SPECS), lambda _name: None)
        self.tenant = SandboxTenant(TENANT, SPECS[0].name, SPECS, self.clock, switches, self.zones.cname_of)
        for spec in SPECS[1:]:
            self.publish(spec.name)
        verify: Callable[[str], Principal | BadToken] = lambda text: CALLERS.get(text, BadToken("unknown"))  # noqa: E731
        self.api = AdminApi(self.tenant, self.faults, self.clock, switches, verify, "https://127.0.0.1:1")

    def publish(self, domain: str) -> None:
        for selector, target in zip(("selector1", "selector2"), self.tenant.targets(domain), strict=True):
            self.zones.publish_cname(f"{selector}._domainkey.{domain}", target)

    def ask(
        self, document: Any, *, caller: str = "admin", path: str = PATH, method: str = "POST", **more: Any
    ) -> Response:
        headers = {"authorization": f"Bearer {caller}", "x-anchormailbox": ANCHOR, **more.pop("headers", {})}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        response = self.api.handle(Request(method, path, more.pop("query", {}), headers, body))
        assert response is not None
        return response

    def run(self, cmdlet: str, **parameters: Any) -> Response:
        return self.ask({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}})

    def row(self, domain: str) -> dict[str, Any]:
        rows = json.loads(self.run("Get-DkimSigningConfig").body)["value"]
        return next(row for row in rows if row["Domain"] == domain)


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    return Lab(getattr(request, "param", Switches()))


def reason(response: Response) -> str:
    return str(json.loads(response.body)["error"]["details"][0]["message"])


LISTING = {"CmdletInput": {"CmdletName": "Get-DkimSigningConfig", "Parameters": {}}}
CHECKS = [  # how it is asked, status, reason
    ({}, 200, "all is right"),
    ({"caller": "stranger"}, 401, "a token nobody issued"),
    ({"headers": {"authorization": "Basic x"}}, 401, "no bearer token"),
    ({"path": PATH.replace(TENANT, "9" * 8)}, 401, "another tenant's path"),
    ({"path": PATH.lower().replace("adminapi", "AdminApi")}, 200, "paths have no case"),
    ({"path": PATH.replace(TENANT, "Contoso.onmicrosoft.com")}, 200, "the tenant by its domain"),
    ({"path": PATH.replace("beta", "v1.0")}, 405, "another version"),
    ({"path": f"/adminapi/beta/{TENANT}"}, 404, "no endpoint"),
    ({"path": f"/adminapi/beta/{TENANT}/nothing"}, 404, "an endpoint there is not"),
    ({"caller": "no-permission"}, 401, "no permission"),
    ({"caller": "no-role"}, 403, "no role"),
    ({"caller": "person"}, 200, "a person with the delegated permission"),
    ({"headers": {"x-anchormailbox": "nonsense"}}, 400, "an anchor of no form"),
    ({"headers": {"x-anchormailbox": ANCHOR.replace(TENANT, "other")}}, 400, "an anchor of another tenant"),
    ({"headers": {"x-anchormailbox": "UPN:admin@contoso.com"}}, 200, "a person's anchor"),
    ({"method": "GET"}, 405, "not a POST"),
]


@pytest.mark.parametrize(("how", "status", "why"), CHECKS, ids=[row[2] for row in CHECKS])
def test_who_may_ask(lab: Lab, how: dict[str, Any], status: int, why: str) -> None:
    assert lab.ask(LISTING, **how).status == status, why


BAD = [  # cmdlet, parameters, status, part of the text, reason
    ("Remove-Mailbox", {}, 403, None, "a cmdlet that is not granted"),
    (
        "Set-DkimSigningConfig",
        {"Identity": "on.example", "Bogus": 1},
        400,
        "AmbiguousParameterSetException",
        "unknown parameter",
    ),
    ("Set-DkimSigningConfig", {"Enabled": True}, 400, "missing mandatory", "no identity"),
    (
        "Set-DkimSigningConfig",
        {"Identity": "on.example", "Enabled": "maybe"},
        400,
        "ParameterTransformation",
        "no boolean",
    ),
    (
        "Rotate-DkimSigningConfig",
        {"Identity": "on.example", "KeySize": 512},
        400,
        "1024, 2048",
        "no key size",
    ),
    (
        "Rotate-DkimSigningConfig",
        {"Identity": "nobody.example"},
        404,
        "ManagementObjectNotFound",
        "no such object",
    ),
    ("Rotate-DkimSigningConfig", {"Identity": "off.example"}, 400, "not enabled", "signing is off"),
    (
        "New-DkimSigningConfig",
        {"DomainName": "nobody.example", "Enabled": False},
        400,
        "Invalid domain name",
        "not accepted",
    ),
    (
        "New-DkimSigningConfig",
        {"DomainName": "on.example", "Enabled": False},
        400,
        "already exists",
        "exists",
    ),
    (
        "New-DkimSigningConfig",
        {"DomainName": "contoso.onmicrosoft.com", "Enabled": False},
        400,
        "Invalid domain",
        "hidden",
    ),
    ("Get-AcceptedDomain", {"Identity": "nobody.example"}, 404, "couldn't be found", "no such domain"),
]


@pytest.mark.parametrize(("cmdlet", "parameters", "status", "part", "why"), BAD, ids=[row[4] for row in BAD])
def test_what_is_refused(
    lab: Lab, cmdlet: str, parameters: dict[str, Any], status: int, part: str | None, why: str
) -> None:
    response = lab.run(cmdlet, **parameters)
    assert response.status == status, why
    if part is None:
        assert response.body == b"\x00" * 470
        assert response.headers["Content-Encoding"] == "gzip"
    else:
        assert part in reason(response)


def test_parameters_that_are_no_object(lab: Lab) -> None:
    response = lab.ask({"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": None}})
    assert response.status == 400


def test_powershell_coerces_what_it_can(lab: Lab) -> None:
    done = lab.run(
        "set-dkimsigningconfig", identity="ON.example", enabled="False", BodyCanonicalization="Sim"
    )
    assert (done.status, done.body) == (200, b"")
    assert lab.row("on.example")["Enabled"] is False
    assert lab.row("on.example")["BodyCanonicalization"] == "Simple"


def test_rows_look_like_the_services(lab: Lab) -> None:
    row = lab.row("on.example")
    assert len([key for key in row if "@" not in key]) == 40
    assert list(row)[2:5] == ["Selector1KeySize@data.type", "Selector1KeySize@odata.type", "Selector1KeySize"]
    assert row["KeyCreationTime"].endswith("0Z")
    assert len(row["KeyCreationTime"]) == 28
    assert row["Selector1CNAME"] == "selector1-on-example._domainkey.Contoso.n-v1.dkim.mail.microsoft"
    assert (
        lab.row("old.example")["Selector2CNAME"] == "selector2-old-example._domainkey.contoso.onmicrosoft.com"
    )
    accepted = json.loads(lab.run("Get-AcceptedDomain").body)["value"]
    assert {len([key for key in row if "@" not in key]) for row in accepted} == {48}


def test_answers_are_compressed_when_that_is_accepted(lab: Lab) -> None:
    response = lab.ask(LISTING, headers={"accept-encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(response.body))["value"]


def test_pages_are_bound_to_anchor_and_time(lab: Lab) -> None:
    def page(**how: Any) -> Response:
        return lab.ask(LISTING, headers={"prefer": "odata.maxpagesize=2", **how.pop("headers", {})}, **how)

    first = json.loads(page().body)
    token = first["@odata.nextLink"].partition("skiptoken=")[2]
    second = json.loads(page(query={"$skiptoken": token}).body)
    assert [len(first["value"]), len(second["value"])] == [2, 1]
    assert "@odata.nextLink" not in second
    moved = page(query={"$skiptoken": token}, headers={"x-anchormailbox": "UPN:a@b"})
    assert "Expired or Invalid pagination request" in reason(moved)
    assert page(query={"$skiptoken": "rubbish"}).status == 400
    lab.clock.advance(timedelta(minutes=31))
    assert page(query={"$skiptoken": token}).status == 400


def test_columns_can_be_chosen(lab: Lab) -> None:
    rows = json.loads(lab.ask(LISTING, query={"$select": "Domain,Selector1KeySize"}).body)["value"]
    assert set(rows[0]) == {
        "Domain",
        "Selector1KeySize",
        "Selector1KeySize@data.type",
        "Selector1KeySize@odata.type",
    }


def test_a_result_that_is_cut_says_so(lab: Lab) -> None:
    answer = json.loads(lab.run("Get-AcceptedDomain", ResultSize=2).body)
    assert len(answer["value"]) == 2
    assert "more results available" in answer["@adminapi.warnings"][0]


def batch(lab: Lab, count: int) -> list[dict[str, Any]]:
    items = [{"id": str(n), "method": "POST", "url": "x", "body": LISTING} for n in range(count)]
    response = lab.ask({"requests": items}, path=f"/adminapi/beta/{TENANT}/$batch")
    return list(json.loads(response.body).get("responses", []))


def test_batches(lab: Lab) -> None:
    assert [item["status"] for item in batch(lab, 3)] == [200, 200, 200]
    assert batch(lab, 11) == []
    lab.faults.add(Fault("batch-duplicate-id"))
    assert [item["id"] for item in batch(lab, 2)] == ["0", "1", "0"]
    lab.faults.add(Fault("batch-missing-item"))
    assert [item["id"] for item in batch(lab, 2)] == ["0"]
    assert lab.ask(b"rubbish", path=f"/adminapi/beta/{TENANT}/$batch").status == 400


def test_a_request_without_anchor_may_meet_another_server(lab: Lab) -> None:
    lab.faults.add(Fault("wrong-backend"))
    bare = Request("POST", PATH, {}, {"authorization": "Bearer admin"}, json.dumps(LISTING).encode())
    first, second = lab.api.handle(bare), lab.api.handle(bare)
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (404, 200)


def test_what_the_caller_may_run_is_listed(lab: Lab) -> None:
    path = f"/adminapi/v1.0/{TENANT}/EXOModuleFile"
    listed = json.loads(lab.ask(b"", path=path, method="GET").body)["value"][0]["exportedCmdlets"]
    assert "Rotate-DkimSigningConfig" in listed
    assert lab.ask(b"", path=path, method="GET", caller="no-role").status == 403


def test_the_official_api_has_two_endpoints_and_a_permission_of_its_own(lab: Lab) -> None:
    path = f"/adminapi/v2.0/{TENANT}/AcceptedDomain"
    asked = {"CmdletInput": {"CmdletName": "Get-AcceptedDomain", "Parameters": {}}}
    assert lab.ask(asked, path=path, caller="official").status == 200
    assert lab.ask(asked, path=path).status == 403
    assert lab.ask(LISTING, path=path, caller="official").status == 400
    assert (
        lab.ask(asked, path=path.replace("AcceptedDomain", "DkimSigningConfig"), caller="official").status
        == 404
    )


def test_the_bootstrap_of_the_module_is_served(lab: Lab) -> None:
    for endpoint in ("basicinfo('AdminApiState')", "EXOBanner('AutogenSession')"):
        assert lab.ask(b"", path=f"/adminapi/beta/{TENANT}/{endpoint}", method="GET").status == 200


# The state machine


def test_enabling_looks_at_dns_and_remembers_a_failed_look(lab: Lab) -> None:
    lab.run("New-DkimSigningConfig", DomainName="none.example", Enabled=False, KeySize=2048)
    owner = "selector2._domainkey.none.example"
    target = lab.zones.cname_of(owner) or ""
    lab.zones.remove(owner, "CNAME")
    assert "CNAME record does not exist" in reason(
        lab.run("Set-DkimSigningConfig", Identity="none.example", Enabled=True)
    )
    lab.zones.publish_cname(owner, target)
    assert lab.run("Set-DkimSigningConfig", Identity="none.example", Enabled=True).status == 400
    lab.clock.advance(timedelta(minutes=31))
    assert lab.run("Set-DkimSigningConfig", Identity="none.example", Enabled=True).status == 200
    assert lab.row("none.example")["Status"] == "Valid"


def test_a_rotation_swaps_selectors_after_96_hours_and_refuses_a_second(lab: Lab) -> None:
    before = lab.row("on.example")
    assert lab.run("Rotate-DkimSigningConfig", Identity="on.example", KeySize=2048).status == 200
    row = lab.row("on.example")
    assert (row["SelectorBeforeRotateOnDate"], row["SelectorAfterRotateOnDate"]) == ("selector1", "selector2")
    assert row["Selector1PublicKey"] == before["Selector1PublicKey"]
    assert row["Selector2PublicKey"] != before["Selector2PublicKey"]
    assert lab.tenant.signing_selector("on.example") == "selector1"
    assert lab.run("Rotate-DkimSigningConfig", Identity="on.example").status == 400
    lab.clock.advance(timedelta(hours=96, seconds=1))
    assert lab.tenant.signing_selector("on.example") == "selector2"
    assert lab.run("Rotate-DkimSigningConfig", Identity="on.example").status == 200
    assert lab.tenant.rotations("on.example") == 2


def test_a_cname_that_goes_away_shows_in_the_status(lab: Lab) -> None:
    lab.zones.remove("selector1._domainkey.on.example", "CNAME")
    row = lab.row("on.example")
    assert (row["Status"], row["Enabled"]) == ("CnameMissing", True)


def test_new_with_signing_on_and_without_cnames_keeps_the_object_and_warns(lab: Lab) -> None:
    lab.zones.remove("selector1._domainkey.none.example", "CNAME")
    answer = json.loads(lab.run("New-DkimSigningConfig", DomainName="none.example", Enabled=True).body)
    assert "CNAME record does not exist" in answer["@adminapi.warnings"][0]
    assert lab.row("none.example")["Enabled"] is False
    assert lab.row("none.example")["Selector1KeySize"] == 1024


@pytest.mark.parametrize("lab", [Switches(new_enabled_warns=False)], indirect=True)
def test_or_it_is_refused(lab: Lab) -> None:
    lab.zones.remove("selector1._domainkey.none.example", "CNAME")
    assert lab.run("New-DkimSigningConfig", DomainName="none.example", Enabled=True).status == 400
    assert lab.tenant.states().get("none.example") is None


def test_removing_and_what_if(lab: Lab) -> None:
    assert lab.run("Remove-DkimSigningConfig", Identity="on.example", WhatIf=True).status == 200
    assert "on.example" in lab.tenant.states()
    assert lab.run("Remove-DkimSigningConfig", Identity="on.example").status == 200
    assert "on.example" not in lab.tenant.states()
    assert lab.run("Remove-DkimSigningConfig", Identity="on.example").status == 404


UNKNOWN = [("all", 3), ("empty_object", 1), ("none", 0)]


@pytest.mark.parametrize(
    ("lab", "count"), [(Switches(unknown_identity=u), n) for u, n in UNKNOWN], indirect=["lab"]
)
def test_an_unknown_identity(lab: Lab, count: int) -> None:
    assert len(json.loads(lab.run("Get-DkimSigningConfig", Identity="nobody.example").body)["value"]) == count


@pytest.mark.parametrize(
    "lab", [Switches(unknown_identity="not_found", not_found_status="400")], indirect=True
)
def test_an_unknown_identity_may_be_an_error(lab: Lab) -> None:
    assert lab.run("Get-DkimSigningConfig", Identity="nobody.example").status == 400


def test_the_log_leaves_out_who_asked(lab: Lab) -> None:
    lab.run("Get-AcceptedDomain")
    (entry,) = lab.api.log
    assert (entry.cmdlet, entry.status) == ("Get-AcceptedDomain", 200)
    assert "authorization" not in entry.headers
