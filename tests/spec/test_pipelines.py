"""What accounting knows stands for a stage of the deal's own pipeline, whichever stands first in the configuration."""

from __future__ import annotations

from pathlib import Path

from sync.hub.runtime import Hub
from sync.store.tables import conflict, journal, link, record
from tests.spec.hubs import CLIENT, Kit, one, rows, sync
from tests.spec.test_retranslate import MEMORY, mapped

PIPELINES = [
    {"name": "main", "facts": {"paid": "paid"}, "stages": [
        {"name": "new", "title": "Новый"}, {"name": "paid", "title": "Оплачен"},
        {"name": "won", "title": "Завершён", "semantic": "won"}]},
    {"name": "service", "facts": {"paid": "ready"}, "stages": [
        {"name": "new", "title": "Новый"}, {"name": "ready", "title": "К выезду"},
        {"name": "won", "title": "Завершён", "semantic": "won"}]},
    {"name": "silent", "stages": [
        {"name": "new", "title": "Новый"}, {"name": "won", "title": "Завершён", "semantic": "won"}]},
]  # fmt: skip


def mappings(kit: Kit, note: str) -> Path:
    folder = kit.folder / "mappings"
    folder.mkdir(exist_ok=True)
    shop = MEMORY.read_text(encoding="utf-8").replace(
        'comment  = "comment"', 'comment  = "comment"\npipeline = "pipeline"'
    )
    (folder / "own.toml").write_text(shop.replace('system = "memory"', 'system = "own"'), encoding="utf-8")
    books = f'system = "books"\nversion = 1\n[deal]\nkind = "deal"\n[deal.fields]\nnumber = "number"\ntitle = "title"\n{note}\n'
    (folder / "books.toml").write_text(f'{books}paid = {{ get = "paid" }}\n', encoding="utf-8")
    return folder


def started(kit: Kit) -> Hub:
    folder = mappings(kit, "")
    hub = kit.open(
        {
            "shop": {"role": "shop", "kinds": ["deal"], "mapping": "own"},
            "books": {"role": "accounting", "kinds": ["deal"], "mapping": "books"},
        },
        [("deal", "shop", "books", "always")],
        hub={"mappings": str(folder)},
        pipeline=PIPELINES,
    )
    for n, pipeline in enumerate(("main", "service", "silent"), 1):
        data = {
            "number": str(n),
            "title": "Шкаф",
            "stage": "new",
            "amount": "1.00",
            "currency": "RUB",
            "client": CLIENT,
        }
        kit.world("shop").put("deal", {**data, "pipeline": pipeline}, f"s{n}")
    sync(hub)
    for row in rows(hub, link, connection="books"):
        kit.world("books").put("deal", {"paid": True}, row.external_id)
    sync(hub)
    return hub


def stages(hub: Hub) -> list[str]:
    return [str(one(hub, record, kind="deal", number=str(n)).stage) for n in (1, 2, 3)]


def test_a_fact_stands_for_a_stage_of_the_deals_own_pipeline(kit: Kit) -> None:
    hub = started(kit)
    assert stages(hub) == ["paid", "ready", "new"], "a pipeline without facts knows of none"
    assert rows(hub, conflict) == []


def test_so_it_does_when_everything_is_read_anew(kit: Kit) -> None:
    hub = started(kit)
    notes = len(rows(hub, journal))
    bases = [row.base for row in rows(hub, link, connection="books")]
    mappings(kit, 'currency = "currency"')
    kit.close(hub)
    hub = kit.open()
    assert mapped(sync(hub)) == ["mapping deal"]
    told = [(n.why, sorted(n.changes)) for n in rows(hub, journal)[notes:]]
    assert all("stage" not in names for _, names in told), told
    assert [{**row.base, "currency": None} for row in rows(hub, link, connection="books")] == [
        {**base, "currency": None} for base in bases
    ]
    assert (stages(hub), rows(hub, conflict)) == (["paid", "ready", "new"], [])
