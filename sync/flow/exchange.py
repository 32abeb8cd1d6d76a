"""What the hub lends to a protocol that an adapter speaks as the server: sessions, the spool, arrivals, batches of offers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import IO, Any

import sqlalchemy as sa

from adapters.base import Batch, ImportState, Native, Offered
from sync.delivery import intents
from sync.errors import RecordRefused, SverkaError, Text
from sync.flow import trouble
from sync.flow.gate import RELEASED, gate, moment
from sync.flow.plug import Cause, Plug, World
from sync.flow.spread import confirmed, spread
from sync.intake import inbox as inbox_rows
from sync.intake.inbox import Incoming
from sync.intake.spool import Spool
from sync.store import new_uid
from sync.store.tables import inbox, intent, session

_POLL = 0.1


class Context:
    """Implements adapters.base.ServerContext for one connection."""

    def __init__(self, world: World, plug: Plug, spool_folder: Spool) -> None:
        self.connection = plug.name
        self._world = world
        self._plug = plug
        self._spool = spool_folder

    def now(self) -> datetime:
        return self._world.now()

    def load_session(self, sid: str) -> Native | None:
        with self._world.store.read() as tx:
            data: Native | None = tx.execute(sa.select(session.c.data).where(*self._session(sid))).scalar()
        return data

    def save_session(self, sid: str, data: Native) -> None:
        values = {"data": data, "updated_at": self.now()}
        with self._world.store.begin() as tx:
            if tx.execute(session.update().where(*self._session(sid)).values(**values)).rowcount == 0:
                tx.execute(session.insert().values(connection=self.connection, sid=sid, **values))

    def append(self, area: str, name: str, chunks: Iterable[bytes], *, truncate: bool = False) -> int:
        return self._spool.append(self.connection, area, name, chunks, truncate)

    def names(self, area: str) -> list[str]:
        return self._spool.names(self.connection, area)

    def open(self, area: str, name: str) -> IO[bytes]:
        return self._spool.open(self.connection, area, name)

    def receive(self, area: str, name: str) -> str:
        entry = self._spool.entry(self.connection, area, name)
        if entry is None:
            raise RecordRefused(
                Text(f"The file {name} was not uploaded.", f"Файл {name} не был загружен."), code="spool.unknown"
            )
        file, size, known = entry
        if known is not None:
            return str(known)
        incoming = Incoming(
            self.connection, "exchange", name, self.now(), spool=file, size=size, key=f"{area}/{name}/{file}"
        )
        with self._world.store.begin() as tx:
            stored = inbox_rows.put(tx, [incoming])[0]
            ticket = stored.duplicate_of or stored.id
            self._spool.give(tx, self.connection, area, name, ticket)
        self._world.wake(self.connection)
        return str(ticket)

    def progress(self, ticket: str, wait: float) -> ImportState:
        until = time.monotonic() + wait
        while True:
            with self._world.store.read() as tx:
                row = tx.execute(
                    sa.select(inbox.c.state, inbox.c.done, inbox.c.text).where(inbox.c.id == int(ticket))
                ).first()
            if row is None:
                return ImportState("failed", 0, Text("The upload is not known.", "Загрузка неизвестна."))
            text = row.text or {}
            if row.state in ("done", "duplicate"):
                return ImportState("done", row.done, Text(text["en"], text["ru"]) if text else None)
            if row.state == "failed":
                return ImportState("failed", row.done, Text(text.get("en", "failed"), text.get("ru", "ошибка")))
            if time.monotonic() >= until:
                return ImportState("working" if row.done else "waiting", row.done)
            time.sleep(_POLL)

    def offer(self, kind: str, limit: int) -> Batch:
        free = gate(self._world, self.connection).free
        with self._world.store.begin() as tx:
            self._world.store.lock_key(tx, f"offer:{self.connection}:{kind}")
            mine = (intent.c.connection == self.connection, intent.c.native_kind == kind, intent.c.op == "offer")
            rows = tx.execute(sa.select(intent).where(*mine, intent.c.state == "offered").order_by(intent.c.id)).all()
            if not rows:
                rows = tx.execute(
                    sa.select(intent)
                    .where(*mine, intent.c.state == "planned", RELEASED[free])
                    .order_by(intent.c.id)
                    .limit(limit),
                    moment(self._world),
                ).all()
                batch = new_uid()
                tx.execute(
                    intent.update()
                    .where(intent.c.id.in_([r.id for r in rows]))
                    .values(state="offered", batch=batch, tries=intent.c.tries + 1)
                )
            else:
                batch = rows[0].batch
                rows = [r for r in rows if r.batch == batch]
        return Batch(batch if rows else "", [Offered(r.id, r.number or "", r.data) for r in rows])

    def confirm(self, batch_id: str) -> None:
        """The other side has the batch: its records are linked there, and the journal says what was given."""
        with self._world.store.begin() as tx:
            mine = (intent.c.connection == self.connection, intent.c.batch == batch_id, intent.c.state == "offered")
            rows = tx.execute(sa.select(intent).where(*mine).order_by(intent.c.id)).all()
            for row in rows:
                confirmed(self._world, tx, row, Cause())
                self._look_again(tx, row)

    def refuse(self, batch_id: str, key: str, error: SverkaError) -> None:
        with self._world.store.begin() as tx:
            mine = (intent.c.connection == self.connection, intent.c.batch == batch_id, intent.c.state == "offered")
            row = tx.execute(sa.select(intent).where(*mine, intent.c.id == key)).first()
            if row is None:
                return
            intents.finish(tx, key, "refused", self.now(), error)
            trouble.refuse(
                tx,
                self.connection,
                row.native_kind,
                row.record_uid,
                error,
                self.now(),
                stage="delivery",
                record_uid=row.record_uid,
            )
            self._look_again(tx, row)

    def words(self, kind: str, field: str) -> list[tuple[str, str]]:
        lens, found = self._plug.mapping.lens(kind), dict[str, str]()
        for pipeline in self._world.config.pipelines:
            for stage in pipeline.stages:
                with suppress(RecordRefused):  # a stage that the mapping has no word for
                    if word := lens.create({"stage": stage.name}).get(field):
                        found.setdefault(str(word), stage.title)
        return list(found.items())

    def _look_again(self, tx: Any, row: Any) -> None:
        """While it was under way nothing was planned beside it: the deal may have moved on since."""
        self._world.store.lock_record(tx, row.record_uid)
        spread(self._world, tx, row.record_uid, Cause())

    def _session(self, sid: str) -> tuple[Any, ...]:
        return session.c.connection == self.connection, session.c.sid == sid


def waiting(world: World, connection: str) -> dict[str, int]:
    """How many offers wait, are under way and are refused: for the connection's state."""
    with world.store.read() as tx:
        rows = tx.execute(
            sa.select(intent.c.state, sa.func.count().label("number"))
            .where(intent.c.connection == connection, intent.c.state.not_in(("done", "dropped")))
            .group_by(intent.c.state)
        ).all()
    return {row.state: row.number for row in rows}
