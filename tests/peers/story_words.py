"""The story in Russian: every title and check of it, by its English text."""

from __future__ import annotations

import os

RUSSIAN = {
    "1. A form is sent, and sent again": "1. Заявка с формы, и она же ещё раз",
    "the form builder's test is answered 200": "на проверку конструктора форм ответ 200",
    "a lead is accepted at the first try": "заявка принята с первого раза",
    "the repeat is accepted too": "повтор тоже принят",
    "the lead is found by its phone": "лид находится по телефону",
    "one lead, one client": "один лид, один клиент",
    "UTM, source and consent are kept": "UTM, источник и согласие сохранены",
    "both arrivals and the test stand in the inbox": "обе посылки и проверка лежат во входящих",
    "urlencoded, multipart, JSON, broken, huge, empty and spam posts are all answered 200": (
        "на urlencoded, multipart, JSON, битые, огромные, пустые посылки и спам ответ 200"
    ),
    "each of them is kept": "каждая сохранена",
    "the broken, the huge and the spam one are labelled": "битая, огромная и спам помечены",
    "three leads of one more client": "три лида ещё одного клиента",
    "nobody called in time: one notice for each lead": "вовремя не позвонили: по одному уведомлению на лид",
    "and no more": "и не больше",
    "2. An order arrives from the shop": "2. Заказ из магазина",
    "the deal is found by its number": "сделка находится по номеру",
    "it is the same client's, though the phone is written otherwise": "клиент тот же, хотя телефон записан иначе",
    "its sum is the shop's to the kopeck": "сумма как в магазине, до копейки",
    "goods, shipping, fee and discount are lines": "товары, доставка, сбор и скидка — строки",
    "the lines and their taxes add up to it": "строки с налогами дают сумму",
    "the client's only open lead became this deal": "единственный открытый лид клиента стал этой сделкой",
    "the unsigned ping and the signed webhook are answered 200": "на пинг без подписи и подписанный вебхук ответ 200",
    "the webhook made the order be read again": "по вебхуку заказ прочитан ещё раз",
    "a forged one is kept and labelled": "подделка сохранена и помечена",
    "a partial refund is a document of its own; the sum stays": "частичный возврат — отдельный документ, сумма прежняя",
    "3. A letter and its answer": "3. Письмо и ответ на него",
    "both letters are on the client's timeline": "оба письма в ленте клиента",
    "incoming and outgoing": "входящее и исходящее",
    "of one thread": "одной переписки",
    "the answer is shown without the quoted tail": "ответ показан без цитаты",
    "the raw letters are kept": "исходные письма сохранены",
    "a second run reads nothing again": "второй запуск ничего не перечитывает",
    "4. 1C brings goods, prices and stock": "4. 1С передаёт товары, цены и остатки",
    "goods come from a folder of CommerceML files": "товары пришли из папки с файлами CommerceML",
    "the files are archived": "файлы убраны в архив",
    "a stock 1C exchanges its catalogue with the hub": "типовая 1С обменялась каталогом со Сверкой",
    "the shop's product and 1C's are one, by the article": "товар магазина и 1С — один, по артикулу",
    "the first writes to the shop wait for a yes": "первые записи в магазин ждут согласия",
    "which `sverka approve` gives": "его даёт `sverka approve`",
    "1C's price and stock went to the shop": "цена и остаток из 1С ушли в магазин",
    "a changed price and stock go there too": "изменённые цена и остаток — тоже",
    "and both stand in the history": "и те и другие есть в истории",
    "5. 1C takes the order and sends it back": "5. 1С забирает заказ и возвращает его",
    "1C is offered nothing before a person says yes": "до согласия человека 1С ничего не предлагается",
    "1C fetched the order under its number": "1С забрала заказ под его номером",
    "its sum there is the deal's to the kopeck": "сумма там та же до копейки",
    "its lines carry 1C's own ids": "в строках — собственные идентификаторы 1С",
    "a manager moves the deal by hand": "менеджер меняет этап вручную",
    "the shop's order follows": "заказ в магазине следует за ним",
    "by one call, and no echo comes back": "одним запросом, и эхо не возвращается",
    "paid in 1C: the deal is at paid": "оплачен в 1С: сделка на этапе «Оплачен»",
    "with the sum": "с суммой",
    "shipped too: the deal is won": "и отгружен: сделка завершена",
    "and the shop's order is completed": "и заказ в магазине выполнен",
    "every value has its journal row": "у каждого значения есть строка журнала",
    "another order is fetched by 1C": "1С забрала ещё один заказ",
    "cancelled in 1C: the deal is lost": "отменён в 1С: сделка проиграна",
    "and the shop's order is cancelled": "и заказ в магазине отменён",
    "6. Where is order 1043?": "6. Где заказ 1043?",
    "`sverka trace` finds it by number": "`sverka trace` находит его по номеру",
    "`sverka trace` finds it by phone": "`sverka trace` находит его по телефону",
    "`sverka trace` finds it by e-mail": "`sverka trace` находит его по почте",
    "`sverka trace` finds it by name": "`sverka trace` находит его по имени",
    "`sverka trace` finds it by 1C number": "`sverka trace` находит его по номеру в 1С",
    "the page shows the same": "страница показывает то же",
    "and the connections' state": "и состояние подключений",
    "the counts of every run add up": "счёт каждого прогона сходится",
    "7. Everything stands on the client's timeline": "7. Всё стоит в ленте клиента",
    "a call and a meeting are posted, the call twice": "присланы звонок и встреча, звонок дважды",
    "form, order, letters, payment, shipment, call and meeting stand there": (
        "заявка, заказ, письма, оплата, отгрузка, звонок и встреча там есть"
    ),
    "each with its evidence in both languages": "каждое — с основанием на двух языках",
    "with their deal": "и со сделкой",
    "the call once": "звонок один раз",
    "8. Left alone, with a shop that dies and recovers": "8. Сама по себе; магазин падает и поднимается",
    "an order, a letter and an exchange arrive by themselves": "заказ, письмо и обмен приходят сами",
    "the shop dies: its connection is red, with the reason": "магазин упал: подключение красное, с причиной",
    "the others are not": "остальные — нет",
    "three more polls fail": "ещё три опроса не удались",
    "it recovers by itself": "восстановилось само",
    "and nothing is lost or doubled": "ничего не потеряно и не задвоено",
    "9. The accountant's report": "9. Отчёт бухгалтеру",
    "`sverka report deals --xlsx` writes the workbook": "`sverka report deals --xlsx` пишет книгу",
    "every deal is in it": "в ней каждая сделка",
    "differences first": "сначала расхождения",
    "1043 agrees to the kopeck": "1043 сходится до копейки",
    "10. Once more: nothing to do; killed: nothing lost": "10. Ещё раз: делать нечего; убита: ничего не потеряно",
    "`sverka sync` once more: 0 writes": "`sverka sync` ещё раз: 0 записей",
    "and it says so": "и она так и говорит",
    "killed and started again: the same state": "убита и запущена снова: состояние то же",
    "and still 0 writes": "и по-прежнему 0 записей",
    "nor was any notice sent twice": "и ни одно уведомление не ушло дважды",
}


def language() -> str:
    """Russian where this PC speaks it."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ru" if spoken.lower().startswith("ru") else "en"


def told(text: str, language: str) -> str:
    return RUSSIAN.get(text, text) if language == "ru" else text
