"""How people of the made-up world usually get in touch: forms, orders, letters, calls."""

from __future__ import annotations

from typing import Any

from sync.identity import mailbox
from sync.model import keys
from tests.bench.identity_people import Human, People, mail_form
from tests.bench.identity_words import TALK


class Contacts(People):
    """Each maker gives (event, its person, its company, the case's name, what else the judge must know), or None."""

    def _someone(self, works: bool | None = None) -> Human:
        while True:
            h = self.random.choice(self.humans)
            if h in self.agents or (works is not None and bool(h.firms) != works):
                continue
            return h

    def _mail_of(self, h: Human) -> str:
        e = h.emails[0]
        if self.random.random() < 0.12:
            local, _, domain = e.partition("@")
            return self.random.choice(
                [
                    e.upper(),
                    f" {e} ",
                    f"{local}+x@{domain}" if domain == "gmail.com" else e.title(),
                    f"{local}@ya.ru" if domain == "yandex.ru" else e,
                ]
            )
        return e

    def _form(self) -> Any:
        h = self._someone()
        firm = h.firms[-1] if h.firms else None
        mail, phone = (self._mail_of(h), self._phone(h.phone))
        which = self.random.random()
        event = {
            "kind": "web_form",
            "form": "Заявка",
            "name": self._name(h),
            "email": mail if which < 0.65 else "",
            "phone": phone if which > 0.35 else "",
            "company": self._company(firm) if firm and self.random.random() < 0.2 else None,
            "comment": self.random.choice(["", *TALK]),
        }
        if (h in [x for pair in self.family for x in pair]) and not event["email"]:
            return None
        return event, h, firm, "form", {}

    def _order(self) -> Any:
        h = self._someone()
        firm = h.firms[-1] if h.firms else None
        said = bool(firm) and self.random.random() < 0.4
        return (
            {
                "kind": "order",
                "shop": "opencart",
                "order_no": "1",
                "name": self._name(h, self.random.choice(["fl", "lf", "lfm", "lat", "low"])),
                "email": self._mail_of(h),
                "phone": self._phone(h.phone),
                "company": self._company(firm) if said and firm else None,
                "inn": firm.inn if said and firm and self.random.random() < 0.5 else None,
                "total": 100,
            },
            h,
            firm,
            "order",
            {},
        )

    def _letter(self) -> Any:
        h = self._someone()
        firm = h.firms[-1] if h.firms else None
        body = (
            self.random.choice(TALK)
            if self.random.random() < 0.5
            else self._signed(h, firm, inn=self.random.random() < 0.3)
        )
        return self._email(self._mail_of(h), h, body), h, firm, "letter", {}

    def _email(self, sender: str, h: Human | None, body: str, shown: str | None = None) -> dict[str, Any]:
        style = self.random.choice(["fl", "lf", "lat", "fl"])
        name = shown if shown is not None else (self._name(h, style) if h and self.random.random() < 0.9 else "")
        return {
            "kind": "email",
            "from_addr": sender.strip(),
            "from_name": name,
            "to": "sales@ourfirm.ru",
            "subject": "Вопрос",
            "body": body,
        }

    def _call(self) -> Any:
        h = self._someone()
        if any(h in pair for pair in self.family):
            return None
        firm = h.firms[-1] if h.firms else None
        note = ""
        if self.random.random() < 0.2:
            short = self._name(h, "nick")
            note = (
                f"{short} из {firm.name.split()[0] if firm.form == 'ИП' else firm.name}"
                if firm and self.random.random() < 0.5
                else short
            )
        return self._ring(h.phone, note), h, firm, "call", {}

    def _ring(self, number: str, note: str = "") -> dict[str, Any]:
        return {
            "kind": "call",
            "from_number": self.random.choice([number, "8" + number[2:]]),
            "to_line": "+74951112233",
            "direction": "in",
            "duration": 60,
            "note": note,
        }


def signs_of(event: dict[str, Any]) -> set[str]:
    """Canonical keys that an event shows of its sender."""
    text = " ".join(str(v) for k, v in event.items() if k in ("comment", "body"))
    found = {mail_form(event.get("email") or ""), mail_form(event.get("from_addr") or "")}
    found |= {n for line in text.split("\n") for n in keys.phones(line.replace("тел.", ""))}
    found |= {n for k in ("phone", "from_number") for n in keys.phones(event.get(k) or "")}
    found |= {i for w in text.replace(".", " ").replace(",", " ").split() if w.isdigit() and (i := keys.inn(w))} | {
        event.get("inn") or ""
    }
    for value in list(found):
        box = mailbox.read(value) if "@" in value else None
        found.add(box.domain if box else "")
    return {f for f in found if f}
