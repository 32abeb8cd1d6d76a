"""`sverka check`: every connection step by step, each failing line with the setting to mend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.base import Finding
from sync.errors import SverkaError, Text
from sync.hub.runtime import Hub
from sync.model.records import KINDS
from sync.reconcile import policy_for
from sync.reconcile.policy import Policy


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where, what was tried, how it went; `setting` is the full key in the configuration."""

    connection: str
    step: str
    ok: bool
    text: Text
    setting: str = ""
    remedy: Text | None = None


def check(hub: Hub, only: str | None = None) -> Iterator[Line]:
    """Lines as they are found out: database and folders, then each connection."""
    yield Line("hub", "database", True, Text("The database answers.", "База данных отвечает."))
    yield from _logins(hub)
    yield from _flows(hub)
    for name in hub.config.connections:
        if only not in (None, name):
            continue
        if name in hub.broken:
            yield _broken(name, hub.broken[name])
        elif name in hub.plugs:
            plug = hub.plugs[name]
            yield Line(
                name,
                "mapping",
                True,
                Text(
                    f"Mapping {plug.mapping.system}, {len(plug.mapping.lenses)} kinds.",
                    f"Соответствия {plug.mapping.system}, видов записей: {len(plug.mapping.lenses)}.",
                ),
            )
            for found in plug.adapter.check():
                yield _line(name, found)
        else:
            yield Line(name, "enabled", True, Text("Switched off.", "Отключено."))


def _broken(name: str, error: SverkaError) -> Line:
    return Line(name, "settings", False, error.text, error.setting or f"connections.{name}", error.remedy)


def _line(name: str, found: Finding) -> Line:
    setting = found.setting if not found.setting or "." in found.setting else f"connections.{name}.{found.setting}"
    return Line(name, found.step, found.ok, found.text, setting, found.remedy)


def _logins(hub: Hub) -> Iterator[Line]:
    """On an address that names no connection the login tells which one is meant: it must be unique."""
    seen: dict[str, str] = {}
    for plug in hub.plugs.values():
        server = plug.adapter.server()
        if server is None or not server.paths:
            continue
        login = server.login()
        if login in seen:
            yield Line(
                plug.name,
                "login",
                False,
                Text(
                    f"The login is the same as that of {seen[login]}: on a shared address they cannot be told apart.",
                    f"Логин совпадает с логином {seen[login]}: на общем адресе их не различить.",
                ),
                f"connections.{plug.name}.login",
            )
        seen.setdefault(login, plug.name)


def _flows(hub: Hub) -> Iterator[Line]:
    for flow in hub.config.flows:
        target = hub.plugs.get(flow.target)
        if target is None:
            continue
        natives = [n for n, lens in target.mapping.lenses.items() if lens.kind == flow.kind]
        capabilities = target.adapter.capabilities
        able = {*capabilities.updates, *capabilities.creates, *capabilities.offers}
        if not able & set(natives):
            yield Line(
                flow.target,
                "flow",
                False,
                Text(
                    f"The flow {flow.kind} {flow.source} → {flow.target} has no effect: {flow.target} takes no {flow.kind}.",
                    f"Поток {flow.kind} {flow.source} → {flow.target} не действует: {flow.target} не принимает {flow.kind}.",
                ),
                "flow.to",
            )


def owners(hub: Hub) -> Iterator[tuple[str, str, Policy]]:
    """(kind, field, effective policy) of every reconciled field."""
    for kind in ("lead", "deal", "company", "contact", "product"):
        for field in KINDS[kind].model_fields:
            if field != "documents":
                yield kind, field, policy_for(kind, field, hub.config.owners)
