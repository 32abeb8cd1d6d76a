"""Names of people: read into parts, and compared part by part. A verdict, not a score: what agrees and what contradicts."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from rapidfuzz.distance import OSA

from sync.identity.first_names import FIRST_NAMES
from sync.identity.lexicon import NOBODY
from sync.model.keys import name_tokens, one_script, skeleton

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*\.?")
# «Мироно вЛеонид»: the space slipped by one letter
_SLIPPED = re.compile(r"(\w{2,}) ([а-яёa-z])([А-ЯЁA-Z][а-яёa-z]{2,})")
# «ИвановИван»: no space at all
_GLUED = re.compile(r"([а-яё]{2})([А-ЯЁ][а-яё]{2,})")
_PATRONYMIC = re.compile(
    r".{2,}(?:ovich|evich|ovna|evna|ichna|inichna)$|(?:il|kuzm|luk|nikit|fom|fok|sav)ich$|.*(?:ogli|kizi)$"
)
_ENDING = re.compile(r"(?:a|aa|aia|ia|ii|oi|ei|i)$")
_SMALLER = re.compile(
    r"(?:ochka|echka|chka|ochek|enka|onka|unka|ushka|usha|ulia|ula|una|osha|asha|isha|ik|ek|ok|os|on|an|uh|oha|ka|sha|sa|ona)$"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name in skeleton words. `first` holds every full name that the given one may stand for."""

    raw: str = ""
    first: frozenset[str] = frozenset()
    given: str = ""  # the first name as it was written
    last: str = ""
    patronymic: str = ""
    initials: tuple[str, ...] = ()
    words: tuple[str, ...] = field(default=())  # everything, in order

    def __bool__(self) -> bool:
        return bool(self.words)

    @property
    def joined(self) -> str:
        return "".join(self.words)

    @property
    def full(self) -> bool:
        """A first name and a surname, both written out."""
        return bool(self.given and self.last)

    @property
    def key(self) -> str:
        """Surname and full first name, for finding namesakes; empty when one of them is missing or ambiguous."""
        if not self.last or not self.given:
            return ""
        return f"{self.last} {min(self.first) if self.first else self.given}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two names say of being one person's.

    `verdict`: "full" (first name and surname agree), "part" (what can be compared agrees), "absent" (nothing to compare),
    "doubt" (one part agrees, another does not), "other" (another person). `kin`: another person of the same family name.
    """

    verdict: str
    kin: bool = False


NO_NAME = Name()
ABSENT = Agreement("absent")


@lru_cache(maxsize=20_000)
def parse(text: str) -> Name:
    """The parts of a name in any order and either script; nothing when the text names nobody («Отдел снабжения»)."""
    text = one_script(unicodedata.normalize("NFC", text[:200]))
    if "@" in text:
        return NO_NAME
    if not (text.istitle() or text.islower()):
        text = _SLIPPED.sub(r"\1\2 \3", text)
        text = _GLUED.sub(r"\1 \2", text)
    words: list[str] = []
    initials: list[str] = []
    for found in _WORD.findall(text)[:8]:
        bare = found.rstrip(".").replace("'", "").replace("’", "").lower()
        form = skeleton(bare.replace("-", ""))
        if not form or form in NOBODY:
            continue
        if len(bare) == 1 or (found.endswith(".") and len(bare) <= 2):
            initials.append(form[0])
        else:
            words.append(form)
    if not words:
        return NO_NAME
    return _with_roles(text, words, tuple(initials))


def _with_roles(text: str, words: list[str], initials: tuple[str, ...]) -> Name:
    rest = list(words)
    patronymic = next((w for w in rest[1:] + rest[:1] if _fathers(w)), "") if len(rest) > 1 else ""
    if patronymic:
        rest.remove(patronymic)
    known = [w for w in rest if w in FIRST_NAMES]
    given = ""
    if known:
        # «Роман Алла»: of two first names the one beside the patronymic, else the first written
        given = known[0]
        if len(known) > 1 and patronymic:
            before = words[words.index(patronymic) - 1]
            given = before if before in known else given
        rest.remove(given)
        first = FIRST_NAMES[given]
    else:
        given, first = _misspelt(rest, patronymic, words, bool(initials))
        if given:
            rest.remove(given)
    # A single word that may be either name has no role: it is compared with every word of the other side
    role = len(words) > 1 or bool(initials) or (bool(rest) and _surname_like(rest[0]))
    last = rest[0] if rest and role else ""
    if not patronymic and given and len(rest) > 1:
        patronymic = rest[1]
    return Name(text.strip(), first, given, last, patronymic, initials, tuple(words))


def _misspelt(rest: list[str], patronymic: str, words: list[str], initials: bool) -> tuple[str, frozenset[str]]:
    """The word that must be the first name although the list does not hold it."""
    if initials and not patronymic:
        return "", frozenset()  # «Джапаридзе Г.И.»
    for word in rest:
        if len(word) >= 4 and (near := _nearest(word)):
            return word, near
    if patronymic and words.index(patronymic) > 0 and (before := words[words.index(patronymic) - 1]) in rest:
        return before, frozenset({before})
    # «Зарема Алиева»: beside a word that can only be the surname; otherwise either may be either
    surnames = [word for word in rest if _surname_like(word)]
    if len(rest) == 2 and len(surnames) == 1:
        other = rest[0] if rest[1] == surnames[0] else rest[1]
        return other, frozenset({other})
    return "", frozenset()


@lru_cache(maxsize=20_000)
def _nearest(word: str) -> frozenset[str]:
    """Full names one slip away from a word, when they are all forms of the same."""
    if len(word) < 5:
        return frozenset()
    slips = 2 if len(word) >= 8 else 1
    found: set[frozenset[str]] = {
        full for form, full in FIRST_NAMES.items() if abs(len(form) - len(word)) <= slips and len(form) >= 4
        and (slips == 1 or form[0] == word[0]) and OSA.distance(form, word, score_cutoff=slips) <= slips
    }  # fmt: skip
    if _surname_like(word):  # Маркина is no slip of Марина; «Екатреина», with the letters of Екатерина, is
        found = {
            full for form, full in FIRST_NAMES.items() if (sorted(form) == sorted(word) or min(len(form), len(word)) >= 8)
            and OSA.distance(form, word, score_cutoff=1) == 1
        }  # fmt: skip
    if not found:
        return frozenset()
    together = frozenset.intersection(*found)
    return together or (next(iter(found)) if len(found) == 1 else frozenset())


@lru_cache(maxsize=20_000)
def _fathers(word: str) -> bool:
    return _PATRONYMIC.match(word) is not None


@lru_cache(maxsize=20_000)
def _surname_like(word: str) -> bool:
    return re.search(r"(?:[oe]va?|ina?|skii|skaia|ska|enko|chuk|ian|dze|shvili|ih)$", word) is not None


def compare(a: Name, b: Name) -> Agreement:
    """Whether two names may be one person's."""
    if not a or not b:
        return Agreement("absent")
    if _word_by_word(a, b):
        return Agreement("full")
    first = _first(a, b)
    last = _last(a, b)
    middle = _middle(a, b)
    if first is None and last is None:
        return _loose(a, b)
    if first is False:
        return Agreement("other", kin=last is not False and bool(a.last and b.last))
    if last is False:
        if first is None:
            return Agreement("other")
        if first and middle is not False and _nearly(a.last, b.last):
            return Agreement("part")
        # The surname differs and the first name agrees: married, misspelt, or somebody else of a frequent name
        return Agreement("other" if middle is False else "doubt")
    if middle is False:
        return Agreement("other" if first else "doubt", kin=True)
    if first is None and _another(a, b):
        return Agreement("doubt")
    return Agreement("full" if first and last else "part")


def _word_by_word(a: Name, b: Name) -> bool:
    """Two words or more on each side, each with its like on the other: whatever their roles («валнетин тимофеев»)."""
    if a.joined == b.joined and len(a.words) > 1 and len(b.words) > 1:
        return True  # «Jean-Luc Picard» beside «Jean Luc Picard»
    short, long = sorted((a, b), key=lambda name: len(name.words))
    if len(short.words) < 2 or (short.patronymic and not short.last):
        return False
    rest = list(long.words)
    for word in short.words:
        if word in rest:
            rest.remove(word)
            continue
        for like in rest:
            if _slip(like, word):
                rest.remove(like)
                break
        else:
            return False
    return True


def _first(a: Name, b: Name) -> bool | None:
    if a.given and b.given:
        if a.given == b.given or a.first & b.first:
            return True
        return _slip(a.given, b.given) or _pet_form(a, b)
    for one, other in ((a, b), (b, a)):
        if one.given and other.initials and not other.given:
            heads = {n[0] for n in one.first} | {one.given[0]}
            return other.initials[0] in heads
    if a.initials and b.initials and not a.given and not b.given:
        return (
            a.initials[0] == b.initials[0] or None
            if len(a.initials) + len(b.initials) < 4
            else a.initials == b.initials
        )
    return None


def _pet_form(a: Name, b: Name) -> bool:
    """«Серунчик» beside «Сергей»: a word that the list lacks, formed from the other name."""
    for one, other in ((a, b), (b, a)):
        if one.given in FIRST_NAMES and other.given not in FIRST_NAMES and _SMALLER.search(other.given):
            return any(len(full) > 2 and other.given[:3] == full[:3] for full in {one.given, *one.first})
    return False


def _last(a: Name, b: Name) -> bool | None:
    if not a.last or not b.last:
        return None
    if a.last == b.last or _slip(a.last, b.last):
        return True
    if _stem(a.last) == _stem(b.last):
        # Волков and Волкова: a slip when both bear one unambiguous first name, husband and wife otherwise
        both = a.first & b.first
        return len(both) == 1 and (len(a.first) == 1 or len(b.first) == 1) and not (a.first ^ b.first)
    return None if a.last in b.words or b.last in a.words else False


def _middle(a: Name, b: Name) -> bool | None:
    if a.patronymic and b.patronymic:
        one, other = a.patronymic, b.patronymic
        return (
            one == other
            or OSA.distance(one, other) <= (2 if min(len(one), len(other)) >= 8 else 1)
            or _root(one) == _root(other)
        )
    for one_, other_ in ((a, b), (b, a)):
        at = 1 if not other_.given else 0
        if one_.patronymic and len(other_.initials) > at:
            return other_.initials[at] == one_.patronymic[0]
    return None


def _root(word: str) -> str:
    return re.sub(r"(?:ovich|evich|ovna|evna|ich|ichna|inichna)$", "", word)


@lru_cache(maxsize=20_000)
def _stem(surname: str) -> str:
    return _ENDING.sub("", surname)


@lru_cache(maxsize=20_000)
def _letters(word: str) -> str:
    """A skeleton with one sign for what is one Cyrillic letter, so that one slip of the finger counts as one."""
    for pair, sign in (("ia", "я"), ("iu", "ю"), ("sh", "ш"), ("ch", "ч"), ("zh", "ж")):
        word = word.replace(pair, sign)
    return word


def _slip(a: str, b: str) -> bool:
    """One misspelt word, never two different known ones (Валентин and Валентина, Волков and Волкова)."""
    short = min(len(a), len(b))
    allowed = 2 if short >= 9 else 1
    if short < 4 or OSA.distance(_letters(a), _letters(b), score_cutoff=allowed) > allowed:
        return False
    if a in FIRST_NAMES and b in FIRST_NAMES:
        return False
    return _stem(a) != _stem(b) or a[-1] == b[-1] or "a" not in (a[-1], b[-1])


def _loose(a: Name, b: Name) -> Agreement:
    """Nothing has the same role on both sides: words against words («Бек» beside «Яна Бек», «Мария» beside «Машин М.»)."""
    if _another(a, b):
        return Agreement("doubt" if set(a.words) & set(b.words) else "other")
    for one, other in ((a, b), (b, a)):
        for word in one.words:
            if word in other.words or any(_slip(word, w) or _near(word, w) for w in other.words):
                return Agreement("part")
            if other.last and not one.last and _stem(word) == _stem(other.last):
                return Agreement("part")
    for one, other in ((a, b), (b, a)):
        if len(one.words) == 1 and not one.given and not one.last and not one.initials and other.given:
            return Agreement("doubt")  # «Седа» beside «Расул Мамедов»: an unlisted first name, or something else
    known_first = bool(a.given) != bool(b.given)
    if known_first and not (a.last and b.last):
        return Agreement("absent")  # a first name here, a surname there
    return Agreement("other")


def _another(a: Name, b: Name) -> bool:
    """«Ли Вэй» and «Ли На»: a word on each side that is none of the other's, and nothing tells which is the surname."""
    if min(len(a.words), len(b.words)) < 2:
        return False
    ours, theirs = _strange(a, b), _strange(b, a)
    return bool(ours and theirs) and not any(x[:3] == y[:3] for x in ours for y in theirs)


def _strange(a: Name, b: Name) -> list[str]:
    return [w for w in a.words if w not in b.words and not any(_slip(w, v) for v in b.words)]


def _nearly(a: str, b: str) -> bool:
    """Two slips in a surname, or two swapped letters in a short one («Моозова», «еБк»); enough beside the same first name."""
    if sorted(a) == sorted(b) and len(a) >= 3:
        return True
    if _stem(a) == _stem(b) or min(len(a), len(b)) < 6 or a[0] != b[0]:
        return False
    return OSA.distance(_letters(a), _letters(b), score_cutoff=2) <= 2


def _near(a: str, b: str) -> bool:
    """Two slips in one long word, when nothing else is there to compare («Аастасия» beside «Анастасия»)."""
    return min(len(a), len(b)) >= 7 and a[0] == b[0] and OSA.distance(a, b, score_cutoff=2) <= 2


def alike(a: Name, b: Name) -> bool:
    """Names that differ by more than a slip and begin alike, first name and surname each: enough beside strong signs only."""

    def near(x: str, y: str) -> bool:
        short = min(len(x), len(y))
        if not short or (short >= 3 and (x.startswith(y) or y.startswith(x))):
            return True  # «Rob», «Robert»
        return (x[0] == y[0] or short >= 5) and OSA.distance(x, y) <= max(1, short // 3)

    known = (FIRST_NAMES.get(a.given), FIRST_NAMES.get(b.given))
    if known[0] and known[1] and not known[0] & known[1]:
        return False  # «Мария» and «Марина» are two people, however alike
    return (near(a.given, b.given) and near(a.last, b.last)) or (near(a.given, b.last) and near(a.last, b.given))


def nobody(text: str) -> bool:
    """Whether a text in a name's place is made of words that name nobody («Отдел снабжения»)."""
    words = _WORD.findall(text)
    return bool(words) and all(skeleton(w.rstrip(".").lower().replace("-", "")) in NOBODY or len(w) < 3 for w in words)


def may_agree(a: str, b: str) -> bool:
    """Whether two names may be one's: one is missing, or they share a word that is not merely an initial. For comparing
    what two systems call one client that they are known to share; far too little to find one by."""
    left = {t for t in name_tokens(a) if len(t) > 1}
    right = {t for t in name_tokens(b) if len(t) > 1}
    return not left or not right or bool(left & right)
