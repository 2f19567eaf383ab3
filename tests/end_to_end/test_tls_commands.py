"""`exo-auth tls …` as its users run it, against the sandbox's tenant and its partners' mail hosts."""

import json
import os
from pathlib import Path

import pytest
from bench import Bench
from stand_in_pwsh import write_stand_in
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

RULE = {
    "Name": "Require TLS to fabrikam.com",
    "RecipientDomainIs": ["fabrikam.com"],
    "RouteMessageOutboundRequireTls": True,
}
OUT = {
    "Name": "To fabrikam",
    "RecipientDomains": ["fabrikam.com"],
    "TlsSettings": "DomainValidation",
    "TlsDomain": "*.fabrikam.com",
}
SCOPED = {"Name": "For rules", "IsTransportRuleScoped": True, "TestMode": True}
IN = {"Name": "From fabrikam", "SenderDomains": ["fabrikam.com"]}


@pytest.fixture
def cron(bench: Bench) -> dict[str, str]:
    flow = bench.box.tenant.mail_flow
    flow.run("New-TransportRule", {**RULE, "Name": "Last"})
    flow.run("New-TransportRule", {**RULE, "Priority": 0})
    flow.run("New-OutboundConnector", OUT)
    flow.run("New-OutboundConnector", SCOPED)
    flow.run("New-InboundConnector", IN)
    return {
        **bench.environment,
        "PATH": os.defpath,
        "HOME": str(bench.state),
        "EXO_AUTH_CONNECT_TIMEOUT": "2s",
    }


def run(cron: dict[str, str], line: str) -> Done:
    return in_process(*line.split(), environment=cron)


@pytest.mark.parametrize("line", ["tls rule list", "tls connector list", "tls probe mixed.partner.example"])
@pytest.mark.parametrize("output", ["table", "csv", "md", "ndjson"])
def test_every_format(cron: dict[str, str], line: str, output: str) -> None:
    done = run(cron, f"{line} --output {output}")
    assert done.code == (3 if "probe" in line else 0), done
    assert done.err == ""
    assert len(done.out.splitlines()) >= 2
    if output == "ndjson":
        assert all(isinstance(json.loads(text), dict) for text in done.out.splitlines())


def test_rules_come_in_their_order(cron: dict[str, str]) -> None:
    rules = json.loads(run(cron, "tls rule list -o json").out)["rules"]
    assert [(rule["priority"], rule["name"]) for rule in rules] == [(0, RULE["Name"]), (1, "Last")]
    assert all(rule["requires_tls"] for rule in rules)


def test_connectors_of_every_kind_are_listed(cron: dict[str, str]) -> None:
    document = json.loads(run(cron, "tls connector list -o json").out)
    assert [one["name"] for one in document["outbound"]] == ["For rules", "To fabrikam"]
    assert (document["outbound"][0]["test_mode"], document["outbound"][1]["tls_domain"]) == (
        True,
        "*.fabrikam.com",
    )
    assert document["inbound"][0]["sender_domains"] == ["fabrikam.com"]


def test_reading_writes_nothing_and_costs_what_it_says(cron: dict[str, str], bench: Bench) -> None:
    run(cron, "tls rule list")
    run(cron, "tls connector list")
    assert [request.cmdlet for request in bench.box.requests] == [
        "Get-TransportRule",
        "Get-OutboundConnector",
        "Get-OutboundConnector",
        "Get-InboundConnector",
    ]


def test_the_same_over_powershell(cron: dict[str, str], bench: Bench, tmp_path: Path) -> None:
    folder = write_stand_in(tmp_path / "bin")
    over = {**cron, "EXO_AUTH_TRANSPORT": "powershell", "PATH": f"{folder}:{os.defpath}"}
    for line in ("tls rule list -o json", "tls connector list -o json"):
        assert run(over, line).out == run(cron, line).out


PROBES = [  # arguments, exit code, state, codes, reason
    ("good.partner.example", 0, "ready", [], "all is right"),
    ("good.partner.example --verify domain", 0, "ready", [], "for the strictest, too"),
    ("mx.good.partner.example --as-host", 0, "ready", [], "a host by its name"),
    ("mx.good.partner.example", 0, "ready", [], "a host without MX is its own"),
    ("mixed.partner.example", 3, "blocked", ["TLS-STARTTLS-MISSING"], "one host of two without STARTTLS"),
    ("wrong-name.partner.example", 0, "ready", ["TLS-CERT-NAME"], "encryption looks at no name"),
    ("wrong-name.partner.example --verify domain", 3, "blocked", ["TLS-CERT-NAME"], "this does"),
    (
        "wrong-name.partner.example --verify domain --tls-domain *.other.example",
        0,
        "ready",
        [],
        "the name the connector gives",
    ),
    ("expired.partner.example --verify certificate", 3, "blocked", ["TLS-CERT-EXPIRED"], "run out"),
    ("self-signed.partner.example --verify certificate", 3, "blocked", ["TLS-CERT-UNTRUSTED"], "of nobody"),
    ("ends-soon.partner.example", 0, "ready", ["TLS-CERT-EXPIRY"], "ends soon"),
    ("old-tls.partner.example", 3, "blocked", ["TLS-HANDSHAKE"], "TLS 1.0 alone"),
    ("broken-tls.partner.example", 3, "blocked", ["TLS-HANDSHAKE"], "no TLS"),
    ("no-starttls-now.partner.example", 3, "blocked", ["TLS-STARTTLS-REFUSED"], "put off"),
    ("busy.partner.example", 6, "unknown", ["TLS-HOST-UNDECIDED"], "not now"),
    ("silent.partner.example", 6, "unknown", ["TLS-HOST-UNDECIDED"], "says nothing"),
    ("good.partner.example --port 1", 6, "unknown", ["TLS-PORT-BLOCKED"], "nobody in reach"),
    ("nothing.partner.example", 3, "blocked", ["TLS-NO-HOST"], "no such partner"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "state", "codes", "reason"), PROBES, ids=[r[4] for r in PROBES]
)
def test_partners_of_each_kind(
    cron: dict[str, str], arguments: str, code: int, state: str, codes: list[str], reason: str
) -> None:
    done = run(cron, f"tls probe {arguments} -o json")
    assert done.code == code, done
    document = json.loads(done.out)
    assert (document["state"], [one["code"] for one in document["findings"]]) == (state, codes), reason


def test_a_probe_needs_no_tenant(cron: dict[str, str], bench: Bench) -> None:
    alone = {
        name: value
        for name, value in cron.items()
        if name
        not in ("EXO_AUTH_TENANT", "EXO_AUTH_TENANT_ID", "EXO_AUTH_CLIENT_SECRET", "EXO_AUTH_CLIENT_ID")
    }
    assert run(alone, "tls probe good.partner.example").code == 0
    assert bench.box.requests == ()


def test_options_have_twins(cron: dict[str, str]) -> None:
    told = {
        **cron,
        "EXO_AUTH_FROM_MX": "false",
        "EXO_AUTH_TLS_VERIFY": "domain",
        "EXO_AUTH_TLS_DOMAIN": "*.x.example",
    }
    done = run(told, "tls probe mx.good.partner.example -o json")
    assert done.err == ""
    document = json.loads(done.out)
    assert (document["verify"], document["tls_domain"], document["state"]) == (
        "domain",
        "*.x.example",
        "blocked",
    )


def test_dns_that_cannot_be_asked_is_no_verdict(cron: dict[str, str], bench: Bench) -> None:
    bench.fault("dns-servfail", domain="good.partner.example", count=0)
    done = run(cron, "tls probe good.partner.example")
    assert done.code == 6
    assert "no verdict" in done.out


BAD = [
    ("tls probe b%d.example", "“%” at character 2", "no name"),
    ("tls probe a.example --port 0", "--port 0 is no port", "no port"),
    ("tls probe a.example --port 65536", "65536", "no port"),
    ("tls probe a.example --verify all", "one of encryption, certificate, domain", "no demand"),
    ("tls probe a.example --tls-domain a.example", "--verify domain", "a name that nothing is compared with"),
    ("tls probe a.example --verify domain --tls-domain a.*.b", "*", "a wildcard inside"),
    ("tls rule list -o sarif", "does not write sarif", "a format of findings"),
]


@pytest.mark.parametrize(("line", "part", "reason"), BAD, ids=[row[2] + row[0][-4:] for row in BAD])
def test_bad_input(cron: dict[str, str], line: str, part: str, reason: str) -> None:
    done = run(cron, line)
    assert done.code == 64, done
    assert part in done.err, reason
    assert "Traceback" not in done.err


def test_the_way_to_dane_shows_in_dns(tmp_path: Path) -> None:
    specs = (
        DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
        DomainSpec("signed.example", signed=True, letter="o"),
    )
    with Sandbox(SandboxOptions(specs)) as box:
        bench = Bench(box, tmp_path)
        line = "dane readiness signed.example -o json"
        cron = {**bench.environment, "PATH": os.defpath}

        def states() -> list[str]:
            return [step["state"] for step in json.loads(run(cron, line).out)["steps"]]

        assert states() == ["done", "done", "next", "later", "later"]
        with bench.session() as session:
            from exo_auth.domain_name import DomainName

            domain = DomainName("signed.example")
            host = session.writer.enable_dnssec(domain).mx_host
            box.zones.publish_mx(domain.ascii, host, 10)
            assert states() == ["done", "done", "done", "done", "next"]
            assert session.reader.dnssec_status(domain).mx is not None
            session.writer.enable_dane(domain)
            assert states() == ["done"] * 5
            session.writer.disable_dane(domain)
            assert states()[-1] == "next"
