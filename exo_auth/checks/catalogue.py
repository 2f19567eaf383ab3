"""What each finding means: the text behind `exo-auth explain CODE` and the severity of the code (checks, pure)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from exo_auth.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One code: how bad, why it matters, what to do, where it is written."""

    code: str
    severity: str  # a value of Severity
    title: str
    why: str
    remedy: str
    source: str
    frameworks: tuple[str, ...] = ()


_MICROSOFT = "learn.microsoft.com/defender-office-365/email-authentication-dkim-configure"
_SCUBA = ("SCuBA MS.EXO.3.1v1", "CIS 2.1.9", "Maester MT.CISA.MS.EXO.3.1", "ORCA-108")

_ENTRIES = (
    Entry(
        "DKIM-NOT-CREATED",
        "fail",
        "no DKIM keys for the domain",
        "Mail from the domain is signed as contoso.onmicrosoft.com only, which DMARC does not count as aligned.",
        "Create the configuration (exo-auth dkim enable), publish the two CNAMEs it names, enable.",
        _MICROSOFT,
        _SCUBA,
    ),
    Entry(
        "DKIM-DISABLED",
        "fail",
        "signing is switched off",
        "Keys exist, but mail leaves without a signature of the domain: DMARC then hangs on SPF, which forwarding breaks.",
        "exo-auth dkim enable, once both CNAMEs are live.",
        _MICROSOFT,
        _SCUBA,
    ),
    Entry(
        "DKIM-INITIAL-DOMAIN",
        "info",
        "the tenant's initial domain",
        "Microsoft signs *.onmicrosoft.com with keys and records of its own; it is not listed until it was enabled by hand.",
        "Nothing to do.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-STATUS-UNKNOWN",
        "fail",
        "a status this version does not know",
        "The tenant reports a state that nobody has described. Writing to such a domain would be a guess.",
        "Look at the domain in the Defender portal; nothing is changed until the status is a known one.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-AGE-UNKNOWN",
        "fail",
        "key age unknown",
        "A rotation is timed and verified by KeyCreationTime and RotateOnDate. Without them a second rotation could not be told from the first.",
        "Ask again later; if it stays so, open a case with Microsoft.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-EXCHANGE-LAG",
        "warn",
        "Exchange has not looked again yet",
        "Exchange Online caches an absent CNAME for half an hour and more, and its status follows later.",
        "Wait; the DNS records are right.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-TARGET-UNKNOWN",
        "warn",
        "the tenant names no target",
        "The CNAME targets cannot be derived: since May 2025 they hold a letter that Microsoft picks per domain.",
        "Ask again later, and keep the published CNAMEs as they are.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-CNAME-MISSING",
        "fail",
        "a selector's CNAME is missing",
        "Exchange refuses to enable signing without both CNAMEs. When the idle selector's is missing, signing breaks four days after the next rotation.",
        "Publish the record exactly as shown; exo-auth dkim records prints both.",
        _MICROSOFT,
        _SCUBA,
    ),
    Entry(
        "DKIM-CNAME-WRONG",
        "fail",
        "a selector's CNAME points elsewhere",
        "The key behind another target is not the one Exchange signs with, now or after the next rotation.",
        "Change the record to the target that the tenant names.",
        _MICROSOFT,
        _SCUBA,
    ),
    Entry(
        "DKIM-CNAME-DOUBLED",
        "fail",
        "the zone is appended twice",
        "The DNS panel completes names by itself, so the record ended up at selector1._domainkey.contoso.com.contoso.com.",
        "Enter the name relative to the zone: selector1._domainkey.",
        "RFC 1035 §5.1",
        _SCUBA,
    ),
    Entry(
        "DKIM-CNAME-AS-TXT",
        "fail",
        "TXT in place of a CNAME",
        "A copied key goes stale with the first rotation, and a target written into a TXT record is no key at all.",
        "Delete the TXT record and create the CNAME.",
        _MICROSOFT,
        _SCUBA,
    ),
    Entry(
        "DKIM-KEY-MISSING",
        "fail",
        "the CNAME leads nowhere",
        "Signatures made with a key that cannot be fetched do not verify.",
        "Compare the target with what the tenant names; if it is the same, Exchange has yet to publish the key.",
        "RFC 6376 §6.1.2",
        _SCUBA,
    ),
    Entry(
        "DKIM-KEY-NOT-YET",
        "warn",
        "the idle selector has no key yet",
        "Before the first rotation Exchange may leave the second selector empty. Rotation waits until a key is there.",
        "Nothing is wrong in your zone; ask again later.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-KEY-MULTIPLE",
        "fail",
        "more than one key record",
        "With two TXT records the result of verification is undefined.",
        "Leave one record.",
        "RFC 6376 §3.6.2.2",
    ),
    Entry(
        "DKIM-KEY-SYNTAX",
        "fail",
        "a key record that cannot be read",
        "Verifiers ignore a malformed key: signatures do not verify.",
        "See what the CNAME leads to; a record cut at 255 characters is the classic.",
        "RFC 6376 §3.6.1",
    ),
    Entry(
        "DKIM-KEY-REVOKED",
        "fail",
        "a revoked key",
        "An empty p= tells verifiers that the key was withdrawn.",
        "The CNAME must lead to the tenant's key.",
        "RFC 6376 §3.6.1",
    ),
    Entry(
        "DKIM-KEY-INVALID",
        "fail",
        "a key below 1024 bits",
        "Verifiers must not accept signatures of such keys.",
        "Rotate to 2048 bits.",
        "RFC 8301 §3.2",
    ),
    Entry(
        "DKIM-KEY-SHORT",
        "warn",
        "a key below 2048 bits",
        "1024 bits verify today, and are within reach of those who can afford to factor them.",
        "exo-auth dkim upgrade-keys: two rotations, some days apart.",
        "RFC 8301 §3.2",
        ("CIS 2.1.9",),
    ),
    Entry(
        "DKIM-KEY-EXPONENT",
        "info",
        "an unusual exponent",
        "Keys of Exchange Online have the exponent 65537; another one means that the key is somebody else's.",
        "Compare the CNAME with the tenant's target.",
        "RFC 6376 §3.3.1",
    ),
    Entry(
        "DKIM-KEY-PROPAGATING",
        "warn",
        "a new key on its way",
        "After a rotation the new key appears in DNS within minutes, at caches when the old answer has expired.",
        "Wait.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-KEY-MISMATCH",
        "fail",
        "the key in DNS is not the tenant's",
        "What Exchange signs with this selector cannot be verified.",
        "Compare the CNAME with the tenant's target.",
        "RFC 6376 §6.1.3",
        _SCUBA,
    ),
    Entry(
        "DKIM-ROTATION-STUCK",
        "fail",
        "a rotation did not come through",
        "The switch is more than a day past, and DNS still shows another key than the tenant for the signing selector.",
        "Compare the CNAME with the tenant's target; if it is right, open a case with Microsoft.",
        _MICROSOFT,
    ),
    Entry(
        "DKIM-TESTING",
        "warn",
        "the key is marked as a test",
        "With t=y a verifier treats signed mail as unsigned when the signature fails.",
        "Drop t=y.",
        "RFC 6376 §3.6.1",
    ),
    Entry(
        "DKIM-WILDCARD",
        "warn",
        "a wildcard below _domainkey",
        "Every selector seems to exist, so that “found” proves nothing.",
        "Remove the wildcard.",
        "RFC 6376 §6.1.2",
    ),
    Entry(
        "DKIM-DUPKEY",
        "warn",
        "one key behind both selectors",
        "A rotation between them would change nothing, and one leak hurts both.",
        "Check both CNAMEs; rotate.",
        "RFC 6376 §3.1",
    ),
    Entry(
        "DKIM-LOOKUP-FAILED",
        "unknown",
        "DNS could not be asked",
        "A failed look-up says nothing about the record. It blocks changes, is never counted as missing, and ends with exit code 6.",
        "Ask again, or ask another resolver with --nameserver.",
        "RFC 8499, RFC 2308 §7",
    ),
)

CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in _ENTRIES}


def entry_for(code: str) -> Entry:
    """Give the entry of a code, however it is spelled; raises InputError with the nearest codes."""
    wanted = code.strip().upper().replace("_", "-")
    if wanted in CATALOGUE:
        return CATALOGUE[wanted]
    near = difflib.get_close_matches(wanted, CATALOGUE, n=3, cutoff=0.4)
    raise InputError(
        f"there is no finding “{code}”",
        hint=f"did you mean {', '.join(near)}?" if near else "exo-auth explain lists all codes",
    )
