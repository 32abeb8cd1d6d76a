"""What a 1C publishes: entity sets with their types, for УТ 11.5, УНФ 3.0 and БП 3.0, as far as the hub's business goes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from xml.sax.saxutils import quoteattr

G, S, B, N, I, D = "Edm.Guid", "Edm.String", "Edm.Boolean", "Edm.Double", "Edm.Int64", "Edm.DateTime"  # noqa: E741
_REF = {"Ref_Key": G, "DataVersion": S, "DeletionMark": B}
_CATALOG = {**_REF, "Code": S, "Description": S}
_DOCUMENT = {**_REF, "Number": S, "Date": D, "Posted": B}
_EXTRA = {"Ref_Key": G, "LineNumber": I, "Свойство_Key": G, "Значение": S, "Значение_Type": S, "ТекстоваяСтрока": S}


@dataclass(frozen=True)
class Entity:
    """`refs`: navigation name → the set behind `<name>_Key`. `tables`: tabular parts. `virtual`: functions of a register."""

    props: dict[str, str]
    keys: tuple[str, ...] = ("Ref_Key",)
    refs: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    virtual: dict[str, dict[str, str]] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()


RATES = "StandardODATA.СтавкиНДС"
ENUMS = {RATES: ("НДС20", "НДС20_120", "НДС10", "НДС10_110", "НДС0", "БезНДС")}
_ROW = {"Ref_Key": G, "LineNumber": I, "Количество": N, "Цена": N, "Сумма": N, "СуммаНДС": N}
_ITEM = {"Номенклатура_Key": G, "Характеристика_Key": G, "СтавкаНДС_Key": G}
_ITEM_OR_TEXT = {"Номенклатура": S, "Номенклатура_Type": S, "Характеристика_Key": G, "СтавкаНДС_Key": G}
_AUTOMATIC = {"СуммаАвтоматическойСкидки": N, "ПроцентАвтоматическойСкидки": N, "КлючСвязи": N}
_OF_UNF = {
    **_AUTOMATIC,
    "Всего": N,
    "СуммаСкидкиНаценки": N,
    "ПроцентСкидкиНаценки": N,
    "Содержание": S,
    "СуммаСкидкиОплатыБонусом": N,
}
_DISCOUNTS = {"Ref_Key": G, "LineNumber": I, "КлючСвязи": N, "СкидкаНаценка_Key": G, "Сумма": N}


_GOODS = Entity(
    {**_CATALOG, "IsFolder": B, "Parent_Key": G, "Артикул": S, "НаименованиеПолное": S, "ЕдиницаИзмерения_Key": G,
     "СтавкаНДС_Key": G, "Описание": S},
    refs={"Parent": "Catalog_Номенклатура", "ЕдиницаИзмерения": "Catalog_УпаковкиЕдиницыИзмерения"},
)  # fmt: skip
_PARTY = Entity({**_CATALOG, "ИНН": S, "КПП": S, "НаименованиеПолное": S, "ЮрФизЛицо": S, "Партнер_Key": G},
                tables={"КонтактнаяИнформация": {"Ref_Key": G, "LineNumber": I, "Тип": S, "Представление": S, "АдресЭП": S,
                                                 "НомерТелефона": S}})  # fmt: skip
_SIMPLE = Entity(_CATALOG)
_UNITS = Entity({**_CATALOG, "НаименованиеПолное": S})

UT: dict[str, Entity] = {
    "Catalog_Номенклатура": _GOODS,
    "Catalog_ХарактеристикиНоменклатуры": Entity({**_CATALOG, "Owner_Key": G}),
    "Catalog_УпаковкиЕдиницыИзмерения": _UNITS,
    "Catalog_СтавкиНДС": Entity({**_CATALOG, "Ставка": N}),
    "Catalog_ВидыЦен": _SIMPLE,
    "Catalog_Склады": _SIMPLE,
    "Catalog_Валюты": _SIMPLE,
    "Catalog_Партнеры": _PARTY,
    "Catalog_Контрагенты": replace(_PARTY, refs={"Партнер": "Catalog_Партнеры"}),
    "Catalog_ПричиныПроигрышаСделок": _SIMPLE,
    "Catalog_СделкиСКлиентами": Entity(
        {**_CATALOG, "Статус": S, "Партнер_Key": G, "ПричинаПроигрышаСделки_Key": G, "ПотенциальнаяСуммаПродажи": N,
         "ДатаНачала": D, "ДатаОкончания": D, "Закрыта": B},
        refs={"Партнер": "Catalog_Партнеры"},
        tables={"ДополнительныеРеквизиты": _EXTRA},
    ),
    "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения": Entity({**_CATALOG, "Заголовок": S}),
    "Document_ЗаказКлиента": Entity(
        {**_DOCUMENT, "Статус": S, "Контрагент_Key": G, "Партнер_Key": G, "Сделка_Key": G, "СуммаДокумента": N,
         "Валюта_Key": G, "Комментарий": S, "НомерПоДаннымКлиента": S, "ЦенаВключаетНДС": B},
        refs={"Контрагент": "Catalog_Контрагенты", "Партнер": "Catalog_Партнеры", "Сделка": "Catalog_СделкиСКлиентами",
              "Валюта": "Catalog_Валюты"},
        tables={
            "Товары": {**_ROW, **_ITEM, **_AUTOMATIC, "СуммаСНДС": N, "СуммаРучнойСкидки": N, "ПроцентРучнойСкидки": N,
                       "Отменено": B, "Упаковка_Key": G, "КоличествоУпаковок": N, "Склад_Key": G, "КодСтроки": N,
                       "СуммаБонусныхБалловКСписаниюВВалюте": N},
            "СкидкиНаценки": _DISCOUNTS,
            "ЭтапыГрафикаОплаты": {"Ref_Key": G, "LineNumber": I, "ПроцентПлатежа": N, "СуммаПлатежа": N},
            "ДополнительныеРеквизиты": _EXTRA,
        },
    ),
    "InformationRegister_СостоянияЗаказовКлиентов": Entity(
        {"Заказ": S, "Заказ_Type": S, "Состояние": S, "СуммаОплаты": N, "ПроцентОплаты": N, "СуммаОтгрузки": N,
         "ПроцентОтгрузки": N, "СуммаДолга": N},
        keys=("Заказ", "Заказ_Type"),
    ),
    "InformationRegister_ЦеныНоменклатуры": Entity(
        {"Recorder": S, "Period": D, "Номенклатура_Key": G, "Характеристика_Key": G, "ВидЦены_Key": G, "Цена": N,
         "Валюта_Key": G},
        keys=("Recorder",),
        refs={"ВидЦены": "Catalog_ВидыЦен", "Номенклатура": "Catalog_Номенклатура"},
        virtual={"SliceLast": {"Period": D, "Condition": S}},
        dimensions=("Номенклатура_Key", "Характеристика_Key", "ВидЦены_Key"),
    ),
    "AccumulationRegister_ТоварыНаСкладах": Entity(
        {"Recorder": S, "Period": D, "RecordType": S, "Номенклатура_Key": G, "Характеристика_Key": G, "Склад_Key": G,
         "ВНаличии": N, "КОтгрузке": N},
        keys=("Recorder",),
        virtual={"Balance": {"Period": D, "Condition": S, "Dimensions": S}},
        dimensions=("Номенклатура_Key", "Характеристика_Key", "Склад_Key"),
    ),
    "ExchangePlan_Сайт": Entity({**_CATALOG, "SentNo": I, "ReceivedNo": I}),
}  # fmt: skip

_OF_ORDER = {"Заказ": S, "Заказ_Type": S}
UNF: dict[str, Entity] = {
    "Catalog_Контрагенты": replace(_PARTY, props={**_PARTY.props, "IsFolder": B}),
    "Catalog_Номенклатура": Entity(
        {**{k: t for k, t in _GOODS.props.items() if k != "СтавкаНДС_Key"}, "ТипНоменклатуры": S, "ВидСтавкиНДС": S},
        refs={"Parent": "Catalog_Номенклатура", "ЕдиницаИзмерения": "Catalog_КлассификаторЕдиницИзмерения"},
    ),
    "Catalog_СтавкиНДС": Entity({**_CATALOG, "Ставка": N, "НеОблагается": B, "Расчетная": B}),
    **{k: UT[k] for k in ("Catalog_ХарактеристикиНоменклатуры", "Catalog_Валюты", "ExchangePlan_Сайт",
                          "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения")},
    "Catalog_КлассификаторЕдиницИзмерения": _UNITS,
    "Catalog_ВидыЦен": _SIMPLE,
    "Catalog_СтруктурныеЕдиницы": _SIMPLE,
    "Catalog_СостоянияЗаказовПокупателей": _SIMPLE,
    "Catalog_ПричиныОтмены": _SIMPLE,
    "Document_ЗаказПокупателя": Entity(
        {**_DOCUMENT, "Контрагент_Key": G, "СуммаДокумента": N, "ВалютаДокумента_Key": G, "Комментарий": S,
         "СостояниеЗаказа": S, "СостояниеЗаказа_Type": S, "ВариантЗавершения": S, "ПричинаОтмены_Key": G,
         "СуммаВключаетНДС": B, "СтоимостьДоставки": N, "СуммаНДСДоставки": N, "ОсновнойВариантКП": N},
        refs={"Контрагент": "Catalog_Контрагенты"},
        tables={
            "Запасы": {**_ROW, **_ITEM_OR_TEXT, **_OF_UNF, "ЕдиницаИзмерения": S, "ЕдиницаИзмерения_Type": S,
                       "ТипНоменклатурыЗапас": B, "ЭтоРазделитель": B, "НомерВариантаКП": N, "Резерв": N,
                       "СтруктурнаяЕдиницаРезерв_Key": G, "ДатаОтгрузки": D},
            "Работы": {**_ROW, **_ITEM, **_OF_UNF, "Кратность": N, "Коэффициент": N, "КлючСвязиДляСкидокНаценок": N},
            "ПлатежныйКалендарь": {"Ref_Key": G, "LineNumber": I, "ДатаОплаты": D, "ПроцентОплаты": N, "СуммаОплаты": N,
                                   "СуммаНДСОплаты": N},
            "СкидкиНаценки": _DISCOUNTS,
            "ДополнительныеРеквизиты": _EXTRA,
        },
    ),
    "InformationRegister_ЦеныНоменклатуры": Entity(
        {"Period": D, "ВидЦен_Key": G, "Номенклатура_Key": G, "Характеристика_Key": G, "Цена": N, "Актуальность": B,
         "ВалютаЦены_Key": G},
        keys=("Period", "ВидЦен_Key", "Номенклатура_Key", "Характеристика_Key"),
        refs={"ВидЦен": "Catalog_ВидыЦен"},
        virtual={"SliceLast": {"Period": D, "Condition": S}},
        dimensions=("ВидЦен_Key", "Номенклатура_Key", "Характеристика_Key"),
    ),
    "AccumulationRegister_ЗапасыНаСкладах": Entity(
        {"Recorder": S, "Period": D, "RecordType": S, "Организация_Key": G, "Номенклатура_Key": G,
         "Характеристика_Key": G, "СтруктурнаяЕдиница_Key": G, "Количество": N},
        keys=("Recorder",),
        virtual={"Balance": {"Period": D, "Condition": S, "Dimensions": S}},
        dimensions=("Номенклатура_Key", "Характеристика_Key", "СтруктурнаяЕдиница_Key"),
    ),
    "InformationRegister_ФактОплатыЗаказов": Entity(
        {"СчетНаОплату": S, "СчетНаОплату_Type": S, "Сумма": N, "СуммаАванса": N, "СуммаОплаты": N},
        keys=("СчетНаОплату", "СчетНаОплату_Type"),
    ),
    "AccumulationRegister_Продажи": Entity(
        {"Recorder": S, "Period": D, "Номенклатура_Key": G, "ЗаказПокупателя_Key": G, "Документ": S, "Документ_Type": S,
         "Количество": N, "Сумма": N, "СуммаНДС": N},
        keys=("Recorder",),
        virtual={"Turnovers": {"StartPeriod": D, "EndPeriod": D, "Condition": S, "Dimensions": S}},
        dimensions=("Номенклатура_Key", "ЗаказПокупателя_Key", "Документ", "Документ_Type"),
    ),
    **{
        f"Document_{name}": Entity(
            {**_DOCUMENT, "ВалютаДокумента_Key": G, "СуммаДокумента": N, **head},
            tables={table: {"Ref_Key": G, "LineNumber": I, "Всего": N, **line}},
        )
        for name, table, head, line in (
            ("РасходнаяНакладная", "Запасы", _OF_ORDER, _OF_ORDER),
            ("ПриходнаяНакладная", "Запасы", _OF_ORDER, _OF_ORDER),
            ("АктВыполненныхРабот", "РаботыИУслуги", {"ЗаказПокупателя_Key": G}, {"ЗаказПокупателя_Key": G}),
        )
    },
}  # fmt: skip

_SERVICE = {**_ROW, "Номенклатура_Key": G, "Содержание": S, "СтавкаНДС": RATES}
BP: dict[str, Entity] = {
    "Catalog_Номенклатура": Entity(
        {**{k: t for k, t in _GOODS.props.items() if k != "СтавкаНДС_Key"}, "ВидСтавкиНДС": S, "Услуга": B},
        refs={"Parent": "Catalog_Номенклатура"},
    ),
    "Catalog_Валюты": _SIMPLE,
    "Catalog_Контрагенты": replace(_PARTY, props={**_PARTY.props, "IsFolder": B}),
    "Catalog_Организации": _SIMPLE,
    "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения": Entity({**_CATALOG, "Заголовок": S}),
    "Document_СчетНаОплатуПокупателю": Entity(
        {**_DOCUMENT, "Организация_Key": G, "Контрагент_Key": G, "ДоговорКонтрагента_Key": G, "СуммаДокумента": N,
         "ВалютаДокумента_Key": G, "Комментарий": S, "СуммаВключаетНДС": B, "СуммаСкидки": N},
        refs={"Контрагент": "Catalog_Контрагенты", "Организация": "Catalog_Организации"},
        tables={
            # services stand among the goods; УдалитьУслуги is where they stood before, and is empty since
            "Товары": {**_SERVICE, "ПроцентСкидки": N, "СуммаСкидки": N},
            "УдалитьУслуги": _SERVICE,
            "ВозвратнаяТара": {k: t for k, t in _SERVICE.items() if k in ("Ref_Key", "LineNumber", "Номенклатура_Key",
                                                                          "Количество", "Цена", "Сумма")},
            "ДополнительныеРеквизиты": _EXTRA,
        },
    ),
    "Document_РеализацияТоваровУслуг": Entity(
        {**_DOCUMENT, "Контрагент_Key": G, "СуммаДокумента": N, "СчетНаОплатуПокупателю_Key": G}
    ),
    **{
        f"Document_{name}": Entity(
            {**_DOCUMENT, "Контрагент": S, "Контрагент_Type": S, "СуммаДокумента": N, "ВидОперации": S,
             "ДокументОснование": S, "ДокументОснование_Type": S},
            tables={"РасшифровкаПлатежа": {"Ref_Key": G, "LineNumber": I, "СчетНаОплату_Key": G, "СуммаПлатежа": N,
                                           "Сделка": S, "Сделка_Type": S}},
        )
        for name in ("ПоступлениеНаРасчетныйСчет", "ПриходныйКассовыйОрдер", "ОплатаПлатежнойКартой",
                     "СписаниеСРасчетногоСчета", "РасходныйКассовыйОрдер")
    },
    "Document_ВозвратТоваровОтПокупателя": Entity(
        {**_DOCUMENT, "ВидОперации": S, "Сделка": S, "Сделка_Type": S, "СуммаДокумента": N}
    ),
    "Document_КорректировкаРеализации": Entity(
        {**_DOCUMENT, "ВидОперации": S, "ДокументРеализации": S, "ДокументРеализации_Type": S, "СуммаДокумента": N,
         "ИсходныйДокументРеализации": S, "ИсходныйДокументРеализации_Type": S, "КорректироватьБУиНУ": B,
         "СуммаВключаетНДС": B},
        tables={table: {**_ROW, "Номенклатура_Key": G, "СуммаДоИзменения": N, "СуммаНДСДоИзменения": N}
                for table in ("Товары", "Услуги", "АгентскиеУслуги")},
    ),
    "InformationRegister_СтатусыДокументов": Entity(
        {"Организация_Key": G, "Документ": S, "Документ_Type": S, "Статус": S, "ДополнительныйСтатус": S},
        keys=("Организация_Key", "Документ", "Документ_Type"),
    ),
}  # fmt: skip

CONFIGURATIONS: dict[str, dict[str, Entity]] = {"ut": UT, "unf": UNF, "bp": BP}


def metadata(sets: dict[str, Entity]) -> str:
    """The EDMX of the published sets (v3)."""
    types, container = [_enum(name, words) for name, words in ENUMS.items()], []
    for name, one in sets.items():
        keys = "".join(f"<PropertyRef Name={quoteattr(k)}/>" for k in one.keys)
        props = "".join(f'<Property Name={quoteattr(p)} Type="{t}" Nullable="true"/>' for p, t in one.props.items())
        props += "".join(
            f'<Property Name={quoteattr(t)} Type="Collection(StandardODATA.{name}_{t}_RowType)" Nullable="false"/>'
            for t in one.tables
        )
        props += "".join(
            f'<NavigationProperty Name={quoteattr(r)} Relationship="StandardODATA.{name}_{r}" FromRole="Begin" ToRole="End"/>'
            for r in one.refs
        )
        types.append(f"<EntityType Name={quoteattr(name)}><Key>{keys}</Key>{props}</EntityType>")
        for table, cells in one.tables.items():
            rows = "".join(f'<Property Name={quoteattr(p)} Type="{t}" Nullable="true"/>' for p, t in cells.items())
            types.append(f'<ComplexType Name="{name}_{table}_RowType">{rows}</ComplexType>')
        container.append(f'<EntitySet Name={quoteattr(name)} EntityType="StandardODATA.{name}"/>')
        for function, parameters in one.virtual.items():
            given = "".join(
                f'<Parameter Name="{p}" Type="{t}" Nullable="true" Mode="In"/>' for p, t in parameters.items()
            )
            container.append(
                f'<FunctionImport Name="{function}" ReturnType="Collection(StandardODATA.{name}_{function})" '
                f'm:HttpMethod="GET" IsBindable="true" EntitySetPath="{name}">{given}</FunctionImport>'
            )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices '
        'm:DataServiceVersion="3.0" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        '<Schema Namespace="StandardODATA" xmlns="http://schemas.microsoft.com/ado/2009/11/edm">'
        f'{"".join(types)}<EntityContainer Name="EnterpriseV8" m:IsDefaultEntityContainer="true">{"".join(container)}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _enum(name: str, words: tuple[str, ...]) -> str:
    members = "".join(f'<Member Name="{word}"/>' for word in words)
    return f'<EnumType Name="{name.removeprefix("StandardODATA.")}">{members}</EnumType>'
