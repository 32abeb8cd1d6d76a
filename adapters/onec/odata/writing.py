"""One change written into an order of 1C: its stage, lines, comment, posting."""

from __future__ import annotations

from adapters.base import Change, Native, OutcomeUnknown, PreconditionFailed, Record, RecordRefused, Text
from adapters.onec.odata import composition, writes
from adapters.onec.odata.client import ODataClient
from adapters.onec.odata.names import Names
from adapters.onec.odata.orders import Orders
from adapters.onec.odata.parts import EMPTY, item_of
from adapters.onec.odata.settings import ODataSettings
from adapters.onec.odata.stage import Stage


class Writing:
    """`write(change)`: the order as it stands in 1C after it."""

    def __init__(self, client: ODataClient, names: Names, settings: ODataSettings, orders: Orders) -> None:
        self._client, self._names, self._settings, self._orders = client, names, settings, orders
        self._stage = Stage(settings)

    def write(self, change: Change) -> Record:
        """Show the stage (or set the lines, the comment, post, undo the posting) of an order. The DataVersion seen last must
        still stand there. The order itself comes last of what shows the stage: a try that ended half-way is seen by it, and
        repeated."""
        if change.id is None or change.kind != "order":
            raise RecordRefused(
                Text(
                    "Only orders that 1C has already can be changed.",
                    "Изменять можно только заказы, которые уже есть в 1С.",
                ),
                code="odata.create",
            )
        client, names, word = self._client, self._names, str(change.data.get("crm_status") or "")
        refused: RecordRefused | None = None
        rows = client.rows(names.order, filter=f"Ref_Key eq guid'{change.id}'")
        if not rows:
            raise RecordRefused(Text("The order is gone in 1C.", "Заказа в 1С больше нет."), code="odata.gone")
        now = str(rows[0].get("DataVersion") or "")
        seen = (change.before.version if change.before else "") or now
        body = writes.body_of(client, names, self._settings, change, rows[0])
        if "lines" in change.data:
            body |= self._composition(rows[0], change.data["lines"] or [])
        if "deal" in self._stage.shows and (word or "loss_reason" in change.data):
            if seen != now:
                raise PreconditionFailed(
                    Text("The order was changed in 1C meanwhile.", "Заказ изменён в 1С."), code="odata.moved"
                )
            status = self._stage.outcome(
                word or str((change.before.data if change.before else {}).get("crm_status") or "")
            )
            reason, refused = writes.reason_key(client, names, change.data)
            if refused is not None and self._without_reason(change.data, refused):
                reason, refused = EMPTY, None
                self._orders.unsaid.note(change.id, unsaid=True)
            elif "loss_reason" in change.data:
                self._orders.unsaid.note(change.id, unsaid=False)
            if word or reason:
                body |= writes.shown_in_deal(client, names, rows[0], status, reason)
        if body:
            client.patch(names.order, change.id, body, seen)
        again = bool({"СостояниеЗаказа", *names.part.tables} & body.keys())
        self._post(change.id, rows[0], change.data.get("posted"), again=again)
        if refused is not None:  # all else of the change stands by now
            raise refused
        found = self._orders.read(change.id)
        if found is None:
            raise RecordRefused(Text("The order is gone in 1C.", "Заказа в 1С больше нет."), code="odata.gone")
        return found

    def _without_reason(self, data: Native, refused: RecordRefused) -> bool:
        """Whether 1C lacks only the word that says that there is no reason."""
        said = str(data.get("loss_reason") or "").strip()
        return refused.code == writes.NO_SUCH_REASON and said == self._settings.no_reason

    def _composition(self, row: Native, wanted: list[Native]) -> Native:
        """What the order is to be PATCHed with to have these lines."""
        part, shown = self._names.part, self._orders.shown(row).data
        if (refused := composition.closed(part, row, shown)) is not None:
            raise refused
        schema = self._orders.schema()
        if lacking := composition.missing(part, schema):
            raise RecordRefused(
                Text(
                    f"1C does not publish what lines are written into: {', '.join(lacking)}.",
                    f"1С не публикует то, куда пишется состав: {', '.join(lacking)}.",
                ),
                code="odata.lines",
                field="lines",
            )
        lines = shown.get("lines") or []
        items = [item_of(one) for _, one in part.lines(row)]
        goods = self._client.by_keys(self._names.goods, [*items, *composition.new_goods(lines, wanted)])
        return composition.Composition(row, part, schema, self._orders.words(), goods).body(lines, wanted)

    def _post(self, id: str, row: Native, wanted: object, *, again: bool) -> None:
        """Post or unpost where that is wanted. The registers follow an order's state (УНФ) and its lines only when it is posted
        `again`."""
        posted = bool(row.get("Posted"))
        if isinstance(wanted, bool) and wanted != posted:
            self._client.post(self._names.order, id, undo=not wanted)
        elif again and posted:
            try:
                self._client.post(self._names.order, id)
            except OutcomeUnknown:  # the state stands already, so nobody would ask for this again
                self._client.post(self._names.order, id)
