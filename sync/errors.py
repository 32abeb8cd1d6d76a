"""Every error of the hub, cut by what the caller does next.

SverkaError
├── RetryLater          transient (time-out, 429, 503, lock): the scheduler tries again, after `after` seconds if given
├── RecordRefused       this record cannot go on, its neighbours do: quarantine
├── NeedHuman           a decision is wanted (conflict, ambiguous client, illegal transition): a queue for people
├── BadConfig           a named file, line or setting is to be mended: the administrator
│   └── Incomplete      …and only a part of what was asked for is missing by that: the rest stands, the run is not green
├── Fatal               the run cannot go on (database gone, another hub works): the administrator
├── OutcomeUnknown      a write may or may not have happened: settled by reading, never by a second blind call
└── PreconditionFailed  what was to be overwritten has moved: not an error but a reason to plan again

An error's text says what was received, what is valid and what to do next, in Russian and English. Errors of libraries
do not cross an adapter's boundary.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One message to people in both languages; `str()` gives the English one (for logs)."""

    en: str
    ru: str

    def __str__(self) -> str:
        return self.en

    def say(self, language: str) -> str:
        """The text in "ru" or "en"; any other language reads English."""
        return self.ru if language == "ru" else self.en


class SverkaError(Exception):
    """Something went wrong and the hub knows whose turn it is.

    `code` names the cause ("shop.auth", "cml.doctype"): equal causes are grouped in lists and mended together.
    `setting` names the configuration key, `field` the field of the record that is to be mended, where there is one.
    """

    def __init__(
        self,
        text: Text,
        *,
        code: str,
        remedy: Text | None = None,
        setting: str = "",
        field: str = "",
    ) -> None:
        super().__init__(text.en)
        self.text = text
        self.code = code
        self.remedy = remedy
        self.setting = setting
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:  # keyword-only arguments would be lost between processes
        return (_revive, (type(self), self.text, self.__dict__))


def _revive(cls: type[SverkaError], text: Text, state: dict[str, object]) -> SverkaError:
    error = cls.__new__(cls)
    Exception.__init__(error, text.en)
    error.__dict__.update(state)
    return error


class RetryLater(SverkaError):
    """Transient: the same call may succeed later. `after` is the peer's own wish in seconds, None without one."""

    def __init__(
        self,
        text: Text,
        *,
        code: str,
        after: int | None = None,
        remedy: Text | None = None,
        setting: str = "",
        field: str = "",
    ) -> None:
        super().__init__(text, code=code, remedy=remedy, setting=setting, field=field)
        self.after = after


class RecordRefused(SverkaError):
    """This one record is broken or not acceptable; it goes to quarantine with this reason."""


class NeedHuman(SverkaError):
    """A person decides; until then the record waits, visibly."""


class BadConfig(SverkaError):
    """The configuration, a mapping file or a right on the other side is wrong: nothing is retried until it is mended."""


class Incomplete(BadConfig):
    """What was read stands, and so does what was known of the missing part; the neighbours go on. The run is not green."""


class Fatal(SverkaError):
    """The run cannot go on."""


class OutcomeUnknown(SverkaError):
    """The call was sent and no answer came: it must be settled by reading back."""


class PreconditionFailed(SverkaError):
    """The other side has moved since we looked: read again and plan again."""
