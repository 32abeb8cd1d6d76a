"""Who there is in a made-up world, and how people write names, numbers and addresses."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from sync.model import keys
from tests.bench.identity_words import (
    CITIES,
    FREE,
    ROLES,
    SHORT,
    STOCKS,
    TAILS,
    TALK,
    latin,
)


@dataclass
class Firm:
    id: str
    name: str
    form: str
    inn: str
    city: str
    domain: str
    email: str
    phone: str
    known: set[str] = field(default_factory=set)  # canonical keys seen so far


@dataclass
class Human:
    id: str
    last: str
    first: str
    middle: str
    emails: list[str]
    phone: str
    firms: list[Firm]
    known: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)  # firms that the data have shown

    @property
    def client(self) -> str:
        return self.firms[-1].id if self.firms else self.id


class People:
    """Firms, people, families and accountants; `base()` is what a CRM knows of them at the start."""

    def __init__(self, seed: int, firms: int = 200, humans: int = 600, stock: str = "russian", dense: int = 1) -> None:
        """`dense`: how many times more families, holdings and accountants than usual."""
        self.random = random.Random(seed)
        self.stock = STOCKS[stock]
        self.firms: list[Firm] = []
        self.humans: list[Human] = []
        self.truth: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.taken: set[str] = set()
        self.family: list[tuple[Human, Human]] = []
        for _ in range(firms):
            self._firm()
        self._holdings(max(2, firms // 40) * dense)
        while len(self.humans) < humans:
            self._human()
        self._families(humans // 25 * dense)
        self._agents(max(2, humans // 100) * dense)

    # -- who there is -------------------------------------------------------------------------------------------------------

    def _once(self, make: Any) -> Any:
        while True:
            value = make()
            if value not in self.taken:
                self.taken.add(value)
                return value

    def _inn(self, region: str, length: int) -> str:
        while True:
            body = region + "".join(
                self.random.choice("0123456789") for _ in range(length - 2 - (2 if length == 12 else 1))
            )
            for check in range(100 if length == 12 else 10):
                whole = body + f"{check:0{2 if length == 12 else 1}d}"
                if keys.inn(whole):
                    return whole

    def _firm(self) -> Firm:
        pick = self.random
        city = pick.choice(list(CITIES))
        code, region = CITIES[city]
        number = f"C{len(self.firms):06d}"
        if pick.random() < 0.2:
            owner = self._named()
            name, form = f"{owner[0]} {owner[1]} {owner[2]}", "ИП"
            inn = self._once(lambda: self._inn(region, 12))
            domain = email = phone = ""
            if pick.random() < 0.3:
                domain = self._once(
                    lambda: (
                        latin(owner[0])
                        + pick.choice(["", "-shop", str(pick.randint(1, 99))])
                        + pick.choice([".ru", ".com", ".pro"])
                    )
                )
                email = f"{pick.choice(ROLES)}@{domain}"
            firm = Firm(number, name, form, inn, city, domain, email, phone)
        else:
            head = pick.choice(self.stock.heads)
            name = pick.choice(
                [
                    head,
                    f"{head}-{pick.choice(TAILS)}",
                    f"{head} {pick.choice(TAILS)}",
                    f"{head}{pick.choice(TAILS).lower()}",
                ]
            )
            form = pick.choice(["ООО"] * 7 + ["АО", "ПАО", "АНО"])
            stem = latin(name).replace(" ", "-")
            free = pick.random() < 0.25
            domain = (
                ""
                if free
                else self._once(
                    lambda: (
                        stem
                        + pick.choice(["", "", str(pick.randint(1, 99)), "-" + latin(city)[:3]])
                        + pick.choice([".ru", ".ru", ".com", ".pro"])
                    )
                )
            )
            email = (
                self._once(lambda: f"{stem.replace('-', '')}{pick.randint(1, 999)}@{pick.choice(FREE[:6])}")
                if free
                else f"{pick.choice(ROLES)}@{domain}"
            )
            phone = self._once(lambda: f"+7{code}{pick.randint(2000000, 7999999)}")
            firm = Firm(number, name, form, self._once(lambda: self._inn(region, 10)), city, domain, email, phone)
        self.firms.append(firm)
        return firm

    def _holdings(self, count: int) -> None:
        plain = [f for f in self.firms if f.domain and f.form != "ИП"]
        for _ in range(count):
            first, second = self.random.sample(plain, 2)
            second.domain, second.email, second.phone = first.domain, "", first.phone

    def _named(self) -> tuple[str, str, str]:
        pick = self.random
        man = pick.random() < 0.5
        last = pick.choice(self.stock.surnames)
        first = pick.choice(self.stock.men if man else self.stock.women)
        father = pick.choice(self.stock.men)
        stem = father[:-1] if father[-1] in "йьая" else father
        middle = (
            (stem + ("евич" if father[-1] in "йь" else "ович"))
            if man
            else (stem + ("евна" if father[-1] in "йь" else "овна"))
        )
        if not man and last[-2:] in ("ов", "ев", "ёв", "ин", "ын"):
            last += "а"
        if not man and last.endswith("ый"):
            last = last[:-2] + "ая"
        return last, first, middle

    def _human(
        self, named: tuple[str, str, str] | None = None, phone: str = "", firms: list[Firm] | None = None
    ) -> Human:
        pick = self.random
        last, first, middle = named or self._named()
        if firms is None:
            firms = [pick.choice(self.firms)] if pick.random() < 0.6 else []
            if firms and firms[0].form == "ИП" and named is None and firms[0].name not in self.taken:
                self.taken.add(firms[0].name)
                last, first, middle = firms[0].name.split()
        a, b = latin(last), latin(first)
        local = pick.choice([f"{b[0]}.{a}", f"{a}.{b[0]}", f"{a}_{b}", f"{b}{a}", f"{b}-{a}", a]) + pick.choice(
            ["", "", str(pick.randint(1, 9999))]
        )
        domain = firms[0].domain if firms and firms[0].domain and pick.random() < 0.8 else pick.choice(FREE)
        email = self._once(lambda: f"{local}{pick.choice(['', str(pick.randint(1, 99999))])}@{domain}")
        prefix = pick.choice(
            ["903", "905", "910", "916", "920", "926", "937", "950", "961", "965", "977", "985", "999"]
        )
        number = phone or self._once(lambda: f"+7{prefix}{pick.randint(0, 9999999):07d}")
        human = Human(f"P{len(self.humans):06d}", last, first, middle, [email], number, list(firms))
        self.humans.append(human)
        return human

    def _families(self, count: int) -> None:
        private = [h for h in self.humans if not h.firms]
        for one in self.random.sample(private, min(count, len(private) // 3)):
            named = self._named()
            if named[1] == one.first:
                continue
            other = self._human(
                (one.last if self.random.random() < 0.3 else named[0], named[1], named[2]), one.phone, []
            )
            self.family.append((one, other))

    def _agents(self, count: int) -> None:
        self.agents = []
        for _ in range(count):
            human = self._human(firms=[])
            human.emails = [human.emails[0].split("@")[0] + "@yandex.ru"]
            human.firms = self.random.sample([f for f in self.firms if f.form != "ИП"], 2)
            self.agents.append(human)

    # -- how it is written --------------------------------------------------------------------------------------------------

    def _phone(self, number: str) -> str:
        d = number[2:]
        return self.random.choice(
            [
                number,
                f"8{d}",
                f"8 ({d[:3]}) {d[3:6]}-{d[6:8]}-{d[8:]}",
                f"+7 {d[:3]} {d[3:6]} {d[6:8]} {d[8:]}",
                d,
                f"8-{d[:3]}-{d[3:6]}-{d[6:8]}-{d[8:]}",
                f"7{d}",
                f"тел. 8{d}",
            ]
        )

    def _typo(self, word: str) -> str:
        if len(word) < 5 or self.random.random() > 0.04:
            return word
        at = self.random.randint(1, len(word) - 2)
        return self.random.choice(
            [
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            ]
        )

    def _name(self, h: Human, style: str = "") -> str:
        style = style or self.random.choice(["fl", "lf", "lfm", "fml", "fl", "lat", "low", "init", "f", "short"])
        first, last = self._typo(h.first), self._typo(h.last)
        text = {
            "fl": f"{first} {last}",
            "lf": f"{last} {first}",
            "lfm": f"{last} {first} {h.middle}",
            "fml": f"{first} {h.middle} {last}",
            "lat": f"{latin(h.first)} {latin(h.last)}".title(),
            "low": f"{first} {last}".lower(),
            "init": f"{last} {h.first[0]}.{h.middle[0]}.",
            "f": first,
            "short": f"{SHORT.get(h.first, h.first)} {last}",
            "nick": SHORT.get(h.first, h.first),
        }[style]
        return text.replace("ё", "е") if self.random.random() < 0.3 else text

    def _company(self, f: Firm) -> str:
        if f.form == "ИП":
            last, first, middle = f.name.split()
            return self.random.choice(
                [
                    f"ИП {f.name}",
                    f"ИП {last} {first[0]}.{middle[0]}.",
                    f"Индивидуальный предприниматель {f.name}",
                    f"{last} {first[0]}. {middle[0]}. ИП",
                ]
            )
        long = {
            "ООО": "Общество с ограниченной ответственностью",
            "АО": "Акционерное общество",
            "ПАО": "ПАО",
            "АНО": "АНО",
        }[f.form]
        abroad = {"ООО": "LLC", "АО": "JSC"}.get(f.form, f.form)
        return self.random.choice(
            [
                f'{f.form} "{f.name}"',
                f"{f.form} «{f.name}»",
                f"{f.name}, {f.form}",
                f.name.lower(),
                f'{long} "{f.name}"',
                f'{f.form}"{f.name.upper()}"',
                f"{abroad} {latin(f.name).title()}" if abroad in ("LLC", "JSC") else f"{f.form} {f.name}",
                f.name,
            ]
        )

    def _signed(self, h: Human, firm: Firm | None, phone: bool = True, inn: bool = False) -> str:
        lines = [
            self.random.choice(TALK),
            "--",
            "С уважением,",
            self._name(h, self.random.choice(["fl", "lfm", "fml"])),
        ]
        lines += [self._company(firm)] if firm else []
        lines += [f"тел. {self._phone(h.phone)}"] if phone else []
        lines += [f"ИНН {firm.inn}"] if firm and inn else []
        return "\n".join(lines)

    # -- what is known at the start -----------------------------------------------------------------------------------------

    def base(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        pick = self.random
        self.held: set[str] = set()
        for f in self.firms:
            if pick.random() < 0.2:
                continue
            self.held.add(f.id)
            inn = f.inn if pick.random() < 0.75 else None
            email, phone, domain = f.email, f.phone, f.domain
            rows.append(
                {
                    "id": f.id,
                    "kind": "company",
                    "name": self._company(f),
                    "inn": inn,
                    "kpp": None,
                    "ogrn": None,
                    "emails": [email] if email else [],
                    "phones": [self._phone(phone)] if phone else [],
                    "site": f"https://{domain}" if domain and pick.random() < 0.6 else None,
                    "city": f.city,
                }
            )
            f.known |= {k for k in (inn, mail_form(email), phone, domain) if k}
        for h in self.humans:
            if pick.random() < 0.4 or (h in self.agents and pick.random() < 0.5):
                continue
            firms = [f.id for f in h.firms if f.id in self.held]
            if h.firms and len(firms) < len(h.firms):
                continue
            self.held.add(h.id)
            emails = h.emails if pick.random() < 0.75 else []
            phones = [self._phone(h.phone)] if pick.random() < 0.85 or not emails else []
            rows.append(
                {
                    "id": h.id,
                    "kind": "person",
                    "name": self._name(h, pick.choice(["lfm", "fl", "lf", "fl", "f"])),
                    "companies": firms,
                    "emails": emails,
                    "phones": phones,
                }
            )
            h.known |= {k for k in ([mail_form(e) for e in emails] + ([h.phone] if phones else [])) if k}
            h.told |= set(firms)
        self.based = set(self.held)
        return rows

    def records(self) -> list[dict[str, str]]:
        """Every client as up to three systems hold it, in random order; the right group stands under `truth`."""
        pick = self.random
        rows: list[dict[str, str]] = []
        people = list(self.humans)
        for h in pick.sample(people, len(people) // 20):  # namesakes
            people.append(self._human((h.last, h.first, h.middle), firms=[]))
        for f in pick.sample(
            [f for f in self.firms if f.form != "ИП"], len(self.firms) // 15
        ):  # firms of the same or a like name
            twin = self._firm()
            if twin.form != "ИП":
                twin.name, twin.form = f.name + pick.choice(["", "-Плюс", " Торг"]), f.form
        sources = ("1c", "bitrix24", "shop")
        for f in self.firms:
            for source in pick.sample(sources, pick.choice([1, 2, 2, 3])):
                rows.append(
                    {
                        "source": source,
                        "kind": "company",
                        "name": self._company(f),
                        "inn": f.inn if pick.random() < (0.95 if source == "1c" else 0.4) else "",
                        "phone": self._phone(f.phone) if f.phone and pick.random() < 0.65 else "",
                        "email": f.email if pick.random() < 0.55 else "",
                        "company_name": "",
                        "city": f.city if pick.random() < 0.65 else "",
                        "truth": f.id,
                    }
                )
        for h in people:
            second = self._once(lambda h=h: f"{latin(h.last)}{pick.randint(1, 9999)}@{pick.choice(FREE)}")
            for source in pick.sample(sources, pick.choice([1, 2, 2, 3])):
                style = {
                    "1c": ["lfm", "lfm", "init"],
                    "bitrix24": ["fl", "lf", "fl"],
                    "shop": ["fl", "lat", "low", "short", "f"],
                }[source]
                mail = self._mail_of(h) if pick.random() < 0.9 else second
                phone = self._phone(h.phone)
                which = pick.random()
                rows.append(
                    {
                        "source": source,
                        "kind": "person",
                        "name": self._name(h, pick.choice(style)),
                        "inn": "",
                        "phone": phone if which < 0.75 else "",
                        "email": mail if which > 0.25 else "",
                        "company_name": self._company(h.firms[-1])
                        if h.firms and source != "shop" and pick.random() < 0.6
                        else "",
                        "city": "",
                        "truth": h.id,
                    }
                )
        pick.shuffle(rows)
        return [{"id": f"R{n:06d}", **row} for n, row in enumerate(rows, 1)]


def mail_form(text: str) -> str:
    return keys.email(text) or "" if text else ""
