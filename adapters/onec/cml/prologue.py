"""What stands before a file's first record: its encoding and its root, looked at before any parser sees a byte."""

from __future__ import annotations

import re
from typing import IO

from adapters.base import RecordRefused, Text

ROOT = "КоммерческаяИнформация"
ROOT_MARK = b"<?root?>"  # an instruction of ours before the root
PROLOGUE = 64 * 1024  # everything before the root element must fit
ROOTS = (ROOT.encode(), ROOT.encode("cp1251"))

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
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_SKIP = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.S)
_NAMESPACE = re.compile(r"""\sxmlns\s*=\s*("[^"]*"|'[^']*')""")
_START = re.compile(r"<(?:[^\s:/>]+:)?([^\s:/>]+)")


def opening(stream: IO[bytes]) -> bytes:
    """The first bytes of a file as the parser may have them: ROOT_MARK stands before the root, its namespace is blank.

    RecordRefused (codes cml.empty, cml.root, cml.doctype, cml.encoding).
    """
    head = _trimmed(_read_head(stream))
    return _marked(_without_namespace(head, _checked_root(head)))


def encoding_of(head: bytes) -> str:
    """Python's name of the encoding by byte order mark, then by the declaration, else UTF-8. RecordRefused when unusual."""
    if head.startswith(_UTF16_MARKS):
        return "utf-16"
    if head.startswith(_UTF8_MARK):
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


def codec_of(head: bytes) -> str:
    """The encoding of a piece out of the middle of the file: the same without a byte order mark."""
    encoding = encoding_of(head).removesuffix("-sig")
    return encoding if encoding != "utf-16" else "utf-16-le" if head.startswith(_UTF16_MARKS[0]) else "utf-16-be"


def undeclared_1251(head: bytes) -> bool:
    """Windows-1251 that does not say so: no byte order mark, no declared encoding, no UTF-8, and the root's name in it."""
    if head.startswith((*_UTF16_MARKS, _UTF8_MARK)) or _DECLARED.match(head.lstrip()):
        return False
    return ROOTS[1] in head and ROOTS[0] not in head


def _read_head(stream: IO[bytes]) -> bytes:
    """The first bytes: enough to see the root element, however small the stream's portions are."""
    head = b""
    while len(head) < PROLOGUE and (part := stream.read(PROLOGUE - len(head))):
        head += part
    return head


def _trimmed(head: bytes) -> bytes:
    """Without blank lines before the declaration, which XML does not allow and programs on the way put there."""
    mark = _UTF8_MARK if head.startswith(_UTF8_MARK) else b""
    return mark + head[len(mark) :].lstrip(b" \t\r\n")


def _checked_root(head: bytes) -> str:
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


def _without_namespace(head: bytes, root: str) -> bytes:
    """The same number of bytes without the root's default namespace. It tells nothing (the same elements come under five
    of them and none), it is no valid URI in some versions, and lxml would paste it before each name, a tenth of the time."""
    found = _NAMESPACE.search(root)
    if found is None:
        return head
    codec = codec_of(head)
    shown, blank = found.group().encode(codec), " ".encode(codec)
    return head.replace(shown, blank * (len(shown) // len(blank)), 1)


def _marked(head: bytes) -> bytes:
    """With an instruction of ours before the root: what is beside it in the tree is the root."""
    codec = codec_of(head)
    at = next((len(mark) for mark in (*_UTF16_MARKS, _UTF8_MARK) if head.startswith(mark)), 0)
    if head.startswith("<?xml".encode(codec), at):
        end = "?>".encode(codec)
        at = head.index(end, at) + len(end)
    return head[:at] + ROOT_MARK.decode().encode(codec) + head[at:]
