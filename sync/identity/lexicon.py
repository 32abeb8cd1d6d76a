"""Words that the resolver knows: legal forms, mail providers, mailboxes of desks and machines, trades, relays."""

from __future__ import annotations

from sync.model.keys import skeleton


def _words(text: str) -> list[str]:
    return text.split()


# Words in a name's place that name nobody
NOBODY = frozenset(
    skeleton(word)
    for word in _words(
        """отдел отдела снабжения снабжение закупок закупки продаж продажи бухгалтерия бухгалтер менеджер директор офис
        администратор администрация секретарь приёмная ресепшн склад логистика служба поддержки поддержка клиент
        покупатель пользователь гость аноним анонимно неизвестно неизвестный тест test имя name фио нет none null
        физлицо частное лицо частник компания организация магазин интернет робот robot bot mail delivery system
        subsystem postmaster daemon support info admin manager office sales заказчик получатель заявка сайт контакт
        contact customer guest user unknown anonymous господин госпожа гражданин mr mrs ms dr генеральный главный
        коммерческий финансовый исполнительный специалист инженер руководитель начальник зам заместитель ведущий старший
        помощник ассистент кадры юрист маркетинг реклама тендерный"""
    )
)

# Legal form -> group; forms of one group may name the same company (JSC is any kind of АО)
LEGAL_FORMS = {
    "общество с ограниченной ответственностью": "ooo",
    "публичное акционерное общество": "ao",
    "непубличное акционерное общество": "ao",
    "закрытое акционерное общество": "ao",
    "открытое акционерное общество": "ao",
    "акционерное общество": "ao",
    "индивидуальный предприниматель": "ip",
    "автономная некоммерческая организация": "ano",
    "некоммерческая организация": "ano",
    "федеральное государственное унитарное предприятие": "gup",
    "государственное унитарное предприятие": "gup",
    "муниципальное унитарное предприятие": "gup",
    "федеральное государственное бюджетное учреждение": "gbu",
    "государственное бюджетное учреждение": "gbu",
    "муниципальное бюджетное учреждение": "gbu",
    "крестьянское фермерское хозяйство": "kfh",
    "потребительский кооператив": "pk",
    "производственный кооператив": "pk",
    "товарищество собственников жилья": "tszh",
    "limited liability company": "ooo",
    "joint stock company": "ao",
    "individual entrepreneur": "ip",
    "ооо": "ooo", "ooo": "ooo", "llc": "ooo", "ltd": "ooo", "limited": "ooo", "oоо": "ooo",
    "ао": "ao", "пао": "ao", "зао": "ao", "оао": "ao", "нао": "ao", "jsc": "ao", "pjsc": "ao", "cjsc": "ao", "ojsc": "ao",
    "ao": "ao", "pao": "ao", "zao": "ao", "oao": "ao",
    "ип": "ip", "ip": "ip", "чп": "ip", "ие": "ip",
    "ано": "ano", "ano": "ano", "нко": "ano", "фонд": "ano",
    "гуп": "gup", "муп": "gup", "фгуп": "gup",
    "фгбу": "gbu", "гбу": "gbu", "мбу": "gbu", "фгбоу": "gbu", "гбоу": "gbu", "мбоу": "gbu", "гку": "gbu", "мку": "gbu",
    "кфх": "kfh", "тсж": "tszh", "тсн": "tszh", "снт": "tszh", "пк": "pk", "сппк": "pk",
    "гбуз": "gbu", "гауз": "gbu", "маоу": "gbu", "мбдоу": "gbu", "мадоу": "gbu", "мдоу": "gbu", "гбпоу": "gbu", "гапоу": "gbu",
    "фгаоу": "gbu", "фгку": "gbu", "фку": "gbu", "гау": "gbu", "мау": "gbu", "бу": "gbu", "муз": "gbu", "чоу": "ano",
    "ноу": "ano", "чу": "ano", "нп": "ano", "ассоциация": "ano", "осоо": "ooo", "сооо": "ooo", "иооо": "ooo", "чтуп": "gup",
    "чпуп": "gup", "жск": "pk", "гск": "pk", "днт": "tszh", "plc": "ao", "sa": "ao", "bv": "ooo", "sro": "ooo", "oy": "ao",
    "ab": "ao", "srl": "ooo",
    "тоо": "ooo", "одо": "ooo", "уп": "gup", "чуп": "gup", "gmbh": "ooo", "inc": "ao", "corp": "ao", "co": "",
}  # fmt: skip

# Mail for everybody: such a domain never names a company
FREE_MAIL = frozenset(
    _words(
        """mail.ru bk.ru inbox.ru list.ru internet.ru xmail.ru vk.com yandex.ru ya.ru yandex.com yandex.by yandex.kz
        yandex.ua yandex.uz yandex.com.tr yandex.com.am narod.ru gmail.com googlemail.com rambler.ru lenta.ru
        autorambler.ru myrambler.ru ro.ru rambler.ua outlook.com hotmail.com live.com live.ru msn.com outlook.de
        hotmail.ru icloud.com me.com mac.com yahoo.com yahoo.co.uk yahoo.de ymail.com rocketmail.com proton.me
        protonmail.com pm.me protonmail.ch tutanota.com tuta.io qip.ru pochta.ru fromru.com front.ru hotbox.ru
        krovatka.su land.ru mail15.com mail333.com nightmail.ru nm.ru pisem.net pochtamt.ru pop3.ru rbcmail.ru smtp.ru
        aport.ru km.ru freemail.ru bigmir.net ukr.net i.ua meta.ua tut.by mail.by mail.kz mail.ua e1.ru ngs.ru
        sibmail.com mail.com gmx.com gmx.de gmx.net web.de aol.com zoho.com fastmail.com hey.com mailfence.com duck.com
        163.com 126.com qq.com sina.com naver.com daum.net seznam.cz wp.pl o2.pl onet.pl interia.pl t-online.de free.fr
        orange.fr laposte.net libero.it terra.com.br uol.com.br mail.bg abv.bg bk.com inbox.lv mail.ee hot.ee online.ua
        email.ua ex.ua vfemail.net rediffmail.com yopmail.com mailinator.com 10minutemail.com guerrillamail.com
        temp-mail.org tempmail.com"""
    )
)

# Mailboxes of a desk, not of a person
ROLES = frozenset(
    _words(
        """info office mail sales sale zakaz zakazy order orders shop store support help helpdesk service admin
        administrator manager managers director buh buhgalter buhgalteria buhgalteriya accounting account accounts
        finance fin hr kadry job jobs rabota resume marketing pr reklama adv snab snabzhenie zakup zakupki tender
        tenders purchase procurement supply opt optom sklad logist logistic logistics dostavka delivery contact contacts
        feedback hello hi team reception priem priemnaya secretary sekretar client clients kontakt company firma corp
        general main post pochta site web webmaster root postmaster hostmaster abuse it lawyer urist yurist legal press
        security safety dogovor docs doc document documents edo invoice billing pay payment payments booking
        reservation reserv hotel magazin market online torg prodazhi prod commerce commercial kom komdir gendir glavbuh
        ceo fax region inbox email e-mail all office1 office2 info1 info2 sales1 sales2 mailbox request requests zayavka
        zayavki"""
    )
)

# Words of trades and goods that firms, not people, have in their names (as in Latin addresses)
TRADES = tuple(
    _words(
        """stroy stroi torg servis service trans mebel prom agro snab soft group grupp plus market magazin shop store avto
        auto tekh tech stal klimat dizayn design montazh logist produkt product elektro electro energo invest consult
        konsalt trade treyd treid centr center proekt project sport farm pharm plast tekstil textile metall beton okna
        dveri remont kompan company firma studio studia salon hotel otel cafe resto kafe klinik clinic stom dent zavod
        fabrik holding ofis"""
    )
)

# Local parts and domains of machines
ROBOTS = ("noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "do_not_reply", "mailer-daemon", "mailerdaemon",
    "postmaster", "bounce", "bounces", "robot", "notification", "notifications", "notify", "autoreply", "auto-reply",
    "automailer", "daemon", "mailer", "newsletter", "news", "rassylka", "subscribe", "unsubscribe", "noreplay", "nobody",
    "alert", "alerts", "monitoring", "system", "devnull", "null", "root", "cron", "www-data", "apache", "nginx", "zabbix",
    "wordpress", "mailrobot", "mail-robot", "robot-mail", "auto-confirm", "autoconfirm", "delivery-status", "digest", "mailing",
    "subscription", "subscriptions", "no-replay", "reply-to", "listserv", "majordomo", "mdaemon", "auto", "autoresponder",
    "do.not.reply", "messages-noreply")  # fmt: skip

# … and words that make a machine of any address that has one among others
MACHINES = frozenset(("noreply", "donotreply", "noreplay", "robot", "bounce", "bounces", "daemon", "notification",
    "notifications", "notify", "autoreply", "mailer", "newsletter", "unsubscribe", "autoconfirm", "rassylka"))  # fmt: skip

# Shops whose orders show a relay's address and a stand-in phone instead of the buyer's
MARKETPLACES = (
    "ozon", "wildberries", "wb", "yandex_market", "yandexmarket", "yandex.market", "market.yandex", "avito", "megamarket",
    "sbermegamarket", "sber_megamarket", "aliexpress", "ali", "lamoda", "kazanexpress", "magnit_market", "beru", "goods",
    "ebay", "amazon", "etsy", "uzum", "kaspi", "youla", "cian", "tiu", "satu", "leroymerlin", "detmir", "mvideo_market",
    "dns_market", "cdek_market", "flowwow", "livemaster", "joom", "goodsmp", "vseinstrumenti_market",
)  # fmt: skip

RELAYS = (
    "users.market", "market.yandex", "relay", "privaterelay.appleid", "messages.avito", "avito.ru", "anonaddy", "simplelogin",
    "marketplace.amazon", "members.ebay", "reply", "guest.booking", "ozon.ru", "wildberries.ru", "megamarket.ru",
    "aliexpress.com", "proxy", "masked", "marketplace",
)  # fmt: skip
