"""A made-up world of companies, people and contact events with the right answers, from any seed: the cases of
../shared/data/identity and some that it lacks, with other names. All names, numbers and addresses are invented.

`python -m tests.bench.identity_world DIR SEED [EVENTS]` writes base.jsonl, events.jsonl, truth.jsonl and meta.json.
"""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sync.identity import mailbox
from sync.model import keys
from tests.bench.identity_people import Firm, Human, People, mail_form
from tests.bench.identity_words import FREE, TAILS, TALK, latin


class World(People):
    """`events(n)` after `World(seed)`; the answers stand in `truth`, in the scorer's form."""

    # -- what happens -------------------------------------------------------------------------------------------------------

    def events(self, count: int) -> None:
        makers = {
            self._form: 20,
            self._order: 16,
            self._letter: 26,
            self._call: 13,
            self._family_named: 3,
            self._family_call: 1,
            self._colleague: 3,
            self._role_box: 4,
            self._office_call: 4,
            self._typo_mail: 2,
            self._typo_phone: 2,
            self._recycled: 0.6,
            self._job_change: 0.6,
            self._inn_form: 2.4,
            self._trader: 2,
            self._agent: 1.4,
            self._forward: 0.5,
            self._gift: 0.8,
            self._market: 2.6,
            self._hidden: 0.8,
            self._robot: 1.8,
            self._second_mail: 2.4,
            self._namesake: 1.5,
            self._lookalike: 0.5,
            self._reply_to: 0.4,
            self._outgoing: 0.5,
            self._rename: 0.4,
        }
        moment = datetime(2026, 3, 1, 8, tzinfo=UTC)
        while len(self.rows) < count:
            maker = self.random.choices(list(makers), list(makers.values()))[0]
            made = maker()
            if made is None:
                continue
            event, human, firm, case, extra = made
            moment += timedelta(seconds=self.random.randint(1, 1800))
            number = f"E{len(self.rows):06d}"
            self.rows.append({"event_id": number, "at": moment.replace(tzinfo=None).isoformat(), **event})
            self._judge(number, event, human, firm, case, **extra)

    def _judge(
        self,
        number: str,
        event: dict[str, Any],
        human: Human | None,
        firm: Firm | None,
        case: str,
        nobody: bool = False,
        ambiguous: list[str] | None = None,
        shown: set[str] | None = None,
        learn: bool = True,
        no_person: bool = False,
    ) -> None:
        if nobody:
            self.truth.append(
                {
                    "event_id": number,
                    "client": None,
                    "person": None,
                    "known_client": False,
                    "known_person": False,
                    "ambiguous": None,
                    "case": case,
                    "reachable_client": False,
                    "reachable_person": False,
                }
            )
            return
        client = firm.id if firm else human.id if human else None
        signs = shown if shown is not None else _signs(event)
        personal = {s for s in signs if "@" in s or s.startswith("+79")}
        by_person = human is not None and bool(personal & human.known)
        own = bool(firm) and bool(signs & firm.known) if firm else by_person
        via = by_person and (firm is None or firm.id in human.told) if human else False
        self.truth.append(
            {
                "event_id": number,
                "client": client,
                "person": None if no_person or human is None else human.id,
                "known_client": client in self.held,
                "known_person": bool(human) and human.id in self.held,
                "ambiguous": ambiguous,
                "case": case,
                "reachable_client": bool(own or via),
                "reachable_person": by_person,
            }
        )
        if learn and case != "marketplace":
            if human is not None and not no_person:
                human.known |= personal
            if firm is not None:
                firm.known |= {s for s in signs if s.isdigit() or (s.startswith("+7") and not s.startswith("+79"))}
                firm.known |= {s for s in signs if s == mail_form(firm.email)} | (
                    {firm.domain} & signs if firm.domain else set()
                )
                if human is not None:
                    human.told.add(firm.id)
            if client:
                self.held.add(client)

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

    def _family_named(self) -> Any:
        if not self.family:
            return None
        h = self.random.choice(self.random.choice(self.family))
        mail = self._mail_of(h) if self.random.random() < 0.4 else ""
        return (
            {
                "kind": "web_form",
                "form": "Заявка",
                "name": self._name(h, self.random.choice(["fl", "lfm", "f"])),
                "email": mail,
                "phone": self._phone(h.phone),
                "company": None,
                "comment": "",
            },
            h,
            None,
            "family_named",
            {},
        )

    def _family_call(self) -> Any:
        known = [pair for pair in self.family if all(x.phone in x.known for x in pair)]
        if not known:
            return None
        pair = self.random.choice(known)
        return (
            self._ring(pair[0].phone),
            self.random.choice(pair),
            None,
            "family_call",
            {"ambiguous": sorted(x.id for x in pair)},
        )

    def _colleague(self) -> Any:
        firm = self.random.choice([f for f in self.firms if f.domain and f.form != "ИП"])
        if sum(f.domain == firm.domain for f in self.firms) > 1:
            return None
        h = self._human(firms=[firm])
        h.emails = [h.emails[0].split("@")[0] + "@" + firm.domain]
        return (
            self._email(h.emails[0], h, self._signed(h, firm, inn=self.random.random() < 0.3)),
            h,
            firm,
            "colleague",
            {},
        )

    def _role_box(self) -> Any:
        firm = self.random.choice([f for f in self.firms if f.email])
        staff = [h for h in self.humans if h.firms and h.firms[-1] is firm and h not in self.agents]
        if staff and self.random.random() < 0.5:
            h = self.random.choice(staff)
            return self._email(firm.email, h, self._signed(h, firm)), h, firm, "role_box", {}
        return (
            self._email(
                firm.email, None, self.random.choice(TALK), self.random.choice(["", "Отдел снабжения", "Бухгалтерия"])
            ),
            None,
            firm,
            "role_box",
            {},
        )

    def _office_call(self) -> Any:
        firm = self.random.choice([f for f in self.firms if f.phone])
        shared = sorted(f.id for f in self.firms if f.phone == firm.phone)
        ambiguous = (
            shared if len(shared) > 1 and all(firm.phone in f.known for f in self.firms if f.id in shared) else None
        )
        if len(shared) > 1 and ambiguous is None:
            return None
        return self._ring(firm.phone), None, firm, "office_call", {"ambiguous": ambiguous}

    def _typo_mail(self) -> Any:
        h = self._someone()
        local, _, domain = h.emails[0].partition("@")
        at = self.random.randint(1, len(local) - 2)
        wrong = self.random.choice(
            [
                local[:at] + local[at + 1 :] + "@" + domain,
                h.emails[0][:-1],
                local + "@" + domain.replace("gmail", "gmial").replace("mail.ru", "mai.ru"),
            ]
        )
        firm = h.firms[-1] if h.firms else None
        if mail_form(wrong) in self.taken:
            return None
        event = {
            "kind": "order",
            "shop": "opencart",
            "order_no": "1",
            "name": self._name(h, "lf"),
            "email": wrong,
            "phone": self._phone(h.phone),
            "company": None,
            "inn": None,
            "total": 5,
        }
        return (
            event,
            h,
            firm,
            "typo_mail",
            {
                "shown": {h.phone}
                | ({firm.domain} if firm and firm.domain and wrong.endswith("@" + firm.domain) else set())
            },
        )

    def _typo_phone(self) -> Any:
        h = self._someone()
        at = self.random.randint(5, 11)
        wrong = h.phone[:at] + str((int(h.phone[at]) + 3) % 10) + h.phone[at + 1 :]
        if wrong in self.taken or not keys.phone(wrong):
            return None
        mail = h.emails[0] if self.random.random() < 0.6 else ""
        event = {
            "kind": "web_form",
            "form": "Заявка",
            "name": self._name(h, "lfm"),
            "email": mail,
            "phone": self._phone(wrong),
            "company": None,
            "comment": "",
        }
        firm = h.firms[-1] if h.firms else None
        box = mailbox.read(mail)
        return (
            event,
            h,
            firm,
            "typo_phone",
            {"shown": ({mail_form(mail)} | ({box.domain} if box and box.domain else set())) if mail else set()},
        )

    def _recycled(self) -> Any:
        old = self._someone()
        if any(old in pair for pair in self.family) or old.phone not in old.known or old.id not in self.based:
            return None
        h = self._human(phone=old.phone, firms=[])
        if h.last[:3] == old.last[:3] or h.first == old.first:
            h.last = "Необычайнов" + ("а" if h.middle.endswith("на") else "")
            h.first = "Захар" if h.middle.endswith("ч") else "Раиса"
        old.phone = self._once(lambda: f"+7999{self.random.randint(0, 9999999):07d}")
        h.emails = [self._once(lambda: f"{latin(h.last)}{self.random.randint(1, 99999)}@{self.random.choice(FREE)}")]
        event = {
            "kind": "order",
            "shop": "opencart",
            "order_no": "1",
            "name": self._name(h, "lfm"),
            "email": h.emails[0],
            "phone": self._phone(h.phone),
            "company": None,
            "inn": None,
            "total": 5,
        }
        return event, h, None, "recycled", {}

    def _job_change(self) -> Any:
        h = self._someone(works=True)
        firm = self.random.choice([f for f in self.firms if f.domain and f.form != "ИП"])
        if (
            firm in h.firms
            or sum(f.domain == firm.domain for f in self.firms) > 1
            or any(h in pair for pair in self.family)
            or h.phone not in h.known
        ):
            return None
        h.firms = [firm]
        h.emails = [
            self._once(lambda: f"{latin(h.first)}.{latin(h.last)}{self.random.choice(['', '1', '22'])}@{firm.domain}")
        ]
        return self._email(h.emails[0], h, self._signed(h, firm)), h, firm, "job_change", {}

    def _inn_form(self) -> Any:
        h = self._someone(works=True)
        firm = h.firms[-1]
        event = {
            "kind": "web_form",
            "form": "Заявка",
            "name": self._name(h, "lf"),
            "email": "",
            "phone": self._phone(firm.phone) if firm.phone else "",
            "company": self._company(firm),
            "comment": f"Добрый день. ИНН {firm.inn}",
        }
        return event, h, firm, "inn_form", {}

    def _trader(self) -> Any:
        options = [
            h
            for h in self.humans
            if h.firms and h.firms[-1].form == "ИП" and h.firms[-1].name == f"{h.last} {h.first} {h.middle}"
        ]
        if not options:
            return None
        h = self.random.choice(options)
        firm = h.firms[-1]
        return (
            {
                "kind": "order",
                "shop": "opencart",
                "order_no": "1",
                "name": f"{h.last} {h.first} {h.middle}",
                "email": self._mail_of(h),
                "phone": self._phone(h.phone),
                "company": self._company(firm),
                "inn": firm.inn if self.random.random() < 0.4 else None,
                "total": 5,
            },
            h,
            firm,
            "trader",
            {},
        )

    def _agent(self) -> Any:
        h = self.random.choice(self.agents)
        both = sorted(f.id for f in h.firms)
        if self.random.random() < 0.25 and set(both) <= h.told and h.known:
            return (
                self._email(h.emails[0], h, "Пришлите, пожалуйста, закрывающие документы."),
                h,
                h.firms[0],
                "agent_bare",
                {"ambiguous": both},
            )
        firm = self.random.choice(h.firms)
        body = f"Добрый день! Прошу акт сверки по {self._company(firm)}, ИНН {firm.inn}.\n--\n{self._name(h, 'lfm')}, бухгалтер"
        return self._email(h.emails[0], h, body), h, firm, "agent_inn", {"shown": {mail_form(h.emails[0]), firm.inn}}

    def _forward(self) -> Any:
        h, other = self._someone(), self._someone()
        firm = h.firms[-1] if h.firms else None
        body = (
            self._signed(h, firm)
            + f"\n\n-------- Пересылаемое сообщение --------\nОт: {self._name(other, 'fl')} <{other.emails[0]}>"
            + f"\nТел: {self._phone(other.phone)}\nДобрый день!"
        )
        event = self._email(h.emails[0], h, body)
        return event, h, firm, "forward", {"shown": _signs({**event, "body": body.split("\n\n----")[0]})}

    def _gift(self) -> Any:
        made = self._order()
        other = self._someone()
        made[0].update(recipient_name=self._name(other, "fl"), recipient_phone=self._phone(other.phone))
        return made[0], made[1], made[2], "gift", {}

    def _market(self) -> Any:
        shop = self.random.choice(["avito", "ozon", "wildberries", "yandex_market"])
        h = self._human(firms=[])
        self.humans.pop()
        h.id = f"M{len(self.rows):06d}"
        if shop == "avito":
            self.stand_ins = getattr(
                self, "stand_ins", [f"+7963{self.random.randint(0, 9999999):07d}" for _ in range(5)]
            )
        phone = (
            self.random.choice(self.stand_ins)
            if shop == "avito"
            else "+7 000 000-00-00"
            if shop == "wildberries"
            else ""
        )
        mail = f"{self.random.getrandbits(40):x}@users.market.example" if shop == "yandex_market" else ""
        return (
            {
                "kind": "order",
                "shop": shop,
                "order_no": "1",
                "name": self._name(h, self.random.choice(["f", "fl", "init"])),
                "email": mail,
                "phone": phone,
                "company": None,
                "inn": None,
                "total": 5,
            },
            h,
            None,
            "marketplace",
            {"shown": set()},
        )

    def _hidden(self) -> Any:
        return (
            self._ring("+79990000000")
            | {"from_number": self.random.choice(["", "anonymous", "Unknown", "скрытый номер"])},
            None,
            None,
            "hidden",
            {"nobody": True},
        )

    def _robot(self) -> Any:
        sender = self.random.choice(
            [
                "noreply@ozon.example",
                "no-reply@bank.example",
                "mailer-daemon@mail.ru",
                "petrov@ourfirm.ru",
                "buh@ourfirm.ru",
            ]
        )
        return (
            self._email(
                sender,
                None,
                "Автоматическое сообщение.",
                self.random.choice(["", "Иван Иванов", "Mail Delivery System", "Робот"]),
            ),
            None,
            None,
            "robot",
            {"nobody": True},
        )

    def _second_mail(self) -> Any:
        h = self._someone()
        mail = self._once(
            lambda: f"{latin(h.last)}.{latin(h.first)}{self.random.randint(1, 9999)}@{self.random.choice(FREE)}"
        )
        firm = h.firms[-1] if h.firms else None
        if any(h in pair for pair in self.family):
            return None
        if self.random.random() < 0.2:
            return self._email(mail, h, self.random.choice(TALK), self._name(h, "lfm")), h, firm, "second_bare", {}
        return self._email(mail, h, self._signed(h, firm, inn=self.random.random() < 0.2)), h, firm, "second_mail", {}

    def _namesake(self) -> Any:
        old = self._someone()
        h = self._human((old.last, old.first, old.middle), firms=[])
        return (
            {
                "kind": "web_form",
                "form": "Заявка",
                "name": self._name(h, "lfm"),
                "email": h.emails[0],
                "phone": self._phone(h.phone),
                "company": None,
                "comment": "",
            },
            h,
            None,
            "namesake",
            {},
        )

    def _lookalike(self) -> Any:
        model = self.random.choice([f for f in self.firms if f.form != "ИП"])
        firm = self._firm()
        if firm.form == "ИП":
            return None
        firm.name = self.random.choice([model.name + "-Плюс", model.name, model.name + " " + self.random.choice(TAILS)])
        h = self._human(firms=[firm])
        return (
            {
                "kind": "order",
                "shop": "opencart",
                "order_no": "1",
                "name": self._name(h, "fl"),
                "email": h.emails[0],
                "phone": self._phone(h.phone),
                "company": self._company(firm),
                "inn": firm.inn,
                "total": 5,
            },
            h,
            firm,
            "lookalike",
            {},
        )

    def _reply_to(self) -> Any:
        h = self._someone()
        firm = h.firms[-1] if h.firms else None
        event = self._email("noreply@ourfirm.ru", None, f"Имя: {self._name(h, 'fl')}", "Сайт") | {
            "reply_to": h.emails[0]
        }
        return event, h, firm, "reply_to", {"shown": _signs({"kind": "email", "from_addr": h.emails[0], "body": ""})}

    def _outgoing(self) -> Any:
        made = self._call()
        if made is None:
            return None
        event = made[0] | {
            "direction": "out",
            "from_number": "+74951112233",
            "to_number": made[0]["from_number"],
            "note": "",
        }
        event.pop("to_line")
        return event, made[1], made[2], "outgoing", {"shown": {made[1].phone}}

    def _rename(self) -> Any:
        h = self._someone(works=True)
        firm = h.firms[-1]
        if firm.form == "ИП" or firm.inn not in firm.known:
            return None
        firm.name = self.random.choice(self.stock.heads) + "-" + self.random.choice(TAILS)
        return (
            {
                "kind": "order",
                "shop": "opencart",
                "order_no": "1",
                "name": self._name(h, "lf"),
                "email": self._mail_of(h),
                "phone": self._phone(h.phone),
                "company": self._company(firm),
                "inn": firm.inn,
                "total": 5,
            },
            h,
            firm,
            "rename",
            {},
        )


def _signs(event: dict[str, Any]) -> set[str]:
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


def write(
    folder: Path,
    seed: int,
    events: int = 3000,
    firms: int = 200,
    humans: int = 600,
    stock: str = "russian",
    dense: int = 1,
) -> None:
    world = World(seed, firms, humans, stock, dense)
    base = world.base()
    world.events(events)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("base", base), ("events", world.rows), ("truth", world.truth)):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8"
        )
    rows = World(seed + 1000, firms, humans, stock, dense).records()
    for name, columns in (("records", [c for c in rows[0] if c != "truth"]), ("truth", ["id", "cluster"])):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows({**row, "cluster": row["truth"]} for row in rows)
    meta = {"own_domains": ["ourfirm.ru"], "own_lines": ["+74951112233"]}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 3000)
