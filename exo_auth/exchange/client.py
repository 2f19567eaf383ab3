"""`ExchangeReader` and `ExchangeWriter`: one typed method per cmdlet; who reads cannot write (exchange)."""

from __future__ import annotations

from exo_auth.domain_name import DomainName
from exo_auth.errors import ProtocolError
from exo_auth.exchange import cmdlets, decode
from exo_auth.exchange.cmdlet import UNLIMITED
from exo_auth.exchange.decode import DkimListing, Organization
from exo_auth.exchange.mail_flow_client import MailFlowReader, MailFlowWriter
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig


class ExchangeReader(MailFlowReader):
    """Reads one tenant: domains, DKIM, the organization, and through its base all of mail flow."""

    def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        """List every accepted domain; raises an ExchangeError."""
        return decode.accepted_domains(self._ask(cmdlets.GET_ACCEPTED_DOMAIN, {"ResultSize": UNLIMITED}))

    def dkim_signing_configs(self) -> tuple[DkimSigningConfig, ...]:
        """List every DKIM configuration; a domain without one is simply not in the list.

        Never asks for one domain: to an unknown one the service may answer with all rows, none or an error.
        """
        return decode.dkim_signing_configs(self._ask(cmdlets.GET_DKIM, {}))

    def dkim_listing(self) -> DkimListing:
        """List every DKIM configuration as `dkim_signing_configs` does, to be decoded where it is looked at."""
        return DkimListing(self._ask(cmdlets.GET_DKIM, {}))

    def organization(self) -> Organization:
        """Say which organization answers; raises an ExchangeError."""
        answer = self._ask(cmdlets.GET_ORGANIZATION_CONFIG, {})
        found = decode.organizations(answer)
        if len(found) != 1:
            raise ProtocolError(
                f"{cmdlets.GET_ORGANIZATION_CONFIG} answered with {len(found)} rows instead of one",
                correlation=answer.correlation,
                hint="check the tenant id",
            )
        return found[0]


class ExchangeWriter(MailFlowWriter):
    """Changes one tenant: DKIM, and through its base all of mail flow."""

    def create_dkim_config(self, domain: DomainName, key_size: int) -> CmdletAnswer:
        """Make keys of `key_size` bits for `domain`, not yet signing; raises Conflict if it has some."""
        parameters = {"DomainName": domain.ascii, "KeySize": key_size, "Enabled": False}
        return self._write(cmdlets.NEW_DKIM, parameters)

    def enable_dkim(self, domain: DomainName) -> CmdletAnswer:
        """Let Exchange sign mail of `domain`; raises CnameMissing while it does not see both CNAMEs."""
        return self._write(cmdlets.SET_DKIM, {"Identity": domain.ascii, "Enabled": True})

    def disable_dkim(self, domain: DomainName) -> CmdletAnswer:
        """Let Exchange sign mail of `domain` with the initial domain's key only."""
        return self._write(cmdlets.SET_DKIM, {"Identity": domain.ascii, "Enabled": False})

    def rotate_dkim(self, domain: DomainName, key_size: int | None) -> CmdletAnswer:
        """Make a new key for the other selector, which signs 96 hours later; None keeps the size.

        Run twice it would rotate twice: after an unknown outcome look at KeyCreationTime first.
        """
        size = {} if key_size is None else {"KeySize": key_size}
        return self._write(cmdlets.ROTATE_DKIM, {"Identity": domain.ascii, **size})
