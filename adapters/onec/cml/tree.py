"""Elements by local names, whatever namespace they come in: a step on the hot path of every file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree


class _Names(dict[str, str]):
    """Full tag → local name. Bounded: a hostile file cannot fill the memory with invented names."""

    def __missing__(self, tag: object) -> str:
        if not isinstance(tag, str):
            return ""  # an instruction
        name = tag.rpartition("}")[2]
        if len(self) < 4096:
            self[tag] = name
        return name


NAMES = _Names()


class ByTag(dict[str, Any]):
    """What is done with an element, by its full tag, out of a table by local names: one look-up where the reading is
    hottest. None for a tag that the table does not have."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__(table)
        self._table = table

    def __missing__(self, tag: str) -> Any:
        found = self._table.get(NAMES[tag])
        if len(self) < 4096:
            self[tag] = found
        return found


def text(element: etree._Element | None) -> str:
    """The element's own text, trimmed; "" where there is none."""
    return (element.text or "").strip() if element is not None else ""


def children(element: etree._Element, *path: str) -> Iterator[etree._Element]:
    """The elements at `path` (local names) below `element`, all branches."""
    if not path:
        yield element
        return
    for child in element:
        if NAMES[child.tag] == path[0]:
            yield from children(child, *path[1:])


def child(element: etree._Element, *path: str) -> etree._Element | None:
    return next(children(element, *path), None)


def parent_name(element: etree._Element) -> str:
    parent = element.getparent()
    return NAMES[parent.tag] if parent is not None else ""


def forget_before(element: etree._Element) -> None:
    """Free the siblings before `element`: they are read. (`element` itself may still be in the parser's hands.)"""
    previous = element.getprevious()
    if previous is None:
        return
    parent = element.getparent()
    assert parent is not None  # the root has no siblings
    while previous is not None:
        parent.remove(previous)
        previous = element.getprevious()
