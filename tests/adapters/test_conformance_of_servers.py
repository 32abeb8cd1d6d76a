"""The kit's tests of collecting and serving are judged as the others are: each wrong adapter fails the test meant for it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from adapters.base import Capabilities, RecordRefused, Reply, Text
from adapters.onec import OneCFolder, OneCSiteExchange
from adapters.testing import AdapterConformance
from adapters.woocommerce import WooCommerceAdapter
from tests.adapters import test_conformance as right
from tests.adapters.test_conformance_of_kit import failures, judge


class Forgetful(OneCFolder):
    """Takes the file away at once."""

    def collect(self):
        for came in super().collect():
            body = came.read()
            super().collected(came)
            yield replace(came, open=lambda body=body: io.BytesIO(body))


class ArchivesAll(OneCFolder):
    def collected(self, arrival):
        for came in list(super().collect()):
            super().collected(came)


class ArchivesNothing(OneCFolder):
    def collected(self, arrival):
        """Does nothing."""


class ArchivesOnce(OneCFolder):
    def collected(self, arrival):
        if not (self.settings.folder / arrival.name).exists():
            raise RecordRefused(Text("it is gone", "файла нет"), code="onec.gone")
        super().collected(arrival)


class Dribbles(OneCFolder):
    """A stream that can be read once."""

    def collect(self):
        for came in super().collect():
            stream = io.BytesIO(came.read())
            stream.close = lambda: None
            yield replace(came, open=lambda stream=stream: stream)


class SaysNoSize(OneCFolder):
    def collect(self):
        return (replace(came, size=0) for came in super().collect())


class OneName(OneCFolder):
    def collect(self):
        return (replace(came, name="1c.xml") for came in super().collect())


class CannotRead(OneCFolder):
    def unpack(self, arrival):
        raise RecordRefused(Text("no", "нет"), code="onec.no")


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (Forgetful, "test_collect_removes_nothing", "two results"),
        (ArchivesAll, "test_only_what_is_stored_is_archived", "others came"),
        (ArchivesNothing, "test_collected_may_be_repeated", "come again"),
        (ArchivesOnce, "test_collected_may_be_repeated", "it is gone"),
        (Dribbles, "test_collect_removes_nothing", "opened twice"),
        (SaysNoSize, "test_collect_removes_nothing", "says 0 bytes"),
        (OneName, "test_collect_removes_nothing", "one name"),
        (CannotRead, "test_collected_arrivals_can_be_unpacked", "cannot be unpacked"),
    ],
)
def test_a_wrong_collector_is_caught(wrong, test, message):
    failed = judge(wrong, right.TestOneCFolder)
    assert test in failed, failed
    assert message in failed[test]


class _Wrapped:
    paths = ("/bitrix/admin/1c_exchange.php",)

    def __init__(self, inner):
        self.inner = inner

    def login(self):
        return self.inner.login()

    def handle(self, request, context):
        return self.inner.handle(request, context)

    def settle(self, context):
        self.inner.settle(context)


class NoLogin(_Wrapped):
    def login(self):
        return ""


class TakesOthersPath(_Wrapped):
    paths = ("/exchange/other",)


class Breaks(_Wrapped):
    def handle(self, request, context):
        request.query["mode"].encode("ascii")
        return super().handle(request, context)


class TellsPassword(_Wrapped):
    def handle(self, request, context):
        return Reply("failure\nожидается тест-слово".encode())


class LetsAnybodyIn(_Wrapped):
    def handle(self, request, context):
        if request.query.get("mode") == "file":
            context.append("area", "name", request.body)
        return super().handle(request, context)


class MakesThingsUp(_Wrapped):
    def settle(self, context):
        context.confirm("batch-1")


def serving(protocol: type[_Wrapped]) -> type[OneCSiteExchange]:
    return type("Exchange", (OneCSiteExchange,), {"server": lambda self: protocol(self._server)})


@pytest.mark.parametrize(
    ("wrong", "test", "message"),
    [
        (NoLogin, "test_server_has_its_parts", "login() is empty"),
        (TakesOthersPath, "test_server_has_its_parts", "belongs to other connections"),
        (Breaks, "test_server_survives_anything_and_lets_nobody_in", "KeyError"),
        (TellsPassword, "test_server_survives_anything_and_lets_nobody_in", "a secret stands"),
        (LetsAnybodyIn, "test_server_survives_anything_and_lets_nobody_in", "left something behind"),
        (MakesThingsUp, "test_settle_of_nothing_changes_nothing", "something of nothing"),
    ],
)
def test_a_wrong_server_is_caught(wrong, test, message):
    failed = judge(serving(wrong), right.TestOneCSiteExchange)
    assert test in failed, failed
    assert message in failed[test]


def test_letters_need_no_edits_and_records_that_are_updated_do():
    assert right.TestMail.test_scan_sees_an_edit is None
    assert right.TestWooCommerce.test_scan_sees_an_edit is not None

    class Lazy(AdapterConformance):
        adapter = WooCommerceAdapter

    assert "NotImplementedError" in failures(Lazy)["test_scan_sees_an_edit"]


def test_promises_that_cannot_be_kept_together_are_caught():
    wrong = (
        (Capabilities(collects=True, files=True, offers=frozenset({"order"})), "nobody could fetch"),
        (Capabilities(collects=True, files=True, vague=frozenset({"order"})), "`vague` without"),
        (Capabilities(collects=True), "could not be unpacked"),
    )
    for declared, message in wrong:
        kind = type("Wrong", (OneCFolder,), {"capabilities": declared})
        suite = type("Suite", (right.TestOneCFolder,), {"adapter": kind})
        assert message in failures(suite)["test_capabilities_match_methods"]
