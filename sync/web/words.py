"""Every word of the pages, in English and Russian. Codes that the hub stores (states, outcomes, labels) are read here too."""

from __future__ import annotations

from typing import Any

from sync.errors import Text

CATALOGUE: dict[str, tuple[str, str]] = {
    # frame
    "brand": ("Sverka", "Сверка"),
    "skip": ("To the contents", "К содержанию"),
    "sections": ("Sections", "Разделы"),
    "language": ("Language", "Язык"),
    "home": ("Overview", "Обзор"),
    "quarantine": ("Quarantine", "Карантин"),
    "conflicts": ("Conflicts", "Расхождения"),
    "reviews": ("Questions", "Вопросы"),
    "runs": ("Runs", "Прогоны"),
    "search": ("Search", "Поиск"),
    "search.label": ("Order, phone, e-mail, INN or client", "Заказ, телефон, почта, ИНН или клиент"),
    "search.go": ("Find", "Найти"),
    "search.ask": ("Where is order 1043?", "Где заказ 1043?"),
    "search.hint": (
        "Order number here or in accounting, phone, e-mail, INN, article, a client's name",
        "Номер заказа у нас или в учёте, телефон, почта, ИНН, артикул, имя клиента",
    ),
    "more": ("{n} more", "ещё {n}"),
    "none": ("Nothing here.", "Здесь пусто."),
    "signed": ("Signed in as {who}", "Вы вошли как {who}"),
    # home
    "attention": ("Waits for people", "Ждёт людей"),
    "tasks": ("Open tasks", "Открытые задачи"),
    "todo": ("Tasks", "Задачи"),
    "overdue": ("overdue", "просрочено"),
    "notices": ("Notices", "Уведомления"),
    "connections": ("Connections", "Подключения"),
    "connections.none": (
        "No connection is configured yet: add a [connections.<name>] table to the configuration.",
        "Подключений пока нет: добавьте в файл настроек раздел [connections.<имя>].",
    ),
    "last_success": ("Last success", "Последний успех"),
    "last_arrival": ("Last arrival", "Поступило"),
    "never": ("never yet", "ещё не было"),
    "waiting": ("On its way out", "На отправку"),
    "runs.last": ("Last runs", "Последние прогоны"),
    "runs.all": ("All runs", "Все прогоны"),
    "totals": ("In the hub", "В базе Сверки"),
    # runs
    "work": ("Work", "Работа"),
    "connection": ("Connection", "Подключение"),
    "started": ("Started", "Начало"),
    "outcome": ("Outcome", "Итог"),
    "read": ("read", "прочитано"),
    "new": ("new", "новых"),
    "changed": ("changed", "изменено"),
    "same": ("same", "без изменений"),
    "skipped": ("skipped", "пропущено"),
    "failed": ("failed", "отказов"),
    "writes": ("writes", "записей"),
    "sum.wrong": ("the counts do not add up", "счёт не сходится"),
    "runs.how": (
        "read = new + changed + same + skipped + failed",
        "прочитано = новых + изменено + без изменений + пропущено + отказов",
    ),
    # trace
    "trace": ("Trace: {q}", "След: {q}"),
    "trace.none": ("Nothing is known of “{q}”.", "О «{q}» ничего не известно."),
    "trace.none.hint": (
        "Looked for: order numbers here and elsewhere, numbers in accounting, phones, e-mails, INN, articles, names.",
        "Искали среди номеров заказов здесь и в других системах, номеров в учёте, телефонов, почты, ИНН, артикулов и имён.",
    ),
    "trace.stuck": ("It did not get further than quarantine", "Дальше карантина не прошло"),
    "client": ("Client", "Клиент"),
    "stage": ("Stage", "Этап"),
    "amount": ("Sum", "Сумма"),
    "responsible": ("Responsible", "Ответственный"),
    "paid": ("Paid", "Оплачено"),
    "shipped": ("Shipped", "Отгружено"),
    "links": ("Where it is", "Где есть"),
    "path": ("The way", "Путь"),
    "time": ("Time", "Время"),
    "place": ("Where", "Где"),
    "what": ("What happened", "Что произошло"),
    "remedy": ("What to do", "Что делать"),
    "hub": ("the hub", "Сверка"),
    "goods": ("Prices and stock", "Цены и остатки"),
    "goods.price": ("price", "цена"),
    "goods.stock": ("stock", "остаток"),
    "stage.change": ("Change the stage", "Сменить этап"),
    "stage.new": ("New stage", "Новый этап"),
    "stage.reason": ("Reason (for a lost deal)", "Причина (для проигранной)"),
    "stage.go": ("Change", "Сменить"),
    "stage.owner": ("The stage is kept in {name}: change it there.", "Этап ведётся в {name}: меняйте его там."),
    # client
    "data": ("Data", "Данные"),
    "deals": ("Deals", "Сделки"),
    "leads": ("Leads", "Лиды"),
    "timeline": ("Timeline", "Лента событий"),
    "merged.from": ("Merged from {name} by {who}", "Объединено с карточкой {name}: решил(а) {who}"),
    "merged.into": (
        "The card that you opened was merged into this one: it is one client.",
        "Открытая карточка объединена с этой: это один клиент.",
    ),
    "merged.back": ("Take the merge back", "Отменить объединение"),
    "merged.back.of": ("Take the merge with {name} back", "Отменить объединение с {name}"),
    "merge": ("Merge with another card", "Объединить с другой карточкой"),
    "merge.card": ("uid, phone, e-mail, INN or name", "uid, телефон, почта, ИНН или имя"),
    "merge.why": ("Why", "Почему"),
    "merge.mixed": ("A company and a person are meant", "Имеются в виду компания и человек"),
    "merge.go": ("Merge", "Объединить"),
    "merge.how": (
        "Nothing is moved: the merge can be taken back exactly.",
        "Ничего не переносится: объединение можно точно отменить.",
    ),
    "held": ("A holding card: whose it is, is an open question.", "Карточка ожидания: чья она, пока вопрос."),
    "open": ("Open", "Открыть"),
    "due": ("due", "срок"),
    "done": ("done", "сделано"),
    "because": ("why here", "почему здесь"),
    "name": ("Name", "Имя"),
    "legal_name": ("Legal name", "Юридическое название"),
    "phones": ("Phones", "Телефоны"),
    "emails": ("E-mail", "Почта"),
    "addresses": ("Addresses", "Адреса"),
    "tags": ("Tags", "Метки"),
    "inn": ("INN", "ИНН"),
    "kpp": ("KPP", "КПП"),
    "ogrn": ("OGRN", "ОГРН"),
    "direction.call.in": ("incoming", "входящий"),
    "direction.call.out": ("outgoing", "исходящий"),
    "direction.email.in": ("incoming", "входящее"),
    "direction.email.out": ("outgoing", "исходящее"),
    "direction.message.in": ("incoming", "входящее"),
    "direction.message.out": ("outgoing", "исходящее"),
    "lead.source": ("source", "источник"),
    "lead.utm": ("advertising", "реклама"),
    "lead.consent": ("consent", "согласие"),
    # queues
    "record": ("Record", "Запись"),
    "times": ("{n} times", "раз: {n}"),
    "since": ("since {at}", "с {at}"),
    "last": ("last time", "последний раз"),
    "retry": ("Try again", "Повторить"),
    "retry.one": ("Try {what} again", "Повторить {what}"),
    "retry.all": ("Try all {n} again", "Повторить все: {n}"),
    "retrying": ("will be tried again", "будет повторено"),
    "quarantine.none": ("Quarantine is empty: every record got through.", "Карантин пуст: все записи прошли."),
    "quarantine.how": (
        "Records that could not go on. Their neighbours went on without them; nothing is lost.",
        "Записи, которые не удалось обработать. Соседние записи прошли; ничего не потеряно.",
    ),
    "conflicts.none": ("No conflicts: all sides agree.", "Расхождений нет: все стороны согласны."),
    "conflicts.how": (
        "Two sides changed the same field. Choose the value that is right; it goes to the others.",
        "Две стороны изменили одно поле. Выберите верное значение, оно уйдёт остальным.",
    ),
    "conflict.who": ("changed by", "изменили"),
    "conflict.decided": ("{who} had decided: {value}.", "Решение, которое принял(а) {who}: {value}."),
    "conflict.base": ("agreed before", "раньше было согласовано"),
    "conflict.take": ("Take this", "Взять это"),
    "conflict.keep": ("Keep this", "Оставить это"),
    "conflict.of": ("{verb}: {side}, {value}", "{verb}: {side}, {value}"),
    "reviews.none": ("No open questions about clients.", "Открытых вопросов о клиентах нет."),
    "reviews.how": (
        "The hub does not guess whose an event is. Until you decide, it lies on a card of its own.",
        "Сверка не угадывает, чьё это событие. Пока вы не решите, оно лежит на отдельной карточке.",
    ),
    "duplicates": (
        "Probable duplicates among clients: {n}. Nothing is merged by itself; to see and approve them:",
        "Вероятных дублей среди клиентов: {n}. Сами они не объединяются; посмотреть и подтвердить:",
    ),
    "review.new": ("None of them: a client of its own", "Никто из них: отдельный клиент"),
    "review.this": ("This one", "Вот этот"),
    "review.of": ("This one: {name}", "Вот этот: {name}"),
    "review.never": ("Never these two", "Точно не этот"),
    "review.never.of": ("Never these two: {name}", "Точно не этот: {name}"),
    "review.never.by": ("never, {who} said", "точно нет, решил(а) {who}"),
    "review.events": ("What lies there", "Что там лежит"),
    "review.decided": ("Answered lately", "Недавние ответы"),
    "review.by": ("{who} answered", "ответил(а) {who}"),
    "review.back": ("Take the answer back", "Отменить ответ"),
    "review.back.of": ("Take the answer about {name} back", "Отменить ответ: {name}"),
    "answer.link": ("it is this client", "это этот клиент"),
    "answer.new": ("a client of its own", "отдельный клиент"),
    "answer.never": ("never one of the candidates", "точно не из кандидатов"),
    # what was done
    "done.stage": ("The stage will be changed with the next piece of work.", "Этап будет изменён ближайшей работой."),
    "done.retry": ("Will be tried again: {n}.", "Будет повторено: {n}."),
    "done.conflict": ("Decided; the other sides get this value.", "Решено; остальные стороны получат это значение."),
    "done.stays": (
        "Decided: the record stays. In {n} it stays deleted, nothing can be created there from here.",
        "Решено: запись остаётся. В {n} она останется удалённой, создать её там отсюда нельзя.",
    ),
    "done.review": ("Decided.", "Решено."),
    "done.merge": ("Merged: it is one client now.", "Объединено: теперь это один клиент."),
    "done.unmerge": ("The merge was taken back.", "Объединение отменено."),
    "done.plan": ("Approved: {n} writes go now.", "Подтверждено, будет записано: {n}."),
    # errors
    "error": ("It did not work", "Не получилось"),
    "error.setting": ("Setting", "Настройка"),
    "error.back": ("Back to the overview", "К обзору"),
    # states of a connection
    "state.green": ("works", "работает"),
    "state.yellow": ("waits for people", "ждёт людей"),
    "state.red": ("does not work", "не работает"),
    "state.grey": ("has not worked yet", "ещё не работало"),
    "state.off": ("switched off", "выключено"),
    # of a hop
    "hop.ok": ("done", "выполнено"),
    "hop.wait": ("waits", "ждёт"),
    "hop.stop": ("stopped", "остановлено"),
    # of a run
    "run.ok": ("done", "выполнено"),
    "run.idle": ("nothing new", "без новостей"),
    "run.partial": ("partly", "частично"),
    "run.waiting": ("waits for approval", "ждёт подтверждения"),
    "plan": ("Waits for your approval", "Ждёт подтверждения"),
    "plan.approve": ("Approve", "Подтвердить"),
    "run.failed": ("failed", "сбой"),
    "run.running": ("under way", "идёт"),
    "run.interrupted": ("interrupted", "прервано"),
    # of writes
    "wait.planned": ("planned", "запланировано"),
    "wait.sending": ("being sent", "отправляется"),
    "wait.offered": ("fetched, not confirmed", "забрано, не подтверждено"),
    "wait.refused": ("refused", "отказано"),
    "wait.unknown": ("outcome unknown", "исход неизвестен"),
    # kinds of work: the first word of what the hub calls it
    "work.scan": ("poll:", "опрос:"),
    "work.recheck": ("second look:", "повторная проверка:"),
    "work.retry": ("what was held, once more", "повтор отложенного"),
    "work.undo": ("run taken back:", "отмена прогона:"),
    "work.collect": ("files of the folder", "файлы из папки"),
    "work.take": ("what arrived", "разбор пришедшего"),
    "work.deliver": ("writes there", "запись туда"),
    "work.mapping": ("changed mapping:", "новое сопоставление:"),
    "work.verify": ("verification:", "сверка сторон:"),
    # roles
    "role.form": ("forms", "формы"),
    "role.shop": ("shop", "магазин"),
    "role.mail": ("mail", "почта"),
    "role.crm": ("CRM", "CRM"),
    "role.accounting": ("accounting", "учёт"),
    # kinds
    "kind.company": ("Company", "Компания"),
    "kind.contact": ("Person", "Человек"),
    "kind.lead": ("Lead", "Лид"),
    "kind.deal": ("Deal", "Сделка"),
    "kind.product": ("Product", "Товар"),
    "kind.price_type": ("Price type", "Вид цен"),
    "kind.warehouse": ("Warehouse", "Склад"),
    "kind.group": ("Group", "Группа"),
    "total.company": ("companies", "компании"),
    "total.contact": ("people", "люди"),
    "total.lead": ("leads", "лиды"),
    "total.deal": ("deals", "сделки"),
    "total.product": ("products", "товары"),
    "total.activities": ("events", "события"),
    "total.arrivals": ("arrivals", "поступления"),
    # events
    "event.form": ("Form", "Форма"),
    "event.order": ("Order", "Заказ"),
    "event.email": ("Letter", "Письмо"),
    "event.call": ("Call", "Звонок"),
    "event.meeting": ("Meeting", "Встреча"),
    "event.payment": ("Payment", "Оплата"),
    "event.shipment": ("Shipment", "Отгрузка"),
    "event.note": ("Note", "Заметка"),
    "event.message": ("Message", "Сообщение"),
    # causes of conflicts
    "conflict.both_moved": ("both sides changed it", "изменили обе стороны"),
    "conflict.diverged": ("the sides differ", "стороны различаются"),
    "conflict.needs_reason": ("a lost deal needs a reason", "для проигранной сделки нужна причина"),
    "conflict.illegal_transition": ("the stage cannot change so", "такой переход этапа недопустим"),
    "conflict.owners_differ": (
        "several systems decide it, and they differ; [owners] can name one of them: connection:NAME",
        "решают несколько систем, и говорят они разное; назвать одну можно в [owners]: connection:ИМЯ",
    ),
    "conflict.unknown_stage": (
        "the pipeline has no such stage: [tables] in the mapping of that connection says which one the word means",
        "в воронке нет такого этапа: какой он, говорит [tables] в файле соответствий этого подключения",
    ),
    "conflict.deleted_edited": (
        "deleted in one system, edited in another",
        "удалено в одной системе, изменено в другой",
    ),
    "conflict.unknown_outcome": ("it is not known whether the write happened", "неизвестно, состоялась ли запись"),
    # statuses of leads
    "lead.new": ("new", "новый"),
    "lead.in_work": ("in work", "в работе"),
    "lead.qualified": ("qualified", "квалифицирован"),
    "lead.junk": ("junk", "некачественный"),
    "lead.converted": ("became a deal", "стал сделкой"),
    # fields that conflicts and quarantine name
    "field.stage": ("stage", "этап"),
    "field.archived": ("deleted", "удалена"),
    "field.amount": ("sum", "сумма"),
    "field.responsible": ("responsible", "ответственный"),
    "field.title": ("title", "название"),
    "field.number": ("number", "номер"),
    "field.name": ("name", "имя"),
    "field.phones": ("phones", "телефоны"),
    "field.emails": ("e-mail", "почта"),
    "field.comment": ("comment", "комментарий"),
    "field.lines": ("lines", "строки"),
    "field.price": ("price", "цена"),
    "field.stock": ("stock", "остаток"),
    "field.lost_reason": ("reason of the loss", "причина отказа"),
}


class Words:
    """The catalogue in one language; calling it gives a text."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: Any) -> str:
        return CATALOGUE[key][self.language == "ru"].format(**values)

    def code(self, group: str, code: Any) -> str:
        """The word for a stored code; the code itself where it has none."""
        known = CATALOGUE.get(f"{group}.{code}")
        return known[self.language == "ru"] if known else str(code or "—")

    def work(self, name: str) -> str:
        """A piece of work in words; what it was about stays as the vendor calls it."""
        first, _, rest = name.partition(" ")
        return f"{self.code('work', first)} {rest}".strip()

    def say(self, text: Any) -> str:
        """A text in both languages, as an object or as it is stored; anything else as it stands."""
        if isinstance(text, Text):
            return text.say(self.language)
        if isinstance(text, dict):
            return str(text.get(self.language) or text.get("en") or "")
        return "" if text is None else str(text)
