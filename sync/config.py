"""The configuration: one TOML file, read strictly. An unknown key is an error with a suggestion; a secret is never in it.

Values may be `${NAME}` (an environment variable) or `file:/path` (the file's first line): that is how secrets come in.
The envelope of a connection (adapter, role, schedule) is checked here; the rest of its keys belong to the adapter's own
settings model, so that a plug-in is configurable without touching the hub.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from sync.errors import BadConfig, Text
from sync.model.records import KINDS, UNDECIDED
from sync.reconcile.stages import faults

Role = Literal["form", "shop", "mail", "crm", "accounting"]
ROLES: tuple[Role, ...] = ("form", "shop", "mail", "crm", "accounting")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any) -> int:
    """An interval: a number of seconds, or text such as "30s", "5m", "1h", "1d"."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+)\s*([smhd])", value.strip())) and int(match[1]) > 0:
        return int(match[1]) * _UNITS[match[2]]
    raise ValueError('an interval is written "30s", "5m", "1h" or "1d"')


Interval = Annotated[int, BeforeValidator(seconds)]


def _zone(value: Any) -> Any:
    if isinstance(value, str) and value:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError('a time zone is written like "Europe/Moscow" or "Asia/Yekaterinburg"') from None
    return value


TimeZone = Annotated[str, BeforeValidator(_zone)]


def _deletion(value: Any) -> Any:
    if value in ("archive", "detach") or (isinstance(value, str) and value.partition(":")[0] == "propagate"):
        return value
    raise ValueError('valid are "archive", "detach", "propagate", or "propagate:CONNECTION,CONNECTION"')


Deletion = Annotated[str, BeforeValidator(_deletion)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class Hub(Section):
    database: str = Field("sqlite:///var/sverka.db", repr=False)  # may hold a password
    spool: Path = Path("var/spool")  # uploaded files until they are processed
    pictures: Path = Path("var/pictures")  # pictures of goods, for good
    mappings: Path | None = None  # own mapping files, overriding the built-in ones field by field
    language: Literal["ru", "en"] = "ru"
    country: str = Field("RU", pattern="^[A-Z]{2}$")  # of phone numbers written without a country code
    currency: str = Field("RUB", pattern="^[A-Z]{3}$")  # where a system names none
    timezone: TimeZone = ""  # of the firm, such as "Europe/Moscow"; "" takes this PC's
    price_type: str = ""  # the price type that goes to shops; "" when there is only one
    unmatched_lines: Literal["wait", "by_name"] = "wait"  # an order line that no product fits, on its way to accounting
    verify: str = Field("03:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")  # the nightly verify pass; "" for never
    lead_window: Interval = 7 * 86400  # an order of a client converts their only lead of this time
    call_within: Interval = 15 * 60  # due time of the task that a new lead gets
    max_body: int = Field(1 << 20, gt=0)  # bytes of one form or webhook
    own_domains: tuple[str, ...] = ()  # the firm's own mail domains: never a client
    own_lines: tuple[str, ...] = ()  # the firm's own phone numbers
    own_inns: tuple[str, ...] = ()  # the firm's own taxpayer numbers: they stand in its orders and letters


class Web(Section):
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    password: SecretStr | None = None  # of the pages and the API; without one they answer only on this PC
    public_url: str = ""  # the address by which others reach the hub, for the texts of `check`


class Notices(Section):
    via: str = ""  # a mail connection
    to: tuple[str, ...] = ()
    report_to: tuple[str, ...] = ()  # who gets deals against accounting every day
    report_days: int = Field(92, gt=0)  # for how long closed deals in which nothing differs stay in the report
    report_at: str = Field("08:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")  # by the firm's clock; "" for never


class Limits(Section):
    """How much is done without asking, and at most at once: the bigger of each two bounds counts."""

    first_run: Literal["ask", "go"] = "ask"  # whether the first writes to a system wait for `sverka approve`
    writes: int = Field(50, ge=0)  # writes of one run
    writes_percent: int = Field(10, ge=0, le=100)  # of the records that are linked there
    deletes: int = Field(10, ge=0)  # records of one kind that may go missing from a system between two looks
    deletes_percent: int = Field(5, ge=0, le=100)  # of those that it had
    merges: int = Field(100, ge=0)  # cards that one plan of duplicates may merge; a larger plan is refused as a whole
    merges_percent: int = Field(20, ge=0, le=100)  # of the clients that are known


WHOLE_KINDS = ("company", "contact", "lead", "deal", "product")
FACTS = ("paid", "shipped", "paid_and_shipped", "cancelled")


class StageDef(Section):
    name: str = Field(pattern="^[a-z0-9_]+$")
    title: str
    semantic: Literal["open", "won", "lost"] = "open"
    next: tuple[str, ...] | None = None  # the stages that may follow; else every later one and every closed one


class Pipeline(Section):
    name: str = Field(pattern="^[a-z0-9_]+$")
    title: str = ""
    stages: tuple[StageDef, ...]
    # what the accounting side's facts make of a deal: {paid = "paid", shipped = "shipped", cancelled = "lost"}
    facts: dict[str, str] = Field(default_factory=dict)
    lost_reason: str = ""  # of a deal that a system loses without saying why; "": a person is asked


DEFAULT_PIPELINE = Pipeline(
    name="main",
    title="Продажи",
    stages=(
        StageDef(name="new", title="Новый"),
        StageDef(name="in_work", title="В работе"),
        StageDef(name="paid", title="Оплачен"),
        StageDef(name="shipped", title="Отгружен"),
        StageDef(name="won", title="Завершён", semantic="won"),
        StageDef(name="lost", title="Отменён", semantic="lost"),
    ),
    facts={"paid": "paid", "shipped": "shipped", "paid_and_shipped": "won", "cancelled": "lost"},
    lost_reason="Не указана",
)


class When(Section):
    field: str
    op: Literal["eq", "ne", "in", "empty", "filled", "gt", "lt"]
    value: Any = None


class Flow(Section):
    kind: Literal["lead", "deal", "product", "company", "contact"]
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    create: Literal["always", "never"] | When = "never"


class Connection(Section):
    """The hub's part of a connection; `settings` is what is left for the adapter."""

    name: str
    adapter: str
    role: Role | None = None  # the adapter's usual role
    mapping: str | None = None  # the adapter's usual mapping file
    every: Interval = 60  # between two polls
    recheck: Interval = 86400  # between two re-reads of open and recent records
    full: Interval = 86400  # between two scans from the beginning, which alone show what is gone without a trace
    prefix: str = Field("", max_length=4)  # before the order numbers of this connection in systems with short numbers
    account: str = ""  # connections of one account share its limits; the connection's own name by default
    base: str = ""  # whose books it shows: sums of different bases are added; "": nobody knows, the fuller counts
    rate: int | None = Field(None, gt=0)  # calls per minute; the adapter's usual number
    enabled: bool = True
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)  # may hold secrets


class Config(Section):
    hub: Hub = Hub()
    web: Web = Web()
    notices: Notices = Notices()
    limits: Limits = Limits()
    pipelines: tuple[Pipeline, ...] = Field((DEFAULT_PIPELINE,), alias="pipeline")
    flows: tuple[Flow, ...] = Field((), alias="flow")
    # "deal.stage" = a role, "connection:NAME", "hub", or a policy: manual, union, join, prefer:ROLE
    owners: dict[str, str] = Field(default_factory=dict)
    # what a record's deletion in one system means: {deal = "archive"}; see `deleted_in`
    deletes: dict[str, Deletion] = Field(default_factory=dict)
    connections: dict[str, Connection] = Field(default_factory=dict)
    path: Path | None = None

    def pipeline(self, name: str | None = None) -> Pipeline:
        """The named pipeline, else the first."""
        return next((p for p in self.pipelines if p.name == name), self.pipelines[0])

    @property
    def bases(self) -> dict[str, str]:
        """Connection → the word for the base that it shows; those that say none are not there."""
        return {name: one.base for name, one in self.connections.items() if one.base}

    def deleted_in(self, kind: str) -> tuple[str, ...]:
        """The connections in which a record of this kind is deleted when another system has deleted it: those that
        "propagate:…" names, else all that a flow of the kind names."""
        word, _, names = self.deletes.get(kind, "archive").partition(":")
        if word != "propagate":
            return ()
        named = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        return named or self.taking_part(kind)

    def taking_part(self, kind: str) -> tuple[str, ...]:
        """The connections that a flow of this kind names: only they are written."""
        return tuple(dict.fromkeys(n for f in self.flows if f.kind == kind for n in (f.source, f.target)))


_ENVELOPE = frozenset(Connection.model_fields) - {"name", "settings"}


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the file; BadConfig names file, line and key of the first thing that is wrong."""
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadConfig(
            Text(
                f"The configuration {path} cannot be read ({error.strerror}). `sverka init` writes one.",
                f"Файл настроек {path} не читается ({error.strerror}). Команда `sverka init` создаст его.",
            ),
            code="config.file",
        ) from error
    except UnicodeDecodeError as error:
        raise _bad(path, 1, "", "the file is not UTF-8", "файл не в кодировке UTF-8") from error
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        line = int(m[1]) if (m := re.search(r"at line (\d+)", str(error))) else source.count("\n") + 1
        raise _bad(path, line, "", f"not valid TOML: {error}", f"ошибка TOML: {error}") from error
    return build(data, path, source, environ)


def build(
    data: dict[str, Any], path: Path = Path("config.toml"), source: str = "", environ: Mapping[str, str] = os.environ
) -> Config:
    """The same from parsed TOML; relative paths in it are relative to the file's folder."""
    data = _fill(data, path, source, environ, "")
    connections: dict[str, Any] = {}
    for name, keys in dict(data.pop("connections", {})).items():
        if not re.fullmatch(r"[a-z0-9_-]{1,64}", name) or not isinstance(keys, dict):
            raise _bad(
                path,
                _line(source, [name]),
                f"connections.{name}",
                "a connection is a table with a name of a-z 0-9 _ -",
                "подключение — таблица с именем из a-z 0-9 _ -",
            )
        envelope = {k: v for k, v in keys.items() if k in _ENVELOPE}
        rest = {k: v for k, v in keys.items() if k not in _ENVELOPE}
        connections[name] = {**envelope, "name": name, "settings": rest}
    try:
        config = Config.model_validate({**data, "connections": connections, "path": path})
    except ValidationError as error:
        raise _from_pydantic(error, path, source, Config) from error
    hub = config.hub.model_copy(
        update={
            "spool": path.parent / config.hub.spool,
            "pictures": path.parent / config.hub.pictures,
            "mappings": config.hub.mappings and path.parent / config.hub.mappings,
            "database": _anchored(config.hub.database, path.parent),
        }
    )
    config = config.model_copy(update={"hub": hub})
    _cross_check(config, path, source)
    return config


def settings_error(error: ValidationError, config: Config, connection: str, model: type[BaseModel]) -> BadConfig:
    """An adapter's settings model did not accept the connection's keys."""
    path = config.path or Path("config.toml")
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    return _from_pydantic(error, path, source, model, ("connections", connection))


def _anchored(url: str, folder: Path) -> str:
    match = re.fullmatch(r"sqlite:///(?!/)(.+)", url)
    return f"sqlite:///{(folder / match[1]).resolve()}" if match and match[1] != ":memory:" else url


def _fill(value: Any, path: Path, source: str, environ: Mapping[str, str], key: str) -> Any:
    """Replace ${NAME} and file:… in every text."""
    if isinstance(value, dict):
        return {k: _fill(v, path, source, environ, f"{key}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill(v, path, source, environ, key) for v in value]
    if not isinstance(value, str):
        return value
    line = _line(source, key.split("."))
    if value.startswith("file:"):
        try:
            lines = (path.parent / value[5:]).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _bad(
                path, line, key, f"the file {value[5:]} cannot be read", f"файл {value[5:]} не читается"
            ) from error
        return lines[0].strip() if lines else ""

    def one(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise _bad(
                path,
                line,
                key,
                f"the environment variable {match[1]} is not set",
                f"переменная окружения {match[1]} не задана",
            )
        return environ[match[1]]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", one, value)


def _cross_check(config: Config, path: Path, source: str) -> None:
    """Names that refer to one another."""
    names = list(config.connections)
    for i, flow in enumerate(config.flows):
        for key, name in (("from", flow.source), ("to", flow.target)):
            if name not in names:
                raise _unknown(path, _line(source, ["[[flow]]", key], name), f"flow[{i}].{key}", name, names)
    if config.notices.via and config.notices.via not in names:
        raise _unknown(path, _line(source, ["notices", "via"]), "notices.via", config.notices.via, names)
    _check_owners(config, path, source)
    _check_deletes(config, path, source)
    for at, pipeline in enumerate(config.pipelines):
        _check_stages(config, at, path, source)
        stages = [s.name for s in pipeline.stages]
        for fact, stage in pipeline.facts.items():
            if fact not in FACTS:
                raise _unknown(
                    path, _line(source, ["facts", fact]), f"pipeline.{pipeline.name}.facts", fact, list(FACTS)
                )
            if stage not in stages:
                raise _unknown(
                    path, _line(source, ["facts", fact]), f"pipeline.{pipeline.name}.facts.{fact}", stage, stages
                )


def _check_deletes(config: Config, path: Path, source: str) -> None:
    """Kinds are known, and a deletion is repeated only where a flow lets the hub write at all."""
    for kind, policy in config.deletes.items():
        line, key = _line(source, ["deletes", kind]), f"deletes.{kind}"
        if kind not in WHOLE_KINDS:
            raise _unknown(path, line, key, kind, list(WHOLE_KINDS))
        able = config.taking_part(kind)
        if policy.startswith("propagate") and not able:
            raise _bad(
                path,
                line,
                key,
                f"no [[flow]] of the kind {kind} names a system in which a deletion could be repeated",
                f"нет ни одного [[flow]] вида {kind}: повторять удаление негде",
            )
        for name in config.deleted_in(kind):
            if name not in able:
                raise _unknown(path, line, key, name, list(able))


def cannot_delete(config: Config, kind: str, connection: str, able: list[str]) -> BadConfig:
    """The adapter of a connection has no way to delete what `[deletes]` wants deleted there. `able`: those that have."""
    path = config.path or Path("config.toml")
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    instead = f'"propagate:{",".join(able)}"' if able else '"archive"'
    return _bad(
        path,
        _line(source, ["deletes", kind]),
        f"deletes.{kind}",
        f"{connection} cannot delete a {kind}; name those that shall: {instead}",
        f"{connection} не умеет удалять записи вида {kind}; назовите тех, кому это можно: {instead}",
    )


def _check_owners(config: Config, path: Path, source: str) -> None:
    """Every key is a field of a kind, every value somebody who can own it."""
    fields = [f"{kind}.{field}" for kind in WHOLE_KINDS for field in KINDS[kind].model_fields if field not in UNDECIDED]
    sides = [*ROLES, "hub", *(f"connection:{name}" for name in config.connections)]
    for key, owner in config.owners.items():
        line = _line(source, ["owners", key])
        if key not in fields:
            raise _unknown(path, line, f"owners.{key}", key, fields)
        known = [f"prefer:{s}" for s in sides] if owner.startswith("prefer:") else [*sides, "manual", "union", "join"]
        if owner not in known:
            raise _unknown(path, line, f"owners.{key}", owner, known)


def _check_stages(config: Config, at: int, path: Path, source: str) -> None:
    """A pipeline's stages make a graph: all defined once, reachable from the first, and leading to an end."""
    pipeline = config.pipelines[at]
    key = f"pipeline.{pipeline.name}"
    if any(p.name == pipeline.name for p in config.pipelines[:at]):
        line = _stage_line(source, at, pipeline.name)
        raise _bad(path, line, key, "there are two pipelines of this name", "две воронки с одним именем")
    for stage, wrong in faults([(s.name, s.semantic, s.next) for s in pipeline.stages]):
        line = _stage_line(source, at, wrong.unknown or stage, named=not wrong.unknown, last=wrong.twice)
        where = f"{key}.stages.{stage}" if stage else f"{key}.stages"
        if wrong.unknown:
            raise _unknown(path, line, where, wrong.unknown, [s.name for s in pipeline.stages])
        raise _bad(path, line, where, wrong.text.en, wrong.text.ru)


def _stage_line(source: str, at: int, name: str, *, named: bool = True, last: bool = False) -> int:
    """The line of the n-th pipeline that gives something this name (or only mentions it); else the pipeline's own."""
    start = _line(source, ["pipeline", str(at)])
    lines = source.splitlines()
    end = next((i for i in range(start, len(lines)) if "[[pipeline]]" in lines[i]), len(lines))
    before = r"\bname\s*=\s*" if named else ""
    quoted = re.compile(rf"""{before}["']{re.escape(name)}["']""")
    found = [i + 1 for i in range(start, end) if name and quoted.search(lines[i].split("#")[0])]
    return (found[-1] if last else found[0]) if found else start


def _unknown(path: Path, line: int, key: str, found: str, known: list[str]) -> BadConfig:
    near = difflib.get_close_matches(found, known, 1)
    hint_en = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"
    hint_ru = f"; может быть, {near[0]!r}?" if near else f"; есть: {', '.join(known) or 'ничего'}"
    return _bad(path, line, key, f"{found!r} is not known{hint_en}", f"{found!r} неизвестно{hint_ru}")


def _from_pydantic(
    error: ValidationError, path: Path, source: str, model: type[BaseModel], prefix: tuple[str, ...] = ()
) -> BadConfig:
    """The first of pydantic's complaints, in our words; the received value is not repeated (it may be a secret).

    A mistyped key is named before the required one that it was meant to be.
    """
    errors = error.errors(include_input=False, include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    where = [*prefix, *(str(part) for part in first["loc"])]
    key, line = ".".join(where), _line(source, where)
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, [str(p) for p in first["loc"][:-1]])
        if prefix and len(first["loc"]) == 1:  # beside the adapter's own keys stand those of every connection
            known += sorted(_ENVELOPE)
        return _unknown(path, line, key, where[-1], known)
    if first["type"] == "missing":
        return _bad(path, _line(source, where[:-1]), key, "this key is required", "этот ключ обязателен")
    message = first["msg"].removeprefix("Value error, ")
    return _bad(path, line, key, message, f"значение не подходит: {message}")


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


def _line(source: str, where: list[str], value: str = "") -> int:
    """The line of a key: each part is looked for after the one before. 1 when it cannot be told."""
    lines = [text.split("#")[0] for text in source.splitlines()]
    at = 0
    for before, part in zip(["", *where], where, strict=False):
        if part.isdigit():  # the n-th table of a list of tables
            header = re.compile(rf"\[\[([^\]]*\.)?{re.escape(before)}\]\]")
            for _ in range(int(part)):
                at = next((i for i in range(at + 1, len(lines)) if header.search(lines[i])), at)
            continue
        pattern = re.compile(
            re.escape(part) if part.startswith("[") else rf"(^|[\[.\s\"]){re.escape(part)}([\].\s\"=]|$)"
        )
        at = next((i for i in range(at, len(lines)) if pattern.search(lines[i])), at)
    if value:
        at = next((i for i, text in enumerate(lines) if f'"{value}"' in text), at)
    return at + 1


def _bad(path: Path, line: int, key: str, en: str, ru: str) -> BadConfig:
    where = f"{path}, line {line}"
    where_ru = f"{path}, строка {line}"
    named = f" ({key})" if key else ""
    return BadConfig(Text(f"{where}{named}: {en}", f"{where_ru}{named}: {ru}"), code="config.value", setting=key)
