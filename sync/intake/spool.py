"""The spool: uploaded files on disk, and the rows that say which of them is what.

A client's file name is only a label; on disk a file has a name of ours, so no name can lead out of the folder. What was
appended counts only once the row has the new size: after a crash the file is cut back to it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import BadConfig, RecordRefused, RetryLater, Text
from sync.store import Store, new_uid
from sync.store.tables import inbox, spool

_NAME_LENGTH = 255  # characters that the table keeps


class Spool:
    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def path(self, file: str) -> Path:
        return self._folder / file

    def append(self, connection: str, area: str, name: str, chunks: Iterable[bytes], truncate: bool) -> int:
        """Append chunks to a file and flush it to the disk; gives the new size in bytes."""
        row = self._row(connection, area, name)
        if row is not None and row.inbox_id is not None and not truncate:
            raise RecordRefused(
                Text(f"{name} is being imported already.", f"Файл {name} уже загружается."), code="spool.busy"
            )
        file, size = (new_uid(), 0) if row is None or truncate else (row.file, row.size)
        size = self._write(self.path(file), size, chunks)
        values = {"file": file, "size": size, "inbox_id": None}
        with self._store.begin() as tx:
            if row is None:
                tx.execute(spool.insert().values(connection=connection, area=area, name=label(name), **values))
            else:
                tx.execute(spool.update().where(*_place(connection, area, name)).values(**values))
        return size

    def save(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """A file of its own, without a name: (file, size)."""
        file = new_uid()
        return file, self._write(self.path(file), 0, chunks)

    def _write(self, path: Path, size: int, chunks: Iterable[bytes]) -> int:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as stream:
                stream.truncate(size)
                for chunk in chunks:
                    stream.write(chunk)
                    size += len(chunk)
                stream.flush()
                os.fsync(stream.fileno())
        except ConnectionError:  # the sender went away: what it sent is cut off next time
            raise
        except OSError as error:
            raise BadConfig(
                Text(
                    f"The spool folder does not take files ({error.strerror}): free the disk or mend hub.spool.",
                    f"Папка загрузок не принимает файлы ({error.strerror}): освободите диск или исправьте hub.spool.",
                ),
                code="spool.disk",
                setting="hub.spool",
            ) from error
        return size

    def names(self, connection: str, area: str) -> list[str]:
        query = sa.select(spool.c.name).where(spool.c.connection == connection, spool.c.area == area)
        with self._store.read() as tx:
            return [r.name for r in tx.execute(query.order_by(spool.c.file))]

    def open(self, connection: str, area: str, name: str) -> IO[bytes]:
        """What counts of the file: never what a process that died had written and not committed."""
        found = self.entry(connection, area, name)
        if found is None:
            raise RecordRefused(
                Text(f"The file {name} was not uploaded.", f"Файл {name} не был загружен."), code="spool.unknown"
            )
        return self.open_file(found[0])

    def open_file(self, file: str) -> IO[bytes]:
        try:
            return open(self.path(file), "rb")
        except OSError as error:
            raise RetryLater(
                Text(
                    f"The spooled file cannot be opened ({error.strerror}).", f"Файл не открывается ({error.strerror})."
                ),
                code="spool.gone",
            ) from error

    def entry(self, connection: str, area: str, name: str) -> tuple[str, int, int | None] | None:
        """(file, size, inbox id) of a name, None when there is no such file. A complete file: what was written to it
        and not committed is cut off."""
        row = self._row(connection, area, name)
        if row is None:
            return None
        path = self.path(row.file)
        if row.inbox_id is None and path.exists() and path.stat().st_size > row.size:
            self._write(path, row.size, ())
        return row.file, row.size, row.inbox_id

    def sweep(self, older_than: timedelta) -> int:
        """Delete files on disk that no row names (a process died before its commit); gives their number."""
        if not self._folder.exists():
            return 0
        with self._store.read() as tx:
            known = {r.file for r in tx.execute(sa.select(spool.c.file))}
            known |= {r.spool for r in tx.execute(sa.select(inbox.c.spool).where(inbox.c.spool.is_not(None)))}
        newest = max((p.stat().st_mtime for p in self._folder.iterdir()), default=0)
        orphans = [
            p
            for p in self._folder.iterdir()
            if p.is_file() and p.name not in known and newest - p.stat().st_mtime > older_than.total_seconds()
        ]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)

    def _row(self, connection: str, area: str, name: str) -> Any:
        with self._store.read() as tx:
            return tx.execute(
                sa.select(spool.c.file, spool.c.size, spool.c.inbox_id).where(*_place(connection, area, name))
            ).first()

    def give(self, tx: Connection, connection: str, area: str, name: str, inbox_id: int) -> None:
        """The file is an arrival now."""
        tx.execute(spool.update().where(*_place(connection, area, name)).values(inbox_id=inbox_id))


def label(name: str) -> str:
    """A client's file name as it is kept: without NUL, and what is too long is cut and told apart by a hash."""
    name = name.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if len(name) <= _NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: _NAME_LENGTH - 17]}~{digest}"


def _place(connection: str, area: str, name: str) -> list[sa.ColumnElement[bool]]:
    return [spool.c.connection == connection, spool.c.area == area, spool.c.name == label(name)]
