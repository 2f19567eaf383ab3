"""A resolver that answers as if some records were published already (lookup)."""

from __future__ import annotations

from datetime import timedelta

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, Found, Missing, MissingKind
from exo_auth.lookup.recorded import OfOneKind
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.wire import Data

CHUNK = 255  # octets of one character-string, RFC 1035 §3.3


class OverlayResolver(OfOneKind):
    """Answers TXT from `texts` (owner to the whole set, () for absent), everything else from `inner`."""

    def __init__(self, inner: Resolver, texts: dict[str, tuple[str, ...]]) -> None:
        self._inner = inner
        self._texts = texts

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask, or answer from the overlay."""
        if rdtype != "TXT" or name.ascii not in self._texts:
            return await self._inner.resolve(name, rdtype)
        texts = self._texts[name.ascii]
        if not texts:
            return Missing(MissingKind.NODATA)
        return Found(tuple(_chunks(text) for text in texts), timedelta(hours=1))


def _chunks(text: str) -> tuple[bytes, ...]:
    octets = text.encode("latin-1", errors="replace")
    return tuple(octets[at : at + CHUNK] for at in range(0, len(octets), CHUNK)) or (b"",)
