"""The accountant's morning letter: yesterday's deals against the documents, with the workbook attached. Once a day."""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from sync.delivery import intents
from sync.errors import BadConfig, Text
from sync.hub import reports, workbook
from sync.hub.runtime import Hub
from sync.store.tables import notice

_SHOWN = 20  # differences in the letter's text; all of them are in the workbook
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def due(hub: Hub) -> bool:
    """Whether today's letter is still to be sent, by the firm's own clock."""
    notices = hub.config.notices
    if not (notices.via and notices.report_to and notices.report_at):
        return False
    now = reports.local(hub, hub.now())
    if now.strftime("%H:%M") < notices.report_at:
        return False
    with hub.store.read() as tx:
        return tx.execute(sa.select(notice.c.id).where(notice.c.key == _key(now))).first() is None


def morning(hub: Hub) -> int:
    """Send today's letter if its time has come; the number of letters."""
    if not due(hub):
        return 0
    now = reports.local(hub, hub.now())
    days = hub.config.notices.report_days
    rows = reports.deals(hub, days)
    with hub.store.begin() as tx:
        hub.store.lock_key(tx, _key(now))
        if tx.execute(sa.select(notice.c.id).where(notice.c.key == _key(now))).first() is not None:
            return 0
        text = subject(rows, now)
        tx.execute(notice.insert().values(key=_key(now), at=hub.now(), text={"en": text.en, "ru": text.ru}))
        _plan(hub, tx, rows, days, now, _key(now))
    hub.wake(hub.config.notices.via)
    return 1


def send(hub: Hub, rows: list[dict[str, Any]], days: int | None = None) -> None:
    """Send the letter now, asked by a person; `days` as the rows were asked for. BadConfig when nobody is named to get it."""
    notices = hub.config.notices
    if not (notices.via and notices.report_to):
        raise BadConfig(
            Text(
                "Nobody is named to get the report: set notices.via and notices.report_to.",
                "Не указано, кому отправлять отчёт: задайте notices.via и notices.report_to.",
            ),
            code="report.nobody",
            setting="notices.report_to",
        )
    now = reports.local(hub, hub.now())
    with hub.store.begin() as tx:
        _plan(hub, tx, rows, days, now, f"report:asked:{now.isoformat()}")
    hub.wake(notices.via)


def _key(now: datetime) -> str:
    return f"report:{now.date().isoformat()}"


def _plan(hub: Hub, tx: Any, rows: list[dict[str, Any]], days: int | None, now: datetime, key: str) -> None:
    language, day = hub.config.hub.language, now.date().isoformat()
    name = f"sverka-{day}.xlsx"
    content = base64.b64encode(workbook.as_bytes(rows, language, reports.of_what(days))).decode()
    intents.plan(
        tx,
        record_uid=f"notice:{key}"[:36],
        connection=hub.config.notices.via,
        native_kind="message",
        op="create",
        data={
            "to": list(hub.config.notices.report_to),
            "subject": subject(rows, now).say(language),
            "text": body(rows, days).say(language),
            "files": [{"name": name, "type": XLSX, "base64": content}],
        },
        fields={},
        why={"*": "notice"},
        now=hub.now(),
    )


def subject(rows: list[dict[str, Any]], now: datetime) -> Text:
    found = reports.totals(rows)
    day = now.strftime("%d.%m.%Y")
    if not found["different"]:
        return Text(
            f"Deals and accounting on {day}: all {found['deals']} agree",
            f"Сверка сделок и учёта на {day}: расхождений нет (сделок {found['deals']})",
        )
    return Text(
        f"Deals and accounting on {day}: {found['different']} of {found['deals']} differ",
        f"Сверка сделок и учёта на {day}: расхождений {found['different']} (сделок {found['deals']})",
    )


def body(rows: list[dict[str, Any]], days: int | None = None) -> Text:
    """Which deals they are, totals of both sides, then what differs, deal by deal."""
    different = [r for r in rows if r["differences"]]
    lines = [
        f"{_number(r)} · {r['client'] or r['counterparty'] or '?'}: {'; '.join(r['differences'])}" for r in different
    ]
    more = len(lines) - _SHOWN
    shown = "\n".join(lines[:_SHOWN])
    sums = [_sums(currency, some) for currency, some in reports.by_currency(rows).items()]
    scope = reports.of_what(days)
    en = (
        f"{scope.en}\n\n"
        + "\n".join(one.en for one in sums)
        + f"\n{shown or 'No differences.'}"
        + (f"\n… and {more} more in the workbook." if more > 0 else "")
    )
    ru = (
        f"{scope.ru}\n\n"
        + "\n".join(one.ru for one in sums)
        + f"\n{shown or 'Расхождений нет.'}"
        + (f"\n… и ещё {more}: все в таблице." if more > 0 else "")
    )
    return Text(en, ru)


def _sums(currency: str, rows: list[dict[str, Any]]) -> Text:
    """Both sides' totals in one currency."""
    found = {
        name: f"{value:.2f}" if isinstance(value, Decimal) else value for name, value in reports.totals(rows).items()
    }
    unit = f" {currency}" if currency else ""
    return Text(
        f"Deals: {found['amount']}{unit}\nAccounting: {found['order_amount']}{unit}\nDifference: {found['gap']}{unit}\n"
        f"Paid: {found['paid']}{unit}\nShipped: {found['shipped']}{unit}\n",
        f"Сумма сделок: {found['amount']}{unit}\nСумма заказов в учёте: {found['order_amount']}{unit}\n"
        f"Разница: {found['gap']}{unit}\nОплачено: {found['paid']}{unit}\nОтгружено: {found['shipped']}{unit}\n",
    )


def _number(row: dict[str, Any]) -> str:
    return str(row["number"] or row["order"] or "?")
