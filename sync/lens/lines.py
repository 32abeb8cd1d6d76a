"""On which line of a TOML text a key stands. tomllib does not tell; a mistake in a mapping must be found by people."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PART = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=")
_KEY = re.compile(_PART)

Lines = Mapping[tuple[str | int, ...], int]


def key_lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Way to a key → its line (from 1). Good enough for people: keys inside inline tables have the line of their table."""
    found: dict[tuple[str | int, ...], int] = {}
    section: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            section = _parts(header[2])
            if header[1] == "[[":
                found.setdefault(section, number)
                counts[section] = counts.get(section, -1) + 1
                section = (*section, counts[section])
            found.setdefault(section, number)
            continue
        entry = _ENTRY.match(line)
        if entry:
            found.setdefault((*section, *_parts(entry[1])), number)
    return found


def line_of(lines: Lines, key: tuple[str | int, ...]) -> int | None:
    """The line of the key, else of the nearest table around it."""
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _KEY.findall(dotted))
