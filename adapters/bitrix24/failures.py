"""What an answer that is not the wanted one means: a table of (status, error code, description) → reaction, from the top.

Bitrix24 answers errors as {"error", "error_description"}, with status 4xx, 5xx or 200, and the same inside of a batch;
"Not found" and "Access denied" come with an empty code. The description is in the portal's language and may quote values,
so only codes and names of fields are repeated.
"""

from __future__ import annotations

import re

from adapters.answers import Refusal, Rule, Table
from adapters.base import (
    BadConfig,
    Native,
    OutcomeUnknown,
    PreconditionFailed,
    RecordRefused,
    RetryLater,
    SverkaError,
    Text,
)

NO_JSON = "-"  # in place of a code; an empty one is usual
RULES = (
    Rule("*", "query_limit_exceeded", "any", RetryLater, "bitrix.limit"),
    Rule("*", "operation_time_limit", "any", RetryLater, "bitrix.operating"),
    Rule("*", "overload_limit", "any", BadConfig, "bitrix.overload", "webhook"),
    Rule("*", "insufficient_scope", "any", BadConfig, "bitrix.scope", "webhook"),
    Rule("*", "invalid_scope", "any", BadConfig, "bitrix.scope", "webhook"),
    Rule("*", "expired_token", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("*", "invalid_credentials", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("*", "no_auth_found", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("*", "invalid_token", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("*", "authorization_error", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("*", "application_not_found", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("*", "payment_required", "any", BadConfig, "bitrix.tariff", "webhook"),
    Rule("*", "portal_deleted", "any", BadConfig, "bitrix.portal", "webhook"),
    Rule("*", "*method_not_found", "any", BadConfig, "bitrix.method", "webhook"),
    Rule("403", "access_denied", "any", BadConfig, "bitrix.tariff", "webhook"),
    Rule("*", "access_denied", "any", BadConfig, "bitrix.rights", "webhook"),
    Rule("*", "*not_found", "any", PreconditionFailed, "bitrix.gone"),
    Rule("*", "*", "any", PreconditionFailed, "bitrix.gone", said="not found"),
    Rule("*", "*", "any", BadConfig, "bitrix.rights", "webhook", said="access denied"),
    Rule("*", "*", "any", BadConfig, "bitrix.rights", "webhook", said="доступ запрещ"),
    Rule("401", "*", "any", BadConfig, "bitrix.auth", "webhook"),
    Rule("403", NO_JSON, "any", RetryLater, "bitrix.blocked"),
    Rule("404", NO_JSON, "any", BadConfig, "bitrix.address", "webhook"),
    Rule("429", "*", "any", RetryLater, "bitrix.limit"),
    Rule("3xx", "*", "any", BadConfig, "bitrix.redirect", "webhook"),
    Rule("5xx", "*", "read", RetryLater, "bitrix.server"),
    Rule("5xx", "*", "write", OutcomeUnknown, "bitrix.unknown"),
    Rule("*", "internal_server_error", "read", RetryLater, "bitrix.server"),
    Rule("*", "internal_server_error", "write", OutcomeUnknown, "bitrix.unknown"),
    Rule("*", "error_unexpected_answer", "read", RetryLater, "bitrix.server"),
    Rule("*", "error_unexpected_answer", "write", OutcomeUnknown, "bitrix.unknown"),
    Rule("408", "*", "read", RetryLater, "bitrix.timeout"),
    Rule("408", "*", "write", OutcomeUnknown, "bitrix.unknown"),
    Rule("*", "*", "write", RecordRefused, "bitrix.refused"),
    Rule("*", "*", "read", BadConfig, "bitrix.parameter", "webhook"),
)

WEBHOOK_REMEDY = Text(
    "Make an incoming webhook with the right CRM (Developer resources → Other → Inbound webhook) as a user who may see and edit"
    " all leads, deals, contacts and companies, and enter its whole address.",
    "Создайте входящий вебхук с правом «CRM (crm)» (Разработчикам → Другое → Входящий вебхук) от имени сотрудника, который"
    " видит и меняет все лиды, сделки, контакты и компании, и впишите его адрес целиком.",
)
SAYINGS = {
    "bitrix.limit": Text("too many calls", "слишком много запросов"),
    "bitrix.operating": Text(
        "the method has used up its time for these ten minutes", "метод исчерпал своё время на эти десять минут"
    ),
    "bitrix.overload": Text("the portal has been blocked by hand", "портал заблокирован поддержкой вручную"),
    "bitrix.scope": Text("the webhook lacks the right CRM", "у вебхука нет права «CRM»"),
    "bitrix.auth": Text("the portal does not accept the webhook", "портал не принимает вебхук"),
    "bitrix.tariff": Text("the portal's tariff does not allow this", "тариф портала этого не позволяет"),
    "bitrix.portal": Text("the portal has been deleted", "портал удалён"),
    "bitrix.method": Text("the portal does not know this method", "портал не знает этого метода"),
    "bitrix.rights": Text("the webhook's user lacks the right", "у владельца вебхука нет прав"),
    "bitrix.gone": Text("the record is no longer there", "записи больше нет"),
    "bitrix.blocked": Text("something before the portal blocked the call", "запрос отклонила защита перед порталом"),
    "bitrix.address": Text("no REST answers at this address", "по этому адресу нет REST"),
    "bitrix.redirect": Text("it redirects to another place", "адрес перенаправляет в другое место"),
    "bitrix.server": Text("the portal failed", "сбой на стороне портала"),
    "bitrix.timeout": Text("the portal gave up waiting", "портал не дождался запроса"),
    "bitrix.unknown": Text("the portal failed while writing; it may be done", "сбой при записи; запись могла пройти"),
    "bitrix.refused": Text("the portal refuses this value", "портал не принимает это значение"),
    "bitrix.parameter": Text("the portal refuses a parameter of the call", "портал не принимает параметр запроса"),
}
REMEDIES = {
    **dict.fromkeys(("bitrix.auth", "bitrix.scope", "bitrix.rights", "bitrix.address"), WEBHOOK_REMEDY),
    "bitrix.overload": Text(
        "Write to the support of Bitrix24; the hub does not try again by itself.",
        "Обратитесь в поддержку Битрикс24; сам хаб повторять не будет.",
    ),
    "bitrix.tariff": Text(
        "REST needs a paid tariff or the subscription «Маркет Плюс»: look under Tariffs in the portal.",
        "Для REST нужен коммерческий тариф или подписка «Маркет Плюс»: проверьте раздел «Тарифы» портала.",
    ),
    "bitrix.redirect": Text(
        "Enter the webhook's address with the portal's present name.",
        "Впишите адрес вебхука с нынешним именем портала.",
    ),
    "bitrix.method": Text(
        "Update the portal (a self-hosted one), or look whether its REST is switched on.",
        "Обновите коробочный портал или проверьте, включён ли у него REST.",
    ),
}


_TABLE = Table(RULES, SAYINGS, REMEDIES)


def error_for(status: int, body: object, call: str, where: str, *, after: int | None = None) -> SverkaError:
    """The error of a refused call: `call` is "read" or "write", `where` host and method, `after` the portal's own wish."""
    native: Native = body if isinstance(body, dict) else {}
    code = _slug(native.get("error"))
    said = str(native.get("error_description") or native.get("error_information") or "")
    got = f"HTTP {status}" + (f" {code}" if code else "")
    known = code.lower() if native else NO_JSON
    return _TABLE.error(status, known, call, where, got, said=said, refusal=_refusal(said), after=after)


def _slug(code: object) -> str:
    text = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else ""
    return text if re.fullmatch(r"[\w-]{1,60}", text, re.ASCII) and text != "0" else ""


def _refusal(said: str) -> Refusal:
    """The names of fields in it: DISCOUNT_SUM, UF_CRM_123. Anything else may be somebody's data."""
    names = re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b(?:TITLE|PHONE|EMAIL|NAME)\b", said)
    listed = list(dict.fromkeys(names))[:8]
    if not listed:
        return Refusal()
    return Refusal(f"; fields: {', '.join(listed)}", f"; поля: {', '.join(listed)}", listed[0])
