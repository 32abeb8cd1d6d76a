"""On which line of a TOML text a key stands. tomllib does not tell; a mistake in a mapping must be found by people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PART = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=")
_KEY = re.compile(_PART)

Key = tuple[str | int, ...]
Lines = Mapping[Key, int]


def key_lines(text: str) -> dict[Key, int]:
    """Way to a key → its line (from 1). Good enough for people: keys inside inline tables have the line of their table."""
    found: dict[Key, int] = {}
    section: Key = ()
    counts: dict[Key, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            *outer, last = _parts(header[2])
            section = (*_current(outer, counts), last)
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


def _current(section: Sequence[str | int], counts: Mapping[Key, int]) -> Key:
    """The way with the number of the current item after each array of tables in it."""
    way: Key = ()
    for part in section:
        way = (*way, part)
        if way in counts:
            way = (*way, counts[way])
    return way


def line_of(lines: Lines, key: Key) -> int | None:
    """The line of the key, else of the nearest table around it."""
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _KEY.findall(dotted))
