"""`sverka inspect FILE`: the canonical records that the hub would make of a file, one by one, with problems named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from adapters.base import Adapter, AdapterContext, Arrival, Hint, Problem
from sync.errors import BadConfig, RecordRefused, SverkaError, Text
from sync.hub.plugins import adapter_class, available
from sync.lens import Mapping, load

# Which adapters understand a file, tried by what its name and first bytes say
_BY_NAME = {
    ".xml": ("onec_folder",),
    ".zip": ("onec_folder",),
    ".eml": ("mail",),
    ".mbox": ("mail",),
    ".json": ("woocommerce", "events", "form"),
    ".txt": ("tilda", "form"),
    ".form": ("tilda", "form"),
}


class _Free:
    def wait(self) -> None:
        """A file costs no calls."""

    def penalty(self, seconds: float) -> None:
        """Nobody to be polite to."""


def inspect(path: Path, adapter: str | None = None, mappings: Path | None = None) -> Iterator[dict[str, Any]]:
    """One dictionary per record: {adapter, native_kind, id, kind, fields, client, event, deleted, problems}, or {problem}.

    RecordRefused when the file cannot be read at all.
    """
    first: SverkaError | None = None
    for name in [adapter] if adapter else _candidates(path):
        source, mapping = _open(name, mappings)
        rows = _rows(name, source, mapping, path)
        try:
            head = next(rows, None)
        except RecordRefused as error:
            first = first or error
            continue
        if head is None or (adapter is None and "problem" in head):
            rest = list(rows)
            if adapter is None and not any("problem" not in r for r in rest) and name != _candidates(path)[-1]:
                continue
            yield from [head] if head else []
            yield from rest
            return
        yield head
        yield from rows
        return
    if first is not None:
        raise first
    raise RecordRefused(
        Text(
            f"No adapter understands {path.name}: name one by --as ({', '.join(sorted(available()))}).",
            f"Ни один адаптер не понимает {path.name}: укажите его через --as ({', '.join(sorted(available()))}).",
        ),
        code="inspect.unknown",
    )


def _candidates(path: Path) -> list[str]:
    known = _BY_NAME.get(path.suffix.lower())
    if known:
        return list(known)
    with open(path, "rb") as stream:
        head = stream.read(512).lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith((b"<", b"PK")):
        return ["onec_folder"]
    if head.startswith((b"{", b"[")):
        return list(_BY_NAME[".json"])
    if b":" in head.split(b"\n", 1)[0]:
        return ["mail", "tilda"]
    return ["tilda", "form", "mail"]


def _open(name: str, mappings: Path | None) -> tuple[Adapter, Mapping]:
    kind = adapter_class(name, "inspect")
    context = AdapterContext("inspect", _Free(), lambda: datetime.now(UTC), logging.getLogger("sverka.inspect"))
    try:
        settings = kind.Settings.model_validate({})
    except ValidationError:
        settings = kind.Settings.model_construct()
    return kind(settings, context), load(kind.mapping, mappings)


def _rows(name: str, source: Adapter, mapping: Mapping, path: Path) -> Iterator[dict[str, Any]]:
    def opened() -> IO[bytes]:
        return open(path, "rb")

    try:
        stat = path.stat()
    except OSError as error:
        raise BadConfig(
            Text(f"{path} cannot be read ({error.strerror}).", f"{path} не читается ({error.strerror})."),
            code="inspect.file",
        ) from error
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
