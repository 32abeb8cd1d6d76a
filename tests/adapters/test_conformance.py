"""The built-in adapters that have an other side of their own pass the conformance suite, each over its stand-in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.mail import MailAdapter
from adapters.onec import OneCFolder, OneCSiteExchange
from adapters.testing import AdapterConformance, arrival, kit_context
from adapters.woocommerce import WooCommerceAdapter
from tests.adapters.mail_kit import letter, take
from tests.peers.mail import PymapServer, SmtpPeer, Tap, deliver_to, free_port
from tests.peers.woo import WooPeer

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)  # what the kit's clock shows
HOOK_SECRET = "hook-s3cret"


class TestWooCommerce(AdapterConformance):
    adapter = WooCommerceAdapter
    secrets = (WooPeer.key, WooPeer.secret, HOOK_SECRET)
    stamps = frozenset({"date_modified", "date_modified_gmt", "price"})
    peer: WooPeer

    def setup_method(self) -> None:
        self.peer = WooPeer(now="2026-03-01T08:59:50")
        self.peer.start()

    def teardown_method(self) -> None:
        self.peer.stop()

    def make(self, **more):
        given = {"url": self.peer.url, "key": self.peer.key, "secret": self.peer.secret, **more}
        given |= {"page_size": 3, "timeout": 10, "webhook_secret": HOOK_SECRET}
        return self.adapter(self.adapter.Settings(**given), kit_context())

    def seed(self, kind, count):
        if kind == "order":
            return [str(self.peer.add_order(customer_note=f"посев {n}")["id"]) for n in range(count)]
        return [str(self.peer.add_product(f"S-{n}", f"Болт М{n}", "10.50", 5)["id"]) for n in range(count)]

    def edit(self, kind, id):
        if kind == "order":
            self.peer.edit_order(id, customer_note="правка")
        else:
            self.peer.edit_product(id, name="Болт, правка")

    def delete(self, kind, id):
        if kind == "order":
            self.peer.trash(id)
        else:
            with self.peer.lock:
                del self.peer.state["products"][id]

    def changed(self, kind):
        return {"status": "completed"} if kind == "order" else {"regular_price": "777.25", "stock_quantity": 3}

    def lose_next_answer(self):
        self.peer.fault("drop", method="PUT")
        self.peer.fault("drop", method="DELETE")

    def fail_next_call(self):
        self.peer.fault("status", status=503, body="<html>Обслуживание</html>", headers={"Retry-After": "7"})

    def arrivals(self):
        return [self.hook(62), self.hook(63), self.hook(9, "product")]

    def hook(self, id, kind="order"):
        body = json.dumps({"id": id}).encode()
        signature = base64.b64encode(hmac.digest(HOOK_SECRET.encode(), body, hashlib.sha256)).decode()
        about = {"topic": f"{kind}.updated", "signature": signature, "delivery-id": f"{kind}{id}"}
        return arrival(body, "application/json", headers={f"x-wc-webhook-{k}": v for k, v in about.items()})

    def files(self):
        paths = sorted((FIXTURES / "woocommerce").glob("*.json"))
        return [arrival(path.read_bytes(), name=path.name) for path in paths]

    def damaged(self):
        order = json.loads((FIXTURES / "woocommerce" / "order.json").read_text(encoding="utf-8"))
        body = json.dumps([order, {"id": "x"}, {**order, "id": 7}]).encode()
        return arrival(body, name="orders.json"), 2

    def broken(self):
        nobody = f"http://127.0.0.1:{free_port()}"
        return [self.make(secret="cs_wrong"), self.make(key="ck_wrong"), self.make(url=nobody)]


def commerceml(*products: str) -> bytes:
    """A small catalogue; each product given by its name."""
    rows = "".join(
        f"<Товар><Ид>p-{number}</Ид><Артикул>A-{number}</Артикул><Наименование>{name}</Наименование></Товар>"
        for number, name in enumerate(products)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><КоммерческаяИнформация ВерсияСхемы="2.07"><Каталог><Ид>c</Ид>'
        f"<Наименование>Каталог</Наименование><Товары>{rows}</Товары></Каталог></КоммерческаяИнформация>"
    ).encode()


def damaged_zip():
    """An archive of which one member is no CommerceML."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("import0_1.xml", commerceml("Стол", "Стул"))
        archive.writestr("import1_1.xml", "<html>502</html>")
        archive.writestr("import2_1.xml", commerceml("Шкаф"))
    return arrival(packed.getvalue(), name="export.zip"), 3


class OneCFiles(AdapterConformance):
    """What both 1C adapters read."""

    def files(self):
        paths = sorted((FIXTURES / "onec").glob("*.xml"))
        return [arrival(path.read_bytes(), name=path.name) for path in paths]

    def damaged(self):
        return damaged_zip()


class TestOneCFolder(OneCFiles):
    adapter = OneCFolder
    folder: Path
    serial = 0

    def setup_method(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kit1c"))

    def teardown_method(self) -> None:
        shutil.rmtree(self.folder)

    def make(self, **more):
        return self.adapter(self.adapter.Settings(folder=self.folder, **more), kit_context())

    def deposit(self, count):
        """Under the names of every earlier export, as 1C does."""
        type(self).serial += 1
        names = [f"import{n}_1.xml" for n in range(count)]
        for name in names:
            path = self.folder / name
            path.write_bytes(commerceml(f"Стол {self.serial}", name))
            when = (NOW - timedelta(minutes=5)).timestamp() + self.serial
            os.utime(path, (when, when))
        return names

    def broken(self):
        absent = self.adapter.Settings(folder=self.folder / "absent")
        (self.folder / "file").write_text("x", encoding="utf-8")
        return [self.adapter(absent, kit_context()), self.make(archive=self.folder / "file" / "archive")]


class TestOneCSiteExchange(OneCFiles):
    adapter = OneCSiteExchange
    secrets = ("тест-слово",)

    def make(self, **more):
        given = {"login": "обмен", "password": "тест-слово", **more}
        return self.adapter(self.adapter.Settings(**given), kit_context())

    def broken(self):
        return [self.make(login=""), self.make(password="")]


class TestMail(AdapterConformance):
    """A poor IMAP server with a tap before it, and an SMTP server whose provider keeps what was sent."""

    adapter = MailAdapter
    unknown_id = "nobody@example.test#000000000000"
    secrets = ("pass-w0rd",)
    running: PymapServer
    smtp: SmtpPeer
    tap: Tap
    serial = 0

    @classmethod
    def setup_class(cls) -> None:
        cls.running = PymapServer(login="sales@firma.ru", password="pass-w0rd").start()
        cls.smtp = SmtpPeer("sales@firma.ru", "pass-w0rd", deliver_to(cls.running, cls.running.sent)).start()
        cls.tap = Tap(cls.running.host, cls.running.port)
        cls.tap.__enter__()

    @classmethod
    def teardown_class(cls) -> None:
        cls.tap.__exit__()
        cls.smtp.stop()
        cls.running.stop()

    def setup_method(self) -> None:
        self.running.reset()
        self.smtp.reset()
        self.tap.cut_at = None

    def make(self, **more):
        given = {"imap_host": self.tap.host, "imap_port": self.tap.port, "imap_tls": "none", "timeout": 20}
        given |= {"login": "sales@firma.ru", "password": "pass-w0rd", "own_domains": ["firma.ru"]}
        given |= {"smtp_host": self.smtp.host, "smtp_port": self.smtp.port, "smtp_tls": "none"}
        return self.adapter(self.adapter.Settings(**{**given, **more}), kit_context())

    def seed(self, kind, count):
        type(self).serial += count
        numbers = range(self.serial, self.serial + count)
        letters = [letter(f"Письмо {n}", Message_ID=f"<n{n}@romashka.ru>") for n in numbers]
        self.running.append_all("INBOX", letters, NOW - timedelta(days=1))
        return [take(raw).record.id for raw in letters]

    def fields(self, kind):
        to = {"name": "", "address": "ivan@romashka.ru"}
        return {"to": [to], "subject": "Счёт № 5", "text": "Добрый день!\nСчёт во вложении.\n"}

    def lose_next_answer(self):
        self.smtp.fault("drop")

    def fail_next_call(self):
        self.tap.cut_at = b"LOGIN"
        self.smtp.fault("later")

    def files(self):
        paths = sorted((FIXTURES / "mail").glob("*.eml"))
        return [arrival(path.read_bytes(), name=path.name) for path in paths]

    def broken(self):
        return [self.make(password="wrong"), self.make(imap_port=free_port()), self.make(folders=["Нет такой"])]


def test_a_mailbox_that_is_only_read_promises_nothing_about_sending():
    """What is not sent need not be found either."""
    nothing = frozenset()

    class OnlyReads(AdapterConformance):
        adapter = MailAdapter
        declared = replace(MailAdapter.capabilities, creates=nothing, finds=nothing, vague=nothing)

        def make(self):
            given = {"imap_host": "127.0.0.1", "login": "sales@firma.ru", "password": "secret"}
            return self.adapter(self.adapter.Settings(**given), kit_context())

    OnlyReads().test_capabilities_match_methods()
    assert OnlyReads.test_create_gives_the_new_record is None
    assert OnlyReads.test_unknown_key_finds_nothing is None
