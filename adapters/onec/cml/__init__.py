"""CommerceML: reading catalogues, offers and orders as a stream, writing orders. Knows files only, no protocol."""

from __future__ import annotations

from adapters.onec.cml.orders_out import validate_order, write_orders
from adapters.onec.cml.reader import records

__all__ = ["records", "validate_order", "write_orders"]
