"""What a client needs to know of a running sandbox (sandbox)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from exo_auth.sandbox.zone_updates import KEY_ALGORITHM, KEY_NAME, KEY_SECRET


@dataclass(frozen=True)
class SandboxDescription:
    """What a client needs to know."""

    authority: str
    exchange_url: str
    graph_url: str | None
    tenant_id: str
    initial_domain: str
    client_id: str
    client_secret: str
    certificate_file: str
    ca_file: str
    nameserver: str
    control: str
    managed_identity: str
    policy_port: int
    octodns_file: str
    mail_port: int  # of the partners' hosts; 0 where this machine has no addresses for them
    domains: tuple[str, ...]
    publishes: bool = False  # is octoDNS to be used?

    @property
    def environment(self) -> dict[str, str]:
        """The environment under which every command works against the sandbox."""
        return {
            "EXO_AUTH_TENANT": self.initial_domain,
            "EXO_AUTH_TENANT_ID": self.tenant_id,
            "EXO_AUTH_CLIENT_ID": self.client_id,
            "EXO_AUTH_CLIENT_SECRET": self.client_secret,
            "EXO_AUTH_AUTHORITY": self.authority,
            "EXO_AUTH_EXCHANGE_URL": self.exchange_url,
            "EXO_AUTH_CA_FILE": self.ca_file,
            "EXO_AUTH_NAMESERVER": self.nameserver,
            "EXO_AUTH_POLICY_PORT": str(self.policy_port),
            "EXO_AUTH_PUBLIC_RESOLVERS": self.nameserver,
            "EXO_AUTH_AUTHORITY_PORT": self.nameserver.rpartition(":")[2],
            "EXO_AUTH_SMTP_PORT": str(self.mail_port or 25),
            "EXO_AUTH_SANDBOX_CONTROL": self.control,
            **({"EXO_AUTH_OCTODNS": self.octodns_file} if self.publishes else {}),
        }

    def to_json(self) -> str:
        """Give everything as one line of JSON."""
        return json.dumps(self.__dict__ | {"domains": list(self.domains)})


def write_octodns(folder: Path, port: int, domains: Iterable[str]) -> Path:
    """Write an octoDNS configuration that publishes into the zones of domains; give its file."""
    file = folder / "octodns.yaml"
    lines = [
        "providers:",
        "  sandbox:",
        "    class: octodns_bind.Rfc2136Provider",
        "    host: 127.0.0.1",
        f"    port: {port}",
        f"    key_name: {KEY_NAME}",
        f"    key_secret: {KEY_SECRET}",
        f"    key_algorithm: {KEY_ALGORITHM}",
        "zones:",
    ]
    for domain in domains:
        lines += [f"  {domain}.:", "    sources: [sandbox]", "    targets: [sandbox]"]
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
    return file
