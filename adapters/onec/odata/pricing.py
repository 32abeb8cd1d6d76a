"""Price and discounts of a line of 1C that is to come to a given sum. Pure.

1C keeps of a line a price, a manual and an automatic discount, and holds that price × quantity less both is the sum. Where
only the quantity has changed the price stays and the discounts grow with it; where the sum has changed, the price is the one
that comes to it by the same percents. What roundings leave over goes into the discount: the sum is met to the kopeck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from adapters.base import Native
from adapters.onec.odata.sums import ZERO, number

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Priced:
    price: Decimal
    manual: Decimal
    automatic: Decimal
    gross: Decimal  # before the discounts

    def percent(self, discount: Decimal) -> Decimal:
        return rounded(100 * discount / self.gross) if self.gross else ZERO


def priced(
    before: Priced, units: tuple[Decimal, Decimal], pieces: Decimal, net: Decimal, discount: Decimal | None
) -> Priced:
    """`before`: as it stands in 1C, with units[0] of its price; wanted are units[1] of them (`pieces` of the goods) for `net`
    in all, and a manual discount of `discount`. None: nothing is said of it, what stands there goes on like the automatic."""
    old, new = units
    given = discount or ZERO
    kept = before.automatic + (before.manual if discount is None else ZERO)
    price, gross = before.price, rounded(before.price * new)
    rest = gross - net - given
    meant = kept * new / old if old else ZERO
    # half a kopeck of each piece: a side that knows only a rounded price of a piece could not say it better
    slack = CENT * (1 + pieces / 2) if kept else ZERO
    if not price or not old or abs(rest - meant) > slack:
        share = kept / before.gross if before.gross else ZERO
        price = rounded((net + given) / (1 - share if share < 1 else 1) / new)
        gross = rounded(price * new)
        rest = gross - net - given
    if not kept or rest * kept <= 0:
        return Priced(price, given, ZERO, gross)
    automatic = rounded(rest * before.automatic / kept)
    return Priced(price, given + rest - automatic, automatic, gross)


def shared(amounts: Sequence[Native], column: str, total: Decimal) -> list[Native]:
    """Rows whose amounts come to `total` in all, in the proportion that they have; the last one takes the rest."""
    whole = sum((number(row, column) for row in amounts), ZERO)
    made, left = [], total
    for at, row in enumerate(amounts, 1):
        part = left if at == len(amounts) or not whole else rounded(total * number(row, column) / whole)
        left -= part
        made.append({**row, column: part})
    return made


def rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)
