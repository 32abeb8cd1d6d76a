"""Merged clients in a portal: deals and activities follow to the surviving card, and all of it comes back when they part."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Move, RecordRefused, Text
from sync.hub import merges
from sync.hub.runtime import Hub
from sync.store.tables import conflict, journal, link, quarantine
from tests.adapters.bitrix_kit import adapter_at
from tests.peers.bitrix import BitrixPeer
from tests.spec.hubs import Kit, one, open_kit, rows, sync

NOTE = Text("Sverka: one client.", "Сверка: один клиент.")


@pytest.fixture(params=["sqlite"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    with open_kit(request, tmp_path) as made:
        yield made


@pytest.fixture
def peer() -> Iterator[BitrixPeer]:
    portal = BitrixPeer()
    portal.start()
    yield portal
    portal.stop()


def connected(kit: Kit, peer: BitrixPeer) -> Hub:
    crm = {"adapter": "bitrix24", "webhook": peer.webhook}
    return kit.open({"crm": crm, "shop": {"role": "shop", "kinds": ["deal"]}}, [("deal", "shop", "crm", "always")])


def card(hub: Hub, kind: str, id: str) -> str:
    return str(one(hub, link, connection="crm", native_kind=kind, external_id=id).record_uid)


def told(peer: BitrixPeer) -> dict[str, Any]:
    """What of the portal speaks of whose something is."""
    deals = {id: (d["CONTACT_ID"], d["COMPANY_ID"], list(d["CONTACT_IDS"])) for id, d in peer.state["deal"].items()}
    return copy.deepcopy(
        {"deals": deals, **{k: peer.state[k] for k in ("activities", "comments", "contact", "company")}}
    )


def without_stamps(found: dict[str, Any]) -> dict[str, Any]:
    cards = {
        kind: {
            id: {n: v for n, v in row.items() if "DATE" not in n and "LAST_" not in n}
            for id, row in found[kind].items()
        }
        for kind in ("contact", "company")
    }
    return {**found, **cards}


def test_deals_and_activities_follow_a_merge_and_come_back_exactly(kit: Kit, peer: BitrixPeer) -> None:
    anna = peer.add("contact", NAME="Анна", LAST_NAME="Тестова", PHONE=[{"VALUE": "+79161234567"}])
    twin = peer.add("contact", NAME="Анна", LAST_NAME="Тестова", PHONE=[{"VALUE": "+79037654321"}])
    firm = peer.add("company", TITLE="ООО «Проба»", PHONE=[{"VALUE": "+74951234567"}])
    other = peer.add("company", TITLE="Проба", PHONE=[{"VALUE": "+74957654321"}])
    deals = [peer.add("deal", TITLE=f"Сделка {id}", CONTACT_ID=id) for id in (anna, twin)]
    sold = peer.add("deal", TITLE="Поставка", COMPANY_ID=other)
    alone = peer.call_logged(("contact", twin))
    of_deal = peer.call_logged(("contact", twin), ("deal", deals[1]))
    of_both = peer.call_logged(("contact", twin), ("contact", anna))
    of_firm = peer.call_logged(("company", other))
    hub = connected(kit, peer)
    sync(hub)
    before = without_stamps(told(peer))

    merges.merge(hub, card(hub, "contact", anna), card(hub, "contact", twin), "Ирина")
    merges.merge(hub, card(hub, "company", firm), card(hub, "company", other), "Ирина")
    sync(hub)
    assert {peer.row("deal", id)["CONTACT_ID"] for id in deals} == {anna}
    assert peer.row("deal", sold)["COMPANY_ID"] == firm
    assert set(peer.activities_of("contact", anna)) == {alone, of_deal, of_both}
    assert peer.activities_of("contact", twin) == [of_both], "it lay on both before"
    assert peer.activities_of("deal", deals[1]) == [of_deal], "the deal keeps its own binding"
    assert peer.activities_of("company", firm) == [of_firm]
    (note,) = peer.comments_of("contact", twin)
    assert f"/crm/contact/details/{anna}/" in note
    assert set(peer.state["contact"]) == {anna, twin}, "no card is gone"
    assert {n.kind for n in rows(hub, journal) if n.why == "wrote:merge"} == {"deal", "contact", "company"}
    written = [len(peer.calls("POST", what)) for what in (".update", ".comment.add", "batch")]
    sync(hub)
    reads = len(peer.calls("POST", "batch")) - written.pop()
    assert [len(peer.calls("POST", what)) for what in (".update", ".comment.add")] == written, "done once it is done"
    assert reads <= 1, "what a deal refers to, and no activities"

    merges.unmerge(hub, card(hub, "contact", twin), "Ирина")
    merges.unmerge(hub, card(hub, "company", other), "Ирина")
    sync(hub)
    assert without_stamps(told(peer)) == before
    assert rows(hub, conflict) == []
    assert rows(hub, quarantine) == []


def test_a_portal_without_these_methods_holds_back_nothing_else(kit: Kit, peer: BitrixPeer) -> None:
    phones = [{"VALUE": "+79161234567"}], [{"VALUE": "+79037654321"}]
    anna, twin = (peer.add("contact", NAME="Анна", LAST_NAME="Тестова", PHONE=phone) for phone in phones)
    deal = peer.add("deal", TITLE="Сделка", CONTACT_ID=twin)
    hub = connected(kit, peer)
    sync(hub)
    peer.state["without"] = ["crm.activity."]
    merges.merge(hub, card(hub, "contact", anna), card(hub, "contact", twin), "Ирина")
    sync(hub)
    assert peer.row("deal", deal)["CONTACT_ID"] == anna
    (held,) = rows(hub, quarantine)
    assert (held.code, held.stage, held.state) == ("bitrix.method", "delivery", "open")


def test_what_is_odd_about_activities_is_an_error_never_a_loss(peer: BitrixPeer) -> None:
    home, to = (peer.add("contact", NAME=name) for name in ("Анна", "Вера"))
    kept, gone = peer.call_logged(("contact", home)), peer.call_logged(("contact", home))
    with adapter_at(peer) as adapter:
        del peer.state["activities"][gone]
        assert adapter.gather(Move("contact", home, to, {kept: [home], gone: [home]}, NOTE)) == [kept]
        assert len(peer.comments_of("contact", home)) == 1
        adapter.gather(Move("contact", home, to, {kept: [home]}, NOTE))
        assert len(peer.comments_of("contact", home)) == 1, "one note, however often"
        peer.state["comments"]["99"] = {
            "ID": "99",
            "ENTITY_TYPE": "contact",
            "ENTITY_ID": home,
            "COMMENT": "Наша заметка",
        }
        adapter.gather(Move("contact", home, home, {kept: [to]}))
        assert peer.comments_of("contact", home) == ["Наша заметка"], "people's own notes stay"
        peer.remove("contact", to)
        with pytest.raises(RecordRefused):
            adapter.gather(Move("contact", home, to, {kept: [home]}, NOTE))
    assert peer.activities_of("contact", home) == [kept]


def test_more_activities_than_a_page_or_a_batch_holds(peer: BitrixPeer) -> None:
    home, to = (peer.add("contact", NAME=name) for name in ("Анна", "Вера"))
    made = [peer.call_logged(("contact", home)) for _ in range(120)]
    with adapter_at(peer) as adapter:
        assert adapter.lying("contact", home) == made
        assert adapter.gather(Move("contact", home, to, {id: [home] for id in made}, NOTE)) == made
        assert adapter.lying("contact", home) == []
