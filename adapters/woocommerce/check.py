"""`sverka check` for a shop: from its name to the proof that its date filter loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from adapters.base import Finding, Native, SverkaError, Text
from adapters.network import Place, reach
from adapters.woocommerce.client import CERTIFICATE_REMEDY, CLOCK_REMEDY, WooClient
from adapters.woocommerce.records import naive, stamp
from adapters.woocommerce.scan import SECOND, filter_broken
from adapters.woocommerce.settings import WooCommerceSettings

SKEW = 120  # seconds
NEWEST = {"orderby": "modified", "order": "desc", "status": "any", "per_page": "1"}
UNREACHABLE = Text(
    "Look whether the shop works in a browser on this PC, and whether a firewall blocks it.",
    "Проверьте, открывается ли магазин в браузере на этом компьютере и не мешает ли межсетевой экран.",
)
PLAIN = Text("Perhaps the address begins with http://.", "Возможно, адрес с http://.")
WAYS = {"basic": "Basic", "query": "query string", "oauth1": "OAuth 1.0a"}


class Check:
    def __init__(self, client: WooClient, settings: WooCommerceSettings) -> None:
        self._client, self._settings = client, settings
        self._place = Place(
            client.base, "url", settings.timeout, settings.verify_tls, UNREACHABLE, CERTIFICATE_REMEDY, PLAIN
        )

    def run(self) -> Iterator[Finding]:
        """Findings in order; ends at the first one that makes the rest pointless. Nothing is written to the shop."""
        if self._client.proxy:
            proxy = urlsplit(self._client.proxy).hostname or "?"
            yield Finding(
                "connect", True, Text(f"calls go through the proxy {proxy}", f"запросы идут через прокси {proxy}")
            )
        else:
            for finding in reach(self._place):
                yield finding
                if not finding.ok:
                    return
        yield from self._shop()

    def _shop(self) -> Iterator[Finding]:
        try:
            newest = self._client.get_list("orders", NEWEST).data
        except SverkaError as error:
            step = {"woo.rights": "rights", "woo.clock": "clock", "woo.certificate": "tls"}.get(error.code, "auth")
            yield _failed(step, error)
            if (skew := self._skew()) and not skew.ok and step == "auth":
                yield skew
            return
        way = WAYS[self._client.keys.way]
        yield Finding("auth", True, Text(f"the key is accepted ({way})", f"ключ принят ({way})"))
        yield self._rights()
        yield _sample(newest[0] if newest else None)
        if skew := self._skew():
            yield skew
        try:
            yield self._filter(newest[0] if newest else None)
        except SverkaError as error:
            yield _failed("filter", error)

    def _rights(self) -> Finding:
        """Reading only: there is no harmless write. A key without write rights shows at the first write, by name."""
        try:
            self._client.get_list("products", {"per_page": "1"})
        except SverkaError as error:
            return _failed("rights", error)
        return Finding("rights", True, Text("orders and products can be read", "заказы и товары читаются"))

    def _skew(self) -> Finding | None:
        seconds = self._client.skew()
        if seconds is None:
            return None
        if abs(seconds) <= SKEW:
            return Finding("clock", True, Text("the clocks agree", "часы совпадают"))
        text = Text(
            f"this PC's clock or the shop's is wrong: they differ by {abs(seconds)} s (allowed: {SKEW})",
            f"часы этого компьютера или магазина неверны: разница {abs(seconds)} с (допустимо {SKEW})",
        )
        return Finding("clock", False, text, "url", CLOCK_REMEDY)

    def _filter(self, newest: Native | None) -> Finding:
        """The canary: the newest order must come back from one second before its stamp and not from one second after."""
        moment = stamp(newest) if newest else None
        if newest is None or moment is None:
            text = Text("no order yet, so the date filter was not tried", "заказов ещё нет, отбор по дате не проверен")
            return Finding("filter", True, text)
        for _ in range(2):
            before, after = self._comes(newest, moment - SECOND), self._comes(newest, moment + SECOND)
            if before and not after:
                return Finding("filter", True, Text("the date filter loses nothing", "отбор по дате ничего не теряет"))
            fresh = self._client.get_one(f"orders/{newest['id']}")
            if stamp(fresh) == moment:
                break
            newest, moment = fresh, stamp(fresh) or moment  # edited while we looked
        return _failed("filter", filter_broken(self._client.base.raw_host.decode()))

    def _comes(self, order: Native, after: datetime) -> bool:
        params = {"include": str(order["id"]), "modified_after": naive(after), "dates_are_gmt": "true", "per_page": "1"}
        return any(row["id"] == order["id"] for row in self._client.get_list("orders", params | {"status": "any"}).data)


def _sample(order: Native | None) -> Finding:
    if order is None:
        return Finding("sample", True, Text("the shop has no orders yet", "в магазине ещё нет заказов"))
    missing = [
        n for n in ("number", "status", "total", "currency", "line_items", "date_modified_gmt") if order.get(n) is None
    ]
    if missing:
        names = ", ".join(missing)
        text = Text(f"the newest order lacks {names}", f"в новейшем заказе нет полей: {names}")
        remedy = Text(
            "A plug-in changes the REST API; WooCommerce 5.8 or newer is wanted.",
            "Плагин меняет REST API; нужен WooCommerce 5.8+.",
        )
        return Finding("sample", False, text, "url", remedy)
    return Finding("sample", True, Text(f"the newest order is {order['number']}", f"новейший заказ: {order['number']}"))


def _failed(step: str, error: SverkaError) -> Finding:
    return Finding(step, False, error.text, error.setting, error.remedy)
