"""Files that 1C uploads in portions, until they are whole and handed to the hub.

A file comes as POSTs under one name, in order, without offset, checksum or last-portion mark. Its end shows only in its
last bytes, in the request to import it, or in silence.
"""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from typing import IO

from adapters.base import PICTURES, Native, Pictures, Request, ServerContext
from adapters.onec.archive import import_order, is_zip, open_archive
from adapters.onec.sessions import Sessions, refused
from adapters.onec.unpack import is_complete

_IN_MEMORY = 4 * 1024**2
_DATA = (".xml", ".zip")
_BEGINNINGS = (b"<", b"PK\x03\x04", b"PK\x05\x06", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml\s")


class Uploads:
    def __init__(
        self, sessions: Sessions, pictures: Pictures, *, file_limit: int, max_file: int, log: logging.Logger
    ) -> None:
        self._sessions, self._pictures = sessions, pictures
        self._file_limit = file_limit
        self._max_file = max_file
        self._log = log

    def store(self, request: Request, context: ServerContext, sid: str, by_address: bool) -> None:
        """One portion: read whole, then appended and flushed. A portion that was cut on its way leaves no trace.

        `by_address`: nothing but the sender's address says that it belongs to this session.
        """
        name = clean_name(request.query.get("filename", ""))
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as portion:
            size, digest = self._receive(request, portion, self._size(context, sid, name))
            portion.seek(0)
            with self._sessions.locked():
                session = self._sessions.load(context, sid) or {}
                if by_address and name.lower().endswith(_DATA):
                    self._must_follow(session, name, portion, digest)
                if session.get("current", {}).get("name") != name:
                    self.picture_done(context, session)
                self._append(context, session, name, portion, size, digest)
                self._sessions.save(context, sid, session)
                if name.lower().endswith((*_DATA, *PICTURES)):
                    self._sessions.mark(context, sid, True)

    def _size(self, context: ServerContext, sid: str, name: str) -> int:
        session = self._sessions.load(context, sid) or {}
        entry = session.get("files", {}).get(name, {})
        if session.get("current", {}).get("name") == name:
            entry = session["current"]
        return 0 if "ticket" in entry else int(entry.get("size", 0))

    def _receive(self, request: Request, portion: IO[bytes], known: int) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        for chunk in request.body:
            size += len(chunk)
            if known + size > self._max_file:
                raise refused(
                    "onec.file_too_large",
                    f"the file is larger than {self._max_file} bytes (setting max_file)",
                    f"файл больше {self._max_file} байт (настройка max_file)",
                )
            digest.update(chunk)
            portion.write(chunk)
        stated = request.headers.get("content-length", "")
        if not size or (stated.isdigit() and int(stated) != size):
            raise refused(
                "onec.portion_cut",
                f"the portion is {size} bytes long, announced were {stated or 'none'}",
                f"пришло {size} байт, заявлено {stated or 'ничего'}; повторите обмен",
            )
        return size, digest.hexdigest()

    @staticmethod
    def _must_follow(session: Native, name: str, portion: IO[bytes], digest: str) -> None:
        """Two bases behind one address, with one login and without cookies, look like one: where the portions do not fit
        together the second is refused, before they are mixed."""
        head = portion.read(16)
        portion.seek(0)
        entry = session.get("files", {}).get(name, {})
        begun = bool(entry.get("size")) and "ticket" not in entry and not entry.get("abandoned")
        if begun and entry.get("last") == digest:
            return  # the same portion once more: its answer was lost
        begins = any(head.startswith(one) or one.startswith(head) for one in _BEGINNINGS) or head[:1].isspace()
        if (begun and _DECLARATION.match(head)) or not (begun or begins):
            raise refused(
                "onec.two_exchanges",
                f"{name}: two exchanges with this login run from one address at once, and their files cannot be told apart",
                f"{name}: с этого адреса идут сразу два обмена с одним логином, их файлы не различить; дайте каждой базе "
                "своё подключение с отдельным логином либо разведите обмены по времени",
            )

    def _append(
        self, context: ServerContext, session: Native, name: str, portion: IO[bytes], size: int, digest: str
    ) -> None:
        entry = self._entry(session, name)
        # Only a file's last portion is shorter than file_limit. The same one again is УНФ's repetition after
        # "Transferred a partial file": the answer was lost, the portion was not.
        if entry["size"] and size < self._file_limit and entry.get("last") == digest:
            return
        expected = entry["size"] + size
        chunks = iter(lambda: portion.read(1024 * 1024), b"")
        entry["size"] = context.append(entry["area"], name, chunks, truncate=not entry["size"])
        entry["last"] = digest
        if entry["size"] != expected:  # a portion was written and the hub was killed before it could note it
            entry["broken"] = True

    def _entry(self, session: Native, name: str) -> Native:
        """The file in progress under this name, or a new one. A file already handed over is never appended to."""
        if not name.lower().endswith(_DATA):
            if session["current"].get("name") != name:
                session["current"] = {"name": name, "area": session["area"], "size": 0}
            picture: Native = session["current"]
            return picture
        entry: Native | None = session["files"].get(name)
        if entry is not None and "ticket" in entry:
            new_area(session)
            entry = None
        if entry is None:
            entry = session["files"][name] = {"area": session["area"], "size": 0}
        entry.pop("abandoned", None)
        return entry

    def ticket(self, context: ServerContext, sid: str, wanted: str) -> str:
        """The ticket of the file that 1C wants imported (a name it uploaded, or a member of a zip it uploaded)."""
        name = clean_name(wanted)
        with self._sessions.locked():
            session = self._sessions.load(context, sid) or {"files": {}}
            self.picture_done(context, session)
            found = name if name in session["files"] else self._archive_with(context, session, name)
            if not found:
                raise refused(
                    "onec.no_file",
                    f'"{name}" was not uploaded in this session',
                    f'файл "{name}" в этом сеансе не загружался; повторите обмен',
                )
            entry = session["files"][found]
            if "ticket" not in entry:
                self._hand_over(context, entry, found)
            self._sessions.save(context, sid, session)
            self._strike(context, sid, session)
        return str(entry["ticket"])

    def _hand_over(self, context: ServerContext, entry: Native, name: str) -> None:
        if not self._whole(context, entry, name):
            raise refused(
                "onec.file_cut",
                f'"{name}" is not there to its end ({entry["size"]} bytes)',
                f'файл "{name}" пришёл не до конца ({entry["size"]} байт); повторите обмен',
            )
        entry["ticket"] = context.receive(entry["area"], name)

    @staticmethod
    def _whole(context: ServerContext, entry: Native, name: str) -> bool:
        if entry.get("broken"):
            return False
        with context.open(entry["area"], name) as stream:
            return is_complete(stream, entry["size"])

    @staticmethod
    def _archive_with(context: ServerContext, session: Native, name: str) -> str:
        """The uploaded zip that holds `name`: after zip=yes 1C asks for the names inside, never for the archive's."""
        for zipped, entry in session["files"].items():
            with context.open(entry["area"], zipped) as stream:
                if not is_zip(stream.read(4)):
                    continue
            with context.open(entry["area"], zipped) as stream, open_archive(stream) as archive:
                if any(member.name == name for member in archive.members):
                    return str(zipped)
        return ""

    def finish(self, context: ServerContext, sid: str, *, abandon: bool) -> None:
        """Hand over every whole file nobody asked to import, catalogue first. With `abandon`, cut files are given up:
        1C got no success for them and sends them again, and old data must not come after newer."""
        with self._sessions.locked():
            session = context.load_session(sid)
            if session is None:
                self._sessions.mark(context, sid, False)
                return
            self.picture_done(context, session)
            waiting = [n for n, e in session["files"].items() if "ticket" not in e and not e.get("abandoned")]
            for name in sorted(waiting, key=import_order):
                entry = session["files"][name]
                if self._whole(context, entry, name):
                    entry["ticket"] = context.receive(entry["area"], name)
                elif abandon:
                    entry["abandoned"] = True
                    self._log.warning("1C stopped in the middle of %s (%d bytes): not imported", name, entry["size"])
            context.save_session(sid, session)
            self._strike(context, sid, session)

    def picture_done(self, context: ServerContext, session: Native) -> None:
        """A picture is whole when 1C goes on to anything else: it stays, whatever becomes of the session's other files."""
        last = session.get("current") or {}
        session["current"] = {}
        if not last.get("size") or last.get("broken"):
            return
        with context.open(last["area"], last["name"]) as stream:
            kept = self._pictures.keep(last["name"], iter(lambda: stream.read(1024 * 1024), b""))
        if not kept:
            self._log.warning("%s (%d bytes) is not kept: no picture, or too large", last["name"], last["size"])

    def _strike(self, context: ServerContext, sid: str, session: Native) -> None:
        if all("ticket" in e or e.get("abandoned") for e in session["files"].values()):
            self._sessions.mark(context, sid, False)


def new_area(session: Native) -> None:
    session["generation"] += 1
    session["area"] = f"{session['area'].partition('.')[0]}.{session['generation']}"


def clean_name(name: str) -> str:
    """A relative name with forward slashes; refuses what leads elsewhere. The spool itself stores under its own names."""
    cleaned = name.replace("\\", "/").removeprefix("./").strip()
    parts = cleaned.split("/")
    wrong = not cleaned or len(cleaned) > 250 or cleaned.startswith("/") or ":" in parts[0]
    if wrong or any(part in ("", ".", "..") for part in parts) or not cleaned.isprintable():
        raise refused(
            "onec.file_name",
            f"the file name {name[:80]!r} is not a plain relative name",
            f"имя файла {name[:80]!r} недопустимо: нужно простое относительное имя",
        )
    return cleaned
