"""What must be so before a set of MX, or an id, is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind
from exo_auth.facts.domain import MailHost, TlsaRecord
from exo_auth.plan.change import Blockage, Deferral
from exo_auth.plan.record_order import MxScene, hosts_of, takes_no_mail, why_id_must_wait, why_mx_must_wait
from exo_auth.records.mta_sts_id import id_of
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy

NAME = DomainName("contoso.com")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OLD, NEW = "mx.old.example", "contoso-com.e-v1.mx.microsoft"
HOUR = timedelta(hours=1)
NONE = Missing(MissingKind.NODATA)
SILENT = LookupFailed(FailureReason.TIMEOUT, "no answer", True)
THERE = Found((IPv4Address("192.0.2.1"),), HOUR)
PINS = Found((TlsaRecord(3, 1, 1, b"x" * 32),), HOUR, authenticated=True)


def policy(*hosts: str, mode: Mode = Mode.ENFORCE) -> MtaStsPolicy:
    return MtaStsPolicy(mode, hosts, 604_800)


MOVE = MxScene(
    NAME,
    NOW,
    (OLD,),
    (NEW,),
    None,
    None,
    is_signed=True,
    leaving=(MailHost(OLD, THERE, NONE, NONE),),
    coming=(MailHost(NEW, THERE, NONE, NONE),),
)
BACK = replace(MOVE, before=(NEW,), after=(OLD,), coming=(), leaving=(MailHost(NEW, THERE, NONE, PINS),))
SCENES: list[tuple[MxScene, dict[str, Any], str, str]] = [  # scene, what is otherwise, what is said, why
    (MOVE, {}, "", "nothing is in the way"),
    (MOVE, {"policy": policy(OLD)}, f"does not name {NEW}", "a policy in enforce"),
    (MOVE, {"policy": policy(OLD, mode=Mode.TESTING)}, "", "a policy in testing stops nobody"),
    (MOVE, {"policy": policy(OLD, NEW)}, "", "a policy that names both"),
    (MOVE, {"policy": policy(OLD), "after": (OLD, NEW)}, "does not name", "beside the old one, too"),
    (MOVE, {"policy": policy("other.example"), "after": ()}, "does not name contoso.com", "without MX the domain takes mail"),
    (MOVE, {"policy": policy(OLD), "before": (OLD, "x.example"), "after": (OLD,)}, "", "an unnamed one goes"),
    (MOVE, {"announced": NOW - 24 * HOUR}, "may hold the MTA-STS policy of before", "a policy of yesterday"),
    (MOVE, {"announced": NOW - 26 * HOUR}, "", "nobody holds the one before"),
    (MOVE, {"announced": NOW, "after": (OLD, NEW)}, "", "no host goes"),
    (MOVE, {"coming": (MailHost(NEW, NONE, NONE, NONE),)}, "has no address", "a host that is not there"),
    (MOVE, {"coming": (MailHost(NEW, SILENT, NONE, NONE),)}, "no answer", "a host that nobody knows of"),
    (MOVE, {"coming": (MailHost(NEW, THERE, NONE, SILENT),)}, "_25._tcp", "TLSA that cannot be asked for"),
    (BACK, {}, "DANE is on", "away from a host that is pinned"),
    (BACK, {"is_signed": False}, "", "nobody looks for pins without DNSSEC"),
    (BACK, {"leaving": (MailHost(OLD, THERE, NONE, PINS),)}, "", "somebody else's host keeps its pins"),
    (BACK, {"leaving": (MailHost(NEW, THERE, NONE, replace(PINS, authenticated=False)),)}, "", "pins that do not count"),
    (BACK, {"leaving": (MailHost(NEW, THERE, NONE, replace(PINS, values=(TlsaRecord(1, 1, 1, b""),))),)}, "", "a usage that SMTP does not know"),
]  # fmt: skip


@pytest.mark.parametrize(("scene", "otherwise", "said", "reason"), SCENES, ids=[row[3] for row in SCENES])
def test_mx(scene: MxScene, otherwise: dict[str, Any], said: str, reason: str) -> None:
    held = why_mx_must_wait(replace(scene, **otherwise))
    if not said:
        assert held is None, reason
        return
    assert held is not None
    assert said in held.reason, reason
    if isinstance(held, Deferral):
        assert held.retry_after == otherwise["announced"] + 25 * HOUR
    else:
        assert held.is_unknown is ("no answer" in held.reason)


SERVED = policy(OLD)
IDS = [  # before, after, what is served, is it held back, why
    ((), (f"v=STSv1; id={id_of(SERVED)};",), SERVED, False, "the file is there"),
    ((), (f"v=STSv1; id={id_of(SERVED)};",), policy(NEW), True, "another file is there"),
    ((), (f"v=STSv1; id={id_of(SERVED)};",), None, True, "no file is there"),
    ((), ("v=STSv1; id=20261125120000;",), SERVED, False, "an id of others tells nothing of the file"),
    ((), ("v=STSv1; id=20261125120000;",), None, True, "no file for it, either"),
    (("v=STSv1; id=1;",), ("v=STSv1; id=1;", "other"), None, False, "the id stays"),
    (("v=STSv1; id=1;",), (), None, False, "the policy is taken back"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "served", "is_held", "reason"), IDS, ids=[row[4] for row in IDS])
def test_ids(
    before: tuple[str, ...], after: tuple[str, ...], served: MtaStsPolicy | None, is_held: bool, reason: str
) -> None:
    assert isinstance(why_id_must_wait(NAME, before, after, served), Blockage) is is_held, reason


def test_hosts_of_a_set() -> None:
    assert hosts_of(("10 B.example.", "0 a.example")) == ("a.example", "b.example")
    assert takes_no_mail(("0 ",))
    assert takes_no_mail(("0 .",))
    assert not takes_no_mail(())
