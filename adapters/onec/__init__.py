"""1C:Enterprise by files: the exchange with a site that every stock configuration has, and files put into a folder."""

from __future__ import annotations

from adapters.onec.adapter import OneCFolder, OneCSiteExchange

__all__ = ["OneCFolder", "OneCSiteExchange"]
