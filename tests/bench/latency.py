"""B-J: a status changed in one system is written in the other within one poll interval and a little time of the hub's.

A hub as `sverka serve` runs it (scheduler, queue, leases, SQLite on disk) between two systems in memory, so that the systems
themselves cost nothing. Changes come at moments that have nothing to do with the polls. The limit program is the same poll
done by hand: sleep, look, write.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from adapters.memory import MemoryWorld, world
from sync import config as configuration
from sync.hub.runtime import Hub
from sync.hub.service import Service
from sync.hub.works import sync_once
from tests.bench.measure import Gate, Report, Series

EVERY = 1.0  # seconds between two polls
HUB = 0.2  # seconds that the hub may add
DEALS = 200
STAGES = ("new", "in_work", "paid", "shipped", "won")


def run(changes: int = 40) -> list[Report]:
    hub, hand = Series("Sverka"), Series("by hand")
    with tempfile.TemporaryDirectory(prefix="sverka-bench-") as place:
        hub.values = _through_the_hub(Path(place), changes)
    hand.values = _by_hand(changes)
    added = Series("Sverka, beyond the poll", [max(0.0, v - EVERY) for v in hub.values])
    gate = Gate("B-J median, seconds: one poll interval and .2", hub.median, EVERY + HUB, at_most=True)
    return [
        Report(
            f"B-J a status changed in one system, {changes} changes, poll every {EVERY:g} s: seconds until it is written",
            rows=[(hub.name, hub.text(3)), (hand.name, hand.text(3)), (added.name, added.text(3))],
            gates=[gate],
            figures={s.name: s.as_dict() for s in (hub, hand, added)},
        )
    ]


def _through_the_hub(place: Path, changes: int) -> list[float]:
    shop, crm = world("bench-shop"), world("bench-crm")
    for n in range(DEALS):
        shop.put(
            "deal",
            {"number": str(n), "title": f"Заказ {n}", "stage": "new", "amount": "1.00", "currency": "RUB"},
            str(n),
        )
    config = configuration.build(
        {
            "hub": {"database": f"sqlite:///{place / 'hub.db'}", "spool": str(place / "spool")},
            "limits": {"first_run": "go", "writes": 1_000_000},
            "connections": {
                name: {
                    "adapter": "memory",
                    "role": name,
                    "world": f"bench-{name}",
                    "kinds": ["deal"],
                    "every": every,
                    "rate": 600_000,
                }
                for name, every in (("shop", int(EVERY)), ("crm", 3600))
            },
            "owners": {"deal.stage": "join"},
            "flow": [{"kind": "deal", "from": "shop", "to": "crm", "create": "always"}],
        },
        path=place / "config.toml",
        environ={},
    )
    with Hub(config) as hub:
        sync_once(hub)
        there = {row["data"]["number"]: id for id, row in crm.rows("deal").items()}
        service = Service(hub, alone=True)
        service.start()
        try:
            return _changes(shop, lambda number: str(crm.rows("deal")[there[number]]["data"].get("stage")), changes)
        finally:
            service.stop()


def _by_hand(changes: int) -> list[float]:
    shop, crm = MemoryWorld(), MemoryWorld()
    for n in range(DEALS):
        for one in (shop, crm):
            one.put("deal", {"number": str(n), "stage": "new"}, str(n))
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(EVERY):
            for id, row in shop.rows("deal").items():
                if crm.rows("deal")[id]["data"]["stage"] != row["data"]["stage"]:
                    crm.put("deal", {"stage": row["data"]["stage"]}, id)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        return _changes(shop, lambda number: str(crm.rows("deal")[number]["data"]["stage"]), changes)
    finally:
        ended.set()
        thread.join()


def _changes(shop: MemoryWorld, shown: Callable[[str], str], changes: int) -> list[float]:
    """Seconds from each change there to its arrival here."""
    dice, found = random.Random(7), []
    for n in range(changes):
        time.sleep(dice.random() * EVERY)
        number = str(n % DEALS)
        stage = STAGES[1 + n // DEALS]
        shop.put("deal", {"stage": stage}, number)
        began = time.perf_counter()
        while shown(number) != stage:
            if time.perf_counter() - began > 60:
                raise RuntimeError("the change did not arrive in a minute")
            time.sleep(0.002)
        found.append(time.perf_counter() - began)
    return found
