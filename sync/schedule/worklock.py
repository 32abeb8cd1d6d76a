"""SQLite means one working process: a lock of the operating system beside the database file.

The file `<database>.work` holds the worker's pid and start as text for people; what counts is the lock on it, which the
system lifts however the process ends. On PostgreSQL, and for a database in memory, there is nothing to lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

from sync.errors import Fatal, Text
from sync.store import Store

_TRIES, _PAUSE = 5, 0.05  # somebody's look at the holder locks the file for an instant

if sys.platform == "win32":
    import msvcrt

    _BEYOND = 1 << 30  # Windows keeps others from reading locked bytes: lock one behind the text

    def _lock(file: IO[str]) -> None:
        file.seek(_BEYOND)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(file: IO[str]) -> None:
        file.seek(_BEYOND)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


class WorkLock:
    """The right to work on this database. `acquire` it, or use it as a context manager after that; not re-entrant."""

    def __init__(self, store: Store) -> None:
        database = store.engine.url.database if store.sqlite else None
        self.path = Path(f"{database}.work") if database and database != ":memory:" else None
        self._file: IO[str] | None = None

    def acquire(self, purpose: str) -> WorkLock:
        """Take the lock; `purpose` is the command, for people. Fatal ("work.locked", names the pid) when it is taken."""
        if self.path is None:
            return self
        try:
            file = self.path.open("a+", encoding="utf-8")
            try:
                taken = _try_lock(file)
            except OSError:
                file.close()
                raise
        except OSError as error:
            raise _unusable(self.path, error) from error
        if not taken:
            file.close()
            raise _locked(_read(self.path))
        self._file = file
        file.truncate(0)  # what a killed holder left
        file.write(f"pid {os.getpid()}\nstarted {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\npurpose {purpose}\n")
        file.flush()
        return self

    def release(self) -> None:
        """Let another process work. Safe to repeat."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with file:
            file.truncate(0)
            _unlock(file)

    def holder(self) -> int | None:
        """The pid of the process that works on this database now, None when nobody does."""
        if self.path is None or not self.path.exists():
            return None
        if self._file is not None:
            return os.getpid()
        with contextlib.suppress(OSError), self.path.open(encoding="utf-8") as file:
            if not _try_lock(file, tries=1):
                return _read(self.path)
            _unlock(file)
        return None

    def __enter__(self) -> WorkLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _try_lock(file: IO[str], tries: int = _TRIES) -> bool:
    """False when another has it. OSError when the file system cannot lock."""
    for left in reversed(range(tries)):
        try:
            _lock(file)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise
        if left:
            time.sleep(_PAUSE)
    return False


def _read(path: Path) -> int | None:
    """The pid written in the file; None in the instant before it is written."""
    match = re.search(r"^pid (\d+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return int(match[1]) if match else None


def _locked(pid: int | None) -> Fatal:
    who = "?" if pid is None else str(pid)
    return Fatal(
        Text(
            f"Another process (pid {who}) works on this database already, and SQLite allows one. "
            "Stop that process, or use PostgreSQL (hub.database) for several.",
            f"С этой базой уже работает другой процесс (pid {who}), а SQLite допускает только один. "
            "Остановите его или перейдите на PostgreSQL (hub.database), если нужно несколько.",
        ),
        code="work.locked",
        setting="hub.database",
    )


def _unusable(path: Path, error: OSError) -> Fatal:
    return Fatal(
        Text(
            f"The lock file {path} cannot be used: {error.strerror}. The database belongs on a local disk, in a folder "
            "where the hub may write.",
            f"Файл блокировки {path} использовать не удалось: {error.strerror}. База должна лежать на локальном диске, "
            "в папке, доступной программе на запись.",
        ),
        code="work.lockfile",
        setting="hub.database",
    )
