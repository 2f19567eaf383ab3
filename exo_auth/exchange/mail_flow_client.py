"""Typed methods for transport rules, connectors, DNSSEC and inbound DANE; who reads cannot write (exchange).

Writers take parameters by the names of the cmdlet, in the JSON types of `mail_flow_cmdlets.py`:

    writer.new_transport_rule({
        "Name": "exo-auth: require TLS to fabrikam.com",
        "RecipientDomainIs": ["fabrikam.com"],
        "SentToScope": "NotInOrganization",
        "RouteMessageOutboundRequireTls": True,
        "Comments": "managed-by=exo-auth",
    })

A parameter that is left out stays as it is; None clears one where the service allows that. `identity` is what the
facts give as theirs. Every method raises

- ProtocolError for a parameter that must not be sent so; nothing went out,
- Conflict from New-… when the name is taken, NotFound when there is no such object, CmdletFailed for any other refusal,
- NotPermitted without the right, Throttled when the service is too busy; in both cases nothing was done,
- TransportBroken when no answer came; `sent` tells whether the cmdlet may have run.

Set-…, Enable-… and Disable-… may be repeated; after a New-… or Remove-… with an unknown outcome look first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.exchange import decode_dnssec, decode_mail_flow, mail_flow_cmdlets
from exo_auth.exchange.asking import Asking, Telling
from exo_auth.exchange.cmdlet import UNLIMITED
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.facts.dnssec import DaneStatus, DnssecStatus, FeatureChange
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule

_ALL = {"ResultSize": UNLIMITED}
_CONFIRMED = {"Confirm": False}  # unattended: the service would ask, and do nothing


class MailFlowReader(Asking):
    """Reads how a tenant's mail flows. Every method raises an ExchangeError."""

    def transport_rules(self) -> tuple[TransportRule, ...]:
        """List every transport rule, in the order in which they act: one request."""
        return decode_mail_flow.transport_rules(self._ask(mail_flow_cmdlets.GET_TRANSPORT_RULE, _ALL))

    def outbound_connectors(self) -> tuple[OutboundConnector, ...]:
        """List every outbound connector, by name: two requests.

        By default the service hides those for transport rules and those in test mode, and asked for the former it
        hides all others; what it does has been seen to differ, so that both are asked for and merged.
        """
        every = {**_ALL, "IncludeTestModeConnectors": True}
        answers = [
            self._ask(mail_flow_cmdlets.GET_OUTBOUND_CONNECTOR, {**every, "IsTransportRuleScoped": scoped})
            for scoped in (False, True)
        ]
        return decode_mail_flow.outbound_connectors(*answers)

    def inbound_connectors(self) -> tuple[InboundConnector, ...]:
        """List every inbound connector, by name: one request."""
        return decode_mail_flow.inbound_connectors(self._ask(mail_flow_cmdlets.GET_INBOUND_CONNECTOR, _ALL))

    def arc_sealers(self) -> tuple[str, ...]:
        """List the domains whose ARC seals the tenant believes, lower case: one request."""
        return decode_mail_flow.arc_sealers(self._ask(mail_flow_cmdlets.GET_ARC, {}))

    def dnssec_status(self, domain: DomainName, *, looks_at_dns: bool = True) -> DnssecStatus:
        """Tell how far DNSSEC is enabled for an accepted domain: one request.

        The service looks at the domain's DNS itself unless told not to, which takes some seconds.
        """
        skip = {f"Skip{what}Validation": True for what in ("Dns", "Mx", "MtaSts")} if not looks_at_dns else {}
        answer = self._ask(mail_flow_cmdlets.GET_DNSSEC, {"DomainName": domain.ascii, **skip})
        return decode_dnssec.dnssec_status(domain, answer)

    def dane_status(self, domain: DomainName) -> DaneStatus:
        """Tell whether inbound DANE is enabled for an accepted domain: one request."""
        answer = self._ask(mail_flow_cmdlets.GET_DANE, {"DomainName": domain.ascii})
        return decode_dnssec.dane_status(domain, answer)


class MailFlowWriter(Telling):
    """Changes how a tenant's mail flows. See the module for parameters and errors."""

    def new_transport_rule(self, parameters: Mapping[str, Any]) -> CmdletAnswer:
        """Make a rule. Needs Name and an action; without Enabled it acts at once, without Priority it acts last."""
        return self._write(mail_flow_cmdlets.NEW_TRANSPORT_RULE, parameters)

    def set_transport_rule(self, identity: str, parameters: Mapping[str, Any]) -> CmdletAnswer:
        """Change a rule. It is switched on and off by methods of their own: Set-TransportRule cannot."""
        return self._write(mail_flow_cmdlets.SET_TRANSPORT_RULE, {"Identity": identity, **parameters})

    def enable_transport_rule(self, identity: str, mode: str | None = None) -> CmdletAnswer:
        """Switch a rule on; `mode` (Enforce, Audit, AuditAndNotify) stays as it is when None."""
        chosen = {} if mode is None else {"Mode": mode}
        return self._write(mail_flow_cmdlets.ENABLE_TRANSPORT_RULE, {"Identity": identity, **chosen})

    def disable_transport_rule(self, identity: str) -> CmdletAnswer:
        """Switch a rule off; it keeps its place."""
        return self._write(mail_flow_cmdlets.DISABLE_TRANSPORT_RULE, {"Identity": identity, **_CONFIRMED})

    def remove_transport_rule(self, identity: str) -> CmdletAnswer:
        """Remove a rule; those below it move up."""
        return self._write(mail_flow_cmdlets.REMOVE_TRANSPORT_RULE, {"Identity": identity, **_CONFIRMED})

    def new_outbound_connector(self, parameters: Mapping[str, Any]) -> CmdletAnswer:
        """Make an outbound connector. Needs Name, ConnectorType, and RecipientDomains or IsTransportRuleScoped."""
        return self._write(mail_flow_cmdlets.NEW_OUTBOUND_CONNECTOR, parameters)

    def set_outbound_connector(self, identity: str, parameters: Mapping[str, Any]) -> CmdletAnswer:
        """Change an outbound connector; Enabled among the rest."""
        return self._write(mail_flow_cmdlets.SET_OUTBOUND_CONNECTOR, {"Identity": identity, **parameters})

    def remove_outbound_connector(self, identity: str) -> CmdletAnswer:
        """Remove an outbound connector; refused while a transport rule routes by it."""
        return self._write(mail_flow_cmdlets.REMOVE_OUTBOUND_CONNECTOR, {"Identity": identity, **_CONFIRMED})

    def new_inbound_connector(self, parameters: Mapping[str, Any]) -> CmdletAnswer:
        """Make an inbound connector. Needs Name, ConnectorType and SenderDomains.

        A wrong one rejects real mail from the moment it is enabled: send Enabled false until it was looked at, and
        RequireTls in any case.
        """
        return self._write(mail_flow_cmdlets.NEW_INBOUND_CONNECTOR, parameters)

    def set_inbound_connector(self, identity: str, parameters: Mapping[str, Any]) -> CmdletAnswer:
        """Change an inbound connector; Enabled among the rest."""
        return self._write(mail_flow_cmdlets.SET_INBOUND_CONNECTOR, {"Identity": identity, **parameters})

    def remove_inbound_connector(self, identity: str) -> CmdletAnswer:
        """Remove an inbound connector."""
        return self._write(mail_flow_cmdlets.REMOVE_INBOUND_CONNECTOR, {"Identity": identity, **_CONFIRMED})

    def enable_dnssec(self, domain: DomainName) -> FeatureChange:
        """Make an exchanger in a signed zone for an accepted domain; its name is in the answer. Repeatable."""
        return self._feature(mail_flow_cmdlets.ENABLE_DNSSEC, domain)

    def disable_dnssec(self, domain: DomainName) -> FeatureChange:
        """Take that exchanger away; only after the MX record points elsewhere, and DANE is off."""
        return self._feature(mail_flow_cmdlets.DISABLE_DNSSEC, domain)

    def enable_dane(self, domain: DomainName) -> FeatureChange:
        """Let Exchange publish TLSA records for the domain's exchanger; they show after 15 to 30 minutes."""
        return self._feature(mail_flow_cmdlets.ENABLE_DANE, domain)

    def disable_dane(self, domain: DomainName) -> FeatureChange:
        """Let Exchange withdraw the TLSA records."""
        return self._feature(mail_flow_cmdlets.DISABLE_DANE, domain)

    def _feature(self, cmdlet: str, domain: DomainName) -> FeatureChange:
        return decode_dnssec.feature_change(domain, self._write(cmdlet, {"DomainName": domain.ascii}))
