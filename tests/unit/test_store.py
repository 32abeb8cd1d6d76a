"""The database: values that come back as they went in, transactions that are whole, and errors that are ours."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from sync.errors import BadConfig, Fatal
from sync.store import Store, engine, new_uid, points
from sync.store.migrate import upgrade, version
from sync.store.tables import document, journal, metadata, price, record
from sync.store.types import dump_buffer, dumps, loads, scaled, stamp

NOW = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)


def add(store: Store, **values: Any) -> str:
    uid = new_uid()
    with store.begin() as tx:
        tx.execute(
            record.insert().values(
                **{"uid": uid, "kind": "deal", "data": {}, "created_at": NOW, "updated_at": NOW, **values}
            )
        )
    return uid


def read(store: Store, uid: str) -> Any:
    with store.read() as tx:
        return tx.execute(sa.select(record).where(record.c.uid == uid)).one()


@pytest.mark.parametrize("amount", ["0", "0.01", "-5.50", "1234567890123.76", "9999999999999.99"])
def test_money_to_the_kopeck(store: Store, amount: str) -> None:
    assert read(store, add(store, amount=Decimal(amount))).amount == Decimal(amount)


def test_prices_and_nothing(store: Store) -> None:
    with store.begin() as tx:
        tx.execute(
            price.insert().values(
                product_uid="p", connection="c", price_type="t", value=Decimal("0.000001"), updated_at=NOW
            )
        )
        assert tx.execute(sa.select(price.c.value)).scalar() == Decimal("0.000001")
        assert tx.execute(sa.select(price.c.currency)).scalar() is None
    assert read(store, add(store)).amount is None
    assert scaled(Decimal("1.005"), 2) == 101


def test_money_is_compared_and_summed_by_the_database(store: Store) -> None:
    for amount in ("9.99", "10.00", "100.01"):
        add(store, amount=Decimal(amount))
    with store.read() as tx:
        assert tx.execute(sa.select(sa.func.sum(record.c.amount))).scalar() == Decimal("120.00")
        assert len(tx.execute(sa.select(record.c.uid).where(record.c.amount >= Decimal(10))).all()) == 2


def test_times_keep_their_instant_and_their_microseconds(store: Store) -> None:
    moscow = NOW.astimezone(timezone(timedelta(hours=3)))
    found = read(store, add(store, created_at=moscow)).created_at
    assert (found, found.tzinfo) == (NOW, UTC)
    with pytest.raises((ValueError, StatementError)):
        add(store, created_at=datetime(2026, 3, 1))  # noqa: DTZ001


def test_times_sort_as_time_does(store: Store) -> None:
    times = [NOW + timedelta(microseconds=n) for n in (0, 1, 10**6, -1)] + [NOW.replace(microsecond=0)]
    for at in times:
        add(store, created_at=at)
    with store.read() as tx:
        found = [r[0] for r in tx.execute(sa.select(record.c.created_at).order_by(record.c.created_at))]
    assert found == sorted(times)
    assert stamp(NOW) == "2026-03-01T09:00:00.123456+00:00"


def test_json_keeps_text_numbers_and_order_of_nothing(store: Store) -> None:
    data = {"б": "ё", "a": [1, None, True, "1.10"], "n": {"x": "\u0000", "emoji": "🦔"}}
    assert read(store, add(store, data=data)).data == data
    assert dumps({"b": 1, "a": Decimal("1.10"), "t": NOW, "s": {"y", "x"}}) == (
        '{"a":"1.10","b":1,"s":["x","y"],"t":"2026-03-01T09:00:00.123456Z"}'
    )
    assert dumps({"b": 1, "a": 2}) == dumps({"a": 2, "b": 1})
    assert loads(dumps(data)) == data


def test_a_transaction_is_whole_or_not_at_all(store: Store) -> None:
    def work() -> None:
        with store.begin() as tx:
            tx.execute(record.insert().values(uid="u", kind="deal", data={}, created_at=NOW, updated_at=NOW))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        work()
    with store.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(record)).scalar() == 0


def test_a_death_before_the_commit_leaves_nothing(store: Store) -> None:
    class Dead(BaseException):
        pass

    def die(point: str) -> None:
        if point == "commit:before":
            raise Dead

    points.hook = die
    try:
        with pytest.raises(Dead):
            add(store)
    finally:
        points.hook = None
    with store.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(record)).scalar() == 0
    assert read(store, add(store))


def test_a_read_changes_nothing(store: Store) -> None:
    uid = add(store)
    with store.read() as tx:
        tx.execute(record.update().values(title="x"))
    assert read(store, uid).title is None


def test_many_writers(store: Store) -> None:
    uid = add(store, amount=Decimal(0))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with store.begin() as tx:
                    store.lock_record(tx, uid)
                    have = tx.execute(sa.select(record.c.amount).where(record.c.uid == uid)).scalar_one()
                    tx.execute(record.update().where(record.c.uid == uid).values(amount=have + Decimal("0.01")))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert read(store, uid).amount == Decimal("0.60")


def test_a_name_is_held_until_the_transaction_ends(postgres_store: Store) -> None:
    order: list[str] = []
    inside = threading.Event()

    def other() -> None:
        inside.wait(10)
        with postgres_store.begin() as tx:
            postgres_store.lock_key(tx, "phone:1")
            order.append("other")

    thread = threading.Thread(target=other)
    thread.start()
    with postgres_store.begin() as tx:
        postgres_store.lock_key(tx, "phone:1")
        inside.set()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "other"]


def test_many_rows_at_once(store: Store) -> None:
    columns = ("at", "record_uid", "kind", "connection", "why", "who", "changes")
    with store.begin() as tx:
        store.insert_many(
            tx,
            journal,
            columns,
            [(stamp(NOW), str(n), "deal", "c", "w", "w", dump_buffer({"n": n})) for n in range(500)],
        )
        store.insert_many(tx, journal, columns, [])
        found = tx.execute(sa.select(journal).order_by(journal.c.id)).all()
    assert [(r.changes["n"], r.at) for r in found] == [(n, NOW) for n in range(500)]


def test_migrations_make_what_the_tables_say(database: str) -> None:
    opened = Store.open(database)
    try:
        upgrade(opened)
        upgrade(opened)
        there = sa.inspect(opened.engine)
        for table in metadata.sorted_tables:
            assert {c["name"] for c in there.get_columns(table.name)} == {c.name for c in table.columns}, table.name
        assert version(opened) is not None
    finally:
        opened.close()


def test_a_database_of_a_newer_version(store: Store) -> None:
    with store.begin() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Fatal, match="newer"):
        upgrade(store)


@pytest.mark.parametrize("url", ["mysql://x/y", "nothing", "sqlite", "postgresql+asyncpg://x/y"])
def test_no_database(url: str) -> None:
    with pytest.raises(BadConfig) as caught:
        Store.open(url)
    assert caught.value.setting == "hub.database"


def test_a_database_that_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 100)
    opened = Store.open(f"sqlite:///{tmp_path}/x.db")
    try:
        with pytest.raises(Exception, match=r"(?i)not a database") as caught, opened.begin():
            pass
        assert "x.db" not in str(caught.value)
    finally:
        opened.close()


def test_a_document_of_a_deal_is_unique(store: Store) -> None:
    row = {"uid": "1", "deal_uid": "d", "connection": "c", "key": "k", "kind": "payment"}
    with pytest.raises(sa.exc.IntegrityError), store.begin() as tx:
        tx.execute(document.insert(), [row, {**row, "uid": "2"}])


def test_a_transaction_that_need_not_be_durable_leaves_the_next_one_durable(store: Store) -> None:
    if not store.sqlite:
        with store.engine.connect() as plain:  # the test's cluster is told not to wait for its disk
            usual = plain.execute(sa.text("SHOW synchronous_commit")).scalar()
        with store.begin(durable=False) as tx:
            assert tx.execute(sa.text("SHOW synchronous_commit")).scalar() == "off"
        with store.begin() as tx:
            assert tx.execute(sa.text("SHOW synchronous_commit")).scalar() == usual
        return
    with store.begin(durable=False) as tx:
        assert tx.execute(sa.text("PRAGMA synchronous")).scalar() == 1
    with pytest.raises(ZeroDivisionError), store.begin(durable=False):
        raise ZeroDivisionError
    for _ in range(3):
        with store.begin() as tx:
            assert tx.execute(sa.text("PRAGMA synchronous")).scalar() == 2


def test_connections_that_a_server_has_dropped_are_replaced_and_busy_ones_not_asked(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ping = postgres_store.engine.dialect.do_ping
    monkeypatch.setattr(postgres_store.engine.dialect, "do_ping", lambda c: asked.append(c) or ping(c))
    for _ in range(3):
        with postgres_store.read() as one, postgres_store.read() as other:
            pids = {tx.execute(sa.text("SELECT pg_backend_pid()")).scalar_one() for tx in (one, other)}
    assert len(pids) == 2
    assert not asked
    with psycopg.connect(postgres_store.url, autocommit=True) as admin:
        for pid in pids:
            assert admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,)).fetchone() == (True,)
    monkeypatch.setattr(engine, "_IDLE", 0.0)
    with postgres_store.read() as one, postgres_store.read() as other:
        assert one.execute(sa.text("SELECT 1")).scalar_one() == other.execute(sa.text("SELECT 1")).scalar_one() == 1
    assert asked
