"""The server side of 1C's exchange with a site («Обмен с сайтом»), as stock УТ 11.5 and УНФ 3.0 speak it.

GET  ?type=catalog&mode=checkauth   Basic           → success, cookie name, cookie value
GET  …&mode=init                                    → zip=no, file_limit=N (exactly two lines, no line break at the end)
POST …&mode=file&filename=NAME      raw portions    → success | failure + reason
GET  …&mode=import&filename=NAME                    → success | progress (ask again) | failure + reason
GET  ?type=sale&mode=query                          → orders as CommerceML; mode=success when 1C has committed them

The status is 200 even for refusals: 1C logs the reason only from the body. Only a login without any password is answered
by 401 besides, for a client that waits to be asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from adapters.base import (
    AdapterContext,
    Offered,
    RecordRefused,
    Reply,
    Request,
    ServerContext,
    SverkaError,
    Text,
)
from adapters.onec.cml.orders_out import dropped_lines, order_of, validate_order, write_orders
from adapters.onec.sessions import COOKIE, Doorman, Sessions, refused
from adapters.onec.settings import ExchangeSettings
from adapters.onec.uploads import Uploads, new_area

STOCK_PATH = "/bitrix/admin/1c_exchange.php"  # what 1C appends when the user types only the host
NO_AUTHORIZATION = "onec.no_authorization"
HEADER_LOST = "header"  # in what is kept: when 1C last asked and no password arrived
HEADER_REMEDY = Text(
    "a web server before the hub must pass it on (nginx: proxy_pass does; Apache: RewriteRule .* - "
    "[E=HTTP_AUTHORIZATION:%{HTTP:Authorization}])",
    "если перед узлом стоит веб-сервер, он должен его передавать (nginx: proxy_pass передаёт сам; Apache: RewriteRule .* - "
    "[E=HTTP_AUTHORIZATION:%{HTTP:Authorization}])",
)
NOTES, MOST_NOTES = "notes", 10  # a session that no client has: what 1C's log is to show with the next file
IMPORT_WAIT = 12.0  # seconds: УТ repeats `import` without a pause, and gives up on an answer after 180
ROUNDS = 20  # batches of nothing but poison before we answer with an empty document
_UNF_VERSIONS = ("2.08", "2.09", "2.10")


class SiteExchange:
    """One connection's endpoint. Safe to call from several threads at once."""

    paths: Sequence[str] = (STOCK_PATH,)

    def __init__(self, settings: ExchangeSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._language = context.language
        self._log = context.log
        self._doorman = Doorman(settings.login, settings.password.get_secret_value())
        self._kept, self._now = context.kept, context.now
        self._lost: bool | None = None  # not looked up yet
        self._sessions = Sessions()
        self._uploads = Uploads(
            self._sessions,
            context.pictures,
            file_limit=settings.file_limit,
            max_file=settings.max_file,
            log=context.log,
        )

    def login(self) -> str:
        return self._settings.login

    def handle(self, request: Request, context: ServerContext) -> Reply:
        path = request.path.rstrip("/")
        if path not in self.paths and not path.startswith("/exchange/"):
            return Reply(b"not found", status=404)
        try:
            return self._answer(request, context)
        except SverkaError as error:
            self._log.warning("1C exchange, mode %r: %s", request.query.get("mode", "")[:20], error.code)
            reason = " ".join(error.text.say(self._language).split())
            body = f"failure\n{reason}".encode()
            if error.code == NO_AUTHORIZATION:  # a client that sends its password only when it is asked for
                return Reply(body, status=401, headers={"WWW-Authenticate": 'Basic realm="1C"'})
            return Reply(body)

    def settle(self, context: ServerContext) -> None:
        """Import what 1C uploaded and never asked to import (a setting of its exchange node) once it is silent."""
        for sid in self._sessions.pending(context):
            session = context.load_session(sid)
            if session is None or self._sessions.idle(context, session) >= self._settings.idle_import:
                self._uploads.finish(context, sid, abandon=True)

    def _answer(self, request: Request, context: ServerContext) -> Reply:
        mode, type = request.query.get("mode", ""), request.query.get("type", "")
        if mode == "checkauth":
            return self._checkauth(request, context)
        sid, by_address = self._session(request, context)
        if mode == "init":
            return self._init(context, sid)
        if mode == "file":
            return self._file(request, context, sid, by_address)
        if mode == "import":
            return self._import(request, context, sid)
        if type == "sale" and mode == "query":
            return self._query(request, context, sid)
        if type == "sale" and mode == "success":
            return self._success(context, sid)
        if type == "sale" and mode == "info":
            return Reply(_info(context.words("order", "status")))
        raise refused(
            "onec.mode",
            f"unknown request type={type[:20]!r} mode={mode[:20]!r}",
            f"неизвестный запрос type={type[:20]!r} mode={mode[:20]!r}; адрес в 1С должен быть без знака вопроса",
        )

    def _checkauth(self, request: Request, context: ServerContext) -> Reply:
        if not self._doorman.check(request, context.now()):
            if "1c" in request.headers.get("user-agent", "").lower():  # no browser, no robot
                self._note(lost=True)
            raise refused(
                NO_AUTHORIZATION,
                f"no Authorization header arrived; {HEADER_REMEDY.en}",
                f"имя и пароль не дошли: нет заголовка Authorization; {HEADER_REMEDY.ru}",
            )
        self._note(lost=False)
        sid = self._sessions.start(request, context)
        lines = ["success", COOKIE, sid]
        if self._settings.protocol == "unf":  # УНФ appends the fourth line to its requests as it stands
            lines.append(f"sessid={sid}")
        return Reply("\n".join(lines).encode())

    def _note(self, *, lost: bool) -> None:
        """For `check`, which asks in another process: whether the last login came without its password."""
        if self._lost is None:
            self._lost = bool(self._kept.load(HEADER_LOST))
        if lost != self._lost:
            self._lost = lost
            self._kept.save(HEADER_LOST, {"at": f"{self._now():%d.%m.%Y %H:%M} UTC"} if lost else {})

    def _session(self, request: Request, context: ServerContext) -> tuple[str, bool]:
        """By cookie or sessid, else by Basic on the request itself; and whether only the address tells which session."""
        authorised = self._doorman.check(request, context.now()) if "authorization" in request.headers else False
        if sid := self._sessions.named(request, context):
            return sid, False
        if authorised:
            return self._sessions.of_remote(request, context) or self._sessions.start(request, context), True
        raise refused(
            "onec.session",
            "no such session; begin with mode=checkauth",
            "сеанс не найден или устарел; начните обмен заново",
        )

    def _init(self, context: ServerContext, sid: str) -> Reply:
        """A fresh upload area. Whole files of earlier sessions go first, so that older data never comes after newer."""
        for older in self._sessions.pending(context):
            self._uploads.finish(context, older, abandon=older == sid)
        with self._sessions.locked():
            session = self._sessions.load(context, sid)
            if session is not None:
                self._uploads.picture_done(context, session)
                new_area(session)
                session.update(files={})
                self._sessions.save(context, sid, session)
        return Reply(f"zip=no\nfile_limit={self._settings.file_limit}".encode())

    def _file(self, request: Request, context: ServerContext, sid: str, by_address: bool) -> Reply:
        if request.method not in ("POST", "PUT"):
            raise refused("onec.method", "mode=file wants POST", "mode=file ожидает POST с содержимым файла")
        self._uploads.store(request, context, sid, by_address)
        if not (notes := (context.load_session(NOTES) or {}).get("notes")):
            return Reply(b"success")
        context.save_session(NOTES, {})
        return Reply(
            "\n".join(["success", *notes]).encode()
        )  # only here 1C logs more lines, and takes them for no error

    def _import(self, request: Request, context: ServerContext, sid: str) -> Reply:
        name = request.query.get("filename", "")
        ticket = self._uploads.ticket(context, sid, name)
        state = context.progress(ticket, IMPORT_WAIT)
        if state.state == "done":
            if state.text is not None:
                self._remember(context, f"{name}: {' '.join(state.text.say(self._language).split())}")
            return Reply(b"success")
        if state.state == "failed":
            raise RecordRefused(
                state.text or Text("the file was refused", "файл отклонён узлом, причина на его странице"),
                code="onec.import_failed",
            )
        return Reply(f"progress\n{state.done}".encode())

    def _remember(self, context: ServerContext, note: str) -> None:
        """What was not taken of a file, for 1C's log: said with the next file, for the answer to `import` takes no words."""
        with self._sessions.locked():
            notes = (context.load_session(NOTES) or {}).get("notes", [])
            context.save_session(NOTES, {"notes": [*(n for n in notes if n != note), note][-MOST_NOTES:]})

    def _query(self, request: Request, context: ServerContext, sid: str) -> Reply:
        batch_id, good = "", list[Offered]()
        for _ in range(ROUNDS):
            batch = context.offer("order", self._settings.batch)
            good = [item for item in batch.items if self._sendable(context, batch.id, item)]
            batch_id = batch.id if good else ""
            if good or not batch.id:
                break
            if not batch.items:
                context.confirm(batch.id)  # everything in it was refused: nobody will ask for it
        with self._sessions.locked():
            session = self._sessions.load(context, sid)
            if session is not None:
                session["batch"] = batch_id
                self._sessions.save(context, sid, session)
        version = "2.07"
        if self._settings.protocol == "unf":
            asked = request.query.get("cmlVersion", "")
            version = asked if asked in _UNF_VERSIONS else _UNF_VERSIONS[0]
        return Reply(write_orders(good, version, made=context.now(), zone=self._settings.zone_info))

    def _sendable(self, context: ServerContext, batch: str, item: Offered) -> bool:
        """Takes an order that would stop or undo the whole batch in 1C out of it, into quarantine."""
        error = _fault(item)
        if error is not None:
            context.refuse(batch, item.key, error)
        elif dropped := dropped_lines(item.data):
            self._log.warning("order %s: %d lines with quantity 0 are not sent to 1C", item.number, len(dropped))
        return error is None

    def _success(self, context: ServerContext, sid: str) -> Reply:
        """1C has committed the orders of its last query. Only that batch is confirmed; a repeated call changes nothing."""
        with self._sessions.locked():
            session = self._sessions.load(context, sid) or {}
            if batch := session.get("batch"):
                context.confirm(batch)
                session["batch"] = ""
                self._sessions.save(context, sid, session)
        return Reply(b"success")


def _fault(item: Offered) -> SverkaError | None:
    """Why this order cannot be sent, including any shape that the writer cannot take."""
    try:
        error = validate_order(order_of(item))
        if error is None:
            write_orders([item])
    except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as cause:
        return RecordRefused(
            Text(
                f"the order cannot be written as CommerceML: {type(cause).__name__}",
                f"заказ не удаётся записать в CommerceML: {type(cause).__name__}",
            ),
            code="onec.order_shape",
            remedy=Text("look at the mapping [order.create]", "проверьте раздел [order.create] в сопоставлении"),
        )
    return error


def _info(statuses: Sequence[tuple[str, str]]) -> bytes:
    """The answer to УНФ's `mode=info`, as stock shop modules write it: from it the exchange node's table of order states is
    filled, by the ids that the orders carry. Shop modules spell «Статусы» with a Latin C, so both spellings are given. Payment
    systems and deliveries are the shops' own: their lists are empty.
    """
    root = etree.Element("Справочник")
    for tag, rows in (("Cтатусы", statuses), ("Статусы", statuses), ("ПлатежныеСистемы", ()), ("СлужбыДоставки", ())):
        section = etree.SubElement(root, tag)
        section.text = ""
        for id, title in rows:
            row = etree.SubElement(section, "Элемент")
            etree.SubElement(row, "Ид").text = id
            etree.SubElement(row, "Название").text = title
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
