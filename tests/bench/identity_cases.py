"""The hard cases of the made-up world: shared phones, typing errors, changed jobs, relays, robots, people of one name."""

from __future__ import annotations

from typing import Any

from sync.identity import mailbox
from sync.model import keys
from tests.bench.identity_contacts import Contacts, signs_of
from tests.bench.identity_people import mail_form
from tests.bench.identity_words import FREE, TAILS, TALK, latin


class Cases(Contacts):
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
        return event, h, firm, "forward", {"shown": signs_of({**event, "body": body.split("\n\n----")[0]})}

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
        return event, h, firm, "reply_to", {"shown": signs_of({"kind": "email", "from_addr": h.emails[0], "body": ""})}

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
