"""Collecting: arrivals lie on the other side until collected() archives them, and a death in between loses nothing."""

from __future__ import annotations

from adapters.base import Adapter, Arrival, RecordRefused
from adapters.testing.hooks import Hooks, needs


class CollectTests(Hooks):
    def waiting(self, adapter: Adapter) -> list[Arrival]:
        """What waits now, with what holds for every arrival that is collected."""
        arrivals = list(adapter.collect())
        names = [came.name for came in arrivals]
        assert len(names) == len(set(names)), f"two arrivals have one name: {sorted(names)}"
        for came in arrivals:
            assert came.name, "an arrival without a name"
            body = came.read()
            assert came.read() == body, f"{came.name} cannot be opened twice"
            assert came.size == len(body), f"{came.name} says {came.size} bytes and holds {len(body)}"
        return arrivals

    @needs("collects")
    def test_collect_removes_nothing(self) -> None:
        """The hub may die between collect() and collected(): the same arrivals come again, in the same order."""
        names = set(self.deposit(3))
        with self.opened() as adapter:
            first = _contents(self.waiting(adapter))
            again = _contents(self.waiting(adapter))
        missed = names - {name for name, _ in first}
        assert not missed, f"collect() does not give {sorted(missed)}"
        assert again == first, "collecting twice gives two results"
        with self.opened() as other:
            assert _contents(self.waiting(other)) == first, (
                "what was collected and not archived is lost for the next run"
            )

    @needs("collects")
    def test_only_what_is_stored_is_archived(self) -> None:
        self.deposit(3)
        with self.opened() as adapter:
            stored, *others = self.waiting(adapter)
            left = _contents(others)
            adapter.collected(stored)
            assert _contents(self.waiting(adapter)) == left, f"after collected({stored.name}) others came"
        with self.opened() as other:
            assert _contents(self.waiting(other)) == left, f"after collected({stored.name}) the next run misses some"

    @needs("collects")
    def test_collected_may_be_repeated(self) -> None:
        """By the same run or by the next one, and new arrivals go on coming, under old names too."""
        for _ in range(2):
            names = set(self.deposit(2))
            with self.opened() as adapter, self.opened() as other:
                arrivals = self.waiting(adapter)
                assert names <= {came.name for came in arrivals}, "new arrivals do not come after others were archived"
                for one in (adapter, adapter, other):
                    for came in arrivals:
                        one.collected(came)
                    assert self.waiting(one) == [], "archived arrivals come again"

    @needs("collects")
    def test_collected_arrivals_can_be_unpacked(self) -> None:
        self.deposit(2)
        with self.opened() as adapter:
            for came in self.waiting(adapter):
                try:
                    items = list(adapter.unpack(came))
                except RecordRefused as error:
                    raise AssertionError(f"{came.name} cannot be unpacked: {error.text.en}") from error
                assert items, f"{came.name} holds nothing"


def _contents(arrivals: list[Arrival]) -> list[tuple[str, bytes]]:
    return [(came.name, came.read()) for came in arrivals]
