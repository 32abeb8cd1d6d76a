"""What an answer that is not the wanted one means: a table of (status, error code) → reaction, read from the top.

WooCommerce answers errors as {"code", "message", "data": {"status", "params"}}; hosts in front of it answer HTML. The
message is in the shop's language and may quote values, so only codes, parameter names and lists of statuses are repeated.
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

# The code is "" where there is no JSON
RULES = (
    Rule("401", "?*", "write", BadConfig, "woo.read_only", "key"),
    Rule("401", "?*", "read", BadConfig, "woo.auth", "key"),
    Rule("401", "", "any", BadConfig, "woo.site_password", "url"),
    Rule("403", "?*", "any", BadConfig, "woo.rights", "key"),
    Rule("403", "", "any", RetryLater, "woo.blocked"),
    Rule("404", "*_invalid_id", "any", PreconditionFailed, "woo.gone"),
    Rule("400", "*_invalid_id", "any", PreconditionFailed, "woo.gone"),
    Rule("404", "?*", "any", BadConfig, "woo.no_route", "url"),
    Rule("404", "", "any", BadConfig, "woo.not_found", "url"),
    Rule("405", "*", "any", BadConfig, "woo.method", "url"),
    Rule("400", "*", "read", BadConfig, "woo.parameter", "url"),
    Rule("408", "*", "any", RetryLater, "woo.timeout"),
    Rule("420", "*", "any", RetryLater, "woo.limit"),
    Rule("429", "*", "any", RetryLater, "woo.limit"),
    Rule("503", "*", "any", RetryLater, "woo.busy"),
    Rule("508", "*", "any", RetryLater, "woo.busy"),
    Rule("501", "*trash*", "write", RecordRefused, "woo.no_trash"),
    Rule("5xx", "*", "read", RetryLater, "woo.server"),
    Rule("5xx", "*", "write", OutcomeUnknown, "woo.unknown"),
    Rule("3xx", "*", "any", BadConfig, "woo.redirect", "url"),
    Rule("4xx", "*", "write", RecordRefused, "woo.refused"),
    Rule("*", "*", "any", BadConfig, "woo.unexpected", "url"),
)

KEY_REMEDY = Text(
    "Make a key with Read/Write rights under WooCommerce → Settings → Advanced → REST API and enter its key and secret. If they"
    ' are right: on http only OAuth works; a host may strip the Authorization header (set auth = "query"); a proxy must tell'
    " PHP about HTTPS (X-Forwarded-Proto).",
    "Создайте ключ с правами «Чтение/Запись»: WooCommerce → Настройки → Дополнительно → REST API, и впишите key и secret. Если"
    ' они верны: по http действует только OAuth; хостинг может срезать заголовок Authorization (поставьте auth = "query");'
    " прокси должен сообщать PHP об HTTPS (X-Forwarded-Proto).",
)
ADDRESS_REMEDY = Text(
    "Open <url>/wp-json/ in a browser: it must show JSON. In the shop, Settings → Permalinks must not be Plain, and"
    " WooCommerce must be active (5.8 or newer).",
    "Откройте <url>/wp-json/ в браузере: должен быть JSON. В магазине: Настройки → Постоянные ссылки не «Простые»,"
    " WooCommerce включён (5.8 или новее).",
)

SAYINGS = {
    "woo.read_only": Text("the key may read but not write", "ключ даёт читать, но не писать"),
    "woo.auth": Text("the shop does not accept the key", "магазин не принимает ключ"),
    "woo.site_password": Text("the web server asks for its own password", "веб-сервер спрашивает свой пароль"),
    "woo.rights": Text("the key's user lacks the right", "у пользователя ключа нет прав"),
    "woo.blocked": Text("the host's protection blocked the call", "защита хостинга отклонила запрос"),
    "woo.gone": Text("the record is no longer there", "записи больше нет"),
    "woo.no_route": Text("WordPress answers, but not WooCommerce's API", "WordPress отвечает, но без API WooCommerce"),
    "woo.not_found": Text("no WordPress API lies at this address", "по этому адресу нет API WordPress"),
    "woo.method": Text("the host refuses this kind of call", "хостинг не пропускает такие запросы"),
    "woo.parameter": Text("the shop does not know a parameter asked for", "магазин не знает параметр запроса"),
    "woo.timeout": Text("the shop gave up waiting", "магазин не дождался запроса"),
    "woo.limit": Text("too many calls", "слишком много запросов"),
    "woo.busy": Text("the shop is overloaded or in maintenance", "магазин перегружен или на обслуживании"),
    "woo.server": Text("the shop failed", "сбой на стороне магазина"),
    "woo.unknown": Text("the shop failed while writing; it may be done", "сбой при записи; запись могла пройти"),
    "woo.redirect": Text("it redirects; keys are not carried along", "перенаправление; ключи туда не передаются"),
    "woo.refused": Text("the shop refuses this value", "магазин не принимает это значение"),
    "woo.no_trash": Text("the shop has no trash, and nothing is deleted for good", "в магазине отключена корзина"),
    "woo.unexpected": Text("not an answer of WooCommerce", "ответ не от WooCommerce"),
}
REMEDIES = {
    "woo.read_only": KEY_REMEDY,
    "woo.auth": KEY_REMEDY,
    "woo.site_password": Text(
        "Ask the host to let /wp-json/ through without it.",
        "Попросите хостинг открыть /wp-json/ без него.",
    ),
    "woo.rights": Text(
        "Give the key a shop manager or administrator as its user.",
        "Привяжите ключ к пользователю «Менеджер магазина» или администратору.",
    ),
    "woo.blocked": Text(
        "Ask the host to allow this hub's address for /wp-json/.",
        "Попросите хостинг разрешить адрес хаба для /wp-json/.",
    ),
    "woo.no_route": ADDRESS_REMEDY,
    "woo.not_found": ADDRESS_REMEDY,
    "woo.parameter": ADDRESS_REMEDY,
    "woo.unexpected": ADDRESS_REMEDY,
    "woo.method": Text(
        "Ask the host to allow GET, PUT and DELETE for /wp-json/.",
        "Попросите хостинг разрешить GET, PUT и DELETE для /wp-json/.",
    ),
    "woo.no_trash": Text(
        "Switch the trash on (EMPTY_TRASH_DAYS in wp-config.php), or delete the record in the shop by hand; then retry.",
        "Включите корзину (EMPTY_TRASH_DAYS в wp-config.php) или удалите запись в магазине вручную, затем повторите.",
    ),
    "woo.redirect": Text(
        "Enter the address exactly as the browser shows it (https, with or without www).",
        "Впишите адрес ровно так, как его показывает браузер (https, с www или без).",
    ),
}


_TABLE = Table(RULES, SAYINGS, REMEDIES)


def error_for(
    status: int, body: object, call: str, where: str, *, after: int | None = None, target: str = ""
) -> SverkaError:
    """The error of a non-2xx answer: `call` is "read" or "write", `where` the address asked, `target` a redirect's host."""
    native = body if isinstance(body, dict) else {}
    code = _slug(native.get("code"))
    got = f"HTTP {status}" + (f" {code}" if code else "") + (f" → {target}" if target else "")
    return _TABLE.error(status, code, call, where, got, refusal=_refusal(native), after=after)


def _slug(code: object) -> str:
    return code[:60] if isinstance(code, str) and re.fullmatch(r"[\w-]+", code, re.ASCII) else ""


def _refusal(native: Native) -> Refusal:
    """What a 400 says about parameters: their names, and the allowed statuses where the status was refused."""
    data = native.get("data")
    params = data.get("params") if isinstance(data, dict) else None
    if not isinstance(params, dict) or not params:
        return Refusal()
    names = [name for name in map(_slug, params) if name]
    if "status" in names:
        words = re.findall(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", str(params["status"]))
        allowed = ", ".join(w for w in words if w not in ("status", "is", "not", "one", "of", "and", "or"))[:400]
        return Refusal(
            f"; the shop allows the statuses: {allowed}. Mend the table of stages in the mapping.",
            f"; магазин допускает статусы: {allowed}. Поправьте таблицу стадий в файле соответствий.",
            "status",
        )
    listed = ", ".join(names)
    return Refusal(f"; parameters: {listed}", f"; параметры: {listed}", names[0] if names else "")
