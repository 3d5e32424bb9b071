"""What is reported to marketplaces: the usage of bills, by the ids that the marketplace has."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from sqlalchemy import ColumnElement, select

from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem
from tallystick.billing.store import lines_by_bill
from tallystick.integrations.mapping import ExternalMapping, external_ids
from tallystick.kernel.decimals import ZERO
from tallystick.platform.resources import AMOUNT, Page, PageRequest, Transaction, resource_of

Units = Annotated[Decimal, AMOUNT]
_SOURCES: Final = (
    ("Aggregation", "aggregation_id"),
    ("CompoundAggregation", "compound_aggregation_id"),
    ("Counter", "counter_id"),
    ("Product", "product_id"),
)
"What a line can be reported as: the first of these that the marketplace knows."


class MarketplaceUsageReport(msgspec.Struct, kw_only=True, rename="camel"):
    """What one bill tells one marketplace: by the marketplace's dimension, how much of which unit."""

    account_id: str
    bill_id: str
    external_system: str
    reported_usage: dict[str, dict[str, Units]]


def usage_report(
    tx: Transaction, page: PageRequest, clauses: Iterable[ColumnElement[bool]], system: str | None
) -> Page[MarketplaceUsageReport]:
    """Report the bills of accounts that are mapped to a marketplace, newest bill first.

    system: only this one. An account is mapped by its own external mapping; a line is reported under the
    external id of its aggregation, compound aggregation, counter or product. Lines that are mapped to nothing
    are left out.
    """
    mapped = select(ExternalMappings.c.m3ter_id).where(*_account_mappings(tx, system))
    found = tx.page(
        Bill,
        page,
        [*clauses, resource_of(Bill).table.c.account_id.cast(ExternalMappings.c.m3ter_id.type).in_(mapped)],
    )
    lines = lines_by_bill(tx, [bill.id for bill in found.data])
    reports = [
        MarketplaceUsageReport(
            account_id=bill.account_id,
            bill_id=bill.id,
            external_system=each,
            reported_usage=_reported(tx, lines[bill.id], each),
        )
        for bill in found.data
        for each in _systems(tx, bill.account_id, system)
    ]
    return Page(reports, found.next_token)


ExternalMappings: Final = resource_of(ExternalMapping).table


def _account_mappings(tx: Transaction, system: str | None) -> list[ColumnElement[bool]]:
    table = ExternalMappings
    clauses = [table.c.org_id == tx.org_id, table.c.m3ter_entity.ilike("account")]
    return [*clauses, table.c.external_system == system] if system else clauses


def _systems(tx: Transaction, account_id: str, system: str | None) -> list[str]:
    column = ExternalMappings.c.external_system
    mine = [*_account_mappings(tx, system), ExternalMappings.c.m3ter_id == account_id]
    return list(tx.execute(select(column).distinct().where(*mine).order_by(column)).scalars())


def _reported(tx: Transaction, lines: Sequence[LineItem], system: str) -> dict[str, dict[str, Decimal]]:
    """Add up the units of usage lines under the marketplace's dimensions."""
    known = {
        name: external_ids(tx, entity, [getattr(line, name) for line in lines if getattr(line, name)], system)
        for entity, name in _SOURCES
    }
    usage: dict[str, dict[str, Decimal]] = {}
    for line in lines:
        dimension = next(
            (known[name][i] for _, name in _SOURCES if (i := getattr(line, name)) and i in known[name]), None
        )
        if dimension is not None:
            units = usage.setdefault(dimension, {})
            units[line.unit] = units.get(line.unit, ZERO) + line.units
    return usage
