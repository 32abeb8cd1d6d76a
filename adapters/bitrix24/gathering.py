"""Activities of one card put on another one, and back: crm.activity.binding.*, with a comment in the emptied card's timeline.

Source: crm.activity.list (filter BINDINGS), crm.activity.binding.list and .move, crm.timeline.comment.* of the vendor's REST
documentation. An activity may be bound to several records (a call to its contact and its deal): only the binding to the card
is moved, and where it is bound to both cards already nothing is. crm.entity.mergeBatch is not used: it deletes the absorbed
card, which nothing brings back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from adapters.base import (
    BadConfig,
    Move,
    Native,
    OutcomeUnknown,
    PreconditionFailed,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)
from adapters.bitrix24.client import BitrixClient, Command, number

TYPES = {"contact": 3, "company": 4}
MARKS = ("Sverka: ", "Сверка: ")  # how a note of ours begins
Bindings = Mapping[str, frozenset[str]]  # activity → cards of the kind


@contextmanager
def _of_these() -> Iterator[None]:
    """A portal that does not know these methods, a user who may not edit these cards and a card that is gone are a matter of
    these cards: writes of everything else go on."""
    try:
        yield
    except BadConfig as error:
        if error.code not in ("bitrix.method", "bitrix.rights"):
            raise
        raise RecordRefused(error.text, code=error.code, remedy=error.remedy) from None
    except PreconditionFailed as error:
        raise RecordRefused(error.text, code=error.code, remedy=error.remedy) from None


class Gatherer:
    def __init__(self, client: BitrixClient, language: str) -> None:
        self._client, self._language = client, language

    def lying(self, kind: str, id: str) -> list[str]:
        with _of_these():
            return self._lying(kind, id)

    def gather(self, move: Move) -> list[str]:
        """RetryLater only before anything was moved; afterwards it is not known how far it came."""
        with _of_these():
            return self._gather(move)

    def _lying(self, kind: str, id: str) -> list[str]:
        found: list[str] = []
        wanted = {"BINDINGS": [{"OWNER_TYPE_ID": TYPES[kind], "OWNER_ID": id}]}
        start: int | None = 0
        while start is not None:
            params: Native = {"filter": wanted, "select": ["ID"], "order": {"ID": "ASC"}, "start": start}
            answer = self._client.call("crm.activity.list", params)
            found += [str(row["ID"]) for row in self._client.rows(answer.result)]
            start = answer.next
        return list(dict.fromkeys(found))

    def _gather(self, move: Move) -> list[str]:
        before = self._bound(move.kind, move.items)
        todo = {}
        for item, places in move.items.items():
            at = next((card for card in places if card != move.to and card in before[item]), None)
            if at is not None and move.to not in before[item]:
                todo[item] = at
        errors = self._put(move, todo)
        try:
            after = self._bound(move.kind, move.items) if todo else before
            moved = [item for item in move.items if self._only_there(move, before[item], after[item])]
            stuck = [error for item, error in errors.items() if item not in moved]
            if any(isinstance(error, RetryLater | OutcomeUnknown) for error in stuck):
                raise stuck[0]
            if stuck and not moved:
                raise stuck[0]
            self._note(move)
        except RetryLater as error:
            raise OutcomeUnknown(error.text, code=error.code) from None
        return moved

    @staticmethod
    def _only_there(move: Move, before: frozenset[str], after: frozenset[str]) -> bool:
        """On the card now, and not on another one that it might have come from: what people bound to both is theirs."""
        return move.to in after and not (move.to in before and before & {move.home} - {move.to})

    def _put(self, move: Move, todo: Mapping[str, str]) -> dict[str, SverkaError]:
        kind = TYPES[move.kind]
        commands: dict[str, Command] = {}
        for item, at in todo.items():
            ends = {
                "sourceEntityTypeId": kind,
                "sourceEntityId": at,
                "targetEntityTypeId": kind,
                "targetEntityId": move.to,
            }
            commands[f"a{item}"] = ("crm.activity.binding.move", {"activityId": item, **ends})
        done = self._client.batch(commands, write=True)
        return {key[1:]: error for key, error in done.errors.items()}

    def _bound(self, kind: str, items: Iterable[str]) -> Bindings:
        """The cards of the kind on which each activity lies; none for one that has been deleted."""
        commands: dict[str, Command] = {f"a{i}": ("crm.activity.binding.list", {"activityId": i}) for i in items}
        done = self._client.batch(commands)
        for error in done.errors.values():
            if not isinstance(error, PreconditionFailed):
                raise error
        found = {}
        for key in commands:
            result = done.results.get(key, [])
            if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
                raise self._client.odd("bitrix.shape", "bindings were wanted", "ожидались привязки дела")
            mine = [one for one in result if number(one.get("entityTypeId")) == TYPES[kind]]
            found[key[1:]] = frozenset(str(one.get("entityId")) for one in mine)
        return found

    # the note ------------------------------------------------------------------------------------------------------

    def _note(self, move: Move) -> None:
        """One comment of ours on the home card while its activities lie elsewhere, none otherwise."""
        wanted = self._text(move.kind, move.to, move.note) if move.note is not None else None
        there = False
        for id, text in self._notes(move.kind, move.home):
            if text == wanted and not there:
                there = True
            else:
                self._client.call("crm.timeline.comment.delete", {"id": id}, write=True)
        if wanted is not None and not there:
            fields = {"ENTITY_ID": move.home, "ENTITY_TYPE": move.kind, "COMMENT": wanted}
            self._client.call("crm.timeline.comment.add", {"fields": fields}, write=True)

    def _text(self, kind: str, to: str, note: Text) -> str:
        return f"{note.say(self._language)} {self._client.base.join(f'/crm/{kind}/details/{to}/')}"

    def _notes(self, kind: str, id: str) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        start: int | None = 0
        while start is not None:
            wanted = {"ENTITY_ID": id, "ENTITY_TYPE": kind}
            params: Native = {"filter": wanted, "select": ["ID", "COMMENT"], "order": {"ID": "ASC"}, "start": start}
            answer = self._client.call("crm.timeline.comment.list", params)
            rows = self._client.rows(answer.result)
            found += [(number(row["ID"]), str(row.get("COMMENT") or "")) for row in rows]
            start = answer.next
        return [(number_, text) for number_, text in found if text.startswith(MARKS)]
