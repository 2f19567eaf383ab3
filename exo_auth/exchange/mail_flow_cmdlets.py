"""The cmdlets about transport rules, connectors, DNSSEC and inbound DANE that may be sent (pure).

Parameters are those of the documents that concern TLS; whatever else a rule or connector has stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

from exo_auth.exchange.cmdlet import ALL, CONFIRMED, FULL, IDENTITY, Cmdlet, Parameter

GET_TRANSPORT_RULE = "Get-TransportRule"
NEW_TRANSPORT_RULE = "New-TransportRule"
SET_TRANSPORT_RULE = "Set-TransportRule"
ENABLE_TRANSPORT_RULE = "Enable-TransportRule"
DISABLE_TRANSPORT_RULE = "Disable-TransportRule"
REMOVE_TRANSPORT_RULE = "Remove-TransportRule"
GET_OUTBOUND_CONNECTOR = "Get-OutboundConnector"
NEW_OUTBOUND_CONNECTOR = "New-OutboundConnector"
SET_OUTBOUND_CONNECTOR = "Set-OutboundConnector"
REMOVE_OUTBOUND_CONNECTOR = "Remove-OutboundConnector"
GET_INBOUND_CONNECTOR = "Get-InboundConnector"
NEW_INBOUND_CONNECTOR = "New-InboundConnector"
SET_INBOUND_CONNECTOR = "Set-InboundConnector"
REMOVE_INBOUND_CONNECTOR = "Remove-InboundConnector"
GET_ARC = "Get-ArcConfig"
GET_DNSSEC = "Get-DnssecStatusForVerifiedDomain"
ENABLE_DNSSEC = "Enable-DnssecForVerifiedDomain"
DISABLE_DNSSEC = "Disable-DnssecForVerifiedDomain"
GET_DANE = "Get-SmtpDaneInboundStatus"
ENABLE_DANE = "Enable-SmtpDaneInbound"
DISABLE_DANE = "Disable-SmtpDaneInbound"

LONGEST_NAME, LONGEST_COMMENT = 64, 1024  # characters

_BOOL = Parameter(bool)
_TEXT = Parameter(str, nullable=True)
_TEXTS = Parameter(list, nullable=True)
_SCOPE = Parameter(str, values=("InOrganization", "NotInOrganization"), nullable=True)
_NAME = Parameter(str, longest=LONGEST_NAME)
_NEW_NAME = Parameter(str, mandatory=True, longest=LONGEST_NAME)
_MODE = Parameter(str, values=("Enforce", "Audit", "AuditAndNotify"))
_CONDITIONS = {
    "SentToScope": _SCOPE,
    "FromScope": _SCOPE,
    "RecipientDomainIs": _TEXTS,
    "SenderDomainIs": _TEXTS,
    "From": _TEXTS,
    "FromMemberOf": _TEXTS,
    "SentTo": _TEXTS,
    "SentToMemberOf": _TEXTS,
    "HeaderContainsMessageHeader": _TEXT,
    "HeaderContainsWords": _TEXTS,
    "HeaderMatchesMessageHeader": _TEXT,
    "HeaderMatchesPatterns": _TEXTS,
}
_RULE = {
    **_CONDITIONS,
    **{f"ExceptIf{name}": parameter for name, parameter in _CONDITIONS.items()},
    "RouteMessageOutboundRequireTls": _BOOL,
    "RouteMessageOutboundConnector": _TEXT,
    "Mode": _MODE,
    "Priority": Parameter(int),
    "RuleErrorAction": Parameter(str, values=("Ignore", "Defer")),
    "SenderAddressLocation": Parameter(str, values=("Header", "Envelope", "HeaderOrEnvelope")),
    "StopRuleProcessing": _BOOL,
    "Comments": Parameter(str, nullable=True, longest=LONGEST_COMMENT),
    "SetAuditSeverity": Parameter(str, values=("DoNotAudit", "Low", "Medium", "High"), nullable=True),
    "ActivationDate": _TEXT,  # UTC, ISO 8601
    "ExpiryDate": _TEXT,
}
_TYPE = Parameter(str, values=("Partner", "OnPremises"))
_OUTBOUND = {
    "Enabled": _BOOL,
    "ConnectorType": _TYPE,
    "RecipientDomains": _TEXTS,
    "UseMXRecord": _BOOL,
    "SmartHosts": _TEXTS,
    "TlsSettings": Parameter(
        str, values=("EncryptionOnly", "CertificateValidation", "DomainValidation"), nullable=True
    ),
    "TlsDomain": _TEXT,
    "IsTransportRuleScoped": _BOOL,
    "MtaStsMode": Parameter(str, values=("Opportunistic", "None")),
    "SmtpDaneMode": Parameter(str, values=("Opportunistic", "Mandatory", "None")),
    "Comment": _TEXT,
}
_INBOUND = {
    "Enabled": _BOOL,
    "ConnectorType": _TYPE,
    "SenderDomains": _TEXTS,
    "RequireTls": _BOOL,
    "RestrictDomainsToCertificate": _BOOL,
    "TlsSenderCertificateName": _TEXT,
    "RestrictDomainsToIPAddresses": _BOOL,
    "SenderIPAddresses": _TEXTS,
    "Comment": _TEXT,
}
_NEW_TYPE = replace(_TYPE, mandatory=True)  # its default is not documented
_DOMAIN = {"DomainName": IDENTITY}
_NAMED = {"Identity": IDENTITY, "Name": _NAME}
_REMOVED = {"Identity": IDENTITY, "Confirm": CONFIRMED}
_SKIP = {f"Skip{what}Validation": _BOOL for what in ("Dns", "Mx", "MtaSts")}

MAIL_FLOW_CMDLETS = (
    Cmdlet(GET_TRANSPORT_RULE, False, {"ResultSize": ALL}),
    Cmdlet(NEW_TRANSPORT_RULE, True, {"Name": _NEW_NAME, "Enabled": _BOOL, **_RULE}),
    Cmdlet(SET_TRANSPORT_RULE, True, {**_NAMED, **_RULE}),  # it has no Enabled
    Cmdlet(ENABLE_TRANSPORT_RULE, True, {"Identity": IDENTITY, "Mode": _MODE}),
    Cmdlet(DISABLE_TRANSPORT_RULE, True, _REMOVED),
    Cmdlet(REMOVE_TRANSPORT_RULE, True, _REMOVED),
    Cmdlet(
        GET_OUTBOUND_CONNECTOR,
        False,
        {"ResultSize": ALL, "IsTransportRuleScoped": _BOOL, "IncludeTestModeConnectors": _BOOL},
    ),
    Cmdlet(NEW_OUTBOUND_CONNECTOR, True, {"Name": _NEW_NAME, **_OUTBOUND, "ConnectorType": _NEW_TYPE}),
    Cmdlet(SET_OUTBOUND_CONNECTOR, True, {**_NAMED, **_OUTBOUND}),
    Cmdlet(REMOVE_OUTBOUND_CONNECTOR, True, _REMOVED),
    Cmdlet(GET_INBOUND_CONNECTOR, False, {"ResultSize": ALL}),
    Cmdlet(
        NEW_INBOUND_CONNECTOR,
        True,
        {
            "Name": _NEW_NAME,
            **_INBOUND,
            "ConnectorType": _NEW_TYPE,
            "SenderDomains": Parameter(list, mandatory=True),
        },
    ),
    Cmdlet(SET_INBOUND_CONNECTOR, True, {**_NAMED, **_INBOUND}),
    Cmdlet(REMOVE_INBOUND_CONNECTOR, True, _REMOVED),
    Cmdlet(GET_ARC, False, {}),
    Cmdlet(GET_DNSSEC, False, {**_DOMAIN, **_SKIP}, FULL),
    Cmdlet(ENABLE_DNSSEC, True, _DOMAIN, FULL),
    Cmdlet(DISABLE_DNSSEC, True, _DOMAIN, FULL),
    Cmdlet(GET_DANE, False, _DOMAIN, FULL),
    Cmdlet(ENABLE_DANE, True, _DOMAIN, FULL),
    Cmdlet(DISABLE_DANE, True, _DOMAIN, FULL),
)
