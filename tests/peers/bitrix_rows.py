"""Product rows of the Bitrix24 stand-in: crm.item.productrow.* and the older crm.deal.productrows.*."""

from __future__ import annotations

import copy
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.peers.bitrix_data import OWNER, Row, product_row
from tests.peers.bitrix_lists import PAGE, Wrong

CENT = Decimal("0.01")
_OLD_NAMES = {
    "ID": "id", "OWNER_ID": "ownerId", "OWNER_TYPE": "ownerType", "PRODUCT_ID": "productId",
    "PRODUCT_NAME": "productName", "PRICE": "price", "PRICE_EXCLUSIVE": "priceExclusive", "QUANTITY": "quantity",
    "TAX_RATE": "taxRate", "TAX_INCLUDED": "taxIncluded", "MEASURE_CODE": "measureCode", "SORT": "sort",
}  # fmt: skip


class ProductRows:
    """The part of the portal that keeps product rows; `state["rows"]` holds them by "deal:ID"."""

    state: dict[str, Any]

    def product_rows(self, method: str, params: Row) -> Row | None:
        """The answer of a method of product rows, None where it is another one."""
        if method == "crm.item.productrow.list":
            return self._list(params)
        if method == "crm.item.productrow.set":
            place = self._place(params.get("ownertype"), params.get("ownerid"))
            return {"result": {"productRows": copy.deepcopy(self._replace(place, params.get("productrows")))}}
        if method in ("crm.deal.productrows.get", "crm.deal.productrows.set"):
            place = self._place("D", params.get("id"))
            if method.endswith("get"):
                return {"result": [self._old(row) for row in self.state["rows"].get(place, [])]}
            rows = params.get("rows")
            if not isinstance(rows, list):
                raise Wrong("Parameter 'rows' must be array.")
            self._replace(place, [{new: row[old] for old, new in _OLD_NAMES.items() if old in row} for row in rows])
            return {"result": True}
        return None

    def set_rows(self, kind: str, id: Any, rows: list[Row]) -> None:
        """Somebody edits the goods of a deal by hand."""
        self._replace(f"{kind}:{id}", rows)

    def compute(self, kind: str, row: Row) -> None:
        """The sum of a deal with product rows is theirs, unless it is kept by hand."""
        rows = self.state["rows"].get(f"{kind}:{row['ID']}")
        if rows and row.get("IS_MANUAL_OPPORTUNITY") != "Y":
            sums = (Decimal(str(one["price"])) * Decimal(str(one["quantity"])) for one in rows)
            row["OPPORTUNITY"] = str(sum((s.quantize(CENT, ROUND_HALF_UP) for s in sums), Decimal("0.00")))

    def _list(self, params: Row) -> Row:
        wanted = params.get("filter") or {}
        if "=ownerType" not in wanted or "=ownerId" not in wanted:
            raise Wrong("Required fields: =ownerType, =ownerId")
        rows = self.state["rows"].get(self._place(wanted["=ownerType"], wanted["=ownerId"]), [])
        after = wanted.get(">id")
        rows = [row for row in rows if after is None or row["id"] > int(after)]
        start = max(0, int(params.get("start") or 0)) // PAGE * PAGE
        more = {"next": start + PAGE} if start + PAGE < len(rows) else {}
        page = copy.deepcopy(rows[start : start + PAGE])
        return {"result": {"productRows": page}, "total": len(rows), **more}

    def _place(self, owner: Any, id: Any) -> str:
        kind = OWNER.get(str(owner), "")
        if not kind or str(id) not in self.state[kind]:
            raise Wrong("Owner is not found")
        return f"{kind}:{id}"

    def _replace(self, place: str, given: Any) -> list[Row]:
        if isinstance(given, dict):
            given = list(given.values())
        if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
            raise Wrong("Parameter 'productRows' must be array.")
        kind, _, id = place.partition(":")
        owner = next(short for short, name in OWNER.items() if name == kind)
        made = [product_row(self._next("row"), owner, int(id), row) for row in given]  # type: ignore[attr-defined]
        self.state["rows"][place] = made
        self._changed(kind, self.state[kind][id], "UPDATE")  # type: ignore[attr-defined]
        return made

    @staticmethod
    def _old(row: Row) -> Row:
        return {old: str(row[new]) if old in ("ID", "OWNER_ID") else row[new] for old, new in _OLD_NAMES.items()}
