"""What the dictionary has for the properties of goods, as bytes for a digest: a record changes with these words, though the
bytes of its own slice of the file do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b

from adapters.onec.cml.parts import Dictionary

_ROWS = 4096  # rows of properties remembered
_NONE = "\1"  # no word can be this
_TEXTS = re.compile(rb">\s*+([^<]++)<")


class _Rows(dict[bytes, bytes]):
    """What is made of a row, of those that have been met: goods share their properties."""

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, row: bytes) -> bytes:
        found = self._make(row)
        if len(self) < _ROWS:
            self[row] = found
        return found


class Wording:
    """Of one file, whose dictionary has been read."""

    def __init__(self, words: Dictionary, encoding: str) -> None:
        self._words, self._encoding = words, encoding
        self._begin, self._end = "<ЗначенияСвойств".encode(encoding), "</ЗначенияСвойств>".encode(encoding)
        self._row_end = "</ЗначенияСвойства>".encode(encoding)
        self._rows = _Rows(self._row)
        self._everything = b""

    def of(self, body: bytes) -> bytes:
        """For one Товар. UnicodeDecodeError where its bytes are not of the encoding."""
        if (at := body.find(self._begin)) < 0:
            return b""
        end = body.find(self._end, at)
        if end < 0 or body.find(self._begin, end) >= 0:  # more of them than usual, or written in some other way
            end = len(body)
        return b"".join([self._rows[row] for row in body[at:end].split(self._row_end)])

    def _row(self, row: bytes) -> bytes:
        """Of one property. Every text in it is looked up as an id, which finds all that the reader does."""
        if b"&" in row or row.count(b"<") != row.count(b">"):  # an id, or a tag, may be written otherwise there
            return self._all()
        name, value = self._words.names.get, self._words.values.get
        said = b"\0".join(_TEXTS.findall(row)).decode(self._encoding)
        texts = [text.strip() for text in said.split("\0")]
        found = [name(text, _NONE) for text in texts] + [value(text, _NONE) for text in texts]
        if "\n" in said:
            found += [value(line.strip(), _NONE) for text in texts for line in text.split("\n")]
        return "\0".join(["", *found]).encode("utf-8", "surrogatepass")

    def _all(self) -> bytes:
        """The whole dictionary."""
        if not self._everything:
            pairs = [sorted(words.items()) for words in (self._words.names, self._words.values)]
            self._everything = blake2b(repr(pairs).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return self._everything
