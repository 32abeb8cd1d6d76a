"""Files that 1C puts into a folder: taken when they are whole and at rest, archived when they are stored.

A file is ready when its last bytes are the end of a CommerceML document (or of a zip) and nothing has changed it for a
while. Files of one export (import0_1.xml, offers0_1.xml …) go together, catalogue first. A file that stays unfinished is
handed over as it is after `give_up_seconds`: the hub then shows it as broken, and its neighbours no longer wait for it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from adapters.base import AdapterContext, Arrival, BadConfig, Finding, RetryLater, Text
from adapters.onec.archive import import_order
from adapters.onec.settings import FolderSettings
from adapters.onec.unpack import is_complete

STAMP = "x-file-mtime-ns"  # in an arrival's headers: which version of the file was taken
_SUFFIXES = (".xml", ".zip")
_SET = re.compile(r"^(?:import|goods|offers|prices|rests)(?:(\d+)_\d)?")


@dataclass(frozen=True)
class _File:
    path: Path
    name: str  # relative to the folder, with forward slashes
    size: int
    mtime_ns: int

    @property
    def state(self) -> tuple[int, int]:
        return self.size, self.mtime_ns

    @property
    def group(self) -> tuple[str, str]:
        """Files of one export: same directory, same catalogue index (import0_1.xml); where the names have none (import.xml,
        import___<some id>.xml), all of the directory."""
        found = _SET.match(self.path.name.lower())
        return str(self.path.parent), f"catalogue {found.group(1) or ''}" if found else self.path.name


class Folder:
    def __init__(self, settings: FolderSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._context = context
        self._archive = settings.archive or settings.folder / "archive"
        self._seen: dict[str, tuple[tuple[int, int], datetime]] = {}  # name → its state and since when it is so

    def collect(self) -> Iterator[Arrival]:
        """Arrivals of whole exports. BadConfig when the folder cannot be read."""
        now = self._context.now()
        files = self._list()
        self._look(files, now)
        groups: dict[tuple[str, str], list[_File]] = {}
        for file in files:
            groups.setdefault(file.group, []).append(file)
        for _, members in sorted(groups.items(), key=lambda item: (item[0][0], import_order(item[1][0].name))):
            if all(self._ready(file, now) or self._given_up(file, now) for file in members):
                for file in sorted(members, key=lambda f: import_order(f.name)):
                    yield self._arrival(file, now)

    def _list(self) -> list[_File]:
        found = []
        try:
            with os.scandir(self._settings.folder):
                pass  # rglob is silent about a folder that cannot be read
            for path in sorted(self._settings.folder.rglob("*")):
                if (
                    self._archive in path.parents
                    or path.suffix.lower() not in _SUFFIXES
                    or path.name.startswith((".", "~"))
                ):
                    continue
                if (file := self._stat(path)) is not None:
                    found.append(file)
        except OSError as error:
            raise self._unreadable(error) from error
        return found

    def _stat(self, path: Path) -> _File | None:
        """None for what is no ordinary file, or vanished meanwhile."""
        try:
            if path.is_symlink() or not path.is_file():
                return None
            stat = path.stat()
        except FileNotFoundError:
            return None
        return _File(path, path.relative_to(self._settings.folder).as_posix(), stat.st_size, stat.st_mtime_ns)

    def _look(self, files: list[_File], now: datetime) -> None:
        """Remember since when each file looks as it does now."""
        old, self._seen = self._seen, {}
        for file in files:
            state, since = old.get(file.name, (file.state, now))
            self._seen[file.name] = (file.state, since if state == file.state else now)

    def _rest(self, file: _File, now: datetime) -> float:
        """Seconds without a change: by the file's own time, or as we have watched it (a share's clock may be wrong)."""
        own = (now - datetime.fromtimestamp(file.mtime_ns / 1e9, UTC)).total_seconds()
        watched = (now - self._seen[file.name][1]).total_seconds()
        return max(own, watched)

    def _ready(self, file: _File, now: datetime) -> bool:
        if self._rest(file, now) < self._settings.settle_seconds:
            return False
        try:
            with file.path.open("rb") as stream:
                return is_complete(stream, file.size)
        except OSError:  # another program holds it (Windows): it is not finished
            return False

    def _given_up(self, file: _File, now: datetime) -> bool:
        return self._rest(file, now) >= self._settings.give_up_seconds

    def _arrival(self, file: _File, now: datetime) -> Arrival:
        def reopen() -> IO[bytes]:
            try:
                stream = file.path.open("rb")
            except OSError as error:
                raise _moved(file.name) from error
            stat = os.fstat(stream.fileno())
            if (stat.st_size, stat.st_mtime_ns) != file.state:
                stream.close()
                raise _moved(file.name)
            return stream

        return Arrival(file.name, method="", headers={STAMP: str(file.mtime_ns)}, at=now, size=file.size, open=reopen)

    def collected(self, arrival: Arrival) -> None:
        """Move the file into the archive under a name of its own. A file that 1C has rewritten since is left for the next
        time; one that is gone already is fine."""
        file = self._stat(self._settings.folder / arrival.name)
        if file is None or file.size != arrival.size or str(file.mtime_ns) != arrival.headers.get(STAMP):
            return
        target = self._archive / arrival.name
        stamp = self._context.now().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            for number in range(1000):
                more = f".{number}" if number else ""
                if _move_new(file.path, target.with_name(f"{target.stem}.{stamp}{more}{target.suffix}")):
                    break
        except OSError as error:
            raise BadConfig(
                Text(
                    f"{arrival.name} cannot be moved into the archive: {error.strerror}",
                    f"{arrival.name} не удаётся переместить в архив: {error.strerror}",
                ),
                code="onec.archive",
                setting="archive",
                remedy=Text("give the hub the right to write there", "дайте узлу право записи туда"),
            ) from error
        self._seen.pop(arrival.name, None)

    def check(self) -> Iterator[Finding]:
        """Folder there, readable, writable; archive writable."""
        folder = self._settings.folder
        if not folder.is_dir():
            yield _finding("folder", False, f"{folder} is no folder", f"{folder}: такой папки нет", "folder")
            return
        for right, en, ru in ((os.R_OK | os.X_OK, "read", "чтения"), (os.W_OK, "write", "записи")):
            if not os.access(folder, right):
                yield _finding(
                    "rights", False, f"no right to {en} in {folder}", f"нет права {ru} в папке {folder}", "folder"
                )
                return
        yield _finding("folder", True, f"{folder} can be read and written", f"папка {folder} доступна", "folder")
        nearest = next(p for p in (self._archive, *self._archive.parents) if p.exists())
        good = nearest.is_dir() and os.access(nearest, os.W_OK)
        yield _finding(
            "archive",
            good,
            f"the archive {self._archive} {'can' if good else 'cannot'} be written",
            f"архив {self._archive}: запись {'возможна' if good else 'невозможна'}",
            "archive",
        )
        if good:
            count = len(self._list())
            yield _finding("sample", True, f"{count} files are waiting", f"файлов в очереди: {count}", "folder")

    def _unreadable(self, error: OSError) -> BadConfig | RetryLater:
        folder = self._settings.folder
        ru = {
            FileNotFoundError: "такой папки нет",
            PermissionError: "нет права чтения",
            NotADirectoryError: "это не папка",
        }
        text = Text(
            f"the folder {folder} cannot be read: {error.strerror}",
            f"папка {folder} не читается: {ru.get(type(error), error.strerror)}",
        )
        if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError):
            return BadConfig(text, code="onec.folder", setting="folder")
        return RetryLater(text, code="onec.folder_io", setting="folder")


def _move_new(source: Path, target: Path) -> bool:
    """Move without ever overwriting: False when the target exists."""
    try:
        os.link(source, target)  # the only move that fails on an existing target everywhere
    except FileExistsError:
        return False
    except OSError:  # another file system, or one without hard links
        try:
            with target.open("xb") as copy, source.open("rb") as original:
                shutil.copyfileobj(original, copy)
                copy.flush()
                os.fsync(copy.fileno())
        except FileExistsError:
            return False
        shutil.copystat(source, target)
    source.unlink()
    return True


def _moved(name: str) -> RetryLater:
    return RetryLater(
        Text(
            f"{name} was changed or taken while it was being read; the next run takes the new one",
            f"{name} изменён или убран во время чтения; следующий запуск возьмёт новый",
        ),
        code="onec.file_moved",
    )


def _finding(step: str, ok: bool, en: str, ru: str, setting: str) -> Finding:
    return Finding(step, ok, Text(en, ru), setting=setting)
