"""exo-auth dkim rotate --yes

Python 3.10+ runbook of Azure Automation, signed in by the account's managed identity: no secret. scripts/register-app
--managed-identity gives that identity the one permission and the role. Import the wheel of exo-auth with its
dependencies as a runtime environment.

To be told of failures, make the encrypted variable EXO_AUTH_NOTIFY_URLS (Apprise addresses; needs the package apprise).
Log and report: the output of the job. One run at a time: the lock holds on one machine; leave time between two starts.

The sandbox has 400 MB and three hours, and forgets its disk. So the run ends itself before – the change under way is
finished – and the journal is gone after it: what a killed run left in flight is then seen in the tenant alone (a
pending rotation is deferred). For a journal that stays, use a hybrid worker, and set EXO_AUTH_STATE_DIR there.

Exit codes (docs/EXIT_CODES.md): 0 done, 4 waiting – no failure. 3, 8, 9, 10 and 64 need a person, so that trying again is no use;
1, 5, 6 and 7 may be gone at the next run.
"""

import _thread
import os
import signal
import sys
import threading

import automationassets  # the account's encrypted variables

SETTINGS = {
    "EXO_AUTH_TENANT": "contoso.onmicrosoft.com",
    "EXO_AUTH_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
    "EXO_AUTH_METHOD": "managed-identity",
    "EXO_AUTH_NO_INPUT": "1",
    "EXO_AUTH_NOTIFY_ON": "change failure finding",
}
SECRETS = ()
WISHES = ("EXO_AUTH_NOTIFY_URLS", "EXO_AUTH_HEARTBEAT_URL")  # not there: nobody is told
SECONDS = 3600


def variable(name, wanted):
    """Read an encrypted variable of the account; one that is only wished for may be missing."""
    try:
        return automationassets.get_automation_variable(name)
    except automationassets.AutomationAssetNotFound:
        if wanted:
            raise
        return None


os.environ.update(SETTINGS)
for name in SECRETS:
    os.environ[name] = variable(name, wanted=True)
for name in WISHES:
    value = variable(name, wanted=False)
    if value:
        os.environ[name] = value

from exo_auth.cli.app import run  # noqa: E402 - after the settings are there

# As SIGTERM would end it: between two changes, never inside one.
timer = threading.Timer(SECONDS, _thread.interrupt_main, [signal.SIGTERM])
timer.daemon = True
timer.start()
code = run(["dkim", "rotate", "--yes"])
print(f"exo-auth ended with {code}")
sys.exit(0 if code == 4 else code)
