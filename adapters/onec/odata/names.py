"""Where each configuration keeps what the hub asks for (read from the metadata of УТ 11.5, УНФ 3.0 and БП 3.0)."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.onec.odata import parts
from adapters.onec.odata.parts import Part


@dataclass(frozen=True, slots=True)
class Names:
    """Entity sets and properties; "" where the configuration has no such thing."""

    order: str  # the document that answers to a deal
    title: str  # what 1C calls it
    part: Part  # its lines
    currency: str  # the document's property with the currency's key, without _Key
    units: str
    site_number: str  # the document's property that may hold the number of the site's order, beside the attribute
    warehouses: str
    price_type: str  # the dimension with the price type, without _Key
    price_currency: str
    stock: str
    stock_place: str  # the dimension with the warehouse, without _Key
    stock_amount: str
    states: str = ""  # the catalogue of order states
    state_register: str = ""
    deals: str = ""
    order_in_units: bool = False  # quantities of the order's lines are in the goods' own units
    statuses: str = ""  # БП: the register of payment and shipment of a document
    paid_register: str = ""  # УНФ: what was paid for each order
    sales_register: str = ""  # УНФ: turnovers of sales by order
    sales_documents: tuple[str, ...] = ()  # УНФ: what says the currency of a sale, for orders that are not in rubles
    shipment: str = ""  # БП: the document that ships an invoice
    payments: tuple[str, ...] = ()  # БП: the documents that pay an invoice
    returns: str = ""  # БП: goods that come back
    corrections: str = ""  # БП: what a shipment came to after all
    refunds: tuple[str, ...] = ()  # БП: money that goes back
    reasons: str = ""  # УТ: why a Сделка was lost
    price_types: str = "Catalog_ВидыЦен"
    goods: str = "Catalog_Номенклатура"
    parties: str = "Catalog_Контрагенты"
    partners: str = ""  # УТ: whom several Контрагенты belong to; their phones stand here
    prices: str = "InformationRegister_ЦеныНоменклатуры"
    attributes: str = "ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения"

    @property
    def with_party(self) -> str:
        """What is expanded in an order."""
        return "Контрагент,Партнер" if self.partners else "Контрагент"

    @property
    def tells(self) -> dict[str, tuple[str, ...]]:
        """The entity sets that bring sums of payments and shipments → the kinds of documents that each tells of. Without them
        the rest is read as well."""
        told = {
            self.paid_register: ("payment",),
            self.sales_register: ("shipment", "return"),
            **dict.fromkeys(self.sales_documents, ("shipment", "return")),
            self.shipment: ("shipment",),
            **{name: ("payment", "refund") if name in self.refunds else ("payment",) for name in self.payments},
            self.returns: ("return",),
            self.corrections: ("shipment", "return"),
            **{name: ("refund",) for name in self.refunds if name not in self.payments},
        }
        return {name: kinds for name, kinds in told.items() if name}

    @property
    def probes(self) -> dict[str, str]:
        """What is read of documents only when others lead there → the fields that it must have: other releases may keep them
        otherwise."""
        money = dict.fromkeys(self.refunds, "Ref_Key,ВидОперации,ДокументОснование")
        goods = {self.returns: "Ref_Key,Сделка,СуммаДокумента"} if self.returns else {}
        if self.corrections:
            goods[self.corrections] = "Ref_Key,ИсходныйДокументРеализации,КорректироватьБУиНУ,СуммаВключаетНДС"
        return money | goods | dict.fromkeys(self.sales_documents, "Ref_Key,ВалютаДокумента_Key,СуммаДокумента")

    @property
    def for_sums(self) -> list[str]:
        """Those of them that every firm needs: without one a sum is unknown, or too large."""
        return [name for name in self.tells if name not in self.sales_documents]

    def needed(self, shows: frozenset[str]) -> list[str]:
        """The entity sets that must be published for this connection."""
        sets = [self.goods, self.parties, self.order, "Catalog_Валюты", self.attributes]
        sets += [
            s for s in (self.partners, self.units, self.warehouses, self.stock, self.state_register, self.statuses) if s
        ]
        sets += [self.prices, self.price_types] if self.price_type else []
        sets += [self.deals] if "deal" in shows and self.deals else []
        sets += [self.states] if self.states else []
        return sets


UT = Names(
    order="Document_ЗаказКлиента",
    title="Заказ клиента",
    part=parts.UT,
    currency="Валюта",
    units="Catalog_УпаковкиЕдиницыИзмерения",
    site_number="НомерПоДаннымКлиента",
    warehouses="Catalog_Склады",
    price_type="ВидЦены",
    price_currency="Валюта",
    stock="AccumulationRegister_ТоварыНаСкладах",
    stock_place="Склад",
    stock_amount="ВНаличии",
    state_register="InformationRegister_СостоянияЗаказовКлиентов",
    deals="Catalog_СделкиСКлиентами",
    reasons="Catalog_ПричиныПроигрышаСделок",
    partners="Catalog_Партнеры",
    order_in_units=True,
)
UNF = Names(
    order="Document_ЗаказПокупателя",
    title="Заказ покупателя",
    part=parts.UNF,
    currency="ВалютаДокумента",
    units="Catalog_КлассификаторЕдиницИзмерения",
    site_number="",
    warehouses="Catalog_СтруктурныеЕдиницы",
    price_type="ВидЦен",
    price_currency="ВалютаЦены",
    stock="AccumulationRegister_ЗапасыНаСкладах",
    stock_place="СтруктурнаяЕдиница",
    stock_amount="Количество",
    states="Catalog_СостоянияЗаказовПокупателей",
    paid_register="InformationRegister_ФактОплатыЗаказов",
    sales_register="AccumulationRegister_Продажи",
    sales_documents=("Document_РасходнаяНакладная", "Document_ПриходнаяНакладная", "Document_АктВыполненныхРабот"),
)
BP = Names(
    order="Document_СчетНаОплатуПокупателю",
    title="Счет",
    part=parts.BP,
    currency="ВалютаДокумента",
    units="",
    site_number="",
    warehouses="",
    price_type="",
    price_currency="",
    stock="",
    stock_place="",
    stock_amount="",
    statuses="InformationRegister_СтатусыДокументов",
    shipment="Document_РеализацияТоваровУслуг",
    payments=(
        "Document_ПоступлениеНаРасчетныйСчет",
        "Document_ПриходныйКассовыйОрдер",
        "Document_ОплатаПлатежнойКартой",
    ),
    returns="Document_ВозвратТоваровОтПокупателя",
    corrections="Document_КорректировкаРеализации",
    refunds=(
        "Document_СписаниеСРасчетногоСчета",
        "Document_РасходныйКассовыйОрдер",
        "Document_ОплатаПлатежнойКартой",
    ),
)
BY_CONFIGURATION = {"ut": UT, "unf": UNF, "bp": BP}
