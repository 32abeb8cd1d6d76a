"""Goods and offers whose own bytes are what they were: cut out of a file before it is parsed.

A nightly full export repeats nearly everything. Between the file and the parser its goods (Товар) and offers (Предложение)
are found by plain searches for bytes, and each gets a digest of all that its record is made of: its bytes, their encoding,
and the words that its properties resolve to. The hub says which of them it holds under just that digest; those are cut out.
The others go to the parser with the digest as an attribute, which becomes the record's version.

A digest stands for a reading: it is only ever given to a slice that is one element for certain, and a wrong guess at an id
finds a link with another digest. What is not plain goes the ordinary way; the file's lines stay where they are.
"""

from __future__ import annotations

import re
import secrets
from binascii import b2a_base64
from collections import Counter, deque
from collections.abc import Set
from hashlib import sha256
from typing import IO, NamedTuple

from adapters.base import Taken
from adapters.onec.cml.parts import Dictionary, split_id
from adapters.onec.cml.prologue import ROOT, ROOT_MARK, encoding_of
from adapters.onec.cml.wording import Wording
from adapters.onec.cml.xmlsafe import CHUNK, Portions

# Part of every digest. To be raised whenever the reader reads anything of goods or offers otherwise than before: what is
# stored under the old digests was read the old way, and all of it has to be read once more
READING = 1
PART = 256 * 1024  # bytes that are judged together, with one look-up of each kind
LARGEST = 2 * 1024 * 1024  # bytes of one slice
_KINDS = {"Товар": "product", "Предложение": "offer"}
_LISTS = {"Каталог": "Товар", "ПакетПредложений": "Предложение", "ИзмененияПакетаПредложений": "Предложение"}
_LONGEST = 96  # bytes: no name of a tag that matters here is longer
_SLOTS = 1 << 20
_PROLOGUE = re.compile(rb"(\xef\xbb\xbf)?(<\?xml\s[^<>]*>)?%s\s*" % re.escape(ROOT_MARK))


class Sieve:
    """What one arrival's files have in common: what the hub is asked, and of which records it may not be asked any more."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._any: dict[str, bool] = {}
        self._stopped = False
        # A record that goes to the parser may change what the hub holds after it was asked, so that a later one of the same
        # id may not be cut. Two ids in one slot only cost a reading
        self._read = bytearray(_SLOTS)
        self.beside = False  # the id of the characteristic stands beside the product's in these files

    def asks(self, kind: str) -> bool:
        """Whether there is anything to ask about: at a first import there is not."""
        if kind not in self._any:
            self._any[kind] = self._taken.any(kind)
        return self._any[kind] and not self._stopped

    def stop(self) -> None:
        """Records go to the parser whose ids nobody has looked at."""
        self._stopped = True

    def unchanged(self, kind: str, versions: dict[str, str]) -> Set[str]:
        """Those of these ids that the hub holds under just these versions."""
        return self._taken.unchanged(kind, versions) if versions else frozenset()

    def to_be_read(self, kind: str, id: str) -> None:
        self._read[self._slot(kind, id)] = 1

    def may_be_cut(self, kind: str, id: str) -> bool:
        return not self._read[self._slot(kind, id)]

    @staticmethod
    def _slot(kind: str, id: str) -> int:
        """One for all variants of a product: the characteristic may stand anywhere in the slice."""
        return hash((kind, id.partition("#")[0])) % _SLOTS


_Slice = tuple[int, int, int]  # where the blanks in front of it begin, where it begins and ends


class _Cut(NamedTuple):
    """Neighbours that are cut out."""

    kind: str
    number: int
    lines: int


class Sifted(Portions):
    """One file on its way to the parser. `same`: how many of each kind were cut out of what was read so far; `attribute`:
    what the digest is called in the start tags, a name that no file can know."""

    def __init__(self, sieve: Sieve, words: Dictionary) -> None:
        self.same: Counter[str] = Counter()
        self.attribute = f"_{secrets.token_hex(8)}"
        self._sieve, self._words = sieve, words
        self._ready: deque[bytes | _Cut] = deque()
        self._tag = ""  # what the list holds that is being read
        self._begun = False  # the first slice was met, and what stands before it was given away

    def begin(self, head: bytes, stream: IO[bytes]) -> Sifted:
        """`head`: the file's first bytes, with the root."""
        self._stream, self._rest = stream, head
        encoding = encoding_of(head).removesuffix("-sig")
        self._on = encoding in ("utf-8", "cp1251")
        if self._on:
            self._speak(encoding)
            self._on = self._plain_root()
        if not self._on:
            self._sieve.stop()
        return self

    def read(self, size: int = CHUNK) -> bytes:
        """The next portion, of any size; b"" at the end. What was given before has been parsed by now."""
        self.blank = False
        while not self._ready and self._on:
            part = self._stream.read(PART)
            self._rest = self._sift(self._rest + part)
            if not (part or self._ready):
                self._on = False
                if self._tag and self._next[self._tag].match(self._rest):  # cut in the middle of a slice
                    self._sieve.stop()
        if not self._ready:
            rest, self._rest = self._rest, b""
            return rest or self._stream.read(size)
        piece = self._ready.popleft()
        if isinstance(piece, bytes):
            return piece
        self.blank = True
        self.same[piece.kind] += piece.number
        return b"<!--" + b"\n" * piece.lines + b"-->"

    def _speak(self, encoding: str) -> None:
        """The names in the file's own bytes."""

        def coded(word: str) -> bytes:
            return word.encode(encoding)

        self._encoding, self._person = encoding, f"{encoding} {READING}".encode()
        self._open = {tag: coded(f"<{tag}") for tag in _KINDS}
        self._close = {tag: coded(f"</{tag}>") for tag in _KINDS}
        self._opening = {tag: re.compile(coded(rf"<{tag}[\s>/]")) for tag in _KINDS}
        self._next = {tag: re.compile(coded(rf"\s*(?=<{tag}[\s>])")) for tag in _KINDS}
        self._own_id = {tag: re.compile(coded(rf"<{tag}[^<>]*>\s*<Ид>([^<&]+)</Ид>")) for tag in _KINDS}
        self._any_id = re.compile(coded(r"Ид(?:>([^<]*)|(\s))"))
        self._beside_open = coded("<ИдХарактеристики>")
        self._beside = re.compile(coded(r"<ИдХарактеристики>([^<&]*)<"))
        self._wording = Wording(self._words, encoding)

    def _plain_root(self) -> bool:
        """Whether nothing but the declaration stands before the root; then what may stand between slices is known as well."""
        head, root = self._rest, f"<{ROOT}".encode(self._encoding)
        at = head.find(root)
        end = head.find(b">", at) + 1
        prefixes = re.findall(rb"\sxmlns:([^\s=]+)", head[at:end])
        if at < 0 or not end or not _PROLOGUE.fullmatch(head[:at]) or len(b"".join(prefixes)) > 64:
            return False
        odd = rb"(?P<odd>[!?]%s)" % b"".join(rb"|/?%s:" % re.escape(prefix) for prefix in prefixes)
        names = {
            "end": rf"/{ROOT}[\s>]",
            "order": r"(?:Документ|ПодчиненныйДокумент)[\s>/]",
            "words": r"(?:Свойство|СвойствоНоменклатуры|Справочник)[\s>/]",
            "list": rf"(?:{'|'.join(_LISTS)})[\s>]",
            "slice": rf"(?:{'|'.join(_KINDS)})[\s>/]",
        }
        marks = [odd, *(f"(?P<{name}>{it})".encode(self._encoding) for name, it in names.items())]
        self._marks = re.compile(b"<(?:%s)" % b"|".join(marks))
        self._rest = head[end:]
        self._ready.append(head[:end])
        return True

    def _sift(self, data: bytes) -> bytes:
        """Give away what is known to be whole; gives what has to wait for more."""
        slices: list[_Slice] = []
        at, keep, plain = 0, -1, True
        while plain and self._on and keep < 0:
            blanks = self._next[self._tag].match(data, at) if self._tag else None
            before = start = at
            if blanks is not None:
                start = blanks.end()
            elif data.find(b"xmlns", at, mark.start() if (mark := self._marks.search(data, at)) else len(data)) >= 0:
                plain = False  # the names of tags may mean something else there
            elif mark is None:
                keep = max(at, len(data) - _LONGEST)
                break
            elif mark.lastgroup == "list" and slices:
                keep = mark.start()
                break
            elif mark.lastgroup == "end":
                self._on = False
            elif not self._expected(mark):
                plain = False
            elif mark.lastgroup != "slice":
                at = mark.end()
                continue
            else:
                before = start = mark.start()
            if not (plain and self._on):
                break
            if not self._begun:  # the dictionary of properties is read before anything is judged
                self._begun = True
                if start:
                    self._ready.append(data[:start])
                    return data[start:]
            close = self._close[self._tag]
            if (end := data.find(close, start)) >= 0:
                at = end + len(close)
                slices.append((before, start, at))
            elif len(data) - start < LARGEST:
                keep = before
            else:
                plain = False
        if not (plain and self._on):
            keep = len(data)
        self._give(data[:keep], slices)
        if not plain:
            self._stop()
        return data[keep:]

    def _expected(self, mark: re.Match[bytes]) -> bool:
        """Whether what stands outside the slices is what stands there in catalogues. It may begin a list of them."""
        name = mark.group()[1:-1].decode(self._encoding, "replace")
        match mark.lastgroup:
            case "list":
                self._tag = _LISTS[name]
                return True
            case "slice":
                return name == self._tag
            case "words":
                return not self._begun
        return False

    def _give(self, data: bytes, slices: list[_Slice]) -> None:
        """The slices, judged, and what is around them. From one on that is not plain everything goes as it is."""
        at = done = 0
        pieces: list[bytes] = []
        if slices:
            kind, name, mark = _KINDS[self._tag], len(self._open[self._tag]), f' {self.attribute}="'.encode()
            versions, asks = self._versions(data, slices), self._sieve.asks(kind)
            known = self._known(kind, data, slices, versions) if asks else {}
            for number, (version, (before, start, end)) in enumerate(zip(versions, slices, strict=False)):
                if number in known and self._sieve.may_be_cut(kind, known[number]):
                    pieces.append(data[at:before])
                    self._put(pieces)
                    self._cut(kind, data.count(b"\n", before, end))
                    at = done = end
                    continue
                if asks and not self._to_be_read(kind, data[start:end]):
                    self._stop()
                    break
                pieces += (data[at : start + name], b'%s%s"' % (mark, version))
                at = start + name
                if end - done >= CHUNK:
                    pieces.append(data[at:end])
                    self._put(pieces)
                    at = done = end
            if len(versions) < len(slices):
                self._stop()
        pieces.append(data[at:])
        self._put(pieces)

    def _put(self, pieces: list[bytes]) -> None:
        if piece := b"".join(pieces):
            self._ready.append(piece)
        pieces.clear()

    def _stop(self) -> None:
        """From here on everything goes to the parser as it is."""
        self._on = False
        self._sieve.stop()

    def _cut(self, kind: str, lines: int) -> None:
        last = self._ready[-1] if self._ready else None
        if isinstance(last, _Cut) and last.kind == kind:
            self._ready[-1] = _Cut(kind, last.number + 1, last.lines + lines)
        else:
            self._ready.append(_Cut(kind, 1, lines))

    def _known(self, kind: str, data: bytes, slices: list[_Slice], versions: list[bytes]) -> dict[int, str]:
        """{number: id} of the slices that the hub holds under just these versions."""
        asked: dict[str, str] = {}
        ids: list[str] = []
        for version, (_, start, end) in zip(versions, slices, strict=False):
            ids.append(self._id(data[start:end]))
            if ids[-1]:
                asked.setdefault(ids[-1], version.decode())
        known = self._sieve.unchanged(kind, asked)
        return {number: id for number, id in enumerate(ids) if id in known and asked[id] == versions[number].decode()}

    def _versions(self, data: bytes, slices: list[_Slice]) -> list[bytes]:
        """Of each its digest, up to one that is not one plain element."""
        self._words.remember()
        slices = slices[: self._plain(data, slices)]
        person, found = self._person, list[bytes]()
        said = self._wording.of if self._tag == "Товар" and self._words.names else None
        for _, start, end in slices:
            body = data[start:end]
            digest = sha256(body)
            if said is not None:
                try:
                    digest.update(said(body))
                except UnicodeDecodeError:
                    break
            digest.update(person)
            found.append(b2a_base64(digest.digest()[:16], newline=False)[:-2])
        return found

    def _plain(self, data: bytes, slices: list[_Slice]) -> int:
        """How many of them, from the first on, are one plain element each. Nearly always it is all, by one look at them
        together."""
        opening, tag = self._open[self._tag], self._opening[self._tag]

        def plain(start: int, end: int, number: int) -> bool:
            if data.count(opening, start, end) > number and len(tag.findall(data, start, end)) > number:
                return False  # one in the other: it does not end here
            for rare, both in ((b"!", b"<!"), (b"?", b"<?")):  # one byte alone is found thirty times as fast
                if data.find(rare, start, end) >= 0 and data.find(both, start, end) >= 0:
                    return False  # what looks like its end may be a comment's or a text's
            return True

        if plain(slices[0][1], slices[-1][2], len(slices)):
            return len(slices)
        return next((n for n, (_, start, end) in enumerate(slices) if not plain(start, end, 1)), len(slices))

    def _id(self, body: bytes) -> str:
        """The record's id where it shows at once, else "". A wrong one finds nothing."""
        found = self._own_id[self._tag].match(body)
        if found is None:
            return ""
        id = found[1].decode(self._encoding, "replace").strip()
        if self._sieve.beside and (beside := self._beside.search(body)):
            return split_id(id, beside[1].decode(self._encoding, "replace").strip())[0]
        return split_id(id)[0] if "#" in id else id

    def _to_be_read(self, kind: str, body: bytes) -> bool:
        """Whatever in it may be its id is not cut any more; False where an id may be written otherwise."""
        for text, odd in self._any_id.findall(body):
            if odd or b"&" in text:
                return False
            if text and not text.isspace():  # what stands behind the end of such an element is blank
                self._sieve.to_be_read(kind, text.decode(self._encoding, "replace").strip())
        self._sieve.beside = self._sieve.beside or self._beside_open in body
        return True
