"""The suite against adapters that receive, each with one fault: exactly the test that is meant to catch it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.base import (
    Problem,
    Reception,
    Record,
    RecordRefused,
    Text,
    Unchanged,
)
from adapters.events import EventsAdapter
from tests.adapters.test_conformance_of_kit import Events, judge


class RaisesOnBytes(EventsAdapter):
    def receive(self, came):
        came.read().decode("utf-8")
        return super().receive(came)


class Remembers(EventsAdapter):
    """The second identical arrival is answered otherwise."""

    seen = 0

    def receive(self, came):
        self.seen += 1
        return replace(super().receive(came), key=str(self.seen))


class CallsOut(EventsAdapter):
    def receive(self, came):
        self.context.limiter.wait()
        return super().receive(came)


class LabelsWithoutReason(EventsAdapter):
    def receive(self, came):
        return replace(super().receive(came), reason=None)


class InventsLabels(EventsAdapter):
    def receive(self, came):
        return Reception(label="suspicious")


class OneKeyForAll(EventsAdapter):
    def receive(self, came):
        return replace(super().receive(came), key="lead")


class StoresSomethingElse(EventsAdapter):
    def receive(self, came):
        return replace(super().receive(came), stored=b'{"type": "note"}')


class StopsAtBroken(EventsAdapter):
    def unpack(self, came):
        for item in super().unpack(came):
            if isinstance(item, Problem):
                raise item.error
            yield item


class DropsBroken(EventsAdapter):
    def unpack(self, came):
        return (item for item in super().unpack(came) if not isinstance(item, Problem))


class UnpacksToNothing(EventsAdapter):
    def unpack(self, came):
        return iter(())


class Crashes(EventsAdapter):
    def unpack(self, came):
        came.read().decode("utf-8")
        return super().unpack(came)


class TellsSecrets(EventsAdapter):
    def unpack(self, came):
        for item in super().unpack(came):
            if isinstance(item, Problem):
                text = Text("bad, key s3cret", "плохо, ключ s3cret")
                item = replace(item, error=RecordRefused(text, code="events.bad"))
            yield item


class ClockInside(EventsAdapter):
    def unpack(self, came):
        for item in super().unpack(came):
            yield replace(item, id=f"{item.id}-{datetime.now(UTC).isoformat()}")


class SkipsWithoutCounting(EventsAdapter):
    def unpack(self, came):
        taken = self.context.taken
        for item in super().unpack(came):
            if not isinstance(item, Record):
                yield item
            elif taken is None or not taken.unchanged(item.kind, {item.id: "1"}):
                yield replace(item, version="1")


class CountsUnasked(EventsAdapter):
    def unpack(self, came):
        yield from super().unpack(came)
        yield Unchanged("event", 1)


EVENTS = [
    (SkipsWithoutCounting, "test_what_the_hub_has_taken_is_counted_or_read", "not counted"),
    (CountsUnasked, "test_good_arrivals_are_accepted", "nothing was said to be known"),
    (RaisesOnBytes, "test_receive_survives_anything", "UnicodeDecodeError"),
    (Remembers, "test_receive_survives_anything", "otherwise the second time"),
    (CallsOut, "test_receive_survives_anything", "must be quick"),
    (LabelsWithoutReason, "test_receive_survives_anything", "no text"),
    (InventsLabels, "test_receive_survives_anything", "is unknown"),
    (OneKeyForAll, "test_good_arrivals_are_accepted", "same key"),
    (StoresSomethingElse, "test_good_arrivals_are_accepted", "unpacks otherwise"),
    (UnpacksToNothing, "test_good_arrivals_are_accepted", "holds nothing"),
    (StopsAtBroken, "test_neighbours_of_a_broken_part_go_on", "cannot be used"),
    (DropsBroken, "test_neighbours_of_a_broken_part_go_on", "not reported once"),
    (Crashes, "test_unpack_survives_anything", "UnicodeDecodeError"),
    (TellsSecrets, "test_neighbours_of_a_broken_part_go_on", "a secret stands"),
    (ClockInside, "test_unpack_is_repeatable", "two results"),
]


@pytest.mark.parametrize(("wrong", "test", "message"), EVENTS, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_receiver_is_caught(wrong, test, message):
    failed = judge(wrong, Events)
    assert test in failed, failed
    assert message in failed[test]
