"""Loading a mapping file: the built-in one, overridden field by field by the user's file of the same name.

A mistake is a BadConfig that names the file, the line and the field, what was found and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from sync.errors import BadConfig, RecordRefused, Text
from sync.lens.build import build_lens, build_tables
from sync.lens.lens import Lens
from sync.lens.lines import Lines, key_lines, line_of
from sync.lens.problems import Mistake, unknown_name

LANGUAGE = 1  # part of every fingerprint: raised when the same text comes to mean something else
RESERVED = ("system", "version", "tables")


@dataclass(frozen=True)
class Mapping:
    """All lenses of one system. `fingerprint` changes when the effective content does, not with its comments."""

    system: str
    version: int
    fingerprint: str
    lenses: dict[str, Lens]
    prints: dict[str, str] = field(default_factory=dict)  # of each native kind by itself

    def print_of(self, native_kind: str) -> str:
        """The fingerprint of what is said of one native kind: it changes only when records of that kind read otherwise."""
        return self.prints.get(native_kind, self.fingerprint)

    def lens(self, native_kind: str) -> Lens:
        """The lens of a native kind; RecordRefused("mapping.kind") when the mapping has none."""
        lens = self.lenses.get(native_kind)
        if lens is None:
            known = ", ".join(sorted(self.lenses)) or "—"
            raise RecordRefused(
                Text(
                    f"The mapping of “{self.system}” has no kind “{native_kind}”. It has: {known}.",
                    f"В сопоставлении «{self.system}» нет вида «{native_kind}». Есть: {known}.",
                ),
                code="mapping.kind",
                remedy=Text(
                    f"Add the section [{native_kind}] to the mapping file, or leave the kind out of the flow.",
                    f"Добавьте в файл сопоставления раздел [{native_kind}] или уберите этот вид из потока.",
                ),
            )
        return lens


@dataclass(frozen=True)
class _Source:
    """One file of the (at most two) that make a mapping."""

    shown: str
    data: dict[str, Any]
    lines: Lines


def load(name: str, user_dir: Path | None = None, extra: Traversable | None = None) -> Mapping:
    """The mapping `name` (without ".toml"). `extra` is a plug-in's folder, used where there is no built-in file."""
    sources = _sources(name, user_dir, extra)
    data: dict[str, Any] = {}
    for source in sources:
        _merge(data, source.data, ())
    try:
        return _build(data, sources)
    except Mistake as mistake:
        raise _located(name, mistake, sources) from None


def _sources(name: str, user_dir: Path | None, extra: Traversable | None) -> list[_Source]:
    if not re.fullmatch(r"[\w-]{1,60}", name):
        raise _bad(name, Text(f"“{name}” is no name of a mapping file.", f"«{name}» — не имя файла сопоставления."))
    sources = []
    for folder, shown in ((files("mappings"), "mappings"), (extra, "mappings")):
        if folder is not None and folder.joinpath(f"{name}.toml").is_file():
            sources.append(_read(name, folder.joinpath(f"{name}.toml"), f"{shown}/{name}.toml"))
            break
    if user_dir is not None and (user_dir / f"{name}.toml").is_file():
        sources.append(_read(name, user_dir / f"{name}.toml", str(user_dir / f"{name}.toml")))
    if not sources:
        raise _missing(name, user_dir, extra)
    return sources


def _missing(name: str, user_dir: Path | None, extra: Traversable | None) -> BadConfig:
    known = {
        entry.name.removesuffix(".toml")
        for folder in (files("mappings"), extra, user_dir)
        if folder is not None and folder.is_dir()
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
    what = Text("The mapping file", "Файл сопоставления")
    return _bad(name, unknown_name((), "mapping.missing", what, f"{name}.toml", known).text, code="mapping.missing")


def _read(name: str, file: Traversable, shown: str) -> _Source:
    try:
        text = file.read_bytes().decode("utf-8-sig")
        return _Source(shown, tomllib.loads(text, parse_float=Decimal), key_lines(text))
    except UnicodeDecodeError:
        raise _bad(
            name,
            Text(
                f"{shown}: the file is not UTF-8. Save it as UTF-8.",
                f"{shown}: файл не в UTF-8. Сохраните его в UTF-8.",
            ),
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        place = f"{shown}:{found[1]}" if found else shown
        raise _bad(
            name,
            Text(f"{place}: this is no TOML: {error}.", f"{place}: это не TOML: {error}."),
        ) from None
    except OSError as error:
        raise _bad(
            name,
            Text(
                f"{shown}: the file cannot be read ({error.strerror}).",
                f"{shown}: файл не читается ({error.strerror}).",
            ),
        ) from None


def _merge(into: dict[str, Any], own: MappingType[str, Any], key: tuple[str, ...]) -> None:
    """Override field by field: tables are merged down to the single field or word, everything below is replaced whole.

    `field = false` takes a field away; in a table of words false is a word's meaning.
    """
    for name, value in own.items():
        here = (*key, name)
        if isinstance(value, dict) and _is_section(here):
            into[name] = dict(into[name]) if isinstance(into.get(name), dict) else {}
            _merge(into[name], value, here)
        elif value is False and key and key[0] != "tables":
            into.pop(name, None)
        else:
            into[name] = value


def _is_section(key: tuple[str, ...]) -> bool:
    if len(key) == 1 or key[0] == "tables":
        return len(key) <= 2
    if key[1] == "create":
        return len(key) <= 3
    return len(key) == 2


def _build(data: dict[str, Any], sources: list[_Source]) -> Mapping:
    system, version = data.get("system"), data.get("version")
    if not isinstance(system, str) or not system:
        raise Mistake(("system",), "mapping.system", Text('system = "…" is missing.', 'Нет строки system = "…".'))
    if not isinstance(version, int) or isinstance(version, bool):
        raise Mistake(("version",), "mapping.version", Text("version = 1 is missing.", "Нет строки version = 1."))
    if any(source.data.get("system", system) != system for source in sources):
        text = Text(f"The built-in file is for another system than “{system}”.", f"Встроенный файл не для «{system}».")
        raise Mistake(("system",), "mapping.system", text)
    tables = build_tables(data.get("tables", {}))
    lenses = {}
    for native, section in data.items():
        if native in RESERVED:
            continue
        if not isinstance(section, dict):
            allowed = Text(
                "Only system, version and tables stand alone.", "Отдельно стоят только system, version и разделы."
            )
            raise Mistake((native,), "mapping.section", allowed)
        lenses[native] = build_lens(native, section, tables)
    prints = {native: _fingerprint(_part(data, native)) for native in lenses}
    return Mapping(system, version, _fingerprint(data), lenses, prints)


def _part(data: MappingType[str, Any], native: str) -> dict[str, Any]:
    """One section with the tables that it names."""
    said = json.dumps(data[native], ensure_ascii=False, default=str)
    return {"tables": {n: t for n, t in data.get("tables", {}).items() if n in said}, native: data[native]}


def _fingerprint(data: MappingType[str, Any]) -> str:
    """Order counts in tables (the first word is the way back) and in lists; nowhere else."""
    tables = {name: list(words.items()) for name, words in data.get("tables", {}).items()}
    text = json.dumps([LANGUAGE, {**data, "tables": tables}], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _located(name: str, mistake: Mistake, sources: list[_Source]) -> BadConfig:
    """The error with its place: the user's own file when it has the key, else the built-in one."""
    source = next((one for one in reversed(sources) if _has(one.data, mistake.key)), sources[-1])
    line = line_of(source.lines, mistake.key)
    place = f"{source.shown}:{line}" if line else source.shown
    where = ".".join(str(part) for part in mistake.key)
    return _bad(
        name,
        Text(f"{place}: {where}: {mistake.text.en}", f"{place}: {where}: {mistake.text.ru}"),
        code=mistake.code,
        field=where,
    )


def _has(data: Any, key: tuple[str | int, ...]) -> bool:
    for part in key:
        if isinstance(data, list) and isinstance(part, int):
            if part >= len(data):
                return False
            data = data[part]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, dict) and part == 0:  # a single block of rows may be written without [[ ]]
            continue
        else:
            return False
    return True


def _bad(name: str, text: Text, *, code: str = "mapping.file", field: str = "") -> BadConfig:
    return BadConfig(text, code=code, setting=f"mappings/{name}.toml", field=field)
