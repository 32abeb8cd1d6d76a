"""Commands that work: check, sync, serve, worker."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from datetime import timedelta
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from sync.cli.output import Voice, both, console, print_json, reporting, say, stderr, table
from sync.cli.progress import watching
from sync.errors import BadConfig, Fatal, Text
from sync.hub import Hub, approvals, checks, commands, duplicates, runs, works
from sync.hub.service import Service, nudge, summary
from sync.schedule.worklock import WorkLock
from sync.store.tables import command

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Only = Annotated[str | None, typer.Argument(help="One connection only.")]


def register(app: typer.Typer) -> None:
    app.command()(check)
    app.command()(sync)
    app.command()(serve)
    app.command()(worker)


def check(context: typer.Context, connection: Only = None, as_json: AsJson = False, owners: bool = False) -> None:
    """Try every connection step by step; each failing line names the setting to mend. Then: whose word counts, field by
    field with --owners."""
    failed = 0
    with reporting(), Hub.open(context.obj, frozen=True) as hub:
        lines = []
        for line in checks.check(hub, connection):
            failed += not line.ok
            if as_json:
                lines.append(
                    {
                        "connection": line.connection,
                        "step": line.step,
                        "ok": line.ok,
                        "en": line.text.en,
                        "ru": line.text.ru,
                        "setting": line.setting,
                        "remedy": {"en": line.remedy.en, "ru": line.remedy.ru} if line.remedy else None,
                    }
                )
                continue
            mark, style = ("✓", "green") if line.ok else ("✗", "red")
            console.print(f"[{style}]{mark}[/] {line.connection} · {line.step}: ", end="")
            console.print(line.text.say(Voice.language), markup=False, soft_wrap=True)
            if not line.ok and line.setting:
                console.print(both("    исправить: ", "    mend: ") + line.setting, markup=False, soft_wrap=True)
            if not line.ok and line.remedy:
                console.print(f"    → {line.remedy.say(Voice.language)}", markup=False, soft_wrap=True)
        if as_json:
            told = {key: {"en": text.en, "ru": text.ru} for key, text in checks.explained(hub)}
            print_json({"ok": not failed, "lines": lines, "owners": told})
        elif owners:
            table(
                both("Кто решает", "Whose word counts"),
                (both("поле", "field"), both("кто решает и почему", "who decides, and why")),
                [(key, text.say(Voice.language)) for key, text in checks.explained(hub)],
            )
        elif connection is None:
            heading = both("Кто решает (почему: --owners)", "Whose word counts (why: --owners)")
            table(heading, ("", "", ""), [(k, t.say(Voice.language), ", ".join(f)) for k, t, f in checks.in_short(hub)])
    if failed:
        raise typer.Exit(1)


def sync(context: typer.Context, connection: Only = None, as_json: AsJson = False) -> None:
    """Run everything that is due, once. Beside a running service the work is handed to it."""
    with reporting(), Hub.open(context.obj) as hub:
        try:
            with WorkLock(hub.store).acquire("sync"):
                runs.take_over(hub)
                commands.run_commands(hub)
                with watching(hub):
                    result = summary(*works.sync_once(hub, connection), approvals.waiting(hub))
                    duplicates.look(hub)
        except Fatal as error:
            if error.code != "work.locked":
                raise
            result = _handed_over(hub, connection)
    _show_sync(result, as_json)
    if result["errors"]:
        raise typer.Exit(1)
    if result["waiting"]:
        raise typer.Exit(3)


def _handed_over(hub: Hub, connection: str | None) -> dict[str, Any]:
    """Leave the work to the process that holds the lock, and wait for its result."""
    with hub.store.begin() as tx:
        id = tx.execute(
            command.insert()
            .values(kind="sync", args={"only": connection}, state="new", created_at=hub.now())
            .returning(command.c.id)
        ).scalar_one()
    nudge(hub)
    pid = WorkLock(hub.store).holder()
    stderr.print(both(f"Работает служба (pid {pid}): работа передана ей.", f"The service (pid {pid}) does it."))
    until = hub.now() + timedelta(minutes=30)
    while hub.now() < until:
        with hub.store.read() as tx:
            row = tx.execute(sa.select(command.c.state, command.c.result).where(command.c.id == id)).one()
        if row.state == "done":
            return dict(row.result)
        time.sleep(0.2)
    raise Fatal(
        Text("The running service did not finish the work in 30 minutes.", "Служба не выполнила работу за 30 минут."),
        code="sync.handed_over",
    )


def _show_sync(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    names = ("read", "new", "changed", "same", "skipped", "failed", "writes")
    rows = [(r["connection"], r["work"], r["outcome"], *(r[n] for n in names)) for r in result["runs"]]
    table(both("Выполнено", "Done"), ("", "", "", *names), rows)
    writes = result["total"].get("writes", 0)
    console.print(
        both(f"Записей изменено: {writes}.", f"{writes} writes.")
        if writes
        else both("0 записей: менять было нечего.", "0 writes: there was nothing to change."),
        style="bold",
    )
    for one in result["waiting"]:
        writes = sum(one["counts"].values())
        console.print(
            both(
                f"Ждёт подтверждения ({one['connection'] or 'все'}, записей {writes}): sverka approve {one['id']}",
                f"Waits for approval ({one['connection'] or 'all'}, {writes} writes): sverka approve {one['id']}",
            ),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    for name, error in result["errors"].items():
        stderr.print(f"✗ {name}: {say(error)}", style="red", markup=False, soft_wrap=True)
        if error.get("setting"):
            where = error["setting"] if "." in error["setting"] else f"connections.{name}.{error['setting']}"
            stderr.print(both(f"    исправить: {where}", f"    mend: {where}"), markup=False, soft_wrap=True)


def serve(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(help="Instead of web.port; 0 takes any free one.")] = None,
) -> None:
    """Run schedules, endpoints and pages until Ctrl-C."""
    with reporting(), Hub.open(context.obj) as hub, WorkLock(hub.store).acquire("serve"):
        serve_hub(hub, hub.config.web.port if port is None else port)


def serve_hub(hub: Hub, port: int) -> None:
    """Service and web server in this process; returns after SIGINT or SIGTERM."""
    import uvicorn

    from sync.web.app import build

    listener = _listen(hub.config.web.host, port)
    service = Service(hub, alone=hub.store.sqlite)
    server = uvicorn.Server(
        uvicorn.Config(
            build(hub),
            log_level="warning",
            access_log=False,  # addresses may carry secrets
            ws="none",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    started = threading.Thread(target=_announce, args=(server, hub, listener.getsockname()[1]), daemon=True)
    service.start()
    started.start()
    try:
        server.run(sockets=[listener])
    finally:
        service.stop()
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    """The address is taken before any work begins: BadConfig when somebody else has it."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadConfig(
            Text(
                f"The address {host}:{port} cannot be used ({error.strerror}): choose another web.port, or --port.",
                f"Адрес {host}:{port} занят или недоступен ({error.strerror}): выберите другой web.port или --port.",
            ),
            code="web.port",
            setting="web.port",
        ) from error
    return listener


def _announce(server: Any, hub: Hub, port: int) -> None:
    while not server.started and not server.should_exit:
        time.sleep(0.02)
    if not server.started:
        return
    address = f"http://{hub.config.web.host}:{port}/"
    console.print(
        both(f"Сверка работает: {address} (Ctrl-C — остановить)", f"Sverka is at work: {address} (Ctrl-C stops it)")
    )
    for name, error in hub.broken.items():
        stderr.print(f"✗ {name}: {error.text.say(Voice.language)}", style="red", markup=False, soft_wrap=True)


def worker(context: typer.Context) -> None:
    """A further worker for a hub on PostgreSQL: no pages, only work, until Ctrl-C."""
    with reporting(), Hub.open(context.obj) as hub, WorkLock(hub.store).acquire("worker"):
        service = Service(hub, alone=False)
        service.start()
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        console.print(both(f"Работник запущен (pid {os.getpid()}).", f"The worker runs (pid {os.getpid()})."))
        stopped.wait()
        service.stop()
