"""Arrivals and files: whatever comes is answered, labelled and kept; broken parts do not harm their neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from adapters.base import Adapter, Arrival, Hint, Problem, Reception, Record, RecordRefused, Unchanged
from adapters.testing.hooks import Hooks, needs
from adapters.testing.tools import arrival, assert_error, assert_json_like, assert_record, assert_text, nasty_arrivals

LABELS = frozenset({"", "ping", "test", "spam", "unsigned", "broken", "oversized"})


class ArrivalTests(Hooks):
    def received(self, adapter: Adapter, came: Arrival) -> Reception:
        """One quick look, with what holds for every look: no call to the other side, and the same answer twice."""
        waits = getattr(adapter.context.limiter, "waits", 0)
        about = f"{came.method} {came.headers.get('content-type')!r} {came.read()[:40]!r}"
        reception = adapter.receive(came)
        assert isinstance(reception, Reception), f"receive() gives {reception!r} for {about}"
        assert reception.label in LABELS, f"the label {reception.label!r} is unknown; valid: {sorted(LABELS)}"
        assert 200 <= reception.reply.status < 600, f"status {reception.reply.status} for {about}"
        assert_json_like([reception.key, dict(reception.reply.headers)], "key, headers")
        if reception.label not in ("", "ping", "test"):
            assert_text(reception.reason, f"label {reception.label} for {about}")
        assert adapter.receive(came) == reception, f"receive() answers otherwise the second time: {about}"
        assert getattr(adapter.context.limiter, "waits", 0) == waits, "receive() calls the other side: it must be quick"
        return reception

    def unpacked(self, adapter: Adapter, came: Arrival) -> list[Record | Problem | Hint | Unchanged]:
        items = list(adapter.unpack(came))
        for item in items:
            if isinstance(item, Record):
                assert_record(item)
            elif isinstance(item, Problem):
                assert all((item.kind, item.id)), "a Problem needs a kind and an id: it is quarantined under them"
                assert_error(item.error, self.secrets)
            elif isinstance(item, Unchanged):
                assert adapter.context.taken is not None, "unpack() gives Unchanged, and nothing was said to be known"
            else:
                assert isinstance(item, Hint), f"unpack() gives {type(item).__name__}"
        return items

    @needs("receives")
    def test_good_arrivals_are_accepted(self) -> None:
        with self.opened() as adapter:
            keys = []
            for came in self.arrivals():
                reception = self.received(adapter, came)
                assert reception.label == "", f"a good arrival is labelled {reception.label}: {reception.reason}"
                assert reception.reply.status == 200, f"a good arrival is answered {reception.reply.status}"
                items = self.unpacked(adapter, came)
                assert items, "a good arrival holds nothing"
                assert not any(isinstance(item, Problem) for item in items), "a good arrival holds problems"
                if reception.stored is not None:
                    stored = arrival(reception.stored, **{**_parts(came), "headers": dict(came.headers)})
                    assert self.unpacked(adapter, stored) == items, "what is stored unpacks otherwise than what came"
                keys.append(reception.key)
            told = [key for key in keys if key]
            assert len(told) == len(set(told)), "different arrivals have the same key: one of them would be lost"

    @needs("receives")
    def test_receive_survives_anything(self) -> None:
        with self.opened() as adapter:
            for came in nasty_arrivals():
                self.received(adapter, came)

    @needs("receives|files")
    def test_unpack_survives_anything(self) -> None:
        """Records, problems, or RecordRefused for the whole; never another error."""
        with self.opened() as adapter:
            for came in nasty_arrivals():
                try:
                    self.unpacked(adapter, came)
                except RecordRefused as error:
                    assert_error(error, self.secrets)

    @needs("receives|files", "damaged")
    def test_neighbours_of_a_broken_part_go_on(self) -> None:
        with self.opened() as adapter:
            came, good = self.damaged()
            items = self.unpacked(adapter, came)
            assert sum(isinstance(item, Problem) for item in items) == 1, "the broken part is not reported once"
            assert sum(isinstance(item, Record) for item in items) == good, "good parts beside a broken one are lost"

    @needs("receives|files")
    def test_unpack_is_repeatable(self) -> None:
        """An arrival is unpacked again after a crash or by `sverka replay`: ids and contents stay."""
        with self.opened() as adapter, self.opened() as other:
            given = [
                *(self.arrivals() if self.declared.receives else []),
                *(self.files() if self.declared.files else []),
            ]
            assert given, "no sample arrivals or files"
            for came in given:
                once, twice = ([_content(item) for item in self.unpacked(one, came)] for one in (adapter, other))
                assert once == twice, f"unpacking {came.name} twice gives two results"

    @needs("receives|files")
    def test_what_the_hub_has_taken_is_counted_or_read(self) -> None:
        """Asked or not whether records are what they were, an adapter loses none: they are read, or counted as Unchanged."""
        given = [*(self.arrivals() if self.declared.receives else []), *(self.files() if self.declared.files else [])]
        for came in given:
            taken = _Taken()
            with self.opened() as adapter:
                adapter.context = replace(adapter.context, taken=taken)
                first = self.unpacked(adapter, came)
                taken.versions = {(r.kind, r.id): r.version for r in first if isinstance(r, Record) and r.version}
                again = self.unpacked(adapter, came)
            assert not any(isinstance(item, Unchanged) for item in first), (
                "what nobody has taken is said to be unchanged"
            )
            read, left = ([i for i in some if not isinstance(i, Unchanged)] for some in (first, again))
            counted = Counter({item.kind: item.number for item in again if isinstance(item, Unchanged)})
            assert len(left) + counted.total() == len(read), f"{came.name}: what is not read is not counted"
            assert all(_content(item) in map(_content, read) for item in left), f"{came.name} is read otherwise"


class _Taken:
    """What `Taken` promises, of what the test says."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], str] = {}

    def any(self, kind: str) -> bool:
        return True

    def unchanged(self, kind: str, versions: Mapping[str, str]) -> Set[str]:
        return {id for id, version in versions.items() if version and self.versions.get((kind, id)) == version}


def _content(item: Record | Problem | Hint | Unchanged) -> Any:
    """What is compared: two errors that say the same are the same."""
    if isinstance(item, Problem):
        return item.kind, item.id, type(item.error), item.error.code, item.error.text, item.raw
    return item


def _parts(came: Arrival) -> dict[str, Any]:
    return {name: getattr(came, name) for name in ("name", "method", "query", "remote", "at")}
