"""The properties of a transport rule: predicates, actions, settings, and the cmdlets' parameters made of them (sandbox)."""

from __future__ import annotations

from exo_auth.sandbox.parameter import (
    BOOL,
    CLEARABLE_BOOL,
    CLEARABLE_TEXT,
    CLEARABLE_TEXTS,
    IDENTITY,
    LISTING,
    TEXT,
    WRITING,
    Parameter,
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# The properties of a row, one for each predicate and action; the same names are parameters.
PREDICATES = _words(
    """
From FromMemberOf FromScope SentTo SentToMemberOf SentToScope BetweenMemberOf1 BetweenMemberOf2 ManagerAddresses
ManagerForEvaluatedUser SenderManagementRelationship ADComparisonAttribute ADComparisonOperator
SenderADAttributeContainsWords SenderADAttributeMatchesPatterns RecipientADAttributeContainsWords
RecipientADAttributeMatchesPatterns AnyOfToHeader AnyOfToHeaderMemberOf AnyOfCcHeader AnyOfCcHeaderMemberOf
AnyOfToCcHeader AnyOfToCcHeaderMemberOf HasClassification HasNoClassification SubjectContainsWords
SubjectOrBodyContainsWords HeaderContainsMessageHeader HeaderContainsWords FromAddressContainsWords SenderDomainIs
RecipientDomainIs SubjectMatchesPatterns SubjectOrBodyMatchesPatterns HeaderMatchesMessageHeader
HeaderMatchesPatterns FromAddressMatchesPatterns AttachmentNameMatchesPatterns AttachmentExtensionMatchesWords
AttachmentPropertyContainsWords ContentCharacterSetContainsWords HasSenderOverride
MessageContainsDataClassifications MessageContainsAllDataClassifications SenderIpRanges SCLOver AttachmentSizeOver
MessageSizeOver WithImportance MessageTypeMatches ContentMatchesPrompt ContentMatchesPromptVerdict
RecipientAddressContainsWords RecipientAddressMatchesPatterns SenderInRecipientList RecipientInSenderList
AttachmentContainsWords AttachmentMatchesPatterns AttachmentIsUnsupported AttachmentProcessingLimitExceeded
AttachmentHasExecutableContent AttachmentIsPasswordProtected AnyOfRecipientAddressContainsWords
AnyOfRecipientAddressMatchesPatterns
"""
)
ACTIONS = _words(
    """
PrependSubject SetAuditSeverity ApplyClassification ApplyHtmlDisclaimerLocation ApplyHtmlDisclaimerText
ApplyHtmlDisclaimerFallbackAction ApplyRightsProtectionTemplate ApplyRightsProtectionCustomizationTemplate SetSCL
SetHeaderName SetHeaderValue RemoveHeader AddToRecipients CopyTo BlindCopyTo AddManagerAsRecipientType
ModerateMessageByUser ModerateMessageByManager RedirectMessageTo RejectMessageEnhancedStatusCode
RejectMessageReasonText DeleteMessage Disconnect Quarantine SmtpRejectMessageRejectText
SmtpRejectMessageRejectStatusCode LogEventText StopRuleProcessing SenderNotificationType GenerateIncidentReport
IncidentReportContent RouteMessageOutboundConnector RouteMessageOutboundRequireTls ApplyOME RemoveOME RemoveOMEv2
RemoveRMSAttachmentEncryption GenerateNotification
"""
)
BOOLEANS = frozenset(
    _words(
        """
    HasNoClassification HasSenderOverride AttachmentIsUnsupported AttachmentProcessingLimitExceeded
    AttachmentHasExecutableContent AttachmentIsPasswordProtected ModerateMessageByManager DeleteMessage Disconnect
    Quarantine StopRuleProcessing RouteMessageOutboundRequireTls ApplyOME RemoveOME RemoveOMEv2
    RemoveRMSAttachmentEncryption
        """
    )
)
NO_ACTIONS = frozenset({"SetAuditSeverity", "StopRuleProcessing"})  # they do not do for a rule alone
_SCOPE = Parameter("enum", values=("InOrganization", "NotInOrganization"), nullable=True)
_TYPED = {
    "FromScope": _SCOPE,
    "SentToScope": _SCOPE,
    "SetAuditSeverity": Parameter("enum", values=("DoNotAudit", "Low", "Medium", "High"), nullable=True),
    "RouteMessageOutboundConnector": CLEARABLE_TEXT,
    "PrependSubject": CLEARABLE_TEXT,
    "HeaderContainsMessageHeader": CLEARABLE_TEXT,
    "HeaderMatchesMessageHeader": CLEARABLE_TEXT,
}
PAIRS = (  # the service wants both or none
    ("HeaderContainsMessageHeader", "HeaderContainsWords"),
    ("HeaderMatchesMessageHeader", "HeaderMatchesPatterns"),
)
GROUPS = ("FromMemberOf", "SentToMemberOf")
_MODE = Parameter("enum", values=("Enforce", "Audit", "AuditAndNotify"))


def _parameter(name: str) -> Parameter:
    if name in BOOLEANS:
        return CLEARABLE_BOOL
    return _TYPED.get(name, CLEARABLE_TEXTS)


CONTENT: dict[str, Parameter] = {
    **{name: _parameter(name) for name in PREDICATES},
    **{f"ExceptIf{name}": _parameter(name) for name in PREDICATES},
    **{name: _parameter(name) for name in ACTIONS},
}
SETTINGS: dict[str, Parameter] = {
    "Mode": _MODE,
    "Priority": Parameter("integer"),
    "RuleErrorAction": Parameter("enum", values=("Ignore", "Defer")),
    "SenderAddressLocation": Parameter("enum", values=("Header", "Envelope", "HeaderOrEnvelope")),
    "Comments": CLEARABLE_TEXT,
    "ActivationDate": Parameter("date", nullable=True),
    "ExpiryDate": Parameter("date", nullable=True),
}
PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Get-TransportRule": {
        **LISTING,
        "State": Parameter("enum", values=("Enabled", "Disabled")),
        "Filter": TEXT,
        "ExcludeConditionActionDetails": BOOL,
        "DlpPolicy": TEXT,
    },
    "New-TransportRule": {"Name": IDENTITY, "Enabled": BOOL, **SETTINGS, **CONTENT, **WRITING},
    "Set-TransportRule": {"Identity": IDENTITY, "Name": TEXT, **SETTINGS, **CONTENT, **WRITING},
    "Enable-TransportRule": {"Identity": IDENTITY, "Mode": _MODE, **WRITING},
    "Disable-TransportRule": {"Identity": IDENTITY, **WRITING},
    "Remove-TransportRule": {"Identity": IDENTITY, **WRITING},
}
