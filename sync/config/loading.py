"""Reading the file: secrets from where they are kept, then the tables, each wrong key named with its line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sync.config.checks import check
from sync.config.sections import Config, Connection
from sync.config.source import Source
from sync.errors import BadConfig, Text

_ENVELOPE = frozenset(Connection.model_fields) - {"name", "settings"}


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the file; BadConfig names file, line and key of the first thing that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadConfig(
            Text(
                f"The configuration {path} cannot be read ({error.strerror}). `sverka init` writes one.",
                f"Файл настроек {path} не читается ({error.strerror}). Команда `sverka init` создаст его.",
            ),
            code="config.file",
        ) from error
    except UnicodeDecodeError as error:
        raise Source(path).bad(1, "", "the file is not UTF-8", "файл не в кодировке UTF-8") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = int(m[1]) if (m := re.search(r"at line (\d+)", str(error))) else text.count("\n") + 1
        raise Source(path).bad(line, "", f"not valid TOML: {error}", f"ошибка TOML: {error}") from error
    return build(data, path, text, environ)


def build(
    data: dict[str, Any], path: Path = Path("config.toml"), text: str = "", environ: Mapping[str, str] = os.environ
) -> Config:
    """The same from parsed TOML; relative paths in it are relative to the file's folder."""
    source = Source(path, text)
    data = _fill(data, source, environ, "")
    connections = _connections(dict(data.pop("connections", {})), source)
    try:
        config = Config.model_validate({**data, "connections": connections, "path": path})
    except ValidationError as error:
        raise _complaint(error, source, Config) from error
    hub = config.hub.model_copy(
        update={
            "spool": path.parent / config.hub.spool,
            "pictures": path.parent / config.hub.pictures,
            "mappings": config.hub.mappings and path.parent / config.hub.mappings,
            "database": _anchored(config.hub.database, path.parent),
        }
    )
    config = config.model_copy(update={"hub": hub})
    check(config, source)
    return config


def settings_error(error: ValidationError, config: Config, connection: str, model: type[BaseModel]) -> BadConfig:
    """An adapter's settings model did not accept the connection's keys."""
    return _complaint(error, Source.again(config.path), model, ("connections", connection))


def _connections(tables: dict[str, Any], source: Source) -> dict[str, Any]:
    """The hub's own keys of each connection apart from those that its adapter will read."""
    found: dict[str, Any] = {}
    for name, keys in tables.items():
        if not re.fullmatch(r"[a-z0-9_-]{1,64}", name) or not isinstance(keys, dict):
            raise source.bad(
                source.line([name]),
                f"connections.{name}",
                "a connection is a table with a name of a-z 0-9 _ -",
                "подключение — таблица с именем из a-z 0-9 _ -",
            )
        envelope = {k: v for k, v in keys.items() if k in _ENVELOPE}
        rest = {k: v for k, v in keys.items() if k not in _ENVELOPE}
        found[name] = {**envelope, "name": name, "settings": rest}
    return found


def _anchored(url: str, folder: Path) -> str:
    match = re.fullmatch(r"sqlite:///(?!/)(.+)", url)
    return f"sqlite:///{(folder / match[1]).resolve()}" if match and match[1] != ":memory:" else url


def _fill(value: Any, source: Source, environ: Mapping[str, str], key: str) -> Any:
    """Replace ${NAME} and file:… in every text."""
    if isinstance(value, dict):
        return {k: _fill(v, source, environ, f"{key}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill(v, source, environ, key) for v in value]
    if not isinstance(value, str):
        return value
    line = source.line(key.split("."))
    if value.startswith("file:"):
        try:
            lines = (source.path.parent / value[5:]).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise source.bad(
                line, key, f"the file {value[5:]} cannot be read", f"файл {value[5:]} не читается"
            ) from error
        return lines[0].strip() if lines else ""

    def one(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise source.bad(
                line,
                key,
                f"the environment variable {match[1]} is not set",
                f"переменная окружения {match[1]} не задана",
            )
        return environ[match[1]]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", one, value)


def _complaint(
    error: ValidationError, source: Source, model: type[BaseModel], prefix: tuple[str, ...] = ()
) -> BadConfig:
    """The first of pydantic's complaints, in our words; the received value is not repeated (it may be a secret).

    A mistyped key is named before the required one that it was meant to be.
    """
    errors = error.errors(include_input=False, include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    where = [*prefix, *(str(part) for part in first["loc"])]
    key, line = ".".join(where), source.line(where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, [str(p) for p in first["loc"][:-1]])
        if prefix and len(first["loc"]) == 1:  # beside the adapter's own keys stand those of every connection
            known += sorted(_ENVELOPE)
        return source.unknown(line, key, where[-1], known)
    if first["type"] == "missing":
        return source.bad(source.line(where[:-1]), key, "this key is required", "этот ключ обязателен")
    message = first["msg"].removeprefix("Value error, ")
    return source.bad(line, key, message, f"значение не подходит: {message}")


def _known_keys(model: type[BaseModel], where: list[str]) -> list[str]:
    current: Any = model
    for part in where:
        fields = getattr(current, "model_fields", {})
        field = fields.get(part) or next((f for f in fields.values() if f.alias == part), None)
        if field is not None:
            current = next(
                (a for a in getattr(field.annotation, "__args__", ()) if hasattr(a, "model_fields")), field.annotation
            )
    fields = getattr(current, "model_fields", {})
    return [
        f.alias or name
        for name, f in fields.items()
        if name not in ("path", "settings", "name") or current is not Config
    ]
