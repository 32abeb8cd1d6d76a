"""The verify pass over connections: nightly by itself, or asked for. Nothing is changed but what it asks people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sync.errors import BadConfig, NeedHuman, SverkaError, Text
from sync.flow.drift import Report
from sync.flow.plug import Plug
from sync.flow.verify import Pass, readable
from sync.hub.reports import local
from sync.hub.runs import Run, running
from sync.hub.runtime import Hub

LEASE_SECONDS = 60
Progress = Callable[[Report], None]


def verify(
    hub: Hub, only: str | None = None, progress: Progress = lambda _: None
) -> tuple[list[Report], dict[str, SverkaError]]:
    """Every connection that can be read, or one. BadConfig for an unknown name; one connection's trouble does not stop the
    others."""
    if only is not None and only not in hub.config.connections:
        known = ", ".join(hub.config.connections) or "-"
        raise BadConfig(
            Text(f"There is no connection {only!r}; there are: {known}.", f"Подключения {only!r} нет; есть: {known}."),
            code="verify.connection",
        )
    found: list[Report] = []
    trouble = {name: error for name, error in hub.broken.items() if only in (None, name)}
    for plug in hub.plugs.values():
        if only in (None, plug.name):
            try:
                connection(hub, plug, progress, found)
            except SverkaError as error:
                trouble[plug.name] = error
    return found, trouble


def connection(hub: Hub, plug: Plug, progress: Progress = lambda _: None, found: list[Report] | None = None) -> None:
    """All readable kinds of one connection, one run each. RetryLater when another process is at it."""
    with hub.leases.held(f"verify:{plug.name}", LEASE_SECONDS):
        for kind in readable(plug):
            with running(hub.world, plug.name, f"verify {kind}") as run:
                report = _kind(hub, plug, kind, run, progress)
            if found is not None:
                found.append(report)
            if hub.stopping.is_set():
                return


def _kind(hub: Hub, plug: Plug, kind: str, run: Run, progress: Progress) -> Report:
    """The adapter is held for one page at a time, so that the connection's other work goes on between them."""
    one = Pass(hub.world, plug, kind)
    pages = one.pages()
    while not hub.stopping.is_set():
        with plug.lock:
            page = next(pages, None)
            if page is None:
                break
            one.compare(*page)
        progress(one.report)
    if hub.stopping.is_set():
        run.outcome = "interrupted"
    else:
        with plug.lock:
            one.finish()
    report, counts = one.report, run.counts
    counts.add("same", report.same)
    counts.add("skipped", report.news + report.waiting)
    counts.add("failed", report.wrong)
    if report.wrong:
        run.error = drift(report)
    progress(report)
    return report


def drift(report: Report) -> NeedHuman:
    """What was found, in one sentence."""
    fields = ", ".join(f"{name}: {number}" for name, number in sorted(report.drift.items()))
    en = [f"records that differ: {report.drifted} ({fields})"] if report.drifted else []
    ru = [f"записей с расхождениями: {report.drifted} ({fields})"] if report.drifted else []
    if report.missing:
        en.append(f"linked and not there any more: {report.missing}")
        ru.append(f"связаны, но там их больше нет: {report.missing}")
    if report.unknown:
        en.append(f"there and unknown here: {report.unknown}")
        ru.append(f"есть там и неизвестны здесь: {report.unknown}")
    return NeedHuman(
        Text(
            f"{report.connection}/{report.kind}: {'; '.join(en)}.",
            f"{report.connection}/{report.kind}: {'; '.join(ru)}.",
        ),
        code="verify.drift",
        remedy=Text(
            "Decide the conflicts (`sverka conflicts`); look there for what is missing, then `sverka sync`.",
            "Решите расхождения (`sverka conflicts`); недостающее проверьте там, затем `sverka sync`.",
        ),
    )


def as_json(report: Report) -> dict[str, Any]:
    return {**asdict(report), "wrong": report.wrong}


def next_night(hub: Hub) -> datetime | None:
    """When the pass comes next by the firm's clock (`hub.verify`); None where it is switched off."""
    if not hub.config.hub.verify:
        return None
    hour, minute = map(int, hub.config.hub.verify.split(":"))
    now = local(hub, hub.now())
    at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return at if at > now else at + timedelta(days=1)
