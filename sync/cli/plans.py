"""Commands about what has not been written yet: plan, approve, plans."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from sync.cli.output import Voice, both, console, print_json, reporting, say, shown, stderr, table
from sync.errors import NeedHuman, Text
from sync.hub import Hub, approvals, duplicates, plans

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
SHOWN = 200  # rows of one table on the screen; --json has all of them


def register(app: typer.Typer) -> None:
    app.command()(plan)
    app.command()(approve)
    app.command("plans")(list_plans)


def plan(
    context: typer.Context,
    connection: Annotated[str | None, typer.Argument(help="One connection only.")] = None,
    as_json: AsJson = False,
    save: Annotated[bool, typer.Option("--save", help="Keep it, to be approved by its id.")] = False,
) -> None:
    """Show what a sync would do. Changes nothing, here or there; --save keeps the plan to be approved."""
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        found = plans.plan(hub, connection)
        if save and not found["errors"]:
            found["id"] = approvals.save(hub, found, connection)
    if as_json:
        print_json(found)
    else:
        _show(found)
        if save:
            _saved(found)
    if found["errors"]:
        raise typer.Exit(1)


def _saved(found: dict[str, Any]) -> None:
    if found.get("id"):
        text = both(f"План {found['id']} сохранён. Выполнить его:", f"The plan {found['id']} is kept. To carry it out:")
        console.print(f"{text} sverka approve {found['id']}", markup=False, soft_wrap=True)
    elif found["errors"]:
        console.print(both("План не сохранён: он неполный.", "The plan is not kept: it is not whole."), style="red")
    else:
        console.print(both("Подтверждать нечего: записей нет.", "There is nothing to approve: no writes."))


def _show(found: dict[str, Any]) -> None:
    console.print(both("ПРОБНЫЙ ПРОГОН: ничего не изменено.", "DRY RUN: nothing was changed."), style="bold")
    rows = [(name, kind, *counts.values()) for name, kinds in found["counts"].items() for kind, counts in kinds.items()]
    table(both("Записи", "Records"), ("", "", "read", "new", "changed", "same", "skipped", "failed", "writes"), rows)
    summary = [
        (s["what"], s["connection"], s["kind"], s["number"], ", ".join(f"{f}: {n}" for f, n in s["fields"].items()))
        for s in found["summary"]
    ]
    table(both("Что произойдёт", "What would happen"), ("", "", "", "", ""), summary)
    changes = [
        (
            c["connection"],
            c["kind"],
            c.get("title") or c.get("id"),
            c.get("why", "✗"),
            say(c.get("refused")) or _changes(c),
        )
        for c in found["changes"]
    ]
    _rows(both("Изменения в базе Сверки", "Changes of the hub's records"), changes)
    _rows(both("Записи в другие системы", "Writes to other systems"), [_write(w) for w in found["writes"]])
    asked = [(c["kind"], c["title"], c["field"], _sides(c["sides"])) for c in found["conflicts"]]
    _rows(both("Расхождения", "Conflicts"), asked)
    held = [(q["connection"], q["kind"], q["id"], say(q["text"])) for q in found["quarantine"]]
    _rows(both("Карантин", "Quarantine"), held)
    gone = [(d["connection"], d["kind"], d["number"], ", ".join(d["ids"][:10])) for d in found["deletes"]]
    _rows(both("Больше не показаны", "Not listed any more"), gone)
    anew = [
        (name, kind, told["changed"], ", ".join(f"{f}: {n}" for f, n in told["fields"].items()))
        for name, kinds in found["mapping"].items()
        for kind, told in kinds.items()
    ]
    _rows(both("Изменённые соответствия прочтут иначе", "The changed mapping reads otherwise"), anew)
    for one in found["approval"]:
        text = both(
            f"{one['connection']}: записей {one['writes']}, перед выполнением нужно подтверждение",
            f"{one['connection']}: {one['writes']} writes need a yes before they go",
        )
        console.print(f"{text} ({_reason(one['reason'])})", markup=False, soft_wrap=True)
    for name, error in found["errors"].items():
        stderr.print(f"✗ {name}: {say(error)}", style="red", markup=False, soft_wrap=True)


def _rows(title: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        table(title, ("",) * len(rows[0]), rows[:SHOWN])
    if len(rows) > SHOWN:
        console.print(both(f"… и ещё {len(rows) - SHOWN}: --json", f"… and {len(rows) - SHOWN} more: --json"))


def _write(one: dict[str, Any]) -> tuple[Any, ...]:
    more = f" — {say(one['why'])}" if one["op"] == "merge" else ""
    return (one["connection"], one["kind"], one["op"], one["id"] or one["title"], _changes(one) + more)


def _changes(one: dict[str, Any]) -> str:
    """field: before → after; of a creation the values alone."""
    pairs = one.get("changes", {})
    return "; ".join(
        f"{f}: {shown(v[0])} → {shown(v[1])}" if isinstance(v, list) and len(v) == 2 else f"{f}: {shown(v)}"
        for f, v in pairs.items()
    )


def _sides(sides: dict[str, Any]) -> str:
    return "; ".join(f"{name} = {shown(value)}" for name, value in sides.items())


def _reason(reason: str) -> str:
    return {
        "asked": both("по запросу", "asked for"),
        "first_run": both("первый запуск", "first run"),
        "divergence": both("необычно много", "unusually many"),
        "deletes": both("удаления", "deletions"),
        "mapping": both("другие соответствия", "another mapping"),
        "duplicates": both("дубли клиентов", "duplicate clients"),
    }.get("deletes" if reason.startswith("gone") else reason.split(":")[0], reason)


def approve(
    context: typer.Context,
    id: Annotated[str | None, typer.Argument(help="The plan; without it, what waits is listed.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let what waits go: one plan, or --all. Without either, list what waits."""
    with reporting(), Hub.open(context.obj) as hub:
        if id is None and not everything:
            _list(approvals.waiting(hub), as_json)
            return
        names = [id] if id is not None else [w["id"] for w in approvals.waiting(hub)]
        done, refused = [], []
        for name in names:
            try:
                done.append(approvals.approve(hub, name, getpass.getuser()))
            except NeedHuman as error:
                if id is not None:
                    raise
                refused.append(error)
    if as_json:
        print_json({"approved": done, "refused": [{"code": e.code, "en": e.text.en, "ru": e.text.ru} for e in refused]})
    else:
        for one in done:
            _approved(one)
        if not names:
            console.print(both("Ничего не ждёт подтверждения.", "Nothing waits for approval."))
        for one_refused in refused:
            stderr.print(f"✗ {one_refused.text.say(Voice.language)}", style="red", markup=False, soft_wrap=True)
    if refused:
        raise typer.Exit(3)


def _approved(one: dict[str, Any]) -> None:
    text = Text(
        f"✓ The plan {one['id']} is approved: {one['writes']} writes go with the next sync.",
        f"✓ План {one['id']} подтверждён: записей {one['writes']}, выполнит ближайшая синхронизация.",
    )
    if one["reason"] == duplicates.REASON:
        text = Text(
            f"✓ The plan {one['id']} is done: {one['writes']} cards merged. All of it back: sverka undo {one['run']}",
            f"✓ План {one['id']} выполнен: объединено карточек — {one['writes']}. Отменить всё: sverka undo {one['run']}",
        )
    console.print(both(text.ru, text.en), markup=False, soft_wrap=True)
    if one["moved"]:
        console.print(
            both(
                f"  Изменилось с тех пор: {one['moved']}; это планируется заново.",
                f"  Moved since: {one['moved']}; that is planned again.",
            ),
            markup=False,
            soft_wrap=True,
        )


def _list(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"plans": found})
        return
    if not found:
        console.print(both("Ничего не ждёт подтверждения.", "Nothing waits for approval."))
        return
    columns = (
        "id",
        both("система", "system"),
        both("причина", "reason"),
        both("записей", "writes"),
        both("с", "since"),
    )
    rows = [
        (w["id"], w["connection"] or both("все", "all"), _reason(w["reason"]), _counts(w), w["at"], _state(w))
        for w in found
    ]
    table(both("Ждёт подтверждения", "Waits for approval"), (*columns, ""), rows)


def _counts(one: dict[str, Any]) -> str:
    more = both(f"и ещё {one['behind']} после", f"and {one['behind']} more since") if one["behind"] else ""
    return ", ".join([*(f"{name}: {number}" for name, number in one["counts"].items()), *([more] if more else [])])


def _state(one: dict[str, Any]) -> str:
    return "" if one["state"] == "waiting" else f"{one['state']} {say(one['text'])}".strip()


def list_plans(
    context: typer.Context,
    id: Annotated[str | None, typer.Argument(help="One plan with all that it would do.")] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Refuse it: nothing of it is written.")] = False,
    as_json: AsJson = False,
) -> None:
    """List plans, decided ones too; show one, or refuse it with --drop."""
    with reporting(), Hub.open(context.obj, frozen=not drop) as hub:
        if id is None:
            _list(approvals.waiting(hub, everything=True), as_json)
            return
        found = approvals.drop(hub, id, getpass.getuser()) if drop else approvals.show(hub, id)
    if as_json:
        print_json(found)
    elif drop:
        console.print(
            both(
                f"План {id} отклонён, записей отменено: {found['dropped']}.",
                f"The plan {id} is dropped: {found['dropped']} writes are not made.",
            ),
            markup=False,
        )
    else:
        console.print(f"{id}: {found['state']}, {_reason(found['reason'])}. {say(found['text'])}", markup=False)
        _rows(both("Записи в другие системы", "Writes to other systems"), [_write(i) for i in found.get("items", [])])
