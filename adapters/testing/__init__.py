"""The conformance suite that every adapter passes: subclass it, say how to make the adapter and its other side, done.

    class TestMyShop(AdapterConformance):
        adapter = MyShopAdapter

        def make(self): return MyShopAdapter(settings, kit_context())
        def seed(self, kind, count): ...        # for adapters that scan
        def arrivals(self): ...                 # for adapters that receive
        def deposit(self, count): ...           # for adapters that collect

Which tests there are follows from the declared capabilities (`declared`, by default the class's own): what an adapter
declares is tested, what it does not declare is no test at all, and nothing is skipped by name. `setup_method` may start
a fresh other side. Hooks that a declared capability needs and that are not supplied make its tests fail.

Only plain `assert` and no test library: pytest collects it, and so may any other runner.
"""

from __future__ import annotations

from adapters.base import Adapter, AdapterSettings
from adapters.faults import FaultPlan, FaultyAdapter, Killed
from adapters.testing.arrivals import ArrivalTests
from adapters.testing.collects import CollectTests
from adapters.testing.deletes import DeleteTests
from adapters.testing.gathers import GatherTests
from adapters.testing.hooks import needs
from adapters.testing.scans import ScanTests
from adapters.testing.serves import KitHub, ServerTests
from adapters.testing.tools import (
    KitLimiter,
    arrival,
    assert_error,
    assert_json_like,
    assert_record,
    assert_text,
    holds,
    kit_context,
    nasty_arrivals,
    stable_hash,
)
from adapters.testing.writes import WriteTests

ROLES = frozenset({"form", "shop", "mail", "crm", "accounting"})
METHODS = {  # capability → the method that keeps its promise
    "scans": "scan",
    "reads": "read",
    "updates": "write",
    "creates": "write",
    "deletes": "write",
    "finds": "find",
    "gathers": "gather",
    "collects": "collect",
    "receives": "receive",
    "serves": "server",
    "files": "unpack",
}


class AdapterConformance(ScanTests, WriteTests, DeleteTests, GatherTests, ArrivalTests, CollectTests, ServerTests):
    """What the engine relies on. The hooks to supply are in `adapters.testing.hooks.Hooks`."""

    def test_names_itself(self) -> None:
        assert self.adapter.title.en, "no English title"
        assert self.adapter.title.ru, "no Russian title"
        assert self.adapter.role in ROLES, f"role {self.adapter.role!r}; valid: {sorted(ROLES)}"
        assert self.adapter.mapping, "no mapping is named"
        assert issubclass(self.adapter.Settings, AdapterSettings), (
            "Settings must be strict: derive from AdapterSettings"
        )
        assert self.adapter.Settings.model_config.get("extra") == "forbid", "Settings must refuse unknown keys"

    def test_capabilities_match_methods(self) -> None:
        """A promise without a method fails at run time; a method without a promise is never called."""
        with self.opened() as adapter:
            held = adapter.capabilities
        assert held == self.declared, f"make() gives an adapter that declares {held}"
        known = type(adapter).capabilities
        for name, method in METHODS.items():
            own = getattr(type(adapter), method) is not getattr(Adapter, method)
            assert own or not getattr(held, name), f"`{name}` is declared, but {method}() is not there"
        for method in {"scan", "read", "write", "find", "gather", "collect", "receive", "server"}:
            promised = any(getattr(c, n) for n, m in METHODS.items() if m == method for c in (held, known))
            own = getattr(type(adapter), method) is not getattr(Adapter, method)
            assert promised or not own, f"{method}() is there, but no capability declares it"
        assert held.updates <= held.reads, "an update whose answer is lost is settled by reading: declare `reads`"
        assert held.conditional <= held.updates, "`conditional` without `updates`"
        assert held.deletes <= held.reads, "a delete whose answer is lost is settled by reading: declare `reads`"
        assert held.finds <= held.creates, "`finds` without `creates`"
        assert held.vague <= held.finds, "`vague` without `finds`"
        lists = type(adapter).lying is not Adapter.lying
        assert lists or not held.gathers, "`gathers` is declared, but lying() is not there"
        assert held.serves or not held.offers, "`offers` without `serves`: nobody could fetch them"
        archives = type(adapter).collected is not Adapter.collected
        assert archives or not held.collects, "`collects` is declared, but collected() is not there"
        assert held.files or not held.collects, "`collects` without `files`: what is collected could not be unpacked"

    def test_check_reports(self) -> None:
        with self.opened() as adapter:
            for finding in adapter.check():
                assert finding.step, "a finding without a step"
                assert all((finding.text.en, finding.text.ru)), f"{finding.step}: a language is missing"
                assert finding.ok, f"check fails on a good connection: {finding.text.en}"

    @needs("broken")
    def test_check_names_the_setting(self) -> None:
        for adapter in self.broken():
            findings = list(adapter.check())
            adapter.close()
            failed = [finding for finding in findings if not finding.ok]
            assert failed, f"check finds nothing wrong with {adapter.settings!r}"
            for finding in failed:
                assert finding.setting, f"{finding.step}: no setting is named"
                assert_text(finding.text, finding.step)
                shown = finding.text.en + finding.text.ru
                assert not any(secret in shown for secret in self.secrets), f"{finding.step} shows a secret"


__all__ = [
    "AdapterConformance",
    "FaultPlan",
    "FaultyAdapter",
    "Killed",
    "KitHub",
    "KitLimiter",
    "arrival",
    "assert_error",
    "assert_json_like",
    "assert_record",
    "assert_text",
    "holds",
    "kit_context",
    "nasty_arrivals",
    "needs",
    "stable_hash",
]
