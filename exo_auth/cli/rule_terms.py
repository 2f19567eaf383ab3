"""Options for the conditions and exceptions of a transport rule (cli)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer


def _texts(flag: str, metavar: str, variable: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, envvar=variable, help=f"{text} Repeatable.")


def _one(flag: str, metavar: str, variable: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, envvar=variable, help=text)


Texts = list[str] | None


@dataclass(frozen=True)
class RuleTerms:
    """Which mail a rule meets, beside that to the partner, and which it leaves out."""

    sender: Annotated[Texts, _texts("--from", "ADDRESS", "EXO_AUTH_RULE_FROM", "Mail of this sender.")] = None
    sender_group: Annotated[
        Texts, _texts("--from-group", "GROUP", "EXO_AUTH_RULE_FROM_GROUP", "Mail of a member of this group.")
    ] = None
    sender_domain: Annotated[
        Texts, _texts("--from-domain", "DOMAIN", "EXO_AUTH_RULE_FROM_DOMAIN", "Mail of this sender domain.")
    ] = None
    sender_scope: Annotated[
        str, _one("--from-scope", "SCOPE", "EXO_AUTH_RULE_FROM_SCOPE", "InOrganization or NotInOrganization.")
    ] = ""
    recipient: Annotated[Texts, _texts("--to", "ADDRESS", "EXO_AUTH_RULE_TO", "Mail to this recipient.")] = (
        None
    )
    recipient_group: Annotated[
        Texts, _texts("--to-group", "GROUP", "EXO_AUTH_RULE_TO_GROUP", "Mail to a member of this group.")
    ] = None
    recipient_scope: Annotated[
        str,
        _one(
            "--to-scope",
            "SCOPE",
            "EXO_AUTH_RULE_TO_SCOPE",
            "NotInOrganization (the default) or InOrganization.",
        ),
    ] = ""
    header: Annotated[
        str,
        _one(
            "--header", "'NAME: WORD, …'", "EXO_AUTH_RULE_HEADER", "Mail whose header holds one of the words."
        ),
    ] = ""
    header_pattern: Annotated[
        str,
        _one(
            "--header-pattern",
            "'NAME: REGEX'",
            "EXO_AUTH_RULE_HEADER_PATTERN",
            "Mail whose header matches the pattern.",
        ),
    ] = ""
    except_sender: Annotated[
        Texts, _texts("--except-from", "ADDRESS", "EXO_AUTH_RULE_EXCEPT_FROM", "Not mail of this sender.")
    ] = None
    except_sender_group: Annotated[
        Texts,
        _texts("--except-from-group", "GROUP", "EXO_AUTH_RULE_EXCEPT_FROM_GROUP", "Not mail of its members."),
    ] = None
    except_recipient: Annotated[
        Texts, _texts("--except-to", "ADDRESS", "EXO_AUTH_RULE_EXCEPT_TO", "Not mail to this recipient.")
    ] = None
    except_recipient_group: Annotated[
        Texts,
        _texts("--except-to-group", "GROUP", "EXO_AUTH_RULE_EXCEPT_TO_GROUP", "Not mail to its members."),
    ] = None
    except_recipient_domain: Annotated[
        Texts,
        _texts("--except-to-domain", "DOMAIN", "EXO_AUTH_RULE_EXCEPT_TO_DOMAIN", "Not mail to this domain."),
    ] = None
    except_header: Annotated[
        str,
        _one(
            "--except-header",
            "'NAME: WORD, …'",
            "EXO_AUTH_RULE_EXCEPT_HEADER",
            "Not mail whose header holds a word.",
        ),
    ] = ""
    except_header_pattern: Annotated[
        str,
        _one(
            "--except-header-pattern",
            "'NAME: REGEX'",
            "EXO_AUTH_RULE_EXCEPT_HEADER_PATTERN",
            "Not mail whose header matches.",
        ),
    ] = ""

    def terms(self) -> dict[str, Any]:
        """Give the terms by the cmdlet's names; raises InputError."""
        from exo_auth.plan.rule_terms import TermWords, terms_of

        conditions = TermWords(
            senders=tuple(self.sender or ()),
            sender_groups=tuple(self.sender_group or ()),
            sender_domains=_domains(self.sender_domain),
            sender_scope=self.sender_scope,
            recipients=tuple(self.recipient or ()),
            recipient_groups=tuple(self.recipient_group or ()),
            recipient_scope=self.recipient_scope,
            header=self.header,
            header_pattern=self.header_pattern,
        )
        exceptions = TermWords(
            senders=tuple(self.except_sender or ()),
            sender_groups=tuple(self.except_sender_group or ()),
            recipients=tuple(self.except_recipient or ()),
            recipient_groups=tuple(self.except_recipient_group or ()),
            recipient_domains=_domains(self.except_recipient_domain),
            header=self.except_header,
            header_pattern=self.except_header_pattern,
        )
        return terms_of(conditions) | terms_of(exceptions, excepts=True)


def _domains(names: list[str] | None) -> tuple[str, ...]:
    from exo_auth.domain_name import DomainName

    return tuple(DomainName.parse(name).ascii for name in names or ())
