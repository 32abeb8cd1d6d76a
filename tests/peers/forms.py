"""A stand-in for Tilda as the sender of leads: its body, its 5 seconds of patience, its two more tries.

Protocol: help-ru.tilda.cc/formsscript. The receiver must answer 200 within 5 s; else Tilda tries twice more, a minute
apart, and then the lead is lost to it. A redirect is no answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx

TRIES, PATIENCE, PAUSE = 3, 5.0, 60.0


@dataclass
class Sent:
    """One message with what became of each try: a status, or the name of the failure."""

    body: str
    tries: list[int | str] = field(default_factory=list)

    @property
    def delivered(self) -> bool:
        return self.tries[-1:] == [200]


class TildaSender:
    """Posts to `url` (with ?key= when a key is given). `pause` is called between tries; `log` keeps every message."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        formid: str = "form000000001",
        pause: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = url + (("&" if "?" in url else "?") + urlencode({"key": key}) if key else "")
        self.formid, self.pause = formid, pause
        self.log: list[Sent] = []
        self.serial = 8442970
        self.client = httpx.Client(timeout=PATIENCE, follow_redirects=False, transport=transport)

    def __enter__(self) -> TildaSender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()

    def connect(self) -> bool:
        """What Tilda sends when the site's owner enters the address: it is accepted only with status 200."""
        sent = Sent("test=test")
        self.log.append(sent)
        sent.tries.append(self._post(sent.body))
        return sent.delivered

    def lead(
        self,
        name: str = "Анна",
        phone: str = "+7 (999) 000-00-00",
        email: str = "anna@example.ru",
        *,
        tranid: str | None = None,
        utm: dict[str, str] | None = None,
        **more: str,
    ) -> Sent:
        """One visitor's form, with as many tries as it takes Tilda. `tranid` None gives a new number, "" sends none."""
        if tranid is None:
            self.serial += 1
            tranid = f"467251:{self.serial}"
        marks = {"source": "vk", "medium": "social", "campaign": "autumn"} if utm is None else utm
        fields: dict[str, Any] = {"Name": name, "Phone": phone, "Email": email, "Checkbox": "yes", **more}
        fields |= {"tranid": tranid, "formid": self.formid, "COOKIES": cookies(marks)}
        return self.post(urlencode({key: value for key, value in fields.items() if value != ""}))

    def post(self, body: str) -> Sent:
        """Any body, as patiently as a lead."""
        sent = Sent(body)
        self.log.append(sent)
        while len(sent.tries) < TRIES and not sent.delivered:
            if sent.tries:
                self.pause(PAUSE)
            sent.tries.append(self._post(body))
        return sent

    def _post(self, body: str) -> int | str:
        try:
            answer = self.client.post(
                self.address,
                content=body.encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
        except httpx.TransportError as error:
            return type(error).__name__
        return answer.status_code


def cookies(utm: dict[str, str]) -> str:
    """The visitor's cookies as they come in COOKIES: the marks, a counter's id, and the site's own secrets."""
    marks = quote("|||".join(f"utm_{name}={value}" for name, value in utm.items()), safe="")
    held = f"TILDAUTM={marks}; " if utm else ""
    return f"PHPSESSID=not-for-the-hub; {held}_ym_uid=160000000000000000; previousUrl=shop.example"
