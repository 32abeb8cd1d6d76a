"""What happened, in words: fields, events and reasons of the journal as people call them, in Russian and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIELDS: dict[str, tuple[str, str]] = {
    "number": ("number", "номер"),
    "title": ("title", "название"),
    "name": ("name", "наименование"),
    "full_name": ("full name", "полное наименование"),
    "stage": ("stage", "этап"),
    "status": ("status", "состояние"),
    "amount": ("sum", "сумма"),
    "currency": ("currency", "валюта"),
    "tax": ("tax", "налог"),
    "lines": ("lines", "состав"),
    "comment": ("comment", "комментарий"),
    "paid": ("paid", "оплачено"),
    "shipped": ("shipped", "отгружено"),
    "cancelled": ("cancelled", "отменено"),
    "paid_amount": ("paid sum", "сумма оплат"),
    "shipped_amount": ("shipped sum", "сумма отгрузок"),
    "lost_reason": ("reason of the loss", "причина отказа"),
    "payment_method": ("way of payment", "способ оплаты"),
    "delivery_address": ("delivery address", "адрес доставки"),
    "price": ("price", "цена"),
    "stock": ("stock", "остаток"),
    "sku": ("article", "артикул"),
    "active": ("active", "действует"),
    "archived": ("archived", "в архиве"),
    "deleted": ("deleted", "удалено"),
    "link": ("link", "связь"),
    "payment": ("payment", "оплата"),
    "shipment": ("shipment", "отгрузка"),
    "refund": ("refund", "возврат"),
    "order": ("document", "документ"),
    "invoice": ("invoice", "счёт"),
    "merged_into": ("merged into", "объединён с"),
    "client": ("client", "клиент"),
    "review": ("question", "вопрос"),
    "activities": ("activities now lie with", "дела теперь лежат у"),
}
EVENTS: dict[str, tuple[str, str]] = {
    "form": ("form", "заявка"),
    "order": ("order", "заказ"),
    "email": ("letter", "письмо"),
    "call": ("call", "звонок"),
    "meeting": ("meeting", "встреча"),
    "payment": ("payment", "оплата"),
    "shipment": ("shipment", "отгрузка"),
    "note": ("note", "заметка"),
    "message": ("message", "сообщение"),
}
REASONS: dict[str, tuple[str, str]] = {
    "created": ("first seen", "впервые"),
    "observed": ("changed there", "изменилось там"),
    "owner": ("its word counts", "её слово решает"),
    "prefer": ("preferred side", "предпочтённая сторона"),
    "join": ("the further stage", "более поздний этап"),
    "union": ("both were kept", "объединено"),
    "human": ("decided by a person", "решение человека"),
    "converted": ("became a deal", "стал сделкой"),
    "offered": ("fetched by it", "забрано"),
    "deleted": ("deleted there", "удалено там"),
    "propagate": ("deleted in another system", "удалено в другой системе"),
    "edited": ("edited elsewhere after the deletion", "после удаления изменено в другой системе"),
    "revived": ("back again", "снова на месте"),
    "detached": ("deleted there, goes on without it", "удалено там, дальше без неё"),
    "merge": ("clients were merged or parted", "клиенты объединены или разделены"),
    "linked": ("joined", "связано"),
    "seen": ("shown there", "показано там"),
    "mapping": ("read otherwise: the mapping was changed", "прочитано иначе: изменено сопоставление"),
}
_VIA: dict[str, tuple[str, str]] = {
    "poll": ("read when polled", "прочитано при опросе"),
    "push": ("arrived", "пришло"),
    "exchange": ("arrived by exchange", "пришло обменом"),
    "file": ("a file was taken", "взят файл"),
}
_SHOWN_OF_NEW = ("number", "name", "sku", "stage", "status", "amount")


def word(table: Mapping[str, tuple[str, str]], key: str, language: str) -> str:
    """The word for a key; an unknown key stays as it is."""
    return table.get(key, (key, key))[0 if language == "en" else 1]


def arrival(via: str, name: str, repeat: bool) -> dict[str, str]:
    """One arrival: how it came and what it was."""
    return {
        language: f"{word(_VIA, via, language)}{again if repeat else ''}{f': {name}' if name and name != via else ''}"
        for language, again in (("en", " again"), ("ru", " повторно"))
    }


def event(kind: str, direction: str, subject: str | None, evidence: Mapping[str, Any] | None) -> dict[str, str]:
    """One contact event with the evidence by which it stands on this client."""
    arrow = "→" if direction == "out" else "←"
    return {
        language: f"{word(EVENTS, kind, language)} {arrow} {subject or ''} · {(evidence or {}).get(language, '')}".rstrip(
            " ·"
        )
        for language in ("en", "ru")
    }


def merged(name: str, who: str, why: Mapping[str, str], *, here: bool) -> dict[str, str]:
    """Two cards became one client. `here`: the other one came into this card."""
    return {
        "en": f"{'merged from' if here else 'merged into'} {name} by {who}: {why['en']}",
        "ru": f"{'объединено: сюда вошла карточка' if here else 'объединено: вошла в карточку'} {name}; "
        f"решил(а) {who}: {why['ru']}",
    }


def parted(name: str, who: str) -> dict[str, str]:
    """The same, taken back."""
    return {"en": f"the merge with {name} was taken back by {who}", "ru": f"объединение с {name} отменил(а) {who}"}


def change(why: str, who: str, changes: Mapping[str, Any], stages: Mapping[str, str]) -> dict[str, str]:
    """One journal row: which values became which, why and by whose word. `stages` are the titles of stages."""
    reason = why.removeprefix("wrote:")
    verbs = {
        "en": "written there" if why != reason else "created" if why == "created" else "",
        "ru": "записано туда" if why != reason else "создано" if why == "created" else "",
    }
    told = {}
    for language, verb in verbs.items():
        because = (
            ""
            if why == "created"
            else f" · {_because(reason, language)}{f' ({who})' if why == 'human' or why[:5] == 'undo:' else ''}"
        )
        what = _values(changes, why, stages, language)
        told[language] = f"{f'{verb}: ' if verb else ''}{what}{because}"
    return told


def _because(reason: str, language: str) -> str:
    if reason.startswith("undo:"):
        run = reason.removeprefix("undo:")
        return f"run {run} taken back" if language == "en" else f"отмена работы {run}"
    return word(REASONS, reason, language)


def _values(changes: Mapping[str, Any], why: str, stages: Mapping[str, str], language: str) -> str:
    if why == "linked":
        changes, why = {f: v[1] for f, v in changes.items()}, "created"
    if why == "created":
        shown = [
            f"{word(FIELDS, f, language)} {_value(changes[f], stages, language)}"
            for f in _SHOWN_OF_NEW
            if changes.get(f)
        ]
        return "; ".join(shown) or ", ".join(word(FIELDS, f, language) for f in list(changes)[:5])
    parts = []
    for field, value in changes.items():
        name = word(FIELDS, field.split(" ")[0], language)
        before, after = value if isinstance(value, list) and len(value) == 2 else (None, value)
        if isinstance(after, dict) or isinstance(before, dict):
            parts.append(f"{name} {_document(before, after)}")
        elif before is None:
            parts.append(f"{name}: {_value(after, stages, language)}")
        else:
            parts.append(f"{name}: {_value(before, stages, language)} → {_value(after, stages, language)}")
    return "; ".join(parts)


def _document(before: Any, after: Any) -> str:
    """A document's number and sum, with the sum before where it moved."""
    now = after if isinstance(after, dict) else {}
    old = before if isinstance(before, dict) else {}
    number = now.get("number") or old.get("number")
    sums = (
        f"{old.get('amount')} → {now.get('amount', '—')}"
        if old and old.get("amount") != now.get("amount")
        else now.get("amount")
    )
    return f"{f'№ {number} ' if number else ''}{sums or ''}".strip()


def _value(value: Any, stages: Mapping[str, str], language: str) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "ru": ("нет", "да")}[language][value]
    if isinstance(value, list):
        return f"[{len(value)}]"
    text = str(value)
    return stages.get(text, text)[:60]
