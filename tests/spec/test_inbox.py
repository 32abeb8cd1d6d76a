"""The inbox: acknowledged means on disk, a repeat is seen and kept, and one bad arrival costs no other one anything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sync.errors import Fatal, Text
from sync.intake import inbox as module
from sync.intake.inbox import REPEAT_WINDOW, InboxWriter, Incoming, Stored, put
from sync.store import Store
from sync.store.tables import inbox
from tests.spec.hubs import START


def incoming(body: bytes = b"x", at: datetime = START, **more: Any) -> Incoming:
    return Incoming(more.pop("connection", "form"), "push", more.pop("name", "post"), at, body, **more)


def store_all(store: Store, *items: Incoming) -> list[Stored]:
    with store.begin() as tx:
        return put(tx, list(items))


def kept(store: Store) -> list[Any]:
    with store.read() as tx:
        return list(tx.execute(sa.select(inbox).order_by(inbox.c.id)))


@pytest.fixture
def writer(store: Store) -> Iterator[InboxWriter]:
    made = InboxWriter(store)
    yield made
    made.close()


def sizes_of_commits(writer: InboxWriter) -> list[int]:
    """Grows with every transaction that the writer makes from now on."""
    sizes: list[int] = []
    original = writer._commit

    def counting(batch: Any) -> None:
        sizes.append(len(batch))
        original(batch)

    writer._commit = counting  # type: ignore[method-assign]
    return sizes


def test_acknowledged_means_on_disk(store: Store, writer: InboxWriter) -> None:
    done = writer.submit(incoming(b"first", request={"method": "POST"})).result(10)
    other = Store.open(store.url)  # as another process sees it
    try:
        (row,) = kept(other)
    finally:
        other.close()
    assert (row.id, bytes(row.body), row.state, row.request) == (done.id, b"first", "new", {"method": "POST"})
    assert (row.size, row.received_at, done.duplicate_of) == (5, START, None)


def test_a_repeat_of_the_senders_id_is_kept_and_points_to_the_first(store: Store) -> None:
    first, second, later = store_all(
        store,
        incoming(b"a", key="m-1"),
        incoming(b"b", key="m-1"),
        incoming(b"c", START + timedelta(days=30), key="m-1"),
    )
    assert [second.duplicate_of, later.duplicate_of] == [first.id, first.id]
    assert [(r.state, bytes(r.body)) for r in kept(store)] == [("new", b"a"), ("duplicate", b"b"), ("duplicate", b"c")]


def test_the_same_id_of_another_connection_is_another_message(store: Store) -> None:
    stored = store_all(store, incoming(key="m-1"), incoming(key="m-1", connection="other"))
    assert [s.duplicate_of for s in stored] == [None, None]


def test_the_same_body_is_a_repeat_for_five_minutes_and_new_afterwards(store: Store) -> None:
    times = [0, 299, 300, 301, 302, 601, 602, 86400, 86401]
    stored = [store_all(store, incoming(b"call me", START + timedelta(seconds=s)))[0] for s in times]
    first, second, third, day = stored[0].id, stored[3].id, stored[6].id, stored[7].id
    assert timedelta(seconds=300) == REPEAT_WINDOW
    assert [s.duplicate_of for s in stored] == [None, first, first, None, second, second, None, None, day]
    assert third != second


def test_two_new_ones_within_one_second_of_another_day(store: Store) -> None:
    """The key of a later message holds its time: two in one second must not collide."""
    store_all(store, incoming(b"one"), incoming(b"two"))
    later = START + timedelta(days=1)
    stored = store_all(store, incoming(b"one", later), incoming(b"one", later), incoming(b"two", later))
    assert [s.duplicate_of for s in stored] == [None, stored[0].id, None]


def test_labelled_arrivals_are_kept_and_not_processed(store: Store) -> None:
    store_all(
        store,
        incoming(b"buy", label="spam", text=Text("too fast", "слишком быстро")),
        incoming(b"", label="ping"),
        incoming(b"lead"),
    )
    assert [(r.label, r.state) for r in kept(store)] == [("spam", "kept"), ("ping", "kept"), ("", "new")]
    assert kept(store)[0].text == {"en": "too fast", "ru": "слишком быстро"}


def test_files_are_known_by_their_own_key_or_name(store: Store) -> None:
    one = Incoming("onec", "file", "a.xml", START, spool="f1", size=10)
    two = Incoming("onec", "file", "a.xml", START, spool="f2", size=10)
    stored = store_all(store, one, two, one)
    assert [s.duplicate_of for s in stored] == [None, None, stored[0].id]


def test_many_threads_share_transactions_and_each_gets_its_own_row(store: Store, writer: InboxWriter) -> None:
    commits = sizes_of_commits(writer)
    found: dict[str, Stored] = {}

    def post(number: int) -> None:
        for part in range(10):
            name = f"{number}-{part}"
            found[name] = writer.submit(incoming(name.encode(), key=name)).result(30)

    threads = [threading.Thread(target=post, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_id = {r.id: bytes(r.body).decode() for r in kept(store)}
    assert {name: by_id[s.id] for name, s in found.items()} == {name: name for name in found}
    assert (len(by_id), sum(commits)) == (200, 200)
    assert len(commits) < 200, "every arrival had a transaction of its own"


def test_requests_of_an_event_loop_share_transactions_and_each_gets_its_own_row(
    store: Store, writer: InboxWriter
) -> None:
    commits = sizes_of_commits(writer)

    async def post() -> list[Stored]:
        return await asyncio.gather(
            *(writer.keep(incoming(str(n % 90).encode(), key=f"m-{n % 90}")) for n in range(100))
        )

    found = asyncio.run(post())
    by_id = {r.id: r for r in kept(store)}
    assert [bytes(by_id[s.id].body) for s in found] == [str(n % 90).encode() for n in range(100)]
    assert [s.duplicate_of for s in found[90:]] == [s.id for s in found[:10]]
    assert (len(by_id), sum(commits)) == (100, 100)
    assert len(commits) < 10


def test_a_request_that_gives_up_or_waits_too_long_costs_its_neighbours_nothing(
    store: Store, writer: InboxWriter, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)

    async def post() -> list[Any]:
        with store.begin():  # nothing can be stored meanwhile on SQLite; PostgreSQL goes on
            gone = asyncio.create_task(writer.keep(incoming(b"gone")))
            slow = asyncio.create_task(writer.keep(incoming(b"slow")))
            await asyncio.sleep(0)
            gone.cancel()
            late = await asyncio.gather(gone, slow, return_exceptions=True)
        monkeypatch.setattr(module, "_PATIENCE", 30)
        return [*late, await writer.keep(incoming(b"next"))]

    gone, slow, after = asyncio.run(post())
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(slow, TimeoutError if store.sqlite else (TimeoutError, Stored))
    assert isinstance(after, Stored)
    assert {bytes(r.body) for r in kept(store)} == {b"gone", b"slow", b"next"}, "what was handed over is stored"


def test_requests_are_told_that_the_database_does_not_work(store: Store, writer: InboxWriter) -> None:
    async def post() -> list[Any]:
        asked = (writer.keep(incoming(str(n).encode())) for n in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    with store.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE inbox RENAME TO elsewhere")
    errors = asyncio.run(post())
    with store.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE elsewhere RENAME TO inbox")
    assert all(isinstance(error, Exception) for error in errors)
    assert all(isinstance(s, Stored) for s in asyncio.run(post()))


def test_repeats_within_one_batch(store: Store) -> None:
    writer = InboxWriter(store)
    futures = [writer.submit(incoming(b"same")) for _ in range(50)]
    ids = {f.result(30).duplicate_of or f.result(30).id for f in futures}
    writer.close()
    assert len(ids) == 1
    assert sorted({r.state for r in kept(store)}) == ["duplicate", "new"]
    assert sum(r.state == "new" for r in kept(store)) == 1


def test_what_waits_is_stored_when_the_writer_closes(store: Store) -> None:
    writer = InboxWriter(store)
    futures = [writer.submit(incoming(str(n).encode())) for n in range(100)]
    writer.close()
    assert len({f.result(0).id for f in futures}) == 100


def test_odd_names_are_stored_without_what_no_database_holds(store: Store) -> None:
    store_all(store, incoming(b"x", name="a\x00b\ud800/../c", key="k\x00\ud800"), incoming(b"y", name="n" * 5000))
    assert [r.name for r in kept(store)] == ["ab?/../c", "n" * 500]


def test_one_that_cannot_be_stored_costs_its_neighbours_nothing(store: Store, monkeypatch: Any) -> None:
    original = module._row

    def row(item: Incoming, *more: Any) -> Any:
        if item.body == b"poison":
            raise ValueError("cannot be stored")
        return original(item, *more)

    monkeypatch.setattr(module, "_row", row)
    writer = InboxWriter(store)
    bodies = [b"a", b"poison", b"b", b"c"]
    gate = threading.Event()
    held = writer._commit

    def commit(batch: Any) -> None:
        gate.wait(10)
        held(batch)

    writer._commit = commit  # type: ignore[method-assign]
    futures = [writer.submit(incoming(body)) for body in bodies]
    gate.set()
    errors = [f.exception(30) for f in futures]
    writer.close()
    assert [type(e) for e in errors] == [type(None), ValueError, type(None), type(None)]
    assert sorted(bytes(r.body) for r in kept(store)) == [b"a", b"b", b"c"]


def test_every_sender_is_told_when_the_database_does_not_work(store: Store) -> None:
    with store.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE inbox RENAME TO elsewhere")
    writer = InboxWriter(store)
    errors = [writer.submit(incoming(str(n).encode())).exception(30) for n in range(3)]
    writer.close()
    with store.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE elsewhere RENAME TO inbox")
    assert all(errors)
    if store.sqlite:
        assert all(isinstance(e, Fatal) and e.setting == "hub.database" for e in errors)


def test_two_processes_store_the_same_message_at_one_instant(postgres_store: Store) -> None:
    """Both have looked and seen nothing: the second insert fails and must become a repeat, with its batch unharmed."""
    looked = threading.Event()
    other_done = threading.Event()
    original = module._known

    def racing(tx: Any, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
        found = original(tx, wanted)
        if threading.current_thread().name == "inbox" and not looked.is_set():
            looked.set()
            other_done.wait(10)
        return found

    module._known = racing
    try:
        writer = InboxWriter(postgres_store)
        mine = writer.submit(incoming(b"mine", key="m-1"))
        looked.wait(10)
        after = writer.submit(incoming(b"neighbour", key="m-2"))
        (theirs,) = store_all(postgres_store, incoming(b"theirs", key="m-1"))
        other_done.set()
        assert mine.result(30).duplicate_of == theirs.id
        assert after.result(30).duplicate_of is None
        writer.close()
    finally:
        module._known = original
    assert [bytes(r.body) for r in kept(postgres_store) if r.state == "new"] == [b"theirs", b"neighbour"]
    assert len(kept(postgres_store)) == 3


def test_the_first_of_a_key_is_unique_in_the_database(store: Store) -> None:
    store_all(store, incoming(key="m-1"))
    row = {c.name: v for c, v in zip(inbox.c, kept(store)[0], strict=True) if c.name != "id"}
    with pytest.raises(IntegrityError), store.begin() as tx:
        tx.execute(inbox.insert().values(**row))
