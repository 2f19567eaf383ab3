"""`Sandbox`: the whole tenant, started and stopped as one (sandbox)."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from exo_auth.errors import InputError
from exo_auth.sandbox.admin_api import AdminApi, LoggedRequest
from exo_auth.sandbox.certificates import Certificates
from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.control import ControlDoor
from exo_auth.sandbox.delegation import Delegation
from exo_auth.sandbox.description import SandboxDescription, write_octodns
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.dnssec import EXCHANGE_ADDRESS, HOST_ZONE
from exo_auth.sandbox.entra import Entra, Registration, User
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.mail_hosts import MAIL_HOSTS, PARTNER_ZONE, MailHosts, wanted_certificates
from exo_auth.sandbox.managed_identity import ManagedIdentityDoor
from exo_auth.sandbox.nameserver import NameServer
from exo_auth.sandbox.policy_hosts import PolicyHosts
from exo_auth.sandbox.principal import EXCHANGE_ADMINISTRATOR, MANAGE_AS_APP
from exo_auth.sandbox.scenarios import INITIAL, domains_of
from exo_auth.sandbox.switches import Switches
from exo_auth.sandbox.tenant import SELECTORS, SandboxTenant
from exo_auth.sandbox.web import WebServer
from exo_auth.sandbox.zones import Zones

TENANT_ID = "11111111-2222-3333-4444-555555555555"
APP_ID = "aaaaaaaa-0000-4000-8000-000000000001"  # secret, certificate, permission and role
NO_ROLE_APP_ID = "aaaaaaaa-0000-4000-8000-000000000002"  # permission, no role
NO_PERMISSION_APP_ID = "aaaaaaaa-0000-4000-8000-000000000003"  # role, no permission
READER_APP_ID = "aaaaaaaa-0000-4000-8000-000000000004"  # permission, and a role that may only read
PUBLIC_APP_ID = "fb78d390-0c51-40cd-8e17-fdbfab77341b"  # what people sign in through
SECRET = "sandbox-secret-not-for-real"  # noqa: S105 - it opens nothing but this
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
STATE_FILE = "tenant.json"
MX_ZONE = "mail.protection.outlook.com"
SPF_ZONE = "spf.protection.outlook.com"
MICROSOFT_ZONES = (
    *("mail.microsoft", "dkim.mail.microsoft", "mx.microsoft", HOST_ZONE),
    *("onmicrosoft.com", "outlook.com", MX_ZONE, SPF_ZONE),
)
Server = WebServer | NameServer | MailHosts | PolicyHosts
EXCHANGE_NETWORK = "192.0.2.0/24"  # addresses of nobody, RFC 5737
POLICY_ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class SandboxOptions:
    """How to start. Ports of 0 pick free ones."""

    domains: tuple[DomainSpec, ...]
    port: int = 0
    dns_port: int = 0
    mail_port: int = 0
    extra_host_names: tuple[str, ...] = ()
    state_dir: Path | None = None
    switches: Switches = field(default_factory=Switches)
    token_life: timedelta = timedelta(minutes=65)
    publishes: bool = False  # name the octoDNS configuration in the environment
    delegated: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # zones of other servers, by apex

    @classmethod
    def named(cls, scenario: str) -> SandboxOptions:
        """Give the options of a scenario; raises InputError."""
        return cls(domains_of(scenario))

    @classmethod
    def from_options(
        cls,
        *,
        scenario: str,
        port: int,
        dns_port: int,
        mail_port: int,
        extra_host_names: tuple[str, ...],
        state_dir: str | None,
        switches: tuple[str, ...],
        publishes: bool = False,
    ) -> SandboxOptions:
        """Read the options of the command line; raises InputError."""
        for name, number in (("port", port), ("dns-port", dns_port), ("mail-port", mail_port)):
            if not 0 <= number < 65536:
                raise InputError(f"--{name} {number} is no port", hint="0 to 65535")
        return cls(
            domains_of(scenario),
            port,
            dns_port,
            mail_port,
            extra_host_names,
            Path(state_dir) if state_dir else None,
            Switches.parse(switches),
            publishes=publishes,
        )


class Sandbox:
    """A tenant that serves from its making until `close`; use it with `with`."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.faults = Faults()
        self.clock = SandboxClock()
        self._temporary = (
            None if options.state_dir else tempfile.TemporaryDirectory(prefix="exo-auth-sandbox-")
        )
        self._folder = options.state_dir or Path(self._temporary.name if self._temporary else "")
        self._save_lock = threading.Lock()
        certificates = Certificates.make(self._folder, options.extra_host_names, wanted_certificates())
        initial = next((spec.name for spec in options.domains if spec.initial), INITIAL)
        self.tenant = SandboxTenant(
            TENANT_ID,
            initial,
            options.domains,
            self.clock,
            options.switches,
            lambda owner: self.zones.cname_of(owner),
            lambda owner: self.zones.mx_of(owner),
        )
        self.zones = Zones(
            (
                *(spec.name for spec in options.domains),
                *options.delegated,
                *MICROSOFT_ZONES,
                PARTNER_ZONE,
            ),
            self.tenant.published_key,
            self.tenant.all_targets(),
            hosted=self.tenant.mail_flow.published,
            signed=(HOST_ZONE, *(spec.name for spec in options.domains if spec.signed)),
            now=self.clock.now,
            elsewhere=Delegation(options.delegated),
        )
        self._policy_hosts = PolicyHosts(certificates.issuer_file, self.faults)
        self._publish_first_records()
        self._first = (self.tenant.to_state(), self.zones.to_state(), self.tenant.mail_flow.to_state())
        self._first_policies = dict(self._policy_hosts.policies)
        self._load()
        self._servers = self._start(certificates, initial)

    def _start(self, certificates: Certificates, initial: str) -> tuple[Server, ...]:
        started: list[Server] = [self._policy_hosts]
        custom = tuple(spec.name for spec in self.options.domains if not spec.initial)
        try:
            self._mail_hosts = MailHosts(certificates.mail_files, self.options.mail_port)
            started.append(self._mail_hosts)
            self._publish_partners()
            name_server = NameServer(
                self.zones, self.faults, self.options.dns_port, self._save, self.clock.now
            )
            self._name_server = name_server
            started.append(name_server)
            https = WebServer((self._https,), self.options.port, certificates.server_file)
            started.append(https)
            base = f"https://127.0.0.1:{https.port}"
            self.entra = Entra(
                TENANT_ID,
                initial,
                base,
                _registrations(certificates.client_certificate),
                (User(f"admin@{initial}", frozenset({EXCHANGE_ADMINISTRATOR})), User(f"nobody@{initial}")),
                self.faults,
                token_life=self.options.token_life,
            )
            self.api = AdminApi(
                self.tenant, self.faults, self.clock, self.options.switches, self.entra.verify, base
            )
            self.identity_door = ManagedIdentityDoor(self.entra, APP_ID, self._folder)
            plain = WebServer((ControlDoor(self).handle, self.identity_door.handle))
            started.append(plain)
        except BaseException:
            for server in started:
                server.close()
            self._clean()
            raise
        self.description = SandboxDescription(
            authority=base,
            exchange_url=base,
            graph_url=None,
            tenant_id=TENANT_ID,
            initial_domain=initial,
            client_id=APP_ID,
            client_secret=SECRET,
            certificate_file=str(certificates.client_file),
            ca_file=str(certificates.ca_file),
            nameserver=f"127.0.0.1:{name_server.address[1]}",
            control=f"http://127.0.0.1:{plain.port}",
            managed_identity=f"http://127.0.0.1:{plain.port}",
            policy_port=self._policy_hosts.port,
            octodns_file=str(write_octodns(self._folder, name_server.address[1], custom)),
            mail_port=self._mail_hosts.port,
            domains=tuple(spec.name for spec in self.options.domains),
            publishes=self.options.publishes,
        )
        return tuple(started)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """The admin API's log."""
        return self.api.log

    def advance(self, by: timedelta) -> str:
        """Move the clock; give the new time."""
        now = self.clock.advance(by)
        self._save()
        return now.isoformat(timespec="seconds")

    def reset(self) -> None:
        """Put tenant, DNS, clock, faults and log back to the start."""
        self.faults.clear()
        self.clock.set_offset(timedelta(0))
        self.tenant.load_state(self._first[0])
        self.zones.load_state(self._first[1])
        self.tenant.mail_flow.load_state(self._first[2])
        self._policy_hosts.policies = dict(self._first_policies)
        self._name_server.memory.clear()
        self._name_server.questions.clear()
        self._publish_partners()
        self.api.clear_log()
        self._save()

    def publish_cnames(self, domain: str) -> None:
        """Publish both CNAMEs of a domain as the tenant names them; raises KeyError for a foreign domain."""
        for selector, target in zip(SELECTORS, self.tenant.targets(domain), strict=True):
            self.publish_cname(f"{selector}._domainkey.{domain}", target)

    def publish_cname(self, owner: str, target: str) -> None:
        """Publish one CNAME."""
        self.zones.publish_cname(owner, target)
        self._save()

    def publish_txt(self, owner: str, text: str) -> None:
        """Publish one TXT record."""
        self.zones.publish_txt(owner, text)
        self._save()

    def remove_record(self, owner: str, rdtype: str) -> None:
        """Take a record out of DNS."""
        self.zones.remove(owner, rdtype)
        self._save()

    def host_policy(self, domain: str, text: str) -> None:
        """Host a policy file for a domain, and let its host name lead there; raises ValueError for a foreign domain."""
        if self.zones.apex_of(domain) is None:
            raise ValueError(f"no zone here holds {domain}")
        self._policy_hosts.policies[domain.lower()] = text
        self.zones.publish_address(f"mta-sts.{domain.lower()}", POLICY_ADDRESS)
        self._save()

    def questions_document(self) -> list[dict[str, str]]:
        """Give who was asked for what in DNS, oldest first, as plain JSON values."""
        return [
            {"server": one.server, "name": one.name, "type": one.type} for one in self._name_server.questions
        ]

    def requests_document(self) -> list[dict[str, Any]]:
        """Give the admin API's log as plain JSON values."""
        return [
            {
                "cmdlet": r.cmdlet,
                "identity": r.identity,
                "at": r.at.isoformat(),
                "status": r.status,
                "seconds": r.seconds,
            }
            for r in self.requests
        ]

    def serve_until_stopped(self) -> None:
        """Return on SIGINT or SIGTERM, everything saved and stopped."""
        stop = threading.Event()

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        stop.wait()
        self._save()

    def close(self) -> None:
        """Stop all servers and remove what is not to be kept."""
        self._save()
        for server in self._servers:
            server.close()
        self._clean()

    def _clean(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def _https(self, request: Request) -> Response | None:
        """Exchange, then Entra. A write is saved before its answer goes out."""
        response = self.api.handle(request)
        if response is None:
            return self.entra.handle(request)
        self._save()
        return response

    def _publish_first_records(self) -> None:
        self.zones.publish_txt(SPF_ZONE, f"v=spf1 ip4:{EXCHANGE_NETWORK} ip6:2001:db8::/32 -all")
        self.zones.publish_address(f"*.{MX_ZONE}", EXCHANGE_ADDRESS)
        for spec in self.options.domains:
            if spec.initial:
                continue
            wanted = {"both": SELECTORS, "none": ()}.get(spec.cnames, (spec.cnames,))
            for selector, target in zip(SELECTORS, self.tenant.targets(spec.name), strict=True):
                if selector in wanted:
                    self.zones.publish_cname(f"{selector}._domainkey.{spec.name}", target)
            self._publish_mail_records(spec)

    def _publish_mail_records(self, spec: DomainSpec) -> None:
        self.zones.publish_mx(spec.name, _mx_host(spec.name))
        if spec.spf:
            self.zones.publish_txt(spec.name, spec.spf)
        if spec.dmarc:
            self.zones.publish_txt(
                f"_dmarc.{spec.name}", f"v=DMARC1; p={spec.dmarc}; rua=mailto:dmarc@{spec.name}"
            )
        if spec.policy:
            self.zones.publish_txt(f"_mta-sts.{spec.name}", "v=STSv1; id=20261101000000;")
            self.zones.publish_txt(f"_smtp._tls.{spec.name}", f"v=TLSRPTv1; rua=mailto:tls@{spec.name}")
            self.zones.publish_address(f"mta-sts.{spec.name}", POLICY_ADDRESS)
            lines = (
                "version: STSv1",
                f"mode: {spec.policy}",
                f"mx: {_mx_host(spec.name)}",
                "max_age: 604800",
            )
            self._policy_hosts.policies[spec.name] = "".join(f"{line}\r\n" for line in lines)

    def _publish_partners(self) -> None:
        addresses = self._mail_hosts.addresses
        good = f"mx.good.{PARTNER_ZONE}"
        if good in addresses:  # the exchangers in the signed zone answer, too
            self.tenant.mail_flow.listen_at(addresses[good])
        for host in MAIL_HOSTS:
            self.zones.publish_mx(host.domain, host.name, 10)
            if host.name in addresses:
                self.zones.publish_address(host.name, addresses[host.name])
        mixed = f"mixed.{PARTNER_ZONE}"  # one of its two hosts has no STARTTLS
        self.zones.publish_mx(mixed, good, 10)
        self.zones.add_mx(mixed, f"mx.plain.{PARTNER_ZONE}", 20)

    # Keeping

    def _load(self) -> None:
        file = self._folder / STATE_FILE
        if self.options.state_dir is None or not file.exists():
            return
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            self.tenant.load_state(kept["tenant"])
            self.zones.load_state(kept["zones"])
            if "mail_flow" in kept:  # a tenant that was kept before there were rules has none
                self.tenant.mail_flow.load_state(kept["mail_flow"])
            self._policy_hosts.policies |= kept.get("policies", {})
            self.clock.set_offset(timedelta(seconds=kept["clock_offset_seconds"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{file} holds no tenant of this version: {error}", hint="remove it to begin anew"
            ) from None

    def _save(self) -> None:
        if self.options.state_dir is None:
            return
        kept = {
            "clock_offset_seconds": self.clock.offset.total_seconds(),
            "tenant": self.tenant.to_state(),
            "zones": self.zones.to_state(),
            "mail_flow": self.tenant.mail_flow.to_state(),
            "policies": self._policy_hosts.policies,
        }
        with self._save_lock:
            temporary = self._folder / f".{STATE_FILE}.{uuid.uuid4().hex}"
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / STATE_FILE)


def _mx_host(domain: str) -> str:
    return f"{domain.replace('.', '-')}.{MX_ZONE}"


def _registrations(certificate: str) -> tuple[Registration, ...]:
    administrator = frozenset({EXCHANGE_ADMINISTRATOR})
    permission = frozenset({MANAGE_AS_APP})
    return (
        Registration(APP_ID, (SECRET,), (certificate,), roles=permission, directory_roles=administrator),
        Registration(NO_ROLE_APP_ID, (SECRET,), roles=permission),
        Registration(NO_PERMISSION_APP_ID, (SECRET,), directory_roles=administrator),
        Registration(READER_APP_ID, (SECRET,), roles=permission, directory_roles=frozenset({GLOBAL_READER})),
        Registration(PUBLIC_APP_ID, is_public=True),
    )
