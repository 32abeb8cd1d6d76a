"""Zip archives from 1C: their XML members as streams, nothing ever written to a path that an archive names.

1C packs a whole exchange (`v8_XXXX_NN.zip`) with pictures under relative paths; some builds use backslashes.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from adapters.base import PICTURES, RecordRefused, Text

MAX_MEMBERS = 100_000
MAX_TOTAL = 8 * 1024**3  # bytes after unpacking, of the XML members together
MAX_RATIO = 200  # CommerceML packs 20 to 50 times; a bomb a thousand times
RATIO_FREE = 20 * 1024**2  # below this size the ratio is not looked at: an empty catalogue packs very well
_IN_RUSSIAN = {"File is not a zip file": "он оборван, или это не архив ZIP"}
_ORDER = ("import", "goods", "propert", "catalog", "offers", "prices", "rests", "orders", "documents")


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def import_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Sort key: catalogue before offers before orders, portions by number (import0_2 before import0_10)."""
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    rank = next((number for number, word in enumerate(_ORDER) if base.startswith(word)), len(_ORDER))
    return rank, [(int(digits), word) for word, digits in re.findall(r"(\D*)(\d+)", base)]


@dataclass(frozen=True)
class Member:
    name: str  # as people see it, with forward slashes
    size: int
    info: zipfile.ZipInfo


class _Counted(io.RawIOBase):
    """One member's stream, held to the archive's common budget whatever its header says."""

    def __init__(self, stream: IO[bytes], budget: list[int]) -> None:
        self._stream, self._budget = stream, budget

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise _broken(str(error)) from error
        self._budget[0] -= len(data)
        if self._budget[0] < 0:
            raise _bomb()
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()


class Archive:
    """An opened archive whose table of contents has passed the guards. Use as a context manager."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._budget = [MAX_TOTAL]
        self.members, self.pictures = _members(file)

    @contextmanager
    def open(self, member: Member) -> Iterator[IO[bytes]]:
        """The member's bytes. RecordRefused (cml.zip) when they are broken or more than they may be."""
        try:
            stream = self._file.open(member.info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise _broken(str(error)) from error
        counted = _Counted(stream, self._budget)
        try:
            yield counted  # type: ignore[misc]
        finally:
            counted.close()


@contextmanager
def open_archive(stream: IO[bytes]) -> Iterator[Archive]:
    """RecordRefused: broken, encrypted, a bomb, too many members, or names that lead out of the archive."""
    with _seekable(stream) as source:
        try:
            file = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise _broken(str(error)) from error
        with file:
            yield Archive(file)


@contextmanager
def _seekable(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=16 * 1024**2) as copy:
        while part := stream.read(1024 * 1024):
            copy.write(part)
        copy.seek(0)
        yield copy


def _members(file: zipfile.ZipFile) -> tuple[list[Member], list[Member]]:
    """(XML files in the order of import, pictures)."""
    infos = file.infolist()
    if len(infos) > MAX_MEMBERS:
        raise RecordRefused(
            Text(
                f"the archive holds {len(infos)} files, at most {MAX_MEMBERS} are read",
                f"в архиве {len(infos)} файлов, читается не больше {MAX_MEMBERS}",
            ),
            code="cml.zip_count",
        )
    members: list[Member] = []
    pictures: list[Member] = []
    for info in infos:
        name = _shown(info)
        if name.startswith("/") or ".." in name.split("/") or ":" in name[:3] or "\0" in name:
            raise RecordRefused(
                Text(
                    f'the archive names a path outside itself: "{name[:80]}"; it was refused whole',
                    f'в архиве указан путь за его пределами: "{name[:80]}"; архив отклонён целиком',
                ),
                code="cml.zip_path",
            )
        if info.is_dir():
            continue
        if name.lower().endswith(tuple(PICTURES)) and not info.flag_bits & 0x1:
            pictures.append(Member(name, info.file_size, info))  # whoever keeps them bounds their size
        if not name.lower().endswith(".xml"):
            continue
        if info.flag_bits & 0x1:
            raise RecordRefused(
                Text("the archive is encrypted", "архив зашифрован"),
                code="cml.zip_encrypted",
                remedy=Text("export without a password", "выгружайте без пароля"),
            )
        if info.file_size > RATIO_FREE and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise _bomb()
        members.append(Member(name, info.file_size, info))
    if not members:
        raise _broken("no XML file in it", "в нём нет файлов XML")
    if sum(member.size for member in members) > MAX_TOTAL:
        raise _bomb()
    return sorted(members, key=lambda member: import_order(member.name)), pictures


def _shown(info: zipfile.ZipInfo) -> str:
    """The name with forward slashes; Windows archivers write Russian names in code page 866 without saying so."""
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("cp866")
    return name.replace("\\", "/")


def _broken(why: str, ru: str = "") -> RecordRefused:
    return RecordRefused(
        Text(f"the archive cannot be read: {why}", f"архив не читается: {ru or _IN_RUSSIAN.get(why, why)}"),
        code="cml.zip",
        remedy=Text(
            "repeat the export, or switch zip off in 1C's exchange node",
            "повторите выгрузку или отключите сжатие в узле обмена 1С",
        ),
    )


def _bomb() -> RecordRefused:
    return RecordRefused(
        Text(
            f"the archive unpacks to more than {MAX_TOTAL // 1024**3} GB or over {MAX_RATIO} times its size",
            f"архив распаковывается больше чем в {MAX_TOTAL // 1024**3} ГБ или более чем в {MAX_RATIO} раз",
        ),
        code="cml.zip_bomb",
    )
