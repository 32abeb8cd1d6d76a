"""1C over its standard OData interface."""

from __future__ import annotations

from adapters.onec.odata.adapter import OneCOData

__all__ = ["OneCOData"]
