"""A hub with one connection of each sort, and a client of its web edge as a browser on this PC."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio.from_thread
import httpx
import sqlalchemy as sa
import uvicorn

from adapters.memory import MemoryWorld, world
from sync import config
from sync.hub import Hub, works
from sync.store.tables import conflict, inbox, notice, quarantine, record, review
from sync.store.tables import run as runs
from sync.web.app import build

SECRET = "s3cret-of-the-site"
LEAD = "Name=Иван+Тестов&Phone=%2B79990000001&tranid=1%3A1&formid=form1"
HERE = "http://127.0.0.1:8080"


@contextmanager
def hub(folder: Path, hub_keys: dict[str, Any] | None = None, **web: Any) -> Iterator[Hub]:
    """An open hub: forms, events, a CRM in memory, 1C's exchange, one broken and one switched-off connection."""
    connections = {
        "site": {"adapter": "tilda", "secret": SECRET},
        "form": {"adapter": "form"},
        "calls": {"adapter": "events"},
        "crm": {"adapter": "memory", "world": f"web-{uuid.uuid4()}"},
        "ut": {"adapter": "onec_exchange", "login": "buh", "password": "1c-password"},
        "unf": {"adapter": "onec_exchange", "login": "учёт", "password": "other-password", "protocol": "unf"},
        "broken": {"adapter": "tilda", "secrt": SECRET, "secret": SECRET},
        "off": {"adapter": "tilda", "enabled": False},
    }
    data = {"hub": {"database": "sqlite:///sverka.db", "spool": "spool", **(hub_keys or {})}, "web": web}
    with Hub(config.build({**data, "connections": connections}, folder / "config.toml")) as opened:
        yield opened


class Browser:
    """A client of the application without a socket; several threads may use it at once."""

    def __init__(self, opened: Hub, address: str = "127.0.0.1", base: str = HERE) -> None:
        transport = httpx.ASGITransport(build(opened), raise_app_exceptions=False, client=(address, 50000))
        self._client = httpx.AsyncClient(transport=transport, base_url=base)
        self._stack = ExitStack()

    def __enter__(self) -> Browser:
        self._portal = self._stack.enter_context(anyio.from_thread.start_blocking_portal())
        return self

    def __exit__(self, *_: object) -> None:
        self._portal.call(self._client.aclose)
        self._stack.close()

    def request(self, method: str, path: str, **keys: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.request, method, path, **keys))

    def get(self, path: str, **keys: Any) -> httpx.Response:
        return self.request("GET", path, **keys)

    def post(self, path: str, **keys: Any) -> httpx.Response:
        return self.request("POST", path, **keys)


@contextmanager
def served(opened: Hub) -> Iterator[str]:
    """The application behind a real server; gives its address."""
    server = uvicorn.Server(uvicorn.Config(build(opened), port=0, log_level="critical", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def rows(opened: Hub) -> list[Any]:
    with opened.store.read() as tx:
        return list(tx.execute(sa.select(inbox).order_by(inbox.c.id)))


def crm(opened: Hub) -> MemoryWorld:
    return world(opened.plugs["crm"].adapter.settings.world)  # type: ignore[attr-defined]


def fill(opened: Hub, text: str = "Иван Тестов", number: str = "1043") -> str:
    """A deal with its client, a form, calls, and one row of every queue; gives the deal's uid. `text` stands in every field
    that people fill in."""
    crm(opened).put(
        "deal",
        {"number": number, "title": text, "stage": "in_work", "amount": "1500.50", "currency": "RUB", "comment": text,
         "lost_reason": text, "responsible": text, "client": {"name": text, "phone": "+79990000001", "email": "ivan@mail.ru"}},
    )  # fmt: skip
    events = [
        {"type": "call", "id": "1", "phone": "+79990000001", "deal": number, "direction": "in", "subject": text,
         "text": text * 20, "author": text, "at": "2026-03-01T10:00:00+03:00"},
        {"type": "note", "id": "2", "phone": "+79990000001", "text": text, "name": text, "company": text},
        {"type": text, "id": text},
    ]  # fmt: skip
    form = {"Name": text, "Phone": "+79990000001", "Textarea": text, "formname": text, "tranid": "1:1"}
    with Browser(opened) as client:
        assert client.post("/in/calls", json=events).status_code == 200
        assert client.post(f"/in/site?key={SECRET}", data=form).status_code == 200
    works.sync_once(opened)
    with opened.store.begin() as tx:
        deal = tx.execute(sa.select(record).where(record.c.kind == "deal", record.c.number == number)).one()
        _queues(opened, tx, deal, text)
    return str(deal.uid)


def _queues(opened: Hub, tx: sa.Connection, deal: Any, text: str) -> None:
    now, both = opened.now(), {"en": text, "ru": text}
    tx.execute(
        conflict.insert().values(
            record_uid=deal.uid, field="title", cause="both_moved", base=text, state="open", since=now,
            sides={"crm/deal": f"{text} 1", "ut/order": f"{text} 2"},
        )
    )  # fmt: skip
    tx.execute(
        review.insert().values(
            record_uid=deal.client_uid, reason=both, state="open", created_at=now,
            candidates=[{"uid": deal.client_uid, "name": text, "reason": text}],
        )
    )  # fmt: skip
    for stage, uid, code in (
        ("delivery", deal.uid, "shop.auth"),
        ("intake", None, "form.field"),
        ("intake", None, text),
    ):
        tx.execute(
            quarantine.insert().values(
                connection="crm", native_kind="deal", external_id=uid or f"{text} {code}", stage=stage, record_uid=uid,
                code=code[:48], field=text, text=both, remedy=both, state="open", first_at=now, last_at=now,
            )
        )  # fmt: skip
    tx.execute(notice.insert().values(key="k", at=now, text=both, record_uid=deal.uid))
    tx.execute(
        runs.insert().values(
            connection="crm", work=text[:64], started_at=now, ended_at=now, outcome="failed", read=5, new=1, error=both
        )
    )
