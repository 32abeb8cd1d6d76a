"""Leases: who may do a piece of work now, in a way that survives kill -9.

A lease is a row with an owner, an expiry and a *fencing token*. The token grows by one with every acquisition and never
goes back, so that a holder who slept through its expiry is told apart from the present one: `check` compares it inside
the very transaction that changes data. Expiry only makes takeover possible; the token is what keeps data safe.

Times are those of the injected clock. Several hosts need clocks that agree to well under the lease's length; where they do
not, two holders may work at once for a while, and all but the newest fail at `check`.

None of these methods may be called inside a transaction of the store, except those that take one.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sync.errors import RetryLater, Text
from sync.log import Logger
from sync.store import Store
from sync.store.asked import NOW
from sync.store.inserts import insert_into
from sync.store.tables import lease as table

_log = Logger(__name__)


# Leases stand around every piece of work, however small, so their statements are made once
@cache
def _take(dialect: str) -> Any:
    """The statement that takes a free or an expired lease and gives its token."""
    row = insert_into(table, dialect).values(
        name=sa.bindparam("name"), token=1, owner=sa.bindparam("owner"), expires_at=sa.bindparam("expires_at")
    )
    return row.on_conflict_do_update(
        index_elements=[table.c.name],
        set_={"owner": row.excluded.owner, "expires_at": row.excluded.expires_at, "token": table.c.token + 1},
        where=table.c.expires_at <= NOW,
    ).returning(table.c.token)


_TOKEN = sa.select(table.c.token).where(table.c.name == sa.bindparam("name")).with_for_update()
_EXPIRE = table.update().where(table.c.name == sa.bindparam("lease"), table.c.token == sa.bindparam("mine"))


class LeaseLost(RetryLater):
    """Another process has taken the work over: what this one still wants to write must not be written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Text(
                f"The work {name!r} was taken over by another process because this one did not answer in time. "
                "Nothing was written; the other process goes on with it.",
                f"Работу {name!r} продолжает другой процесс: этот слишком долго не отвечал. "
                "Ничего не записано; вмешательство не требуется.",
            ),
            code="lease.lost",
        )


class LeaseBusy(RetryLater):
    """Somebody else is at it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Text(
                f"The work {name!r} is being done by another process or thread; it is tried again.",
                f"Работу {name!r} сейчас выполняет другой процесс или поток; попытка будет повторена.",
            ),
            code="lease.busy",
        )


@dataclass(frozen=True, slots=True)
class Lease:
    """One acquisition. `lost` is set when the renewing thread learns that somebody else holds the name now."""

    name: str
    owner: str
    token: int
    seconds: float
    lost: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)


_current: contextvars.ContextVar[Lease | None] = contextvars.ContextVar("lease", default=None)


def current() -> Lease | None:
    """The lease under which this thread works now (`kept`, and so every handler of an engine), None outside of one."""
    return _current.get()


class Leases:
    """The leases of one process. Thread-safe; a name is held once, also among the threads of one owner."""

    def __init__(self, store: Store, owner: str, now: Callable[[], datetime]) -> None:
        self.store = store
        self.owner = owner
        self.now = now

    def acquire(self, name: str, seconds: float) -> Lease | None:
        """Take `name` (at most 160 characters) for so many seconds; None while somebody holds it."""
        now = self.now()
        values = {"name": name, "owner": self.owner, "expires_at": now + timedelta(seconds=seconds), "now": now}
        with self.store.begin(
            durable=not self.store.sqlite
        ) as tx:  # a power cut ends all who use a file, but not those of a server
            token = tx.execute(_take(tx.dialect.name), values).scalar_one_or_none()
        return None if token is None else Lease(name, self.owner, token, seconds)

    def renew(self, lease: Lease) -> None:
        """Hold it for its full length from now on. LeaseLost when it has been taken over."""
        with self.store.begin(durable=False) as tx:
            self._expire(tx, lease, self.now() + timedelta(seconds=lease.seconds), must=True)

    def release(self, lease: Lease) -> None:
        """Let others have it at once. Safe to repeat, and after a takeover.

        The row stays: deleting it would let its token begin anew.
        """
        with self.store.begin(durable=False) as tx:
            self._expire(tx, lease, self.now(), must=False)

    def check(self, tx: Connection, lease: Lease) -> None:
        """LeaseLost unless `lease` is the newest one of its name; nobody can take it over until `tx` ends."""
        token = tx.execute(_TOKEN, {"name": lease.name}).scalar_one_or_none()  # SQLite knows no FOR UPDATE: ignored
        if token != lease.token:
            lease.lost.set()
            raise LeaseLost(lease.name)

    def guard(self, tx: Connection) -> None:
        """`check` of the lease under which this thread works; nothing outside of one."""
        lease = current()
        if lease is not None:
            self.check(tx, lease)

    @contextlib.contextmanager
    def held(self, name: str, seconds: float) -> Iterator[Lease]:
        """Acquire (LeaseBusy when somebody holds it), renew in the background, release at the end."""
        lease = self.acquire(name, seconds)
        if lease is None:
            raise LeaseBusy(name)
        with self.kept(lease):
            yield lease

    @contextlib.contextmanager
    def kept(self, lease: Lease) -> Iterator[Lease]:
        """Renew an acquired lease in the background and release it at the end."""
        ended = threading.Event()
        renewer = threading.Thread(target=self._renewing, args=(lease, ended), name=f"lease {lease.name}", daemon=True)
        renewer.start()
        before = _current.set(lease)
        try:
            yield lease
        finally:
            _current.reset(before)
            ended.set()
            renewer.join()
            if not lease.lost.is_set():
                self._release_quietly(lease)

    def end_others(self) -> int:
        """End the leases of every other owner; gives their number.

        Only for a process that knows itself to be alone (SQLite's work lock): all others are dead then, and their work
        need not wait for the expiry.
        """
        now = self.now()
        others = sa.and_(table.c.owner != self.owner, table.c.expires_at > now)
        with self.store.begin() as tx:
            return tx.execute(sa.update(table).where(others).values(expires_at=now)).rowcount

    def _expire(self, tx: Connection, lease: Lease, at: datetime, *, must: bool) -> None:
        values = {"lease": lease.name, "mine": lease.token, "expires_at": at}
        if tx.execute(_EXPIRE, values).rowcount == 0 and must:
            lease.lost.set()
            raise LeaseLost(lease.name)

    def _renewing(self, lease: Lease, ended: threading.Event) -> None:
        pause = lease.seconds / 3
        while not ended.wait(pause):
            try:
                self.renew(lease)
                pause = lease.seconds / 3
            except LeaseLost:
                _log.warning("lease lost", lease=lease.name, owner=lease.owner)
                return
            except Exception as error:  # a busy or absent database: the lease may still be saved
                _log.warning("lease not renewed", lease=lease.name, error=type(error).__name__)
                pause = lease.seconds / 10

    def _release_quietly(self, lease: Lease) -> None:
        """The work is done either way; without the release the next one waits for the expiry."""
        try:
            self.release(lease)
        except Exception as error:
            _log.warning("lease not released", lease=lease.name, error=type(error).__name__)
