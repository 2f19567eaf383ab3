"""Tag lists, `tag=value; tag=value`, as DKIM key records and their relatives use them (records, pure).

v=DKIM1; k=rsa; p=MIIBIjANBg…      RFC 6376 §3.2
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exo_auth.errors import RecordSyntaxError

WHITE = " \t\r\n"  # FWS of RFC 6376 §2.8, as it survives in one joined TXT record

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)  # RFC 6376 §3.2 tag-name
_TAG = re.compile(
    r"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=[ \t\r\n]*([\x21-\x3a\x3c-\x7e \t\r\n]*)", re.ASCII
)
_BAD_VALUE = re.compile(r"[^\x21-\x3a\x3c-\x7e \t\r\n]")  # RFC 6376 §3.2 VALCHAR and FWS


@dataclass(frozen=True, slots=True)
class Tag:
    """One `name=value`; `position` is the 0-based index of the value's first character in the record."""

    name: str
    value: str
    position: int


def parse_tag_list(text: str) -> tuple[Tag, ...]:
    """Split a tag list; names and values keep their case; raises RecordSyntaxError.

    A duplicate name voids the whole list, a final semicolon is optional (RFC 6376 §3.2).
    """
    tags: list[Tag] = []
    names: set[str] = set()
    start = 0
    for part in text.split(";"):
        end = start + len(part)
        if part.strip(WHITE):
            match = _TAG.fullmatch(text, start, end)
            if match is None:
                raise _fault(text, start, end)
            tag = Tag(match[1], match[2].rstrip(WHITE), match.start(2))
            if tag.name in names:
                raise RecordSyntaxError(
                    f"the tag “{tag.name}” occurs twice",
                    position=tag.position,
                    expected="each tag once (RFC 6376 §3.2)",
                )
            names.add(tag.name)
            tags.append(tag)
        elif end < len(text) or not tags:
            raise RecordSyntaxError("an empty tag", position=start, expected="a tag such as v=DKIM1")
        start = end + 1
    return tuple(tags)


def _fault(text: str, start: int, end: int) -> RecordSyntaxError:
    """Find out why this is no tag, and where."""
    while text[start] in WHITE:
        start += 1
    match = _NAME.match(text, start, end)
    if match is None:
        return RecordSyntaxError(f"“{text[start]}” cannot begin a tag", position=start, expected="a letter")
    after = match.end()
    while after < end and text[after] in WHITE:
        after += 1
    if after >= end or text[after] != "=":
        return RecordSyntaxError(
            f"the tag “{match.group()}” has no value", position=after, expected="an equals sign"
        )
    bad = _BAD_VALUE.search(text, after + 1, end)
    where = bad.start() if bad else after  # there is one: all else was looked at
    return RecordSyntaxError(
        f"{text[where]!a} in the value of “{match.group()}”", position=where, expected="printable ASCII"
    )
