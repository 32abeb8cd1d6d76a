"""What the tests of the shop adapter share: an adapter at a stand-in, a limiter that counts, arrivals and scans."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from adapters.base import AdapterContext, Arrival, Native, Page, Record
from adapters.testing import KitLimiter
from adapters.woocommerce import WooCommerceAdapter, WooCommerceSettings
from tests.peers.woo import WooPeer

NOON = "2026-11-22T07:09:18"  # the stand-in's clock in these tests


@contextmanager
def adapter_at(
    peer: WooPeer, now: Callable[[], datetime] | None = None, **settings: Any
) -> Iterator[WooCommerceAdapter]:
    """An adapter for the stand-in; the hub goes by the stand-in's clock unless another one is given."""
    given = {"url": peer.url, "key": peer.key, "secret": peer.secret} | settings
    context = AdapterContext("shop", KitLimiter(), now or peer.now, logging.getLogger("test.shop"))
    adapter = WooCommerceAdapter(WooCommerceSettings(**given), context)
    try:
        yield adapter
    finally:
        adapter.close()


def pages(adapter: WooCommerceAdapter, cursor: Native | None = None, kind: str = "order") -> list[Page]:
    return list(adapter.scan(kind, cursor))


def ids(found: list[Page]) -> list[str]:
    return [record.id for page in found for record in page.records]


def newest(found: list[Page]) -> dict[str, Record]:
    """The last version of each record that a scan gave."""
    return {record.id: record for page in found for record in page.records}


def arrival(body: bytes, name: str = "", **headers: str) -> Arrival:
    return Arrival(
        name=name,
        headers={key.replace("_", "-"): value for key, value in headers.items()},
        at=datetime(2026, 11, 22, 7, 9, 18, tzinfo=UTC),
        size=len(body),
        open=lambda: io.BytesIO(body),
    )
