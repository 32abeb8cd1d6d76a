"""What an adapter keeps between arrivals: the dictionary of properties that only a catalogue's first portion brings."""

from __future__ import annotations

from typing import Any

from sync.hub.runtime import Hub
from sync.intake.kept import KeptInStore
from sync.store.tables import link, session
from tests.spec.hubs import Kit, one, rows, sync
from tests.spec.test_offers import ONEC, context

HEAD = '<?xml version="1.0" encoding="UTF-8"?><КоммерческаяИнформация ВерсияСхемы="2.07">'
WORDS = (
    "<Классификатор><Ид>c</Ид><Свойства><Свойство><Ид>p1</Ид><Наименование>{}</Наименование><ВариантыЗначений><Справочник>"
    "<ИдЗначения>v1</ИдЗначения><Значение>{}</Значение></Справочник></ВариантыЗначений></Свойство></Свойства>"
    "</Классификатор>"
)


def portion(id: str, words: str = "", changes: bool = True) -> bytes:
    flag = str(changes).lower()
    values = (
        "<ЗначенияСвойств><ЗначенияСвойства><Ид>p1</Ид><Значение>v1</Значение></ЗначенияСвойства></ЗначенияСвойств>"
    )
    goods = f"<Товар><Ид>{id}</Ид><Наименование>{id}</Наименование>{values}</Товар>" if id else ""
    catalogue = f'<Каталог СодержитТолькоИзменения="{flag}"><Товары>{goods}</Товары></Каталог>'
    return f"{HEAD}{words}{catalogue}</КоммерческаяИнформация>".encode()


def take(hub: Hub, name: str, body: bytes, connection: str = "onec") -> None:
    lent = context(hub)
    lent.append(name, name, [body])
    lent.receive(name, name)
    sync(hub)


def attributes(hub: Hub, id: str) -> Any:
    return one(hub, link, external_id=id, native_kind="product").shadow.get("attributes")


def test_a_later_portion_is_read_with_the_words_of_the_first_also_after_a_restart(kit: Kit) -> None:
    hub = kit.open({"onec": ONEC}, [])
    take(hub, "import0_1.xml", portion("a", WORDS.format("Цвет", "белый"), changes=False))
    take(hub, "import0_2.xml", portion("b"))
    kit.close(hub)
    hub = kit.open()
    take(hub, "import0_3.xml", portion("c"))
    assert [attributes(hub, id) for id in "abc"] == [{"Цвет": "белый"}] * 3
    take(hub, "import1_1.xml", portion("", WORDS.format("Цвет", "бежевый")))
    take(hub, "import1_2.xml", portion("d"))
    assert attributes(hub, "d") == {"Цвет": "бежевый"}, "a newer word counts, also from a portion without goods"


def test_without_any_dictionary_the_ids_stay(kit: Kit) -> None:
    hub = kit.open({"onec": ONEC}, [])
    take(hub, "import0_2.xml", portion("b"))
    assert attributes(hub, "b") is None
    assert one(hub, link, external_id="b").shadow["properties"] == {"p1": "v1"}


def test_a_preview_writes_nothing(kit: Kit) -> None:
    hub = kit.open({"onec": ONEC}, [])
    frozen = KeptInStore(hub.store, "onec", hub.now, frozen=True)
    frozen.save("x", {"a": "1"})
    assert frozen.load("x") == {"a": "1"}
    assert rows(hub, session) == []
    kept, other = (KeptInStore(hub.store, name, hub.now) for name in ("onec", "unf"))
    kept.save("x", {"a": "2"})
    before = one(hub, session).updated_at
    kept.save("x", {"a": "2"})
    assert one(hub, session).updated_at == before, "the same is no news"
    assert (kept.load("x"), other.load("x"), kept.load("y")) == ({"a": "2"}, None, None)
