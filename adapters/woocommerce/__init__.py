"""WooCommerce by its REST API wc/v3: orders and products are pulled; a status, a price and a stock are written back, and
where the configuration says so an order goes to the trash.

Polling alone is enough; webhooks only say where to look sooner. The stock shop needs no plug-in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.base import (
    Adapter,
    AdapterContext,
    Arrival,
    Capabilities,
    Change,
    Finding,
    Hint,
    Native,
    Page,
    PreconditionFailed,
    Problem,
    Reception,
    Record,
    Text,
)
from adapters.woocommerce import arrivals
from adapters.woocommerce.check import Check
from adapters.woocommerce.client import WooClient
from adapters.woocommerce.records import PATHS, is_draft, record
from adapters.woocommerce.scan import Scan, Size
from adapters.woocommerce.settings import WooCommerceSettings
from adapters.woocommerce.write import TRASHED, write

KINDS = frozenset(PATHS)


class WooCommerceAdapter(Adapter):
    """Native kinds: "order" and "product", with the fields of the REST API. Ids are the shop's, as text."""

    title = Text("WooCommerce", "WooCommerce")
    role = "shop"
    mapping = "woocommerce"
    suffixes = (".json",)
    Settings = WooCommerceSettings
    capabilities = Capabilities(
        scans=KINDS, completes=KINDS, reads=KINDS, updates=KINDS, deletes=TRASHED, receives=True, files=True
    )

    def __init__(self, settings: Any, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._client = WooClient(settings, context)
        self._sizes = {kind: Size(settings.page_size) for kind in PATHS}
        self._secrets = [s for s in (settings.webhook_secret, settings.previous_webhook_secret) if s is not None]

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        return arrivals.likeness(head) or super().likeness(name, head)

    def check(self) -> Iterator[Finding]:
        return Check(self._client, self.settings).run()

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        """Oldest change first; trash and drafts are not in it. A record of the overlap comes again, unchanged."""
        return Scan(self._client, kind, self._sizes[kind], self.settings.overlap, cursor).pages()

    def read(self, kind: str, id: str) -> Record | None:
        """A record in the trash comes as deleted; one that is gone for good, or still a draft, is None."""
        if not (id.isascii() and id.isdecimal()):
            return None
        try:
            row = self._client.get_one(f"{PATHS[kind]}/{id}")
        except PreconditionFailed:  # "woo.gone" of the table of failures
            return None
        return None if is_draft(row) else record(kind, row)

    def write(self, change: Change) -> Record:
        return write(self._client, change)

    def receive(self, arrival: Arrival) -> Reception:
        return arrivals.receive(arrival, self._secrets)

    def unpack(self, arrival: Arrival) -> Iterator[Record | Problem | Hint]:
        return arrivals.unpack(arrival)

    def close(self) -> None:
        self._client.close()


__all__ = ["WooCommerceAdapter", "WooCommerceSettings"]
