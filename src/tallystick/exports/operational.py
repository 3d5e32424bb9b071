"""Operational data as rows: one declared resource is one file, with the fields that the API answers."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from tallystick.exports.content import OperationalDataType
from tallystick.exports.formats import Column, Kind, Rows
from tallystick.exports.usage import Listed
from tallystick.kernel.errors import invariant
from tallystick.platform.database import Database
from tallystick.platform.resources import Entity, Resource, Transaction, resources
from tallystick.platform.resources.declaration import FieldSpec
from tallystick.pricing.pricing import Pricing

RowsOf = Callable[[Entity], Iterator[list[Any]]]
PAGE_ROWS: Final = 1000
TABLES: Final[Mapping[OperationalDataType, str]] = {
    OperationalDataType.BILLS: "bills",
    OperationalDataType.COMMITMENTS: "commitments",
    OperationalDataType.ACCOUNTS: "accounts",
    OperationalDataType.BALANCES: "balances",
    OperationalDataType.CONTRACTS: "contracts",
    OperationalDataType.ACCOUNT_PLANS: "accountplans",
    OperationalDataType.AGGREGATIONS: "aggregations",
    OperationalDataType.PLANS: "plans",
    OperationalDataType.PRICING: "pricings",
    OperationalDataType.PRICING_BANDS: "pricings",
    OperationalDataType.BILL_LINE_ITEMS: "bill_line_items",
    OperationalDataType.METERS: "meters",
    OperationalDataType.PRODUCTS: "products",
    OperationalDataType.COMPOUND_AGGREGATIONS: "compoundaggregations",
    OperationalDataType.PLAN_GROUPS: "plangroups",
    OperationalDataType.PLAN_GROUP_LINKS: "plangrouplinks",
    OperationalDataType.PLAN_TEMPLATES: "plantemplates",
    OperationalDataType.BALANCE_TRANSACTIONS: "balance_transactions",
    OperationalDataType.TRANSACTION_TYPES: "transactiontypes",
    OperationalDataType.CHARGES: "charges",
}
"The table that a type is read from."
_SIMPLE: Final[Mapping[Any, Kind]] = {
    bool: Kind.FLAG,
    int: Kind.WHOLE,
    Decimal: Kind.NUMBER,
    datetime: Kind.INSTANT,
    date: Kind.DATE,
}
_BAND: Final[tuple[Column, ...]] = (
    Column(("pricingId",), Kind.TEXT),
    Column(("bandType",), Kind.TEXT),
    Column(("sequence",), Kind.WHOLE),
    Column(("id",), Kind.TEXT),
    Column(("lowerLimit",), Kind.NUMBER),
    Column(("fixedPrice",), Kind.NUMBER),
    Column(("unitPrice",), Kind.NUMBER),
    Column(("creditTypeId",), Kind.TEXT),
)


def read_operational(
    database: Database,
    org_id: str,
    data_type: OperationalDataType,
    changed_since: datetime | None,
    page_rows: int = PAGE_ROWS,
) -> Listed:
    """Read all that an organization has of a type, oldest first, as it was at one moment.

    changed_since: only what was created or changed at or after it.
    """
    declared = declared_as(data_type)
    fields = [field for field in declared.fields if not field.hidden]
    columns = tuple(Column((f.wire_name,), _kind(f)) for f in fields)
    row: RowsOf = _entity_rows(fields)
    if data_type is OperationalDataType.PRICING_BANDS:
        columns, row = _BAND, _band_rows

    def pieces() -> Iterator[Rows]:
        with database.snapshot(org_id) as tx:
            for entities in _pages(tx, declared, changed_since, page_rows):
                yield [each for entity in entities for each in row(entity)]

    return Listed(columns, pieces())


def declared_as(data_type: OperationalDataType) -> Resource:
    """Give the resource that a type of operational data is."""
    found = next((each for each in resources() if each.table.name == TABLES[data_type]), None)
    invariant(found is not None, f"nothing declares {data_type}")
    return found  # type: ignore[return-value] # the line above made sure


def _pages(
    tx: Transaction, declared: Resource, changed_since: datetime | None, page_rows: int
) -> Iterator[list[Entity]]:
    """Read entities in the order of their ids, which is that of their making."""
    table = declared.table
    after: str | None = None
    while True:
        statement = tx.select(declared.cls).order_by(None).order_by(table.c.id).limit(page_rows)
        if changed_since is not None:
            statement = statement.where(table.c.dt_last_modified >= changed_since)
        if after is not None:
            statement = statement.where(table.c.id > after)
        found = tx.load(declared.cls, statement)
        if found:
            yield found
        if len(found) < page_rows:
            return
        after = found[-1].id


def _kind(field: FieldSpec) -> Kind:
    if field.is_nested:
        return Kind.NESTED
    return _SIMPLE.get(field.bare, Kind.TEXT)


def _entity_rows(fields: list[FieldSpec]) -> RowsOf:
    names = [(field.name, field.is_nested) for field in fields]

    def rows(entity: Entity) -> Iterator[list[Any]]:
        yield [_value(getattr(entity, name), nested=nested) for name, nested in names]

    return rows


def _value(value: Any, *, nested: bool) -> Any:
    """Give nested parts as JSON has them, and the rest as it is."""
    return msgspec.to_builtins(value, builtin_types=(Decimal,)) if nested and value is not None else value


def _band_rows(entity: Entity) -> Iterator[list[Any]]:
    """Give a pricing's bands, one a row; `sequence` is a band's place, from 0."""
    invariant(isinstance(entity, Pricing), "bands are of pricings")
    for name, bands in (("PRICING", entity.pricing_bands), ("OVERAGE", entity.overage_pricing_bands)):  # type: ignore[attr-defined]
        for at, band in enumerate(bands or []):
            prices = (band.lower_limit, band.fixed_price, band.unit_price)
            yield [entity.id, name, at, band.id, *prices, band.credit_type_id]
