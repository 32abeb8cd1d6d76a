"""Stock 1C as the *client* of a site exchange (CommerceML over HTTP): УТ 11.5 and УНФ 3.0 with a little base behind them.

1C calls the site, never the other way round. A client does what the stock configuration does, request by request, and
stops where it stops, with `ExchangeAborted`:

    base = OneCBase()
    base.add_product("Стол", "T-1")
    client = UtClient(base, "http://127.0.0.1:8080/exchange/ut", "login", "password")
    client.session()          # catalogue, then orders in, then orders out

From a command line (the base is kept in a JSON file between calls):

    python -m tests.peers.onec --url URL --login NAME --password WORD --state FILE.json session|catalog|orders

Where the sources leave a question open the stricter reading is taken: a BOM before "success" or "<?xml" is not
tolerated, a trailing line feed counts as a line.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from tests.peers.onec_base import OneCBase
from tests.peers.onec_orders import LoadFailed, LoadRules, OrderLoader
from tests.peers.onec_wire import NO_PARAMETERS, ExchangeAborted, NodeOptions, Session, first_line, rest
from tests.peers.onec_xml import UNF, UT, Dialect, Writer

__all__ = ["ExchangeAborted", "NodeOptions", "OneCBase", "Report", "SiteClient", "UnfClient", "UtClient"]

FLAGS = ("no_import_wait", "use_sessid", "bitrix", "subordinate")  # options that the command line switches on


@dataclass
class Report:
    """What one exchange did: portions of goods sent, site numbers of orders loaded and of orders sent."""

    portions: int = 0
    loaded: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)


class SiteClient(Session):
    """What the two configurations have in common. Use `UtClient` or `UnfClient`."""

    dialect: ClassVar[Dialect]
    own_timeout: ClassVar[float]
    query_starts: ClassVar[tuple[str, ...]] = ("<?xml", "PK")
    default_status: ClassVar[str]

    def __init__(self, base: OneCBase, url: str, login: str, password: str, **options: Any) -> None:
        super().__init__(url, login, password, NodeOptions(**options), self.own_timeout)
        self.base = base
        dialect = self.dialect
        if self.options.bitrix and self.options.subordinate:
            dialect = replace(dialect, version="2.10", subordinate=True)
        if self.options.version:
            dialect = replace(dialect, version=self.options.version)
        self.writer = Writer(base, dialect, self.options.statuses)

    def session(self, full: bool = True) -> Report:
        """The whole exchange in УТ's order: goods, orders in, orders out."""
        portions = self.exchange_catalog(full=full)
        report = self.exchange_orders()
        report.portions = portions
        return report

    # Goods ------------------------------------------------------------------------------------------------------

    def exchange_catalog(self, portion_size: int | None = None, full: bool = True) -> int:
        """Send the goods, one complete cycle per portion; gives the number of portions. `full` sends all, else what has
        changed since it was last sent."""
        products, waiting = self.base.state["products"], self.base.state["registered"]
        if full:
            for guid in products:
                waiting["products"].setdefault(guid, 0)
        keys = [guid for guid in products if guid in waiting["products"] or guid in waiting["offers"]]
        size = portion_size or self.options.portion_size
        portions = [keys[start : start + size] for start in range(0, len(keys), size)]
        for number, portion in enumerate(portions, 1):
            try:
                self.cycle("catalog", self._catalog_files(portion, number, full))
            except ExchangeAborted:
                for kind in ("products", "offers"):
                    self.base.refused(kind, portion, self.options.repeats)
                raise
            for kind in ("products", "offers"):
                self.base.sent(kind, portion)
        return len(portions)

    def _catalog_files(self, portion: Sequence[str], number: int, full: bool) -> dict[str, bytes]:
        name = f"{self.options.catalog_index}_{number}.xml"
        waiting = self.base.state["registered"]
        goods = [guid for guid in portion if guid in waiting["products"]]
        offers = [guid for guid in portion if guid in waiting["offers"]]
        files: dict[str, bytes] = {}
        if goods:
            files[f"import{name}"] = self.writer.goods(goods, number, full)
            for guid in goods:
                for path, content in self.base.state["products"][guid]["images"].items():
                    files[path] = base64.b64decode(content)
        if full:
            files[f"offers{name}"] = self.writer.offers(portion, number)
        elif offers:
            files[f"offers{name}"] = self.writer.changes(offers)
        return files

    # Orders -----------------------------------------------------------------------------------------------------

    def exchange_orders(self) -> Report:
        """First load the site's orders, then send back those that changed, except the ones just loaded."""
        loaded = self._load_orders()
        return Report(loaded=[self._site_number(guid) for guid in loaded], sent=self._send_orders(loaded))

    def _site_number(self, guid: str) -> str:
        return next(str(order["site_number"]) for order in self.base.state["orders"] if order["guid"] == guid)

    def _load_orders(self) -> list[str]:
        self.checkauth("sale")
        self.before_query()
        text = self.call("sale", "query")
        if not text.startswith(self.query_starts):
            raise ExchangeAborted(f"Не удалось прочитать данные, загруженные с сервера: {text[:80]!r}")
        if first_line(text) == "failure":
            raise ExchangeAborted(f"Не удалось получить данные о заказах: {rest(text)}")
        legacy = self.dialect.legacy
        rules = LoadRules(legacy, self.options.match, self.options.statuses, self.default_status, cut_number=legacy)
        try:
            loaded = OrderLoader(self.base, rules, self.log).load(text)
        except LoadFailed as error:
            self.log.append("Загрузка заказов: " + ("откат" if error.rolled_back else "прервана"))
            raise ExchangeAborted(str(error)) from error
        # The orders are committed; an answer that is not success only fails the exchange, not the orders.
        answer = self.call("sale", "success")
        if first_line(answer) != "success":
            raise ExchangeAborted(f"Сервер не подтвердил получение заказов: {rest(answer)}")
        return loaded

    def _send_orders(self, loaded: Sequence[str]) -> list[str]:
        waiting = self.base.state["registered"]["orders"]
        orders = [
            order
            for order in self.base.state["orders"]
            if order["guid"] in waiting and order["guid"] not in loaded and order["site_number"] and order["site_date"]
        ]
        if not orders:
            return []
        guids = [order["guid"] for order in orders]
        try:
            self.cycle("sale", {f"orders-{uuid.uuid4()}_1.xml": self.writer.orders(orders)})
        except ExchangeAborted:
            self.base.refused("orders", guids, self.options.repeats)
            raise
        self.base.sent("orders", guids)
        return [order["site_number"] for order in orders]


class UtClient(SiteClient):
    """Управление торговлей 11.5."""

    dialect = UT
    own_timeout = 180
    default_status = "НеСогласован"
    first_success_flips = True

    def check_init(self, lines: int) -> None:
        if lines != 2:
            raise ExchangeAborted(NO_PARAMETERS)


class UnfClient(SiteClient):
    """Управление нашей фирмой 3.0; options `bitrix` and `subordinate` choose its protocol."""

    dialect = UNF
    own_timeout = 1800
    query_starts = ("<?xml", "PK", "<КоммерческаяИнформация", "failure")
    default_status = "Новый"
    first_success_flips = False  # not stated of УНФ: the stricter reading
    decode_again = True
    retry_partial = True

    def check_init(self, lines: int) -> None:
        if self.options.bitrix and lines < 2:
            raise ExchangeAborted(NO_PARAMETERS)

    def before_query(self) -> None:
        if self.options.bitrix:
            self.init("sale")

    def before_import(self) -> None:
        self.options.sleep(5)

    def take_sessid(self, line: str) -> None:
        if self.options.bitrix and line:
            self.sessid = f"&{line}"
        else:
            super().take_sessid(line)

    def version_arguments(self) -> str:
        both = self.options.bitrix and self.options.subordinate
        return "&version=2.09&cmlVersion=2.10" if both else ""

    def info(self) -> dict[str, dict[str, str]]:
        """`mode=info`: the site's statuses and payment systems, {section: {id: name}}, as the node's form shows them."""
        self.checkauth("sale")
        text = self.call("sale", "info")
        try:
            root = ET.fromstring(text.encode(), parser=ET.XMLParser(encoding="utf-8"))
        except ET.ParseError:
            root = None
        if root is None or not text.startswith("<?xml"):
            raise ExchangeAborted(f"Не удалось получить справочники сайта: {rest(text)}")
        sections: dict[str, dict[str, str]] = {}
        for section in root:
            rows = [{one.tag.rpartition("}")[2]: one.text or "" for one in row} for row in section]
            named = {row["Ид"]: row.get("Название") or row.get("Наименование", "") for row in rows if "Ид" in row}
            sections[section.tag.rpartition("}")[2]] = named
        self.base.state["site_dictionaries"] = sections
        return sections


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.onec", description="Stock 1C calling a site exchange.")
    parser.add_argument("action", choices=("session", "catalog", "orders"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--login", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--state", required=True, type=Path, help="the base as JSON; made when absent")
    parser.add_argument("--configuration", choices=("ut", "unf"), default="ut")
    parser.add_argument("--changes", action="store_true", help="only what changed since the last exchange")
    parser.add_argument("--portion", type=int, default=1000)
    parser.add_argument("--status", action="append", default=[], metavar="SITE=1C", help="a row of the status table")
    parser.add_argument("--pause", type=float, default=5, help="seconds before an import request of УНФ")
    for flag in FLAGS:
        parser.add_argument(f"--{flag.replace('_', '-')}", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the exchange went through, 1 when 1C stopped it (the reason is on stderr)."""
    given = _arguments(arguments)
    base = OneCBase(given.state.stem, json.loads(given.state.read_text("utf-8")) if given.state.exists() else None)
    client = (UtClient if given.configuration == "ut" else UnfClient)(
        base,
        given.url,
        given.login,
        given.password,
        portion_size=given.portion,
        statuses=dict(row.split("=", 1) for row in given.status),
        sleep=lambda seconds: time.sleep(min(seconds, given.pause)),
        **{name: getattr(given, name) for name in FLAGS},
    )
    reason, report = "", Report()
    try:
        if given.action == "catalog":
            report.portions = client.exchange_catalog(full=not given.changes)
        elif given.action == "orders":
            report = client.exchange_orders()
        else:
            report = client.session(full=not given.changes)
    except ExchangeAborted as aborted:
        reason = aborted.reason
    finally:  # what was committed before an abort stays, as in 1C
        given.state.write_text(json.dumps(base.state, ensure_ascii=False, indent=1), "utf-8")
    print("\n".join(client.log))
    if reason:
        print(f"Обмен прерван: {reason}", file=sys.stderr)
        return 1
    print(f"Порций: {report.portions}, загружено заказов: {len(report.loaded)}, выгружено: {len(report.sent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
