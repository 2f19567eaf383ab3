"""A change as the cmdlet that would do it by hand."""

from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Change, Verb
from exo_auth.render.powershell_text import powershell_line

CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "Rotate-DkimSigningConfig",
        {"KeySize": 2048},
        "Rotate-DkimSigningConfig -Identity contoso.com -KeySize 2048",
    ),
    (
        "New-DkimSigningConfig",
        {"Enabled": False},
        "New-DkimSigningConfig -DomainName contoso.com -Enabled $false",
    ),
    (
        "New-TransportRule",
        {"Name": "it's ours: TLS", "RecipientDomainIs": ["a.b", "c d"], "X": []},
        "New-TransportRule -Name 'it''s ours: TLS' -RecipientDomainIs a.b,'c d' -X @()",
    ),
    (
        "Enable-SmtpDaneInbound",
        {"DomainName": "contoso.com"},
        "Enable-SmtpDaneInbound -DomainName contoso.com",
    ),
    ("Set-X", {"Identity": "$(calc)", "On": True}, "Set-X -Identity '$(calc)' -On $true"),
    ("octodns", {"name": "contoso.com", "type": "TXT"}, ""),
]


@pytest.mark.parametrize(("cmdlet", "parameters", "line"), CASES, ids=[case[0] for case in CASES])
def test_lines(cmdlet: str, parameters: dict[str, Any], line: str) -> None:
    change = Change(Verb.UPDATE, DomainName("contoso.com"), {}, {}, "why", cmdlet, parameters)
    assert powershell_line(change) == line
