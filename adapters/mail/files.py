"""Letters out of a file: .eml (one letter) or .mbox (many, RFC 4155), streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from adapters.base import Arrival, RecordRefused, Text

_FROM_LINE = re.compile(rb"^From \S+.*\d{4}\s*$")
# The first line of a file may be worse: without a date, or with a zone after it
_FIRST_LINE = re.compile(rb"^From \S")
_FIELD = re.compile(rb"^[!-9;-~]+[ \t]*:")
_QUOTED_FROM = re.compile(rb"^>+From ")
LINE = 1_000_000  # bytes read at once of an endless line
_USUAL = frozenset(
    b"from to cc bcc sender reply-to date subject message-id in-reply-to references received return-path delivered-to "
    b"envelope-to mime-version content-type content-transfer-encoding dkim-signature x-mailer".split()
)


def resembles(name: str, head: bytes) -> bool:
    """Whether the first bytes are a letter's header: at least two of the usual fields, or the file is called a letter."""
    if name.lower().endswith((".eml", ".mbox")):
        return True
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    top = re.split(rb"\r?\n\r?\n|\r\r", text, maxsplit=1)[0]
    fields = {
        m.lower() for m in re.findall(rb"^([!-9;-~]+)[ \t]*:", top.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), re.M)
    }
    return len(fields & _USUAL) >= 2


def letters(arrival: Arrival, limit: int) -> Iterator[tuple[bytes, int]]:
    """Each letter with its full size; of one larger than `limit` bytes only the first `limit` are there. RecordRefused
    when the file holds no letter."""
    with arrival.open() as stream:
        first = stream.readline(LINE)
        if first.startswith(b"\xef\xbb\xbf"):
            first = first[3:]
        while first and not first.strip():
            first = stream.readline(LINE)
        if _FIRST_LINE.match(first):
            yield from _mbox(stream, limit)
        elif _FIELD.match(first):
            yield _rest(first, stream, limit)
        else:
            raise RecordRefused(
                Text("This file is neither a letter (.eml) nor a mailbox (.mbox): it begins with no header field. "
                     "Save the letter as .eml in the mail program.",
                     "Файл не похож ни на письмо (.eml), ни на почтовый ящик (.mbox): в начале нет поля заголовка. "
                     "Сохраните письмо в почтовой программе в формате .eml."),
                code="mail.file",
            )  # fmt: skip


def _rest(first: bytes, stream: IO[bytes], limit: int) -> tuple[bytes, int]:
    raw = first + stream.read(max(limit - len(first), 0))
    size = len(raw)
    while chunk := stream.read(LINE):
        size += len(chunk)
    return raw, size


def _mbox(stream: IO[bytes], limit: int) -> Iterator[tuple[bytes, int]]:
    """A "From " line after an empty line begins a letter; ">From " inside a letter is quoted (mboxrd)."""
    lines: list[bytes] = []
    size, blank = 0, False
    while line := stream.readline(LINE):
        if blank and _FROM_LINE.match(line):
            if lines:
                yield b"".join(lines), size
            lines, size, blank = [], 0, False
            continue
        blank = line in (b"\n", b"\r\n")
        size += len(line)
        if size <= limit:
            lines.append(line[1:] if _QUOTED_FROM.match(line) else line)
    if lines:
        yield b"".join(lines), size
