"""Any form of the firm's own site, or of a form service, on one address: urlencoded, multipart or JSON.

Browsers come with Origin, preflight and no patience for anything but a page; machines want a plain 200 and no redirect.
The message's id is a field that names the submission, else the hash of its contents.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from adapters.base import Adapter, Arrival, Capabilities, Finding, Native, Reception, Record, RecordRefused, Reply, Text
from adapters.forms.body import Form, parse, resembles
from adapters.forms.check import check_form
from adapters.forms.lead import digest, form_id, native_lead, record, storable, without_key
from adapters.forms.shapes import contact_form_7, typeform
from adapters.forms.spam import FormSettings, foreign, secrets, spam, unsigned

STRONG_IDS = ("submission_id", "tranid")
# The number of a concert comes with everybody who books it: such ids count only together with the contents. A field
# `token` is no id at all: a site may send the same one with every message.
WEAK_IDS = ("event_id", "_id")
SAMPLE = b"name=Test&phone=%2B79990000000"


class HtmlFormSettings(FormSettings):
    origins: list[str] = Field(default_factory=list)  # sites whose pages may post ("https://shop.example"); empty: any
    redirect: str | None = None  # where a browser without JavaScript goes after posting
    id_field: str = ""  # the form's own field with a new value for each submission
    max_upload_mib: int = Field(default=20, ge=1, le=200)  # a multipart body with its files

    @field_validator("origins")
    @classmethod
    def _sites(cls, value: list[str]) -> list[str]:
        for site in value:  # a site without https:// would never match, and every lead would be labelled
            parts = urlsplit(site)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
                raise ValueError(f"{site!r} is not a site's origin: write it like https://shop.example")
        return value

    @field_validator("redirect")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and (
            urlsplit(value).scheme not in ("http", "https") or not value.isprintable() or not value.isascii()
        ):
            raise ValueError("redirect must be an http(s) address")
        return value


class HtmlFormAdapter(Adapter):
    title = Text("Web form", "Веб-форма")
    role = "form"
    mapping = "form"
    suffixes = (".json", ".txt", ".form")
    Settings = HtmlFormSettings
    capabilities = Capabilities(receives=True)
    settings: HtmlFormSettings

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        return resembles(head) or super().likeness(name, head)

    def check(self) -> Iterator[Finding]:
        return check_form(self, self.settings, SAMPLE)

    def receive(self, arrival: Arrival) -> Reception:
        reply = self._reply(arrival)
        if arrival.method.upper() in ("GET", "HEAD", "OPTIONS"):
            return Reception(reply, label="ping")
        try:
            form, id = self._read(arrival)
        except RecordRefused as error:
            label = "oversized" if error.code == "form.oversized" else "broken"
            return Reception(reply, label=label, reason=error.text)
        if [(name.lower(), value) for name, value in form.pairs] == [("test", "test")]:
            return Reception(reply, label="test")
        if id:  # the sender's own: nothing else of the lead is wanted yet
            key = f"{form_id(form.pairs, skip=self._service())}:{id}"
        else:
            lead, id = self._lead(form, id, arrival)
            key = f"{lead.get('form', {}).get('id', '')}:{id}" if id else f"body:{digest(lead)}"
        label, reason = "unsigned", unsigned(self.settings, arrival, form.pairs)
        reason = reason or foreign(self.settings.origins, arrival)
        if not reason:
            reason = spam(self.settings, arrival, form.pairs)
            label = "spam" if reason else ""
        stored = storable(form, secrets(self.settings))
        return Reception(reply, key=key, label=label, reason=reason, stored=stored)

    def unpack(self, arrival: Arrival) -> Iterator[Record]:
        if arrival.method.upper() in ("GET", "HEAD", "OPTIONS"):
            return
        form, id = self._read(arrival)
        if [(name.lower(), value) for name, value in form.pairs] != [("test", "test")]:
            yield record(*self._lead(form, id, arrival), arrival)

    def _read(self, arrival: Arrival) -> tuple[Form, str]:
        """The form and the sender's id of the message, "" without one."""
        form = parse(arrival, self.settings.max_upload_mib << 20)
        if found := typeform(form.json):
            return found
        names = {name.lower(): value.strip() for name, value in form.pairs}
        for name in filter(None, (self.settings.id_field.lower(), *STRONG_IDS)):
            if names.get(name):
                return contact_form_7(form), names[name]
        return contact_form_7(form), ""

    def _lead(self, form: Form, id: str, arrival: Arrival) -> tuple[Native, str]:
        """The lead, and the message's id: the sender's own, or a weak one with the contents, or none."""
        service = self._service()
        shown = Form(without_key(form.pairs, secrets(self.settings)), form.uploads)
        lead = native_lead(shown, arrival, {}, service)
        weak = next((lead["fields"][name] for name in WEAK_IDS if name in lead.get("fields", {})), "")
        if weak and not id:
            id = f"{weak[:100]}:{digest(lead)[:32]}"
        return {**lead, "ip": arrival.remote} if arrival.remote else lead, id

    def _service(self) -> set[str]:
        """Fields that say nothing of the client."""
        own = self.settings
        return {*STRONG_IDS, own.id_field.lower(), own.honeypot.lower(), own.started.lower()}

    def _reply(self, arrival: Arrival) -> Reply:
        """200 for machines and scripts; 303 only for a browser that navigates and has somewhere to go."""
        headers = {"Vary": "Origin", **self._cors(arrival)}
        page = "text/html" in arrival.headers.get("accept", "").lower()
        if arrival.method.upper() == "POST" and page and self.settings.redirect:
            return Reply(b"", 303, headers={**headers, "Location": self.settings.redirect})
        return Reply(headers=headers)

    def _cors(self, arrival: Arrival) -> dict[str, str]:
        """What lets a script of an allowed page read the answer; a foreign page gets none of it."""
        origin = arrival.headers.get("origin", "")
        if not origin or foreign(self.settings.origins, arrival) or not (origin.isascii() and origin.isprintable()):
            return {}
        headers = {"Access-Control-Allow-Origin": origin}
        if arrival.method.upper() == "OPTIONS":
            headers |= {
                "Access-Control-Allow-Methods": "POST, OPTIONS",
                "Access-Control-Allow-Headers": "Content-Type, X-Api-Key",
                "Access-Control-Max-Age": "86400",
            }
        return headers
