"""Writes: exactly the given fields, never over a moved record, and every lost answer can be settled."""

from __future__ import annotations

from functools import partial

from adapters.base import Change, OutcomeUnknown, PreconditionFailed, RetryLater
from adapters.testing.hooks import KEY, Hooks, needs
from adapters.testing.tools import assert_record, holds


class WriteTests(Hooks):
    @needs("updates")
    def test_update_sets_only_the_given_fields(self) -> None:
        for kind in self.declared.updates:
            with self.opened() as adapter:
                before, data = self.seeded(adapter, kind), self.changed(kind)
                after = adapter.write(Change(kind, before.id, data, before, KEY.format(0)))
                assert_record(after)
                assert after.id == before.id, f"{kind}: the update answers with another record"
                assert holds(data, after.data), f"{kind}: the record does not hold what was written"
                kept = set(before.data) - set(data) - self.stamps
                lost = sorted(name for name in kept if after.data.get(name) != before.data[name])
                assert not lost, f"{kind}: the update also changed {lost}"
                read = adapter.read(kind, before.id)
                assert read is not None, f"{kind}: the updated record cannot be read"
                assert read.data == after.data, f"{kind}: what write() gives is not what is read"

    @needs("conditional")
    def test_stale_update_is_refused(self) -> None:
        for kind in self.declared.conditional:
            with self.opened() as adapter:
                before = self.seeded(adapter, kind)
                self.edit(kind, before.id)
                moved = adapter.read(kind, before.id)
                change = Change(kind, before.id, self.changed(kind), before, KEY.format(1))
                self.raises(PreconditionFailed, partial(adapter.write, change))
                assert adapter.read(kind, before.id) == moved, f"{kind}: the refused write changed the record"

    @needs("updates")
    def test_lost_update_is_unknown(self) -> None:
        for kind in self.declared.updates:
            with self.opened() as adapter:
                before, data = self.seeded(adapter, kind), self.changed(kind)
                change = Change(kind, before.id, data, before, KEY.format(2))
                self.lose_next_answer()
                self.raises(OutcomeUnknown, partial(adapter.write, change))
                after = adapter.read(kind, before.id)
                assert after is not None, f"{kind}: the updated record cannot be read"
                assert holds(data, after.data), f"{kind}: the lost update cannot be read back"

    @needs("updates")
    def test_busy_update_changes_nothing(self) -> None:
        for kind in self.declared.updates:
            with self.opened() as adapter:
                before = self.seeded(adapter, kind)
                change = Change(kind, before.id, self.changed(kind), before, KEY.format(3))
                self.fail_next_call()
                self.raises(RetryLater, partial(adapter.write, change))
                assert adapter.read(kind, before.id) == before, f"{kind}: a write that was not executed changed it"

    @needs("creates")
    def test_create_gives_the_new_record(self) -> None:
        for kind in self.declared.creates:
            with self.opened() as adapter:
                data = self.fields(kind)
                made = adapter.write(Change(kind, None, data, None, KEY.format(4)))
                assert_record(made)
                assert holds(data, made.data), f"{kind}: the new record does not hold what was written"
                if kind in self.declared.reads:
                    assert adapter.read(kind, made.id) == made, f"{kind}: what write() gives is not what is read"
                if kind in self.declared.finds:
                    found = adapter.find(kind, KEY.format(4))
                    assert found is not None, f"{kind}: the new record is not found by its key"
                    assert found.id == made.id, f"{kind}: the record found by its key is another one"

    @needs("creates")
    def test_lost_create_is_unknown(self) -> None:
        """And is then found by its key, so that nobody creates it twice; only a `vague` find may miss it."""
        for kind in self.declared.creates:
            with self.opened() as adapter:
                data = self.fields(kind)
                change = Change(kind, None, data, None, KEY.format(5))
                self.lose_next_answer()
                self.raises(OutcomeUnknown, partial(adapter.write, change))
                if kind in self.declared.finds:
                    found = adapter.find(kind, change.key)
                    if found is None and kind in self.declared.vague:
                        continue
                    assert found is not None, f"{kind}: a create whose answer was lost is not found by its key"
                    assert_record(found)
                    assert holds(data, found.data), f"{kind}: the record found by its key is another one"
                    assert adapter.find(kind, change.key) == found, f"{kind}: finding twice gives two records"

    @needs("finds")
    def test_unknown_key_finds_nothing(self) -> None:
        """Neither a key never used, nor one whose create was not executed."""
        for kind in self.declared.finds:
            with self.opened() as adapter:
                self.seed(kind, 1)
                assert adapter.find(kind, KEY.format(6)) is None, f"{kind}: an unknown key finds something"
                change = Change(kind, None, self.fields(kind), None, KEY.format(7))
                self.fail_next_call()
                self.raises(RetryLater, partial(adapter.write, change))
                assert adapter.find(kind, change.key) is None, f"{kind}: a create that was not executed is found"
