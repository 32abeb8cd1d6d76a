"""A 1C base over its own OData interface: nomenclature, prices, stock, and orders with their state; the stage goes back.

DELETE is never sent: it would remove for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.base import Adapter, AdapterContext, Capabilities, Change, Finding, Native, Page, Record, RetryLater, Text
from adapters.onec.odata.check import findings
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.goods import PARTIES, Goods
from adapters.onec.odata.names import BY_CONFIGURATION
from adapters.onec.odata.orders import Orders
from adapters.onec.odata.settings import ODataSettings
from adapters.onec.odata.writing import Writing

_CATALOGUE = frozenset({"product", "group"})
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class OneCOData(Adapter):
    title = Text("1C over OData", "1С по OData")
    role = "accounting"
    mapping = "onec_odata_ut"
    Settings = ODataSettings
    settings: ODataSettings

    def __init__(self, settings: ODataSettings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._client = ODataClient(settings, context)
        self._names = BY_CONFIGURATION[settings.configuration]
        scans = {"product", "group", "order"}
        if self._names.price_type:
            scans |= {"price_type", "warehouse", "offer"}
        scans |= PARTIES if settings.clients else set()
        self.capabilities = Capabilities(
            scans=frozenset(scans),
            reads=frozenset({"product", "order"}),
            updates=frozenset({"order"}),
            conditional=frozenset({"order"}),
            # a full scan begins the change feed anew: its messages must not be numbered from 1 again
            completes=_CATALOGUE - ({"product"} if settings.exchange_plan else set()),
        )
        self._goods = Goods(self._client, self._names, settings.exchange_plan)
        self._orders = Orders(self._client, self._names, settings, context)
        self._writing = Writing(self._client, self._names, settings, self._orders)

    def check(self) -> Iterator[Finding]:
        yield from findings(self._client, self._names, self.settings, self._orders.told() or frozenset())

    def scan(self, kind: str, cursor: Native | None) -> Iterator[Page]:
        with _as_promised():
            yield from self._orders.scan(cursor or {}) if kind == "order" else self._goods.scan(kind, cursor)

    def read(self, kind: str, id: str) -> Record | None:
        """None when 1C removed it for good (a deletion mark is not that)."""
        if not _GUID.fullmatch(id):
            return None
        with _as_promised():
            return self._goods.read(id) if kind == "product" else self._orders.read(id)

    def write(self, change: Change) -> Record:
        with _as_promised():
            return self._writing.write(change)

    def close(self) -> None:
        self._client.close()


@contextmanager
def _as_promised() -> Iterator[None]:
    """What 1C shows has not the shape of its own description: nothing more is taken."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"[:200]
        raise RetryLater(
            Text(
                f"1C's answer is not as its description promises ({what}); nothing was taken from it",
                f"ответ 1С не такой, как обещает её описание ({what}); из него ничего не взято",
            ),
            code="odata.shape",
            remedy=Text(
                "Run sverka check; look whether this object of the configuration was changed.",
                "Запустите sverka check; проверьте, не изменён ли этот объект конфигурации.",
            ),
        ) from error
