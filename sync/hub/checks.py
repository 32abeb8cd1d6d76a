"""`sverka check`: every connection step by step, each failing line with the setting to mend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.base import Finding
from sync.config import WHOLE_KINDS
from sync.errors import SverkaError, Text
from sync.flow.look import takes_part
from sync.flow.plug import Plug
from sync.flow.translate import canonical_kind
from sync.hub.runtime import Hub
from sync.model.records import KINDS, UNDECIDED
from sync.reconcile import policy_for
from sync.reconcile.policy import DEFAULTS, Policy


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
    yield from _bases(hub)
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
            yield from _window(hub, plug)
            yield from _read_only(hub, plug)
            failed = False
            for found in plug.adapter.check():
                failed = failed or not found.ok
                yield _line(name, found)
            if not failed:
                yield from _words(plug)
        else:
            yield Line(name, "enabled", True, Text("Switched off.", "Отключено."))


def _words(plug: Plug) -> Iterator[Line]:
    """Stages and statuses of the other side that the mapping does not know: a record that shows one would be held."""
    try:
        for kind, part in plug.adapter.words():
            for problem in plug.mapping.lens(kind).get(part).problems:
                if problem.value:
                    yield Line(plug.name, "stages", False, problem.text, f"connections.{plug.name}.mapping")
    except SverkaError as error:
        yield Line(plug.name, "stages", False, error.text, error.setting or f"connections.{plug.name}", error.remedy)


def _window(hub: Hub, plug: Plug) -> Iterator[Line]:
    """What is written and deleted there, and whether somebody's change could be overwritten between our look and our write.

    A record is looked at just before each write; only where the other side itself refuses a write over what has moved does
    nothing come in between.
    """
    able, mapping = plug.adapter.capabilities, plug.mapping.lenses
    named = {kind for kind in WHOLE_KINDS if plug.name in hub.config.taking_part(kind)}
    updates = sorted(n for n in able.updates & mapping.keys() if canonical_kind(mapping[n].kind) in named)
    deletes = sorted(
        n for n in able.deletes & mapping.keys() if plug.name in hub.config.deleted_in(canonical_kind(mapping[n].kind))
    )
    if not updates and not deletes:
        return
    open_ones = sorted({*updates, *deletes} - able.conditional)
    longest = getattr(plug.adapter.settings, "timeout", None)
    most = (f", at most {longest} s", f", не больше {longest} с") if longest else ("", "")
    what = (f"Updates {', '.join(updates) or '-'}; deletes {', '.join(deletes) or 'nothing'}.",
            f"Изменяются: {', '.join(updates) or '-'}; удаляются: {', '.join(deletes) or 'ничего'}.")  # fmt: skip
    window = Text(
        f"{what[0]} The system itself refuses a write over what has moved: nothing of it is overwritten.",
        f"{what[1]} Система сама отвергает запись поверх изменённого: чужое не затирается.",
    )
    if open_ones:
        names = ", ".join(open_ones)
        window = Text(
            f"{what[0]} {names}: looked at just before each write; what somebody changes there between that look and the write"
            f" (the time of a call{most[0]}) may be overwritten.",
            f"{what[1]} {names}: перед каждой записью проверяется, не изменилось ли там; изменённое между проверкой и записью"
            f" (время одного запроса{most[1]}) может быть затёрто.",
        )
    yield Line(plug.name, "window", True, window)


def _broken(name: str, error: SverkaError) -> Line:
    return Line(name, "settings", False, error.text, error.setting or f"connections.{name}", error.remedy)


def _line(name: str, found: Finding) -> Line:
    setting = found.setting if "." in found.setting else f"connections.{name}.{found.setting}".rstrip(".")
    if found.ok and not found.setting:
        setting = ""
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


def _bases(hub: Hub) -> Iterator[Line]:
    """Said once of several connections with accounting of which one does not say whose books it shows."""
    books = [name for name, plug in hub.plugs.items() if plug.role == "accounting" and _tells_deals(plug)]
    unsaid = [name for name in books if name not in hub.config.bases]
    if len(books) > 1 and unsaid:
        names, first, silent = ", ".join(books), unsaid[0], ", ".join(unsaid)
        yield Line(
            first,
            "base",
            True,
            Text(
                f"{silent}: base is not set: whose books they show is not known. What {names} tell of one deal's payments "
                "is taken for the same money: the fuller sum counts. Where they are different bases, say which: base.",
                f"{silent}: не указано base, неизвестно, чьи это базы. Оплаты одной сделки, о которых говорят {names}, "
                "считаются одними и теми же: берётся бо́льшая сумма. Если это разные базы, укажите, какие: base.",
            ),
            f"connections.{first}.base",
        )


def _tells_deals(plug: Plug) -> bool:
    return any(canonical_kind(lens.kind) == "deal" for lens in plug.mapping.lenses.values())


def _read_only(hub: Hub, plug: Plug) -> Iterator[Line]:
    """Said of a connection that could show people there how their deals stand, and that no flow names: it is never written."""
    able = [n for n in plug.adapter.capabilities.updates if n in plug.mapping.lenses]
    deals = any(canonical_kind(plug.mapping.lenses[n].kind) == "deal" for n in able)
    if plug.role == "accounting" and deals and not takes_part(hub.world, plug.name, "deal"):
        yield Line(
            plug.name,
            "flow",
            True,
            Text(
                "No flow of deals names it: its orders are read, and no stage is shown there.",
                "Ни один поток сделок его не называет: заказы читаются, этап сделки там не показывается.",
            ),
            "flow",
            Text(
                f'To show the stage there: [[flow]] kind = "deal", from = the shop or CRM, to = "{plug.name}", '
                'create = "never".',
                f'Чтобы этап там показывался: [[flow]] kind = "deal", from = магазин или CRM, to = "{plug.name}", '
                'create = "never".',
            ),
        )


# The hub's own tasks are no record of any system
TASKS = Text(
    "the hub alone: its tasks are kept here and written to no system",
    "только Сверка: её задачи хранятся здесь и ни в какую систему не пишутся",
)


def owners(hub: Hub) -> Iterator[tuple[str, str, Policy]]:
    """(kind, field, effective policy) of every reconciled field."""
    for kind in ("lead", "deal", "company", "contact", "product"):
        for field in KINDS[kind].model_fields:
            if field not in UNDECIDED:
                yield kind, field, policy_for(kind, field, hub.config.owners)


def explained(hub: Hub) -> Iterator[tuple[str, Text]]:
    """Of every reconciled field ("deal.stage") in words: who decides, by which rule, and what follows without them."""
    for kind, field, policy in owners(hub):
        key = f"{kind}.{field}"
        who, why = _who(hub, policy), _whence(hub, key)
        yield key, Text(f"{who.en} ({why.en})", f"{who.ru} ({why.ru})")
    yield "task.*", Text(f"{TASKS.en} (always)", f"{TASKS.ru} (всегда)")


def in_short(hub: Hub) -> Iterator[tuple[str, Text, list[str]]]:
    """The same without the rules: of each kind who decides, and of which fields."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for kind, field, policy in owners(hub):
        who = _who(hub, policy)
        found.setdefault((kind, who.en, who.ru), []).append(field)
    for (kind, en, ru), fields in found.items():
        yield kind, Text(en, ru), fields
    yield "task", TASKS, ["*"]


def _whence(hub: Hub, key: str) -> Text:
    if key in hub.config.owners:
        return Text("set under [owners]", "задано в [owners]")
    if key in DEFAULTS:
        return Text("shipped default", "так поставляется")
    return Text("no rule names the field", "отдельного правила для поля нет")


def _who(hub: Hub, policy: Policy) -> Text:
    if not policy.owner:
        return _together(policy.merge)
    if policy.owner == "hub":
        return Text("people decide, in the hub; no system does", "решают люди в Сверке, системы не меняют")
    role, name = policy.owner, policy.owner.removeprefix("connection:")
    live = [p.name for p in hub.plugs.values() if policy.owner in (p.role, f"connection:{p.name}")]
    if live:
        names = ", ".join(live)
        if policy.only:
            return Text(f"a fact that only {names} can state", f"факт, который сообщает только {names}")
        owner = Text(f"{names} decides", f"решает {names}")
        if len(live) > 1:
            same = Text("; where they differ: ", "; если скажут разное, то как без владельца: ")
            rest = _together(policy.merge)
            owner = Text(f"{names} decide{same.en}{rest.en}", f"решают {names}{same.ru}{rest.ru}")
        return Text(f"{owner.en}, on records that it holds", f"{owner.ru} — для записей, которые там есть")
    missing = (
        Text(f"the connection {name} is not live", f"подключение {name} не работает")
        if policy.owner.startswith("connection:")
        else Text(f"no connection has the role {role}", f"подключения с ролью {role} нет")
    )
    if policy.only:
        return Text(f"nobody can state this fact: {missing.en}", f"этот факт сообщить некому: {missing.ru}")
    rest = _together(policy.merge)
    return Text(f"{missing.en}, therefore {rest.en}", f"{missing.ru}, поэтому {rest.ru}")


def _together(merge: str) -> Text:
    """What becomes of changes to a field that nobody owns."""
    follow = Text("whoever changes it is followed; of two changes ", "принимается изменение любой стороны; из двух ")
    if merge == "union":
        return Text("what all sides hold is kept together", "значения всех сторон объединяются")
    if merge == "join":
        return Text(f"{follow.en}the further stage counts", f"{follow.ru}берётся более поздний этап")
    if merge.startswith("prefer:"):
        who = merge.removeprefix("prefer:")
        return Text(f"{follow.en}that of {who} counts", f"{follow.ru}берётся значение {who}")
    return Text(f"{follow.en}a person chooses", f"{follow.ru}выбирает человек")
