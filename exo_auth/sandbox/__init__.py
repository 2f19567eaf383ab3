"""A tenant on loopback: Entra, the admin API, DNS — real sockets, real TLS, a clock that can be moved.

It shares no code with the client: the wire format is written once on each side.
"""
