"""What the portal sends by itself: events of outgoing webhooks and applications. Hints to look, never data.

A form `event=ONCRMDEALUPDATE&data[FIELDS][ID]=759&ts=…&auth[application_token]=…` (documentation: local webhooks). Events are
never sent again, may be late and come in any order, carry only the number, and besides the handler's own token the short-lived
tokens of a user: those are not stored.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

from pydantic import SecretStr

from adapters.base import Arrival, Hint, Reception, RecordRefused, Text
from adapters.bitrix24.records import KINDS

LARGEST = 64_000  # bytes: an event has about one thousand
EVENT = re.compile(r"ONCRM(LEAD|DEAL|CONTACT|COMPANY)(?:ADD|UPDATE|DELETE|MOVETOCATEGORY)")
TOKEN = "auth[application_token]"
KEPT = ("event", "event_handler_id", "data[FIELDS][ID]", "ts", "auth[domain]", "auth[member_id]")
UNSET = Text(
    "application_token is not set, so nobody can say who sent this; enter the token of the outgoing webhook",
    "не задан application_token, и неизвестно, кто это прислал; впишите токен исходящего вебхука",
)
MISSING = Text("no token: this did not come from the portal", "нет токена: это прислал не портал")
WRONG = Text(
    "the token does not fit application_token; compare it with the one shown at the outgoing webhook",
    "токен не сходится с application_token; сверьте его с показанным у исходящего вебхука",
)
OVERSIZED = Text("larger than any event of the portal (64 KB)", "больше любого события портала (64 КБ)")
NO_EVENT = Text("no event of Bitrix24's CRM stands in it", "в нём нет события CRM Битрикс24")


def receive(arrival: Arrival, tokens: list[SecretStr]) -> Reception:
    """Who sent it. Everything is answered with 200 at once: slow or refusing handlers are slowed down or dropped."""
    if arrival.size > LARGEST:
        return Reception(label="oversized", reason=OVERSIZED)
    given = _form(arrival.read())
    stored = urlencode({name: given[name] for name in KEPT if name in given}).encode()
    if "event" not in given:
        return Reception(label="broken", reason=NO_EVENT)
    if not tokens:
        return Reception(label="unsigned", reason=UNSET, stored=stored)
    sent = given.get(TOKEN, "").encode("utf-8", "replace")
    if not sent:
        return Reception(label="unsigned", reason=MISSING, stored=stored)
    # Every token is compared, each in constant time: a list, since any() would stop at the first that fits
    if not any([hmac.compare_digest(token.get_secret_value().encode(), sent) for token in tokens]):
        return Reception(label="unsigned", reason=WRONG, stored=stored)
    # two changes of one deal within a second are two events: a stamp of seconds alone would make the second a repeat
    key = "/".join((given["event"], given.get("data[FIELDS][ID]", ""), given.get("ts", ""), arrival.at.isoformat()))
    return Reception(key=re.sub(r"[^\w/:.+-]", "", key, flags=re.ASCII)[:100], stored=stored)


def unpack(arrival: Arrival) -> Iterator[Hint]:
    """Which record to read; nothing for events of other things. RecordRefused for what is no event at all."""
    given = _form(arrival.read()) if arrival.size <= LARGEST else {}
    name = given.get("event", "")
    if not name:
        raise RecordRefused(
            Text(f"{arrival.name}: no event of Bitrix24", f"{arrival.name}: это не событие Битрикс24"),
            code="bitrix.arrival",
        )
    found = EVENT.fullmatch(name.upper())
    if found is None:
        return
    kind, id = found[1].lower(), given.get("data[FIELDS][ID]", "")
    if kind in KINDS:
        yield Hint(kind, id if id.isascii() and id.isdecimal() and len(id) < 19 else "")


def _form(body: bytes) -> dict[str, str]:
    """The form's fields by their bracketed names; nothing where it is none."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return {}
    return dict(pairs)
