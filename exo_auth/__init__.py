"""Makes and keeps e-mail authentication right for the domains of an Exchange Online tenant."""

__version__ = "0.1.0"
