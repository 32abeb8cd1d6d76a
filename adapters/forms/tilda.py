"""Forms of Tilda (tilda.cc): urlencoded posts, no signature, 5 seconds to answer, two more tries, then the lead is lost.

Protocol: help-ru.tilda.cc/formsscript. `test=test` is sent on connecting; `tranid` names the message; utm marks come
inside COOKIES beside foreign secrets, which are dropped before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.base import Adapter, Arrival, Capabilities, Finding, Native, Reception, Record, RecordRefused, Text
from adapters.forms.body import Form, read, urlencoded
from adapters.forms.check import check_form
from adapters.forms.lead import digest, form_id, native_lead, record, storable, without_key
from adapters.forms.spam import FormSettings, secrets, spam, unsigned

EXACT = {
    "name": "Name",
    "phone": "Phone",
    "email": "Email",
    "comment": "Textarea",
    "form.id": "formid",
    "form.name": "formname",
}
PING_METHODS = ("GET", "HEAD", "OPTIONS")
TEST = [("test", "test")]
OWN_FIELDS = re.compile(rb"(?:^|&)(?:tranid=|COOKIES=[^&]*TILDAUTM|test=test$)")
SAMPLE = b"Name=Test&Phone=%2B79990000000&tranid=0%3A0&formid=form0"


class TildaAdapter(Adapter):
    title = Text("Tilda", "Тильда")
    role = "form"
    mapping = "tilda"
    suffixes = (".txt", ".form")
    Settings = FormSettings
    capabilities = Capabilities(receives=True)
    settings: FormSettings

    @classmethod
    def likeness(cls, name: str, head: bytes) -> int:
        return 3 if OWN_FIELDS.search(head) and b"\n" not in head.strip() else super().likeness(name, head)

    def check(self) -> Iterator[Finding]:
        return check_form(self, self.settings, SAMPLE)

    def receive(self, arrival: Arrival) -> Reception:
        """Always answers 200: Tilda gives up a refused lead after three minutes."""
        if arrival.method.upper() in PING_METHODS:
            return Reception(label="ping")
        try:
            form = self._form(arrival)
        except RecordRefused as error:
            return Reception(label="oversized" if error.code == "form.oversized" else "broken", reason=error.text)
        if form.pairs == TEST:
            return Reception(label="test")
        if number := _number(form):  # nothing else of the lead is wanted yet
            key = f"{form_id(form.pairs, EXACT['form.id'], self._service())}:{number}"
        else:
            key = f"body:{digest(self._lead(form, arrival))}"
        label, reason = "unsigned", unsigned(self.settings, arrival, form.pairs)
        if not reason:
            reason = spam(self.settings, arrival, form.pairs)
            label = "spam" if reason else ""
        return Reception(key=key, label=label, reason=reason, stored=storable(form, secrets(self.settings)))

    def unpack(self, arrival: Arrival) -> Iterator[Record]:
        if arrival.method.upper() in PING_METHODS:
            return
        form = self._form(arrival)
        if form.pairs != TEST:
            yield record(self._lead(form, arrival), _number(form), arrival)

    def _form(self, arrival: Arrival) -> Form:
        return Form(urlencoded(read(arrival)), encoded=True)

    def _lead(self, form: Form, arrival: Arrival) -> Native:
        """The lead. The caller's address is Tilda's own server: it is not kept as the visitor's."""
        return native_lead(Form(without_key(form.pairs, secrets(self.settings))), arrival, EXACT, self._service())

    def _service(self) -> set[str]:
        """Fields that say nothing of the client."""
        return {"tranid", self.settings.honeypot.lower(), self.settings.started.lower()}


def _number(form: Form) -> str:
    """Tilda's own id of the message ("467251:8442970")."""
    return next((value.strip() for name, value in form.pairs if name.lower() == "tranid"), "")
