"""Contact events as JSON: one or many, good beside broken, late, repeated, and without ids."""

from __future__ import annotations

import json

import pytest

from adapters.base import Problem, Record, RecordRefused
from adapters.events import EventsAdapter
from adapters.testing import AdapterConformance, arrival, kit_context
from sync.lens import load
from sync.model.records import validate

CALL = {
    "type": "call",
    "id": "4711",
    "at": "2026-03-01T10:00:00+03:00",
    "direction": "in",
    "phone": "+7 999 000-00-00",
    "duration": 65,
    "deal": 1043,
    "author": "Тестов",
}


def make(**settings) -> EventsAdapter:
    return EventsAdapter(EventsAdapter.Settings(**settings), kit_context())


def post(document, **more):
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return arrival(body, "application/json", **more)


def unpack(document, **more):
    return list(make().unpack(post(document, **more)))


class TestEvents(AdapterConformance):
    adapter = EventsAdapter
    secrets = ("s3cret",)

    def make(self):
        return make(secret="s3cret")

    def arrivals(self):
        documents = [CALL, [CALL, {"type": "note", "text": "Ёж 🦔"}], {"type": "meeting", "inn": "7707083893"}]
        return [post(document, headers={"x-api-key": "s3cret"}) for document in documents]

    def damaged(self):
        return post([CALL, {"type": "fax", "id": "7"}, {"type": "note", "id": "8"}]), 2

    def broken(self):
        return [make(secret="")]


def test_a_call():
    (record,) = unpack(CALL)
    assert record == Record(
        "event",
        "4711",
        {
            "type": "call",
            "direction": "in",
            "at": "2026-03-01T07:00:00Z",
            "duration": 65,
            "phone": "+7 999 000-00-00",
            "deal": "1043",
            "author": "Тестов",
            "id": "4711",
        },
    )


def test_the_mapping_reads_a_call_into_an_activity():
    (record,) = unpack({**CALL, "text": "о заказе", "company": "ООО «Проба»"})
    read = load("events").lens("event").get(record.data)
    assert read.problems == []
    fields = validate("activity", read.fields)
    assert (fields["type"], fields["direction"], fields["duration"]) == ("call", "in", 65)
    assert (fields["key"], fields["deal"], fields["author"]) == ("4711", "1043", "Тестов")
    assert fields["at"].isoformat() == "2026-03-01T07:00:00+00:00"
    assert read.client == {"phone": "+7 999 000-00-00", "company": "ООО «Проба»"}


def test_one_object_and_a_list_of_it_are_the_same():
    assert unpack(CALL) == unpack([CALL])


def test_the_same_id_with_newer_contents_is_the_same_event_and_no_repeat():
    (first,), (second,) = unpack(CALL), unpack({**CALL, "duration": 70})
    assert first.id == second.id
    assert first.data != second.data
    assert make().receive(post(CALL)).key == ""  # the hub's hash of the body tells repeats: contents count


def test_without_an_id_the_contents_are_the_id():
    note = {"type": "note", "at": "2026-03-01T10:00:00Z", "text": "Перезвонить"}
    (first,), (second,) = unpack(note), unpack(dict(reversed(note.items())))
    (other,) = unpack({**note, "text": "Не звонить"})
    assert first.id == second.id != other.id


def test_an_event_without_a_time_happened_when_it_came():
    assert unpack({"type": "note"})[0].data["at"] == "2026-03-01T09:00:00Z"


def test_an_event_about_nobody_is_marked():
    assert unpack({"type": "note", "text": "?"})[0].data["contactless"] is True
    assert "contactless" not in unpack({"type": "note", "deal": "1043"})[0].data


def test_unknown_keys_are_kept():
    (record,) = unpack({**CALL, "record_url": "https://pbx.example/1.mp3", "mos": 4.5, "tags": ["a\u0000"]})
    assert record.data["extra"]["record_url"] == "https://pbx.example/1.mp3"
    assert str(record.data["extra"]["mos"]) == "4.5"
    assert record.data["extra"]["tags"] == ["a"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "fax"}, "type"),
        ({"type": None}, "type"),
        ({"type": ["call"]}, "type"),
        ({"direction": "sideways"}, "direction"),
        ({"direction": {"in": 1}}, "direction"),
        ({"at": "2026-03-01T10:00:00"}, "at"),
        ({"at": "вчера"}, "at"),
        ({"at": 1772352000}, "at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
        ({"duration": -1}, "duration"),
        ({"duration": 1.5}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": "1e9"}, "duration"),
        ({"phone": ["1", "2"]}, "phone"),
        ({"text": True}, "text"),
    ],
)
def test_a_broken_event_names_its_field_and_its_neighbours_go_on(change, field):
    before, broken, after = unpack([{**CALL, "id": "1"}, {**CALL, "id": "2", **change}, {**CALL, "id": "3"}])
    assert (before.id, after.id) == ("1", "3")
    assert isinstance(broken, Problem)
    assert (broken.id, broken.error.field, broken.error.code) == ("2", field, "events.field")
    assert f"`{field}`" in broken.error.text.ru
    assert json.loads(broken.raw)["author"] == "Тестов"


def test_elements_that_are_no_objects_have_ids_of_their_own():
    problems = unpack([None, None, [], "x", 5])
    assert all(isinstance(problem, Problem) for problem in problems)
    assert len({problem.id for problem in problems}) == 5


def test_contact_data_are_not_repeated_in_errors():
    (problem,) = unpack({**CALL, "phone": {"number": "+79991234567"}})
    assert "9991234567" not in problem.error.text.en + problem.error.text.ru


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"5",
        b'"call"',
        b'{"type": NaN}',
        b"\xff",
        b"type=call",
        b"[" * 99999,
        b"<html>",
    ],
)
def test_what_is_no_event_is_labelled_and_refused(body):
    reception = make().receive(post(body))
    assert (reception.label, reception.reply.status) == ("broken", 200)
    with pytest.raises(RecordRefused) as refused:
        unpack(body)
    assert refused.value.text == reception.reason


def test_too_much_at_once():
    assert make().receive(post(b" " * (1 << 20) + b"{}")).label == "oversized"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"headers": {"x-api-key": "s3cret"}}, ""),
        ({"headers": {"authorization": "bearer s3cret"}}, ""),
        ({"query": {"key": "s3cret"}}, ""),
        ({"query": {"key": "old"}}, ""),
        ({"query": {"key": "s3cre"}}, "unsigned"),
        ({}, "unsigned"),
    ],
)
def test_the_secret(more, expected):
    adapter = make(secret="s3cret", previous_secret="old")
    assert adapter.receive(post(CALL, **more)).label == expected


def test_a_ping_is_no_event():
    assert make(secret="s3cret").receive(post(b"", method="GET")).label == "ping"
    assert unpack(b"", method="HEAD") == []
