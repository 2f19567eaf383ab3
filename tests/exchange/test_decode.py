"""Rows become facts, strictly, and without loss."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.domain_name import DomainName
from exo_auth.errors import Correlation, ProtocolError
from exo_auth.exchange import decode
from exo_auth.exchange.fields import Row
from exo_auth.exchange.transport import CmdletAnswer

CALL = Correlation("Get-X", "tenant", "id")
DKIM = {
    "Domain": "contoso.com",
    "Enabled": True,
    "Status": "Valid",
    "Selector1CNAME": "selector1-contoso-com._domainkey.Contoso.n-v1.dkim.mail.microsoft",
    "Selector2CNAME": "selector2-contoso-com._domainkey.Contoso.n-v1.dkim.mail.microsoft",
    "Selector1KeySize": 2048,
    "Selector2KeySize": 1024,
    "Selector1PublicKey": "v=DKIM1; k=rsa; p=AAAA;",
    "KeyCreationTime": "2026-07-01T08:00:00.1234567Z",
    "RotateOnDate": "2026-07-05T08:00:00.1234567Z",
    "SelectorBeforeRotateOnDate": "Selector1",
    "SelectorAfterRotateOnDate": "selector2",
    "IsDefault": False,
    "Guid": "22222222-aaaa-4bbb-8ccc-333333333333",
}
DOMAIN = {"DomainName": "contoso.com", "DomainType": "Authoritative", "Default": True, "InitialDomain": False}


def answer(*rows):
    return CmdletAnswer(tuple(rows), CALL)


def dkim(**changes):
    return decode.dkim_signing_configs(answer({**DKIM, **changes}))[0]


def test_a_dkim_row_becomes_a_configuration():
    config = dkim()
    assert config.domain == DomainName("contoso.com")
    assert config.selector1.cname_target == DomainName(
        "selector1-contoso-com._domainkey.contoso.n-v1.dkim.mail.microsoft"
    )
    assert config.key_sizes == (2048, 1024)
    assert config.selector2.public_key == ""
    assert (config.selector_before_rotation, config.selector_after_rotation) == ("selector1", "selector2")
    assert config.rotate_on == datetime(2026, 7, 5, 8, 0, 0, 123456, tzinfo=UTC)
    assert config.extra == {"Guid": DKIM["Guid"]}


def test_field_names_are_compared_in_any_case():
    upper = {name.upper(): value for name, value in DKIM.items()}
    assert decode.dkim_signing_configs(answer(upper)) == (dkim(),)


def test_a_blank_cname_is_none_and_an_unknown_status_survives():
    config = dkim(Selector1CNAME=" ", Selector2CNAME=None, Status="Pondering")
    assert (config.selector1.cname_target, config.selector2.cname_target) == (None, None)
    assert config.status == "Pondering"


def test_a_row_without_keys_may_lack_what_belongs_to_keys():
    row = {"Domain": "contoso.com", "Enabled": "False", "Status": "NoDKIMKeys"}
    (config,) = decode.dkim_signing_configs(answer(row))
    assert not config.has_keys
    assert config.rotate_on is None
    assert config.key_sizes == (None, None)


@pytest.mark.parametrize("field", sorted(DKIM.keys() - {"Selector1PublicKey", "IsDefault", "Guid"}))
def test_a_field_that_a_complete_row_needs_is_missed_by_name(field):
    row = {name: value for name, value in DKIM.items() if name != field}
    with pytest.raises(ProtocolError, match=rf"Get-DkimSigningConfig, row 2: the field {field} ") as caught:
        decode.dkim_signing_configs(answer(DKIM, row))
    assert caught.value.correlation is CALL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Domain", "not a domain"),  # blanks
        ("Domain", 7),  # no text
        ("Enabled", 1),  # a number is no truth value
        ("Enabled", "yes"),  # nor is every word
        ("Enabled", None),  # unknown is not False
        ("Selector1KeySize", True),  # a truth value is no number
        ("Selector1KeySize", 2048.5),  # not whole
        ("Selector1KeySize", "2k"),  # no number
        ("KeyCreationTime", "yesterday"),  # no time
        ("KeyCreationTime", 1653603718610),  # a number is no time
        ("KeyCreationTime", "2026-02-30T00:00:00Z"),  # no such day
        ("KeyCreationTime", "0001-01-01T00:00:00+14:00"),  # before the calendar, in UTC
        ("RotateOnDate", "/Date(999999999999999)/"),  # after the calendar
        ("SelectorAfterRotateOnDate", "selector3"),  # a third one
        ("SelectorAfterRotateOnDate", ""),  # keys, and none of them signs?
        ("Selector1CNAME", "two names"),  # blanks
        ("Selector1PublicKey", ["v=DKIM1"]),  # no text
    ],
)
def test_a_value_of_another_kind_is_refused(field, value):
    with pytest.raises(ProtocolError, match=f"row 1: the field {field} is"):
        dkim(**{field: value})


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-07-01T08:00:00.1234567Z", datetime(2026, 7, 1, 8, 0, 0, 123456, tzinfo=UTC)),  # 7 digits
        ("2026-07-01T08:00:00.0000000+00:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),  # WhenChanged
        ("2026-07-01T10:00:00+02:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),  # another offset
        ("2026-07-01T08:00:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),  # none: UTC
        ("2026-07-01T08:00:00.5", datetime(2026, 7, 1, 8, 0, 0, 500000, tzinfo=UTC)),  # one digit
        ("2026-07-01 08:00:00z", datetime(2026, 7, 1, 8, tzinfo=UTC)),  # as people write it
        ("/Date(1653603718610)/", datetime(2022, 5, 26, 22, 21, 58, 610000, tzinfo=UTC)),  # PowerShell 5.1
        (
            "/Date(1653603718610+0200)/",
            datetime(2022, 5, 26, 22, 21, 58, 610000, tzinfo=UTC),
        ),  # offset: for show
        ("/Date(-1)/", datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),  # before 1970
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_in_every_form(value, moment):
    assert Row("Get-X", 1, {"When": value}).moment("when") == moment


@pytest.mark.parametrize(
    ("value", "number"),
    [(2048, 2048), ("2048", 2048), (2048.0, 2048), (" 1024 ", 1024), (None, None), ("", None)],
)
def test_whole_numbers_are_read_in_every_form(value, number):
    assert Row("Get-X", 1, {"Size": value}).whole("Size") == number


@pytest.mark.parametrize(
    ("value", "truth"), [(True, True), ("True", True), ("true", True), (False, False), ("False", False)]
)
def test_truth_values_are_read_in_every_form(value, truth):
    assert Row("Get-X", 1, {"On": value}).boolean("On") is truth


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_of_the_wire_comes_back(when):
    assert Row("Get-X", 1, {"When": when.isoformat().replace("+00:00", "Z")}).moment("When") == when


@given(st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans())
def test_a_converter_answers_or_refuses(value):
    for read in ("moment", "whole", "boolean", "text", "name"):
        try:
            getattr(Row("Get-X", 1, {"F": value}), read)("F")
        except ProtocolError as error:
            assert "Get-X, row 1: the field F" in error.message  # noqa: PT017


def test_an_accepted_domain_keeps_what_it_does_not_name():
    row = DOMAIN | {
        "PendingRemoval": "True",
        "SmtpDaneStatus": "Disabled",
        "SendingFromDomainDisabled": False,
    }
    (domain,) = decode.accepted_domains(answer(row))
    assert (domain.is_default, domain.is_initial, domain.pending_removal) == (True, False, True)
    assert domain.extra == {"SmtpDaneStatus": "Disabled"}


@pytest.mark.parametrize("field", sorted(DOMAIN))
def test_an_accepted_domain_needs_its_fields(field):
    row = {name: value for name, value in DOMAIN.items() if name != field}
    with pytest.raises(ProtocolError, match=f"Get-AcceptedDomain, row 1: the field {field} is missing"):
        decode.accepted_domains(answer(row))


def sample(key):
    folder = os.environ.get("EXO_AUTH_CORPORA")
    if not folder:
        pytest.skip("EXO_AUTH_CORPORA names no folder with the corpora")
    text = (Path(folder) / "tenant" / "scubagear-sample-exchange.json").read_text(encoding="utf-8-sig")
    return json.loads(text)[key]


TYPED_DOMAIN = {
    "DomainName",
    "DomainType",
    "Default",
    "InitialDomain",
    "IsCoexistenceDomain",
    "MatchSubDomains",
    "PendingRemoval",
    "SendingFromDomainDisabled",
}
TYPED_DKIM = (DKIM.keys() - {"Guid"}) | {"Selector2PublicKey"}


def test_the_accepted_domains_of_a_real_tenant_decode_without_loss():
    rows = sample("accepted_domains")
    domains = decode.accepted_domains(answer(*rows))
    assert len(domains) == 7
    for row, domain in zip(rows, domains, strict=True):
        assert domain.extra == {name: value for name, value in row.items() if name not in TYPED_DOMAIN}
        assert domain.name.ascii == row["DomainName"].lower()


def test_the_dkim_configurations_of_a_real_tenant_decode_without_loss():
    rows = sample("dkim_config")
    configs = decode.dkim_signing_configs(answer(*rows))
    assert len(configs) == 2
    for row, config in zip(rows, configs, strict=True):
        assert config.extra == {name: value for name, value in row.items() if name not in TYPED_DKIM}
        assert config.key_created is not None
        assert config.selector1.cname_target == DomainName(row["Selector1CNAME"].lower())
    assert (configs[0].rotate_on - configs[0].key_created).total_seconds() == 96 * 3600
