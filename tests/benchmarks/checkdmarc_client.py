"""checkdmarc asks about a fleet, in a process of its own, and prints how many seconds it took."""

from __future__ import annotations

import contextlib
import sys
import time

import checkdmarc.dmarc
import checkdmarc.mta_sts
import checkdmarc.smtp
import checkdmarc.smtp_tls_reporting
import checkdmarc.spf
import dns.resolver
from dns_fleet import domain_names

port, seed, count = map(int, sys.argv[1:])
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], port
resolver.use_edns(0, 0, 1232)
start = time.perf_counter()
for domain in domain_names(seed, count):
    checkdmarc.spf.check_spf(domain, resolver=resolver)
    checkdmarc.dmarc.check_dmarc(domain, resolver=resolver)
    checkdmarc.smtp.check_mx(domain, resolver=resolver, check_mx_tls=False)
    with contextlib.suppress(checkdmarc.mta_sts.MTASTSError):
        checkdmarc.mta_sts.query_mta_sts_record(domain, resolver=resolver)
    checkdmarc.smtp_tls_reporting.check_smtp_tls_reporting(domain, resolver=resolver)
print(time.perf_counter() - start)
