"""Where a deal and its order in the accounting system disagree. Pure: two readings in, differences in words out.

The sales side is what the shop or the CRM says; the accounting side what stands in its own order and documents. Each
difference names both values and what to do, so that nothing is left to sort out by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sync.errors import Text
from sync.model.compare import line_total, row_changes
from sync.model.settled import LESS, Paper
from sync.model.types import plain
from sync.reconcile.rows import in_our_words

ZERO = Decimal(0)
GOODS = frozenset({"goods"})  # an accounting system knows no other kind of lines: shipping is a service there


@dataclass(frozen=True, slots=True)
class Side:
    """What one side says of a deal; None is "not said", and is never a difference."""

    number: str | None = None
    client: str | None = None
    inn: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    paid: bool | None = None
    shipped: bool | None = None
    stage: str | None = None
    claims: frozenset[str] = frozenset()  # what its stage stands for: "payment", "shipment", "lost"
    lines: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: missing, counterparty, sum, lines, payment, shipment, status, question, stopped. `amount`: by how much."""

    kind: str
    text: Text
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """The accounting side: its order, and the sums of the posted documents behind it."""

    order: Side | None  # None: it has no such order
    paid: Decimal = ZERO
    shipped: Decimal = ZERO
    waiting: bool = False  # offered, and not fetched yet
    wanted: bool = True  # a flow sends such deals there
    # Kinds of documents that it cannot tell now: their sums are what was known last
    silent: frozenset[str] = frozenset()
    uncounted: Sequence[Paper] = ()  # documents whose part in the two sums nobody can tell
    stage: str | None = None  # the stage that its facts stand for
    shown: str | None = None  # what it calls the stage itself
    cancelled: bool | None = None
    titles: Mapping[str, str] = field(default_factory=dict)  # stage → what people call it


def differences(sales: Side, books: Books, same_name: Callable[[str, str], bool]) -> list[Difference]:
    """Everything in which the two sides disagree, in the accountant's order: document, counterparty, sums, state.

    `same_name` tells whether two names of a client can be the same one's.
    """
    if books.order is None:
        return _missing(sales, books)
    order = books.order
    return [
        *_counterparty(sales, order, same_name),
        *_sums(sales, order),
        *_payment(sales, books),
        *_shipment(sales, books),
        *_uncounted(books),
        *_status(sales, books),
    ]


def _missing(sales: Side, books: Books) -> list[Difference]:
    if books.waiting:
        text = Text("accounting has not fetched the order yet", "заказ ещё не забран учётной системой")
    elif books.wanted and "lost" not in sales.claims:
        text = Text("no order in accounting", "заказа нет в учёте")
    else:
        return []
    return [Difference("missing", text, sales.amount)]


def _counterparty(sales: Side, order: Side, same_name: Callable[[str, str], bool]) -> list[Difference]:
    if sales.inn and order.inn:
        if sales.inn == order.inn:
            return []
    elif not sales.client or not order.client or same_name(sales.client, order.client):
        return []
    here = _named(sales)
    there = _named(order)
    return [
        Difference(
            "counterparty",
            Text(
                f"another counterparty in accounting: {there} instead of {here}",
                f"в учёте другой контрагент: {there} вместо {here}",
            ),
        )
    ]


def _money(value: Decimal) -> str:
    return f"{value:.2f}"


def _named(side: Side) -> str:
    inn = f" (ИНН {side.inn})" if side.inn else ""
    return f"{side.client or '?'}{inn}"


def _sums(sales: Side, order: Side) -> list[Difference]:
    found = []
    if sales.currency and order.currency and sales.currency != order.currency:
        found.append(
            Difference(
                "sum",
                Text(
                    f"currencies differ: {order.currency} in accounting, {sales.currency} in the deal",
                    f"валюты расходятся: {order.currency} в учёте, {sales.currency} в сделке",
                ),
            )
        )
    elif sales.amount is not None and order.amount is not None and sales.amount != order.amount:
        gap = order.amount - sales.amount
        why = _lines(sales.lines, order.lines)
        found.append(
            Difference(
                "sum",
                Text(
                    f"the sums differ by {_money(gap)}: {_money(order.amount)} in accounting, "
                    f"{_money(sales.amount)} in the deal" + (f" ({why.en})" if why else ""),
                    f"суммы расходятся на {_money(gap)}: {_money(order.amount)} в учёте, {_money(sales.amount)} в сделке"
                    + (f" ({why.ru})" if why else ""),
                ),
                gap,
            )
        )
    elif why := _lines(sales.lines, order.lines):
        found.append(Difference("lines", Text(f"another composition: {why.en}", f"состав различается: {why.ru}")))
    return found


def _lines(ours: Sequence[Mapping[str, Any]] | None, theirs: Sequence[Mapping[str, Any]] | None) -> Text | None:
    """The goods of which the two sides have another quantity or sum, by article or name; None where there are none, or a
    side does not show its lines."""
    if not ours or not theirs:
        return None
    said = in_our_words(ours, theirs, GOODS)
    if next(row_changes(ours, said), None) is None:
        return None
    here, there = _by_goods(ours), _by_goods(said)
    goods = [key for key in dict.fromkeys([*here, *there]) if here.get(key) != there.get(key)]
    if not goods:
        return None

    def shown(word: str) -> str:
        rows = (f"{key}: {_pieces(there.get(key), word)} / {_pieces(here.get(key), word)}" for key in goods[:5])
        return "; ".join(rows) + (" …" if len(goods) > 5 else "")

    return Text(f"lines, accounting / deal: {shown('for')}", f"строки, учёт / сделка: {shown('на')}")


def _by_goods(lines: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Decimal, Decimal]]:
    """Article (else name) → (quantity, sum with VAT) over all of its lines."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for one in lines:
        key = str(one.get("sku") or one.get("name") or one.get("key"))
        qty, total = found.get(key, (ZERO, ZERO))
        found[key] = (qty + (one.get("qty") or ZERO), total + (line_total(one) or ZERO))
    return found


def _pieces(known: tuple[Decimal, Decimal] | None, word: str) -> str:
    return "—" if known is None else f"{plain(known[0])} {word} {_money(known[1])}"


def _payment(sales: Side, books: Books) -> list[Difference]:
    assert books.order is not None
    amount = books.order.amount if books.order.amount is not None else sales.amount
    if "payment" in books.silent and (amount is None or books.paid <= amount):
        said = sales.paid or "payment" in sales.claims
        return [_untold("payment", books.paid)] if said and books.paid != amount else []
    if amount is not None and books.paid < amount and _claimed("payment", sales, books):
        return [_not_there("payment", sales, books, books.paid, amount)]
    if sales.paid and amount is not None and books.paid < amount:
        gap = amount - books.paid
        return [
            Difference(
                "payment",
                Text(
                    f"paid there, but accounting shows {_money(books.paid)} of {_money(amount)}: post the payment",
                    f"оплачено у покупателя, а в учёте {_money(books.paid)} из {_money(amount)}: проведите оплату",
                ),
                gap,
            )
        ]
    if amount is not None and books.paid > amount:
        gap = books.paid - amount
        return [Difference("payment", Text(f"overpaid by {_money(gap)}", f"переплата {_money(gap)}"), gap)]
    if sales.paid is False and books.paid > ZERO and amount is not None and books.paid >= amount:
        return [
            Difference(
                "payment",
                Text(
                    f"paid in accounting ({_money(books.paid)}), not marked as paid in the deal",
                    f"в учёте оплачено ({_money(books.paid)}), в сделке оплата не отмечена",
                ),
            )
        ]
    return []


def _shipment(sales: Side, books: Books) -> list[Difference]:
    assert books.order is not None
    amount = books.order.amount if books.order.amount is not None else sales.amount
    found = []
    if "shipment" in books.silent:
        said = sales.shipped or "shipment" in sales.claims
        return [_untold("shipment", books.shipped)] if said and books.shipped != amount else []
    if books.shipped > books.paid and "payment" not in books.silent:
        gap = books.shipped - books.paid
        found.append(
            Difference(
                "shipment",
                Text(f"shipped exceeds paid by {_money(gap)}", f"отгружено больше, чем оплачено, на {_money(gap)}"),
                gap,
            )
        )
    if amount is not None and books.shipped < amount and _claimed("shipment", sales, books):
        found.append(_not_there("shipment", sales, books, books.shipped, amount))
    elif sales.shipped and amount is not None and books.shipped < amount:
        found.append(
            Difference(
                "shipment",
                Text(
                    f"shipped to the buyer, but accounting shows {_money(books.shipped)} of {_money(amount)}",
                    f"покупателю отгружено, а в учёте {_money(books.shipped)} из {_money(amount)}: проведите отгрузку",
                ),
                amount - books.shipped,
            )
        )
    return found


def _claimed(kind: str, sales: Side, books: Books) -> bool:
    """Only the deal's stage says so: neither a mark of its side, which is told in its own words, nor a document whose part
    nobody knows."""
    own = sales.paid if kind == "payment" else sales.shipped
    return kind in sales.claims and not own and all(LESS.get(one.kind, one.kind) != kind for one in books.uncounted)


def _not_there(kind: str, sales: Side, books: Books, known: Decimal, amount: Decimal) -> Difference:
    """The deal stands in a stage that means paid or shipped, and accounting does not show it."""
    stage = books.titles.get(sales.stage or "", sales.stage)
    what = Text("payment", "оплаты") if kind == "payment" else Text("shipment", "отгрузки")
    return Difference(
        kind,
        Text(
            f"the deal's stage is “{stage}”, but accounting shows a {what.en} of {_money(known)} of {_money(amount)}",
            f"этап сделки «{stage}», а {what.ru} в учёте {_money(known)} из {_money(amount)}",
        ),
        amount - known,
    )


_PAPERS = {
    "payment": Text("payment", "оплата"),
    "shipment": Text("shipment", "отгрузка"),
    "refund": Text("refund", "возврат денег"),
    "return": Text("return of goods", "возврат товара"),
}


def _untold(kind: str, known: Decimal) -> Difference:
    """The sales side says paid or shipped, and accounting does not tell its documents: nobody knows whether they agree."""
    what = Text("payments", "оплаты") if kind == "payment" else Text("shipments", "отгрузки")
    return Difference(
        kind,
        Text(
            f"accounting does not tell its {what.en} now (last known: {_money(known)}): sverka check says what to publish",
            f"учёт сейчас не сообщает {what.ru} (последнее известное: {_money(known)}): "
            "что открыть, скажет sverka check",
        ),
    )


def _uncounted(books: Books) -> list[Difference]:
    """A document in another currency than the deal, or one of which accounting does not say how much of it is the deal's."""
    found = []
    for one in books.uncounted:
        name = _PAPERS[one.kind]
        number = f" № {one.number}" if one.number else ""
        if one.amount is None:
            text = Text(
                f"{name.en}{number}: it is not known how much of it belongs to this order; it is not counted",
                f"{name.ru}{number}: неизвестно, какая часть относится к этому заказу; в суммы не вошло",
            )
        else:
            text = Text(
                f"{name.en}{number} of {_money(one.amount)} {one.currency} is in another currency than the deal; "
                "it is not counted",
                f"{name.ru}{number} на {_money(one.amount)} {one.currency} — не в валюте сделки; в суммы не вошло",
            )
        found.append(Difference("payment" if one.kind in ("payment", "refund") else "shipment", text))
    return found


def _status(sales: Side, books: Books) -> list[Difference]:
    if sales.stage is None or books.stage == sales.stage:
        return []
    here = books.titles.get(sales.stage, sales.stage)
    if books.stage is None:
        if "lost" not in sales.claims or books.cancelled:
            return []
        return [
            Difference(
                "status",
                Text(
                    f"the deal's stage is “{here}”, but the order in accounting is not cancelled",
                    f"этап сделки «{here}», а заказ в учёте не отменён",
                ),
            )
        ]
    there = books.titles.get(books.stage, books.stage)
    return [
        Difference(
            "status",
            Text(
                f"by accounting's documents the deal is “{there}”, its stage is “{here}”",
                f"по документам учёта сделка «{there}», её этап «{here}»",
            ),
        )
    ]
