"""`sverka identity eval` and `dedupe`: files through the same index, decisions and memory that the hub uses."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sync.errors import BadConfig, Text
from sync.identity import batch, cards
from sync.identity.decide import decide
from sync.identity.evidence import Own, read
from sync.identity.index import Index
from sync.identity.loading import load
from sync.identity.remember import Answer, remember


def _quiet(_: Text) -> None:
    """Says nothing."""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _no_utf8(path) from None


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines of a file; empty lines are passed over."""
    with path.open(encoding="utf-8-sig") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _object(line, path, number)
        except UnicodeDecodeError:
            raise _no_utf8(path) from None


def _object(text: str, path: Path, line: int = 1) -> dict[str, Any]:
    """A JSON object, or BadConfig that names file and line and shows nothing of what stands there."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadConfig(
            Text(f"{path.name}, line {line}: not a JSON object.", f"{path.name}, строка {line}: это не объект JSON."),
            code="identity.json",
        )
    return found


def _no_utf8(path: Path) -> BadConfig:
    return BadConfig(
        Text(f"{path.name}: the text is not UTF-8; save it so.", f"{path.name}: текст не в UTF-8; сохраните его так."),
        code="identity.encoding",
    )


def _named(base: Path, tell: Callable[[Text], None]) -> Iterator[dict[str, Any]]:
    """Records of a base that can be named in an answer; of the others it is told how many there are, and where."""
    nameless = []
    for number, row in enumerate(rows(base), 1):
        id = row.get("id")
        if isinstance(id, str | int) and not isinstance(id, bool) and str(id).strip() and _storable(str(id)):
            yield _plain(row)
        else:
            nameless.append(number)
    _tell_nameless(base, nameless, tell)


def _tell_nameless(path: Path, numbers: list[int], tell: Callable[[Text], None]) -> None:
    if numbers:
        first = ", ".join(map(str, numbers[:5]))
        tell(
            Text(
                f"{path.name}: {len(numbers)} records have no id and are passed over (the first: {first}).",
                f"{path.name}: у записей нет id, они пропущены: {len(numbers)} (первые по счёту: {first}).",
            )
        )


def _storable(text: str) -> bool:
    """No half of a surrogate pair, which no UTF-8 holds."""
    return text.encode("utf-8", "replace").decode() == text


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The same with "?" for every half of a surrogate pair."""
    found: dict[str, Any] = row if _storable(json.dumps(row, ensure_ascii=False)) else _clean(row)
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _own(meta: Path) -> Own:
    """The settings of a file; BadConfig where one is no list of texts."""
    settings = _object(_text(meta), meta)
    given = {name: settings.get(name) or [] for name in ("own_domains", "own_lines", "own_inns")}
    for name, values in given.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise BadConfig(
                Text(f"{meta.name}: {name} must be a list of texts.", f"{meta.name}: {name} — это список строк."),
                code="identity.meta",
                setting=name,
            )
    return Own.of(given["own_domains"], given["own_lines"], given["own_inns"])


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


def evaluate(base: Path, events: Path, meta: Path, out: Path, tell: Callable[[Text], None] = _quiet) -> int:
    """Answer every event of a file; how many there were. `tell` hears of records that cannot be used."""
    own = _own(meta)
    connection = sqlite3.connect("")  # a private file that lives in memory as far as the cache reaches
    connection.execute("PRAGMA cache_size=-65536")
    count = 0
    try:
        index = Index.sqlite(connection)
        load(index, _named(base, tell), own.country)
        resolver = Resolver(index, own)
        with out.open("w", encoding="utf-8") as lines:
            for event in rows(events):
                answer = resolver.answer(_plain(event))
                lines.write(_line(as_row(event, answer)) + "\n")
                count += 1
    finally:
        connection.close()
    return count


def _line(row: Mapping[str, Any]) -> str:
    """JSON that UTF-8 can hold, whatever an event is called."""
    text = json.dumps(row, ensure_ascii=False)
    return text if _storable(text) else json.dumps(row)


def dedupe(records: Path, schema: Path | None, out: Path, tell: Callable[[Text], None] = _quiet) -> tuple[int, int]:
    """Group the records of a file; how many records and groups there were. No schema: the columns of the hub's export.
    `tell` hears of records that cannot be named."""
    kinds = cards.DEFAULT_SCHEMA if schema is None else _object(_text(schema), schema)
    columns, rows_ = _table(records)
    cards.check_schema(kinds, columns)
    key = cards.id_column(kinds, columns, rows_)
    if not key:
        raise BadConfig(
            Text("The file has no column id with the records' ids.", "В файле нет столбца id с номерами записей."),
            code="identity.columns",
            setting="--in",
        )
    named = [row for row in rows_ if (row[key] or "").strip()]
    _tell_nameless(records, [n for n, row in enumerate(rows_, 1) if not (row[key] or "").strip()], tell)
    found = [cards.read(row, {**kinds, key: "id"}, number) for number, row in enumerate(named)]
    groups = batch.group(found)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "cluster"))
        writer.writerows((card.id, groups.of[at]) for at, card in enumerate(found))
    return len(found), len(set(groups.of))


def _table(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a CSV file, separated by commas, semicolons or tabs. BadConfig when it cannot be read whole."""
    text = _text(path)
    head = text.split("\n", 1)[0]
    csv.field_size_limit(max(len(text), 1 << 17))
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    reader.fieldnames = columns = [name.strip() for name in reader.fieldnames or ()]
    if text.count('"') % 2:  # read on, the rest of the file would be one value of one record
        raise BadConfig(
            Text(
                f"{path.name}: a quotation mark opens and is never closed.",
                f"{path.name}: кавычка открыта и не закрыта.",
            ),
            code="identity.quotes",
            setting="--in",
        )
    return columns, list(reader)


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
