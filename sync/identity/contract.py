"""`sverka identity eval` and `dedupe`: files through the same index, decisions and memory that the hub uses."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sync.errors import BadConfig, Text
from sync.identity import batch, cards
from sync.identity.decide import decide
from sync.identity.evidence import Own, read
from sync.identity.index import Index
from sync.identity.loading import load
from sync.identity.remember import Answer, remember


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines of a file; empty lines are passed over."""
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = _json(line, path, number)
                if not isinstance(row, dict):
                    raise _unreadable(path, number)
                yield row


def _json(text: str, path: Path, line: int = 1) -> Any:
    """A value, or BadConfig that names file and line and shows nothing of what stands there."""
    try:
        return json.loads(text)
    except ValueError:
        raise _unreadable(path, line) from None


def _unreadable(path: Path, line: int) -> BadConfig:
    return BadConfig(
        Text(f"{path.name}, line {line}: not a JSON object.", f"{path.name}, строка {line}: это не объект JSON."),
        code="identity.json",
    )


class Resolver:
    """Answers events one after another; each may use the base and the events before it."""

    def __init__(self, index: Index, own: Own) -> None:
        self.index = index
        self.own = own
        self._made = 0

    def answer(self, event: Mapping[str, Any]) -> Answer:
        found = read(event, self.own)
        return remember(decide(found, self.index), found, self.index, self._make)

    def _make(self, kind: str) -> str:
        self._made += 1
        return f"new-{kind}-{self._made}"


def evaluate(base: Path, events: Path, meta: Path, out: Path) -> int:
    """Answer every event of a file; how many there were."""
    settings = _json(meta.read_text(encoding="utf-8-sig"), meta)
    own = Own.of(settings.get("own_domains") or (), settings.get("own_lines") or (), settings.get("own_inns") or ())
    connection = sqlite3.connect("")  # a private file that lives in memory as far as the cache reaches
    connection.execute("PRAGMA cache_size=-65536")
    count = 0
    try:
        index = Index.sqlite(connection)
        load(index, rows(base), own.country)
        resolver = Resolver(index, own)
        with out.open("w", encoding="utf-8") as lines:
            for event in rows(events):
                answer = resolver.answer(event)
                lines.write(json.dumps(as_row(event, answer), ensure_ascii=False) + "\n")
                count += 1
    finally:
        connection.close()
    return count


def dedupe(records: Path, schema: Path | None, out: Path) -> tuple[int, int]:
    """Group the records of a file; how many records and groups there were. No schema: the columns of the hub's export."""
    kinds = cards.DEFAULT_SCHEMA if schema is None else _json(schema.read_text(encoding="utf-8-sig"), schema)
    with records.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        cards.check_schema(kinds, reader.fieldnames or ())
        rows_ = list(reader)
        key = cards.id_column(kinds, reader.fieldnames or (), rows_)
        if not key:
            raise BadConfig(
                Text("The file has no column id with the records' ids.", "В файле нет столбца id с номерами записей."),
                code="identity.columns",
                setting="--in",
            )
    found = [cards.read(row, {**kinds, key: "id"}, number) for number, row in enumerate(rows_)]
    groups = batch.group(found)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "cluster"))
        writer.writerows((card.id, groups.of[at]) for at, card in enumerate(found))
    return len(found), len(set(groups.of))


def as_row(event: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """One line of the answers."""
    decision = answer.decision
    return {
        "event_id": event.get("event_id"),
        "client": answer.client or None,
        "person": answer.person or None,
        "review": decision.question,
        "candidates": [uid for uid, _ in decision.candidates],
        "ignore": bool(decision.ignored),
        "rule": decision.rule,
        "why": {"en": decision.text.en, "ru": decision.text.ru},
    }
