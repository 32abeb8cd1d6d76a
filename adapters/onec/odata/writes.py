"""The deal's stage written where the accountant sees it, without a change of the configuration.

A tabular part is replaced whole, so the others' rows go along. A Сделка that the order lacks is made under a key of the
order's own: made twice, after a lost answer, it would still be the same one.
"""

from __future__ import annotations

import uuid
from typing import Any

from adapters.base import Change, Native, RecordRefused, Text
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.parts import EMPTY
from adapters.onec.odata.settings import ODataSettings
from adapters.onec.odata.stage import mark_of, marked

_DEALS = uuid.UUID("0d0b4a5e-5c1d-4d0e-9a43-6a7f6c1e2b90")  # the namespace of the keys of deals that the hub makes

NO_SUCH_REASON = "odata.reason"


def body_of(client: ODataClient, names: Names, settings: ODataSettings, change: Change, row: Native) -> dict[str, Any]:
    """What is PATCHed on the document itself for `change.data` ({crm_status}, {comment}). RecordRefused names what is to be
    made in 1C first."""
    body: dict[str, Any] = {}
    data, shows = change.data, settings.shows
    if "comment" in data:
        body["Комментарий"] = f"{data['comment'] or ''}{mark_of(row.get('Комментарий'))}".strip()
    if "crm_status" in data:
        word = str(data["crm_status"] or "")
        if "state" in shows:
            body |= _state(client, names, word)
        if "attribute" in shows:
            body["ДополнительныеРеквизиты"] = _attributes(client, names, settings.attribute, word, row)
        if "comment" in shows:
            body["Комментарий"] = marked(body.get("Комментарий", row.get("Комментарий")), word)
    return body


def shown_in_deal(client: ODataClient, names: Names, row: Native, status: str, reason: str = "") -> dict[str, Any]:
    """The order's Сделка gets this status, and this reason of the loss where one is given; one is made where the order has
    none. What the order itself is to be PATCHed with: the link to a new one."""
    wanted = {"Статус": status, **({"ПричинаПроигрышаСделки_Key": reason} if reason else {})}
    linked = deal_key(row)
    key = str(uuid.uuid5(_DEALS, str(row["Ref_Key"]))) if linked == EMPTY else linked
    there = client.by_keys(names.deals, [key]).get(key)
    if there is None and linked == EMPTY:
        client.create(names.deals, _new_deal(key, row) | wanted)
    elif changed := {name: value for name, value in wanted.items() if (there or {}).get(name) != value}:
        client.patch(names.deals, key, changed, str((there or {}).get("DataVersion") or ""))
    return {"Сделка_Key": key} if linked == EMPTY else {}


def reason_key(client: ODataClient, names: Names, data: Native) -> tuple[str, RecordRefused | None]:
    """The key in the catalogue of reasons for `data["loss_reason"]`: "" where none is to be written, the empty one where the
    reason is to go. Beside it what is wrong: a reason is never made here."""
    if "loss_reason" not in data:
        return "", None
    word = str(data["loss_reason"] or "").strip()
    if not word:
        return EMPTY, None
    known = client.rows(names.reasons, filter="DeletionMark eq false", orderby="Ref_Key")
    rows = [r for r in known if str(r.get("Description") or "").strip() == word]  # to the letter, as it is read back
    if len(rows) == 1:
        return str(rows[0]["Ref_Key"]), None
    there = Text("no", "нет") if not rows else Text("several", "несколько")
    return "", RecordRefused(
        Text(
            f"1C has {there.en} reasons of a loss “{word}”; none was written into the Сделка",
            f"в 1С {there.ru} причин проигрыша «{word}»; в сделку причина не записана",
        ),
        code=NO_SUCH_REASON if not rows else "odata.reasons",
        field="loss_reason",
        remedy=Text(
            "In 1C: CRM and marketing → Reasons of lost deals: add this one, under just this name; or choose one that 1C has.",
            "В 1С: CRM и маркетинг → Причины проигрыша сделок: добавьте её точно с этим названием; или выберите ту, что есть.",
        ),
    )


def _new_deal(key: str, row: Native) -> dict[str, Any]:
    number = str(row.get("Number") or "").strip()
    body: dict[str, Any] = {
        "Ref_Key": key,
        "Description": f"Заказ {number}".strip()[:100],
        "ДатаНачала": row.get("Date"),
        "ПотенциальнаяСуммаПродажи": row.get("СуммаДокумента"),
    }
    if (partner := str(row.get("Партнер_Key") or EMPTY)) != EMPTY:
        body["Партнер_Key"] = partner
    return {k: v for k, v in body.items() if v is not None}


def _state(client: ODataClient, names: Names, word: str) -> dict[str, Any]:
    rows = client.rows(names.states, filter=f"Description eq '{_quoted(word)}' and DeletionMark eq false", top="2")
    if len(rows) != 1:
        raise RecordRefused(
            Text(f"1C has no order state “{word}”", f"в 1С нет состояния заказа «{word}»"),
            code="odata.state",
            field="crm_status",
            remedy=Text("Make it in 1C, or correct the table of stages in the mapping.",
                        "Создайте его в 1С или исправьте таблицу этапов в файле сопоставления."),
        )  # fmt: skip
    return {"СостояниеЗаказа": rows[0]["Ref_Key"], "СостояниеЗаказа_Type": f"StandardODATA.{names.states}"}


def attribute_key(client: ODataClient, names: Names, name: str) -> str | None:
    """The key of the order's additional attribute by its name; None when there is none. БСП appends the owner in brackets, so
    that an attribute of partners may have the same name. RecordRefused where it cannot be told which one is meant."""
    rows = client.rows(
        names.attributes,
        filter=f"startswith(Description,'{_quoted(name)}') and DeletionMark eq false",
        orderby="Description,Ref_Key",
        top="50",
    )
    wanted = [r for r in rows if str(r.get("Description", "")).partition(" (")[0].strip() == name]
    mine = [r for r in wanted if f"({names.title}" in str(r.get("Description", ""))] or wanted
    if len(mine) > 1:
        raise RecordRefused(
            Text(
                f"1C has several additional attributes “{name}”, it cannot be told which one is the order's",
                f"в 1С несколько дополнительных реквизитов «{name}», непонятно, какой из них у заказа",
            ),
            code="odata.attribute",
            field="crm_status",
            setting="attribute",
            remedy=Text(
                "Give the order's attribute a name of its own in 1C and set it as attribute.",
                "Дайте реквизиту заказа в 1С отдельное имя и укажите его в настройке attribute.",
            ),
        )
    return str(mine[0]["Ref_Key"]) if mine else None


def _attributes(client: ODataClient, names: Names, name: str, word: str, row: Native) -> list[Native]:
    key = attribute_key(client, names, name)
    if key is None:
        raise RecordRefused(
            Text(f"1C has no additional attribute “{name}” of orders", f"в 1С нет дополнительного реквизита заказа «{name}»"),
            code="odata.attribute",
            field="crm_status",
            remedy=Text("In 1C: General settings → Additional attributes: add it to the order, type string.",
                        "В 1С: Общие настройки → Дополнительные реквизиты: добавьте его заказу, тип «строка»."),
        )  # fmt: skip
    kept = [
        {k: v for k, v in one.items() if k not in ("Ref_Key", "LineNumber")}
        for one in row.get("ДополнительныеРеквизиты") or []
        if str(one.get("Свойство_Key")) != key
    ]
    mine = {"Свойство_Key": key, "Значение": word, "Значение_Type": "Edm.String", "ТекстоваяСтрока": ""}
    rows = [*kept, mine] if word else kept
    return [{"LineNumber": str(number), **one} for number, one in enumerate(rows, 1)]


def deal_key(row: Native) -> str:
    return str(row.get("Сделка_Key") or EMPTY)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
