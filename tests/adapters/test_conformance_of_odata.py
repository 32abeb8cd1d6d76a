"""1C over OData passes the conformance suite over its stand-in."""

from __future__ import annotations

from adapters.base import Capabilities
from adapters.onec.odata import OneCOData
from adapters.testing import AdapterConformance, kit_context
from tests.peers.mail import free_port
from tests.peers.odata import ODataPeer

SETS = {
    "product": "Catalog_Номенклатура",
    "group": "Catalog_Номенклатура",
    "price_type": "Catalog_ВидыЦен",
    "warehouse": "Catalog_Склады",
    "order": "Document_ЗаказКлиента",
    "offer": "InformationRegister_ЦеныНоменклатуры",
}
ATTRIBUTES = "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения"


class TestOneCOData(AdapterConformance):
    adapter = OneCOData
    declared = Capabilities(
        scans=frozenset(SETS),
        reads=frozenset({"product", "order"}),
        updates=frozenset({"order"}),
        conditional=frozenset({"order"}),
        completes=frozenset({"product", "group"}),
    )
    one_page = frozenset({"price_type", "warehouse"})
    secrets = ("secret",)
    unknown_id = "00000000-0000-4000-8000-000000000009"
    peer: ODataPeer

    def setup_method(self) -> None:
        self.peer = ODataPeer("ut")
        self.peer.start()
        self.peer.put(ATTRIBUTES, Description="Статус сделки CRM")
        self.party = self.peer.put("Catalog_Контрагенты", Description="Пример")["Ref_Key"]
        self.number = 0

    def teardown_method(self) -> None:
        self.peer.stop()

    def make(self, **more):
        given = {
            "url": f"{self.peer.url}/base",
            "login": "odata",
            "password": "secret",
            "page": 3,
            "timeout": 5,
            **more,
        }
        return self.adapter(self.adapter.Settings(**given), kit_context())

    def seed(self, kind, count):
        return [self.one(kind) for _ in range(count)]

    def one(self, kind):
        self.number += 1
        name = SETS[kind]
        if kind == "order":
            return self.peer.put(
                name, Number=f"УТ-{self.number}", Date="2026-03-01T09:00:00", Контрагент_Key=self.party
            )["Ref_Key"]
        if kind == "offer":
            bolt = self.peer.put(SETS["product"], Description=f"Болт {self.number}")["Ref_Key"]
            self.price(bolt, "1.50")
            return bolt
        return (
            self.peer.put(name, Description=f"Запись {self.number}", IsFolder=True)["Ref_Key"]
            if kind == "group"
            else (self.peer.put(name, Description=f"Запись {self.number}")["Ref_Key"])
        )

    def price(self, key, value):
        self.number += 1
        self.peer.put(
            SETS["offer"],
            Recorder=f"r{self.number}",
            Period=f"2026-03-01T00:00:{self.number % 60:02}",
            Номенклатура_Key=key,
            Цена=value,
        )

    def edit(self, kind, id):
        if kind == "offer":
            self.price(id, "2.75")
        elif kind == "order":
            self.peer.put(SETS[kind], Ref_Key=id, СуммаДокумента="77.70")
        else:
            self.peer.put(SETS[kind], Ref_Key=id, Description="правка")

    def delete(self, kind, id):
        with self.peer.lock:
            if kind == "offer":
                rows = self.peer.state["sets"][SETS[kind]]
                rows[:] = [r for r in rows if r["Номенклатура_Key"] != id]
            else:
                self.peer.put(SETS[kind], Ref_Key=id, DeletionMark=True)

    def changed(self, kind):
        return {"crm_status": "Отгружен", "comment": "из CRM"}

    def lose_next_answer(self):
        self.peer.fault("drop", method="PATCH")

    def fail_next_call(self):
        self.peer.fault("status", status=503, body="занято")

    def broken(self):
        self.peer.state["published"].remove("Catalog_Валюты")
        return [self.make(password="wrong"), self.make(url=f"http://127.0.0.1:{free_port()}"), self.make()]
