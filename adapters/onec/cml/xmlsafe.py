"""A guarded stream of XML elements: flat memory, no entities, no DTD, no network, every limit with a clear refusal.

CommerceML files come with namespaces `urn:1C.ru:commerceml_2`, `_205`, `_208`, `_210` or none, and with a schema version
that disagrees with it, so that everything here goes by local names.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Literal

from lxml import etree

from adapters.base import RecordRefused, Text

ROOT = "КоммерческаяИнформация"
ROOT_MARK = b"<?root?>"  # an instruction of ours before the root
CHUNK = 32 * 1024
PROLOGUE = 64 * 1024  # everything before the root element must fit
_ROOTS = (ROOT.encode(), ROOT.encode("cp1251"))
PADDING = b"\x00\x1a \t\r\n"  # what some programs leave behind the root's end
MAX_GAP = 32 * 1024 * 1024  # bytes between two records; one record may not be larger

# Encodings that 1C and shops write; others are refused, so that our look at the prologue and libxml2's agree.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "windows-1251": "cp1251",
    "cp1251": "cp1251",
    "utf-16": "utf-16",
    "koi8-r": "koi8-r",
    "iso-8859-1": "latin-1",
    "iso-8859-5": "iso8859-5",
}
_NAMESPACE_ERRORS = (etree.ErrorTypes.WAR_NS_URI, etree.ErrorTypes.WAR_NS_URI_RELATIVE)
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_SKIP = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.S)
_NAMESPACE = re.compile(r"""\sxmlns\s*=\s*("[^"]*"|'[^']*')""")
_START = re.compile(r"<(?:[^\s:/>]+:)?([^\s:/>]+)")


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


def attributes(element: etree._Element) -> dict[str, str]:
    return {NAMES[str(key)]: str(value).strip() for key, value in element.attrib.items()}


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
    head = _trimmed(_read_head(stream))
    head = _marked(_without_namespace(head, _check_prologue(head)))
    # No events of elements: a call at the beginning and end of each would take a seventh of the time
    parser = _parser("pi", undeclared_1251(head))
    ended = Ended(tags, lists)
    source = portions(head, stream)
    gap, chunk, whole = 0, source.read(), False
    recent: list[bytes] = []  # what the last element of the tree may stand in
    broken: tuple[int, str] | None = None
    while broken is None:
        if not source.blank:
            recent.append(chunk)
        try:
            if chunk:
                parser.feed(chunk)
            else:
                parser.close()
        except etree.XMLSyntaxError as error:
            broken = _break(parser, error)
            whole = broken is not None and bool(chunk) and _behind_the_end(parser)
            if whole and _padded(chunk, source):
                broken, chunk = None, b""
        else:
            broken = _unsaid(parser)
        for _, instruction in parser.read_events():
            ended.saw(instruction)  # type: ignore[arg-type]
        found = False
        for element in ended.elements(whole=whole or (broken is None and not chunk)):
            found = True
            yield element
        if found:
            gap, recent = 0, recent[-2:]
        elif source.blank:
            gap = 0
        else:
            gap += len(chunk)
        if gap > MAX_GAP:
            raise _too_large(gap)
        if not chunk:
            break
        chunk = source.read() if broken is None else b""
    if broken is not None:
        if ended.last is not None and _stands_whole(ended.last, b"".join(recent), head):
            yield ended.last
        raise _broken(*broken)


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


def _marked(head: bytes) -> bytes:
    """With an instruction of ours before the root: what is beside it in the tree is the root."""
    wide = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(head[:2], "ascii")
    at = 2 if wide != "ascii" else 3 if head.startswith(b"\xef\xbb\xbf") else 0
    end = "?>".encode(wide)
    if head.startswith("<?xml".encode(wide), at):
        at = head.index(end, at) + len(end)
    return head[:at] + ROOT_MARK.decode().encode(wide) + head[at:]


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


def _trimmed(head: bytes) -> bytes:
    """Without blank lines before the declaration, which XML does not allow and programs on the way put there."""
    mark = b"\xef\xbb\xbf" if head.startswith(b"\xef\xbb\xbf") else b""
    return mark + head[len(mark) :].lstrip(b" \t\r\n")


def _stands_whole(element: etree._Element, raw: bytes, head: bytes) -> bool:
    """Whether the last element of a broken file was there to its end: read by itself, a piece of `raw` gives the same."""
    encoding = encoding_of(head).removesuffix("-sig")
    if encoding == "utf-16":
        encoding = "utf-16-le" if head.startswith(b"\xff\xfe") else "utf-16-be"
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
    if end and not (end.endswith(b">") and any(name in last for name in _ROOTS)):
        return False
    while rest := source.read():
        if rest.strip(PADDING):
            return False
    return True


def undeclared_1251(head: bytes) -> bool:
    """Windows-1251 that does not say so: no byte order mark, no declared encoding, no UTF-8, and the root's name in it."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) or _DECLARED.match(head.lstrip()):
        return False
    return _ROOTS[1] in head and _ROOTS[0] not in head


def _read_head(stream: IO[bytes]) -> bytes:
    """The first bytes: enough to see the root element, however small the stream's portions are."""
    head = b""
    while len(head) < PROLOGUE and (part := stream.read(PROLOGUE - len(head))):
        head += part
    return head


def encoding_of(head: bytes) -> str:
    """Python's name of the encoding by byte order mark, then by the declaration, else UTF-8. RecordRefused when unusual."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    declared = _DECLARED.match(head.lstrip())
    if declared is None:
        return "cp1251" if undeclared_1251(head) else "utf-8"
    name = declared.group(1).decode("ascii").lower()
    if name not in ENCODINGS:
        raise RecordRefused(
            Text(
                f"the file declares the encoding {name}; CommerceML comes in UTF-8 or windows-1251",
                f"в файле объявлена кодировка {name}; CommerceML бывает в UTF-8 или windows-1251",
            ),
            code="cml.encoding",
        )
    return ENCODINGS[name]


def _without_namespace(head: bytes, root: str) -> bytes:
    """The same number of bytes without the root's default namespace. It tells nothing (the same elements come under five
    of them and none), it is no valid URI in some versions, and lxml would paste it before each name, a tenth of the time."""
    if found := _NAMESPACE.search(root):
        encoding = encoding_of(head)
        if encoding == "utf-16":
            encoding = "utf-16-le" if head.startswith(b"\xff\xfe") else "utf-16-be"
        shown = found.group().encode(encoding.removesuffix("-sig"))
        blank = " ".encode(encoding.removesuffix("-sig"))
        return head.replace(shown, blank * (len(shown) // len(blank)), 1)
    return head


def _check_prologue(head: bytes) -> str:
    """The root's start tag. The root must be CommerceML's and nothing but comments may stand before it: a DOCTYPE is refused
    unread."""
    decoded = head.decode(encoding_of(head), "replace").lstrip("\ufeff")
    if not decoded.strip():
        raise RecordRefused(
            Text("the file is empty", "файл пустой"),
            code="cml.empty",
            remedy=Text("repeat the export in 1C", "повторите выгрузку из 1С"),
        )
    at = 0
    while skipped := _SKIP.match(decoded, at):
        at = skipped.end()
    if decoded.startswith("<!", at):
        raise RecordRefused(
            Text(
                "the file has a DOCTYPE; CommerceML has none, and the hub reads no file that brings its own entities",
                "в файле есть DOCTYPE; в CommerceML его не бывает, файлы с собственными сущностями узел не читает",
            ),
            code="cml.doctype",
        )
    start = _START.match(decoded, at)
    if start is None or start.group(1) != ROOT:
        raise _foreign(decoded, at, start.group(1) if start else "")
    return decoded[at : decoded.find(">", at)]


def _foreign(decoded: str, at: int, root: str) -> RecordRefused:
    if "\ufffd" in decoded[: at + 200]:
        return RecordRefused(
            Text(
                "the file's bytes do not match its encoding (UTF-8 is assumed unless another one is declared)",
                "байты файла не соответствуют его кодировке (без объявления это UTF-8)",
            ),
            code="cml.encoding",
            remedy=Text(
                "export again; if a program rewrites the file on the way, it must keep the encoding",
                "выгрузите файл заново; если его по пути переписывает программа, она должна сохранять кодировку",
            ),
        )
    shown = root[:60] or decoded[at : at + 30].strip()
    return RecordRefused(
        Text(
            f'the file is not CommerceML: it begins with "{shown}", expected <{ROOT}>',
            f'это не CommerceML: файл начинается с "{shown}", ожидается <{ROOT}>',
        ),
        code="cml.root",
    )


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
