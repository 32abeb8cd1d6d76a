"""What one run brings about is counted as a whole before its first write, also where pages and deliveries alternate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.base import Page
from adapters.memory import MemoryAdapter
from sync.hub import approvals, works
from sync.hub.runs import running
from sync.hub.runtime import Hub
from sync.store.tables import intent, run
from tests.spec.hubs import Kit, one, rows, sync
from tests.spec.test_approval import comment, in_crm, linked


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Something that another thread does after each page of the shop, as when the service is at work."""

    def set(act: Callable[[], Any]) -> None:
        whole = MemoryAdapter.scan

        def scan(self: MemoryAdapter, kind: str, cursor: Any) -> Iterator[Page]:
            for page in whole(self, kind, cursor):
                yield page
                if self.context.connection == "shop":
                    act()

        monkeypatch.setattr(MemoryAdapter, "scan", scan)

    return set


def paged(kit: Kit, hub: Hub, size: int) -> Hub:
    """The same hub, whose shop gives small pages."""
    kit.close(hub)
    kit._config["connections"]["shop"]["page_size"] = size
    hub = kit.open()
    sync(hub)  # another setting lists everything anew
    return hub


def test_a_large_change_is_held_before_its_first_write(kit: Kit, between: Any) -> None:
    hub = paged(kit, linked(kit, 9, writes=3, writes_percent=0), 2)
    comment(kit, "стало", *range(1, 10))
    looks: list[int] = []

    def deliver() -> None:
        works.deliver(hub, hub.plugs["crm"])
        looks.append(len(rows(hub, intent, op="update", state="planned")))

    between(deliver)
    works.poll(hub, hub.plugs["shop"])
    assert max(looks) > 3, "there was something to write while the pages came"
    assert (kit.writes(), approvals.waiting(hub)) == ([], [])
    sync(hub)
    (asked,) = approvals.waiting(hub)
    assert (asked["reason"], asked["counts"], asked["behind"]) == ("divergence", {"update crm/deal": 9}, 0)
    assert (kit.writes(), set(in_crm(kit))) == ([], {"было"})


def test_a_small_change_goes_when_its_run_has_ended(kit: Kit, between: Any) -> None:
    hub = paged(kit, linked(kit, 4), 1)
    comment(kit, "стало", 1, 2)
    woken: list[tuple[str, str]] = []
    hub.wake = lambda name: woken.append((name, rows(hub, run)[-1].outcome))
    between(lambda: works.deliver(hub, hub.plugs["crm"]))
    works.poll(hub, hub.plugs["shop"])
    assert kit.writes() == []
    assert woken == [("crm", "ok")], "whoever waits is told once, when the run has ended"
    works.deliver(hub, hub.plugs["crm"])
    assert in_crm(kit) == ["было", "было", "стало", "стало"]


def test_a_run_that_takes_long_is_not_waited_for(kit: Kit, between: Any) -> None:
    hub = paged(kit, linked(kit, 6), 1)
    comment(kit, "стало", *range(1, 5))
    seen: list[int] = []

    def later() -> None:
        kit.now.pass_(seconds=11)
        works.deliver(hub, hub.plugs["crm"])
        seen.append(in_crm(kit).count("стало"))

    between(later)
    works.poll(hub, hub.plugs["shop"])
    assert seen[:2] == [0, 0]
    assert seen[-1] >= 2


def test_what_a_dead_run_left_goes_out(kit: Kit) -> None:
    hub = linked(kit, 3)
    comment(kit, "стало", 1)
    works.poll(hub, hub.plugs["shop"])
    last = rows(hub, run)[-1].id
    with hub.store.begin() as tx:
        tx.execute(run.update().where(run.c.id == last).values(outcome="running", ended_at=None))
    with hub.leases.held("fetch:shop", 60):  # as its process left it, until this runs out
        works.deliver(hub, hub.plugs["crm"])
        assert kit.writes() == []
    works.deliver(hub, hub.plugs["crm"])
    assert in_crm(kit) == ["было", "было", "стало"]


def test_a_delivery_sends_on_what_it_brings_about_itself(kit: Kit) -> None:
    """The client's creation frees the deal that waited for it, within the same run."""
    hub = linked(kit, 1)
    comment(kit, "стало", 1)
    works.poll(hub, hub.plugs["shop"])
    with running(hub.world, "crm", "deliver") as own, hub.store.begin() as tx:
        tx.execute(intent.update().where(intent.c.state == "planned").values(run_id=own.id))
    with hub.store.begin() as tx:
        tx.execute(run.update().where(run.c.id == own.id).values(outcome="running"))
    works.deliver(hub, hub.plugs["crm"])
    assert one(hub, intent, op="update").state == "done"
    with hub.store.read() as tx:
        assert (
            tx.execute(sa.select(sa.func.count()).select_from(intent).where(intent.c.state == "planned")).scalar() == 0
        )
