"""Which elements of a tree are read to their end while the parser is still at work on it."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from adapters.onec.cml.tree import NAMES


class Ended:
    """The elements of a growing tree that are read to their end: something stands behind each, or the file was read whole.

    The parser is at work on the last of every level still; what stands before it may be read and taken away.
    """

    def __init__(self, tags: frozenset[str], lists: frozenset[str]) -> None:
        self._tags, self._lists = tags, lists
        self._mark: etree._Element | None = None  # our instruction
        self._disturbed = False  # there are instructions among the elements
        self._path: list[etree._Element] = []  # from the root to the list that is being read
        self._done: list[etree._Element | None] = []  # of each of them the last child that was dealt with
        self.last: etree._Element | None = None  # the one that the parser may be at work on

    def saw(self, instruction: etree._Element) -> None:
        """The first one is ours."""
        if self._mark is None:
            self._mark = instruction
        else:
            self._disturbed = True

    def elements(self, *, whole: bool) -> Iterator[etree._Element]:
        """Those that have ended since."""
        self.last = None
        if not self._path:
            self._begin()
        path, done, inner = self._path, self._done, self._tags - self._lists
        while path:
            last = done[-1]
            child = last.getnext() if last is not None else next(iter(path[-1]), None)
            if child is None:
                if not (whole or self._left()):
                    return
                top = path.pop()
                done.pop()
                if path:
                    done[-1] = top
                    if NAMES[top.tag] in self._tags:
                        yield self._plain(top)
            elif NAMES[child.tag] in inner:
                if child.getnext() is None and not (whole or self._left()):
                    self.last = child
                    return
                done[-1] = child
                yield self._plain(child)
            else:
                path.append(child)
                done.append(None)

    def _begin(self) -> None:
        root = self._mark
        while root is not None and not isinstance(root.tag, str):
            root = root.getnext()
        if root is not None:
            self._path.append(root)
            self._done.append(None)

    def _left(self) -> bool:
        """Whether the parser has left the list, or one of those around it."""
        return any(element.getnext() is not None for element in self._path[1:])

    def _plain(self, element: etree._Element) -> etree._Element:
        if self._disturbed:
            etree.strip_tags(element, etree.ProcessingInstruction)
        return element
