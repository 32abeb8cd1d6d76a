"""A guarded stream of XML elements: flat memory, no entities, no DTD, no network, every limit with a clear refusal.

CommerceML files come with namespaces `urn:1C.ru:commerceml_2`, `_205`, `_208`, `_210` or none, and with a schema version
that disagrees with it, so that everything here goes by local names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Literal

from lxml import etree

from adapters.base import RecordRefused, Text
from adapters.onec.cml.ended import Ended
from adapters.onec.cml.prologue import ROOTS, codec_of, opening, undeclared_1251
from adapters.onec.cml.tree import NAMES

CHUNK = 32 * 1024
PADDING = b"\x00\x1a \t\r\n"  # what some programs leave behind the root's end
MAX_GAP = 32 * 1024 * 1024  # bytes between two records; one record may not be larger
_NAMESPACE_ERRORS = (etree.ErrorTypes.WAR_NS_URI, etree.ErrorTypes.WAR_NS_URI_RELATIVE)


class Portions:
    """A file as the parser is fed with it: its first bytes as they were made ready, then the stream."""

    blank = False  # what was read last stands for records that need not be looked at

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._rest, self._stream = head, stream

    def read(self, size: int = CHUNK) -> bytes:
        rest, self._rest = self._rest, b""
        return rest or self._stream.read(size)


def elements(
    stream: IO[bytes],
    tags: frozenset[str],
    lists: frozenset[str],
    portions: Callable[[bytes, IO[bytes]], Portions] = Portions,
) -> Iterator[etree._Element]:
    """Elements whose local name is in `tags`, each when it is complete. Only those in `lists` are looked into for more.
    `portions` may leave out of a file what need not be parsed.

    RecordRefused (codes cml.empty, cml.root, cml.doctype, cml.encoding, cml.broken, cml.too_large); everything before a
    break is yielded first.
    """
    head = opening(stream)
    source = portions(head, stream)
    feed, ended = _Feed(source, undeclared_1251(head)), Ended(tags, lists)
    gap = 0
    recent: list[bytes] = []  # what the last element of the tree may stand in
    while not feed.over:
        portion = feed.take()
        if not source.blank:
            recent.append(portion)
            gap += len(portion)
        for instruction in feed.instructions():
            ended.saw(instruction)
        found = False
        for element in ended.elements(whole=feed.whole):
            found = True
            yield element
        if found:
            recent = recent[-2:]
        if found or source.blank:
            gap = 0
        if gap > MAX_GAP:
            raise _too_large(gap)
    if feed.broken is not None:
        if ended.last is not None and _stands_whole(ended.last, b"".join(recent), head):
            yield ended.last
        raise _broken(*feed.broken)


class _Feed:
    """A parser that is fed portion by portion, as far as the root's end or a break."""

    broken: tuple[int, str] | None = None  # line and reason
    whole = False  # the root was read to its end

    def __init__(self, source: Portions, windows_1251: bool) -> None:
        # No events of elements: a call at the beginning and end of each would take a seventh of the time
        self._source, self._parser = source, _parser("pi", windows_1251)

    @property
    def over(self) -> bool:
        return self.whole or self.broken is not None

    def take(self) -> bytes:
        """Feed the next portion, and give it."""
        portion = self._source.read()
        try:
            if portion:
                self._parser.feed(portion)
            else:
                self._parser.close()
        except etree.XMLSyntaxError as error:
            self.broken = _break(self._parser, error)
        else:
            self.broken = _unsaid(self._parser)
        if not portion:
            self.whole = self.broken is None
        elif self.broken is not None and _behind_the_end(self._parser):
            self.whole = True
            if _padded(portion, self._source):
                self.broken = None
        return portion

    def instructions(self) -> Iterator[etree._Element]:
        for _, instruction in self._parser.read_events():
            yield instruction  # type: ignore[misc]


def _parser(event: Literal["end", "pi"], windows_1251: bool) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=(event,),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=event != "pi",
        remove_blank_text=True,  # the indentation: a tenth of the time
        collect_ids=False,
        encoding="windows-1251" if windows_1251 else None,
    )


def _break(parser: etree.XMLPullParser, error: etree.XMLSyntaxError) -> tuple[int, str] | None:
    """Line and reason; None when there is no break: the namespace of schema 2.05 is literally `urn:1C.ru:commerceml 2`,
    which is no URI and no reason to refuse a file.

    By the parser's own log: `error.error_log` holds what other files of this process have broken at, too.
    """
    log: Any = parser.feed_error_log
    found = [(entry.line, entry.message.strip()) for entry in log if entry.type not in _NAMESPACE_ERRORS]
    return (found[0] if found else None) if len(log) else (error.lineno or 0, str(error.msg))


def _unsaid(parser: etree.XMLPullParser) -> tuple[int, str] | None:
    """A break that feeding does not raise (an unknown entity): the next portion would be reported in its place."""
    log: Any = parser.feed_error_log
    return next(((one.line, one.message) for one in log if one.level == etree.ErrorLevels.FATAL), None)


def _stands_whole(element: etree._Element, raw: bytes, head: bytes) -> bool:
    """Whether the last element of a broken file was there to its end: read by itself, a piece of `raw` gives the same."""
    encoding = codec_of(head)
    start, wanted = f"<{NAMES[element.tag]}".encode(encoding), _contents(element)
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'.encode(encoding)
    at = raw.rfind(start)
    while at >= 0:
        parser = _parser("end", False)
        with contextlib.suppress(etree.XMLSyntaxError):
            parser.feed(declaration + raw[at:])
        for _, found in parser.read_events():
            if found.getparent() is None and _contents(found) == wanted:  # type: ignore[arg-type,union-attr]
                return True
        at = raw.rfind(start, 0, at)
    return False


def _contents(element: etree._Element) -> list[Any]:
    return [(part.tag, part.text, part.items()) for part in element.iter()]


def _behind_the_end(parser: etree.XMLPullParser) -> bool:
    """Whether a file broke at what stands behind the root's end."""
    log: Any = parser.feed_error_log
    return bool(len(log)) and log[0].type == etree.ErrorTypes.ERR_DOCUMENT_END


def _padded(chunk: bytes, source: Portions) -> bool:
    """Whether all that stands there is padding (NULs, Ctrl-Z)."""
    end = chunk.rstrip(PADDING)
    last = end.rpartition(b"<")[2]
    if end and not (end.endswith(b">") and any(name in last for name in ROOTS)):
        return False
    while rest := source.read():
        if rest.strip(PADDING):
            return False
    return True


def _broken(line: int, reason: str) -> RecordRefused:
    return RecordRefused(
        Text(
            f"the XML breaks at line {line}: {reason}; what stood before it was read",
            f"XML обрывается или испорчен в строке {line}: {reason}; всё, что было до неё, прочитано",
        ),
        code="cml.broken",
        remedy=Text("repeat the export in 1C: the rest of the file is missing", "повторите выгрузку из 1С"),
    )


def _too_large(gap: int) -> RecordRefused:
    size = gap // 1024 // 1024
    return RecordRefused(
        Text(
            f"no complete record in {size} MB of the file; one record may have up to {MAX_GAP // 1024 // 1024} MB",
            f"в {size} МБ файла нет ни одной законченной записи; запись может занимать до {MAX_GAP // 1024 // 1024} МБ",
        ),
        code="cml.too_large",
    )
