"""What check_host() found out, and the tree of records behind a domain (facts, pure). RFC 7208 §2.6, §4."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, LookupFailed, Txt
from exo_auth.records.spf import Mechanism, Modifier, SpfRecord

NO_EXPLANATION = "DEFAULT"  # of a fail where the domain has no words of its own; receivers have theirs


@dataclass(frozen=True)
class SpfStep:
    """One term on the way to the result: whose record, which term, did it match."""

    domain: str
    term: str
    matched: bool
    depth: int  # 0 is the domain asked about, 1 an include of it …


@dataclass(frozen=True)
class SpfResult:
    """The result with how it came about. `problem` explains permerror, temperror and none."""

    result: str  # none, neutral, pass, fail, softfail, temperror, permerror
    explanation: str = ""  # for fail: the domain's own words, or NO_EXPLANATION
    path: tuple[SpfStep, ...] = ()
    lookups: int = 0  # terms that asked DNS, RFC 7208 §4.6.4
    void_lookups: int = 0
    problem: str = ""


@dataclass(frozen=True)
class HostAddresses:
    """A host's addresses for clients of either family."""

    name: str  # lower case, without the trailing dot
    ipv4: Answer[IPv4Address]
    ipv6: Answer[IPv6Address]


@dataclass(frozen=True)
class SpfBranch:
    """One term that asks DNS, and what it leads to.

    `target` is "" where a macro decides about the name: then nothing below is known before a message comes.
    `node` is there for include and redirect; `hosts` for a, mx and exists: one, or one for each exchanger;
    `failure` where the exchangers themselves could not be asked for; `is_void` where there are none.
    """

    term: Mechanism | Modifier
    target: str = ""
    node: SpfNode | None = None
    hosts: tuple[HostAddresses, ...] = ()
    failure: LookupFailed | None = None
    is_void: bool = False

    @property
    def kind(self) -> str:
        """The name of the mechanism, or redirect."""
        return self.term.name


@dataclass(frozen=True)
class SpfNode:
    """The SPF record of one domain with all it leads to, in the order of its terms up to `all`.

    `answer` is the whole TXT set of the domain; `texts` are the SPF records in it. `record` is the parsed one, its
    fault, or None where there is not exactly one. `is_loop` marks a domain that its own branch leads back to, and
    `is_cut` one that was left unread because the tree grew past every limit.
    """

    domain: str
    answer: Answer[Txt] | None
    texts: tuple[str, ...] = ()
    record: SpfRecord | RecordSyntaxError | None = None
    branches: tuple[SpfBranch, ...] = ()
    is_loop: bool = False
    is_cut: bool = False
