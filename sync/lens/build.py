"""Compiling the tables of one native kind into a Lens. Every name is checked here; the first mistake is raised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync.errors import Text
from sync.lens import conditions, language, paths
from sync.lens.language import Compiler, Expression, Key
from sync.lens.lens import Lens
from sync.lens.paths import Path
from sync.lens.plans import Block, CreateRows, Plan, RowsPlan, RowsWriter, compiled, usual_row
from sync.lens.problems import UNKNOWN, Bad, Mistake, unknown_name
from sync.lens.rewriting import TOTALS
from sync.lens.transforms import Table
from sync.lens.values import CLIENT_KINDS, EVENT_FIELDS, FIELDS, NEEDED, Kind

SECTIONS = ("kind", "fields", "rows", "client", "event", "create", "write")
FIELD = Text("Canonical field", "Каноническое поле")
SECTION = Text("Section", "Раздел")

# What the canonical view of a create has beside the kind's own fields. `client.id` is the client's external id over there;
# `contact_id` and `company_id` are the same where the client is one.
VIEW_EXTRA = ("client", "number", "uid")
VIEW_CLIENT = frozenset(CLIENT_KINDS) | {"id", "uid", "contact_id", "company_id"}


def build_tables(source: Any) -> dict[str, Table]:
    tables = {}
    for name, words in _table(source, ("tables",)).items():
        for word, value in _table(words, ("tables", name)).items():
            if not isinstance(value, str | bool | int):
                text = Text(
                    "A word of a table means a text, a whole number or true/false.",
                    "Слово таблицы: текст, число, true/false.",
                )
                raise Mistake(("tables", name, word), "mapping.table", text)
        tables[name] = Table(name, dict(words))
    return tables


def build_lens(native: str, source: Any, tables: Mapping[str, Table]) -> Lens:
    """One native kind. Mistake when anything in it is not known."""
    section = _table(source, (native,))
    for name in section:
        if name not in SECTIONS:
            raise unknown_name((native, name), "mapping.section", SECTION, name, SECTIONS)
    kind = section.get("kind")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise unknown_name(
            (native, "kind"), "mapping.kind", Text("Canonical kind", "Вид записи"), str(kind or ""), FIELDS
        )
    compiler = Compiler(tables)
    key = (native,)
    plans = _plans(section.get("fields", {}), FIELDS[kind], compiler, (*key, "fields"), writable=True)
    rows = _rows(section.get("rows", {}), FIELDS[kind], compiler, (*key, "rows"))
    for row in rows:
        if any(plan.name == row.name for plan in plans):
            text = Text(f"“{row.name}” is in fields already.", f"«{row.name}» уже есть в fields.")
            raise Mistake((*key, "rows", row.name), "mapping.twice", text)
    _check_needed(NEEDED[kind], plans, (*key, "fields"))
    _check_targets(plans, (*key, "fields"))
    create = _table(section.get("create", {}), (*key, "create"))
    for name in create:
        if name not in ("fields", "rows"):
            raise unknown_name((*key, "create", name), "mapping.section", SECTION, name, ("fields", "rows"))
    create_rows = _create_rows(create.get("rows", {}), kind, tables, (*key, "create", "rows"))
    return Lens(
        native,
        kind,
        plans,
        rows,
        _plans(section.get("client", {}), CLIENT_KINDS, compiler, (*key, "client")),
        _plans(section.get("event", {}), EVENT_FIELDS, compiler, (*key, "event")),
        _create_fields(create.get("fields", {}), kind, tables, (*key, "create", "fields")),
        create_rows,
        _row_writers(section.get("write", {}), rows, create_rows, (*key, "write")),
    )


def _plans(
    source: Any, fields: Mapping[str, Kind], compiler: Compiler, key: Key, writable: bool = False
) -> tuple[Plan, ...]:
    plans = []
    for name, expression in _gathered(_table(source, key), fields, key).items():
        if name not in fields:
            raise unknown_name((*key, name), "mapping.field", FIELD, name, fields)
        plans.append(_plan(name, fields[name], expression, compiler, (*key, name), writable))
    return tuple(plans)


def _gathered(source: Mapping[str, Any], fields: Mapping[str, Kind], key: Key) -> dict[str, Any]:
    """`utm.source = "…"` and `"utm.source" = "…"` are ways of writing `utm = { dict = { source = "…" } }`."""
    gathered: dict[str, Any] = {}
    for name, expression in source.items():
        head, _, inner = name.partition(".")
        if inner and head in fields and fields[head].name == "words":
            form = gathered.setdefault(head, {"dict": {}})
            if not (isinstance(form, dict) and isinstance(form.get("dict"), dict)) or inner in form["dict"]:
                raise Mistake(
                    (*key, name), "mapping.twice", Text(f"“{head}” is given twice.", f"«{head}» задано дважды.")
                )
            form["dict"][inner] = expression
        elif name in fields and fields[name].name == "words" and isinstance(expression, dict):
            plain = not any(word in expression for word in (*language.FORMS, "get", "put"))
            gathered[name] = {"dict": dict(expression)} if plain else dict(expression)
        else:
            gathered[name] = expression
    return gathered


def _plan(name: str, kind: Kind, source: Any, compiler: Compiler, key: Key, writable: bool) -> Plan:
    put: Any = UNKNOWN
    if isinstance(source, dict) and ("get" in source or "put" in source):
        for word in source:
            if word not in ("get", "put"):
                raise unknown_name(key, "mapping.expression", Text("Word", "Слово"), word, ("get", "put"))
        if "get" not in source:
            text = Text("put without get: say how the field is read.", "put без get: укажите, как поле читается.")
            raise Mistake(key, "mapping.expression", text)
        put = source.get("put")  # None: read only
        source = source["get"]
    expression = compiler.expression(source, key)
    _check_images(expression, kind, key)
    if not writable or put is None:
        return Plan(name, kind, expression)
    if put is UNKNOWN:
        return Plan(name, kind, expression, _writers(expression))
    writers = _writers(compiler.expression(put, key))
    if not writers:
        text = Text(
            "put must be a path whose transforms all have a way back.",
            "put: нужен путь, все преобразования которого обратимы.",
        )
        raise Mistake(key, "mapping.put", text)
    return Plan(name, kind, expression, writers)


def _writers(expression: Expression) -> tuple[tuple[str, language.Chain], ...]:
    """The chains by which the expression can be written; none when any part of it is read only."""
    if expression.chain:
        return (("", expression.chain),) if expression.chain.two_way else ()
    chains = [
        (name, part.chain) for name, part in (expression.parts or {}).items() if part.chain and part.chain.two_way
    ]
    return tuple(chains) if chains and len(chains) == len(expression.parts or {}) else ()


def _check_images(expression: Expression, kind: Kind, key: Key) -> None:
    """A constant, or what a closing lookup gives, must fit the field: a table of stages is no table of yes and no."""
    images: Iterable[Any] = () if expression.const is UNKNOWN else (expression.const,)
    steps = expression.chain.steps if expression.chain else ()
    if steps and steps[-1].table and kind.name != "rows":
        images = steps[-1].table.words.values()
    for image in images:
        try:
            kind.convert(image)
        except Bad as bad:
            text = Text(
                f"“{image}” does not fit the field. {bad.text.en}", f"«{image}» не подходит полю. {bad.text.ru}"
            )
            raise Mistake(key, "mapping.value", text) from None


def _check_needed(needed: frozenset[str], plans: tuple[Plan, ...], key: Key) -> None:
    for name in sorted(needed - {plan.name for plan in plans}):
        text = Text(f"“{name}” is missing: it must be there.", f"Нет «{name}», а оно обязательно.")
        raise Mistake(key, "mapping.needed", text)


def _check_targets(plans: tuple[Plan, ...], key: Key) -> None:
    """Two fields that are written to one place could not both be read back."""
    taken: list[tuple[tuple[paths.Segment, ...], str]] = []
    for plan in plans:
        for _, chain in plan.writers:
            mine = chain.path.segments
            for other, name in taken:
                shared = min(len(mine), len(other))
                if name != plan.name and mine[:shared] == other[:shared]:
                    text = Text(
                        f"“{name}” and “{plan.name}” are both written to {chain.path.text}. "
                        "Make one of them read only: { get = … }.",
                        f"«{name}» и «{plan.name}» пишутся в одно место {chain.path.text}. "
                        "Сделайте одно из них только для чтения: { get = … }.",
                    )
                    raise Mistake((*key, plan.name), "mapping.twice", text)
            taken.append((mine, plan.name))


def _rows(source: Any, fields: Mapping[str, Kind], compiler: Compiler, key: Key) -> tuple[RowsPlan, ...]:
    lists = {name: kind for name, kind in fields.items() if kind.row is not None}
    plans = []
    for name, blocks in _table(source, key).items():
        if name not in lists:
            raise unknown_name((*key, name), "mapping.field", Text("List of rows", "Список строк"), name, lists)
        kind = lists[name]
        made = []
        for at, block in enumerate(_blocks(blocks, (*key, name))):
            here = (*key, name, at)
            made.append(_block(block, kind, compiler, here))
        plans.append(RowsPlan(name, kind, tuple(made)))
    return tuple(plans)


def _block(block: Mapping[str, Any], kind: Kind, compiler: Compiler, key: Key) -> Block:
    each = block["each"]
    when = conditions.compile_when(block["when"], (*key, "when"), compiler) if "when" in block else conditions.always
    plans = _plans(block["fields"], kind.row or {}, compiler, (*key, "fields"))
    _check_needed(kind.needed, plans, (*key, "fields"))
    read = compiled(plans)
    usual = usual_row(kind, read)
    if each == "":
        return Block(None, lambda node, scope: [node], when, plans, read, usual)
    path = language.parse_path(each, (*key, "each"))
    return Block(path, paths.reader(path), when, plans, read, usual)


def _blocks(source: Any, key: Key) -> list[Mapping[str, Any]]:
    """The blocks of a list of rows, each with `each`, `fields` and perhaps `when`."""
    blocks = source if isinstance(source, list) else [source]
    for at, block in enumerate(blocks):
        for word in _table(block, (*key, at)):
            if word not in ("each", "when", "fields"):
                raise unknown_name(
                    (*key, at, word), "mapping.rows", Text("Word", "Слово"), word, ("each", "when", "fields")
                )
        if not isinstance(block.get("each"), str) or not isinstance(block.get("fields"), dict):
            text = Text(
                'A block of rows takes each = "path" and fields = { … }.',
                'Блоку строк нужны each = "путь" и fields = { … }.',
            )
            raise Mistake((*key, at), "mapping.rows", text)
    return blocks


def _view_compiler(kind: str, tables: Mapping[str, Table], row: Kind | None = None) -> Compiler:
    """A compiler whose paths lead into the canonical view, or into a row of one of its lists."""
    view = {*FIELDS[kind], *VIEW_EXTRA}

    def check(path: Path, key: Key) -> None:
        if path.base == "#" or not path.segments:
            return
        names = {*(row.row or {}), *(TOTALS if row.numbered else ())} if row and path.base == "" else view
        head = path.segments[0]
        if head not in names:
            raise unknown_name(key, "mapping.view", Text("Value of the view", "Значение"), str(head), names)
        if head == "client" and names is view and len(path.segments) > 1 and path.segments[1] not in VIEW_CLIENT:
            raise unknown_name(
                key, "mapping.view", Text("Client's", "Значение клиента"), str(path.segments[1]), VIEW_CLIENT
            )

    return Compiler(tables, check)


def _create_fields(
    source: Any, kind: str, tables: Mapping[str, Table], key: Key
) -> tuple[tuple[Path, Expression], ...]:
    return _natives(source, _view_compiler(kind, tables), key)


def _natives(source: Any, compiler: Compiler, key: Key) -> tuple[tuple[Path, Expression], ...]:
    """`native path = expression over the view`."""
    made = []
    for target, expression in _table(source, key).items():
        path = language.parse_path(target, (*key, target))
        if path.base or not path.segments:
            text = Text(f"Nothing can be written to {target}.", f"В {target} писать нельзя.")
            raise Mistake((*key, target), "mapping.path", text)
        made.append((path, compiler.expression(expression, (*key, target))))
    return tuple(made)


def _create_rows(source: Any, kind: str, tables: Mapping[str, Table], key: Key) -> tuple[CreateRows, ...]:
    made = []
    for target, blocks in _table(source, key).items():
        path = language.parse_path(target, (*key, target))
        compiled_blocks = []
        for at, block in enumerate(_blocks(blocks, (*key, target))):
            here = (*key, target, at)
            field = FIELDS[kind].get(block["each"])
            if block["each"] and (field is None or not field.plural):
                lists = [name for name, one in FIELDS[kind].items() if one.plural]
                raise unknown_name((*here, "each"), "mapping.field", Text("List", "Список"), block["each"], lists)
            compiler = _view_compiler(kind, tables, field)
            when = conditions.compile_when(block["when"], here, compiler) if "when" in block else conditions.always
            each = language.parse_path(block["each"] or ".", here)
            read = paths.reader(each) if block["each"] else _itself
            compiled_blocks.append((read, when, _natives(block["fields"], compiler, (*here, "fields"))))
        made.append(CreateRows(path, tuple(compiled_blocks)))
    return tuple(made)


def _row_writers(
    source: Any, rows: tuple[RowsPlan, ...], create: tuple[CreateRows, ...], key: Key
) -> dict[str, RowsWriter]:
    """`lines = { to = "PRODUCT_ROWS", keep = ["productId"] }`: a list that changes is written whole, as on a create."""
    plans, targets = {one.name: one for one in rows}, {one.target.text: one for one in create}
    made = {}
    for name, said in _table(source, key).items():
        if name not in plans:
            raise unknown_name((*key, name), "mapping.field", Text("List of rows", "Список строк"), name, plans)
        for word in _table(said, (*key, name)):
            if word not in ("to", "keep"):
                raise unknown_name((*key, name, word), "mapping.write", Text("Word", "Слово"), word, ("to", "keep"))
        target, keep = str(said.get("to") or ""), said.get("keep", [])
        if target not in targets:
            raise unknown_name(
                (*key, name), "mapping.write", Text("List of create", "Список в create"), target, targets
            )
        blocks = plans[name].blocks
        whole = len(blocks) == 1 and blocks[0].when is conditions.always
        if not whole or blocks[0].each is None or blocks[0].each.text != target:
            text = Text(
                f"Only a list that is read from {target} by one block without when can be written there.",
                f"Записать можно только список, который читается из {target} одним блоком без when.",
            )
            raise Mistake((*key, name), "mapping.write", text)
        if not isinstance(keep, list) or not all(isinstance(one, str) for one in keep):
            text = Text("keep takes a list of names of a row.", "keep: список имён полей строки.")
            raise Mistake((*key, name), "mapping.write", text)
        made[name] = RowsWriter(targets[target], tuple(keep))
    return made


def _itself(node: Any, scope: paths.Scope) -> Any:
    return [node]


def _table(source: Any, key: Key) -> Mapping[str, Any]:
    if not isinstance(source, dict):
        text = Text("A table is expected here.", "Здесь ожидается таблица.")
        raise Mistake(key, "mapping.section", text)
    return source
