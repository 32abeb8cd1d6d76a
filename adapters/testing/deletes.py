"""Deletes: never over a moved record, done once and for all, and every lost answer can be settled by reading."""

from __future__ import annotations

from functools import partial

from adapters.base import Adapter, Change, OutcomeUnknown, PreconditionFailed, Record, RetryLater
from adapters.testing.hooks import KEY, Hooks, needs
from adapters.testing.tools import assert_record


class DeleteTests(Hooks):
    @needs("deletes")
    def test_delete_removes_the_record(self) -> None:
        """And its answer says so; its neighbour stays as it was."""
        for kind in self.declared.deletes:
            with self.opened() as adapter:
                before, other = self.seeded(adapter, kind), self.seeded(adapter, kind)
                after = adapter.write(_delete(before, 8))
                assert_record(after)
                assert after.id == before.id, f"{kind}: the delete answers with another record"
                assert after.deleted, f"{kind}: the answer to a delete does not say that the record is deleted"
                self._is_gone(adapter, before)
                assert adapter.read(kind, other.id) == other, f"{kind}: the delete changed another record"

    @needs("deletes")
    def test_delete_of_what_is_gone_is_done(self) -> None:
        """Nobody can say who of two was first, and nobody need know."""
        for kind in self.declared.deletes:
            with self.opened() as adapter:
                before = self.seeded(adapter, kind)
                adapter.write(_delete(before, 9))
                again = adapter.write(_delete(before, 9))
                assert_record(again)
                assert (again.id, again.deleted) == (before.id, True), f"{kind}: what is gone is not told as deleted"

    @needs("deletes", "conditional")
    def test_stale_delete_is_refused(self) -> None:
        """What somebody has edited since is not thrown away."""
        for kind in self.declared.deletes & self.declared.conditional:
            with self.opened() as adapter:
                before = self.seeded(adapter, kind)
                self.edit(kind, before.id)
                moved = adapter.read(kind, before.id)
                self.raises(PreconditionFailed, partial(adapter.write, _delete(before, 8)))
                assert adapter.read(kind, before.id) == moved, f"{kind}: the refused delete changed the record"

    @needs("deletes")
    def test_lost_delete_is_unknown(self) -> None:
        for kind in self.declared.deletes:
            with self.opened() as adapter:
                before = self.seeded(adapter, kind)
                self.lose_next_answer()
                self.raises(OutcomeUnknown, partial(adapter.write, _delete(before, 8)))
                self._is_gone(adapter, before)

    @needs("deletes")
    def test_busy_delete_changes_nothing(self) -> None:
        for kind in self.declared.deletes:
            with self.opened() as adapter:
                before = self.seeded(adapter, kind)
                self.fail_next_call()
                self.raises(RetryLater, partial(adapter.write, _delete(before, 8)))
                assert adapter.read(kind, before.id) == before, f"{kind}: a delete that was not executed changed it"

    @staticmethod
    def _is_gone(adapter: Adapter, before: Record) -> None:
        now = adapter.read(before.kind, before.id)
        assert now is None or now.deleted, f"{before.kind}: the deleted record is read as a live one"


def _delete(before: Record, number: int) -> Change:
    return Change(before.kind, before.id, {}, before, KEY.format(number), delete=True)
