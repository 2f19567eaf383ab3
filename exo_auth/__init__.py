"""exo-auth: e-mail authentication for the domains of an Exchange Online tenant.

The names of `exo_auth.api` can be imported from here; nothing of it is loaded before it is asked for.
"""

__version__ = "0.1.0"
TYPE_CHECKING = False  # what type checkers take for True; importing typing would cost --version a quarter

if TYPE_CHECKING:
    from exo_auth.api import (
        CannotLook,
        Discovery,
        DkimKeyRecord,
        DkimSignature,
        DmarcRecord,
        DnsRecord,
        DomainName,
        DomainReport,
        Evidence,
        ExoAuthError,
        Finding,
        InputError,
        MtaStsPolicy,
        MtaStsRecord,
        PolicyHosts,
        Profile,
        RecordSyntaxError,
        Resolver,
        Severity,
        SpfRecord,
        SpfResult,
        StubResolver,
        Subject,
        TlsRptRecord,
        check_domain,
        discover_dmarc,
        evaluate_spf,
    )

__all__ = [
    "CannotLook",
    "Discovery",
    "DkimKeyRecord",
    "DkimSignature",
    "DmarcRecord",
    "DnsRecord",
    "DomainName",
    "DomainReport",
    "Evidence",
    "ExoAuthError",
    "Finding",
    "InputError",
    "MtaStsPolicy",
    "MtaStsRecord",
    "PolicyHosts",
    "Profile",
    "RecordSyntaxError",
    "Resolver",
    "Severity",
    "SpfRecord",
    "SpfResult",
    "StubResolver",
    "Subject",
    "TlsRptRecord",
    "__version__",
    "check_domain",
    "discover_dmarc",
    "evaluate_spf",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name.startswith("_"):
        raise AttributeError(name)
    if name in __all__:
        return getattr(import_module("exo_auth.api"), name)
    raise AttributeError(f"module “exo_auth” has no attribute “{name}”")


def __dir__() -> list[str]:
    return sorted(__all__)
