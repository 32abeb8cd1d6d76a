"""Whether a posted form is genuine: shared secret, vendor's signature, allowed site, trap field, time to fill it in.

Nothing here drops a lead: each check gives the reason for a label, under which the arrival is kept and shown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import Field, SecretStr

from adapters.base import AdapterSettings, Arrival, Text
from adapters.forms.body import Pair

KEY_FIELDS = ("key", "api_key", "apikey", "x-api-key")


class FormSettings(AdapterSettings):
    """What every form connection may set."""

    secret: SecretStr | None = None  # ?key=…, header X-Api-Key, the address's last part, or a field named key
    previous_secret: SecretStr | None = None  # accepted as well while the secret is being changed
    honeypot: str = ""  # a field that people do not see: filled means a robot
    started: str = ""  # a field with the time when the form was shown: ISO 8601, or Unix seconds or milliseconds
    min_fill_seconds: int = Field(default=0, ge=0, le=3600)  # filled in faster means a robot


def secrets(settings: FormSettings) -> list[str]:
    """The secrets that are accepted now, without empty ones (an empty secret would accept everybody)."""
    held = (settings.secret, settings.previous_secret)
    return [value for secret in held if secret is not None and (value := secret.get_secret_value())]


def same(given: str, secret: str) -> bool:
    """Constant-time comparison of any two texts."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))


def is_key(name: str, value: str, accepted: Iterable[str]) -> bool:
    """Whether a field of the form is our secret: it must not be stored with the lead."""
    return name.lower() in KEY_FIELDS and any(same(value, secret) for secret in accepted)


def unsigned(settings: FormSettings, arrival: Arrival, pairs: Iterable[Pair]) -> Text | None:
    """Why the sender is not believed; None when the secret or the vendor's signature is right, or none is wanted."""
    accepted = secrets(settings)
    if not accepted:
        return None
    authorization = arrival.headers.get("authorization", "")
    given = [
        arrival.query.get("key", ""),
        arrival.query.get("api_key", ""),
        arrival.headers.get("x-api-key", ""),
        authorization[7:] if authorization[:7].lower() == "bearer " else "",
        arrival.name.rstrip("/").rsplit("/", 1)[-1],
    ]
    if any(candidate and same(candidate, secret) for candidate in given for secret in accepted):
        return None
    if any(is_key(name, value, accepted) for name, value in pairs) or _signed(arrival, accepted):
        return None
    return Text(
        "the secret is missing or wrong: the site must send the connection's `secret` as ?key=… or in X-Api-Key",
        "секрет не передан или неверен: сайт должен слать `secret` этого подключения как ?key=… или в X-Api-Key",
    )


def _signed(arrival: Arrival, accepted: Iterable[str]) -> bool:
    """The signatures of Typeform (base64 SHA-256) and Taplink (hex SHA-1) over the raw body."""
    typeform = arrival.headers.get("typeform-signature", "").removeprefix("sha256=")
    taplink = arrival.headers.get("taplink-signature", "").lower()
    if not typeform and not taplink:
        return False
    raw = arrival.read()
    for secret in accepted:
        key = secret.encode()
        if typeform and same(typeform, base64.b64encode(hmac.digest(key, raw, hashlib.sha256)).decode()):
            return True
        if taplink and same(taplink, hmac.digest(key, raw, hashlib.sha1).hex()):
            return True
    return False


def foreign(origins: Iterable[str], arrival: Arrival) -> Text | None:
    """Why a browser's page is not ours. A sender without Origin is no browser page and passes: its secret is checked."""
    origin = arrival.headers.get("origin", "")
    allowed = {site.lower().rstrip("/") for site in origins}
    if not origin or not allowed or origin.lower().rstrip("/") in allowed:
        return None
    return Text(
        f"the form was sent from the page of another site, {origin[:100]}: if it is yours, add it to `origins`",
        f"форма отправлена со страницы другого сайта, {origin[:100]}: если он ваш, добавьте его в `origins`",
    )


def spam(settings: FormSettings, arrival: Arrival, pairs: Iterable[Pair]) -> Text | None:
    """Why this looks like a robot's work; None when it does not."""
    if not settings.honeypot and not settings.started:
        return None
    fields = {name.lower(): value for name, value in pairs}
    if settings.honeypot and fields.get(settings.honeypot.lower(), "").strip():
        return Text(
            f"the hidden field {settings.honeypot} is filled: people do not see it",
            f"заполнено скрытое поле {settings.honeypot}: люди его не видят",
        )
    shown = _moment(fields.get(settings.started.lower(), "")) if settings.started else None
    if shown is None:
        return None  # without JavaScript there is no such stamp: the doubt is the person's
    seconds = (arrival.at - shown).total_seconds()
    if 0 <= seconds < settings.min_fill_seconds:
        return Text(
            f"the form was filled in within {int(seconds)} s, less than {settings.min_fill_seconds} s",
            f"форма заполнена за {int(seconds)} с, быстрее {settings.min_fill_seconds} с",
        )
    return None


def _moment(value: str) -> datetime | None:
    """A time with a zone out of ISO text or a Unix stamp; None where it is neither."""
    try:
        if value.isascii() and value.isdecimal() and len(value) <= 16:
            stamp = int(value)
            return datetime.fromtimestamp(stamp // 1000 if stamp > 10**11 else stamp, UTC)
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
