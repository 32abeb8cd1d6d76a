"""The reference adapter passes the suite, with and without a correlation key; its world's faults and change feed."""

from __future__ import annotations

import copy
import json
from decimal import Decimal

import pytest

from adapters.base import Capabilities, Change, OutcomeUnknown, PreconditionFailed, RecordRefused, RetryLater
from adapters.memory import KINDS, WORLDS, MemoryAdapter, MemorySettings, MemoryWorld, world
from adapters.testing import AdapterConformance, FaultPlan, FaultyAdapter, Killed, kit_context
from sync.lens import check_laws, load
from sync.model.records import validate

FIELDS = {
    "company": {"name": "ООО «Проба»", "inn": "7707083893", "phones": ["+79990000001"]},
    "contact": {"name": "Иван Тестов 🦔", "phones": ["+79990000002"], "emails": ["ivan@example.ru"]},
    "deal": {"title": "Заказ 1043", "stage": "new", "amount": "1234567890123.45", "number": "1043"},
    "lead": {"title": "Заявка", "status": "new"},
    "product": {"name": "Болт М8", "sku": "B-8", "price": "12.500000", "stock": "3.000"},
}


class MemoryConformance(AdapterConformance):
    adapter = MemoryAdapter
    settings = MemorySettings(world="kit", page_size=2)
    serial = 0

    def setup_method(self) -> None:
        WORLDS.pop("kit", None)

    def make(self):
        return self.adapter(self.settings, kit_context())

    def seed(self, kind, count):
        return [world("kit").put(kind, {**self.fields(kind), "comment": f"посев {n}"}) for n in range(count)]

    def edit(self, kind, id):
        type(self).serial += 1
        world("kit").put(kind, {"comment": f"правка {self.serial}"}, id)

    def delete(self, kind, id):
        world("kit").delete(kind, id)

    def lay(self, kind, id, count):
        items = [f"a{number}" for number in range(self.serial, self.serial + count)]
        type(self).serial += count
        world("kit").lay(kind, id, *items)
        return items

    def fields(self, kind):
        return dict(FIELDS[kind])

    def changed(self, kind):
        return {"comment": "исправлено", "tags": ["опт", "VIP"]}

    def lose_next_answer(self):
        world("kit").plan.faults += [{"call": call, "mode": "lost"} for call in ("write", "gather")]

    def fail_next_call(self):
        world("kit").plan.faults += [{"call": call, "mode": "error"} for call in ("scan", "write", "gather")]

    def broken(self):
        return [self.adapter(MemorySettings(world="kit", kinds=["deal", "dael"]), kit_context())]


class TestMemory(MemoryConformance):
    pass


class TestMemoryWithoutKey(MemoryConformance):
    """A system that can neither hold our key nor refuse a stale write."""

    settings = MemorySettings(world="kit", page_size=3, kinds=["deal", "contact"], holds_key=False, conditional=False)
    kinds = frozenset({"deal", "contact"})
    declared = Capabilities(
        scans=kinds,
        completes=kinds,
        reads=kinds,
        updates=kinds,
        creates=kinds,
        deletes=kinds,
        gathers=frozenset({"contact"}),
    )


class TestMemoryBehindFaults(MemoryConformance):
    """The wrapper hides nothing: with an empty plan it passes what the adapter passes."""

    def make(self):
        return FaultyAdapter(super().make(), FaultPlan())

    def test_capabilities_match_methods(self) -> None:
        assert self.make().capabilities == MemoryAdapter.capabilities
        assert self.make().title is MemoryAdapter.title


@pytest.mark.parametrize("kind", KINDS)
def test_the_mapping_is_two_way_over_what_the_adapter_gives(kind):
    WORLDS.pop("mapped", None)
    lens = load("memory").lens(kind)
    adapter = MemoryAdapter(MemorySettings(world="mapped"), kit_context())
    made = adapter.write(Change(kind, None, {**FIELDS[kind], "comment": "да"}, None, "k"))
    read = lens.get(made.data)
    assert read.problems == []
    assert read.fields.keys() >= lens.two_way & FIELDS[kind].keys()
    assert check_laws(lens, made.data) == []
    again = adapter.write(Change(kind, None, lens.create(validate(kind, read.fields)), None, "k2"))
    assert lens.get(again.data).fields == read.fields


@pytest.fixture
def memory():
    WORLDS.pop("alone", None)
    yield MemoryAdapter(MemorySettings(world="alone", page_size=2), kit_context())
    WORLDS.pop("alone", None)


def test_two_adapters_and_a_test_share_a_world_by_name(memory):
    id = world("alone").put("deal", {"title": "Сделка"})
    other = MemoryAdapter(MemorySettings(world="alone"), kit_context())
    assert memory.read("deal", id) == other.read("deal", id)
    assert world("alone") is memory.world is not world("another")


def test_state_is_plain_json_that_can_be_put_back(memory):
    id = memory.write(Change("product", None, {"price": Decimal("10.10"), "tags": ["а"]}, None, "k1")).id
    saved = json.loads(json.dumps(memory.world.state))
    memory.world.put("product", {"price": "11"}, id)
    memory.world.state = copy.deepcopy(saved)
    assert memory.read("product", id).data == {"id": id, "price": "10.10", "tags": ["а"]}


def test_a_record_given_out_is_a_copy(memory):
    id = memory.world.put("contact", {"phones": ["1"]})
    memory.read("contact", id).data["phones"].append("2")
    assert memory.read("contact", id).data["phones"] == ["1"]


def test_a_value_that_json_does_not_know_is_refused(memory):
    with pytest.raises(TypeError, match="set is no native value"):
        memory.world.put("deal", {"tags": {"a"}})


def test_an_edit_during_a_scan_is_seen_at_its_end(memory):
    first, *_ = [memory.world.put("deal", {"n": str(n)}) for n in range(4)]
    pages = memory.scan("deal", None)
    seen = [(record.id, record.data["n"]) for record in next(pages).records]
    memory.world.put("deal", {"n": "edited"}, first)
    for page in pages:
        seen += [(record.id, record.data["n"]) for record in page.records]
    assert seen[-1] == (first, "edited")
    assert len({id for id, _ in seen}) == 4


def test_a_purged_record_leaves_no_tombstone_and_reads_as_none(memory):
    kept, gone = memory.world.put("deal", {}), memory.world.put("deal", {})
    memory.world.delete("deal", gone, purge=True)
    (page,) = memory.scan("deal", None)
    assert [record.id for record in page.records] == [kept]
    assert page.complete
    assert memory.read("deal", gone) is None


def test_a_resumed_scan_does_not_claim_to_be_complete(memory):
    for _ in range(3):
        memory.world.put("deal", {})
    first = next(memory.scan("deal", None))
    assert [page.complete for page in memory.scan("deal", first.cursor)] == [False]


def test_an_update_of_a_deleted_record_is_refused_and_does_not_revive_it(memory):
    id = memory.world.put("deal", {"title": "а"})
    before = memory.read("deal", id)
    memory.world.delete("deal", id)
    with pytest.raises(PreconditionFailed):
        memory.write(Change("deal", id, {"title": "б"}, before, "k"))
    with pytest.raises(RecordRefused, match="is gone"):
        memory.write(Change("deal", id, {"title": "б"}, None, "k"))
    assert memory.read("deal", id).deleted


def test_unknown_kind_in_settings_is_named_by_check():
    adapter = MemoryAdapter(MemorySettings(kinds=["dael"]), kit_context())
    (finding,) = adapter.check()
    assert (finding.ok, finding.setting) == (False, "kinds")
    assert "dael" in finding.text.ru
    assert all(kind in finding.remedy.en for kind in KINDS)


@pytest.mark.parametrize(
    ("mode", "error", "executed"),
    [
        ("error", RetryLater, False),
        ("refuse", RecordRefused, False),
        ("lost", OutcomeUnknown, True),
        ("kill-before", Killed, False),
        ("kill-after", Killed, True),
    ],
)
def test_faults_before_and_after_execution(memory, mode, error, executed):
    memory.world.plan.faults.append({"call": "write", "kind": "deal", "nth": 2, "mode": mode})
    memory.write(Change("deal", None, {"n": "1"}, None, "k1"))
    memory.write(Change("lead", None, {"n": "1"}, None, "k1"))  # another kind is not counted
    with pytest.raises(error):
        memory.write(Change("deal", None, {"n": "2"}, None, "k2"))
    assert (memory.find("deal", "k2") is not None) is executed
    memory.write(Change("deal", None, {"n": "3"}, None, "k3"))  # once is once
    assert [call["call"] for call in memory.world.plan.log] == ["write", "write", "write", "find", "write"]


def test_a_lost_answer_of_a_read_is_only_repeated(memory):
    id = memory.world.put("deal", {})
    memory.world.plan.faults.append({"call": "read", "mode": "lost", "times": 2})
    for _ in range(2):
        with pytest.raises(RetryLater):
            memory.read("deal", id)
    assert memory.read("deal", id).id == id


def test_faults_around_any_adapter_count_pages_of_a_scan(memory):
    for _ in range(5):
        memory.world.put("deal", {})
    faulty = FaultyAdapter(memory, FaultPlan([{"call": "scan", "nth": 2, "mode": "error"}]))
    pages = faulty.scan("deal", None)
    first = next(pages)
    with pytest.raises(RetryLater):
        next(pages)
    rest = [record.id for page in faulty.scan("deal", first.cursor) for record in page.records]
    assert len({record.id for record in first.records} | set(rest)) == 5


def test_no_except_exception_catches_a_death():
    assert not issubclass(Killed, Exception)


def test_versions_come_from_one_counter():
    made = MemoryWorld()
    deal, lead = made.put("deal", {}), made.put("lead", {})
    made.put("deal", {"a": "1"}, deal)
    assert (made.record("deal", deal).version, made.record("lead", lead).version) == ("3", "2")
