"""Writing one record: looked at first, and left alone where it is already so.

Bitrix24 has no conditional write and no idempotency key. An update reads, compares and writes: between that reading and the
write, two calls apart (usually well under a second, at most the time-out), a change by somebody else to the very field that
is written would be overwritten. A create carries the hub's key in ORIGINATOR_ID and ORIGIN_ID, by which a lost answer is
settled. Every answer is the record as it is read again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from adapters.base import (
    Change,
    Native,
    OutcomeUnknown,
    PreconditionFailed,
    Record,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)
from adapters.bitrix24.client import BitrixClient, Command, number
from adapters.bitrix24.multifields import changed_values, new_values, same_values
from adapters.bitrix24.reader import Reader
from adapters.bitrix24.records import LISTS, PHONED, bare, decimal, full
from adapters.bitrix24.rows import same_rows, wire_rows
from adapters.bitrix24.words import Words

NUMERIC = frozenset({"double", "integer", "user", "crm_lead", "crm_contact", "crm_company", "crm_category"})


class Writer:
    def __init__(self, client: BitrixClient, reader: Reader, words: Words, originator: str) -> None:
        self._client, self._reader, self._words = client, reader, words
        self._originator = originator

    def write(self, change: Change) -> Record:
        if change.delete and change.id is not None:
            return self._delete(change, change.id)
        self._check_names(change)
        return self._create(change) if change.id is None else self._update(change, change.id)

    # creates -------------------------------------------------------------------------------------------------------

    def _create(self, change: Change) -> Record:
        kind, data = change.kind, dict(change.data)
        rows = data.pop("PRODUCT_ROWS", None)
        fields = self._wire(kind, data, {"CATEGORY_ID": data.get("CATEGORY_ID")})
        fields |= {"ORIGINATOR_ID": self._originator, "ORIGIN_ID": change.key}
        # people's feeds are told nothing: an integration that adds a thousand records must not write a thousand posts
        made = (f"crm.{kind}.add", {"fields": fields, "params": {"REGISTER_SONET_EVENT": "N"}})
        id = self._with_rows(made, wire_rows(rows)) if rows else number(self._client.call(*made, write=True).result)
        if not id:
            raise self._client.odd("bitrix.shape", "the new record's number was wanted", "ожидался номер записи", True)
        return self._again(kind, str(id))

    def _with_rows(self, made: Command, rows: list[Native]) -> int:
        """The deal and its product rows in one call, so that a cut between them is as unlikely as can be."""
        params = {"ownerType": "D", "ownerId": "$result[made]", "productRows": rows}
        done = self._client.batch({"made": made, "rows": ("crm.item.productrow.set", params)}, write=True, halt=True)
        if "made" in done.errors:
            raise done.errors["made"]
        id = number(done.results.get("made"))
        if id and "rows" in done.errors:  # the deal is there: it must not be made again for its rows' sake
            self._rows_later(id, rows, done.errors["rows"])
        return id

    def _rows_later(self, id: int, rows: list[Native], error: SverkaError) -> None:
        params: Native = {"ownerType": "D", "ownerId": id, "productRows": rows}
        if isinstance(error, RetryLater | OutcomeUnknown):
            try:
                self._client.call("crm.item.productrow.set", params, write=True)
                return
            except SverkaError as again:
                error = again
        # Known to nobody yet, and without its goods it would look finished: taken back, so that the reason is seen
        try:
            self._client.call("crm.deal.delete", {"id": id}, write=True)
        except SverkaError:  # it stays, and is found by its key: whatever else, it must not be made twice
            raise self._half() from None
        raise error

    # updates -------------------------------------------------------------------------------------------------------

    def _update(self, change: Change, id: str) -> Record:
        kind = change.kind
        whole = not {"OPPORTUNITY", "PRODUCT_ROWS"}.isdisjoint(change.data)
        now = self._reader.one(kind, id, whole)
        if now is None:
            raise self._moved(change, "it is not shown any more", "записи больше не видно")
        todo = {n: v for n, v in change.data.items() if not self._same(kind, n, now.data.get(n), v)}
        if not todo:
            return now if whole else self._again(kind, id)
        if change.before is not None:
            for name in todo:
                if name in change.before.data and not self._same(
                    kind, name, now.data.get(name), change.before.data[name]
                ):
                    raise self._moved(
                        change, f"its {name} was changed in the portal", f"поле {name} изменили на портале"
                    )
        self._check_sum(todo, now)
        rows = todo.pop("PRODUCT_ROWS", None)
        commands: dict[str, Command] = {}
        if todo:
            fields = self._wire(kind, todo, now.data)
            commands["fields"] = (f"crm.{kind}.update", {"id": id, "fields": fields})
        if rows is not None:
            params = {"ownerType": "D", "ownerId": id, "productRows": wire_rows(rows)}
            commands["rows"] = ("crm.item.productrow.set", params)
        self._send(commands)
        return self._again(kind, id)

    def _send(self, commands: dict[str, Command]) -> None:
        if len(commands) == 1:
            for method, params in commands.values():
                self._client.call(method, params, write=True)
            return
        done = self._client.batch(commands, write=True, halt=True)
        for place, error in done.errors.items():  # after a first half that was done only a look can tell
            raise self._half() if place == "rows" else error

    def _half(self) -> SverkaError:
        return OutcomeUnknown(
            Text("the fields were written, the product rows were not", "поля записаны, товарные позиции — нет"),
            code="bitrix.half",
        )

    def _again(self, kind: str, id: str) -> Record:
        """The record after the write. It is done: whatever prevents the look makes the outcome unknown, not failed."""
        try:
            found = self._reader.one(kind, id)
        except SverkaError:
            found = None
        if found is None:
            host = self._client.host
            raise OutcomeUnknown(
                Text(
                    f"{host}: written, but it cannot be read back yet", f"{host}: записано, но пока не перечитывается"
                ),
                code="bitrix.unread",
            )
        return found

    # deletes -------------------------------------------------------------------------------------------------------

    def _delete(self, change: Change, id: str) -> Record:
        """What the portal itself calls not found is gone."""
        with suppress(PreconditionFailed):  # "bitrix.gone" of the table of failures
            self._client.call(f"crm.{change.kind}.delete", {"id": id}, write=True)
        return replace(change.before or Record(change.kind, id, {}), deleted=True)

    # values --------------------------------------------------------------------------------------------------------

    def _check_names(self, change: Change) -> None:
        """The portal ignores a misspelt field in silence: it is refused here, before anything is written."""
        known = self._words.fields(change.kind)
        extra = {"STAGE", "PRODUCT_ROWS"} if change.kind == "deal" else set()
        extra |= set(LISTS) if change.kind in PHONED else set()
        for name in change.data:
            about = known.get(name)
            closed = isinstance(about, dict) and (
                about.get("isReadOnly") is True or (about.get("isImmutable") is True and change.id is not None)
            )
            if name in extra or (isinstance(about, dict) and not closed):
                continue
            why = (
                ("it can only be read", "доступно только для чтения")
                if closed
                else ("no such field", "такого поля нет")
            )
            raise _refused(change.kind, name, *why, "bitrix.field")

    def _wire(self, kind: str, data: Native, now: Native) -> Native:
        """Fields as the portal wants them: stages with their pipeline, multifields by their ids."""
        fields: Native = {}
        for name, value in data.items():
            if name in LISTS and kind in PHONED:
                old = now.get(LISTS[name])
                fields[LISTS[name]] = changed_values(name, old, value) if old else new_values(value)
            elif name == "STAGE" or (name == "STAGE_ID" and kind == "deal"):
                pipeline = str(now.get("CATEGORY_ID") or "0")
                stage = full(str(value), pipeline) if name == "STAGE" or value == bare(value) else str(value)
                self._words.check_stage(stage, pipeline)
                fields["STAGE_ID"] = stage
            else:
                if name == "STATUS_ID" and kind == "lead":
                    self._words.check_status(str(value))
                fields[name] = "" if value is None else value
        return fields

    def _same(self, kind: str, name: str, one: Any, other: Any) -> bool:
        """Equal as the portal means it: "100" is "100.00" where a sum stands, null is empty, Y is true."""
        if name in LISTS:
            return same_values(name, one, other)
        if name == "PRODUCT_ROWS":
            return same_rows(one, other)
        about = self._words.fields(kind).get(name)
        if isinstance(about, dict) and about.get("type") in NUMERIC:
            a, b = decimal(one or 0), decimal(other or 0)
            if a is not None and b is not None:
                return a == b
        flags = {True: "Y", False: "N"}
        left, right = (flags[v] if isinstance(v, bool) else "" if v is None else v for v in (one, other))
        return bool(left == right) or str(left) == str(right)

    def _check_sum(self, todo: Native, now: Record) -> None:
        """A sum that the portal computes from product rows is not ours to write: it would be computed anew."""
        manual = todo.get("IS_MANUAL_OPPORTUNITY", now.data.get("IS_MANUAL_OPPORTUNITY")) in ("Y", True)
        if "OPPORTUNITY" in todo and not manual and now.data.get("PRODUCT_ROWS") and "PRODUCT_ROWS" not in todo:
            raise RecordRefused(
                Text(
                    f"deal {now.id}: its sum is computed from its product rows, so another one cannot be written",
                    f"сделка {now.id}: её сумма считается по товарам, записать другую нельзя",
                ),
                code="bitrix.computed",
                field="OPPORTUNITY",
                remedy=Text(
                    "Set the deal's sum to manual in its card, or mend its goods; then retry.",
                    "Переключите сумму сделки на ручной ввод в карточке или исправьте товары, затем повторите.",
                ),
            )

    @staticmethod
    def _moved(change: Change, en: str, ru: str) -> SverkaError:
        text = Text(
            f"{change.kind} {change.id}: {en}; it is read and planned again",
            f"{change.kind} {change.id}: {ru}; план обновится",
        )
        return PreconditionFailed(text, code="bitrix.moved")


def _refused(kind: str, field: str, en: str, ru: str, code: str) -> SverkaError:
    remedy = Text(
        "Mend the mapping: the fields' names stand in the answer of crm.<kind>.fields.",
        "Поправьте файл соответствий: имена полей есть в ответе crm.<вид>.fields.",
    )
    return RecordRefused(Text(f"{kind}.{field}: {en}", f"{kind}.{field}: {ru}"), code=code, field=field, remedy=remedy)
