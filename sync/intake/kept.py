"""What an adapter keeps between arrivals, in the hub's database: it survives kill -9 and every process sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from adapters.base import Native
from sync.store import Store
from sync.store.tables import session
from sync.store.types import dumps


class KeptInStore:
    """Implements adapters.base.Keeper for one connection. `frozen`: what is saved stays in memory, no table is written."""

    def __init__(self, store: Store, connection: str, now: Callable[[], datetime], *, frozen: bool = False) -> None:
        self._store, self._connection, self._now, self._frozen = store, connection, now, frozen
        self._own: dict[str, Native] = {}

    def load(self, name: str) -> Native | None:
        if name in self._own:
            return self._own[name]
        with self._store.read() as tx:
            data: Native | None = tx.execute(sa.select(session.c.data).where(*self._place(name))).scalar()
        return data

    def save(self, name: str, data: Native) -> None:
        if self._frozen:
            self._own[name] = data
            return
        values = {"data": data, "updated_at": self._now()}
        with self._store.begin() as tx:
            old = tx.execute(sa.select(session.c.data).where(*self._place(name))).scalar()
            if old is not None and dumps(old) == dumps(data):
                return
            if tx.execute(session.update().where(*self._place(name)).values(**values)).rowcount == 0:
                tx.execute(session.insert().values(connection=self._connection, sid=_key(name), **values))

    def _place(self, name: str) -> tuple[sa.ColumnElement[bool], ...]:
        return session.c.connection == self._connection, session.c.sid == _key(name)


def _key(name: str) -> str:
    return f"kept:{name}"  # no session of a client has such an id
