"""A web server for MTA-STS policies, and for nothing else (policy_server; I/O)."""
