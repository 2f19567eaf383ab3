"""The typed methods above the transport."""

from datetime import UTC, datetime

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.errors import Correlation, ProtocolError
from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
from exo_auth.exchange.transport import CmdletAnswer

CONTOSO = DomainName("contoso.com")
CLOCK = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)


class Recorder:
    """A transport that writes down what it is asked and answers with fixed rows."""

    def __init__(self, *rows, clock=CLOCK):
        self.asked = []
        self.rows = rows
        self.clock = clock

    def invoke(self, cmdlet, parameters, *, is_write=False):
        self.asked.append((cmdlet, dict(parameters), is_write))
        return CmdletAnswer(self.rows, Correlation(cmdlet, "t", "id"), ("careful",), self.clock)

    def granted_cmdlets(self):
        return frozenset({"get-x"})

    def close(self):
        self.asked.append("close")


@pytest.mark.parametrize(
    ("write", "cmdlet", "parameters"),
    [
        (
            lambda w: w.create_dkim_config(CONTOSO, 2048),
            "New-DkimSigningConfig",
            {"DomainName": "contoso.com", "KeySize": 2048, "Enabled": False},
        ),
        (
            lambda w: w.enable_dkim(CONTOSO),
            "Set-DkimSigningConfig",
            {"Identity": "contoso.com", "Enabled": True},
        ),
        (
            lambda w: w.disable_dkim(CONTOSO),
            "Set-DkimSigningConfig",
            {"Identity": "contoso.com", "Enabled": False},
        ),
        (
            lambda w: w.rotate_dkim(CONTOSO, 2048),
            "Rotate-DkimSigningConfig",
            {"Identity": "contoso.com", "KeySize": 2048},
        ),
        (lambda w: w.rotate_dkim(CONTOSO, None), "Rotate-DkimSigningConfig", {"Identity": "contoso.com"}),
    ],
)
def test_each_write_is_one_cmdlet(write, cmdlet, parameters):
    transport = Recorder()
    write(ExchangeWriter(transport))
    assert transport.asked == [(cmdlet, parameters, True)]


def test_who_reads_cannot_write_and_who_writes_cannot_read():
    def public(cls):
        return {name for name in vars(cls) if not name.startswith("_")}

    assert not public(ExchangeReader) & public(ExchangeWriter)
    assert public(ExchangeWriter) == {"create_dkim_config", "enable_dkim", "disable_dkim", "rotate_dkim"}


def test_reads_remember_the_clock_and_each_warning_once():
    transport = Recorder()
    reader = ExchangeReader(transport)
    assert reader.last_service_clock is None
    assert reader.accepted_domains() == ()
    transport.clock = None
    assert reader.dkim_signing_configs() == ()
    assert reader.granted_cmdlets() == {"get-x"}
    assert reader.last_service_clock == CLOCK
    assert reader.warnings == ("careful",)
    assert reader.requests_sent == 3
    assert [is_write for _, _, is_write in transport.asked] == [False, False]


def test_a_transport_that_counts_is_believed():
    transport = Recorder()
    transport.requests_sent = 17
    assert ExchangeReader(transport).requests_sent == 17


def test_the_organization_is_one_row():
    row = {"Name": "contoso.onmicrosoft.com", "DisplayName": "Contoso", "IsDehydrated": "False", "Guid": "g"}
    organization = ExchangeReader(Recorder({**row, "More": 1})).organization()
    assert (organization.name, organization.is_dehydrated) == ("contoso.onmicrosoft.com", False)
    assert organization.extra == {"More": 1}
    with pytest.raises(ProtocolError, match="0 rows"):
        ExchangeReader(Recorder()).organization()
