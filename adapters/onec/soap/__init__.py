"""1C's own web services for sites (УНФ: SiteExchange and SiteExchange2)."""

from __future__ import annotations

from adapters.onec.soap.adapter import OneCSoap

__all__ = ["OneCSoap"]
