"""Activities put on another card and back: exactly those, safe to repeat, and nothing that people have moved themselves."""

from __future__ import annotations

from functools import partial

from adapters.base import Adapter, Move, OutcomeUnknown, RetryLater, Text
from adapters.testing.hooks import Hooks, needs

NOTE = Text("Sverka: these two cards are one client.", "Сверка: эти две карточки — один клиент.")


class GatherTests(Hooks):
    def _two(self, kind: str) -> tuple[str, str, list[str]]:
        home, to = self.seed(kind, 1)[0], self.seed(kind, 1)[0]
        return home, to, self.lay(kind, home, 2)

    @staticmethod
    def _there(kind: str, home: str, to: str, items: list[str]) -> Move:
        return Move(kind, home, to, {item: [home] for item in items}, NOTE)

    @staticmethod
    def _back(kind: str, home: str, at: str, items: list[str]) -> Move:
        return Move(kind, home, home, {item: [at] for item in items})

    @staticmethod
    def _lie(adapter: Adapter, kind: str, id: str) -> list[str]:
        return sorted(adapter.lying(kind, id))

    @needs("gathers")
    def test_activities_lie_on_the_other_card_and_come_back(self) -> None:
        for kind in self.declared.gathers:
            with self.opened() as adapter:
                home, to, items = self._two(kind)
                own = self.lay(kind, to, 1)
                assert self._lie(adapter, kind, home) == sorted(items), f"{kind}: lying() lists something else"
                moved = adapter.gather(self._there(kind, home, to, items))
                assert sorted(moved) == sorted(items), f"{kind}: gather() gives other ids than it moved"
                assert self._lie(adapter, kind, home) == [], f"{kind}: activities are left on the card"
                assert self._lie(adapter, kind, to) == sorted([*items, *own]), (
                    f"{kind}: they do not lie on the other card"
                )
                adapter.gather(self._back(kind, home, to, items))
                assert self._lie(adapter, kind, home) == sorted(items), f"{kind}: they did not come back"
                assert self._lie(adapter, kind, to) == own, f"{kind}: the other card's own activity was taken along"

    @needs("gathers")
    def test_gather_is_safe_to_repeat(self) -> None:
        for kind in self.declared.gathers:
            with self.opened() as adapter:
                home, to, items = self._two(kind)
                move = self._there(kind, home, to, items)
                first = sorted(adapter.gather(move))
                assert sorted(adapter.gather(move)) == first, f"{kind}: a repeated gather() gives other ids"
                assert self._lie(adapter, kind, to) == first, f"{kind}: a repeated gather() moved something else"

    @needs("gathers")
    def test_what_people_took_elsewhere_stays_there(self) -> None:
        for kind in self.declared.gathers:
            with self.opened() as adapter:
                home, to, items = self._two(kind)
                third = self.seed(kind, 1)[0]
                adapter.gather(self._there(kind, home, to, items))
                adapter.gather(Move(kind, to, third, {items[0]: [to]}))  # as a person would
                assert adapter.gather(self._back(kind, home, to, items)) == [items[1]]
                assert self._lie(adapter, kind, third) == [items[0]], f"{kind}: what people moved was fetched back"

    @needs("gathers")
    def test_lost_gather_is_unknown_and_done_by_a_repeat(self) -> None:
        for kind in self.declared.gathers:
            with self.opened() as adapter:
                home, to, items = self._two(kind)
                move = self._there(kind, home, to, items)
                self.lose_next_answer()
                self.raises(OutcomeUnknown, partial(adapter.gather, move))
                assert sorted(adapter.gather(move)) == sorted(items), f"{kind}: the repeat does not say what was moved"

    @needs("gathers")
    def test_busy_gather_moves_nothing(self) -> None:
        for kind in self.declared.gathers:
            with self.opened() as adapter:
                home, to, items = self._two(kind)
                self.fail_next_call()
                self.raises(RetryLater, partial(adapter.gather, self._there(kind, home, to, items)))
                assert self._lie(adapter, kind, home) == sorted(items), f"{kind}: a busy system moved activities"
