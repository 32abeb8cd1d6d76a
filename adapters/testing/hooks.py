"""What an adapter's author supplies to the conformance suite, and how the suite chooses its tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from adapters.base import Adapter, Arrival, Capabilities, Native, Page, Record, SverkaError
from adapters.testing.tools import assert_error

KEY = "5a1e0000-0000-4000-8000-00000000000{}"


def needs(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """This test is there when all of these are declared ("a|b": either) or, for a hook's name, supplied."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        test.needs = names  # type: ignore[attr-defined]
        return test

    return mark


class Hooks:
    """The hooks, and what several tests use. A hook that a declared capability needs fails until it is supplied."""

    adapter: ClassVar[type[Adapter]]
    declared: ClassVar[Capabilities]  # where settings narrow what the class declares: what make()'s adapter declares
    secrets: ClassVar[tuple[str, ...]] = ()  # what must never stand in an error's text
    unknown_id: ClassVar[str] = "999999999"
    one_page: ClassVar[frozenset[str]] = frozenset()  # kinds that always come in one page
    stamps: ClassVar[frozenset[str]] = frozenset()  # top-level fields that the other side changes by itself

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "adapter"):
            return
        if "declared" not in vars(cls) and ("adapter" in vars(cls) or not hasattr(cls, "declared")):
            cls.declared = cls.adapter.capabilities
        for name in [name for name in dir(cls) if name.startswith("test_")]:
            # a suite derived from another one has its own choice: what was dropped there may be a test here
            test = next(held for base in cls.__mro__ if (held := vars(base).get(name)) is not None)
            chosen = all(cls._has(one) for one in getattr(test, "needs", ()))
            setattr(cls, name, test if chosen else None)

    @classmethod
    def _has(cls, wanted: str) -> bool:
        for name in wanted.split("|"):
            if hasattr(cls.declared, name):  # a capability's name comes before a hook's: `files` is both
                if getattr(cls.declared, name):
                    return True
            elif getattr(cls, name) is not getattr(Hooks, name):
                return True
        return False

    # -- hooks -------------------------------------------------------------------------------------------------------

    def make(self) -> Adapter:
        """A new adapter over the other side as it is now; called several times in a test."""
        raise NotImplementedError

    def seed(self, kind: str, count: int) -> list[str]:
        """Put so many new records on the other side; gives their ids."""
        raise NotImplementedError

    def edit(self, kind: str, id: str) -> None:
        """Change a record as somebody on the other side would."""
        raise NotImplementedError

    def delete(self, kind: str, id: str) -> None:
        """Optional: delete a record on the other side, as somebody there would."""
        raise NotImplementedError

    def lay(self, kind: str, id: str, count: int) -> list[str]:
        """Put so many new activities on a card; gives their ids."""
        raise NotImplementedError

    def fields(self, kind: str) -> Native:
        """The native fields of a good new record."""
        raise NotImplementedError

    def changed(self, kind: str) -> Native:
        """Some native fields, with values that no seeded record has."""
        raise NotImplementedError

    def lose_next_answer(self) -> None:
        """The other side executes the next call and its answer is lost."""
        raise NotImplementedError

    def fail_next_call(self) -> None:
        """The other side is busy at the next call and does not execute it."""
        raise NotImplementedError

    def arrivals(self) -> list[Arrival]:
        """Good arrivals, each of which holds at least one record or hint."""
        raise NotImplementedError

    def files(self) -> list[Arrival]:
        """Good files of the vendor's format."""
        raise NotImplementedError

    def deposit(self, count: int) -> list[str]:
        """Put so many whole new arrivals where collect() looks; gives their names."""
        raise NotImplementedError

    def damaged(self) -> tuple[Arrival, int]:
        """Optional: an arrival with one broken part, and how many good records stand beside it."""
        raise NotImplementedError

    def broken(self) -> list[Adapter]:
        """Optional: adapters with wrong settings, whose check must say so."""
        raise NotImplementedError

    # -- in common -----------------------------------------------------------------------------------------------------

    @contextmanager
    def opened(self) -> Iterator[Adapter]:
        adapter = self.make()
        try:
            yield adapter
        finally:
            adapter.close()

    def pages(self, kind: str, cursor: Native | None = None) -> list[Page]:
        """A whole scan by a new adapter, from a cursor as it comes back from storage."""
        with self.opened() as adapter:
            return list(adapter.scan(kind, json.loads(json.dumps(cursor))))

    def raises(self, expected: type[SverkaError], call: Callable[[], Any]) -> SverkaError:
        raised: SverkaError | None = None
        try:
            call()
        except SverkaError as error:
            raised = error
        assert raised is not None, f"{expected.__name__} was not raised"
        assert type(raised) is expected, f"{type(raised).__name__} was raised instead of {expected.__name__}"
        assert_error(raised, self.secrets)
        return raised

    def seeded(self, adapter: Adapter, kind: str) -> Record:
        """One existing record, as the hub last saw it."""
        (id,) = self.seed(kind, 1)
        if kind in adapter.capabilities.reads:
            record = adapter.read(kind, id)
        else:
            record = next((r for page in adapter.scan(kind, None) for r in page.records if r.id == id), None)
        assert record is not None, f"the seeded {kind} {id} cannot be read"
        return record
