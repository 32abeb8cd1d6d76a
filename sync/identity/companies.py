"""Names of companies: the legal form taken off both ends, the rest as one key; and whether two names may be one company's."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import OSA

from sync.identity import names
from sync.identity.lexicon import LEGAL_FORMS
from sync.model.keys import one_script, skeleton

_LONG = sorted((f for f in LEGAL_FORMS if " " in f), key=len, reverse=True)
_LONG_FORM = re.compile("|".join(f.replace(" ", r"\s+") for f in _LONG))
_BRACKETS = re.compile(r"\([^)]*\)")
_DOTTED = re.compile(
    r"(?<!\w)(?:о\.?\s?о\.?\s?о|[зпон]?\.?\s?а\.\s?о|и\.\s?п|l\.\s?l\.\s?c|j\.\s?s\.\s?c|s\.\s?r\.\s?o|s\.\s?a)(?:\.|(?=[\s\"«]))"
)
_NO_DOTS = {ord("."): None, ord(" "): None}
# The place where a branch sits is not its firm's name
_BRANCH = re.compile(
    r"^(?:обособленное\s+подразделение|филиал|представительство)\s+(?=\S)|\s+(?:в|по)\s+(?:г\.\s*|г\s+|город[еу]?\s+)[\w\-]+$"
)
_WORDS = re.compile(r"[^\W_]+")
# What people write into a company's field when they have none
_NONE = re.compile(
    r"(?:нет|не\s+указан[ао]?|без\s+компании|физ\.?\s*лиц[оа]|физическое\s+лицо|частн(?:ое|ый)\s*(?:лицо|клиент|покупатель)?|"
    r"частник|сам[ао]занят(?:ый|ая)|самозанятост[ьи]|я|сам|дом|личное|для\s+себя|none|no|null|n/?a|test|тест|private|"
    r"individual|person|компания|организация|розница|покупатель)\.?"
)


@dataclass(frozen=True, slots=True)
class Company:
    """`key`: the name without its form, spaces and signs, as a skeleton. `owner`: the person that a sole trader is."""

    raw: str = ""
    key: str = ""
    form: str = ""  # group of LEGAL_FORMS: ooo, ao, ip, ano, …; empty when not given
    words: tuple[str, ...] = ()
    owner: names.Name = names.NO_NAME

    def __bool__(self) -> bool:
        return bool(self.key)


NO_COMPANY = Company()


@lru_cache(maxsize=20_000)
def parse(text: str) -> Company:
    """The parts of a company's name; nothing for «нет», «физлицо», «-» and other ways to say that there is none."""
    clean = one_script(unicodedata.normalize("NFC", text[:250])).strip().lower()
    clean = _BRACKETS.sub(" ", clean) if not clean.startswith("(") else clean
    if not clean or _NONE.fullmatch(clean.strip(" \"'«».-")):
        return NO_COMPANY
    clean = _BRANCH.sub("", _DOTTED.sub(lambda m: m[0].translate(_NO_DOTS) + " ", clean))
    form = ""
    if found := _LONG_FORM.search(clean):
        form = LEGAL_FORMS[re.sub(r"\s+", " ", found[0])]
        clean = clean[: found.start()] + " " + clean[found.end() :]
    words = _WORDS.findall(clean)
    while len(words) > 1 and words[0] in LEGAL_FORMS:
        form = form or LEGAL_FORMS[words.pop(0)]
    while len(words) > 1 and words[-1] in LEGAL_FORMS:
        form = form or LEGAL_FORMS[words[-1]]
        words.pop()
    if len(words) == 1 and words[0] in LEGAL_FORMS and not form:
        return NO_COMPANY  # a form and no name
    parts = tuple(s for w in words if (s := w if w.isdigit() else skeleton(w)))
    if not parts:
        return NO_COMPANY
    owner = names.parse(" ".join(_as_written(text, words))) if form == "ip" else names.NO_NAME
    return Company(text.strip(), "".join(parts), form, parts, owner)


def resembles(company: Company, domain: str) -> bool:
    """Whether a domain may be called after the company: a word of the name in it, its beginning, or the first letters."""
    label = "".join(skeleton(w) for w in re.findall(r"[^\W\d_]+", domain.rpartition(".")[0].lower()))
    initials = "".join(w[0] for w in company.words)
    return (
        any(len(w) >= 3 and w in label for w in company.words)
        or (len(label) >= 3 and (label in company.key or label in initials or label[:4] == company.key[:4]))
        or (len(initials) >= 3 and initials in label)
    )


def words(text: str) -> str:
    """All words of a text as skeletons with a space around each, to look for a name's words in."""
    found = _WORDS.findall(one_script(text).lower())
    return f" {' '.join(s for w in found if (s := w if w.isdigit() else skeleton(w)))} "


def _as_written(text: str, words: list[str]) -> list[str]:
    """The sole trader's words with their capitals and dots: «Егорова И. С.» needs the dots."""
    kept = set(words)
    return [w for w in re.findall(r"[^\W\d_]+\.?", one_script(text)) if w.rstrip(".").lower() in kept]


def compare(a: Company, b: Company) -> str:
    """ "same", "other", "like" (one slip apart, or one contains the other: never enough alone), or "absent"."""
    if not a or not b:
        return "absent"
    if a.form and b.form and a.form != b.form:
        return "other"
    if a.owner or b.owner:
        return _traders(a, b)
    if a.key == b.key:
        return "same"
    if min(len(a.key), len(b.key)) >= 8 and OSA.distance(a.key, b.key, score_cutoff=1) <= 1:
        return "like"
    small, large = sorted((frozenset(a.words), frozenset(b.words)), key=len)
    return "like" if small <= large or a.key in b.key or b.key in a.key else "other"


def _traders(a: Company, b: Company) -> str:
    if a.owner and b.owner:
        verdict = names.compare(a.owner, b.owner).verdict
        return {"full": "same", "part": "like", "absent": "absent", "doubt": "like"}.get(verdict, "other")
    one, other = (a, b) if a.owner else (b, a)
    # «Лукьянова» beside «ИП Лукьянова И.В.»
    plain = names.parse(other.raw)
    return "like" if plain and names.compare(one.owner, plain).verdict in ("full", "part") else "other"


def owned_by(company: Company, person: names.Name) -> bool:
    """Whether the sole trader is that person: surname and first name (or its initial) agree."""
    return bool(company.owner) and names.compare(company.owner, person).verdict == "full"
