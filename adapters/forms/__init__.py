"""Web forms as sources of leads: Tilda, and any HTML form or form service that posts urlencoded, multipart or JSON."""

from __future__ import annotations

from adapters.forms.html import HtmlFormAdapter
from adapters.forms.tilda import TildaAdapter

__all__ = ["HtmlFormAdapter", "TildaAdapter"]
