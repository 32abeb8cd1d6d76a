"""Commands for people: trace, deal, conflicts, review; `sverka client …` is in clients.py."""

from __future__ import annotations

import contextlib
import getpass
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from sync.cli.output import both, console, print_json, reporting, say, shown, table
from sync.errors import NeedHuman, Text
from sync.hub import Hub, acts, duplicates, reviewing, trace, views
from sync.hub.service import nudge
from sync.schedule.worklock import WorkLock

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def register(app: typer.Typer) -> None:
    app.command("trace")(trace_command)
    app.command()(deal)
    app.command()(conflicts)
    app.command()(review)
    app.command()(status)


def trace_command(context: typer.Context, query: str, as_json: AsJson = False) -> None:
    """Every hop of a record: order number, phone, e-mail, client's name, number in accounting, INN or article."""
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        found = trace.trace(hub, query)
        if as_json:
            print_json({"query": query, "found": [asdict(f) for f in found]})
        elif not found:
            console.print(both(f"Ничего не найдено: {query}", f"Nothing found: {query}"), markup=False)
        else:
            stages = {s.name: s.title for line in hub.config.pipelines for s in line.stages}
            for one in found:
                _show_trace(one, stages)
    if not found:
        raise typer.Exit(1)


_LINKS = {  # of links that are not simply there
    "offered": ("передано, ещё не вернулось", "given, not come back yet"),
    "detached": ("отвязано", "taken off"),
    "gone": ("удалено там", "gone there"),
}
_KINDS = {
    "deal": ("Сделка", "Deal"),
    "lead": ("Лид", "Lead"),
    "company": ("Компания", "Company"),
    "contact": ("Человек", "Person"),
    "product": ("Товар", "Product"),
}


def _show_trace(one: trace.Trace, stages: Mapping[str, str]) -> None:
    client = one.client["name"] if one.client else both("клиент неизвестен", "client unknown")
    console.print()
    console.print(
        " · ".join(
            part
            for part in (
                f"{both(*_KINDS.get(one.kind, (one.kind, one.kind)))} {one.number or one.uid}",
                one.title,
                client,
                stages.get(one.stage or "", one.stage),
            )
            if part
        ),
        style="bold",
        markup=False,
    )
    if one.kind == "deal":
        console.print(
            both(
                f"сумма {one.amount} {one.currency}, оплачено {one.paid or 0}, отгружено {one.shipped or 0}",
                f"sum {one.amount} {one.currency}, paid {one.paid or 0}, shipped {one.shipped or 0}",
            ),
            markup=False,
        )
    if one.responsible:
        console.print(both(f"ответственный: {one.responsible}", f"responsible: {one.responsible}"), markup=False)
    for link in one.links:
        number = f" № {link['number']}" if link["number"] else ""
        state = f" ({both(*_LINKS[link['state']])})" if link["state"] in _LINKS else ""
        console.print(f"  ↔ {link['connection']}/{link['kind']} {link['id']}{number}{state}", markup=False)
    for goods in one.goods:
        console.print(f"  {goods['what']} {goods['name']}: {goods['value']} {goods['currency'] or ''}", markup=False)
    marks = {"ok": "✓", "wait": "…", "stop": "✗"}
    table(
        both("Путь", "Hops"),
        (
            both("время", "time"),
            "",
            both("где", "where"),
            both("что", "what"),
            both("причина, что делать", "reason, remedy"),
        ),
        [
            (h.at, marks[h.state], h.place, say(h.text), " → ".join(x for x in (say(h.reason), say(h.remedy)) if x))
            for h in one.hops
        ],
    )


def deal(
    context: typer.Context,
    number: str,
    stage: Annotated[str | None, typer.Option(help="Move the deal to this stage.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why (needed for a lost deal).")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a deal, or move it to another stage by hand: the change goes to the other systems with the next work."""
    with reporting(), Hub.open(context.obj) as hub:
        result: dict[str, Any]
        if stage is None:
            row = acts.find_deal(hub, number)
            result = {"uid": row.uid, "number": row.number, "stage": row.stage, "fields": row.data}
        else:
            result = acts.set_stage(hub, number, stage, getpass.getuser(), reason)
            result["working"] = WorkLock(hub.store).holder()
            nudge(hub)
    if as_json:
        print_json(result)
    elif stage is None:
        table(f"{number}", ("", ""), [(k, v) for k, v in result["fields"].items()])
    else:
        by = (
            both("сделает работающая служба", "the running service does it")
            if result["working"]
            else both("уйдёт при следующем sverka sync", "goes out with the next sverka sync")
        )
        console.print(f"{number}: {result['from']} → {result['to']} ({by})", markup=False)


def conflicts(
    context: typer.Context,
    id: Annotated[int | None, typer.Argument(help="The conflict to decide.")] = None,
    take: Annotated[str | None, typer.Option(help="Whose value to take: a side's name, or hub.")] = None,
    saw: Annotated[str | None, typer.Option(help="The values you looked at, as --json shows them under sides.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why the deal is lost, where it is.")] = None,
    as_json: AsJson = False,
) -> None:
    """List values on which systems disagree, or decide one."""
    with reporting(), Hub.open(context.obj) as hub:
        if id is None and (take is not None or saw is not None):
            raise NeedHuman(
                Text(
                    "Name the conflict: sverka conflicts ID --take SIDE.",
                    "Укажите расхождение: sverka conflicts ID --take СТОРОНА.",
                ),
                code="conflict.which",
            )
        if id is not None and take is not None:
            result = acts.decide_conflict(hub, id, take, getpass.getuser(), _looked_at(saw), reason)
            nudge(hub)
            if as_json:
                print_json(result)
                return
            console.print(f"{result['field']} = {result['value']}", markup=False)
            for why in result.get("stays_deleted", {}).values():
                console.print(say(why), markup=False, soft_wrap=True)
            return
        rows = [r for r in views.conflicts(hub) if id in (None, r["id"])]
        if id is not None and not rows:
            acts.open_conflict(hub, id)  # says what became of it
    if as_json:
        print_json(rows)
        return
    _show_conflicts(rows)


def _show_conflicts(rows: list[dict[str, Any]]) -> None:
    table(
        both("Расхождения", "Conflicts"),
        (
            "id",
            "",
            "",
            both("поле", "field"),
            both("почему", "why"),
            both("было согласовано", "agreed before"),
            both("теперь", "now"),
            both("кто изменил", "changed by"),
            both("с", "since"),
            "",
        ),
        [
            (
                r["id"],
                r["kind"],
                r["number"] or r["title"],
                r["field"],
                say(trace.CAUSES.get(r["cause"])),
                shown(r["base"]),
                "; ".join(f"{side} = {shown(value)}" for side, value in {"hub": r["held"], **r["sides"]}.items()),
                ", ".join(r["who"] or ()),
                r["since"],
                _overtaken(r["overtaken"]),
            )
            for r in rows
        ],
    )
    if rows:
        example = f"sverka conflicts {rows[0]['id']} --take {next(iter(rows[0]['sides']))}"
        console.print(both(f"Решить: {example}", f"To decide: {example}"), markup=False, soft_wrap=True)


def _overtaken(found: dict[str, Any] | None) -> str:
    return f"{found['who']}: {found['value']!r}. {say(found['text'])}" if found else ""


def _looked_at(saw: str | None) -> dict[str, Any] | None:
    if saw is None:
        return None
    with contextlib.suppress(json.JSONDecodeError):
        values = json.loads(saw)
        if isinstance(values, dict):
            return values
    raise NeedHuman(
        Text(
            '--saw wants the values as `sverka conflicts --json` shows them under "sides", one JSON object.',
            "--saw — это значения, как их показывает `sverka conflicts --json` в «sides»: один объект JSON.",
        ),
        code="conflict.saw",
    )


def review(
    context: typer.Context,
    id: Annotated[int | None, typer.Argument(help="The question to answer.")] = None,
    answer: Annotated[
        str | None,
        typer.Argument(
            help="link (it is this client), new (a client of its own), never (never these two), back (take the answer back)."
        ),
    ] = None,
    client: Annotated[
        str | None, typer.Argument(help="The client's uid: for link; for never only where several.")
    ] = None,
    decided: Annotated[bool, typer.Option("--decided", help="List the newest answers instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List questions about whose an event is, answer one for everybody, or take an answer back."""
    with reporting(), Hub.open(context.obj) as hub:
        if id is not None and answer is not None:
            who = getpass.getuser()
            result = (
                reviewing.take_back(hub, id, who)
                if answer == "back"
                else reviewing.decide(hub, id, answer, who, client)
            )
            nudge(hub)
            print_json(result) if as_json else console.print(f"{id}: {answer} {client or ''}".rstrip(), markup=False)
            return
        rows = [r for r in reviewing.questions(hub, decided=decided) if id in (None, r["id"])]
    print_json(rows) if as_json else _list_questions(rows, decided)


def _list_questions(rows: list[dict[str, Any]], decided: bool) -> None:
    table(
        both("Чьё это?", "Whose is it?"),
        (
            "id",
            both("карточка", "card"),
            both("почему вопрос", "why it is asked"),
            both("кто это может быть", "candidates"),
        )
        + ((both("ответ", "answer"),) if decided else (both("что лежит", "events"),)),
        [
            (
                r["id"],
                f"{r['title'] or ''} ({r['record_uid']})",
                say(r["reason"]),
                "; ".join(map(_candidate, r["candidates"])),
            )
            + ((_answer(r["decision"]),) if decided else ("; ".join(map(_event, r["events"])),))
            for r in rows
        ],
    )


def _candidate(one: dict[str, Any]) -> str:
    reason = say(one["reason"]) if isinstance(one.get("reason"), dict) else ""
    struck = both(" — никогда", " — never") if "never" in one else ""
    return f"{one['name']} ({one['uid']}){f': {reason}' if reason else ''}{struck}"


def _event(one: dict[str, Any]) -> str:
    return f"{one['at'].astimezone():%Y-%m-%d %H:%M} {one['type']} {one['subject'] or ''}".rstrip()


def _answer(decision: dict[str, Any]) -> str:
    return f"{decision.get('choice', '')} {decision.get('client') or ''} ({decision.get('who', '')})"


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Connections, what waits, and the last runs."""
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        found: dict[str, Any] = {"connections": views.connections(hub), "totals": views.totals(hub)}
        found["runs"] = views.last_runs(hub)
        found["duplicates"] = duplicates.waiting(hub)
    if as_json:
        print_json(found)
        return
    table(
        both("Подключения", "Connections"),
        ("", "", "", "", ""),
        [
            (c["name"], c["role"], c["state"], c["last_success"] or c["last_arrival"], say(c["reason"]))
            for c in found["connections"]
        ],
    )
    if number := found["duplicates"]:
        text = both(f"Вероятных дублей клиентов: {number}.", f"Probable duplicates among clients: {number}.")
        console.print(f"{text} sverka identity duplicates", style="yellow", markup=False)
    names = ("read", "new", "changed", "same", "skipped", "failed", "writes")
    table(
        both("Последние работы", "Last runs"),
        ("", "", "", "", *names),
        [(r["started_at"], r["connection"], r["work"], r["outcome"], *(r[n] for n in names)) for r in found["runs"]],
    )
