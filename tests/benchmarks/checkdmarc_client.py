"""checkdmarc checks a fleet as a whole, in a process of its own: seconds on stderr's last line, its JSON on stdout."""

from __future__ import annotations

import sys
import time

import checkdmarc
import dns.resolver
from dns.nameserver import Do53Nameserver
from dns_fleet import domain_names

port, seed, count = map(int, sys.argv[1:])
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = [Do53Nameserver("127.0.0.1", port)]
resolver.use_edns(0, 0, 1232)
resolver.cache = dns.resolver.LRUCache()  # a third faster than without
names = domain_names(seed, count)
start = time.perf_counter()
# Questions about DNSSEC go to `nameservers` whatever the resolver is.
results = checkdmarc.check_domains(names, resolver=resolver, nameservers=resolver.nameservers)
print(checkdmarc.results_to_json(results))
print(time.perf_counter() - start, file=sys.stderr)
