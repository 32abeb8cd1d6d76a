"""`sverka inspect FILE`: the canonical records that the hub would make of a file, one by one, with problems named."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pydantic import SecretStr

from adapters.base import Adapter, AdapterContext, Arrival, Hint, Problem
from sync.errors import BadConfig, RecordRefused, SverkaError, Text
from sync.hub.plugins import adapter_class, available, mapping_folder
from sync.lens import Mapping, load


class _Free:
    def wait(self) -> None:
        """A file costs no calls."""

    def penalty(self, seconds: float) -> None:
        """Nobody to be polite to."""


def inspect(path: Path, adapter: str | None = None, mappings: Path | None = None) -> Iterator[dict[str, Any]]:
    """One dictionary per record: {adapter, native_kind, id, kind, fields, client, event, deleted, problems}, or {problem}.

    RecordRefused when the file cannot be read at all; BadConfig when there is no such file.
    """
    if not path.is_file():
        raise BadConfig(Text(f"There is no file {path}.", f"Файла {path} нет."), code="inspect.file")
    names = [adapter] if adapter else _candidates(path)
    if len(names) == 1:
        yield from _rows(names[0], path, mappings)
    else:
        yield from _best(names, path, mappings)


def _best(names: list[str], path: Path, mappings: Path | None) -> list[dict[str, Any]]:
    """The reading with the most records (and the fewest problems) of several adapters; files of these kinds are small."""
    best: tuple[tuple[int, int], list[dict[str, Any]]] | None = None
    refused: RecordRefused | None = None
    for name in names:
        try:
            rows = list(_rows(name, path, mappings))
        except RecordRefused as error:
            refused = refused or error
            continue
        good = sum(1 for r in rows if "fields" in r)
        rank = (good, -len(rows) + good - sum(len(r.get("problems", ())) for r in rows))
        if best is None or rank > best[0]:
            best = (rank, rows)
    if best is None or not best[1]:
        raise refused or RecordRefused(
            Text(
                f"No adapter understands {path.name}: name one by --as ({', '.join(sorted(available()))}).",
                f"Ни один адаптер не понимает {path.name}: укажите его через --as ({', '.join(sorted(available()))}).",
            ),
            code="inspect.unknown",
        )
    return best[1]


def _candidates(path: Path) -> list[str]:
    """Adapters that read files of this ending; all that read files at all where none does."""
    kinds: dict[str, type[Adapter]] = {}
    for name in sorted(available()):
        with contextlib.suppress(BadConfig):  # a broken plug-in must not keep the others from reading
            kinds[name] = adapter_class(name, "inspect")
    fitting = [n for n, k in kinds.items() if path.suffix.lower() in k.suffixes]
    return fitting or [n for n, k in kinds.items() if k.suffixes]


def _open(name: str, mappings: Path | None) -> tuple[Adapter, Mapping]:
    """The adapter with its defaults; what a connection would need (addresses, secrets) is filled with placeholders."""
    kind = adapter_class(name, "inspect")
    context = AdapterContext("inspect", _Free(), lambda: datetime.now(UTC), logging.getLogger("sverka.inspect"))
    blanks: dict[Any, Any] = {Path: Path(), SecretStr: SecretStr("-"), str: "https://inspect.invalid"}
    required = {k: blanks.get(f.annotation, "") for k, f in kind.Settings.model_fields.items() if f.is_required()}
    return kind(kind.Settings.model_construct(**required), context), load(kind.mapping, mappings, mapping_folder(kind))


def _rows(name: str, path: Path, mappings: Path | None) -> Iterator[dict[str, Any]]:
    def opened() -> IO[bytes]:
        return open(path, "rb")

    source, mapping = _open(name, mappings)
    stat = path.stat()
    at = datetime.fromtimestamp(stat.st_mtime, UTC)
    for item in source.unpack(Arrival(path.name, at=at, size=stat.st_size, open=opened)):
        if isinstance(item, Hint):
            yield {"adapter": name, "hint": {"kind": item.kind, "id": item.id}}
        elif isinstance(item, Problem):
            yield {"adapter": name, "native_kind": item.kind, "id": item.id, "problem": _error(item.error)}
        else:
            found = mapping.lens(item.kind).get(item.data)
            yield {
                "adapter": name,
                "native_kind": item.kind,
                "id": item.id,
                "kind": found.kind,
                "deleted": item.deleted,
                "fields": found.fields,
                "client": found.client,
                "event": found.event,
                "problems": [
                    {"field": p.field, "path": p.path, "value": p.value, "en": p.text.en, "ru": p.text.ru}
                    for p in found.problems
                ],
            }


def _error(error: SverkaError) -> dict[str, Any]:
    return {"code": error.code, "en": error.text.en, "ru": error.text.ru, "field": error.field}
