"""What a record costs, and what those who read it will do (plan, pure)."""

from __future__ import annotations

from exo_auth.domain_name import DomainName
from exo_auth.plan.record_set import RecordSet
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy, render
from exo_auth.records.spf import Qualifier, SpfRecord
from exo_auth.records.tls_rpt import TlsRptRecord

DAY = 86_400  # seconds
LONGEST_STRING = 255  # octets of one character-string, RFC 1035 §3.3
ROOM = 450  # octets of a name's TXT records, so that an answer fits 512 (RFC 7208 §3.4)

_AT_THE_END = {
    Qualifier.FAIL: "others fail: some receivers refuse them at MAIL FROM, forwarded mail too, before they look at DKIM and "
    "DMARC (RFC 9989 §7.1)",
    Qualifier.SOFTFAIL: "others softfail: receivers take the mail, and leave the verdict to DKIM and DMARC",
    Qualifier.NEUTRAL: "others are neutral: receivers treat them as if nothing were published, and DMARC does not count it",
    Qualifier.PASS: "everybody passes: whoever likes sends as this domain",
}
_MODES = {
    Mode.NONE: "senders who heed RFC 8461 forget the policy when they see the new id",
    Mode.TESTING: "senders who heed RFC 8461 deliver as before, and report what would have failed",
    Mode.ENFORCE: "senders who heed RFC 8461 do not deliver to a host that is not named or whose certificate is wrong; "
    "they queue, and give up after days",
}


def size_of(texts: tuple[str, ...]) -> str:
    """Say how many octets the TXT set of a name has, and whether that fits."""
    octets = sum(len(text) for text in texts)
    strings = sum(max(1, -(-len(text) // LONGEST_STRING)) for text in texts)
    split = f" in {strings} character-strings" if strings > 1 else ""
    over = f": more than {ROOM}, so that answers may need TCP (RFC 7208 §3.4)" if octets > ROOM else ""
    return f"{octets} octets of TXT at the name{split}{over}"


def spf_effects(record: SpfRecord) -> tuple[str, ...]:
    """Say what receivers do with senders that no term names. RFC 7208 §8."""
    last = next((one for one in record.mechanisms if one.name == "all"), None)
    if last is not None:
        return (_AT_THE_END[last.qualifier],)
    if record.modifier("redirect") is not None:
        return ("what happens to others is said by the record of redirect=",)
    return (_AT_THE_END[Qualifier.NEUTRAL],)


def tls_rpt_effects(record: TlsRptRecord, domain: DomainName) -> tuple[str, ...]:
    """Say what senders who report will do. RFC 8460 §3, §5.3."""
    said = ["each sender who reports sends one report a day to each address; delivery is as before"]
    inside = [uri for uri in record.rua if uri.lower().startswith("mailto:") and _is_at(uri, domain)]
    if inside:
        said.append(
            f"{inside[0]} lies in the domain itself: reports about its broken TLS come in over it (RFC 8460 §3)"
        )
    return tuple(said)


def mta_sts_effects(policy: MtaStsPolicy) -> tuple[str, ...]:
    """Say what senders will do, and for how long they cannot be told otherwise. RFC 8461 §5."""
    said = [
        f"the file has {len(render(policy))} octets; each sender fetches it once for each id",
        _MODES[policy.mode],
    ]
    if policy.mode is not Mode.NONE:
        said.append(
            f"they keep it for {_days(policy.max_age)}, and ask for a new id about daily: so long it takes to take it back"
        )
    return (
        *said,
        "other senders notice nothing; where a host has TLSA records, those who know DANE heed it first",
    )


def parked_effects() -> tuple[str, ...]:
    """Say what receivers and senders do with a domain that sends and takes no mail. RFC 7208 §5.1, RFC 7505 §3."""
    return (
        "receivers of both models of DMARC refuse all mail from it, from names below it, and from names that do not exist",
        "senders do not try to deliver to it, and tell whoever wrote at once",
    )


def authorization_effects(sets: tuple[RecordSet, ...], host: DomainName) -> tuple[str, ...]:
    """Say what agreements to take reports cost, and who asks for them. RFC 9990 §4; RFC 7489 §7.1."""
    octets = sum(len(value) for one in sets for value in one.values)
    return (
        f"records of the zone of {host}: {len(sets)}, {octets} octets of TXT; publish them before the clients name {host} in rua",
        f"receivers of both models ask for them before they send a report; without one they leave out {host}",
        f"a domain below {host} needs none; *._report._dmarc.{host} would agree for everybody, and invites junk",
    )


def _is_at(uri: str, domain: DomainName) -> bool:
    host = uri.partition("@")[2].split("?")[0].lower()
    return host == domain.ascii or host.endswith(f".{domain.ascii}")


def _days(seconds: int) -> str:
    whole, rest = divmod(seconds, DAY)
    return f"{whole} d" if whole and not rest else f"{seconds} s"
