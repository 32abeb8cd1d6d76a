"""A shop and a stock УНФ that exchanges with the hub as with a site, through public commands and HTTP only."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.peers.onec import UnfClient
from tests.peers.stage import Stage, wait_for

CONFIG = """
[hub]
language = "ru"
database = "sqlite:///hub.db"

[connections.shop]
adapter = "woocommerce"
url = "{shop}"
key = "{key}"
secret = "{secret}"
every = "1s"
rate = 6000

[connections.onec]
adapter = "onec_exchange"
protocol = "unf"
mapping = "onec_unf"
login = "1c"
password = "1c-secret"
file_limit = 3000

[[flow]]
kind = "deal"
from = "shop"
to = "onec"
create = "always"

[limits]
first_run = "go"
"""


# The exchange node's table: УНФ's own three states, one of which three stages share
STATES = {
    "new": "Открыт",
    "in_work": "В работе",
    "paid": "В работе",
    "shipped": "В работе",
    "won": "Завершен",
}


class Firm(Stage):
    """The shop, УНФ, and the hub as a process of its own."""

    def __enter__(self) -> Firm:
        self.shop.start()
        made = CONFIG.format(shop=self.shop.url, key=self.shop.key, secret=self.shop.secret)
        self.config.write_text(made, encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_serving()
        self.shop.stop()

    def unf(self) -> UnfClient:
        options: dict[str, Any] = {
            "bitrix": True,
            "subordinate": True,
            "statuses": STATES,
            "sleep": lambda seconds: None,
        }
        return UnfClient(self.onec, f"{self.address}/exchange/onec", "1c", "1c-secret", **options)

    def until(self, found: Callable[[], Any]) -> Any:
        """Exchanges of orders, one after the other as on a schedule."""

        def once() -> Any:
            self.unf().exchange_orders()
            return found()

        return wait_for(once, 90)


def test_unf_takes_an_order_and_gives_back_sums_states_and_a_cancellation(tmp_path: Path) -> None:
    with Firm(tmp_path) as firm:
        firm.serve()
        tea = firm.onec.add_product("Чай чёрный", "TEA-1", vat="20")
        firm.onec.set_price(tea, "100.00")
        firm.onec.set_stock(tea, 5)
        assert firm.unf().exchange_catalog(full=True) >= 1
        assert wait_for(lambda: (p := firm.trace("TEA-1", "product")) and p["goods"], 90), firm.output
        client = {"first_name": "Анна", "last_name": "Тестова", "phone": "+79161234567", "email": "anna@example.test"}
        lines = [("TEA-1", "Чай чёрный", "90.00", 2)]
        for number in ("1043", "1044"):
            firm.shop.add_order(number=number, status="on-hold", lines=lines, **client)
        assert firm.until(lambda: all(n in {o["site_number"] for o in orders(firm)} for n in ("1043", "1044"))), (
            firm.output
        )
        there = firm.onec.order("1043")
        total = firm.onec.total(there)
        assert total == Decimal(firm.trace("1043")["amount"])  # type: ignore[index]
        assert [row.get("product") for row in there["lines"]][:1] == [tea]
        assert (there["status"], stage(firm, "1043")) == ("Открыт", "new")
        firm.onec.set_status("1043", "В работе")
        assert firm.until(lambda: stage(firm, "1043") == "in_work"), "the first of the stages that share the state"
        firm.onec.pay("1043", "60.05")
        assert firm.until(lambda: sums(firm) == (Decimal("60.05"), Decimal(0))), "a part is a sum"
        firm.onec.pay("1043", total - Decimal("60.05"))
        firm.onec.ship("1043")
        firm.onec.cancel("1044")
        assert firm.until(lambda: sums(firm) == (total, total) and stage(firm, "1043") == "won"), firm.output
        assert firm.until(lambda: stage(firm, "1044") == "lost"), f"{firm.output}\n{firm.trace('1044')}"
        again = firm.ask("sync")
        assert (again["total"]["writes"], again["errors"]) in ((0, []), (0, {})), again


def orders(firm: Firm) -> list[dict[str, Any]]:
    return list(firm.onec.state["orders"])


def deal(firm: Firm, number: str) -> dict[str, Any]:
    return firm.trace(number) or {}


def stage(firm: Firm, number: str) -> str:
    return str(deal(firm, number).get("stage"))


def sums(firm: Firm) -> tuple[Decimal, Decimal]:
    found = deal(firm, "1043")
    return Decimal(found.get("paid") or 0), Decimal(found.get("shipped") or 0)
