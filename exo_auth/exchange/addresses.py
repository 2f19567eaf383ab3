"""Where a request may go: the admin API's URLs, and which links of the service are followed (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

MODULE_VERSION = "3.9.2"  # of the official module whose list of cmdlets is asked for


@dataclass(frozen=True)
class Addresses:
    """The URLs of one tenant; `exchange_url` is the base of the cloud."""

    exchange_url: str
    tenant_id: str

    def cmdlets(self, base: str) -> str:
        """Where cmdlets are posted; only the beta version has this action."""
        return f"{base}/adminapi/beta/{quote(self.tenant_id, safe='')}/InvokeCommand"

    def granted(self, base: str) -> str:
        """Where the names of the granted cmdlets are asked for."""
        return f"{base}/adminapi/v1.0/{quote(self.tenant_id, safe='')}/EXOModuleFile?Version={MODULE_VERSION}"

    def trusted(self, link: str, asked: str) -> str | None:
        """Give `link`, absolute, if the token may go there: https, the cloud's host or one below it, its port.

        None for every other place. `asked` is the URL whose answer held the link.
        """
        # Parsers disagree about these characters; a disagreement would send the token elsewhere.
        if not link or any(char in "\\@" or char.isspace() or not char.isprintable() for char in link):
            return None
        try:
            target, home = urlsplit(urljoin(asked, link)), urlsplit(self.exchange_url)
            host, port = target.hostname or "", target.port or 443
            home_host, home_port = home.hostname or "", home.port or 443
        except ValueError:
            return None
        within = host == home_host or host.endswith(f".{home_host}")
        if target.scheme != "https" or not within or port != home_port:
            return None
        return target._replace(fragment="").geturl()

    def regional(self, location: str, asked: str) -> str | None:
        """Give the URL to repeat a request at when the service names another host, None if it does not.

        Only the host is taken: the question stays the same, wherever the redirection's path leads.
        """
        target = self.trusted(location, asked)
        if target is None or urlsplit(target).netloc == urlsplit(asked).netloc:
            return None
        return urlsplit(asked)._replace(netloc=urlsplit(target).netloc).geturl()


def base_of(url: str) -> str:
    """Give scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
