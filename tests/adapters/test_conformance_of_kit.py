"""The kit is judged by adapters that are wrong on purpose: each fails the test that is there to catch it."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters import testing as kit
from adapters.base import (
    Adapter,
    BadConfig,
    Capabilities,
    Finding,
    Page,
    PreconditionFailed,
    RecordRefused,
    SverkaError,
    Text,
)
from adapters.events import EventsAdapter
from adapters.memory import MemoryAdapter, world
from adapters.testing import (
    AdapterConformance,
    arrival,
    assert_error,
    assert_json_like,
    assert_text,
    holds,
    stable_hash,
)
from adapters.testing.hooks import Hooks
from tests.adapters import test_events as events
from tests.adapters import test_memory as memory


def failures(suite: type[AdapterConformance]) -> dict[str, str]:
    """The tests of a suite that fail, each with its message."""
    failed = {}
    for name in dir(suite):
        test = getattr(suite, name)
        if name.startswith("test_") and test is not None:
            case = suite()
            if hasattr(case, "setup_method"):
                case.setup_method()
            try:
                test(case)
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
            finally:
                if hasattr(case, "teardown_method"):
                    case.teardown_method()
    return failed


def judge(kind: type[Adapter], base: type[AdapterConformance]) -> dict[str, str]:
    return failures(type("Suite", (base,), {"adapter": kind}))


class Events(events.TestEvents):
    __test__ = False

    def make(self):
        return self.adapter(EventsAdapter.Settings(secret="s3cret"), events.kit_context())

    def broken(self):
        return [self.adapter(EventsAdapter.Settings(secret=""), events.kit_context())]


# -- systems that are read and written ---------------------------------------------------------------------------------


class NoEndMark(MemoryAdapter):
    def scan(self, kind, cursor):
        for page in super().scan(kind, cursor):
            yield replace(page, last=False, complete=False)


class CursorAhead(MemoryAdapter):
    """The cursor of every page already stands behind the next one."""

    def scan(self, kind, cursor):
        pages = list(super().scan(kind, cursor))
        for page, later in zip(pages, [*pages[1:], pages[-1]], strict=True):
            yield replace(page, cursor=later.cursor)


class CursorInMemory(MemoryAdapter):
    """Resuming needs the instance that began."""

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.last_cursor = {"seen": 10**9}

    def scan(self, kind, cursor):
        for page in super().scan(kind, self.last_cursor if cursor else None):
            self.last_cursor = page.cursor
            yield replace(page, cursor={"resume": 1})


class FirstPageOnly(MemoryAdapter):
    def scan(self, kind, cursor):
        yield replace(next(super().scan(kind, cursor)), last=True, complete=True)


class AlwaysComplete(MemoryAdapter):
    def scan(self, kind, cursor):
        for page in super().scan(kind, cursor):
            yield replace(page, complete=page.last)


class Restless(MemoryAdapter):
    """Every reading differs: a request's number got into the record."""

    serial = 0

    def scan(self, kind, cursor):
        for page in super().scan(kind, None):
            type(self).serial += 1
            records = [replace(r, data={**r.data, "request": self.serial}) for r in page.records]
            yield replace(page, records=records)


class Blind(MemoryAdapter):
    """The second scan never finds anything."""

    def scan(self, kind, cursor):
        if cursor and cursor.get("end"):
            yield Page([], cursor, last=True)
            return
        for page in super().scan(kind, cursor):
            yield replace(page, cursor={**page.cursor, "end": page.last})


class ForgetsDeletions(MemoryAdapter):
    def scan(self, kind, cursor):
        for page in super().scan(kind, cursor):
            yield replace(page, records=[r for r in page.records if not r.deleted], complete=False)


class Floats(MemoryAdapter):
    def _page(self, kind, seen):
        records, last = super()._page(kind, seen)
        return [replace(r, data={**r.data, "amount": 0.1}) for r in records], last


class IntegerIds(MemoryAdapter):
    def _page(self, kind, seen):
        records, last = super()._page(kind, seen)
        return [replace(r, id=int(r.id)) for r in records], last


class ListsLess(MemoryAdapter):
    """A list call gives fewer fields than a call for one record."""

    def scan(self, kind, cursor):
        for page in super().scan(kind, cursor):
            yield replace(page, records=[replace(r, data={"id": r.id}) for r in page.records])


class RaisesOnUnknown(MemoryAdapter):
    def read(self, kind, id):
        if (record := super().read(kind, id)) is None:
            raise RecordRefused(Text("not found", "не найдено"), code="memory.absent")
        return record


class Unlimited(MemoryAdapter):
    def _call(self, call, kind, id, execute):
        with self.world.lock:
            return self.world.plan.run(call, kind, id, execute)


class OverwritesAll(MemoryAdapter):
    """Sends the whole record, fields that were not given emptied."""

    def _write(self, change):
        if change.id is not None and change.before is not None:
            change = replace(change, data={**dict.fromkeys(change.before.data), "id": change.id, **change.data})
        return super()._write(change)


class DropsFields(MemoryAdapter):
    def _write(self, change):
        return super()._write(replace(change, data={k: v for k, v in change.data.items() if not isinstance(v, list)}))


class OverwritesStale(MemoryAdapter):
    def _write(self, change):
        return super()._write(replace(change, before=None))


class WritesThenComplains(MemoryAdapter):
    def _write(self, change):
        try:
            return super()._write(change)
        except PreconditionFailed:
            super()._write(replace(change, before=None))
            raise


class LostIsRetried(MemoryAdapter):
    """The classic: no answer to a create, so once more."""

    def write(self, change):
        try:
            return super().write(change)
        except SverkaError:
            return super().write(change)


class IgnoresDeletes(MemoryAdapter):
    """Takes a delete for an update of nothing."""

    def _write(self, change):
        done = super()._write(replace(change, delete=False))
        return replace(done, deleted=True) if change.delete else done


class DeletesInSilence(MemoryAdapter):
    """Does it, and answers with the record as it stood before."""

    def _write(self, change):
        return replace(super()._write(change), deleted=False)


class DeletesOnce(MemoryAdapter):
    """What is gone is an error to it."""

    def _write(self, change):
        if change.delete and self.world.rows(change.kind)[change.id]["deleted"]:
            raise RecordRefused(Text("not found", "не найдено"), code="memory.absent")
        return super()._write(change)


class DeletesTheLot(MemoryAdapter):
    def _write(self, change):
        done = super()._write(change)
        for id in [*self.world.rows(change.kind)] if change.delete else ():
            self.world.delete(change.kind, id)
        return done


class GathersTheLot(MemoryAdapter):
    """Brings home whatever lies on the other card."""

    def gather(self, move):
        lot = {
            item: [at] for places in move.items.values() for at in places for item in self.world.lying(move.kind, at)
        }
        return super().gather(replace(move, items={**move.items, **lot}))


class GathersOnce(MemoryAdapter):
    """Does not know its own work again."""

    def gather(self, move):
        there = self.world.lying(move.kind, move.to)
        return [item for item in super().gather(move) if item not in there]


class ForgetsKey(MemoryAdapter):
    def find(self, kind, key):
        self.context.limiter.wait()
        return None


class FindsAnything(MemoryAdapter):
    def find(self, kind, key):
        found = super().find(kind, key)
        return found or next((r for page in self.scan(kind, None) for r in page.records), None)


class LeaksLibraryErrors(MemoryAdapter):
    def _call(self, call, kind, id, execute):
        try:
            return super()._call(call, kind, id, execute)
        except SverkaError as error:
            raise TimeoutError("timed out") from error


class SpeaksEnglishOnly(MemoryAdapter):
    def _call(self, call, kind, id, execute):
        try:
            return super()._call(call, kind, id, execute)
        except SverkaError as error:
            error.text = Text(error.text.en, error.text.en)
            raise


class CheckWithoutSetting(MemoryAdapter):
    def check(self):
        for finding in super().check():
            yield replace(finding, setting="")


class CheckAlwaysGreen(MemoryAdapter):
    def check(self):
        yield Finding("filter", True, Text("fine", "хорошо"))


class CheckRaises(MemoryAdapter):
    def check(self):
        raise BadConfig(Text("no", "нет"), code="memory.no")


class PromisesTooMuch(MemoryAdapter):
    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.capabilities = replace(self.capabilities, collects=True)


class UndeclaredMethod(MemoryAdapter):
    def collect(self):
        return iter(())


class Nameless(MemoryAdapter):
    title = Text("Memory", "")
    role = "erp"


MEMORY = [
    (NoEndMark, "test_scan_covers_everything_and_ends", "not marked `last`"),
    (CursorAhead, "test_scan_resumes_at_every_page", "lost after page 0"),
    (CursorInMemory, "test_scan_resumes_at_every_page", "lost after page"),
    (FirstPageOnly, "test_scan_covers_everything_and_ends", "the scan missed"),
    (AlwaysComplete, "test_second_scan_gives_nothing_new", "calls itself complete"),
    (Restless, "test_second_scan_gives_nothing_new", "nothing moved"),
    (Blind, "test_scan_sees_an_edit", "does not show it"),
    (ForgetsDeletions, "test_scan_shows_a_deletion", "stays unseen"),
    (Floats, "test_scan_covers_everything_and_ends", "amount is float"),
    (IntegerIds, "test_scan_covers_everything_and_ends", ""),
    (ListsLess, "test_read_equals_scan", "reads otherwise"),
    (RaisesOnUnknown, "test_unknown_record_reads_as_none", "not found"),
    (Unlimited, "test_asks_the_limiter", "context.limiter"),
    (OverwritesAll, "test_update_sets_only_the_given_fields", "also changed"),
    (DropsFields, "test_update_sets_only_the_given_fields", "does not hold"),
    (OverwritesStale, "test_stale_update_is_refused", "PreconditionFailed was not raised"),
    (WritesThenComplains, "test_stale_update_is_refused", "changed the record"),
    (LostIsRetried, "test_lost_create_is_unknown", "OutcomeUnknown was not raised"),
    (LostIsRetried, "test_lost_update_is_unknown", "PreconditionFailed was raised instead"),
    (OverwritesStale, "test_stale_delete_is_refused", "PreconditionFailed was not raised"),
    (WritesThenComplains, "test_stale_delete_is_refused", "changed the record"),
    (LostIsRetried, "test_lost_delete_is_unknown", "OutcomeUnknown was not raised"),
    (GathersTheLot, "test_activities_lie_on_the_other_card_and_come_back", "did not come back"),
    (GathersOnce, "test_gather_is_safe_to_repeat", "gives other ids"),
    (GathersOnce, "test_lost_gather_is_unknown_and_done_by_a_repeat", "does not say"),
    (IgnoresDeletes, "test_delete_removes_the_record", "read as a live one"),
    (DeletesInSilence, "test_delete_removes_the_record", "does not say that the record is deleted"),
    (DeletesOnce, "test_delete_of_what_is_gone_is_done", "not found"),
    (DeletesTheLot, "test_delete_removes_the_record", "changed another record"),
    (ForgetsKey, "test_lost_create_is_unknown", "not found by its key"),
    (FindsAnything, "test_unknown_key_finds_nothing", "finds something"),
    (LeaksLibraryErrors, "test_busy_scan_is_retried", "TimeoutError"),
    (SpeaksEnglishOnly, "test_busy_update_changes_nothing", "no Russian text"),
    (CheckWithoutSetting, "test_check_names_the_setting", "no setting is named"),
    (CheckAlwaysGreen, "test_check_names_the_setting", "finds nothing wrong"),
    (CheckRaises, "test_check_reports", "BadConfig"),
    (PromisesTooMuch, "test_capabilities_match_methods", "declares"),
    (UndeclaredMethod, "test_capabilities_match_methods", "no capability declares it"),
    (Nameless, "test_names_itself", "no Russian title"),
]


@pytest.mark.parametrize(("wrong", "test", "message"), MEMORY, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_system_is_caught(wrong, test, message):
    failed = judge(wrong, memory.MemoryConformance)
    assert test in failed, failed
    assert message in failed[test]


def test_right_adapters_pass_every_test():
    assert judge(MemoryAdapter, memory.MemoryConformance) == {}
    assert judge(EventsAdapter, Events) == {}


# -- the choice of tests and the tools ---------------------------------------------------------------------------------


def test_tests_follow_from_capabilities_and_hooks():
    class Receiver(AdapterConformance):
        adapter = EventsAdapter

    assert Receiver.test_scan_covers_everything_and_ends is None
    assert Receiver.test_receive_survives_anything is not None
    assert Receiver.test_neighbours_of_a_broken_part_go_on is None  # the hook is not supplied
    assert events.TestEvents.test_neighbours_of_a_broken_part_go_on is not None

    class Files(AdapterConformance):
        adapter = EventsAdapter
        declared = Capabilities(files=True)

    assert Files.test_receive_survives_anything is None
    assert Files.test_unpack_is_repeatable is not None


def test_a_derived_suite_chooses_its_tests_anew():
    class Without(AdapterConformance):
        adapter = EventsAdapter

    class With(Without):
        adapter = MemoryAdapter

        def delete(self, kind, id):
            world("kit").delete(kind, id)

    assert Without.test_scan_shows_a_deletion is None
    assert With.test_scan_shows_a_deletion is AdapterConformance.test_scan_shows_a_deletion
    assert With.test_receive_survives_anything is None


def test_a_test_cannot_be_skipped_by_name():
    class Sly(AdapterConformance):
        adapter = MemoryAdapter
        test_read_equals_scan = None

    assert Sly.test_read_equals_scan is AdapterConformance.test_read_equals_scan


def test_a_hook_that_is_not_supplied_fails_and_is_not_passed_over():
    class Lazy(AdapterConformance):
        adapter = MemoryAdapter

    failed = failures(Lazy)
    assert "test_scan_covers_everything_and_ends" in failed
    assert "NotImplementedError" in failed["test_lost_create_is_unknown"]


@pytest.mark.parametrize(
    "value",
    [1.5, datetime(2026, 1, 1, tzinfo=UTC), b"x", (1,), {1: 2}, {"a": [{"b": {1}}]}, "a\x00", "\ud800", Decimal("NaN")],
)
def test_what_is_not_json_like(value):
    with pytest.raises(AssertionError, match="data"):
        assert_json_like(value)


def test_what_is_json_like():
    assert_json_like({"a": [1, True, None, "Ёж 🦔", Decimal("1.10"), {"б": []}]})


def test_given_values_are_found_in_what_stands_there():
    assert holds({"a": {"b": Decimal("1.50")}}, {"a": {"b": "1.5", "c": 1}, "d": 2})
    assert holds({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]})
    assert not holds({"a": [1]}, {"a": [1, 2]})
    assert not holds({"a": None}, {"a": "x"})


def test_the_order_of_keys_does_not_change_a_hash():
    one = world("hash").put("deal", {"a": "1", "b": "2"})
    record = world("hash").record("deal", one)
    assert stable_hash(record) == stable_hash(replace(record, data=dict(reversed(record.data.items()))))
    assert stable_hash(record) != stable_hash(replace(record, version="7"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (Text("bad", "bad"), "a.b"),
        (Text("", "плохо"), "a.b"),
        (Text("bad", "плохо"), "bad"),
        (Text("bad", "плохо"), ""),
    ],
)
def test_errors_without_a_language_or_a_cause(text, code):
    with pytest.raises(AssertionError):
        assert_error(RecordRefused(text, code=code))
    with pytest.raises(AssertionError):
        assert_text(None, "x")


def test_an_arrival_can_be_opened_again():
    came = arrival(b"abc")
    assert (came.read(), came.read(), came.size) == (b"abc", b"abc", 3)


def test_what_the_guide_says_of_the_suite_is_so():
    guide = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    def (\w+)\(([^)]*)\): \.\.\.", guide, re.MULTILINE)
    assert [name for name, _ in shown] == ["make", "seed"]
    for name, taken in shown:
        assert ", ".join(inspect.signature(getattr(Hooks, name)).parameters) == taken, name
    for line in re.findall(r"^from adapters\.testing import (.+)$", guide, re.MULTILINE):
        assert set(line.split(", ")) <= set(kit.__all__)
