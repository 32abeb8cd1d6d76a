"""What happened, in words: fields, events and reasons of the journal as people call them, in Russian and English."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from sync.model.compare import line_total

FIELDS: dict[str, tuple[str, str]] = {
    "number": ("number", "номер"),
    "title": ("title", "название"),
    "name": ("name", "наименование"),
    "full_name": ("full name", "полное наименование"),
    "stage": ("stage", "этап"),
    "status": ("status", "состояние"),
    "responsible": ("responsible", "ответственный"),
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
    "return": ("return of goods", "возврат товара"),
    "order": ("document", "документ"),
    "invoice": ("invoice", "счёт"),
    "merged_into": ("merged into", "объединён с"),
    "client": ("client", "клиент"),
    "review": ("question", "вопрос"),
    "activities": ("activities now lie with", "дела теперь лежат у"),
    "description": ("description", "описание"),
    "unit": ("unit", "единица"),
    "unit_code": ("unit code", "код единицы"),
    "vat_rate": ("VAT rate", "ставка НДС"),
    "quantity": ("quantity", "количество"),
    "group": ("group", "группа"),
    "kind": ("kind", "вид"),
    "barcodes": ("bar codes", "штрихкоды"),
    "images": ("pictures", "картинки"),
    "phones": ("phones", "телефоны"),
    "emails": ("e-mail", "почта"),
    "source": ("source", "источник"),
    "utm": ("advertising marks", "рекламные метки"),
    "consent": ("consent", "согласие"),
    "form": ("form", "форма"),
    "extra": ("other fields", "прочие поля"),
    "created_at": ("made at", "создано"),
    "pipeline": ("pipeline", "воронка"),
}
# Sums are shown with two decimals, quantities with as many as they have
_SUMS = frozenset({"amount", "tax", "paid_amount", "shipped_amount", "price", "payment", "shipment", "refund",
                   "return", "order", "invoice"})  # fmt: skip
_QUANTITIES = frozenset({"stock", "quantity", "vat_rate"})
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
    "owner": ("as the leading system says", "так в ведущей системе"),
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
    told = {}
    for language in ("en", "ru"):
        name = word(EVENTS, kind, language)
        # a document's subject says already what it is: "Оплата № 5"
        said = (
            f"{name} {arrow} {subject or ''}" if kind not in ("payment", "shipment") else f"{arrow} {subject or name}"
        )
        told[language] = " · ".join(filter(None, (said.strip(), str((evidence or {}).get(language) or ""))))
    return told


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
            f"{word(FIELDS, f, language)} {_value(changes[f], stages, language, f)}"
            for f in _SHOWN_OF_NEW
            if changes.get(f)
        ]
        return "; ".join(shown) or ", ".join(word(FIELDS, f, language) for f in list(changes)[:5])
    parts = []
    for field, value in changes.items():
        plain = field.split(" ")[0]
        name = word(FIELDS, plain, language)
        before, after = value if isinstance(value, list) and len(value) == 2 else (None, value)
        if isinstance(after, dict) or isinstance(before, dict):
            parts.append(f"{name} {_document(before, after, language)}")
        elif plain == "lines" and isinstance(before, list) and isinstance(after, list):
            parts.append(f"{name}: {_moved(before, after, language)}")
        elif before is None:
            parts.append(f"{name}: {_value(after, stages, language, plain)}")
        else:
            old, new = (_value(v, stages, language, plain) for v in (before, after))
            parts.append(f"{name}: {old} → {new}")
    return "; ".join(parts)


def _document(before: Any, after: Any, language: str) -> str:
    """A document's number and sum, with the sum before where it moved."""
    now = after if isinstance(after, dict) else {}
    old = before if isinstance(before, dict) else {}
    number = now.get("number") or old.get("number")
    was, is_ = (_number(d["amount"], "amount", language) if d.get("amount") else "" for d in (old, now))
    sums = f"{was or '—'} → {is_ or '—'}" if old and was != is_ else is_
    return f"{f'№ {number} ' if number else ''}{sums}".strip()


def _moved(before: list[Any], after: list[Any], language: str) -> str:
    """The goods of which quantity or sum is another one now; where there are none, how many lines there are."""
    old, new = _goods(before, language), _goods(after, language)
    names = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    shown = "; ".join(f"{key}: {old.get(key, '—')} → {new.get(key, '—')}" for key in names[:3])
    return shown + (" …" if len(names) > 3 else "") or f"[{len(before)}] → [{len(after)}]"


def _goods(lines: list[Any], language: str) -> dict[str, str]:
    """Article (else name) → "2 for 100.10" of its lines, with VAT as the report has it."""
    found: dict[str, str] = {}
    for one in lines:
        if isinstance(one, dict):
            key = str(one.get("sku") or one.get("name") or one.get("key"))[:40]
            total = line_total({**one, **_numbers(one)})
            said = _number(total, "sum", language) if total is not None else "?"
            if one.get("qty") not in (None, ""):  # a discount has none
                said = f"{_number(one['qty'], 'quantity', language)} {'на' if language == 'ru' else 'for'} {said}"
            found[key] = f"{found[key]} + {said}" if key in found else said
    return found


def _numbers(line: dict[str, Any]) -> dict[str, Decimal]:
    """The journal keeps numbers as texts."""
    found = {}
    for name in ("sum", "tax", "price", "qty", "discount", "vat_rate"):
        with suppress(ArithmeticError):
            if line.get(name) is not None and (number := Decimal(str(line[name]))).is_finite():
                found[name] = number
    return found


def _number(value: Any, field: str, language: str) -> str:
    """A sum as people write it (1 046,40 or 1046.40), a quantity without empty decimals; anything else as it stands."""
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return str(value)
    if not number.is_finite():
        return str(value)
    if field in _QUANTITIES:
        text = f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
    else:
        text = f"{number:,.2f}" if number == round(number, 2) else f"{number.normalize():,f}"
    return text.replace(",", "\u00a0").replace(".", ",") if language == "ru" else text.replace(",", "")


def _value(value: Any, stages: Mapping[str, str], language: str, field: str) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "ru": ("нет", "да")}[language][value]
    if isinstance(value, list):
        return f"[{len(value)}]"
    if field in _SUMS or field in _QUANTITIES:
        return _number(value, field, language)
    text = str(value)
    return stages.get(text, text)[:60]
