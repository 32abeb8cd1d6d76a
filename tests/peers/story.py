"""The main job, told step by step against the stand-ins, through the hub's public commands and addresses only.

Each step yields (what was expected, whether it came out so). The demo prints them, the acceptance test asserts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx

from tests.peers.stage import Stage, wait_for

Check = tuple[str, Any]
PHONE, MAIL = "8 (916) 123-45-67", "anna@example.test"


class Story:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.client = ""
        self.order: dict[str, Any] = {}
        self.letters: list[bytes] = []

    def steps(self) -> list[tuple[str, Callable[[], Iterator[Check]]]]:
        return [
            ("1. A form is sent, and sent again", self.form),
            ("2. An order arrives from the shop", self.shop_order),
            ("3. A letter and its answer", self.mail),
            ("4. 1C brings goods, prices and stock", self.goods),
            ("5. 1C takes the order and sends it back", self.accounting),
            ("6. Where is order 1043?", self.trace),
            ("7. Everything stands on the client's timeline", self.timeline),
            ("8. Left alone, with a shop that dies and recovers", self.alone),
            ("9. The accountant's report", self.report),
            ("10. Once more: nothing to do; killed: nothing lost", self.again),
        ]

    # 1

    def form(self) -> Iterator[Check]:
        stage = self.stage
        with stage.form() as sender:
            yield "the form builder's test is answered 200", sender.connect()
            first = sender.lead(
                "Анна Тестова", PHONE, MAIL, tranid="467251:1", utm={"source": "vk", "campaign": "autumn"}
            )
            yield "a lead is accepted at the first try", first.tries == [200]
            yield "the repeat is accepted too", sender.post(first.body).tries == [200]
        lead = wait_for(lambda: stage.trace(PHONE, "lead"))
        yield "the lead is found by its phone", lead
        self.client = lead["client"]["uid"]
        card = stage.api(f"/api/client/{self.client}")
        yield "one lead, one client", len(card["leads"]) == 1 and self.totals()["contact"] == 1
        yield "UTM, source and consent are kept", self._kept(card["leads"][0]["data"])
        mine = [a["state"] for a in stage.arrivals("tilda")]
        yield "both arrivals and the test stand in the inbox", sorted(mine) == ["done", "duplicate", "kept"]
        yield from self._other_forms()
        leads = self.totals()["lead"]
        yield "nobody called in time: one notice for each lead", wait_for(lambda: len(self._notices()) >= leads, 30)
        yield "and no more", len(self._notices()) == leads

    @staticmethod
    def _kept(lead: dict[str, Any]) -> bool:
        return lead["utm"]["source"] == "vk" and lead["source"] == "tilda" and bool(lead["consent"])

    def _other_forms(self) -> Iterator[Check]:
        """Other shapes of forms, and what is no form at all."""
        address = f"{self.stage.address}/in/site"
        other = {"name": "Борис Пробный", "phone": "+7 903 765-43-21", "message": "Перезвоните"}
        posts: list[dict[str, Any]] = [
            {"data": other},
            {"files": {k: (None, v) for k, v in (other | {"message": "Ещё вопрос"}).items()}},
            {"json": other | {"message": "И ещё"}},
            {"content": b"\xff\xfe\x00\x01 broken", "headers": {"Content-Type": "application/json"}},
            {"content": b"x=" + b"y" * 3_000_000, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            {"content": b""},
            {
                "data": {"name": "Робот", "phone": "+7 903 000-00-00", "website": "https://spam.test"}
            },  # no person sees it
        ]
        codes = [httpx.post(address, timeout=30, **post).status_code for post in posts]
        yield (
            "urlencoded, multipart, JSON, broken, huge, empty and spam posts are all answered 200",
            codes == [200] * len(posts),
        )

        def settled() -> Any:
            rows = self.stage.arrivals("site")
            return rows if len(rows) == len(posts) and all(r["state"] != "new" for r in rows) else None

        rows = wait_for(settled) or []
        yield "each of them is kept", len(rows) == len(posts)
        labels = {r["label"] for r in rows}
        yield "the broken, the huge and the spam one are labelled", {"broken", "oversized", "spam"} <= labels
        yield "three leads of one more client", self.totals()["lead"] == 4 and self.totals()["contact"] == 2

    # 2

    def shop_order(self) -> Iterator[Check]:
        stage = self.stage
        for sku, name, price in (("TEA-1", "Чай чёрный", "90.00"), ("CUP-2", "Чашка", "400.00")):
            stage.shop.add_product(sku, name, price, 3)
        self.order = self._add_order("1043")
        deal = wait_for(lambda: stage.trace("1043"))
        yield "the deal is found by its number", deal
        yield "it is the same client's, though the phone is written otherwise", deal["client"]["uid"] == self.client
        yield "its sum is the shop's to the kopeck", Decimal(deal["amount"]) == Decimal(self.order["total"])
        data = self._deal()["data"]
        kinds = sorted(line["kind"] for line in data["lines"])
        yield "goods, shipping, fee and discount are lines", kinds == ["discount", "fee", "goods", "goods", "shipping"]
        lines = sum(Decimal(line["sum"]) + Decimal(line.get("tax") or 0) for line in data["lines"])
        yield "the lines and their taxes add up to it", lines == Decimal(self.order["total"])
        card = stage.api(f"/api/client/{self.client}")
        yield "the client's only open lead became this deal", card["leads"][0]["converted_deal"] == deal["uid"]
        yield from self._webhook()
        stage.shop.refund(self.order["id"], "10.00")
        found = wait_for(lambda: [a for a in self._timeline() if "10.00" in (a["subject"] or "")])
        yield (
            "a partial refund is a document of its own; the sum stays",
            found and self._deal()["amount"] == deal["amount"],
        )

    def _add_order(self, number: str, phone: str = "+79161234567", **more: Any) -> dict[str, Any]:
        return self.stage.shop.add_order(
            **{
                "number": number,
                "status": "on-hold",
                "first_name": "Анна",
                "last_name": "Тестова",
                "phone": phone,
                "email": MAIL,
                "lines": [("TEA-1", "Чай чёрный", "90.00", 2), ("CUP-2", "Чашка", "400.00", 1)],
                "shipping": "300.00",
                "fee": "50.00",
                "coupon": 10,
            }
            | more
        )

    def _webhook(self) -> Iterator[Check]:
        stage = self.stage
        hook = f"{stage.address}/in/shop"
        stage.shop.add_webhook(hook, "hook-secret", "order.updated")
        stage.shop.edit_order(self.order["id"], customer_note="Позвоните заранее")
        codes = stage.shop.deliver()
        yield "the unsigned ping and the signed webhook are answered 200", codes and set(codes) == {200}
        note = wait_for(lambda: self._deal()["data"].get("comment") == "Позвоните заранее")
        yield "the webhook made the order be read again", note
        forged = httpx.post(
            hook,
            content=b'{"id": 1}',
            headers={"X-WC-Webhook-Signature": "wrong", "X-WC-Webhook-Topic": "order.updated"},
        )
        labels = [a["label"] for a in stage.arrivals("shop")]
        yield (
            "a forged one is kept and labelled",
            forged.status_code == 200 and "unsigned" in labels and "ping" in labels,
        )

    # 3

    def mail(self) -> Iterator[Check]:
        stage = self.stage
        question = letter(
            "Анна Тестова <anna@example.test>",
            "sales@firma.test",
            "Когда доставка?",
            "Добрый день! Когда привезёте заказ?",
            "q1@example.test",
        )
        answer = letter(
            "Отдел продаж <sales@firma.test>",
            "anna@example.test",
            "Re: Когда доставка?",
            "Завтра до обеда.\n\n22.11.2026, 12:34, Анна Тестова <anna@example.test>:\n> Добрый день! Когда привезёте заказ?",
            "a1@firma.test",
            "q1@example.test",
        )
        self.letters = [question, answer]
        stage.mail.append("INBOX", question)
        stage.mail.append(stage.mail.sent, answer)

        def both() -> Any:
            found = [a for a in self._timeline() if a["type"] == "email"]
            return found if len(found) == 2 else None

        events = wait_for(both, 30) or []
        yield "both letters are on the client's timeline", len(events) == 2
        yield "incoming and outgoing", [e["direction"] for e in events] == ["in", "out"]
        yield "of one thread", len({e["thread"] for e in events}) == 1
        yield "the answer is shown without the quoted tail", events[1]["text"].strip() == "Завтра до обеда."
        sizes = sorted(a["size"] for a in stage.arrivals("mail"))
        yield (
            "the raw letters are kept",
            sizes == sorted(len(x.replace(b"\r\n", b"\n")) for x in self.letters)
            or sizes == sorted(map(len, self.letters)),
        )
        again = stage.ask("sync", "mail")
        yield "a second run reads nothing again", again["total"]["writes"] == 0 and again["total"].get("read", 0) == 0

    # 4

    def goods(self) -> Iterator[Check]:
        stage = self.stage
        folder_files(stage.goods)
        wanted = {"price", "stock"}  # the catalogue and its offers are two files, taken one after the other
        box = wait_for(lambda: (b := self._product("BOX-3")) and {g["what"] for g in b["goods"]} == wanted and b, 60)
        yield "goods come from a folder of CommerceML files", box
        yield "the files are archived", wait_for(lambda: not list(stage.goods.glob("*.xml")))
        tea = stage.onec.add_product("Чай чёрный байховый", "TEA-1", vat="20")
        cup = stage.onec.add_product("Чашка фарфоровая", "CUP-2", vat="20")
        for guid, price, stock in ((tea, "100.00", 5), (cup, "450.00", 7)):
            stage.onec.set_price(guid, price)
            stage.onec.set_stock(guid, stock)
        portions = stage.ut().exchange_catalog(full=True)
        yield "a stock 1C exchanges its catalogue with the hub", portions >= 1
        sold = wait_for(lambda: (p := self._product("TEA-1")) and p["goods"] and p)
        yield (
            "the shop's product and 1C's are one, by the article",
            {k["connection"] for k in sold["links"]} == {"shop", "onec"},
        )
        yield "the first writes to the shop wait for a yes", self._in_shop("TEA-1") != ("100.00", 5)
        yield "which `sverka approve` gives", self._approve("shop")
        yield "1C's price and stock went to the shop", wait_for(lambda: self._in_shop("TEA-1") == ("100.00", 5), 40)
        stage.onec.set_price(tea, "120.50")
        stage.onec.set_stock(tea, 2)
        stage.ut().exchange_catalog(full=False)
        yield "a changed price and stock go there too", wait_for(lambda: self._in_shop("TEA-1") == ("120.50", 2))
        hops = " ".join(h["text"]["en"] for h in self._product("TEA-1")["hops"])
        yield "and both stand in the history", "100" in hops and "120.5" in hops

    def _approve(self, connection: str) -> bool:
        """Say yes to the plan that waits for a connection, by the public commands."""

        def waits() -> str:
            plans = self.stage.ask("approve")["plans"]
            return next((p["id"] for p in plans if p["connection"] == connection), "")

        id = wait_for(waits)
        return bool(id) and self.stage.sverka("approve", id).returncode == 0

    def _product(self, sku: str) -> Any:
        return self.stage.trace(sku, "product")

    def _in_shop(self, sku: str) -> tuple[str, int]:
        row = next(p for p in self.stage.shop.state["products"].values() if p["sku"] == sku)
        return f"{Decimal(row['regular_price']):.2f}", row["stock_quantity"]

    # 5

    def accounting(self) -> Iterator[Check]:
        stage = self.stage
        yield "1C is offered nothing before a person says yes", not stage.ut().exchange_orders().loaded
        yield "which `sverka approve` gives", self._approve("onec")
        report = wait_for(lambda: (r := stage.ut().exchange_orders()).loaded and r)
        yield "1C fetched the order under its number", report and report.loaded == ["1043"]
        there = stage.onec.order("1043")
        yield "its sum there is the deal's to the kopeck", stage.onec.total(there) == Decimal(self.order["total"])
        yield "its lines carry 1C's own ids", sum(1 for row in there["lines"] if row.get("product")) >= 2
        puts = len(stage.shop.calls("PUT", f"/orders/{self.order['id']}"))
        moved = stage.sverka("deal", "1043", "--stage", "in_work")
        yield "a manager moves the deal by hand", moved.returncode == 0
        yield "the shop's order follows", wait_for(lambda: self._status() == "processing")
        yield (
            "by one call, and no echo comes back",
            self._quiet() and len(stage.shop.calls("PUT", f"/orders/{self.order['id']}")) == puts + 1,
        )
        stage.onec.pay("1043")
        yield "paid in 1C: the deal is at paid", self._exchanged(lambda: self._deal()["stage"] == "paid")
        yield "with the sum", Decimal(self._deal()["paid"]) == Decimal(self.order["total"])
        stage.onec.ship("1043")
        yield "shipped too: the deal is won", self._exchanged(lambda: self._deal()["stage"] == "won")
        yield "and the shop's order is completed", wait_for(lambda: self._status() == "completed")
        hops = self.stage.trace("1043")["hops"]  # type: ignore[index]
        yield "every value has its journal row", any("paid sum" in h["text"]["en"] for h in hops)
        yield from self._cancellation()

    def _cancellation(self) -> Iterator[Check]:
        stage = self.stage
        order = self._add_order("1044")
        yield (
            "another order is fetched by 1C",
            wait_for(lambda: self.stage.trace("1044"))
            and wait_for(lambda: "1044" in stage.ut().exchange_orders().loaded),
        )
        stage.onec.mark_deleted("1044")
        yield "cancelled in 1C: the deal is lost", self._exchanged(lambda: self._deal("1044")["stage"] == "lost")
        yield "and the shop's order is cancelled", wait_for(lambda: self._status(order["id"]) == "cancelled")

    def _exchanged(self, found: Callable[[], Any]) -> Any:
        """Exchanges of orders, one after the other as on a schedule: 1C does not send back what it has just been given."""

        def once() -> Any:
            self.stage.ut().exchange_orders()
            return found()

        return wait_for(once)

    def _status(self, id: int | None = None) -> str:
        return str(self.stage.shop.state["orders"][str(id or self.order["id"])]["status"])

    def _quiet(self) -> bool:
        """Three polls of the shop without anything new."""
        before = self.totals()
        seen = len(self.stage.shop.log)
        wait_for(lambda: len(self.stage.shop.log) >= seen + 6, 15)
        return self.totals() == before

    # 6

    def trace(self) -> Iterator[Check]:
        stage = self.stage
        document = stage.onec.order("1043")["number"]
        for name, query in (
            ("number", "1043"),
            ("phone", PHONE),
            ("e-mail", MAIL),
            ("name", "Тестова"),
            ("1C number", document),
        ):
            done = (stage.sverka if query == "1043" else stage.here)("trace", query)
            yield f"`sverka trace` finds it by {name}", done.returncode == 0 and "1043" in done.stdout
        page = httpx.get(f"{stage.address}/trace", params={"q": "1043"})
        yield "the page shows the same", page.status_code == 200 and "1043" in page.text and "Тестова" in page.text
        front = httpx.get(f"{stage.address}/")
        yield "and the connections' state", all(n in front.text for n in ("shop", "onec", "mail", "tilda"))
        rows = stage.api("/api/runs?limit=500")["runs"]
        parts = ("new", "changed", "same", "skipped", "failed")
        yield "the counts of every run add up", rows and all(r["read"] == sum(r[p] for p in parts) for r in rows)

    # 7

    def timeline(self) -> Iterator[Check]:
        stage = self.stage
        call = {
            "type": "call",
            "id": "c1",
            "at": "2026-11-22T10:00:00+03:00",
            "direction": "out",
            "phone": PHONE,
            "duration": 65,
            "deal": "1043",
        }
        meeting = {
            "type": "meeting",
            "id": "m1",
            "at": "2026-11-22T12:00:00+03:00",
            "email": MAIL,
            "subject": "Встреча",
            "deal": "1043",
        }
        codes = [httpx.post(f"{stage.address}/in/office", json=body).status_code for body in (call, meeting, call)]
        yield "a call and a meeting are posted, the call twice", codes == [200] * 3
        wanted = {"form", "order", "email", "payment", "shipment", "call", "meeting"}
        events = wait_for(lambda: (t := self._timeline()) and wanted <= {e["type"] for e in t} and t) or []
        yield "form, order, letters, payment, shipment, call and meeting stand there", bool(events)
        yield (
            "each with its evidence in both languages",
            all(e["evidence"]["ru"] and e["evidence"]["en"] for e in events),
        )
        named = [e for e in events if e["type"] in ("call", "meeting", "order", "payment", "shipment")]
        yield "with their deal", named and all(e["deal_uid"] for e in named)
        yield "the call once", len([e for e in events if e["type"] == "call"]) == 1

    # 8

    def alone(self) -> Iterator[Check]:
        stage = self.stage
        deals = self.totals()["deal"]
        self._add_order("1045")
        stage.mail.append(
            "INBOX", letter("anna@example.test", "sales@firma.test", "Ещё вопрос", "А чашки есть?", "q2@example.test")
        )
        stage.ut().session(full=False)
        yield (
            "an order, a letter and an exchange arrive by themselves",
            wait_for(lambda: stage.trace("1045") and any(e["subject"] == "Ещё вопрос" for e in self._timeline()), 30),
        )
        stage.shop.fault("refuse", "/wp-json/", times=10**6)
        yield (
            "the shop dies: its connection is red, with the reason",
            wait_for(lambda: (c := self._connection("shop"))["state"] == "red" and c["reason"], 30),
        )
        others = {n: self._connection(n)["state"] for n in ("mail", "onec", "goods")}
        yield "the others are not", "red" not in others.values()
        self._add_order("1046")
        seen = len(stage.shop.log)
        yield "three more polls fail", wait_for(lambda: len(stage.shop.log) > seen + 3, 40)
        stage.shop.faults.clear()
        yield "it recovers by itself", wait_for(lambda: self._connection("shop")["state"] != "red", 60)
        yield (
            "and nothing is lost or doubled",
            wait_for(lambda: stage.trace("1046"), 30) and self.totals()["deal"] == deals + 2,
        )

    def _connection(self, name: str) -> dict[str, Any]:
        return next(c for c in self.stage.api("/api/status")["connections"] if c["name"] == name)

    # 9

    def report(self) -> Iterator[Check]:
        from openpyxl import load_workbook

        file = Path(self.stage.folder) / "deals.xlsx"
        done = self.stage.sverka("report", "deals", "--xlsx", str(file))
        yield "`sverka report deals --xlsx` writes the workbook", done.returncode == 0 and file.exists()
        book = load_workbook(file)
        rows = list(book.active.values)  # type: ignore[union-attr]
        deals = [dict(zip(map(str, rows[0]), r, strict=True)) for r in rows[1:-1]]
        yield "every deal is in it", {"1043", "1044", "1045", "1046"} <= {r["Сделка"] for r in deals}
        different = [bool(r["Расхождение"]) for r in deals]
        yield "differences first", different == sorted(different, reverse=True)
        mine = next(r for r in deals if r["Сделка"] == "1043")
        total = Decimal(self.order["total"])
        sums = ("Сумма сделки", "Сумма заказа", "Оплачено", "Отгружено")
        yield "1043 agrees to the kopeck", all(Decimal(str(mine[n])) == total for n in sums) and not mine["Расхождение"]
        book.close()

    # 10

    def again(self) -> Iterator[Check]:
        stage = self.stage
        for _ in range(3):
            stage.ut().exchange_orders()
        first = wait_for(lambda: (s := stage.ask("sync"))["total"]["writes"] == 0 and s, 30)
        yield "`sverka sync` once more: 0 writes", first
        said = stage.sverka("sync")
        yield "and it says so", "0 записей" in said.stdout or "0 writes" in said.stdout
        before, told = self.totals(), len(self._notices())
        import signal

        stage.stop_serving(signal.SIGKILL)
        stage.serve()
        time.sleep(2)
        yield "killed and started again: the same state", wait_for(lambda: self.totals() == before, 20)
        after = stage.ask("sync")
        yield "and still 0 writes", after["total"]["writes"] == 0 and not after["errors"]
        yield "nor was any notice sent twice", len(self._notices()) == told >= before["lead"]

    # Helpers

    def _notices(self) -> list[Any]:
        return [m for m in self.stage.smtp.messages if "boss@firma.test" in str(m)]

    def totals(self) -> dict[str, int]:
        found = dict(self.stage.api("/api/status")["totals"])
        return {k: v for k, v in found.items() if k not in ("arrivals", "tasks", "overdue")}

    def _deal(self, number: str = "1043") -> dict[str, Any]:
        card = self.stage.api(f"/api/client/{self.client}")
        return next(d for d in card["deals"] if d["number"] == number)

    def _timeline(self) -> list[dict[str, Any]]:
        return list(self.stage.api(f"/api/client/{self.client}")["timeline"])


def letter(sender: str, to: str, subject: str, text: str, id: str, answers: str = "") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    message["Message-ID"] = f"<{id}>"
    if answers:
        message["In-Reply-To"] = message["References"] = f"<{answers}>"
    message.set_content(text)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def folder_files(folder: Path) -> None:
    """What a 1C that writes to a folder leaves there."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<КоммерческаяИнформация ВерсияСхемы="2.07" ДатаФормирования="2026-11-22">'
    product = (
        "<Товар><Ид>b0c1-3</Ид><Артикул>BOX-3</Артикул><Наименование>Коробка подарочная</Наименование>"
        '<БазоваяЕдиница Код="796" НаименованиеПолное="Штука">шт</БазоваяЕдиница></Товар>'
    )
    catalog = (
        "<Каталог><Ид>c1</Ид><ИдКлассификатора>k1</ИдКлассификатора><Наименование>Товары</Наименование>"
        f"<Товары>{product}</Товары></Каталог>"
    )
    offer = (
        "<Предложение><Ид>b0c1-3</Ид><Наименование>Коробка подарочная</Наименование><Цены><Цена><ИдТипаЦены>p1</ИдТипаЦены>"
        "<ЦенаЗаЕдиницу>75.50</ЦенаЗаЕдиницу><Валюта>RUB</Валюта></Цена></Цены><Количество>12</Количество>"
        '<Склад ИдСклада="w1" КоличествоНаСкладе="12"/></Предложение>'
    )
    types = (
        "<ТипыЦен><ТипЦены><Ид>p1</Ид><Наименование>Розничная</Наименование><Валюта>RUB</Валюта></ТипЦены></ТипыЦен>"
    )
    offers = (
        f"<ПакетПредложений><Ид>o1</Ид><Наименование>Цены</Наименование>{types}"
        f"<Предложения>{offer}</Предложения></ПакетПредложений>"
    )
    for name, body in (("import.xml", catalog), ("offers.xml", offers)):
        part = folder / f"{name}.part"
        part.write_text(f"{head}{body}</КоммерческаяИнформация>", encoding="utf-8")
        part.rename(folder / name)
