"""What was answered, for as long as it may be believed (lookup; pure: the clock is given)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from exo_auth.facts.dns import LookupFailed
from exo_auth.lookup.name_servers import Reply, Verdict
from exo_auth.lookup.wire import Message, Question, Soa, parse_message

SHORTEST, LONGEST = 5.0, 3600.0  # seconds; one short run sees one answer, a long-lived process sees changes
FAULT = 60.0  # seconds that a lasting fault of a zone is remembered; RFC 9520 §3.2 allows 5 minutes
MOST_VERDICTS = 10_000
MOST_READ = 512  # answers that were asked for again, kept as they were read


class VerdictCache:
    """Verdicts by name and type; the oldest leaves when there are too many. A temporary failure is not kept.

    Answers are kept as octets, because the garbage collector would look through hundreds of thousands of records
    again and again; the few that are asked for many times, such as the includes of SPF, are read once.
    """

    def __init__(self, clock: Callable[[], float], most: int = MOST_VERDICTS) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[Question, tuple[float, bytes | LookupFailed, str]] = {}
        self._read: dict[bytes, Reply] = {}  # by their octets

    def get(self, question: Question) -> Verdict | None:
        """Give the verdict while it may be believed."""
        kept = self._kept.get(question)
        if kept is None or kept[0] <= self._clock():
            return None
        _, verdict, server = kept
        return verdict if isinstance(verdict, LookupFailed) else self._reply(verdict, server)

    def _reply(self, octets: bytes, server: str) -> Reply:
        reply = self._read.get(octets)
        if reply is None or reply.server != server:
            if len(self._read) >= MOST_READ:
                del self._read[next(iter(self._read))]
            reply = self._read[octets] = Reply(parse_message(octets), server)
        return reply

    def keep(self, question: Question, verdict: Verdict) -> None:
        """Remember a verdict for its time to live."""
        kept = self._kept
        kept.pop(question, None)
        if isinstance(verdict, LookupFailed):
            if verdict.temporary:
                return
            entry: tuple[float, bytes | LookupFailed, str] = (self._clock() + FAULT, verdict, "")
        else:
            message = verdict.message
            entry = self._clock() + _lifetime(message), message.octets, verdict.server
        if len(kept) >= self._most:
            # many at once: finding the first key of a dict whose first keys were deleted takes ever longer
            for old in list(islice(kept, max(1, self._most // 16))):
                del kept[old]
        kept[question] = entry


def negative_ttl(message: Message) -> int | None:
    """Give how many seconds the absence may be remembered, None where the answer holds no SOA (RFC 2308 §5)."""
    for record in message.authority:
        if isinstance(record.data, Soa):
            return min(record.ttl, record.data.minimum)
    return None


def _lifetime(message: Message) -> float:
    answers = message.answers
    shortest = LONGEST if answers else 0.0
    for record in answers:
        if record.ttl < shortest:
            shortest = record.ttl
    if not answers or message.authority:
        absence = negative_ttl(message)
        if absence is not None:
            shortest = min(shortest, absence) if answers else min(LONGEST, absence)
    return shortest if shortest > SHORTEST else SHORTEST
