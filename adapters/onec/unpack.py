"""An arrival (an XML file or a zip of them) → records; and whether a file is there to its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import IO
from zoneinfo import ZoneInfo

from adapters.base import Arrival, Keeper, Pictures, Problem, Record, RecordRefused, Taken, Unchanged
from adapters.onec.archive import is_zip, open_archive
from adapters.onec.cml.prologue import ROOT, encoding_of
from adapters.onec.cml.reader import records
from adapters.onec.cml.unchanged import Sieve
from adapters.onec.cml.xmlsafe import PADDING

_TAIL = 4096
_PART = 1024 * 1024


def unpack(
    arrival: Arrival,
    zone: ZoneInfo,
    kept: Keeper | None = None,
    pictures: Pictures | None = None,
    taken: Taken | None = None,
) -> Iterator[Record | Problem | Unchanged]:
    """What the file holds. In an archive a broken member is one Problem and the other members go on. `kept` remembers the
    dictionaries that earlier files brought, `pictures` takes those of an archive, `taken` knows what need not be read.

    RecordRefused when the arrival cannot be read at all.
    """
    sieve = Sieve(taken) if taken is not None else None
    with arrival.open() as stream:
        head = stream.read(4)
    with arrival.open() as stream:
        if not is_zip(head):
            yield from _named(arrival.name, records(stream, zone, kept, sieve))
            return
        with open_archive(stream) as archive:
            for member in archive.members:
                try:
                    with archive.open(member) as part:
                        yield from _named(f"{arrival.name}/{member.name}", records(part, zone, kept, sieve))
                except RecordRefused as error:
                    yield Problem("file", f"{arrival.name}/{member.name}", error, cut=True)
            if pictures is None:
                return
            for member in archive.pictures:
                try:
                    with archive.open(member) as part:
                        pictures.keep(member.name, iter(partial(part.read, _PART), b""))
                except RecordRefused as error:
                    yield Problem("file", f"{arrival.name}/{member.name}", error)


def resembles(head: bytes) -> bool:
    """Whether a file begins like CommerceML in an encoding that 1C writes, or is a zip, in which 1C packs it."""
    return is_zip(head) or any(
        ROOT.encode(name) in head for name in ("utf-8", "cp1251", "koi8-r", "utf-16-le", "utf-16-be")
    )


def _named(name: str, items: Iterator[Record | Problem | Unchanged]) -> Iterator[Record | Problem | Unchanged]:
    """Problems get the file's name into their id: line 12 exists in every file."""
    for item in items:
        yield replace(item, id=f"{name}:{item.id}" if item.id else name) if isinstance(item, Problem) else item


def is_complete(stream: IO[bytes], size: int) -> bool:
    """Is the file there to its end: the root's closing tag, or a zip's table of contents, in its last bytes?

    Neither CommerceML nor its transport carries a checksum; a cut file is seen only by this.
    """
    head = stream.read(_TAIL)
    if is_zip(head):
        stream.seek(max(0, size - 65557))  # the table's end may be followed by a comment of 64 KB
        return b"PK\x05\x06" in stream.read()
    try:
        encoding = encoding_of(head)
    except RecordRefused:
        return True  # what it is, the reader says
    stream.seek(max(0, size - _TAIL - (size % 2 if encoding == "utf-16" else 0)))
    if encoding == "utf-16":
        encoding = "utf-16-le" if head.startswith(b"\xff\xfe") else "utf-16-be"
    tail = stream.read().decode(encoding, "replace").rstrip(PADDING.decode())
    if re.search(rf"</([^\s<>/:]+:)?{ROOT}\s*>(\s*<!--.*-->)*$", tail, re.S):
        return True
    return size <= _TAIL and re.search(rf"<([^\s<>/:]+:)?{ROOT}[^<>]*/>$", tail) is not None
