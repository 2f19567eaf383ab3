"""DNS hosts recognised by the names of their servers: what octoDNS calls them, and what their panels do to a record (plan, pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

APPENDS = "its panel appends the zone: enter the relative name (without the domain)"


@dataclass(frozen=True)
class DnsHost:
    """Who runs a zone. `octodns` is the package of its provider, "" where there is none."""

    name: str
    suffixes: tuple[str, ...]  # of its servers' names
    octodns: str = ""
    hint: str = APPENDS


HOSTS = (
    DnsHost("Amazon Route 53", ("awsdns-",), "octodns-route53", "enter TXT values in double quotes"),
    DnsHost(
        "Azure DNS", ("azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info"), "octodns-azure"
    ),
    DnsHost(
        "Cloudflare",
        ("ns.cloudflare.com",),
        "octodns-cloudflare",
        "set every CNAME to “DNS only”, never “Proxied”",
    ),
    DnsHost("Google Cloud DNS", ("googledomains.com",), "octodns-googlecloud"),
    DnsHost("GoDaddy", ("domaincontrol.com",), "octodns-godaddy"),
    DnsHost("Namecheap", ("registrar-servers.com",), ""),
    DnsHost("IONOS", ("ui-dns.com", "ui-dns.de", "ui-dns.org", "ui-dns.biz"), ""),
    DnsHost("OVHcloud", ("ovh.net", "anycast.me"), "octodns-ovh"),
    DnsHost(
        "Hetzner", ("ns.hetzner.com", "ns.hetzner.de", "first-ns.de", "second-ns.com"), "octodns-hetzner"
    ),
    DnsHost("Gandi", ("gandi.net",), "octodns-gandi"),
    DnsHost("DigitalOcean", ("digitalocean.com",), "octodns-digitalocean"),
    DnsHost("NS1", ("nsone.net",), "octodns-ns1"),
    DnsHost("DNSimple", ("dnsimple.com", "dnsimple-edge.net", "dnsimple-edge.org"), "octodns-dnsimple"),
    DnsHost(
        "UltraDNS",
        ("ultradns.com", "ultradns.net", "ultradns.org", "ultradns.biz", "ultradns.info"),
        "octodns-ultra",
    ),
    DnsHost("Akamai", ("akam.net",), "octodns-edgedns"),
    DnsHost("Network Solutions", ("worldnic.com",), ""),
    DnsHost("STRATO", ("rzone.de", "stratoserver.net"), ""),
    DnsHost(
        "Microsoft 365",
        ("bdm.microsoftonline.com",),
        "",
        "Microsoft runs this zone: it makes these records by itself",
    ),
)


def recognise(servers: Iterable[str]) -> DnsHost | None:
    """Tell who runs a zone by its servers' names; None where nobody here does."""
    names = [server.lower().rstrip(".") for server in servers]
    for host in HOSTS:
        for suffix in host.suffixes:
            if any((suffix in name) if suffix.endswith("-") else name.endswith(suffix) for name in names):
                return host
    return None
