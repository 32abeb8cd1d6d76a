"""Pictures of goods, kept for good beside the database: every content once, under its own digest, whatever it was called.

`files/ab/<sha256 of the content>.jpg` is the picture; `names/cd/<sha256 of connection and name>` says which one is meant by a
name now. A client's name is never a path, so none can lead out of the folder. A file appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from adapters.base import PICTURES
from sync.errors import BadConfig, Text

MAX_PICTURE = 32 * 1024**2  # bytes
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
         ".bmp": "image/bmp"}  # fmt: skip
_FILE = re.compile(rf"[0-9a-f]{{64}}({'|'.join(re.escape(one) for one in sorted(TYPES))})")


def picture(folder: Path, file: str) -> Path | None:
    """The file of that digest and ending; None for any other text, and where there is none."""
    if not _FILE.fullmatch(file):
        return None
    path = folder / "files" / file[:2] / file
    return path if path.is_file() else None


class PictureFolder:
    """Implements adapters.base.Pictures for one connection."""

    def __init__(self, folder: Path, connection: str) -> None:
        self._folder, self._connection = folder, connection

    def has(self, name: str) -> bool:
        return self._named(name).exists()

    def file(self, name: str) -> str | None:
        """The digest and ending of what this name means now, for `picture`."""
        try:
            said = json.loads(self._named(name).read_text("utf-8"))["file"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        found = str(said).rpartition("/")[2]
        return found if picture(self._folder, found) else None

    def keep(self, name: str, chunks: Iterable[bytes]) -> bool:
        """False for what is empty, too large or no picture by its name. BadConfig when the disk takes nothing."""
        suffix = PurePosixPath(name.replace("\\", "/")).suffix.lower()
        if suffix not in PICTURES:
            return False
        try:
            return self._store(name, suffix, chunks)
        except OSError as error:
            raise BadConfig(
                Text(
                    f"The folder of pictures does not take files ({error.strerror}): free the disk or mend hub.pictures.",
                    f"Папка картинок не принимает файлы ({error.strerror}): освободите диск или исправьте hub.pictures.",
                ),
                code="pictures.disk",
                setting="hub.pictures",
            ) from error

    def _store(self, name: str, suffix: str, chunks: Iterable[bytes]) -> bool:
        size, digest = 0, hashlib.sha256()
        with self._new() as part:
            for chunk in chunks:
                size += len(chunk)
                if size > MAX_PICTURE:
                    return False
                digest.update(chunk)
                part.write(chunk)
            if not size:
                return False
            found = digest.hexdigest()
            place = f"{found[:2]}/{found}{suffix}"
            _settle(part, self._folder / "files" / place)
        with self._new() as said:
            row = {"connection": self._connection, "name": name, "file": place}
            said.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
            _settle(said, self._named(name))
        return True

    @contextmanager
    def _new(self) -> Iterator[IO[bytes]]:
        """A file that is gone at the end, unless it was put in its place."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f".new-{uuid.uuid4().hex}"
        try:
            with path.open("xb") as stream:
                yield stream
        finally:
            path.unlink(missing_ok=True)

    def _named(self, name: str) -> Path:
        plain = name.replace("\\", "/")
        found = hashlib.sha256(f"{self._connection}\0{plain}".encode("utf-8", "replace")).hexdigest()
        return self._folder / "names" / found[:2] / found


def _settle(part: IO[bytes], target: Path) -> None:
    """What is written goes to the disk and only then to its place."""
    part.flush()
    os.fsync(part.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part.name, target)
