"""What `--help` says in Russian: each text of a command, an argument or an option, by the English one beside its code."""

from __future__ import annotations

from typing import Any

from sync.cli.output import Voice

TEXTS = {
    # the list of commands
    "Ask for the connections and write the configuration file.": "Спросить о подключениях и записать файл настроек.",
    "Show what a sync would do.": "Показать, что сделала бы синхронизация.",
    "Let what waits go: one plan, or --all.": "Разрешить то, что ждёт: один план или все (--all).",
    "List plans, decided ones too; show one, or refuse it with --drop.": (
        "Планы, и решённые тоже; показать один или отклонить его (--drop)."
    ),
    "Try every connection step by step; each failing line names the setting to mend.": (
        "Проверить каждое подключение по шагам; строка с ошибкой называет настройку, которую нужно исправить."
    ),
    "Run everything that is due, once.": "Выполнить один раз всё, чему пришло время.",
    "Whose is it: on files of your own, or all again.": "Чьё это: проверка на своих файлах, пересчёт всех связей.",
    "Clients: show one, merge two cards, take a merge back.": (
        "Клиенты: показать, объединить две карточки, отменить объединение."
    ),
    "Reports.": "Отчёты.",
    # init, demo
    "Ask for the connections and write the configuration file. Secrets go into a file of their own beside it.\n\nAnswers "
    "that do not fit are asked for again; nothing is written before the last one.": (
        "Спросить о подключениях и записать файл настроек. Пароли и ключи — в отдельный файл рядом.\n\nЕсли ответ не "
        "подходит, вопрос повторяется; до последнего ответа ничего не записывается."
    ),
    "Show the whole hub at work with stand-ins of a shop, accounting, a form and a mailbox: no accounts are needed.": (
        "Показать всё в работе на имитациях магазина, учёта, формы и почты: учётные записи не нужны."
    ),
    "Do not stay: run the story and end.": "Не оставаться: пройти все шаги и завершиться.",
    "Print one JSON summary.": "Вывести итог одним документом JSON.",
    "Of the page.": "Порт страницы.",
    "ru or en; this PC's otherwise.": "ru или en; иначе язык этого компьютера.",
    # plan, approve, plans
    "Show what a sync would do. Changes nothing, here or there; --save keeps the plan to be approved.": (
        "Показать, что сделала бы синхронизация. Ничего не меняет ни здесь, ни в других системах; --save сохраняет план "
        "для подтверждения."
    ),
    "One connection only.": "Только одно подключение.",
    "Print one JSON document instead of text.": "Вывести один документ JSON вместо текста.",
    "Keep it, to be approved by its id.": "Сохранить план, чтобы подтвердить его по номеру.",
    "Let what waits go: one plan, or --all. Without either, list what waits.": (
        "Разрешить то, что ждёт: один план или все (--all). Без них — показать, что ждёт."
    ),
    "The plan; without it, what waits is listed.": "План; без него показывается всё, что ждёт.",
    "Everything that waits now.": "Всё, что ждёт сейчас.",
    "One plan with all that it would do.": "Один план со всем, что он сделал бы.",
    "Refuse it: nothing of it is written.": "Отклонить: ничего из него не записывается.",
    # check, sync, serve, worker
    "Try every connection step by step; each failing line names the setting to mend. Then: whose word counts, field by\n"
    "field with --owners.": (
        "Проверить каждое подключение по шагам; строка с ошибкой называет настройку, которую нужно исправить. Затем — чьё "
        "слово решает, по полям с --owners."
    ),
    "Run everything that is due, once. Beside a running service the work is handed to it.": (
        "Выполнить один раз всё, чему пришло время. Если служба уже работает, задание передаётся ей."
    ),
    "Run schedules, endpoints and pages until Ctrl-C.": (
        "Работать по расписаниям, принимать обращения и показывать страницы до Ctrl-C."
    ),
    "Instead of web.port; 0 takes any free one.": "Вместо web.port; 0 — любой свободный.",
    "A further worker for a hub on PostgreSQL: no pages, only work, until Ctrl-C.": (
        "Ещё один исполнитель для базы на PostgreSQL: без страниц, только работа, до Ctrl-C."
    ),
    # trace, deal, conflicts, review, status
    "Every hop of a record: order number, phone, e-mail, client's name, number in accounting, INN or article.": (
        "Весь путь записи: по номеру заказа, телефону, почте, имени клиента, номеру в учёте, ИНН или артикулу."
    ),
    "Show a deal, or move it to another stage by hand: the change goes to the other systems with the next work.": (
        "Показать сделку или вручную перевести её на другую стадию: изменение уйдёт в другие системы со следующей работой."
    ),
    "Move the deal to this stage.": "Перевести сделку на эту стадию.",
    "Why (needed for a lost deal).": "Почему (нужно для проигранной сделки).",
    "List values on which systems disagree, or decide one.": "Значения, о которых системы спорят; решить одно из них.",
    "The conflict to decide.": "Расхождение, о котором решаете.",
    "Whose value to take: a side's name, or hub.": "Чьё значение взять: имя стороны или hub.",
    "The values you looked at, as --json shows them under sides.": "Значения, которые вы видели: как в --json под sides.",
    "Why the deal is lost, where it is.": "Почему сделка проиграна, если она проиграна.",
    "List questions about whose an event is, answer one for everybody, or take an answer back.": (
        "Вопросы о том, чьё это событие: ответить за всех или взять ответ назад."
    ),
    "The question to answer.": "Вопрос, на который отвечаете.",
    "link (it is this client), new (a client of its own), never (never these two), back (take the answer back).": (
        "link (это тот клиент), new (отдельный клиент), never (никогда эти двое), back (взять ответ назад)."
    ),
    "The client's uid: for link; for never only where several.": "uid клиента: для link; для never — только если их несколько.",
    "List the newest answers instead.": "Показать вместо этого последние ответы.",
    "Connections, what waits, and the last runs.": "Подключения, что ждёт и последние запуски.",
    # verify, undo, audit
    "Compare both sides of every linked record.": "Сравнить обе стороны каждой связанной записи.",
    "Compare both sides of every linked record. Changes nothing; what differs becomes a question (sverka conflicts).": (
        "Сравнить обе стороны каждой связанной записи. Ничего не меняет; расхождения становятся вопросами (sverka "
        "conflicts)."
    ),
    "Take back what a run changed, here and in the other systems, wherever nothing has moved since.": (
        "Отменить то, что изменил запуск, здесь и в других системах, — везде, где с тех пор ничего не изменилось."
    ),
    "The run whose changes are taken back (sverka status shows them).": (
        "Запуск, изменения которого отменяются (номера — в sverka status)."
    ),
    "Only show what would be done.": "Только показать, что было бы сделано.",
    "Replay the journal over the first values: it must give today's records and shadows.": (
        "Повторить журнал от первых значений: должны получиться сегодняшние записи и копии."
    ),
    "Replay the journal over the first values: it must give today's records and shadows. Changes nothing.": (
        "Повторить журнал от первых значений: должны получиться сегодняшние записи и копии. Ничего не меняет."
    ),
    "One deal only, by its number.": "Только одна сделка, по номеру.",
    # inspect
    "Print as JSON lines the canonical records that the hub would make of a file, with problems named per record.": (
        "Вывести строками JSON записи, которые получились бы из файла; ошибки названы у каждой записи."
    ),
    "An exchange file (XML, zip), .eml, .mbox, order or webhook JSON, a form's body.": (
        "Файл обмена (XML, zip), .eml, .mbox, заказ или вебхук в JSON, тело формы."
    ),
    "The adapter to read it with; guessed otherwise.": "Каким адаптером читать; иначе определяется сам.",
    # client
    "A client with all cards that are this client, and who merged them.": (
        "Клиент со всеми его карточками и с тем, кто их объединил."
    ),
    "uid, phone, e-mail, INN or name.": "uid, телефон, почта, ИНН или имя.",
    "Two cards are one client. Nothing is moved, so it can be taken back exactly: sverka client unmerge.": (
        "Две карточки — один клиент. Ничего не переносится, поэтому отмена точная: sverka client unmerge."
    ),
    "The card that the client stays known by.": "Карточка, под которой клиент остаётся известен.",
    "The card that is the same client.": "Карточка того же клиента.",
    "Why; people see it beside the merge.": "Почему; это видно рядом с объединением.",
    "One is a company, the other a person, and this is meant.": "Одна — организация, другая — человек, и это не ошибка.",
    "Take back the merge by which this card went into another one; a question that it answered is open again.": (
        "Отменить объединение, по которому эта карточка вошла в другую; вопрос, который оно решило, снова открыт."
    ),
    "Never these two: nobody merges them until sverka client allow.": (
        "Никогда эти двое: никто не объединит их до sverka client allow."
    ),
    "Take «never these two» back.": "Отменить «никогда эти двое».",
    # quarantine
    "List records that wait, try them again, or put them aside.": "Записи, которые ждут; повторить их или закрыть.",
    "Put aside what nothing is left to be done about: a test order, a broken file that came whole later.": (
        "Закрыть то, с чем больше нечего делать: пробный заказ, испорченный файл, который потом пришёл целым."
    ),
    "Why nothing is left to be done.": "Почему больше нечего делать.",
    "Only this cause.": "Только эта причина.",
    "Only this connection.": "Только это подключение.",
    "intake: could not be taken; delivery: could not be written.": "intake: не удалось принять; delivery: не удалось записать.",
    "Try records again with today's mapping: some by number, or all of a cause, of a connection, or of both.": (
        "Повторить записи по сегодняшнему соответствию: по номерам либо все с одной причиной, одного подключения или с "
        "обоими условиями."
    ),
    "Records by the number in the list.": "Записи по номеру в списке.",
    "Read them from their system again, instead of taking what was kept.": (
        "Прочитать их в своей системе заново, а не брать сохранённое."
    ),
    # report
    "Deals against the accounting system's orders and documents: every difference named, differences first.": (
        "Сделки и документы учёта: каждое расхождение названо, расхождения первыми."
    ),
    "Write a workbook to this file.": "Записать таблицу XLSX в этот файл.",
    "Closed deals that have rested for longer than notices.report_days, too.": (
        "Вместе с закрытыми сделками, в которых ничего не менялось дольше notices.report_days."
    ),
    "Send it now to notices.report_to.": "Отправить сейчас по notices.report_to.",
    # identity
    "Answer contact events one after another against a base of clients, as the hub would log them.": (
        "Ответить по очереди, чьи это события, по базе клиентов — так, как их отнесла бы программа."
    ),
    "Where the answers go, one JSON line per event.": "Куда записать ответы: строка JSON на событие.",
    "Group the records of several systems that are one client.": "Сгруппировать записи нескольких систем об одном клиенте.",
    "Records, CSV.": "Записи, CSV.",
    "Where the groups go: id,cluster.": "Куда записать группы: id,cluster.",
    "JSON: the kind of every column. Default: those of the hub's export.": (
        "JSON: вид каждого столбца. По умолчанию — столбцы выгрузки."
    ),
    "Show which cards of the connected systems are one client, and why. Merges nothing: sverka approve does.": (
        "Показать, какие карточки подключённых систем — один клиент, и почему. Ничего не объединяет: это делает sverka "
        "approve."
    ),
    "Keep the plan, to be approved by its id.": "Сохранить план, чтобы подтвердить его по номеру.",
    "Read everything that was ever said again by today's rules and link it anew; people's decisions stand.": (
        "Прочитать всё, что было сказано, по сегодняшним правилам и связать заново; решения людей остаются."
    ),
    "Only show what would change.": "Только показать, что изменилось бы.",
    "Events that are no client's, with the reason: robots, colleagues, hidden numbers. They are kept and make no client.": (
        "События не от клиентов, с причиной: роботы, сотрудники, скрытые номера. Они хранятся и клиентов не создают."
    ),
    "How many of the newest.": "Сколько последних.",
    # of every command
    "The configuration file.": "Файл настроек.",
    "Show the version and exit.": "Показать версию и завершиться.",
}


def told(text: str) -> str:
    """The text in the language of messages."""
    return TEXTS.get(text, text) if Voice.language == "ru" else text


def tell(command: Any) -> Any:
    """A command whose help, with that of its arguments, options and commands, is in the language of messages."""
    command.help = command.help and told(command.help)
    for one in command.params:
        if getattr(one, "help", None):
            one.help = told(one.help)
    for inner in getattr(command, "commands", {}).values():
        tell(inner)
    return command
