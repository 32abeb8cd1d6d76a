"""Opening the database and its transactions.

SQLite: one file, WAL, synchronous FULL, writers take the write lock when they begin (an upgrade in mid-transaction could
only fail). PostgreSQL: the same code at READ COMMITTED; rows that a decision rests on are locked by SELECT … FOR UPDATE.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from sync.errors import BadConfig, Fatal, RetryLater, Text
from sync.store import points
from sync.store.tables import as_on_postgresql, metadata
from sync.store.types import Json

_IDLE = 1.0  # seconds


class Store:
    """One database. Thread-safe; every transaction has a connection of its own."""

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self.engine = engine
        self.url = url
        self.sqlite = engine.dialect.name == "sqlite"
        # Parameters of driver-level statements: of any value, and of JSON that comes as bytes
        self.mark, self.json_mark = ("?", "CAST(? AS TEXT)") if self.sqlite else ("%s", "convert_from(%s, 'UTF8')")
        # Within one process writers queue up here instead of polling SQLite's lock
        self._writer = threading.Lock() if self.sqlite else contextlib.nullcontext()
        self._insert_sql: dict[str, str] = {}
        self._mine = threading.local()  # whether this thread is inside a write transaction

    @classmethod
    def open(cls, url: str) -> Store:
        """Open `sqlite:///path` or `postgresql://…` (BadConfig for anything else); makes no tables."""
        try:
            parsed = make_url(url)
        except sa.exc.ArgumentError as error:
            raise _bad_url(url) from error
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})
            _sqlite_events(engine)
        elif parsed.drivername == "postgresql+psycopg":
            engine = sa.create_engine(parsed, pool_size=10, max_overflow=20)
            _postgresql_events(engine)
            as_on_postgresql()
        else:
            raise _bad_url(url)
        return cls(engine, url)

    def close(self) -> None:
        self.engine.dispose()

    @contextlib.contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write transaction; committed at the end, rolled back by any exception.

        One that is not `durable` survives a killed process, but a power cut may take it back, with all that came after it:
        the log is written in order, so what is left is always a state that was. It is for what is harmless to lose (a
        reserved call) and for what is made again from what is durable (a stored page that is taken once more). Waiting for
        the disk costs more than all else that a small transaction does. Before a call and before an answer to others
        stands a durable one.
        """
        if getattr(self._mine, "open", False):
            raise RuntimeError("a write transaction was begun inside another one of the same thread")
        self._mine.open = True
        try:
            yield from self._begin(durable)
        finally:
            self._mine.open = False
        points.reach("commit:after")

    def _begin(self, durable: bool) -> Iterator[Connection]:
        with self._writer, _errors(), self.engine.connect() as tx:
            if self.sqlite:
                if not durable:
                    tx.exec_driver_sql("PRAGMA synchronous=NORMAL")
                tx.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                tx.begin()
                if not durable:
                    tx.exec_driver_sql("SET LOCAL synchronous_commit = off")
            try:
                yield tx
                points.reach("commit:before")
                tx.commit()
            except BaseException:
                tx.rollback()
                raise
            finally:
                if self.sqlite and not durable:
                    tx.exec_driver_sql("PRAGMA synchronous=FULL")

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent read; whatever it would change is rolled back."""
        with _errors(), self.engine.connect() as tx:
            if self.sqlite:
                tx.exec_driver_sql("BEGIN")
            else:
                tx.begin()
            try:
                yield tx
            finally:
                tx.rollback()

    def insert_many(
        self, tx: Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
    ) -> None:
        """The hot path: driver-level rows, values already in stored form (see store.types); JSON as `dump_buffer` gives it,
        which is neither decoded nor encoded again on its way."""
        rows = list(rows)
        if not rows:
            return
        key = f"{table.name}:{','.join(columns)}"
        sql = self._insert_sql.get(key)
        if sql is None:
            marks = [self.json_mark if isinstance(table.c[name].type, Json) else self.mark for name in columns]
            sql = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(marks)})"
            self._insert_sql[key] = sql
        tx.exec_driver_sql(sql, rows)

    def lock_record(self, tx: Connection, uid: str) -> None:
        """Hold the record until the transaction ends (SQLite's only writer holds everything anyway)."""
        if not self.sqlite:
            record = metadata.tables["record"]
            tx.execute(sa.select(record.c.uid).where(record.c.uid == uid).with_for_update()).first()

    def lock_key(self, tx: Connection, key: str, *, shared: bool = False) -> None:
        """Hold a name (a phone number, an order) for which there may be no row yet, until the transaction ends. `shared`:
        beside others who share it, while nobody holds it alone."""
        if not self.sqlite:
            number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)
            lock = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
            tx.execute(sa.select(lock(number)))


def _sqlite_events(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver must not begin by itself: begin() does
        for pragma in (
            "page_size=8192",  # of a new file: a product's link has 2.5 KB, and one alone would have a page of 4 KB
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
            "cache_size=-16000",
            "wal_autocheckpoint=4000",  # 32 MB: an import changes the same index pages again and again
        ):
            connection.execute(f"PRAGMA {pragma}").close()


def _postgresql_events(engine: sa.Engine) -> None:
    """A pooled connection is tried before use, as `pool_pre_ping` does, but only one that has been idle: no server ends and
    begins again within a second, and asking each time would cost every small transaction a quarter more."""

    @sa.event.listens_for(engine, "checkin")
    def _checkin(_: Any, record: Any) -> None:
        record.info["idle"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _checkout(connection: Any, record: Any, _: Any) -> None:
        if time.monotonic() - record.info.get("idle", time.monotonic()) < _IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError("the server was away") from error  # the pool opens others


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """What the database says, as one of ours."""
    try:
        yield
    except OperationalError as error:
        message = str(error.orig)
        if "locked" in message or "busy" in message or "deadlock" in message or "serialize" in message:
            raise RetryLater(
                Text("The database is busy; the work is tried again.", "База данных занята; работа будет повторена."),
                code="store.busy",
            ) from error
        raise Fatal(
            Text(
                f"The database does not work: {message.splitlines()[0]}. Check the disk and the setting hub.database.",
                f"База данных не работает: {message.splitlines()[0]}. Проверьте диск и настройку hub.database.",
            ),
            code="store.down",
            setting="hub.database",
        ) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Fatal(
                Text("The connection to the database was lost.", "Потеряно соединение с базой данных."),
                code="store.down",
                setting="hub.database",
            ) from error
        raise


def _bad_url(url: str) -> BadConfig:
    scheme = url.split(":", 1)[0]
    return BadConfig(
        Text(
            f"hub.database begins with {scheme!r}; valid are sqlite:///file.db and postgresql://user:password@host/name.",
            f"hub.database начинается с {scheme!r}; допустимы sqlite:///файл.db и postgresql://user:password@host/name.",
        ),
        code="config.database",
        setting="hub.database",
    )
