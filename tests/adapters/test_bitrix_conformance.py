"""The Bitrix24 adapter passes the conformance suite over its stand-in."""

from __future__ import annotations

from decimal import Decimal

from adapters.bitrix24 import Bitrix24Adapter
from adapters.testing import AdapterConformance, kit_context
from tests.adapters.bitrix_kit import TOKEN, event
from tests.peers.bitrix import BitrixPeer
from tests.peers.mail import free_port


class TestBitrix24(AdapterConformance):
    adapter = Bitrix24Adapter
    secrets = (BitrixPeer.secret, TOKEN)
    one_page = Bitrix24Adapter.capabilities.scans  # the vendor's pages have 50; test_bitrix_scan has more of them
    # STAGE and STAGE_ID, PHONES and PHONE are two views of one thing
    stamps = frozenset({"STAGE", "STAGE_SEMANTIC_ID", "STATUS_SEMANTIC_ID", "CLOSED", "PHONE", "HAS_PHONE"})
    peer: BitrixPeer

    def setup_method(self) -> None:
        self.peer = BitrixPeer(now="2026-03-01T08:59:50")
        self.peer.start()

    def teardown_method(self) -> None:
        self.peer.stop()

    def make(self, **more):
        given = {"webhook": self.peer.webhook, "timeout": 10, "application_token": TOKEN, **more}
        return self.adapter(self.adapter.Settings(**given), kit_context())

    def seed(self, kind, count):
        phones = [{"VALUE": "+7 916 000-00-01", "VALUE_TYPE": "MOBILE"}, {"VALUE": "84950000002", "VALUE_TYPE": "WORK"}]
        if kind == "deal":
            contact = self.peer.add("contact", NAME="Иван", LAST_NAME="Тестов", PHONE=phones)
            made = [
                self.peer.add(kind, TITLE=f"Посев {n}", OPPORTUNITY="10.5", CONTACT_ID=contact) for n in range(count)
            ]
            self.peer.set_rows("deal", made[0], [{"productName": "Болт", "price": "10.50", "quantity": 3}])
            return made
        names = {"NAME": "Иван", "LAST_NAME": "Тестов"} if kind == "contact" else {"TITLE": "Посев"}
        return [self.peer.add(kind, PHONE=phones, **names) for _ in range(count)]

    def edit(self, kind, id):
        self.peer.edit(kind, id, COMMENTS="правка")

    def delete(self, kind, id):
        self.peer.remove(kind, id)

    def lay(self, kind, id, count):
        return [self.peer.call_logged((kind, id)) for _ in range(count)]

    def fields(self, kind):
        rows = [{"productName": "Гайка", "price": Decimal("99.90"), "quantity": 2}]
        phones = {"PHONES": ["+79160000009"], "EMAILS": ["i@example.test"]}
        return {
            "deal": {"TITLE": "Новая", "OPPORTUNITY": "199.80", "IS_MANUAL_OPPORTUNITY": "Y", "PRODUCT_ROWS": rows},
            "lead": {"TITLE": "Заявка", "STATUS_ID": "IN_PROCESS", **phones},
            "contact": {"NAME": "Пётр", **phones},
            "company": {"TITLE": "ООО «Проба»", **phones},
        }[kind]

    def changed(self, kind):
        return {"deal": {"STAGE_ID": "WON", "COMMENTS": "1"}, "lead": {"STATUS_ID": "JUNK"}}.get(
            kind, {"PHONES": ["+7 916 000-00-01", "+79160000077"], "COMMENTS": "2"}
        )

    def lose_next_answer(self):
        self.peer.fault("drop", r"crm\.(\w+\.(add|update|delete)|activity\.binding\.move)")

    def fail_next_call(self):
        body = '{"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}'
        self.peer.fault("status", status=503, body=body)

    def arrivals(self):
        return [event(), event(id="760"), event("ONCRMLEADADD", "7"), event("ONCRMCONTACTDELETE", "8")]

    def broken(self):
        nobody = f"http://127.0.0.1:{free_port()}/rest/1/{BitrixPeer.secret}/"
        return [self.make(webhook=f"{self.peer.url}/rest/1/another0token/"), self.make(webhook=nobody)]
