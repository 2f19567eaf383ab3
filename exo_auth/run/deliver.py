"""`python -m exo_auth.run.deliver`: hands one message to one address, in a process that can be ended (run).

The address comes on standard input, because it may hold a secret and arguments are public. What is printed is why it
could not be delivered, without the address.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import urllib.error
import urllib.request
from typing import Any

USER_AGENT = "exo-auth"


def main() -> int:
    """Deliver; 0 when it was taken."""
    asked: dict[str, Any] = json.loads(sys.stdin.read())
    trouble = (
        _ping(asked["ping"]) if "ping" in asked else _notify(asked["url"], asked["title"], asked["body"])
    )
    if trouble:
        print(trouble)
    return 1 if trouble else 0


def _notify(url: str, title: str, body: str) -> str:
    try:
        import apprise
    except ImportError:
        return "Apprise is not installed (pip install 'exo-auth[notify]')"
    said: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("apprise").addHandler(listener)
    # Under our own name, and without a picture from the network.
    asset = apprise.AppriseAsset(
        app_id=USER_AGENT, app_desc=USER_AGENT, app_url="", image_url_mask="", image_url_logo=""
    )
    hub = apprise.Apprise(asset=asset)
    if not hub.add(url):
        return "it is none that Apprise knows; see appriseit.com"
    for server in hub:
        _wait_as_long_as_the_process(server)
    # Mail and its like are taken for HTML: without a word from us, lines would run together and <a> be a tag.
    writes_html = any(_format_of(server) == apprise.NotifyFormat.HTML for server in hub)
    if hub.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT if writes_html else None):
        return ""
    return _without_parts(said[0] if said else "it was refused, or nobody answered", url)


def _wait_as_long_as_the_process(server: Any) -> None:
    """Let the limit of this process be the only one, unless the address has its own (`cto`, `rto`): Apprise gives up after 4 s."""
    kind = type(server)
    if server.socket_connect_timeout == kind.socket_connect_timeout:
        server.socket_connect_timeout = None
    if server.socket_read_timeout == kind.socket_read_timeout:
        server.socket_read_timeout = None


def _format_of(server: Any) -> Any:
    """Give the format a service likes best; newer versions of Apprise list them all."""
    formats = server.notify_format
    return formats[0] if isinstance(formats, tuple | list) else formats


def _without_parts(text: str, url: str) -> str:
    """Take out whatever of the address a library may have put into its message."""
    for part in sorted(
        filter(None, re.split(r"[^A-Za-z0-9_-]+", url.partition("://")[2])), key=len, reverse=True
    ):
        if len(part) >= 4:
            text = text.replace(part, "…")
    return " ".join(text.split())


def _ping(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        return "it is no http(s) URL"
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the process has a time limit
            answer.read(1024)
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, ValueError) as error:
        return f"nobody answered ({type(error).__name__})"
    return ""


if __name__ == "__main__":
    sys.exit(main())
