"""`sverka check` of a form connection: there is nobody to call, so the settings and the way of a sample are tried."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from adapters.base import Adapter, Arrival, Finding, RecordRefused, Text
from adapters.forms.spam import FormSettings, secrets


def check_form(adapter: Adapter, settings: FormSettings, sample: bytes) -> Iterator[Finding]:
    """Settings first, then whether a sample post becomes a lead."""
    if settings.secret is not None and not settings.secret.get_secret_value():
        yield Finding(
            "auth",
            False,
            Text("`secret` is set but empty", "`secret` задан, но пуст"),
            "secret",
            Text("give it a value, or remove the line", "задайте значение или уберите строку"),
        )
    elif secrets(settings):
        yield Finding("auth", True, Text("posts must carry the secret", "заявки принимаются только с секретом"))
    else:
        text = Text("no secret is wanted: anybody may post", "секрет не задан: отправить заявку может любой")
        remedy = Text("set `secret` and add ?key=… to the address", "задайте `secret` и добавьте ?key=… к адресу")
        yield Finding("auth", True, text, "secret", remedy)
    if settings.min_fill_seconds and not settings.started:
        yield Finding(
            "filter",
            False,
            Text("`min_fill_seconds` has no effect without `started`", "`min_fill_seconds` не действует без `started`"),
            "started",
            Text("name the field with the time the form was shown", "назовите поле со временем показа формы"),
        )
    arrival = Arrival("sample", at=adapter.context.now(), size=len(sample), open=lambda: BytesIO(sample))
    try:
        found = len(list(adapter.unpack(arrival)))
    except RecordRefused as error:
        yield Finding("sample", False, error.text, "adapter")
        return
    yield Finding("sample", found == 1, Text("a sample post becomes a lead", "пробная заявка читается"), "adapter")
