"""Bytes of unknown or wrongly declared charset to text. Never raises.

Order: UTF-8 if it is valid or hardly damaged (cp1251 or koi8-r Russian practically never is), then the declared charset,
then a guess. A declared us-ascii or Latin charset over 8-bit bytes is what old Russian mailers write for cp1251: there the
guess goes first.
"""

from __future__ import annotations

import codecs
import re

SAMPLE = 20_000  # bytes that the guess looks at

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u0080-\u009f\ud800-\udfff\ufeff]")
# Seven-bit or wide charsets: their bytes may look like valid UTF-8.
_STATEFUL = re.compile(r"^(iso-?2022|utf-?7|hz|utf-?16|utf-?32)", re.IGNORECASE)
_LATIN = frozenset({"ascii", "iso8859-1", "cp1252", "iso8859-15"})
# Python text codecs that are no charsets; some of them warn or run for long on hostile bytes.
_NO_CHARSETS = frozenset({"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "mbcs", "oem"})


def clean(text: str) -> str:
    """Line ends as \\n, no control characters, no lone surrogates (JSON cannot hold them)."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def decode(data: bytes, declared: str = "") -> str:
    """The text of these bytes; what no charset explains becomes U+FFFD."""
    name = _codec(declared)
    if name and _STATEFUL.match(name):
        text = _try(data, name)
        if text is not None:
            return clean(text)
    for bom, wide in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(bom) and (text := _try(data, wide)) is not None:
            return clean(text)
    text = _try(data, "utf-8") or _damaged_utf8(data)
    if text is None and name and name not in _LATIN:
        text = _try(data, name)
    if text is None:
        text = _try(data, _guess(data)) or _try(data, name or "cp1251")
    return clean(text if text is not None else data.decode("cp1251", "replace"))


def _codec(declared: str) -> str:
    """The canonical codec name, or "" when it is unknown or no charset."""
    try:
        name = codecs.lookup(declared.strip(" \"'")).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    return "" if name.replace("_", "-") in _NO_CHARSETS else name


def _try(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name) if name else None
    except (UnicodeError, LookupError, ValueError):
        return None


def _damaged_utf8(data: bytes) -> str | None:
    """UTF-8 that was cut or hit in a few places: nearly all of its letters are valid still."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(1 for c in text if c >= "\u0080") - bad
    return text if bad <= max(1, good // 20) and good >= 2 else None


def _guess(data: bytes) -> str:
    """chardet's opinion; for a few words, where it has none, the likelier of cp1251 and koi8-r."""
    import chardet  # for the few letters that do not name a charset themselves

    found = chardet.detect(data[:SAMPLE]).get("encoding") or ""
    name = _codec(found)
    if name and len(data) >= 24:
        return name
    return max(("cp1251", "koi8-r"), key=lambda codec: _russian(data.decode(codec, "replace")))


def _russian(text: str) -> int:
    """How Russian a text looks: a small letter after a letter is usual, a capital after a small one is not."""
    usual = len(re.findall(r"(?<=[А-Яа-яё])[а-яё]", text))
    odd = len(re.findall(r"(?<=[а-яё])[А-ЯЁ]|[^\x00-\x7fА-Яа-яЁё№«»—–…]", text))
    return usual - 3 * odd
