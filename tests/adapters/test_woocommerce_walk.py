"""A property of the keyset walk: whatever happens in the shop between two pages, every order's last state is yielded."""

from __future__ import annotations

import json
import random
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.woocommerce.client import Answer
from adapters.woocommerce.scan import Scan, Size
from tests.adapters.woocommerce_kit import NOON
from tests.peers.woo import WooPeer
from tests.peers.woo_lists import listing

OVERLAP = 60
LINES = [("A", "Товар", "1.00", 1)]


class Direct:
    """The stand-in's lists without the network."""

    base = httpx.URL("http://shop.example")

    def __init__(self, shop: WooPeer) -> None:
        self.shop = shop
        self.calls = 0

    @property
    def shop_time(self) -> Any:
        return self.shop.now().replace(microsecond=0)

    def get_list(self, path: str, params: dict[str, str]) -> Answer:
        self.calls += 1
        answer = listing(self.shop.state, self.shop.url, path, params)
        assert answer.status == 200
        rows = json.loads(json.dumps(answer.body))
        return Answer(rows, int(answer.headers["X-WP-Total"]), self.shop_time)


class World:
    """A shop in which things happen. A late order is committed up to half the overlap after its stamp."""

    def __init__(self, shop: WooPeer, dice: random.Random) -> None:
        self.shop, self.dice = shop, dice
        self.late: list[tuple[Any, dict[str, Any]]] = []
        self.marks = 0

    def step(self) -> None:
        orders, dice = self.shop.state["orders"], self.dice
        self.shop.state["tick"] = dice.choice([0, 0, 0, 1, 3])
        what = dice.choice(["add", "add", "edit", "edit", "edit", "trash", "remove", "late", "wait"])
        if what == "add" or not orders:
            self.shop.add_order(lines=LINES)
        elif what == "wait":
            self.shop.advance(dice.choice([1, 5, 20, 200]))
        else:
            id = dice.choice(list(orders))
            if what in ("edit", "late"):
                self.marks += 1
                self.shop.edit_order(id, customer_note=str(self.marks))
            if what in ("trash", "remove"):
                self.shop.trash(id, force=what == "remove")
            if what == "late":
                self.late.append((self.shop.now(), orders.pop(id)))
        self.commit()

    def commit(self, force: bool = False) -> None:
        for entry in list(self.late):
            begun, order = entry
            if force or (self.shop.now() - begun).total_seconds() > OVERLAP / 4:
                self.late.remove(entry)
                self.shop.state["orders"][str(order["id"])] = order

    def advance_late(self) -> None:
        """No transaction stays open longer than the overlap covers."""
        if any((self.shop.now() - begun).total_seconds() > OVERLAP / 2 for begun, _ in self.late):
            self.commit(force=True)


def notes(shop: WooPeer) -> dict[str, str]:
    return {id: row["customer_note"] for id, row in shop.state["orders"].items() if row["status"] != "trash"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9), size=st.sampled_from([1, 2, 3, 7, 100]))
def test_nothing_is_ever_missed(seed: int, size: int) -> None:
    dice = random.Random(seed)
    shop = WooPeer(now=NOON, tz=dice.choice([-8, 3]))
    shop.server.server_close()  # no network here
    world, client = World(shop, dice), Direct(shop)
    for _ in range(dice.randrange(30)):
        world.step()
    known: dict[str, str] = {}
    cursor: Any = None
    for turn in range(6):
        for page in Scan(client, "order", Size(size), OVERLAP, cursor).pages():  # type: ignore[arg-type]
            known |= {record.id: record.data["customer_note"] for record in page.records}
            cursor = json.loads(json.dumps(page.cursor))
            if turn < 4:
                for _ in range(dice.choice([0, 0, 1, 2, 6])):
                    world.step()
                    world.advance_late()
                if dice.random() < 0.15:
                    break  # killed between two pages
            assert client.calls < 3000
        if turn == 3:
            world.commit(force=True)
    missed = {id: note for id, note in notes(shop).items() if known.get(id) != note}
    assert missed == {}


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 40), size=st.sampled_from([1, 3, 10]), seconds=st.integers(0, 3))
def test_a_quiet_shop_costs_one_call_after_the_overlap(count: int, size: int, seconds: int) -> None:
    shop = WooPeer(now=NOON, tick=seconds)
    shop.server.server_close()
    for _ in range(count):
        shop.add_order(lines=LINES)
    client = Direct(shop)
    first = list(Scan(client, "order", Size(size), OVERLAP, None).pages())  # type: ignore[arg-type]
    assert sum(len(page.records) for page in first) == count
    assert first[-1].complete
    shop.advance(OVERLAP + 500)
    second = list(Scan(client, "order", Size(size), OVERLAP, first[-1].cursor).pages())  # type: ignore[arg-type]
    before = client.calls
    (last,) = Scan(client, "order", Size(size), OVERLAP, second[-1].cursor).pages()  # type: ignore[arg-type]
    assert client.calls == before + 1
    assert last.records == []
