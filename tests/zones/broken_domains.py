"""Domains that are broken in one way each, and the findings they must get: no more, no fewer.

Every domain begins as `HEALTHY`, in which nothing is wrong, and changes some of its records. A key is an owner relative
to the domain and a type, such as "_dmarc TXT"; its value is the list of records there, the empty list for none. In TXT
values `|` separates the strings of one record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Records = dict[str, list[str]]

HEALTHY: Records = {
    "@ MX": ["0 mx.ok.test."],
    "@ TXT": ["v=spf1 ip4:192.0.2.0/24 -all"],
    "_dmarc TXT": ["v=DMARC1; p=reject; rua=mailto:dmarc@ok.test"],
    "_smtp._tls TXT": ["v=TLSRPTv1; rua=mailto:tls@ok.test"],
    "_mta-sts TXT": ["v=STSv1; id=20261123000000;"],
    "mta-sts A": ["127.0.0.1"],
    "selector1._domainkey CNAME": ["one.keys.test."],
    "selector2._domainkey CNAME": ["two.keys.test."],
}
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.ok.test\r\nmax_age: 604800\r\n"


@dataclass(frozen=True)
class Policy:
    """How the policy host of a domain behaves."""

    body: str = POLICY
    status: int = 200
    media_type: str = "text/plain"
    location: str = ""
    certificate: str = "own"  # own, other-name, expired, self-signed, ends-soon


@dataclass(frozen=True)
class Broken:
    """One domain `<label>.test`; `also` are records of other names (absolute), `dmarc_authorized` lets reports go to ok.test."""

    label: str
    changes: Records
    expected: frozenset[str]
    reason: str
    policy: Policy = field(default_factory=Policy)
    also: tuple[str, ...] = ()
    dmarc_authorized: bool = True

    @property
    def name(self) -> str:
        return f"{self.label}.test"

    def records(self) -> Records:
        return {key: values for key, values in {**HEALTHY, **self.changes}.items() if values}

    def lines(self) -> list[str]:
        """Give the zone's lines."""
        lines = list(self.also)
        for key, values in self.records().items():
            owner, rdtype = key.split(" ")
            name = f"{self.name}." if owner == "@" else f"{owner}.{self.name}."
            lines += [f"{name} 3600 IN {rdtype} {_data(rdtype, value)}" for value in values]
        if self.dmarc_authorized:
            lines.append(f'{self.name}._report._dmarc.ok.test. 3600 IN TXT "v=DMARC1;"')
        return lines


def _data(rdtype: str, value: str) -> str:
    if rdtype != "TXT":
        return value
    strings = value.split("|") if "|" in value else [value[i : i + 255] for i in range(0, len(value), 255)]
    return " ".join('"' + string.replace("\\", "\\\\").replace('"', '\\"') + '"' for string in strings)


def _broken(label: str, expected: str, reason: str, changes: Records | None = None, **more: object) -> Broken:
    return Broken(label, changes or {}, frozenset(expected.split()), reason, **more)  # type: ignore[arg-type]


def _spf(label: str, expected: str, reason: str, *texts: str, **more: object) -> Broken:
    return _broken(label, expected, reason, {"@ TXT": list(texts)}, **more)


def _dmarc(label: str, expected: str, reason: str, *texts: str, **more: object) -> Broken:
    return _broken(label, expected, reason, {"_dmarc TXT": list(texts)}, **more)


SHARED = (  # names that several domains lead to
    "ok.test. 3600 IN MX 0 mx.ok.test.",
    'spf.protection.outlook.com. 3600 IN TXT "v=spf1 ip4:192.0.2.128/25 -all"',
    "mx.ok.test. 3600 IN A 192.0.2.25",
    "mx.ok.test. 3600 IN AAAA 2001:db8::25",
    "alias.ok.test. 3600 IN CNAME mx.ok.test.",
    "v4only1.ok.test. 3600 IN A 192.0.2.1",
    "v4only2.ok.test. 3600 IN A 192.0.2.2",
    "v4only3.ok.test. 3600 IN A 192.0.2.3",
    'notes.ok.test. 3600 IN TXT "just some text"',
    *(f'i{n}.ok.test. 3600 IN TXT "v=spf1 ip4:192.0.2.{n} -all"' for n in range(1, 12)),
    'five.ok.test. 3600 IN TXT "v=spf1 include:i1.ok.test include:i2.ok.test include:i3.ok.test include:i4.ok.test include:i5.ok.test -all"',
    'void.ok.test. 3600 IN TXT "v=spf1 ip4:999.1.1.1 -all"',
    'two.ok.test. 3600 IN TXT "v=spf1 -all"',
    'two.ok.test. 3600 IN TXT "v=spf1 ~all"',
    'loop-b.ok.test. 3600 IN TXT "v=spf1 include:spf-loop.test -all"',
    *(f"many.ok.test. 3600 IN MX {n} m{n}.many.ok.test." for n in range(11)),
    *(f"m{n}.many.ok.test. 3600 IN A 192.0.2.{n}" for n in range(11)),
    *(f"m{n}.many.ok.test. 3600 IN AAAA 2001:db8::{n}" for n in range(11)),
    "nomail.test. 3600 IN MX 0 .",
    "vendor.test. 3600 IN MX 0 mx.ok.test.",
    "contoso-test.mail.protection.outlook.com. 3600 IN A 192.0.2.26",
    "contoso-test.o-v1.mx.microsoft. 3600 IN A 192.0.2.27",
)

BROKEN: tuple[Broken, ...] = (
    _broken("healthy", "", "nothing is wrong"),
    # SPF
    _spf("spf-missing", "SPF-MISSING", "no TXT at all"),
    _spf("spf-none-of-them", "SPF-MISSING", "TXT records, none of them SPF", "MS=ms12345678", "some note"),
    _spf("spf-multi", "SPF-MULTI", "two records", "v=spf1 -all", "v=spf1 ~all"),
    _spf("spf-ip", "SPF-SYNTAX", "ip: in place of ip4:", "v=spf1 ip:192.0.2.1 -all"),
    _spf("spf-comma", "SPF-SYNTAX", "commas between terms", "v=spf1 ip4:192.0.2.1,ip4:192.0.2.2 -all"),
    _spf("spf-url", "SPF-SYNTAX", "a URL in an include", "v=spf1 include:https://ok.test/ -all"),
    _spf("spf-after-all", "SPF-SYNTAX", "a fault behind all is a fault", "v=spf1 -all ip4:nonsense"),
    _spf("spf-cidr", "SPF-SYNTAX", "a leading zero in a prefix length", "v=spf1 ip4:192.0.2.0/024 -all"),
    _spf("spf-v10", "SPF-MISSING SPF-LEFTOVER", "another version is no SPF record", "v=spf10 -all"),
    _spf("spf-quoted", "SPF-MISSING SPF-LEFTOVER", "quotes that a panel added", '"v=spf1 -all"'),
    _spf("spf-leading-space", "SPF-MISSING SPF-LEFTOVER", "a space before the version", " v=spf1 -all"),
    _spf("spf-plusall", "SPF-PLUSALL", "everybody passes", "v=spf1 ip4:192.0.2.1 +all"),
    _spf("spf-bare-all", "SPF-PLUSALL", "no qualifier means pass", "v=spf1 all"),
    _spf("spf-neutral", "SPF-NEUTRAL", "?all says nothing", "v=spf1 ip4:192.0.2.1 ?all"),
    _spf("spf-noall", "SPF-NOALL", "no end", "v=spf1 ip4:192.0.2.1"),
    _spf("spf-softfail", "", "~all is in order by the RFCs", "v=spf1 ip4:192.0.2.1 ~all"),
    _spf("spf-behind", "SPF-AFTERALL", "a term behind all", "v=spf1 -all ip4:192.0.2.1"),
    _spf("spf-redirect-all", "SPF-REDIRECT-ALL", "redirect beside all", "v=spf1 -all redirect=i1.ok.test"),
    _spf("spf-redirect", "", "a redirect alone is in order", "v=spf1 redirect=i1.ok.test"),
    _spf(
        "spf-eleven",
        "SPF-LOOKUPS",
        "eleven includes",
        "v=spf1 " + " ".join(f"include:i{n}.ok.test" for n in range(1, 12)) + " -all",
    ),
    _spf(
        "spf-nested",
        "SPF-LOOKUPS",
        "eleven, counted through the includes",
        "v=spf1 include:five.ok.test a:mx.ok.test include:i6.ok.test include:i7.ok.test include:i8.ok.test include:i9.ok.test -all",
    ),
    _spf(
        "spf-ten",
        "",
        "ten are allowed",
        "v=spf1 " + " ".join(f"include:i{n}.ok.test" for n in range(1, 11)) + " -all",
    ),
    _spf(
        "spf-void",
        "SPF-VOID SPF-VOID4 SPF-VOID6",
        "three names without an address",
        "v=spf1 a:g1.test a:g2.test a:g3.test -all",
    ),
    _spf(
        "spf-void6",
        "SPF-VOID6",
        "three hosts without IPv6",
        "v=spf1 a:v4only1.ok.test a:v4only2.ok.test a:v4only3.ok.test -all",
    ),
    _spf("spf-mxlimit", "SPF-MXLIMIT", "eleven exchangers behind mx:", "v=spf1 mx:many.ok.test -all"),
    _spf("spf-ptr", "SPF-PTR", "ptr is discouraged", "v=spf1 ptr -all"),
    _spf("spf-loop", "SPF-LOOP", "an include that comes back", "v=spf1 include:loop-b.ok.test -all"),
    _spf("spf-self", "SPF-LOOP", "an include of itself", "v=spf1 include:spf-self.test -all"),
    _spf(
        "spf-dup", "SPF-DUPINC", "the same include twice", "v=spf1 include:i1.ok.test include:i1.ok.test -all"
    ),
    _spf("spf-dead", "SPF-DEADINC", "an include of a name without TXT", "v=spf1 include:gone.test -all"),
    _spf("spf-dead-text", "SPF-DEADINC", "an include of other text", "v=spf1 include:notes.ok.test -all"),
    _spf("spf-dead-void", "SPF-DEADINC", "an include of a faulty record", "v=spf1 include:void.ok.test -all"),
    _spf("spf-dead-two", "SPF-DEADINC", "an include of two records", "v=spf1 include:two.ok.test -all"),
    _spf("spf-dead-redirect", "SPF-DEADINC", "a redirect to nothing", "v=spf1 redirect=gone.test"),
    _spf("spf-size", "SPF-SIZE", "too much text for a small message", "v=spf1 -all", "x" * 250, "y" * 250),
    _spf(
        "spf-chunk",
        "SPF-CHUNK SPF-DEADINC",
        "the space between two strings is lost",
        "v=spf1 include:i1.ok.test|include:i2.ok.test -all",
    ),
    _spf(
        "spf-two-strings",
        "",
        "two strings that join well",
        "v=spf1 include:i1.ok.test |include:i2.ok.test -all",
    ),
    _spf("spf-wide", "SPF-WIDE", "the whole Internet", "v=spf1 ip4:0.0.0.0/0 -all"),
    _spf("spf-wide6", "SPF-WIDE", "a huge IPv6 network", "v=spf1 ip6:2000::/8 -all"),
    _spf("spf-private", "SPF-PRIVATE", "a private network", "v=spf1 ip4:10.1.0.0/16 -all"),
    _spf("spf-senderid", "SPF-SENDERID", "a left-over", "v=spf1 -all", "spf2.0/pra -all"),
    _spf("spf-macro", "SPF-MACRO", "a macro is counted, not followed", "v=spf1 exists:%{i}.ok.test -all"),
    # DMARC
    _dmarc("dmarc-missing", "DMARC-MISSING", "no record"),
    _dmarc(
        "dmarc-multi", "DMARC-MULTI", "two records count as none", "v=DMARC1; p=reject", "v=DMARC1; p=none"
    ),
    _dmarc(
        "dmarc-case", "DMARC-MISSING DMARC-STRAY-TXT", "the version is case-sensitive", "v=dmarc1; p=reject"
    ),
    _dmarc(
        "dmarc-space", "DMARC-MISSING DMARC-STRAY-TXT", "a space before the version", " v=DMARC1; p=reject"
    ),
    _dmarc("dmarc-double-tag", "DMARC-VOID", "a tag twice voids the list", "v=DMARC1; p=reject; p=none"),
    _dmarc(
        "dmarc-semicolon",
        "DMARC-P-INVALID",
        "the missing semicolon of Microsoft's page: no policy, no rua",
        "v=DMARC1; p=reject rua=mailto:dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-sp-typo",
        "DMARC-SP-INVALID DMARC-NONE DMARC-NP-ABSENT",
        "a typo in sp turns the record into p=none",
        "v=DMARC1; p=reject; sp=quarantaine; rua=mailto:dmarc@ok.test",
    ),
    _dmarc("dmarc-no-p", "DMARC-VOID", "neither policy nor rua", "v=DMARC1; adkim=s"),
    _dmarc(
        "dmarc-none",
        "DMARC-NONE DMARC-NP-ABSENT",
        "it watches, and protects nothing",
        "v=DMARC1; p=none; rua=mailto:dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-quarantine",
        "DMARC-NP-ABSENT",
        "quarantine is in order by RFC 9989",
        "v=DMARC1; p=quarantine; rua=mailto:dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-sp-weaker",
        "DMARC-SP-WEAKER DMARC-NP-ABSENT",
        "subdomains are open",
        "v=DMARC1; p=reject; sp=none; rua=mailto:dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-test",
        "DMARC-TEST-MODE",
        "t=y lowers the policy",
        "v=DMARC1; p=reject; t=y; rua=mailto:dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-pct",
        "DMARC-PCT-RAMP",
        "pct is no ramp",
        "v=DMARC1; p=reject; pct=25; rua=mailto:dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-ri",
        "DMARC-HISTORIC-TAG",
        "a historic tag",
        "v=DMARC1; p=reject; ri=86400; rua=mailto:dmarc@ok.test",
    ),
    _dmarc("dmarc-no-rua", "DMARC-NO-RUA", "nobody gets reports", "v=DMARC1; p=reject"),
    _dmarc(
        "dmarc-rua-plain",
        "DMARC-SYNTAX DMARC-NO-RUA",
        "an address without mailto:",
        "v=DMARC1; p=reject; rua=dmarc@ok.test",
    ),
    _dmarc(
        "dmarc-unauth",
        "DMARC-RUA-UNAUTH",
        "the receiver of the reports did not agree",
        "v=DMARC1; p=reject; rua=mailto:dmarc@vendor.test",
    ),
    _dmarc(
        "dmarc-nomx",
        "DMARC-RUA-NOMX DMARC-RUA-UNAUTH",
        "the host of the address does not exist",
        "v=DMARC1; p=reject; rua=mailto:dmarc@gone.test",
    ),
    _dmarc(
        "dmarc-own-nomx",
        "DMARC-RUA-NOMX",
        "a subdomain that takes no mail",
        "v=DMARC1; p=reject; rua=mailto:dmarc@reports.dmarc-own-nomx.test",
    ),
    _dmarc(
        "dmarc-size",
        "DMARC-SIZE-SUFFIX",
        "a size behind the address",
        "v=DMARC1; p=reject; rua=mailto:dmarc@ok.test!10m",
    ),
    _dmarc(
        "dmarc-adkim",
        "DMARC-SYNTAX",
        "a word in place of a letter",
        "v=DMARC1; p=reject; adkim=strict; rua=mailto:dmarc@ok.test",
    ),
    _broken(
        "dmarc-at-apex",
        "DMARC-MISSING DMARC-WRONG-NAME",
        "the record stands at the domain itself",
        {"@ TXT": ["v=spf1 -all", "v=DMARC1; p=reject"], "_dmarc TXT": []},
    ),
    _broken(
        "dmarc-doubled",
        "DMARC-MISSING DMARC-WRONG-NAME",
        "_dmarc stands twice in the name",
        {"_dmarc._dmarc TXT": ["v=DMARC1; p=reject"], "_dmarc TXT": []},
    ),
    _broken(
        "dmarc-wildcard",
        "DMARC-NP-USELESS-WILDCARD DMARC-NONE WILDCARD-TXT",
        "np beside a wildcard",
        {
            "_dmarc TXT": ["v=DMARC1; p=none; np=reject; rua=mailto:dmarc@ok.test"],
            "* TXT": ["hello"],
        },
    ),
    _broken(
        "news.spf-parent",
        "SPF-SUBDOMAIN DMARC-INHERITED",
        "SPF is not inherited, DMARC is",
        {"@ TXT": [], "_dmarc TXT": []},
        also=(
            'spf-parent.test. 3600 IN TXT "v=spf1 -all"',
            '_dmarc.spf-parent.test. 3600 IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@ok.test"',
        ),
    ),
    _broken(
        "a.b.psl-differ",
        "DMARC-INHERITED DMARC-PSL-TREEWALK-DIFFER",
        "psd=n makes a department an organization; the Public Suffix List knows nothing of it",
        {"_dmarc TXT": []},
        also=(
            '_dmarc.b.psl-differ.test. 3600 IN TXT "v=DMARC1; p=reject; psd=n"',
            '_dmarc.psl-differ.test. 3600 IN TXT "v=DMARC1; p=quarantine"',
        ),
    ),
    # MX
    _broken("mx-missing", "MX-MISSING", "no MX", {"@ MX": []}),
    _broken("mx-null", "MX-NULL", "the domain takes no mail", {"@ MX": ["0 ."]}),
    _broken(
        "mx-null-beside", "MX-NULL-BESIDE", "a null MX beside another", {"@ MX": ["0 .", "10 mx.ok.test."]}
    ),
    _broken(
        "mx-cname",
        "MX-CNAME STS-MX-UNMATCHED",
        "an exchanger that is an alias",
        {"@ MX": ["0 alias.ok.test."]},
    ),
    _broken(
        "mx-noaddr", "MX-NOADDR STS-MX-UNMATCHED", "an exchanger without address", {"@ MX": ["0 gone.test."]}
    ),
    _broken("mx-address", "MX-ADDRESS STS-MX-UNMATCHED", "an address for a host", {"@ MX": ["0 192.0.2.1."]}),
    _broken("mx-twice", "MX-DUPLICATE", "one host twice", {"@ MX": ["0 mx.ok.test.", "10 mx.ok.test."]}),
    _broken(
        "mx-extra",
        "MX-EXTRA STS-MX-UNMATCHED",
        "a host beside Exchange Online",
        {"@ MX": ["0 contoso-test.mail.protection.outlook.com.", "10 mx.ok.test."]},
    ),
    _broken(
        "mx-priority",
        "MX-EXTRA MX-PRIORITY STS-MX-UNMATCHED",
        "another host comes first",
        {"@ MX": ["20 contoso-test.mail.protection.outlook.com.", "10 mx.ok.test."]},
    ),
    _broken(
        "mx-client",
        "MX-CLIENT-HOST STS-MX-UNMATCHED",
        "the host for clients",
        {"@ MX": ["0 smtp.office365.com."]},
    ),
    # MTA-STS
    _broken("sts-missing", "STS-TXT-MISSING", "no record", {"_mta-sts TXT": []}),
    _broken("sts-multi", "STS-MULTI", "two records", {"_mta-sts TXT": ["v=STSv1; id=1;", "v=STSv1; id=2;"]}),
    _broken("sts-space", "STS-SYNTAX", "a space before the semicolon", {"_mta-sts TXT": ["v=STSv1 ; id=1;"]}),
    _broken("sts-id", "STS-ID", "a hyphen in the id", {"_mta-sts TXT": ["v=STSv1; id=2026-11-23;"]}),
    _broken("sts-no-id", "STS-ID", "no id", {"_mta-sts TXT": ["v=STSv1;"]}),
    _broken("sts-host", "STS-HOST", "the host has no address", {"mta-sts A": []}),
    _broken("sts-404", "STS-HTTP", "no file", policy=Policy(status=404)),
    _broken(
        "sts-redirect",
        "STS-REDIRECT",
        "redirects are not followed",
        policy=Policy(status=301, location="https://www.sts-redirect.test/.well-known/mta-sts.txt"),
    ),
    _broken(
        "sts-cert-name", "STS-CERT", "another name's certificate", policy=Policy(certificate="other-name")
    ),
    _broken("sts-cert-expired", "STS-CERT", "an expired certificate", policy=Policy(certificate="expired")),
    _broken(
        "sts-cert-self", "STS-CERT", "a self-signed certificate", policy=Policy(certificate="self-signed")
    ),
    _broken("sts-cert-soon", "STS-CERT-EXPIRY", "it ends in days", policy=Policy(certificate="ends-soon")),
    _broken(
        "sts-type", "STS-CTYPE", "another media type", policy=Policy(media_type="application/octet-stream")
    ),
    _broken(
        "sts-html",
        "STS-CTYPE STS-FILE-SYNTAX",
        "a web page with status 200",
        policy=Policy("<!DOCTYPE html><title>Not found</title>", media_type="text/html"),
    ),
    _broken(
        "sts-colon",
        "STS-FILE-SYNTAX",
        "white space before the colon",
        policy=Policy(POLICY.replace("mode:", "mode :")),
    ),
    _broken(
        "sts-testing", "STS-MODE", "it only watches", policy=Policy(POLICY.replace("enforce", "testing"))
    ),
    _broken("sts-maxage", "STS-MAXAGE", "an hour", policy=Policy(POLICY.replace("604800", "3600"))),
    _broken(
        "sts-unmatched",
        "STS-MX-UNMATCHED",
        "the policy names another host",
        policy=Policy(POLICY.replace("mx.ok.test", "mx.other.test")),
    ),
    _broken(
        "sts-mx-microsoft",
        "STS-MX-UNMATCHED STS-WILDCARD-BROAD",
        "*.mx.microsoft stands for one label only",
        {"@ MX": ["0 contoso-test.o-v1.mx.microsoft."]},
        policy=Policy(POLICY.replace("mx.ok.test", "*.mx.microsoft")),
    ),
    _broken(
        "sts-broad",
        "STS-WILDCARD-BROAD",
        "the pattern of all tenants",
        {"@ MX": ["0 contoso-test.mail.protection.outlook.com."]},
        policy=Policy(POLICY.replace("mx.ok.test", "*.mail.protection.outlook.com")),
    ),
    _broken("sts-big", "STS-HTTP", "more than 64 KiB", policy=Policy(POLICY + "x: y\r\n" * 20000)),
    # TLS-RPT
    _broken("tlsrpt-missing", "TLSRPT-MISSING", "no record", {"_smtp._tls TXT": []}),
    _broken(
        "tlsrpt-multi",
        "TLSRPT-MULTI",
        "two records",
        {"_smtp._tls TXT": ["v=TLSRPTv1; rua=mailto:a@ok.test", "v=TLSRPTv1; rua=mailto:b@ok.test"]},
    ),
    _broken(
        "tlsrpt-syntax",
        "TLSRPT-SYNTAX",
        "no semicolon behind the version",
        {"_smtp._tls TXT": ["v=TLSRPTv1 rua=mailto:tls@ok.test"]},
    ),
    _broken("tlsrpt-no-rua", "TLSRPT-SYNTAX", "no rua", {"_smtp._tls TXT": ["v=TLSRPTv1;"]}),
    _broken(
        "tlsrpt-scheme", "TLSRPT-SCHEME", "no mailto:", {"_smtp._tls TXT": ["v=TLSRPTv1; rua=tls@ok.test"]}
    ),
    _broken(
        "tlsrpt-self",
        "TLSRPT-SELF-DEST",
        "reports take the broken road",
        {"_smtp._tls TXT": ["v=TLSRPTv1; rua=mailto:tls@tlsrpt-self.test"]},
    ),
    # DKIM, as far as DNS shows it
    _broken(
        "dkim-absent",
        "DKIM-SELECTORS-ABSENT",
        "neither selector",
        {"selector1._domainkey CNAME": [], "selector2._domainkey CNAME": []},
    ),
    _broken("dkim-one", "DKIM-CNAME-MISSING", "selector2 is not there", {"selector2._domainkey CNAME": []}),
    _broken(
        "dkim-dangling",
        "DKIM-DANGLING",
        "a target that is gone",
        {"selector1._domainkey CNAME": ["gone.keys.test."]},
    ),
    _broken(
        "dkim-no-key",
        "DKIM-KEY-MISSING",
        "a target without TXT",
        {"selector1._domainkey CNAME": ["mx.ok.test."]},
    ),
    _broken(
        "dkim-revoked",
        "DKIM-KEY-REVOKED",
        "an empty p",
        {"selector1._domainkey CNAME": ["revoked.keys.test."]},
    ),
    _broken(
        "dkim-short", "DKIM-KEY-SHORT", "1024 bits", {"selector1._domainkey CNAME": ["short.keys.test."]}
    ),
    _broken("dkim-cut", "DKIM-KEY-SYNTAX", "cut at 255", {"selector1._domainkey CNAME": ["cut.keys.test."]}),
    _broken(
        "dkim-as-txt",
        "DKIM-CNAME-AS-TXT",
        "the target stored as text",
        {
            "selector1._domainkey CNAME": [],
            "selector1._domainkey TXT": ["selector1-dkim-as-txt._domainkey.contoso.onmicrosoft.com"],
        },
    ),
    _broken(
        "dkim-two", "DKIM-KEY-MULTIPLE", "two keys", {"selector1._domainkey CNAME": ["double.keys.test."]}
    ),
    _broken("dkim-test", "DKIM-TESTING", "t=y", {"selector1._domainkey CNAME": ["testing.keys.test."]}),
    _broken(
        "dkim-same", "DKIM-DUPKEY", "one key for both", {"selector2._domainkey CNAME": ["one.keys.test."]}
    ),
    _broken(
        "dkim-doubled",
        "DKIM-CNAME-DOUBLED",
        "the zone stands twice",
        {
            "selector1._domainkey CNAME": [],
            "selector1._domainkey.dkim-doubled.test CNAME": ["one.keys.test."],
        },
    ),
    _broken(
        "dkim-wildcard",
        "DKIM-WILDCARD",
        "every selector seems to exist",
        {"*._domainkey CNAME": ["one.keys.test."]},
    ),
    # BIMI
    _broken(
        "bimi-syntax", "BIMI-SYNTAX", "no logo", {"default._bimi TXT": ["v=BIMI1; a=https://ok.test/a.pem"]}
    ),
    _broken(
        "bimi-dmarc",
        "BIMI-DMARC DMARC-NONE DMARC-NP-ABSENT",
        "a logo without enforcement",
        {
            "default._bimi TXT": ["v=BIMI1; l=https://ok.test/logo.svg"],
            "_dmarc TXT": ["v=DMARC1; p=none; rua=mailto:dmarc@ok.test"],
        },
    ),
)
