"""Which folders are meant: special-use names (RFC 6154) with the names that servers and mail programs give them."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.mail.imap import Folder

# Where SPECIAL-USE is missing: the last segment of the folder's name, likeliest first.
NAMES: dict[str, tuple[str, ...]] = {
    "\\sent": (
        "отправленные",
        "отправленные сообщения",
        "отправленные письма",
        "sent",
        "sent items",
        "sent messages",
        "sent mail",
        "sent-mail",
        "исходящие",
        "outbox",
    ),
    "\\archive": ("архив", "archive", "archives"),
    "\\drafts": ("черновики", "drafts", "draft"),
    "\\junk": ("спам", "нежелательная почта", "spam", "junk", "junk e-mail", "bulk mail"),
    "\\trash": ("корзина", "удалённые", "удаленные", "trash", "deleted items", "deleted messages", "deleted"),
    "\\all": ("вся почта", "all mail"),
}


def resolve(wanted: str, existing: Sequence[Folder]) -> str | None:
    """The real name of a folder of the settings ("INBOX", "Клиенты/Новые", "\\Sent"); None when there is none."""
    if not wanted.startswith("\\"):
        named = [f.name for f in existing if f.name.casefold() == wanted.casefold()]
        return wanted if wanted in named else next(iter(named), None)
    use = wanted.lower()
    marked = [f.name for f in existing if use in f.flags and f.selectable]
    if marked:
        return marked[0]
    for name in NAMES.get(use, ()):
        for folder in existing:
            if folder.selectable and _last(folder).casefold() == name:
                return folder.name
    return None


def is_sent(name: str, existing: Sequence[Folder]) -> bool:
    return resolve("\\Sent", existing) == name


def is_rubbish(folder: Folder, existing: Sequence[Folder]) -> bool:
    """Spam, drafts and trash: a letter there is not the firm's correspondence."""
    return folder.name in {resolve(use, existing) for use in ("\\Junk", "\\Drafts", "\\Trash")}


def _last(folder: Folder) -> str:
    return folder.name.rpartition(folder.delimiter)[2] if folder.delimiter else folder.name
