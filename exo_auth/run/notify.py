"""A word to people after a run, through Apprise: Teams, Slack, mail, any webhook (run)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.errors import ConfigError, InputError
from exo_auth.plan.job import Event, Job

URLS = "EXO_AUTH_NOTIFY_URLS"
QUOTED_LINES = 20
SENTENCES = {
    Event.FAILURE: "failed",
    Event.FINDING: "found something that needs a person",
    Event.WAITING: "waits, and goes on by itself",
    Event.CHANGE: "changed something",
    Event.HEARTBEAT: "ran",
}


def send(urls: str, title: str, body: str) -> None:
    """Send to every address (Apprise URLs, blanks or commas between); raises InputError where one refuses."""
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "Apprise is not installed", file=URLS, hint="pip install 'exo-auth[notify]'"
        ) from None
    hub = apprise.Apprise()
    for number, url in enumerate(urls.replace(",", " ").split(), start=1):
        if not hub.add(url):  # the address itself may hold a secret: only its place is told
            raise InputError(
                f"address {number} of {URLS} is none that Apprise knows", hint="see appriseit.com"
            )
    if not hub.notify(title=title, body=body):
        raise InputError(
            "the notification could not be delivered", hint=f"try `exo-auth notify test` with {URLS}"
        )


def wanted(job: Job, events: Iterable[Event]) -> tuple[Event, ...]:
    """Give the events of a run that the job's owner wants to hear of, the gravest first."""
    order = tuple(SENTENCES)
    return tuple(sorted(job.notify_on & frozenset(events), key=order.index))


def message(job: Job, events: Iterable[Event], exit_code: int, output: str) -> tuple[str, str]:
    """Give title and text: what happened, and the last lines of what was said."""
    told = ", ".join(SENTENCES[event] for event in events)
    lines = [line for line in output.splitlines() if line.strip()][-QUOTED_LINES:]
    return f"exo-auth {job.name}: {told}", "\n".join([f"{job.command} ended with {exit_code}", "", *lines])
