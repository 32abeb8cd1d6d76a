"""What the Bitrix24 stand-in knows of CRM records: their fields, the shipped stages and statuses, the shapes of values."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]
KINDS = ("lead", "deal", "contact", "company")
MULTI = ("PHONE", "EMAIL", "WEB", "IM")
OWNER = {"L": "lead", "D": "deal"}
_COMMON = {
    "ID": "integer",
    "ASSIGNED_BY_ID": "user",
    "CREATED_BY_ID": "user",
    "MODIFY_BY_ID": "user",
    "DATE_CREATE": "datetime",
    "DATE_MODIFY": "datetime",
    "LAST_ACTIVITY_TIME": "datetime",
    "LAST_ACTIVITY_BY": "user",
    "OPENED": "char",
    "COMMENTS": "string",
    "ORIGINATOR_ID": "string",
    "ORIGIN_ID": "string",
    "UTM_SOURCE": "string",
    "UTM_MEDIUM": "string",
    "UTM_CAMPAIGN": "string",
    "UTM_CONTENT": "string",
    "UTM_TERM": "string",
}
_SOURCE = {"SOURCE_ID": "crm_status", "SOURCE_DESCRIPTION": "string"}
_MONEY = {"OPPORTUNITY": "double", "CURRENCY_ID": "crm_currency", "IS_MANUAL_OPPORTUNITY": "char"}
_PERSON = {"NAME": "string", "SECOND_NAME": "string", "LAST_NAME": "string", "POST": "string"}
_PHONES = {"HAS_PHONE": "char", "HAS_EMAIL": "char", **dict.fromkeys(MULTI, "crm_multifield")}
FIELDS: dict[str, dict[str, str]] = {
    "deal": _COMMON
    | _SOURCE
    | _MONEY
    | {
        "TITLE": "string",
        "TYPE_ID": "crm_status",
        "CATEGORY_ID": "crm_category",
        "STAGE_ID": "crm_status",
        "STAGE_SEMANTIC_ID": "string",
        "PROBABILITY": "integer",
        "TAX_VALUE": "double",
        "LEAD_ID": "crm_lead",
        "COMPANY_ID": "crm_company",
        "CONTACT_ID": "crm_contact",
        "CONTACT_IDS": "crm_contact",
        "BEGINDATE": "date",
        "CLOSEDATE": "date",
        "CLOSED": "char",
        "ADDITIONAL_INFO": "string",
        "MOVED_TIME": "datetime",
        "UF_CRM_LOST_REASON": "string",
    },
    "lead": _COMMON
    | _SOURCE
    | _MONEY
    | _PERSON
    | _PHONES
    | {
        "TITLE": "string",
        "STATUS_ID": "crm_status",
        "STATUS_SEMANTIC_ID": "string",
        "STATUS_DESCRIPTION": "string",
        "COMPANY_TITLE": "string",
        "COMPANY_ID": "crm_company",
        "CONTACT_ID": "crm_contact",
        "DATE_CLOSED": "datetime",
    },
    "contact": _COMMON
    | _SOURCE
    | _PERSON
    | _PHONES
    | {"TYPE_ID": "crm_status", "COMPANY_ID": "crm_company", "ORIGIN_VERSION": "string"},
    "company": _COMMON
    | _PHONES
    | {
        "TITLE": "string",
        "COMPANY_TYPE": "crm_status",
        "INDUSTRY": "crm_status",
        "REVENUE": "double",
        "CURRENCY_ID": "crm_currency",
        "ORIGIN_VERSION": "string",
    },
}
READ_ONLY = frozenset(
    {
        "ID", "DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID", "STAGE_SEMANTIC_ID", "STATUS_SEMANTIC_ID",
        "LAST_ACTIVITY_TIME", "LAST_ACTIVITY_BY", "HAS_PHONE", "HAS_EMAIL", "MOVED_TIME", "DATE_CLOSED",
    }
)  # fmt: skip
_STAGES = (
    ("NEW", "Новая", None), ("PREPARATION", "Подготовка документов", None),
    ("PREPAYMENT_INVOICE", "Счёт на предоплату", None), ("EXECUTING", "В работе", None),
    ("FINAL_INVOICE", "Финальный счёт", None), ("WON", "Сделка успешна", "S"),
    ("LOSE", "Сделка провалена", "F"), ("APOLOGY", "Анализ причины провала", "F"),
)  # fmt: skip
_STATUSES = (
    ("NEW", "Не обработан", None), ("IN_PROCESS", "В работе", None), ("PROCESSED", "Обработан", None),
    ("CONVERTED", "Качественный лид", "S"), ("JUNK", "Некачественный лид", "F"),
)  # fmt: skip
_SOURCES = (("CALL", "Звонок", None), ("EMAIL", "Почта", None), ("WEB", "Сайт", None))


def statuses() -> list[Row]:
    """crm.status.list of a new portal with one more pipeline, number 1."""
    rows: list[Row] = []
    places = [("DEAL_STAGE", None, _STAGES, ""), ("DEAL_STAGE_1", "1", _STAGES[:1] + _STAGES[5:7], "C1:")]
    for entity, category, words, prefix in [
        *places,
        ("STATUS", None, _STATUSES, ""),
        ("SOURCE", None, _SOURCES, ""),
    ]:
        for number, (code, name, semantics) in enumerate(words, 1):
            rows.append(status(len(rows) + 101, entity, prefix + code, name, semantics, number * 10, category))
    return rows


def status(
    id: int, entity: str, code: str, name: str, semantics: str | None, sort: int = 500, category: str | None = None
) -> Row:
    return {
        "ID": str(id),
        "ENTITY_ID": entity,
        "STATUS_ID": code,
        "NAME": name,
        "NAME_INIT": "",
        "SORT": str(sort),
        "SYSTEM": "N",
        "CATEGORY_ID": category,
        "COLOR": "#39A8EF",
        "SEMANTICS": semantics,
        "EXTRA": {"SEMANTICS": {"S": "success", "F": "failure"}.get(semantics or "", "process"), "COLOR": "#39A8EF"},
    }


def categories() -> list[Row]:
    base = {"entityTypeId": 2, "originId": "", "originatorId": ""}
    return [
        {"id": 1, "name": "Сервис", "sort": 200, "isDefault": "N", **base},
        {"id": 0, "name": "Общая", "sort": 300, "isDefault": "Y", **base},
    ]


def entity_of(category: Any) -> str:
    return "DEAL_STAGE" if str(category or "0") == "0" else f"DEAL_STAGE_{category}"


def shaped(kind: str, name: str, value: Any) -> Any:
    """A value as the portal keeps and shows it: texts for everything, sums with two places, null for nothing."""
    type_ = FIELDS[kind].get(name, "string")
    if type_ == "double":
        return money(value)
    if value is None or value == "":
        return "0" if type_ in ("crm_contact", "crm_company") and value == "" else None
    if type_ == "char":
        return "Y" if value in ("Y", "y", True, "1", 1) else "N"
    return str(value)


def money(value: Any) -> str:
    try:
        number = Decimal(str(value or 0))
    except ArithmeticError:
        number = Decimal(0)
    return str(number.quantize(Decimal("0.01"), ROUND_HALF_UP))


def product_row(id: int, owner: str, owner_id: int, given: Row) -> Row:
    """A product row as crm.item.productrow.* shows it: JSON numbers, `price` with discounts and taxes."""
    price, rate = Decimal(str(given.get("price") or 0)), given.get("taxRate")
    rate = Decimal(str(rate)) if rate not in (None, "") else None
    exclusive = (price / (1 + rate / 100)).quantize(Decimal("0.01"), ROUND_HALF_UP) if rate else price
    return {
        "id": id,
        "ownerId": owner_id,
        "ownerType": owner,
        "productId": int(given.get("productId") or 0),
        "productName": str(given.get("productName") or ""),
        "price": number(price),
        "priceAccount": number(price),
        "priceExclusive": number(exclusive),
        "priceNetto": number(exclusive),
        "priceBrutto": number(price),
        "quantity": number(Decimal(str(given.get("quantity") or 1))),
        "discountTypeId": int(given.get("discountTypeId") or 2),
        "discountRate": 0,
        "discountSum": number(Decimal(str(given.get("discountSum") or 0))),
        "taxRate": None if rate is None else number(rate),
        "taxIncluded": str(given.get("taxIncluded") or "N"),
        "customized": "Y",
        "measureCode": int(given.get("measureCode") or 796),
        "measureName": "шт",
        "sort": int(given.get("sort") or 10),
        "xmlId": "",
        "type": 1,
        "storeId": None,
    }


def number(value: Decimal) -> int | float:
    """A JSON number as PHP writes it. Binary fractions are the portal's own business."""
    return int(value) if value == value.to_integral_value() else float(value)
