"""How many questions a second a name server is asked (lookup; pure: the time is passed in)."""

from __future__ import annotations

import ipaddress

PUBLIC_RATE = 500.0  # questions a second; public resolvers allow one address 1,000 or more
BURST = 0.1  # seconds' worth of questions that may go at once

_PUBLIC_RESOLVERS = frozenset(
    ipaddress.ip_address(address)
    for address in (
        *("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"),  # Cloudflare
        *("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"),  # Google
        *("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"),  # Quad9
        *("208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53"),  # OpenDNS
    )
)


class TokenBucket:
    """Gives each question the time at which it may go: `rate` a second, and `burst` seconds' worth at once."""

    def __init__(self, rate: float, burst: float = BURST) -> None:
        if not rate > 0:
            raise ValueError(f"a rate of {rate} questions a second")
        self._interval = 1 / rate
        self._burst = max(0.0, burst - self._interval)
        self._next = float("-inf")  # when the bucket would be empty

    def take(self, now: float) -> float:
        """Take a token; gives how many seconds to wait until it is there."""
        start = max(self._next, now - self._burst)
        self._next = start + self._interval
        return max(0.0, start - now)


def polite_rate(host: str) -> float | None:
    """Give how many questions a second this server is asked unless told otherwise, None for any number."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return PUBLIC_RATE if address in _PUBLIC_RESOLVERS else None
