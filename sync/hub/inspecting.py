"""`sverka inspect FILE`: the canonical records that the hub would make of a file, one by one, with problems named."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, Any

from pydantic import SecretStr

from adapters.base import Adapter, AdapterContext, Arrival, Hint, Problem, Record, Unchanged
from sync.errors import BadConfig, RecordRefused, SverkaError, Text
from sync.hub.plugins import adapter_class, available, mapping_folder
from sync.lens import Mapping, load
from sync.lens.plans import Translated
from sync.model.totals import differs, of_lines

CERTAIN = 3  # of Adapter.likeness
HEAD = 1 << 16  # bytes by which a file is known
RECORDED = 20_000_000  # bytes: a recorded request is no larger
REACHABLE = ("phone", "phones", "email", "emails", "inn", "company_inn", "messengers")
_HTML = re.compile(rb"[\s\xef\xbb\xbf]*<(?:!doctype\s+html|html|head|body|b|br|div)[\s/>]", re.I)
_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT) (\S{1,2000}) HTTP/\d(?:\.\d)?\r?\n((?:[!-9;-~]+:[^\n]*\n)*)\r?\n")


class _Free:
    def wait(self) -> None:
        """A file costs no calls."""

    def penalty(self, seconds: float) -> None:
        """Nobody to be polite to."""


def inspect(path: Path, adapter: str | None = None, mappings: Path | None = None) -> Iterator[dict[str, Any]]:
    """One dictionary per record: {adapter, native_kind, id, kind, fields, client, event, deleted, problems}, or {problem}
    (with `cut` where what follows it is lost).

    A recorded HTTP request (a raw one, or JSON with its `headers` and `body`) is read as it would be at /in/<connection>.
    RecordRefused when the file cannot be read at all; BadConfig when there is no such file.
    """
    if not path.is_file():
        raise BadConfig(Text(f"There is no file {path}.", f"Файла {path} нет."), code="inspect.file")
    arrival = _arrival(path)
    if adapter:
        yield from _rows(adapter, arrival, mappings)
        return
    with arrival.open() as stream:
        head = stream.read(HEAD)
    _worth_reading(path.name, head)
    failures: dict[str, RecordRefused] = {}
    for mark, names in _candidates(arrival.name, head):
        rows = (
            _best(names, arrival, mappings, failures) if len(names) > 1 else _try(names[0], arrival, mappings, failures)
        )
        if rows is not None:
            yield from rows
            return
        if mark == CERTAIN:
            break
    raise _refusal(path.name, failures)


def _worth_reading(name: str, head: bytes) -> None:
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        raise RecordRefused(Text(f"{name} is empty.", f"{name}: файл пуст."), code="inspect.empty")
    if _HTML.match(head) and not name.lower().endswith(".eml"):
        raise RecordRefused(
            Text(f"{name} is a web page, not data: a site's error page, perhaps. Fetch the file again.",
                 f"{name} — веб-страница, а не данные: возможно, страница ошибки сайта. Получите файл заново."),
            code="inspect.html",
        )  # fmt: skip


def _refusal(name: str, failures: dict[str, RecordRefused]) -> RecordRefused:
    if len(failures) == 1:
        return next(iter(failures.values()))
    if failures:
        en = "; ".join(f"{adapter}: {error.text.en}" for adapter, error in failures.items())
        ru = "; ".join(f"{adapter}: {error.text.ru}" for adapter, error in failures.items())
        return RecordRefused(
            Text(f"{name} cannot be read. {en}", f"{name} не читается. {ru}"), code="inspect.unreadable"
        )
    known = ", ".join(sorted(available()))
    return RecordRefused(
        Text(
            f"No adapter understands {name}: name one by --as ({known}).",
            f"Ни один адаптер не понимает {name}: укажите его через --as ({known}).",
        ),
        code="inspect.unknown",
    )


def _try(
    name: str, arrival: Arrival, mappings: Path | None, failures: dict[str, RecordRefused]
) -> Iterator[dict[str, Any]] | None:
    """One adapter's reading, streamed; None when it cannot read the file at all."""
    rows = _rows(name, arrival, mappings)
    try:
        first = next(rows, None)
    except RecordRefused as error:
        failures[name] = error
        return None
    return rows if first is None else chain((first,), rows)


def _best(
    names: list[str], arrival: Arrival, mappings: Path | None, failures: dict[str, RecordRefused]
) -> Iterator[dict[str, Any]] | None:
    """The reading with the most records (and the fewest problems) of adapters that look equally likely."""
    best: tuple[tuple[int, int], list[dict[str, Any]]] | None = None
    for name in names:
        try:
            rows = list(_rows(name, arrival, mappings))
        except RecordRefused as error:
            failures[name] = error
            continue
        good = sum(1 for r in rows if "fields" in r)
        rank = (good, -len(rows) + good - sum(len(r.get("problems", ())) for r in rows))
        if best is None or rank > best[0]:
            best = (rank, rows)
    return None if best is None else iter(best[1])


def _candidates(name: str, head: bytes) -> list[tuple[int, list[str]]]:
    """Adapters whose files look like this one, the likeliest first, equally likely ones together."""
    marks: dict[int, list[str]] = {}
    for adapter in sorted(available()):
        with contextlib.suppress(BadConfig):  # a broken plug-in must not keep the others from reading
            marks.setdefault(adapter_class(adapter, "inspect").likeness(name, head), []).append(adapter)
    return [(mark, names) for mark, names in sorted(marks.items(), reverse=True) if mark > 0]


def _arrival(path: Path) -> Arrival:
    """The file as nobody posted it; or, where it is a recorded request, as it was posted."""
    stat = path.stat()
    at = datetime.fromtimestamp(stat.st_mtime, UTC)

    def opened() -> IO[bytes]:
        return open(path, "rb")

    if stat.st_size <= RECORDED and (found := recorded(path.read_bytes())):
        method, name, headers, body = found
        return Arrival(name, method, {}, headers, at=at, size=len(body), open=lambda: io.BytesIO(body))
    return Arrival(path.name, "", at=at, size=stat.st_size, open=opened)


def recorded(raw: bytes) -> tuple[str, str, dict[str, str], bytes] | None:
    """(method, path, headers in lower case, body) of a recorded request; None for everything else."""
    if match := _REQUEST.match(raw):
        lines = [line.partition(":") for line in match[3].decode("latin-1").splitlines()]
        return (
            match[1].decode(),
            match[2].decode(),
            {n.strip().lower(): v.strip() for n, _, v in lines},
            raw[match.end() :],
        )
    if raw.lstrip()[:1] != b"{":
        return None
    try:
        kept = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    headers, body = kept.get("headers"), kept.get("body")
    if not isinstance(headers, dict) or not isinstance(body, str | dict | list):
        return None
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    return str(kept.get("method") or "POST"), str(kept.get("path") or ""), named, text.encode("utf-8", "surrogatepass")


def _open(name: str, mappings: Path | None) -> tuple[Adapter, Mapping]:
    """The adapter with its defaults; what a connection would need (addresses, secrets) is filled with placeholders."""
    kind = adapter_class(name, "inspect")
    context = AdapterContext("inspect", _Free(), lambda: datetime.now(UTC), logging.getLogger("sverka.inspect"))
    blanks: dict[Any, Any] = {Path: Path(), SecretStr: SecretStr("-"), str: "https://inspect.invalid"}
    required = {k: blanks.get(f.annotation, "") for k, f in kind.Settings.model_fields.items() if f.is_required()}
    return kind(kind.Settings.model_construct(**required), context), load(kind.mapping, mappings, mapping_folder(kind))


def _rows(name: str, arrival: Arrival, mappings: Path | None) -> Iterator[dict[str, Any]]:
    source, mapping = _open(name, mappings)
    hinted = False
    for item in source.unpack(arrival):
        if isinstance(item, Unchanged):
            continue  # nobody says here that anything is
        hinted = hinted or isinstance(item, Hint)
        yield _row(name, item, mapping)
    if hinted and arrival.method:  # what a webhook carries besides is not taken by the hub, and shown here all the same
        bare = replace(arrival, method="", headers={})
        with contextlib.suppress(RecordRefused):
            yield from (_row(name, item, mapping) for item in source.unpack(bare) if isinstance(item, Record))


def _row(name: str, item: Record | Problem | Hint, mapping: Mapping) -> dict[str, Any]:
    if isinstance(item, Hint):
        return {"adapter": name, "hint": {"kind": item.kind, "id": item.id}}
    if isinstance(item, Problem):
        row = {"adapter": name, "native_kind": item.kind, "id": item.id, "problem": _error(item.error)}
        return row | ({"cut": True} if item.cut else {})
    found = mapping.lens(item.kind).get(item.data)
    problems = [
        {"field": p.field, "path": p.path, "value": p.value, "en": p.text.en, "ru": p.text.ru} for p in found.problems
    ]
    told = [*item.notes, *_missing(found)]
    return {
        "adapter": name,
        "native_kind": item.kind,
        "id": item.id,
        "kind": found.kind,
        "deleted": item.deleted,
        "fields": found.fields,
        "client": found.client,
        "event": found.event,
        "problems": problems + [{"field": "", "path": "", "value": None, "en": t.en, "ru": t.ru} for t in told],
    }


def _missing(found: Translated) -> Iterator[Text]:
    """What the hub itself would find wrong with the record, whoever sent it."""
    if found.kind in ("lead", "deal") and not any(found.client.get(k) for k in REACHABLE):
        yield Text(
            "no phone, e-mail or INN of a client: the hub would ask a person whose this is",
            "нет телефона, почты и ИНН клиента: чья это запись, Сверка спросит у человека",
        )
    lines, amount = found.fields.get("lines"), found.fields.get("amount")
    total = of_lines(lines) if lines else None
    if total is not None and isinstance(amount, Decimal) and total != amount:
        yield differs(amount, total)


def _error(error: SverkaError) -> dict[str, Any]:
    return {"code": error.code, "en": error.text.en, "ru": error.text.ru, "field": error.field}
