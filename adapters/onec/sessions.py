"""Who is asking and what they have sent: the exchange's sessions, kept in the hub's durable session store.

A session is plain data: {"at", "area", "generation", "files", "current", "batch"}. Data files (XML, zip) are remembered one
by one; of pictures only the one in progress, for there may be tens of thousands. One more row under a fixed id lists the
sessions that hold files nobody asked to import yet, so that they are found again after a kill -9.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from adapters.base import Native, RecordRefused, Request, ServerContext, Text

COOKIE = "sverka_1c"
INDEX = "index"
LIFE = timedelta(hours=12)
FREE_TRIES = 5  # wrong passwords from one address before answers slow down
FIRST_PAUSE, LONGEST_PAUSE = 30, 900  # seconds
REMEMBERED = 1000


def refused(code: str, en: str, ru: str, remedy: Text | None = None) -> RecordRefused:
    """A refusal that goes back to 1C as `failure` with these words."""
    return RecordRefused(Text(en, ru), code=code, remedy=remedy)


class Doorman:
    """Checks the Basic login and slows down whoever guesses. The counters live in memory: a restart forgives."""

    def __init__(self, login: str, password: str) -> None:
        self._wanted = f"{login}:{password}".encode()
        # By address and user: behind one office router a base with a wrong login must not hold up its neighbour
        self._failures: dict[tuple[str, bytes], tuple[int, datetime]] = {}
        self._lock = threading.Lock()

    def check(self, request: Request, now: datetime) -> bool:
        """True: right; False: no Authorization header. Refuses a wrong password and every try during a pause."""
        header = request.headers.get("authorization", "")
        if not header:
            return False
        given = list(_credentials(header))
        who = request.remote, (given[0] if given else b"").partition(b":")[0][:200]
        with self._lock:
            count, until = self._failures.get(who, (0, now))
            if until > now:
                raise self._paused(int((until - now).total_seconds()) + 1)
            known = len(self._wanted) > 1  # without a login and password in the settings nobody is let in
            if known and any(hmac.compare_digest(one, self._wanted) for one in given):
                self._failures.pop(who, None)
                return True
            self._remember(who, count + 1, now)
        raise refused(
            "onec.auth",
            "wrong user name or password",
            "неверное имя пользователя или пароль; они заданы в настройках подключения узла",
        )

    def _remember(self, who: tuple[str, bytes], count: int, now: datetime) -> None:
        if len(self._failures) >= REMEMBERED:
            self._failures.pop(next(iter(self._failures)))
        pause = min(FIRST_PAUSE * 2 ** (count - FREE_TRIES), LONGEST_PAUSE) if count >= FREE_TRIES else 0
        self._failures[who] = (count, now + timedelta(seconds=pause))

    @staticmethod
    def _paused(seconds: int) -> RecordRefused:
        return refused(
            "onec.auth_pause",
            f"too many wrong passwords from this address; try again in {seconds} s",
            f"слишком много неверных паролей с этого адреса; повторите через {seconds} с",
        )


def _credentials(header: str) -> Iterator[bytes]:
    """`user:password` of a Basic header; 1C on Windows may write Russian letters in windows-1251."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except ValueError:
        return
    yield raw
    try:
        yield raw.decode("cp1251").encode()
    except UnicodeError:
        return


class Sessions:
    """Loading, making and saving sessions. `locked` serialises what reads, changes and saves."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            yield

    def start(self, request: Request, context: ServerContext) -> str:
        """A new session with a fresh upload area; gives its id."""
        sid = secrets.token_hex(16)
        with self._lock:
            session: Native = {"area": sid, "generation": 0, "files": {}, "current": {}, "batch": ""}
            self.save(context, sid, session)
            index = self._index(context)
            remotes = index["remotes"]
            remotes.pop(request.remote, None)
            remotes[request.remote] = sid
            while len(remotes) > REMEMBERED:
                remotes.pop(next(iter(remotes)))
            context.save_session(INDEX, index)
        return sid

    def named(self, request: Request, context: ServerContext) -> str:
        """The id that the request carries (cookie or sessid) of a session that is still alive; else ""."""
        cookies = dict(part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";"))
        for sid in (cookies.get(COOKIE, ""), request.query.get("sessid", "")):
            if sid and sid != INDEX and self.load(context, sid) is not None:
                return sid
        return ""

    def of_remote(self, request: Request, context: ServerContext) -> str:
        """The last session of this address: for clients that send Basic with every request and no cookie. The store is the
        connection's own, so that bases with connections of their own are never taken for one another."""
        sid = str(self._index(context)["remotes"].get(request.remote, ""))
        return sid if sid and self.load(context, sid) is not None else ""

    def load(self, context: ServerContext, sid: str) -> Native | None:
        session = context.load_session(sid)
        if session is None or "at" not in session or context.now() - _when(session) > LIFE:
            return None
        return session

    def save(self, context: ServerContext, sid: str, session: Native) -> None:
        session["at"] = context.now().isoformat()
        context.save_session(sid, session)

    def idle(self, context: ServerContext, session: Native) -> float:
        """Seconds since the session's last request."""
        return (context.now() - _when(session)).total_seconds()

    def pending(self, context: ServerContext) -> list[str]:
        """Sessions that hold files not imported yet, oldest first."""
        return list(self._index(context)["pending"])

    def mark(self, context: ServerContext, sid: str, pending: bool) -> None:
        """Enter the session in, or strike it off, the list of those with files to import."""
        with self._lock:
            index = self._index(context)
            if (sid in index["pending"]) == pending:
                return
            index["pending"] = [*index["pending"], sid] if pending else [s for s in index["pending"] if s != sid]
            context.save_session(INDEX, index)

    @staticmethod
    def _index(context: ServerContext) -> Native:
        return context.load_session(INDEX) or {"pending": [], "remotes": {}}


def _when(session: Native) -> datetime:
    return datetime.fromisoformat(session["at"])
