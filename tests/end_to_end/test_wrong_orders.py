"""A wrong order is refused, whoever asks for it: `dns apply` with a new plan or an old one, a playbook, and `undo`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from desk import Desk

from exo_auth.domain_name import DomainName
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import to_text
from exo_auth.plan.record_set import RecordSet
from exo_auth.run.dns_changes import NO_TENANT, publication
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.dnssec import host_of
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DANE = DomainSpec("dane.example", signed=True, dmarc="reject")
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("nomx.example"),
    DomainSpec("keys.example", enabled=False, cnames="none"),
    DomainSpec("unsigned.example", listed=False, cnames="none"),
    DomainSpec("used.example"),
    DomainSpec("policy.example", policy="testing"),
    DANE,
)
OLD_HOST = "mx.elsewhere.example"
ELSEWHERE = f"version: STSv1\r\nmode: enforce\r\nmx: {OLD_HOST}\r\nmax_age: 604800\r\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield Desk(box, tmp_path)


def enforce_elsewhere(desk: Desk) -> None:
    """Let nomx.example have a policy in enforce that names another host, and no MX."""
    desk.box.zones.remove("nomx.example", "MX")
    desk.box.host_policy("nomx.example", ELSEWHERE)
    desk.box.publish_txt("_mta-sts.nomx.example", "v=STSv1; id=20260101000000;")


def keep_dns_by_hand(desk: Desk) -> None:
    del desk.environment["EXO_AUTH_OCTODNS"]


def pin(desk: Desk) -> None:
    """Let dane.example be through the way to DANE."""
    desk.box.zones.publish_mx(DANE.name, host_of(DANE), 0)
    desk.box.tenant.mail_flow._dnssec.enabled.add(DANE.name)
    desk.box.tenant.mail_flow._dnssec.dane.add(DANE.name)


def nothing(_desk: Desk) -> None:
    """Leave it as it is."""


REPORTS = "--rua mailto:d@used.example"
Prepare = Callable[[Desk], None]
ORDERS: list[tuple[str, Prepare, str, int, str]] = [  # what, how it comes about, the command, its end, why
    (
        "MX before policy",
        enforce_elsewhere,
        "dns apply nomx.example --no-sign-in --yes",
        3,
        "does not name nomx-example.mail.protection.outlook.com",
    ),
    (
        "MX before policy, by playbook",
        enforce_elsewhere,
        "apply onboard-tenant -d nomx.example --var rua=mailto:d@used.example --var tls_rua=mailto:t@used.example --yes",
        3,
        "does not name nomx-example.mail.protection.outlook.com",
    ),
    (
        "id before file, by playbook",
        nothing,
        "apply publish-mta-sts -d used.example --yes",
        3,
        "TLSRPT-MISSING",
    ),
    (
        "a stricter id before its file, by playbook",
        nothing,
        "apply publish-mta-sts -d policy.example --var mode=enforce --yes",
        4,
        "host this file",
    ),
    (
        "DKIM before CNAMEs",
        keep_dns_by_hand,
        "dkim enable -d keys.example --yes",
        3,
        "DKIM-CNAME-MISSING",
    ),
    (
        "DKIM before CNAMEs, by playbook",
        keep_dns_by_hand,
        "apply enable-dkim -d keys.example --yes",
        3,
        "CNAME is missing",
    ),
    (
        "DMARC enforcement before DKIM",
        nothing,
        f"dns apply unsigned.example --policy reject {REPORTS} --yes",
        3,
        "the gate dmarc-enforce is blocked",
    ),
    (
        "DMARC enforcement before DKIM, by playbook",
        nothing,
        "apply advance-dmarc -d unsigned.example --var goal=quarantine --var observe=0d --yes",
        3,
        "dmarc-enforce",
    ),
    (
        "a parked domain's policy before its SPF",
        nothing,
        "dmarc generate unsigned.example --rules parked",
        3,
        "publish v=spf1 -all first",
    ),
    (
        "removal of an include that a sender needs",
        nothing,
        "dns apply used.example --parked --yes",
        3,
        "its SPF lets",
    ),
    (
        "removal of an include that a sender needs, by playbook",
        nothing,
        "apply park-domain --var domains=used.example --yes",
        3,
        "its SPF lets",
    ),
]


@pytest.mark.parametrize(
    ("prepare", "line", "code", "part"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS]
)
def test_a_wrong_order_is_refused(desk: Desk, prepare: Prepare, line: str, code: int, part: str) -> None:
    prepare(desk)
    before = desk.box.zones.to_state()
    done = desk.run(line)
    assert done.code == code, done
    assert part in done.out + done.err
    changed = {one["owner"] for one in desk.box.zones.to_state() if one not in before}
    assert not changed & {
        "nomx.example",
        "_mta-sts.used.example",
        "_mta-sts.policy.example",
        "_dmarc.unsigned.example",
    }
    assert "used.example" not in changed
    assert not [one for one in desk.box.requests if one.cmdlet == "Set-DkimSigningConfig"]


Sets = tuple[str, ...]
STALE: list[
    tuple[str, Prepare, str, str, str, Sets, Sets, str]
] = [  # a plan that was made when it was in order
    (
        "MX before policy",
        enforce_elsewhere,
        "nomx.example",
        "nomx.example",
        "MX",
        (),
        ("0 nomx-example.mail.protection.outlook.com",),
        "does not name",
    ),
    (
        "id before file",
        nothing,
        "used.example",
        "_mta-sts.used.example",
        "TXT",
        (),
        ("v=STSv1; id=sha25612345678901234567890;",),
        "the id comes after the file",
    ),
    (
        "DMARC enforcement before DKIM",
        nothing,
        "unsigned.example",
        "_dmarc.unsigned.example",
        "TXT",
        ("v=DMARC1; p=none; rua=mailto:dmarc@unsigned.example",),
        ("v=DMARC1; p=reject; rua=mailto:dmarc@unsigned.example",),
        "the gate dmarc-enforce is blocked",
    ),
    (
        "MX away from a host that is pinned",
        pin,
        DANE.name,
        DANE.name,
        "MX",
        (f"0 {host_of(DANE)}",),
        ("0 dane-example.mail.protection.outlook.com",),
        "DANE is on",
    ),
    (
        "MX to a host without an address",
        nothing,
        "used.example",
        "used.example",
        "MX",
        ("0 used-example.mail.protection.outlook.com",),
        ("0 nowhere.used.example",),
        "has no address",
    ),
]


@pytest.mark.parametrize(
    ("prepare", "domain", "owner", "rdtype", "before", "after", "part"),
    [row[1:] for row in STALE],
    ids=[row[0] for row in STALE],
)
def test_a_plan_that_is_not_in_order_any_more_is_refused(
    desk: Desk,
    tmp_path: Path,
    prepare: Prepare,
    domain: str,
    owner: str,
    rdtype: str,
    before: Sets,
    after: Sets,
    part: str,
) -> None:
    prepare(desk)
    wanted = RecordSet(DomainName(owner), rdtype, after)
    change = publication(DomainName(domain), wanted, before, ("it was in order then",))
    file = tmp_path / "dns.plan"
    file.write_text(to_text(Plan(NO_TENANT, datetime.now(UTC), "dns plan", {}, (change,))))
    zone = desk.box.zones.of_zone(domain)
    done = desk.run(f"dns apply --plan {file} --yes")
    assert done.code == 3, done
    assert part in done.out + done.err
    assert desk.box.zones.of_zone(domain) == zone


def test_an_undo_keeps_the_order_too(desk: Desk) -> None:
    """MX was published into nothing; meanwhile a policy in enforce names its host, and the domain itself is not named."""
    desk.box.zones.remove("nomx.example", "MX")
    published = desk.run("dns apply nomx.example --no-sign-in --yes -o json")
    assert published.code == 0, published
    desk.box.host_policy(
        "nomx.example", ELSEWHERE.replace(OLD_HOST, "nomx-example.mail.protection.outlook.com")
    )
    desk.box.publish_txt("_mta-sts.nomx.example", "v=STSv1; id=20260101000000;")
    done = desk.run(f"dns undo {json.loads(published.out)['run']} --yes")
    assert done.code == 3, done
    assert "does not name nomx.example" in done.out
    assert desk.box.zones.find_all("nomx.example", "MX")


def test_who_says_that_nobody_sends_may_park(desk: Desk) -> None:
    assert desk.run("dns apply used.example --parked --allow-loss --yes").code == 0
    assert [one.value for one in desk.box.zones.find_all("used.example", "TXT")] == [("v=spf1 -all",)]
