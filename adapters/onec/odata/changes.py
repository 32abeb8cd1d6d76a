"""What an exchange plan (План обмена) has registered: read as one message, confirmed when it is safe in the hub.

SelectChanges gives an atom feed of entries and, for what was removed for good, `deleted-entry` elements (RFC 6721).
"""

from __future__ import annotations

import re

from lxml import etree

from adapters.base import RetryLater, Text
from adapters.onec.odata.client import ODataClient

_ATOM = "{http://www.w3.org/2005/Atom}"
_TOMBSTONE = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
_KEY = re.compile(r"/(?P<name>[^/(]+)\(guid'(?P<key>[0-9a-fA-F-]{36})'\)")


class Feed:
    def __init__(self, client: ODataClient, plan: str) -> None:
        self._client, self._plan = client, plan

    def changes(self, number: int, name: str) -> tuple[list[str], list[str]]:
        """(keys that changed, keys removed for good) of one set, in message `number`."""
        body = self._client.feed("SelectChanges", self._plan, number)
        try:
            root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
        except etree.XMLSyntaxError:
            raise RetryLater(
                Text(
                    "1C's change feed is broken or cut; nothing was taken from it",
                    "лента изменений 1С испорчена; ничего не взято",
                ),
                code="odata.feed",
            ) from None
        changed = [str(e.findtext(f"{_ATOM}id") or "") for e in root.iterfind(f"{_ATOM}entry")]
        gone = [str(e.get("ref") or "") for e in root.iterfind(_TOMBSTONE)]
        return _keys(changed, name), _keys(gone, name)

    def confirm(self, number: int) -> None:
        self._client.feed("NotifyChangesReceived", self._plan, number)


def _keys(addresses: list[str], name: str) -> list[str]:
    found = [m["key"].lower() for a in addresses if (m := _KEY.search(a)) and m["name"] == name]
    return list(dict.fromkeys(found))
