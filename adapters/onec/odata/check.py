"""`sverka check` for a base over OData: address, login, each entity set that is not published, the attribute, one order."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.base import Finding, SverkaError, Text
from adapters.onec.odata.behind import Behind, withdrawn_on_purpose
from adapters.onec.odata.client import PUBLISH, ODataClient
from adapters.onec.odata.composition import missing
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import EMPTY
from adapters.onec.odata.schema import schema_of
from adapters.onec.odata.settings import ODataSettings
from adapters.onec.odata.writes import attribute_key

_SHOWN = 50  # reasons of a loss that are told


def findings(
    client: ODataClient, names: Names, settings: ODataSettings, told: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Step by step; ends where the rest would be pointless. Nothing is written in 1C. `told`: the sets that have brought sums
    so far."""
    try:
        published = client.published()
    except SverkaError as error:
        step = {"odata.auth": "auth", "odata.rights": "rights", "odata.certificate": "tls"}.get(error.code, "connect")
        yield _failed(step, error)
        return
    yield Finding("auth", True, Text("1C answers and accepts the login.", "1С отвечает и принимает логин."))
    missing = [name for name in names.needed(settings.shows) if name not in published]
    for name in missing:
        yield Finding(
            "published", False, Text(f"1C does not publish {name}.", f"1С не публикует {name}."), "url", PUBLISH
        )
    if missing:
        return
    yield Finding("published", True, Text("Everything needed is published.", "Всё нужное опубликовано."))
    yield from _sums(client, names, settings, published, told)
    yield from _stage(client, names, settings)
    yield from _reasons(client, names, settings, published)
    yield from _lines(client, names)
    yield from _sample(client, names)


def _sums(
    client: ODataClient, names: Names, settings: ODataSettings, published: set[str], told: frozenset[str]
) -> Iterator[Finding]:
    """Sets without which the rest works: what they would say of payments and shipments is unknown then, not zero. One that
    has brought sums before and is gone is a fault."""
    if not names.for_sums:
        return
    unused = frozenset(settings.not_used)
    missing = [name for name in names.for_sums if name not in published | unused]
    missing += [name for name in names.sales_documents if name in told and name not in published | unused]
    for name in missing:
        said = Text(
            f"1C does not publish {name}: the sums that it holds of payments or shipments stay unknown.",
            f"1С не публикует {name}: суммы оплат или отгрузок, которые там ведутся, остаются неизвестны.",
        )
        gone = Text(
            f"1C does not publish {name} any more: what it told of payments or shipments stays as it was.",
            f"1С больше не публикует {name}: известные оттуда оплаты или отгрузки оставлены как были.",
        )
        if name in told:
            yield Finding("sums", False, gone, "not_used", withdrawn_on_purpose([name]))
        else:
            yield Finding("sums", True, said, remedy=PUBLISH)
    tried = Behind(client, names, frozenset(published), settings.zone_info, unused=unused)
    try:
        tried.of([EMPTY])
        tried.try_all()
    except SverkaError as error:
        yield _failed("sums", error)
        return
    yield from (_failed("sums", refused) for refused in tried.refused.values())
    if not missing and not tried.refused:
        said = Text("Payments and shipments come as sums.", "Оплаты и отгрузки приходят суммами.")
        if left := ", ".join(settings.not_used):
            said = Text(
                f"{said.en} Not asked for (not_used): {left}.", f"{said.ru} Не запрашиваются (not_used): {left}."
            )
        yield Finding("sums", True, said)


def _stage(client: ODataClient, names: Names, settings: ODataSettings) -> Iterator[Finding]:
    """Where the accountant will see the deal's stage."""
    if "attribute" not in settings.shows:
        state = Text("state", "состояние заказа"), Text("comment", "комментарий документа")
        shown = state[0] if "state" in settings.shows else state[1]
        said = Text(f"The stage is shown in the order's {shown.en}.", f"Этап показывается здесь: {shown.ru}.")
        yield Finding("stage", True, said)
        return
    if "deal" in settings.shows:
        won, lost = "», «".join(settings.deal_won), "», «".join(settings.deal_lost)
        said = Text(
            f"It is shown in the order's Сделка, too: «{won}» is won, «{lost}» lost, all else in work.",
            f"Этап показывается и в сделке заказа: «{won}» — выиграна, «{lost}» — проиграна, остальное — в работе.",
        )
        yield Finding("stage", True, said)
    try:
        key = attribute_key(client, names, settings.attribute)
    except SverkaError as error:
        yield _failed("stage", error)
        return
    text = Text(
        f"The stage is shown in the attribute “{settings.attribute}”.",
        f"Этап показывается в реквизите «{settings.attribute}».",
    )
    if key is None:
        text = Text(
            f"1C has no additional attribute “{settings.attribute}”.",
            f"В 1С нет дополнительного реквизита «{settings.attribute}».",
        )
    remedy = Text(
        "In 1C: General settings → Additional attributes: add it to the order, type string.",
        "В 1С: Общие настройки → Дополнительные реквизиты: добавьте его заказу, тип «строка».",
    )
    yield Finding("stage", key is not None, text, "" if key else "attribute", None if key else remedy)


def _reasons(client: ODataClient, names: Names, settings: ODataSettings, published: set[str]) -> Iterator[Finding]:
    """Whether the reason of a loss can be written into the Сделка."""
    if not names.reasons or "deal" not in settings.shows:
        return
    if names.reasons not in published:
        said = Text(
            f"1C does not publish {names.reasons}: the reason of a loss is not written into the Сделка.",
            f"1С не публикует {names.reasons}: причина проигрыша в сделку не записывается.",
        )
        yield Finding("reasons", True, said, remedy=PUBLISH)
        return
    try:
        rows = client.rows(
            names.reasons, filter="DeletionMark eq false", orderby="Description,Ref_Key", top=str(_SHOWN)
        )
    except SverkaError as error:
        yield _failed("reasons", error)
        return
    known = [str(r.get("Description") or "").strip() for r in rows]
    words = "», «".join(known)
    said = Text(
        f"The reason of a loss is written into the Сделка. 1C knows: «{words}».",
        f"Причина проигрыша записывается в сделку. В 1С есть: «{words}».",
    )
    if not rows:
        said = Text("1C has no reasons of a loss yet.", "В 1С ещё нет причин проигрыша сделок.")
    if settings.no_reason and settings.no_reason not in known and len(rows) < _SHOWN:
        said = Text(
            f"{said.en} A deal lost for «{settings.no_reason}» gets none there.",
            f"{said.ru} У сделки с причиной «{settings.no_reason}» она в 1С остаётся пустой.",
        )
    yield Finding("reasons", True, said)


def _lines(client: ODataClient, names: Names) -> Iterator[Finding]:
    """Whether what was ordered can be written: a release may keep it in other columns. Without that the rest works."""
    try:
        lacking = missing(names.part, schema_of(client.metadata(), names.order))
    except SverkaError as error:
        yield _failed("lines", error)
        return
    said = Text("The lines of orders can be written, too.", "Состав заказов можно и записывать.")
    if lacking:
        said = Text(
            f"The lines of orders are read, not written: 1C does not publish {', '.join(lacking)}.",
            f"Состав заказов читается, но не записывается: 1С не публикует {', '.join(lacking)}.",
        )
    yield Finding("lines", True, said)


def _sample(client: ODataClient, names: Names) -> Iterator[Finding]:
    try:
        rows = client.rows(names.order, top="1", orderby="Date desc")
    except SverkaError as error:
        yield _failed("sample", error)
        return
    number = str(rows[0].get("Number", "")).strip() if rows else ""
    said = (
        Text(f"Newest order: {number}.", f"Последний заказ: {number}.")
        if rows
        else Text("No orders yet.", "Заказов пока нет.")
    )
    yield Finding("sample", True, said)


def _failed(step: str, error: SverkaError) -> Finding:
    return Finding(step, False, error.text, error.setting, error.remedy)
