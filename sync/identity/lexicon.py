"""Words that the resolver knows: first names with their short forms, legal forms, mail providers, role mailboxes, relays."""

from __future__ import annotations

from sync.model.keys import skeleton

# One line: the full name (further full forms after "="), then its short forms. A short form may stand in several lines.
_MALE = """
александр=алексаша=alexander: саша сашка шура саня санёк сашуля алекс сашенька сашок
алексей: лёша алёша лёха лёшка алекс алёшка лёшенька
анатолий: толя толик толян толька
андрей: андрюша андрюха дрон андрейка
антон: антоша тоша антошка антоха тоха
аркадий: аркаша
арсений: сеня арсюша сенька
артём=артемий: тёма артёмка тёмка тёмыч арт
артур: артурик
богдан: бодя богдаша
борис: боря борька боренька
вадим: вадик вадя вадимка димка
валентин: валя валик валёк
валерий: валера валерка лера валерик
василий: вася васька васёк василёк васенька
виктор: витя витька витёк витюша витенька
виталий: виталик виталя виталька витя
владимир: вова володя вовка вован влад володька вовчик вовочка
владислав: влад владик слава владя славик
вячеслав: слава славик славка
геннадий: гена генка геша генаша геннаша
георгий: гоша жора гога георг егор юра
герман: гера
глеб: глебушка
григорий: гриша гришка гриня гришаня
давид: дава давидик
даниил=данила=данил: даня данька данилка дан данечка
денис: дениска дэн деня ден денисик
дмитрий: дима митя димка димон митька димочка димуля митяй
евгений: женя женька жека женёк
егор: егорка гоша егорушка
иван: ваня ванька ванюша ванечка ванёк
игорь: игорёк гоша игорёша гарик игорюша
илья: илюша илюха илюшка ильюша
кирилл: кирюша кирюха кир кирилка
константин: костя костик костян костенька
лев: лёва лёвушка
леонид: лёня лёнька лёнчик лёнечка
леонтий: лёня
макар: макарка
максим: макс максик максимка максюша
марат: маратик
марк: марик маркуша
матвей: мотя матвейка
мирон: мироша
мирослав: слава мирик
михаил: миша мишка мишаня михась мишенька мишутка
никита: никитос никитка ник никитушка
николай: коля колька колян николаша никола коленька
олег: олежка олежек олежа
павел: паша пашка павлик пашенька павлуша
пётр: петя петька петруха петенька петруша
платон: платоша
родион: родя
роман: рома ромка ромочка ромик ромаш
ростислав: ростик слава
руслан: русик рус руся русланчик
савелий: сава савва
святослав: слава свят
семён: сёма сеня сёмка
сергей: серёжа серёга серый сержик серж серёжка серёженька
станислав: стас слава стасик стасян
степан: стёпа стёпка стёпушка
тарас: тарасик
тимофей: тима тимоша тимка
тимур: тима тимурик тим тимка
фёдор: федя федька феденька федюня
филипп: филя фил
эдуард: эдик эд
юрий: юра юрик юрка юрочка юрась
яков: яша яшка
ярослав: слава ярик ярослава
игнат=игнатий: игнаша
прохор: проша
захар: захарка
клим=климент:
назар: назарка
гордей: гордюша
афанасий: афоня
вениамин: веня веник
всеволод: сева
геворг: гево
армен: арменчик
ашот:
гагик:
карен: каро
тигран: тиграша
самвел: сама
рубен:
рустам: рустик рус
ринат: ринатик
ренат:
ильдар: ильдарик
ильнур:
айрат: айратик
азат:
булат:
камиль:
наиль:
рашид:
рамиль: рама
равиль:
радик:
фарид:
марсель:
эльдар: эля
ибрагим:
магомед=мухаммед=магомет:
ахмед:
али:
расул:
шамиль:
мурат:
аслан:
заур:
руфат:
эмиль:
эрик:
роберт:
альберт: алик
адам:
ян: яник
иосиф: ося
ефим: фима
исаак: изя
моисей: миша
лазарь:
савва:
тихон: тиша
эмин:
анвар:
бахтияр:
дамир:
дамиан=демьян: дёма
артак:
вардан:
гурген:
арсен:
нурлан:
ерлан:
бауыржан:
алишер:
отабек:
гавриил=гаврила: гаврюша
мстислав: слава
добрыня:
елисей:
лука:
климентий:
наум:
федот:
трофим:
ермак:
вилен:
рем:
спартак:
"""
_FEMALE = """
александра: саша шура сашенька саня сашка алекса сашуля
алевтина: аля тина алевтинка
алина: аля алинка алиночка лина
алиса: алиска аля алисочка
алла: аллочка аля алка
алёна: алёнка алёнушка лёна алёночка
анастасия: настя настенька ася стася настюша тася настюха
ангелина: геля лина ангел
анжела=анжелика: лика анжелка
анна: аня анечка анюта нюра нюта анька ася нюша аннушка
антонина: тоня тонечка тося
арина: аринка ариша
валентина: валя валечка валюша валюха
валерия: лера лерочка валера лерка
варвара: варя варенька варюша
василиса: вася василёна
вера: верочка веруня верка
вероника: ника вера никуся вероничка
виктория: вика викуся викуля вита викочка тори
виолетта: виола вита лета
галина: галя галочка галка галюня
дарья=дария: даша дашенька дашуля дашка даня
диана: дианка ди дианочка
ева: евочка
евгения: женя женечка женька
екатерина=катерина: катя катюша катенька катька катерина кэт катюха
елена: лена леночка алёна ленуся ленка лёля ленок
елизавета: лиза лизочка лизонька лизка элиза
жанна: жанночка жаннет
зинаида: зина зиночка
злата: златочка
зоя: зоенька зойка
инга:
инесса: инна
инна: инночка инка
ирина: ира ирочка иринка иришка ириша ирка
карина: каринка кара
каролина:
кира: кирочка кируша
клавдия: клава
кристина: кристи крис кристинка кристя
ксения: ксюша ксеня ксюха ксюшенька ксюня оксана
лариса: лара лора ларочка лариска
лидия: лида лидочка лидка
лилия: лиля лилечка лилиана
любовь: люба любочка любаша любаня
людмила: люда люся мила людочка людка милочка
майя: маечка майка
маргарита: рита марго ритка риточка
марина: мариша маринка маришка мара мариночка
мария: маша машенька маруся маня мария марья машка машуля мари
надежда: надя наденька надюша надюха надька
наталья=наталия: наташа ната таша наташенька тата наташка талья
нина: ниночка нинель нинка
оксана: ксюша оксанка ксана оксаночка
олеся: леся олеська
ольга: оля оленька олечка лёля олюшка ольгуша олька олюня
полина: поля полинка полечка полиночка
раиса: рая раечка
регина: рина
римма: риммочка
роза: розочка
светлана: света светик светочка светуля лана светка светланка ланочка
снежана: снежка
софия=софья: соня сонечка софа софочка сонька софи
таисия: тая тася таечка
тамара: тома томочка
татьяна=татиана: таня танечка танюша танюха танька татьянка тата
ульяна: уля ульянка улечка
фаина: фая
эвелина: эва лина
эльвира: эля эльза
эмма: эммочка
эмилия: эми эмма
юлия: юля юленька юлечка юлька юляша юлиана юльча юлёк
яна: яночка янка януся янина
ярослава: слава ярочка
лейла:
амина:
алия: аля
гульнара: гуля гульнар
зульфия:
айгуль: гуля
эльмира: эля
динара: дина
дина: диночка
рената:
альбина: аля бина
венера:
лиана:
нелли: неля
милана: мила
мила: милочка
мирослава: мира слава
владислава: влада слава
станислава: слава стася
стефания: стеша
серафима: сима
устинья:
пелагея: поля
прасковья: паша
евдокия: дуся
матрёна:
нонна:
ада:
аида:
ариадна:
анфиса:
агата:
василина: вася лина
влада:
глафира:
ида:
изабелла: белла
каринэ=карине: кара
ануш:
сона:
наринэ=нарине: нара
гаянэ=гаяне:
асель:
камила=камилла: мила
мадина:
патимат:
фатима:
зарина: зара
сабина:
самира:
юнона:
ян: яна
"""
# Names of the Caucasus, of Central Asia and of the West, which have no short forms of their own in Russian
_OTHERS = """
абдул абдулла абдурахман адилет азамат айбек айдар айнур акмаль акрам алан алибек алмаз амир анзор арслан арсланбек арсланали
аслан ахмад ашраф аюб байрам батыр бахром бахтияр бекзод бислан ваха вахтанг гасан гиви гоча давуд далер дастан дауд дилшод
джамал джамшед ержан жасур жахонгир зайнал зелимхан зураб ибрагим идрис илхам илхом ильгиз ильяс иса искандер ислам исмаил
казбек камал кахрамон лечи магомедали мамука мирзо мовсар мурад муса мухаммадали надир назим нариман низами нодир нурбек
нурсултан олжас ораз отар парвиз рамазан ратмир рауф резо рашад рамис ринас рифат рузмат сардор саид салават салман самир
санжар сардорбек сейфулла серик сохраб сослан сулейман султан сурен сухроб талгат тамерлан темур тимурлан тофик улугбек умар
умид фархад фарход фаридун фаррух фируз хабиб хасан хачик хикмет хусейн хуршид чингис шавкат шарип шахзод шерзод эдгар эйнар
элнур эльвин эльчин эмомали юнус юсуф якуб яшар баир бато зорикто тамир аюр давит нугзар тенгиз заза мераб автандил левон арам
тарон грант размик овик азиза айгерим айнура алтынай алтын аминат анаит арзу арюна асет асия астхик ася аусма бибигуль вафа
гузель гулноза гульмира гульнора гульсум гульшат гюльнара дарига дарима дилбар дилноза дильбар дилфуза диляра жанар жансая
залина залия зарема заринэ зейнаб зита зохра зубайда зумрат зухра индира ирада ирма кетеван кямаля лаура лейсан лусинэ любава
мавлюда мадлена малика манана манзура марет марьям марха мафтуна мехрангез минара мехрибан мохира муниса муслима нана нармин
наргиз насиба нигора нино ойгуль парвина патима петимат райхона раъно роксана рукият саида салима салтанат самина сария сауле
севара севинч севиль седа сэсэг тамила туяна умида фариза фарида фарангис фируза хава хадижат хадиджа халида хеда чолпон
чулпан шахло шахноза шоира эсмира этери юлдуз ясмина john james robert william richard joseph charles christopher matthew mark
donald steven steve andrew joshua kenneth kevin brian edward ronald timothy jason jeffrey ryan jacob gary nicholas eric
jonathan stephen larry justin scott brandon benjamin samuel frank patrick raymond jack tyler aaron henry adam nathan walter
kyle harold carl keith roger jeremy terry sean austin noah jesse bryan bruce ralph oliver harry george thomas david daniel joe
ben tom bob jim mike chris matt nick tony dave dan ed luke simon stuart graham neil ian colin trevor hans klaus jurgen
wolfgang stefan andreas matthias pierre jean luc marco luigi giovanni paolo carlos juan jose pedro miguel antonio mehmet
mustafa ali hasan yusuf patricia jennifer linda susan jessica sarah karen lisa nancy betty sandra ashley kimberly emily donna
michelle carol amanda melissa deborah stephanie rebecca laura sharon cynthia kathleen amy shirley angela brenda pamela emma
nicole samantha christine debra rachel heather ruth virginia janet joyce olivia kelly christina joan evelyn judith megan
cheryl hannah jacqueline martha gloria teresa ann sara janice jane grace julie amber denise marilyn danielle beverly charlotte
sophie isabella chloe claire giulia heidi ursula
"""
_LATIN = (
    {"alexander": "александр", "alex": "алекс", "peter": "пётр", "paul": "павел", "michael": "михаил"}
    | {"michail": "михаил", "eugene": "евгений", "eugenia": "евгения", "george": "георгий", "andrew": "андрей"}
    | {"andrei": "андрей", "helen": "елена", "elena": "елена", "nicholas": "николай", "nikolas": "николай"}
    | {
        "basil": "василий",
        "gregory": "григорий",
        "daniel": "даниил",
        "maxim": "максим",
        "max": "макс",
        "sergio": "сергей",
    }
    | {"serge": "сергей", "julia": "юлия", "sophia": "софия", "sofia": "софия", "catherine": "екатерина"}
    | {
        "katherine": "екатерина",
        "ekaterina": "екатерина",
        "victor": "виктор",
        "victoria": "виктория",
        "viktoriya": "виктория",
    }
    | {"philip": "филипп", "theodore": "фёдор", "denis": "денис", "dennis": "денис", "constantine": "константин"}
    | {"xenia": "ксения", "oxana": "оксана", "alexandra": "александра", "alexey": "алексей", "alexei": "алексей"}
    | {"anthony": "антон", "arthur": "артур", "mary": "мария", "maria": "мария", "ann": "анна", "anne": "анна"}
    | {
        "elizabeth": "елизавета",
        "margarita": "маргарита",
        "natalie": "наталья",
        "tatiana": "татьяна",
        "svetlana": "светлана",
    }
)


def _words(text: str) -> list[str]:
    return text.split()


def _first_names() -> dict[str, frozenset[str]]:
    """{skeleton of any form: full names that it may stand for}."""
    forms: dict[str, set[str]] = {}
    for line in [*_MALE.strip().splitlines(), *_FEMALE.strip().splitlines()]:
        full, _, short = line.partition(":")
        names = full.split("=")
        for form in [*names, *short.split()]:
            forms.setdefault(skeleton(form), set()).add(skeleton(names[0]))
    for form in map(skeleton, _OTHERS.split()):
        forms.setdefault(form, {form})
    for latin, own in _LATIN.items():
        forms.setdefault(skeleton(latin), set()).update(forms.get(skeleton(own), {skeleton(own)}))
    return {form: frozenset(full) for form, full in forms.items()}


FIRST_NAMES = _first_names()

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
