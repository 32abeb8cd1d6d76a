"""The deal's stage where the accountant sees it, without a change of the configuration.

УНФ: the order's state. УТ, КА, ERP: an additional attribute of the order, and the client deal that it belongs to. БП: an
additional attribute, or the invoice's comment. A tabular part is replaced whole, so the others' rows go along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.base import Change, Native, RecordRefused, Text
from adapters.onec.odata.client import EMPTY, ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.settings import ODataSettings

_MARK = re.compile(r"\s*\[CRM: [^\]]*\]")


def body_of(client: ODataClient, names: Names, settings: ODataSettings, change: Change, row: Native) -> dict[str, Any]:
    """What is PATCHed on the document itself for `change.data` ({crm_status}, {state}, {comment}). RecordRefused names what
    is to be made in 1C first."""
    body: dict[str, Any] = {}
    data = change.data
    if "comment" in data:
        body["Комментарий"] = str(data["comment"] or "")
    if "state" in data:
        body |= _state(client, names, str(data["state"]))
    if "crm_status" in data:
        word = str(data["crm_status"] or "")
        if "attribute" in settings.shows:
            body["ДополнительныеРеквизиты"] = _attributes(client, names, settings.attribute, word, row)
        if "comment" in settings.shows:
            said = _MARK.sub("", str(body.get("Комментарий", row.get("Комментарий")) or ""))
            body["Комментарий"] = f"{said} [CRM: {word}]".strip() if word else said
    return body


def deal_body(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is PATCHed on Сделка: its Статус (ВРаботе, Выиграна, Проиграна)."""
    return {"Статус": data["deal_status"]} if data.get("deal_status") else {}


def _state(client: ODataClient, names: Names, word: str) -> dict[str, Any]:
    rows = client.rows(names.states, filter=f"Description eq '{_quoted(word)}' and DeletionMark eq false", top="2")
    if len(rows) != 1:
        raise RecordRefused(
            Text(f"1C has no order state “{word}”", f"в 1С нет состояния заказа «{word}»"),
            code="odata.state",
            field="state",
            remedy=Text("Make it in 1C, or correct the table of states in the mapping.",
                        "Создайте его в 1С или исправьте таблицу состояний в файле сопоставления."),
        )  # fmt: skip
    return {"СостояниеЗаказа": rows[0]["Ref_Key"], "СостояниеЗаказа_Type": f"StandardODATA.{names.states}"}


def attribute_key(client: ODataClient, names: Names, name: str) -> str | None:
    """The key of an additional attribute by its name (БСП appends the owner's name in brackets); None when there is none."""
    rows = client.rows(
        names.attributes, filter=f"startswith(Description,'{_quoted(name)}') and DeletionMark eq false", top="20"
    )
    wanted = [r for r in rows if str(r.get("Description", "")).partition(" (")[0].strip() == name]
    return str(wanted[0]["Ref_Key"]) if wanted else None


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
