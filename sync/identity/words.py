"""Why a link was made or asked about: one sentence in each language for every rule."""

from __future__ import annotations

from collections.abc import Sequence

from sync.errors import Text

_KEYS = {
    "email": ("the e-mail agrees", "почта совпала"),
    "phone": ("the phone agrees", "телефон совпал"),
    "both": ("e-mail and phone agree", "почта и телефон совпали"),
    "signature": ("the phone in the signature agrees", "совпал телефон из подписи"),
    "staff": ("this company has one person of that name", "в этой компании один человек с таким именем"),
    "inn": ("the INN agrees", "ИНН совпал"),
    "ogrn": ("the OGRN agrees", "ОГРН совпал"),
    "mailbox": ("the mailbox is the company's", "почтовый ящик этой компании"),
    "office": ("the phone is the company's", "телефон этой компании"),
    "domain": ("the mail domain is the company's", "почтовый домен этой компании"),
    "job": ("the person works for this company", "человек работает в этой компании"),
    "moved": ("the person writes from this company's domain now", "человек пишет теперь с домена этой компании"),
    "named": ("the company named is the one the signs point to", "названа та компания, на которую указывает остальное"),
    "trader": ("the sole trader is this person", "индивидуальный предприниматель — этот человек"),
    "held": ("a question about this sender is open", "по этому отправителю ещё не решён вопрос"),
    "decided": ("a person decided so for the same signs", "при тех же признаках так решил человек"),
    "self": ("a private person", "частное лицо"),
    "new": ("nobody with these signs was known", "никого с такими признаками не было"),
    "new_company": ("no company with these signs was known", "компании с такими признаками не было"),
    "new_person": ("the name is another one: a new person", "имя другое: новый человек"),
    "relay": ("a marketplace's order: its phone and address are stand-ins", "заказ с площадки: телефон и почта подставные"),
}  # fmt: skip
_NAMES = {
    "full": ("first name and surname agree", "имя и фамилия совпадают"),
    "part": ("the name fits", "имя согласуется"),
    "absent": ("no name to compare", "имени для сравнения нет"),
}
_QUESTIONS = {
    "two_clients": ("the identifiers lead to different clients", "признаки ведут к разным клиентам"),
    "two_persons": ("several people share the identifier", "признак общий у нескольких людей"),
    "two_companies": ("several companies share the identifier", "признак общий у нескольких компаний"),
    "two_jobs": (
        "the person acts for several companies and named none",
        "человек связан с несколькими компаниями и не назвал, с какой",
    ),
    "name_differs": ("the identifier agrees, the name does not", "признак совпал, имя другое"),
    "other_domain": (
        "the mail domain is on this company's card and is called after another",
        "почтовый домен указан у этой компании, а назван не по ней",
    ),
    "company_differs": ("the signs point to one company, another is named", "признаки ведут к одной компании, названа другая"),
    "only_name": ("only the company's name agrees", "совпало только название компании"),
    "nearly": ("the same name, and a phone or address one slip away", "то же имя, а телефон или почта отличаются одним знаком"),
}  # fmt: skip
_TOGETHER = {
    "number": ("the number of a document agrees", "совпал номер документа"),
    "slip": (
        "first name and surname agree; phone or address differ by one slip",
        "имя и фамилия совпадают, телефон или почта отличаются одним знаком",
    ),
    "facts": ("the name agrees, and one more field does", "имя согласуется, и совпало ещё одно поле"),
    "employer": ("first name, surname and company agree", "имя, фамилия и компания совпадают"),
    "name": (
        "name and place of the company agree, and there is no other one",
        "название и место компании совпадают, другой такой нет",
    ),
}  # fmt: skip
_APART = {
    "never": ("people decided that these are never one client", "люди решили, что это никогда не один клиент"),
    "branch": ("the KPP differs: branches of one firm", "КПП разные: это подразделения одной организации"),
    "one_system": ("only the name agrees, and one system has both", "совпало только название, и обе карточки в одной системе"),
    "too_large": ("the group would be too large to be believed", "группа получилась бы слишком большой, чтобы ей верить"),
}  # fmt: skip
_REFUSED = {
    "checksum": ("the checksum is wrong", "не сходится контрольная сумма"),
    "not_a_phone": ("no phone number", "это не номер телефона"),
    "not_an_address": ("no mail address", "это не почтовый адрес"),
    "too_many": ("too many values in one field", "слишком много значений в одном поле"),
    "relay": ("a marketplace's stand-in", "подставной адрес площадки"),
    "robot": ("a machine's address", "адрес робота"),
}  # fmt: skip
_IGNORED = {
    "robot": ("a machine's message", "сообщение робота"),
    "own_staff": ("a colleague's message", "сообщение сотрудника"),
    "own_line": ("a call between our own lines", "звонок между своими линиями"),
    "hidden": ("the number is hidden", "номер скрыт"),
    "nothing": ("nothing identifies the sender", "ничто не указывает на отправителя"),
}


def linked(rule: str, verdict: str = "") -> Text:
    """«телефон совпал, имя согласуется»."""
    en, ru = _KEYS[rule]
    if verdict in _NAMES and rule in ("email", "phone", "both", "signature"):
        en, ru = f"{en}, {_NAMES[verdict][0]}", f"{ru}, {_NAMES[verdict][1]}"
    return Text(en, ru)


def together(rule: str, verdict: str = "") -> Text:
    """Why two cards are one client: «телефон совпал, имя согласуется»."""
    return Text(*_TOGETHER[rule]) if rule in _TOGETHER else linked(rule, verdict)


def left_apart(why: str) -> Text:
    """Why two cards that look alike are left alone."""
    return Text(*_APART[why])


def both(person: Text | None, client: Text) -> Text:
    """One sentence for the person and the client."""
    if person is None or person == client:
        return client
    return Text(f"{person.en}; {client.en}", f"{person.ru}; {client.ru}")


def asked(question: str, ours: str = "", theirs: str = "") -> Text:
    """«признак совпал, имя другое: Ольга ≠ Пётр»."""
    en, ru = _QUESTIONS[question]
    if ours and theirs:
        return Text(f"{en}: {theirs} ≠ {ours}", f"{ru}: {theirs} ≠ {ours}")
    return Text(en, ru)


def unused(text: Text, refused: Sequence[tuple[str, str, str]]) -> Text:
    """The sentence, and what was shown beside but identifies nobody, with the reason: (field, raw, why)."""
    if not refused:
        return text
    shown = [
        (f"{field} «{''.join(c if c.isprintable() else '·' for c in raw)}»", why) for field, raw, why in refused[:3]
    ]
    en, ru = ("; ".join(f"{raw} ({_REFUSED[why][at]})" for raw, why in shown) for at in (0, 1))
    return Text(f"{text.en}; not used: {en}", f"{text.ru}; не учтено: {ru}")


def ignored(why: str) -> Text:
    return Text(*_IGNORED[why])
