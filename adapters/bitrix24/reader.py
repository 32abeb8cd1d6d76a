"""Reading records of one portal: rows of a list, and what belongs to them but must be asked for apart."""

from __future__ import annotations

from typing import Any

from adapters.base import Native, PreconditionFailed, Record
from adapters.bitrix24.client import BitrixClient, Command, number
from adapters.bitrix24.records import client_part, product_row, record, select

LINKED = {"CONTACT": ("crm.contact.list", "CONTACT_ID"), "COMPANY": ("crm.company.list", "COMPANY_ID")}
WHO = ["ID", "NAME", "SECOND_NAME", "LAST_NAME", "TITLE", "PHONE", "EMAIL"]
PAGE = 50


class Reader:
    def __init__(self, client: BitrixClient) -> None:
        self._client = client

    def one(self, kind: str, id: str, whole: bool = True) -> Record | None:
        """The record as a scan gives it (without its product rows and client where not `whole`); None when a list does not
        show it, which is not yet a proof that it is gone."""
        if not number(id):
            return None
        params = {"filter": {"=ID": id}, "select": select(kind), "start": -1}
        rows, _ = self._client.listed(f"crm.{kind}.list", params)
        mine = [row for row in rows if str(row["ID"]) == id]
        if not mine:
            return None
        return self.records(kind, mine)[0] if whole else record(kind, mine[0], {})

    def gone(self, kind: str, id: str) -> bool:
        """Whether the portal itself says "Not found". A list without the record may only mean a missing right."""
        try:
            self._client.call(f"crm.{kind}.get", {"id": id})
        except PreconditionFailed:  # "bitrix.gone" of the table of failures
            return True
        return False

    def by_origin(self, kind: str, originator: str, key: str) -> Record | None:
        """The record that carries our key; the oldest one, should a person have copied it."""
        wanted = {"=ORIGINATOR_ID": originator, "=ORIGIN_ID": key}
        params = {"filter": wanted, "select": select(kind), "order": {"ID": "ASC"}, "start": -1}
        rows, _ = self._client.listed(f"crm.{kind}.list", params)
        mine = [row for row in rows if row.get("ORIGIN_ID") == key and row.get("ORIGINATOR_ID") == originator]
        return self.records(kind, mine[:1])[0] if mine else None

    def records(self, kind: str, rows: list[Native]) -> list[Record]:
        """Rows of one page with their product rows and clients, in as few calls as a batch allows."""
        if kind not in ("deal", "lead") or not rows:
            return [record(kind, row, {}) for row in rows]
        commands = self._commands(kind, rows)
        done = self._client.batch(commands) if commands else None
        for error in done.errors.values() if done else ():
            raise error
        results: Native = done.results if done else {}
        parts = {name: self._people(results.get(f"who_{name}")) for name in LINKED}
        made = []
        for row in rows:
            more: Native = {"CLIENT": _client(row, parts)}
            if kind == "deal":
                key = f"rows_{row['ID']}"
                more["PRODUCT_ROWS"] = self._product_rows(
                    str(row["ID"]), results[key], done.next.get(key) if done else None
                )
            made.append(record(kind, row, more))
        return made

    def _commands(self, kind: str, rows: list[Native]) -> dict[str, Command]:
        commands: dict[str, Command] = {}
        for name, (method, field) in LINKED.items():
            ids = sorted({found for row in rows if (found := number(row.get(field)))})
            if ids:
                commands[f"who_{name}"] = (method, {"filter": {"@ID": ids}, "select": WHO, "start": -1})
        if kind == "deal":
            commands |= {f"rows_{row['ID']}": _rows_of(str(row["ID"]), 0) for row in rows}
        return commands

    def _people(self, result: Any) -> dict[int, Native]:
        rows = self._client.rows(result) if result is not None else []
        return {number(row["ID"]): client_part(row) for row in rows}

    def _product_rows(self, id: str, result: Any, follows: int | None) -> list[Native]:
        """All rows of a deal, in their order; the list has pages of 50 as every other one."""
        found = self._part(result)
        while follows:
            answer = self._client.call(*_rows_of(id, follows))
            found += self._part(answer.result)
            follows = answer.next
        return [
            product_row(row) for row in sorted(found, key=lambda row: (number(row.get("sort")), number(row.get("id"))))
        ]

    def _part(self, result: Any) -> list[Native]:
        rows = result.get("productRows") if isinstance(result, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._client.odd("bitrix.shape", "product rows were wanted", "ожидались товарные позиции")
        return list(rows)


def _rows_of(id: str, start: int) -> Command:
    wanted = {"=ownerType": "D", "=ownerId": id}
    return "crm.item.productrow.list", {"filter": wanted, "order": {"id": "asc"}, "start": start}


def _client(row: Native, parts: dict[str, dict[int, Native]]) -> Native:
    linked = {name: parts[name].get(number(row.get(field))) for name, (_, field) in LINKED.items()}
    return {name: part for name, part in linked.items() if part is not None}
