"""What the tests of the Bitrix24 adapter share: an adapter at a stand-in, scans, changes and events."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from adapters.base import AdapterContext, Arrival, Change, Native, Page, Record
from adapters.bitrix24 import Bitrix24Adapter, Bitrix24Settings
from adapters.testing import KitLimiter
from tests.peers.bitrix import BitrixPeer
from tests.peers.bitrix_wire import form

NOON = "2026-11-22T07:09:18"  # the stand-in's clock in these tests
TOKEN = "event-t0ken"
KEY = "b1700000-0000-4000-8000-00000000000{}"


@contextmanager
def adapter_at(
    peer: BitrixPeer, now: Callable[[], datetime] | None = None, **settings: Any
) -> Iterator[Bitrix24Adapter]:
    """An adapter for the stand-in; the hub goes by the stand-in's clock unless another one is given."""
    given = {"webhook": peer.webhook, "application_token": TOKEN, "timeout": 10} | settings
    context = AdapterContext("crm", KitLimiter(), now or peer.now, logging.getLogger("test.crm"))
    adapter = Bitrix24Adapter(Bitrix24Settings(**given), context)
    try:
        yield adapter
    finally:
        adapter.close()


def pages(adapter: Bitrix24Adapter, cursor: Native | None = None, kind: str = "deal") -> list[Page]:
    return list(adapter.scan(kind, cursor))


def ids(found: list[Page]) -> list[str]:
    return [record.id for page in found for record in page.records]


def update(adapter: Bitrix24Adapter, kind: str, id: str, **data: Any) -> Record:
    """Write some fields over the record as it stands now."""
    return adapter.write(Change(kind, id, data, adapter.read(kind, id), KEY.format(1)))


def create(adapter: Bitrix24Adapter, kind: str, number: int = 1, **data: Any) -> Record:
    return adapter.write(Change(kind, None, data, None, KEY.format(number)))


def event(name: str = "ONCRMDEALUPDATE", id: str = "759", token: str = TOKEN, **more: Any) -> Arrival:
    """An event as the portal sends it; `at` is when it was received."""
    auth = {"access_token": "secret-access", "refresh_token": "secret-refresh", "application_token": token}
    body = {"event": name, "event_handler_id": "201", "data": {"FIELDS": {"ID": id}}, "ts": "1736405807", "auth": auth}
    return arrival(form(body), **more)


def arrival(raw: bytes, at: datetime = datetime(2026, 11, 22, 7, 9, 18, tzinfo=UTC)) -> Arrival:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Arrival("crm", headers=headers, at=at, size=len(raw), open=lambda: io.BytesIO(raw))
