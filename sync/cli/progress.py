"""Progress of long work, when a person is watching: which arrival is being taken, and how far it is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import sqlalchemy as sa

from sync.cli.output import both, stderr
from sync.errors import SverkaError
from sync.hub import Hub
from sync.store.tables import inbox, run

_EVERY = 0.5  # seconds


@contextlib.contextmanager
def watching(hub: Hub) -> Iterator[None]:
    """Show the work that goes on inside, on a terminal only; it reads the database and never writes."""
    if not stderr.is_terminal:
        yield
        return
    ended = threading.Event()
    with stderr.status(both("Работаю…", "At work…")) as status:

        def look() -> None:
            while not ended.wait(_EVERY):
                with contextlib.suppress(SverkaError):
                    status.update(_line(hub))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(2)


def _line(hub: Hub) -> str:
    with hub.store.read() as tx:
        now = tx.execute(
            sa.select(run.c.connection, run.c.work).where(run.c.outcome == "running").order_by(run.c.id.desc()).limit(1)
        ).first()
        taken = tx.execute(
            sa.select(inbox.c.name, inbox.c.done).where(inbox.c.state == "new", inbox.c.done > 0).order_by(inbox.c.id)
        ).first()
    what = f"{now.connection}: {now.work}" if now else both("Работаю…", "At work…")
    return f"{what} · {taken.name}: {taken.done}" if taken else what
