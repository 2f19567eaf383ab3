"""The one table of settings: validation, environment, JSON Schema and documentation read it (run)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from exo_auth.plan.limits import Limits
from exo_auth.run.option_variables import OPTION_VARIABLES

PREFIX = "EXO_AUTH_"


class Kind(StrEnum):
    """What a value is, and so how it is read from YAML and from a variable."""

    TEXT = "text"
    URL = "url"  # https only
    GUID = "guid"
    DOMAIN = "domain"
    PATH = "path"  # relative to the file that names it, or to the working directory
    INTEGER = "integer"
    SHARE = "share"  # of a whole: “10%” becomes 0.1
    DURATION = "duration"
    SWITCH = "switch"  # true or false
    LIST = "list"  # of texts; in a variable separated by commas or blanks
    TAGS = "tags"  # a mapping of names to lists of domains and globs
    COMMAND = "command"  # program and arguments; never given to a shell
    SECRET = "secret"  # noqa: S105 - a reference in the file, the text itself in a variable


class Scope(StrEnum):
    """Which part of the file may hold a setting."""

    TOP = "top level"
    TENANT = "tenant"
    PROFILE = "profile"


EVERYWHERE = frozenset(Scope)
NOT_FOR_ONE_TENANT = frozenset({Scope.TOP, Scope.PROFILE})


@dataclass(frozen=True)
class Setting:
    """One row: `key` is its dotted path in the file, `env` its variable, `flag` its option if it has one."""

    key: str
    kind: Kind
    default: object
    env: str
    help: str
    flag: str | None = None
    choices: tuple[str, ...] = ()  # for texts
    numbers: tuple[int, ...] = ()  # the integers allowed; empty for any positive one
    scopes: frozenset[Scope] = EVERYWHERE

    @property
    def is_secret(self) -> bool:
        """Must its value never be shown?"""
        return self.kind is Kind.SECRET

    @property
    def env_file(self) -> str | None:
        """The variable that names a file holding the value; secrets have one."""
        return f"{self.env}_FILE" if self.is_secret else None


METHODS = ("certificate", "secret", "federated", "managed-identity", "token", "device-code", "browser")
REPORT_FORMATS = ("html", "sarif", "junit")  # of findings alone
FORMATS = ("table", "json", "ndjson", "csv", "md", *REPORT_FORMATS)
EVENTS = ("failure", "change", "finding", "waiting", "heartbeat")
CLOUD_NAMES = ("worldwide", "gcc", "gcchigh", "dod", "china")

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "config", Kind.PATH, None, "EXO_AUTH_CONFIG", "Configuration file.", "--config", scopes=frozenset()
    ),
    Setting(
        "profile",
        Kind.TEXT,
        None,
        "EXO_AUTH_PROFILE",
        "Profile of the file to lay over its other settings.",
        "--profile",
        scopes=frozenset({Scope.TOP}),
    ),
    Setting(
        "tenant",
        Kind.TEXT,
        None,
        "EXO_AUTH_TENANT",
        "Tenant: its id, a domain of it, or its name under tenants.",
        "--tenant",
        scopes=NOT_FOR_ONE_TENANT,
    ),
    Setting("cloud", Kind.TEXT, "worldwide", "EXO_AUTH_CLOUD", "Microsoft cloud.", "--cloud", CLOUD_NAMES),
    Setting(
        "authority", Kind.URL, None, "EXO_AUTH_AUTHORITY", "Where tokens are issued, instead of the cloud's."
    ),
    Setting("exchange_url", Kind.URL, None, "EXO_AUTH_EXCHANGE_URL", "Admin API, instead of the cloud's."),
    Setting(
        "transport",
        Kind.TEXT,
        "rest",
        "EXO_AUTH_TRANSPORT",
        "How cmdlets are run: over the admin API, or through Microsoft's PowerShell module.",
        "--transport",
        ("rest", "powershell"),
    ),
    Setting(
        "ca_file",
        Kind.PATH,
        None,
        "EXO_AUTH_CA_FILE",
        "Root certificates (PEM) to trust for both, and beside the system's for resolvers over TLS.",
    ),
    Setting(
        "nameservers",
        Kind.LIST,
        (),
        "EXO_AUTH_NAMESERVER",
        "Resolvers to ask, as HOST, HOST:PORT, tls://HOST or https://HOST/PATH; the system's when empty.",
        "--nameserver",
    ),
    Setting(
        "validate_dnssec",
        Kind.SWITCH,
        False,
        "EXO_AUTH_VALIDATE_DNSSEC",
        "Validate DNSSEC here, from the trust anchors on, instead of believing the resolver.",
        "--validate-dnssec",
    ),
    Setting(
        "trust_anchors",
        Kind.PATH,
        None,
        "EXO_AUTH_TRUST_ANCHORS",
        "DS records to validate from (lines like “. IN DS 20326 8 2 E06D…”), instead of the root zone's.",
    ),
    Setting(
        "policy_port",
        Kind.INTEGER,
        443,
        "EXO_AUTH_POLICY_PORT",
        "Port of MTA-STS policy hosts, for test beds.",
    ),
    Setting(
        "octodns_config",
        Kind.PATH,
        None,
        "EXO_AUTH_OCTODNS",
        "The octoDNS configuration whose zones may be written.",
    ),
    Setting(
        "public_resolvers",
        Kind.LIST,
        ("1.1.1.1", "8.8.8.8", "9.9.9.9"),
        "EXO_AUTH_PUBLIC_RESOLVERS",
        "Resolvers of others that are asked what they tell their clients.",
    ),
    Setting(
        "smtp_port",
        Kind.INTEGER,
        25,
        "EXO_AUTH_SMTP_PORT",
        "Port of partners' mail hosts, for test beds.",
    ),
    Setting(
        "authority_port",
        Kind.INTEGER,
        53,
        "EXO_AUTH_AUTHORITY_PORT",
        "Port of authoritative name servers, for test beds.",
    ),
    Setting(
        "state_dir",
        Kind.PATH,
        None,
        "EXO_AUTH_STATE_DIR",
        "Folder of the journal, locks and caches.",
        "--state-dir",
        scopes=NOT_FOR_ONE_TENANT,
    ),
    Setting(
        "output",
        Kind.TEXT,
        "table",
        "EXO_AUTH_OUTPUT",
        "Format of the data on stdout.",
        "--output",
        FORMATS,
        scopes=NOT_FOR_ONE_TENANT,
    ),
    Setting(
        "jitter",
        Kind.DURATION,
        timedelta(minutes=8),
        "EXO_AUTH_JITTER",
        "Longest wait before a run that nobody watches; 0s for none.",
    ),
    Setting(
        "auth.method",
        Kind.TEXT,
        None,
        "EXO_AUTH_METHOD",
        "How to sign in; follows from the others.",
        None,
        METHODS,
    ),
    Setting("auth.client_id", Kind.GUID, None, "EXO_AUTH_CLIENT_ID", "Application (client) id."),
    Setting(
        "auth.certificate_file",
        Kind.PATH,
        None,
        "EXO_AUTH_CERTIFICATE_FILE",
        "The application's certificate and key, PEM or PFX.",
    ),
    Setting(
        "auth.certificate_passphrase",
        Kind.SECRET,
        None,
        "EXO_AUTH_CERTIFICATE_PASSPHRASE",
        "Opens the certificate file.",
    ),
    Setting(
        "auth.client_secret", Kind.SECRET, None, "EXO_AUTH_CLIENT_SECRET", "The application's client secret."
    ),
    Setting("auth.token", Kind.SECRET, None, "EXO_AUTH_TOKEN", "An access token made elsewhere."),
    Setting(
        "auth.federated_token_file",
        Kind.PATH,
        None,
        "EXO_AUTH_FEDERATED_TOKEN_FILE",
        "File in which a workload identity's token is kept fresh.",
    ),
    Setting(
        "auth.federated_command",
        Kind.COMMAND,
        (),
        "EXO_AUTH_FEDERATED_COMMAND",
        "Program that prints a workload identity's token.",
    ),
    Setting(
        "auth.managed_identity_client_id",
        Kind.GUID,
        None,
        "EXO_AUTH_MANAGED_IDENTITY_CLIENT_ID",
        "Which user-assigned managed identity.",
    ),
    Setting("auth.user", Kind.TEXT, None, "EXO_AUTH_USER", "Who signs in, for device-code and browser."),
    Setting(
        "auth.token_cache",
        Kind.TEXT,
        "auto",
        "EXO_AUTH_TOKEN_CACHE",
        "Keep tokens between runs, encrypted where the platform can, else in a private file; or not.",
        None,
        ("auto", "file", "none"),
    ),
    Setting(
        "policy.dkim.max_key_age",
        Kind.DURATION,
        timedelta(days=180),
        "EXO_AUTH_MAX_KEY_AGE",
        "Rotate DKIM keys this old.",
        "--max-key-age",
    ),
    Setting(
        "policy.dkim.key_size",
        Kind.INTEGER,
        2048,
        "EXO_AUTH_KEY_SIZE",
        "Bits of new DKIM keys.",
        "--key-size",
        numbers=(1024, 2048),
    ),
    Setting(
        "policy.dkim.min_gap",
        Kind.DURATION,
        timedelta(days=7),
        "EXO_AUTH_MIN_GAP",
        "Time for mail in transit between a switch of keys and the next rotation.",
    ),
    Setting(
        "policy.dkim.ignore",
        Kind.LIST,
        (),
        "EXO_AUTH_IGNORE",
        "Globs of domains to leave alone, such as *.vendor.com.",
    ),
    Setting(
        "policy.dkim.include_initial_domain",
        Kind.SWITCH,
        False,
        "EXO_AUTH_INCLUDE_INITIAL_DOMAIN",
        "Manage the onmicrosoft.com domain, too.",
    ),
    Setting(
        "tags",
        Kind.TAGS,
        {},
        "EXO_AUTH_TAGS",
        "Names for groups of domains, chosen as @parked: lists of domains and globs.",
    ),
    Setting(
        "limits.changes_per_run",
        Kind.INTEGER,
        Limits().changes_per_run,
        "EXO_AUTH_MAX_CHANGES",
        "Most changes in one run.",
        "--max-changes",
    ),
    Setting(
        "limits.share",
        Kind.SHARE,
        Limits().share,
        "EXO_AUTH_MAX_SHARE",
        "Largest share of the domains to change in one run, such as 10%.",
        "--max-share",
    ),
    Setting(
        "timeouts.lock",
        Kind.DURATION,
        timedelta(0),
        "EXO_AUTH_LOCK_TIMEOUT",
        "How long to wait for another run on the same tenant.",
        "--lock-timeout",
    ),
    Setting(
        "timeouts.connect",
        Kind.DURATION,
        timedelta(seconds=10),
        "EXO_AUTH_CONNECT_TIMEOUT",
        "How long a connection may take to open.",
    ),
    Setting(
        "timeouts.answer",
        Kind.DURATION,
        timedelta(minutes=2),
        "EXO_AUTH_ANSWER_TIMEOUT",
        "How long one cmdlet may take to answer, by either transport; one that writes 2.5 times as long.",
    ),
    Setting(
        "timeouts.dns",
        Kind.DURATION,
        timedelta(seconds=5),
        "EXO_AUTH_DNS_TIMEOUT",
        "How long one DNS question may take, retries included.",
    ),
    Setting(
        "hooks.before_plan",
        Kind.COMMAND,
        (),
        "EXO_AUTH_BEFORE_PLAN",
        "Program that runs before a writing command looks at anything; the run is refused when it fails.",
    ),
    Setting(
        "hooks.before_apply",
        Kind.COMMAND,
        (),
        "EXO_AUTH_BEFORE_APPLY",
        "Program that gets the plan before anything is sent; the run is refused when it fails.",
    ),
    Setting(
        "hooks.after_change",
        Kind.COMMAND,
        (),
        "EXO_AUTH_AFTER_CHANGE",
        "Program that gets each change after it was sent.",
    ),
    Setting(
        "hooks.on_failure",
        Kind.COMMAND,
        (),
        "EXO_AUTH_ON_FAILURE",
        "Program that gets the report of a run that failed.",
    ),
    Setting(
        "hooks.after_run",
        Kind.COMMAND,
        (),
        "EXO_AUTH_AFTER_RUN",
        "Program that gets the report of every run.",
    ),
    Setting(
        "hooks.timeout",
        Kind.DURATION,
        timedelta(minutes=1),
        "EXO_AUTH_HOOKS_TIMEOUT",
        "How long each of these programs may take before it is ended with its children.",
    ),
    Setting(
        "hooks.keep",
        Kind.LIST,
        (),
        "EXO_AUTH_HOOKS_KEEP",
        "Variables that these programs get besides PATH, HOME and their like; never EXO_AUTH_ ones.",
    ),
    Setting(
        "notify.urls",
        Kind.SECRET,
        None,
        "EXO_AUTH_NOTIFY_URLS",
        "Whom to tell after a run: Apprise addresses, blanks or line ends between them.",
    ),
    Setting(
        "notify.on",
        Kind.LIST,
        ("failure", "finding"),
        "EXO_AUTH_NOTIFY_ON",
        "What to tell of: failure, change, finding, waiting, heartbeat (every run).",
        choices=EVENTS,
    ),
    Setting(
        "notify.heartbeat_url",
        Kind.SECRET,
        None,
        "EXO_AUTH_HEARTBEAT_URL",
        "URL that hears of the start and the end of every job, so that silence is an alarm.",
    ),
    Setting(
        "notify.timeout",
        Kind.DURATION,
        timedelta(seconds=30),
        "EXO_AUTH_NOTIFY_TIMEOUT",
        "How long each address may take.",
    ),
)
BY_KEY: dict[str, Setting] = {setting.key: setting for setting in SETTINGS}

# What says which tenant an entry under `tenants:` is. Their twin is EXO_AUTH_TENANT, which takes either.
TENANT_IDENTITY: tuple[Setting, ...] = (
    Setting(
        "tenant_id",
        Kind.GUID,
        None,
        "EXO_AUTH_TENANT",
        "Directory (tenant) id.",
        scopes=frozenset({Scope.TENANT}),
    ),
    Setting(
        "initial_domain",
        Kind.DOMAIN,
        None,
        "EXO_AUTH_TENANT",
        "The domain the tenant was made with, such as contoso.onmicrosoft.com.",
        scopes=frozenset({Scope.TENANT}),
    ),
)

FOREIGN_PREFIXES = (f"{PREFIX}SANDBOX_", f"{PREFIX}HOOK_")


def in_scope(scope: Scope) -> dict[str, Setting]:
    """Give the settings that this part of the file may hold, by key."""
    return {row.key: row for row in (*SETTINGS, *TENANT_IDENTITY) if scope in row.scopes}


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Give the candidate that `name` most likely stands for, None when none is near."""
    names = list(candidates)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return near[0]
    by_tail = {key.rpartition(".")[2]: key for key in names}
    tail = difflib.get_close_matches(name.rpartition(".")[2], list(by_tail), n=1, cutoff=0.75)
    return by_tail[tail[0]] if tail else None


def variables() -> frozenset[str]:
    """Give every EXO_AUTH_ variable that means something."""
    twins = {setting.env for setting in SETTINGS}
    return frozenset(twins | {row.env_file for row in SETTINGS if row.env_file} | OPTION_VARIABLES)


def unknown_variables(names: Iterable[str]) -> tuple[str, ...]:
    """Give a warning for each EXO_AUTH_ variable that nothing reads, with the one probably meant."""
    known = variables()
    warnings = []
    for name in sorted(names):
        if not name.startswith(PREFIX) or name in known or name.startswith(FOREIGN_PREFIXES):
            continue
        near = nearest(
            name.removeprefix(PREFIX).removesuffix("_FILE"),  # only secrets have that twin
            (part.removeprefix(PREFIX) for part in known),
        )
        warnings.append(f"nothing reads {name}" + (f"; did you mean {PREFIX}{near}?" if near else ""))
    return tuple(warnings)
