"""Header fields of a letter: encoded words, raw 8-bit values, addresses, Message-IDs and dates. Nothing here raises.

Facts: RFC 5322 (fields), RFC 2047 (encoded words), RFC 3492/5891 (IDN). The stdlib parser's compat32 policy keeps a raw
8-bit value as surrogate escapes; they are turned back into bytes here and decoded like a body.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import quopri
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from typing import Any, TypedDict

from adapters.mail.charset import clean, decode

LONGEST = 65_536  # characters of one field; the rest is cut (a hostile field costs no more than this)
MOST = 500  # addresses of one field

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BARE = re.compile(r"[^\s<>\"',;:()\[\]\\]+@[^\s<>\"',;:()\[\]\\]+")


class Address(TypedDict):
    name: str
    address: str  # lower case, IDN in Unicode


def field(message: Message, name: str) -> str:
    """The first field of that name, unfolded and decoded; "" without one."""
    for value in fields(message, name):
        return value
    return ""


def fields(message: Message, name: str) -> list[str]:
    """All fields of that name, decoded."""
    return [decode_words(value) for value in _raw_fields(message, name)]


def has(message: Message, name: str) -> bool:
    return any(True for _ in _raw_fields(message, name))


def _raw_fields(message: Message, name: str) -> Iterator[str]:
    wanted = name.lower()
    for key, value in message.raw_items():
        if key.lower() == wanted:
            yield re.sub(r"\r?\n[ \t]*", " ", readable(value))[:LONGEST]


def readable(value: Any) -> str:
    """A raw field with its 8-bit part (surrogate escapes) decoded; encoded words are left alone."""
    text = str(value)
    if text.isascii():
        return text
    try:
        return decode(text.encode("ascii", "surrogateescape"), "")
    except UnicodeEncodeError:  # real Unicode already
        return clean(text)


def decode_words(value: str) -> str:
    """RFC 2047. Neighbouring words of one charset are joined as bytes first: many mailers cut inside a letter."""
    out: list[str] = []
    pending, charset, end = b"", "", 0
    for match in _WORD.finditer(value):
        between = value[end : match.start()]
        name = match[1].partition("*")[0].lower()  # RFC 2231 adds "*language"
        data = _word_bytes(match[2], match[3])
        if pending and not between.strip() and name == charset:
            pending += data
        else:
            if pending:
                out.append(decode(pending, charset))
            if between.strip() or not pending:
                out.append(between)
            pending, charset = data, name
        end = match.end()
    if pending:
        out.append(decode(pending, charset))
    out.append(value[end:])
    return " ".join(clean("".join(out)).split())


def _word_bytes(kind: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if kind in "qQ":
        return quopri.decodestring(raw.replace(b"_", b" "), header=False)
    return lenient_base64(raw)


def lenient_base64(raw: bytes) -> bytes:
    """Base64 with wrong padding or foreign characters: what can be read of it."""
    raw = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    if len(raw) % 4 == 1:
        raw = raw[:-1]
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        return b""


def addresses(message: Message, *names: str) -> list[Address]:
    """The addresses of these fields in order, each once per field. A group or a broken item without "@" gives nothing."""
    found: list[Address] = []
    for name in names:
        for value in _raw_fields(message, name):
            found.extend(parse_addresses(value))
    return found[:MOST]


def parse_addresses(value: str) -> list[Address]:
    """Parse before decoding: a decoded name may hold commas and quotes."""
    try:
        pairs = email.utils.getaddresses([value[:LONGEST]])
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError):
        pairs = []
    found = [_address(name, address) for name, address in pairs if "@" in address.strip("@ ")]
    if not found:  # encoded as a whole, or broken: whatever looks like an address
        decoded = decode_words(value)
        found = [_address(decoded[: m.start()] if i == 0 else "", m[0]) for i, m in enumerate(_BARE.finditer(decoded))]
    return [a for a in found if a["address"]]


def _address(name: str, address: str) -> Address:
    return Address(name=decode_words(name).strip(" \"'<>,;\t"), address=normal_address(decode_words(address)))


def normal_address(value: str) -> str:
    """Lower case, trimmed, IDN domain in Unicode: two spellings of one mailbox are equal. "" without "@".

    >>> normal_address(" Ivan@XN--80A1ACNY.xn--p1ai. ")
    'ivan@почта.рф'
    """
    local, at, domain = clean(value).strip(" \t\n<>\"'").rpartition("@")
    if not at or not local or not domain or len(value) > 1000:
        return ""
    labels = domain.strip(".").lower().split(".")
    return f"{local.strip().lower()}@{'.'.join(_unicode_label(label) for label in labels)}"


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def message_ids(value: str) -> list[str]:
    """The ids of a Message-ID, In-Reply-To or References field, canonical, each once, in order."""
    found = re.findall(r"<([^<>]{1,990})>", value)
    if not found:
        found = [word for word in value.split() if "@" in word] or value.split()[:1]
    return list(dict.fromkeys(i for i in map(canonical_id, found) if i))


def canonical_id(value: str) -> str:
    """Without <> and white space, the part after the last "@" in lower case (equal however a mailer writes it)."""
    bare = re.sub(r"\s+", "", clean(value)).strip("<>")[:990]
    local, at, domain = bare.rpartition("@")
    return f"{local}@{domain.lower()}" if at else bare


def parse_date(value: str) -> datetime | None:
    """An RFC 5322 date as aware UTC; without a zone it is read as UTC. None when it is no date."""
    try:
        moment = email.utils.parsedate_to_datetime(value[:200])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
