"""Paths into native records: `billing.phone`, `phones[0].value`, `meta_data[key=inn].value`, `$.currency`, `$position`.

Reading a path that leads nowhere gives UNKNOWN. A name over a list of records gives the list of their values. Writing makes
a patch for deep merging: records are merged, lists are replaced whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync.errors import Text
from sync.lens.problems import UNKNOWN, Bad

Scope = tuple[Any, int]  # the whole record, and the position (from 1) of the row that is being read
Read = Callable[[Any, Scope], Any]

_TOKEN = re.compile(
    r"\\(?P<plain>.)|(?P<dot>\.)|\[(?P<index>\d{1,6})\]|\[(?P<name>[^\[\]=]+)=(?P<value>[^\[\]]*)\]|(?P<char>.)"
)

RECORD_EXPECTED = Text(
    "A record with named values is expected here.", "Здесь ожидается запись с именованными значениями."
)
LIST_EXPECTED = Text("A list is expected here.", "Здесь ожидается список.")


@dataclass(frozen=True, slots=True)
class Pick:
    """The first item of a list whose `name` is `value`."""

    name: str
    value: str


Segment = str | int | Pick


@dataclass(frozen=True, slots=True)
class Path:
    text: str
    segments: tuple[Segment, ...]
    base: str = ""  # "" the record or row at hand, "$" the whole record, "#" the row's position


def parse_path(text: str) -> Path:
    """ValueError with a reason when the text is no path. `\\.`, `\\[` and `\\|` are those characters themselves."""
    if text == "$position":
        return Path(text, (), "#")
    base, rest = ("$", text[2:]) if text.startswith("$.") else ("", text)
    if rest == ".":
        return Path(text, (), base)
    segments: list[Segment] = []
    name, closed = "", False  # closed: an index was just read, so only "." or another index may follow
    for token in _TOKEN.finditer(rest):
        kind = token.lastgroup
        if kind in ("plain", "char"):
            if closed:
                raise ValueError("after ']' a '.' is expected")
            name += token["plain"] or token["char"]
        elif kind == "dot":
            if not closed:
                segments.append(_named(name))
            name, closed = "", False
        else:
            if name:
                segments.append(_named(name))
                name = ""
            segments.append(int(token["index"]) if kind == "index" else Pick(token["name"], token["value"]))
            closed = True
    if not closed:
        segments.append(_named(name))
    return Path(text, tuple(segments), base)


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise ValueError("a name is missing")
    return name


def reader(path: Path) -> Read:
    """The compiled way to a value. The two commonest shapes have closures of their own: they are the hot path."""
    segments = path.segments
    if path.base == "#":
        return lambda node, scope: scope[1]
    if path.base == "$":
        return lambda node, scope: walk(scope[0], segments)
    if len(segments) == 1 and isinstance(segments[0], str):
        only = segments[0]

        def one(node: Any, scope: Scope) -> Any:
            return node.get(only, UNKNOWN) if type(node) is dict else walk(node, segments)

        return one
    if len(segments) == 2 and isinstance(segments[0], str) and isinstance(segments[1], str):
        outer, inner = segments

        def two(node: Any, scope: Scope) -> Any:
            if type(node) is dict:
                middle = node.get(outer, UNKNOWN)
                if type(middle) is dict:
                    return middle.get(inner, UNKNOWN)
            return walk(node, segments)

        return two
    return lambda node, scope: walk(node, segments)


def walk(node: Any, segments: tuple[Segment, ...]) -> Any:
    """The value at the end of the path, UNKNOWN when it leads nowhere, Bad when something else stands in the way."""
    for place, segment in enumerate(segments):
        if node is UNKNOWN or (nothing(node) and not isinstance(node, list)):
            return UNKNOWN
        if isinstance(segment, str):
            if isinstance(node, list):
                return _over(node, segments[place:])
            if not isinstance(node, dict):
                raise Bad(RECORD_EXPECTED, node)
            node = node.get(segment, UNKNOWN)
        elif not isinstance(node, list):
            raise Bad(LIST_EXPECTED, node)
        elif isinstance(segment, int):
            node = node[segment] if segment < len(node) else UNKNOWN
        else:
            node = next((item for item in node if _picked(item, segment)), UNKNOWN)
    return node


def nothing(node: Any) -> bool:
    """PHP and its kin write null, false, "" or [] where a record has nothing: such a place leads nowhere."""
    return node is None or node is False or (isinstance(node, str | list) and not node)


def _over(items: list[Any], segments: tuple[Segment, ...]) -> Any:
    """The values of all records of a list, lists among them flattened; UNKNOWN when there are records and none has it."""
    found: list[Any] = []
    reported = not items
    for item in items:
        if item is None:
            continue
        if not isinstance(item, dict):
            raise Bad(RECORD_EXPECTED, item)
        value = walk(item, segments)
        if value is not UNKNOWN:
            reported = True
            found.extend(value if isinstance(value, list) else [value])
    return found if reported else UNKNOWN


def _picked(item: Any, pick: Pick) -> bool:
    value = item.get(pick.name) if isinstance(item, dict) else None
    return isinstance(value, str | int) and not isinstance(value, bool) and same_word(value, pick.value)


def same_word(value: str | int, word: str) -> bool:
    return value == word if isinstance(value, str) else word.isdecimal() and value == int(word[:40])


def replaced(node: Any, segments: tuple[Segment, ...], value: Any) -> Any:
    """A copy of `node` with `value` at the path. Nothing that stands in the way is overwritten: Bad."""
    if not segments:
        return value
    head, rest = segments[0], segments[1:]
    empty = node is UNKNOWN or nothing(node)
    if isinstance(head, str):
        if not (empty or isinstance(node, dict)):
            raise Bad(RECORD_EXPECTED, node)
        record = {} if empty else node
        return {**record, head: replaced(record.get(head, UNKNOWN), rest, value)}
    if not (empty or isinstance(node, list)):
        raise Bad(LIST_EXPECTED, node)
    items = [] if empty else list(node)
    fresh: Any = UNKNOWN
    if isinstance(head, int):
        at = head
        if at > len(items):
            raise Bad(Text("The list is too short to write there.", "Список слишком короток, чтобы туда записать."))
    else:
        at = next((i for i, item in enumerate(items) if _picked(item, head)), len(items))
        fresh = {head.name: head.value}
    if at == len(items):
        items.append(fresh)
    items[at] = replaced(items[at], rest, value)
    return items


def write(path: Path, native: dict[str, Any], patch: dict[str, Any], value: Any) -> dict[str, Any]:
    """`patch` with the value added at the path; a list on the way enters the patch whole, as it stands with the change."""
    names = next((i for i, s in enumerate(path.segments) if not isinstance(s, str)), len(path.segments))
    lead, tail = path.segments[:names], path.segments[names:]
    for depth in range(1, len(lead)):
        parent = _at(native, lead[:depth])
        if not (parent is UNKNOWN or nothing(parent) or isinstance(parent, dict)):
            raise Bad(RECORD_EXPECTED, parent, path.text)
    if tail:
        begun = _at(patch, lead)
        value = replaced(_at(native, lead) if begun is UNKNOWN else begun, tail, value)
    changed: dict[str, Any] = replaced(patch, lead, value)
    return changed


def _at(node: Any, segments: tuple[Segment, ...]) -> Any:
    """Like walk, but by names through records only."""
    for segment in segments:
        node = node.get(segment, UNKNOWN) if isinstance(node, dict) else UNKNOWN
    return node


def apply_patch(native: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The native record after the patch: records are merged, everything else is replaced. Neither argument changes."""
    merged = dict(native)
    for key, value in patch.items():
        old = merged.get(key)
        merged[key] = apply_patch(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
    return merged
