"""A message's signatures and envelope, with all that DNS says about them (lookup; async I/O).

dkimpy does the cryptography. It is given the answers that our resolver fetched before, so that nobody else asks DNS and a
failed look-up cannot pass for an absent key.
"""

from __future__ import annotations

import asyncio
import email.parser
import email.policy
import email.utils
import re
from email.message import Message

import dkim

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.facts.dns import Found
from exo_auth.facts.message import MessageFacts, SeenSignature
from exo_auth.lookup.dmarc_walk import walk
from exo_auth.lookup.public_suffix import organizational_domain
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.spf_evaluation import Envelope, check_host
from exo_auth.records import authentication_results, dkim_signature, received_spf
from exo_auth.records.authentication_results import AuthenticationResults
from exo_auth.records.dkim_signature import DkimSignature

MOST_SIGNATURES = 20
SHORTEST_KEY = 1024  # bits, RFC 8301 §3.2


async def gather_message_facts(
    resolver: Resolver, raw: bytes, envelope: Envelope | None, trust: str = ""
) -> MessageFacts:
    """Look at every signature, at SPF of the envelope, and at DMARC of the author domain.

    Without an envelope that of the topmost Received-SPF field is taken: the receiver's own border wrote it last.
    `trust` names the server whose Authentication-Results count, "" for the topmost field, whoever wrote it.
    """
    octets = re.sub(rb"\r?\n", b"\r\n", raw)  # files on disk have lost their CRLF
    message = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(octets)
    fields = [str(value) for value in message.get_all("DKIM-Signature", [])]
    authors = _authors(message)
    signatures = await asyncio.gather(
        *(_signature(resolver, octets, n, field) for n, field in enumerate(fields[:MOST_SIGNATURES]))
    )
    author = authors[0] if len(authors) == 1 else None
    source = "given" if envelope is not None else ""
    if envelope is None:
        envelope, source = _recorded_envelope(message)
    text, results = _trusted(message, trust)
    above = organizational_domain(author) if author is not None else None
    spf = await check_host(resolver, envelope) if envelope is not None else None
    spf_domain = _domain(envelope.domain) if envelope is not None else None
    return MessageFacts(
        authors,
        tuple(signatures),
        max(0, len(fields) - MOST_SIGNATURES),
        await walk(resolver, author) if author is not None else None,
        above,
        await walk(resolver, above) if above is not None else None,
        spf,
        spf_domain,
        await walk(resolver, spf_domain) if spf_domain is not None else None,
        organizational_domain(spf_domain) if spf_domain is not None else None,
        text,
        results,
        source,
        _arc_sealers(message),
    )


def _recorded_envelope(message: Message) -> tuple[Envelope | None, str]:
    try:
        field = received_spf.parse(str(message.get("Received-SPF", "")))
        mail_from = field.envelope_from or str(message.get("Return-Path", "")).strip().strip("<>")
        return Envelope.of(field.client_ip, mail_from, field.helo or "unknown"), "Received-SPF"
    except (RecordSyntaxError, ValueError):
        return None, ""


def _trusted(message: Message, trust: str) -> tuple[str, AuthenticationResults | None]:
    """Give the topmost field of the trusted server; RFC 8601 §5: others may be forged."""
    for value in message.get_all("Authentication-Results", []):
        text = " ".join(str(value).split())
        try:
            results = authentication_results.parse(text)
        except RecordSyntaxError:
            if not trust:
                return text, None
            continue
        if not trust or results.server == trust.lower():
            return text, results
    return "", None


def _arc_sealers(message: Message) -> tuple[str, ...]:
    """Give who sealed the message on its way, the latest first (RFC 8617 §4.1.3)."""
    found = []
    for value in message.get_all("ARC-Seal", []):
        tags = dict(part.strip().partition("=")[::2] for part in "".join(str(value).split()).split(";"))
        if tags.get("i", "").isdecimal() and len(tags["i"]) < 4 and tags.get("d"):
            found.append((int(tags["i"]), tags["d"].lower()))
    return tuple(domain for _, domain in sorted(found, reverse=True))


async def _signature(resolver: Resolver, octets: bytes, number: int, field: str) -> SeenSignature:
    try:
        parsed = dkim_signature.parse(field)
    except RecordSyntaxError as error:
        return SeenSignature(error)
    name, domain = _domain(f"{parsed.selector}._domainkey.{parsed.domain}"), _domain(parsed.domain)
    if name is None or domain is None:
        return SeenSignature(parsed)
    key = await resolver.txt(name)
    verifies = None
    if isinstance(key, Found) and len(key.values) == 1:
        record = b"".join(key.values[0].chunks)
        verifies = await asyncio.to_thread(_verifies, octets, number, parsed, record)
    return SeenSignature(parsed, key, verifies, await walk(resolver, domain), organizational_domain(domain))


def _verifies(octets: bytes, number: int, parsed: DkimSignature, record: bytes) -> bool:
    wanted = f"{parsed.selector}._domainkey.{parsed.domain}".encode()

    def answer(name: bytes, timeout: int = 5) -> bytes:  # noqa: ARG001 - dkimpy's signature of it
        return record if name.rstrip(b".").lower() == wanted else b""

    try:
        return bool(dkim.DKIM(octets, minkey=SHORTEST_KEY).verify(idx=number, dnsfunc=answer))
    except Exception:  # noqa: BLE001 - hostile octets raise whatever they like inside the library: no proof, no pass
        return False


def _authors(message: Message) -> tuple[DomainName, ...]:
    """Give the domains of all From fields; those that are none are left out (RFC 9989 §11.5)."""
    fields = [str(value) for value in message.get_all("From", [])]
    found = (_domain(address.rpartition("@")[2]) for _, address in email.utils.getaddresses(fields))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _domain(text: str) -> DomainName | None:
    try:
        return DomainName.parse_lookup(text)
    except InputError:
        return None
