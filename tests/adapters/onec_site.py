"""A small correct endpoint of the 1C site exchange and a small base, to judge the 1C stand-ins by."""

from __future__ import annotations

import base64
from typing import Any

from lxml import etree

from tests.peers.http import Answer, Call, HttpPeer
from tests.peers.onec import OneCBase, UnfClient, UtClient

HTML = "<!DOCTYPE html><html><body>Технические работы</body></html>"
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


def document(number: str = "1043", **changes: str) -> str:
    """One order as a site writes it; `changes` replace whole elements by name ("" leaves one out)."""
    parts = {
        "Ид": f"<Ид>site-{number}</Ид>",
        "Номер": f"<Номер>{number}</Номер>",
        "Дата": "<Дата>2024-03-05</Дата>",
        "Время": "<Время>14:05:06</Время>",
        "ХозОперация": "<ХозОперация>Заказ товара</ХозОперация>",
        "Валюта": "<Валюта>RUB</Валюта>",
        "Контрагенты": (
            "<Контрагенты><Контрагент><Наименование>Иван Тестов</Наименование>"
            "<ПолноеНаименование>Иван Тестов</ПолноеНаименование></Контрагент></Контрагенты>"
        ),
        "Товары": f"<Товары>{line()}</Товары>",
        "Склады": "",
        "ЗначенияРеквизитов": "",
        **changes,
    }
    return f"<Документ>{''.join(parts.values())}</Документ>"


def line(id: str = "", name: str = "Стол", qty: str = "2", vat: str = "20", sku: str = "T-1") -> str:
    rate = f"<СтавкиНалогов><СтавкаНалога><Ставка>{vat}</Ставка></СтавкаНалога></СтавкиНалогов>" if vat else ""
    return (
        f"<Товар><Ид>{id}</Ид><Артикул>{sku}</Артикул><Наименование>{name}</Наименование>{rate}"
        f"<ЦенаЗаЕдиницу>50.25</ЦенаЗаЕдиницу><Количество>{qty}</Количество><Сумма>100.50</Сумма></Товар>"
    )


def requisite(name: str, value: str) -> str:
    row = f"<ЗначениеРеквизита><Наименование>{name}</Наименование><Значение>{value}</Значение></ЗначениеРеквизита>"
    return f"<ЗначенияРеквизитов>{row}</ЗначенияРеквизитов>"


def answer(*documents: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><КоммерческаяИнформация ВерсияСхемы="2.07">'
        f"{''.join(documents)}</КоммерческаяИнформация>"
    )


class Site(HttpPeer):
    """A correct site. `faults_by_mode` replaces the answer of one mode: text, bytes, an Answer, or a list used in turn."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.planted: dict[str, Any] = {}
        self.limit = 1_000_000
        self.zip = "no"
        self.requests: list[Call] = []
        self.areas: list[dict[str, bytes]] = []  # one upload area per init
        self.confirmed = 0
        super().__init__()

    def handle(self, call: Call) -> Answer:
        self.requests.append(call)
        mode = call.query.get("mode", "")
        given = self.planted.get(mode)
        if isinstance(given, list):
            given = given.pop(0) if given else None
        if given is not None:
            return given if isinstance(given, Answer) else Answer(given, headers=PLAIN)
        return Answer(self.correct(mode, call), headers=PLAIN)

    def correct(self, mode: str, call: Call) -> str:
        if mode == "checkauth":
            good = call.headers.get("authorization") == "Basic " + base64.b64encode("Имя:слово".encode()).decode()
            return "success\nsid\nabc" if good else "failure\nНеверный пароль"
        if "sid=abc" not in call.headers.get("cookie", ""):
            return "failure\nНет сеанса"
        if mode == "init":
            self.areas.append({})
            return f"zip={self.zip}\nfile_limit={self.limit}"
        if mode == "file":
            name = call.query["filename"]
            self.areas[-1][name] = self.areas[-1].get(name, b"") + call.body
            return "success"
        if mode == "import":
            whole = call.query["filename"] in self.areas[-1] or any(name.endswith(".zip") for name in self.areas[-1])
            return "success" if whole else "failure\nНет такого файла"
        if mode == "query":
            return answer(*self.orders)
        if mode == "success":
            self.confirmed += 1
            return "success"
        return "failure\nunknown mode"

    def modes(self) -> list[str]:
        return [call.query["type"] + ":" + call.query["mode"] for call in self.requests]

    def files(self) -> dict[str, etree._Element]:
        return {
            name: etree.fromstring(body) for area in self.areas for name, body in area.items() if name.endswith(".xml")
        }


def small_base() -> OneCBase:
    """A table in a group and a shirt with two characteristics, some prices and stock."""
    base = OneCBase("test")
    group = base.add_group("Мебель")
    table = base.add_product("Стол", "T-1", group=base.add_group("Столы", group), barcode="4600000000017")
    shirt = base.add_product("Рубашка", "R-1", characteristics=["42", "44"], barcode="123")
    base.set_price(table, "50.25")
    base.set_price(base.characteristic(shirt, "44"), "1000", "Оптовая")
    base.set_stock(table, 5)
    base.set_stock(table, "2.5", "Второй склад")
    return base


def ut(site: Site, base: OneCBase, **options: Any) -> UtClient:
    return UtClient(base, site.url + "/exchange/ut", "Имя", "слово", **options)


def unf(site: Site, base: OneCBase, **options: Any) -> UnfClient:
    options.setdefault("sleep", lambda seconds: None)
    return UnfClient(base, site.url, "Имя", "слово", **options)


def texts(root: etree._Element, path: str) -> list[str]:
    """Texts by a path of local names."""
    expression = "//" + "/".join(f"*[local-name()='{step}']" for step in path.split("/"))
    nodes: Any = root.xpath(expression)
    return [node.text or "" for node in nodes]


def facts(root: etree._Element) -> dict[str, str]:
    names = texts(root, "Документ/ЗначенияРеквизитов/ЗначениеРеквизита/Наименование")
    return dict(zip(names, texts(root, "Документ/ЗначенияРеквизитов/ЗначениеРеквизита/Значение"), strict=True))
