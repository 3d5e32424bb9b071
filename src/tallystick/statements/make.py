"""Make a bill's statement: load, ask the usage store, put it together. Stores nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem
from tallystick.billing.service import lines_of_bill
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.meter import Meter
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.currency import Currency
from tallystick.organizations.organization import Organization
from tallystick.organizations.organization_config import OrganizationConfig
from tallystick.platform.resources import Transaction
from tallystick.statements.definition import AggregationFrequency, StatementDefinition
from tallystick.statements.errors import StatementTooLarge
from tallystick.statements.layout import Statement, StatementLine
from tallystick.statements.questions import MOST_ROWS, LinePlan, plan_of
from tallystick.statements.split import charged_buckets, with_weighted
from tallystick.usage.store.breakdown import Breakdown, Cell
from tallystick.usage.store.model import Usage, UsageQuery

DEFAULT_PLACES = 2
WITHOUT_DEFINITION = StatementDefinition(aggregation_frequency=AggregationFrequency.WHOLE_PERIOD)
"What a statement looks like where neither the account nor the organization has a definition."


class StatementQueries(Protocol):
    """What statements ask of the usage store. Raises Unavailable when it cannot answer now."""

    def breakdown(self, org_id: str, asked: Breakdown) -> list[Cell]:
        """Tell usage apart by windows and texts, in one scan."""
        ...

    def aggregate(self, org_id: str, query: UsageQuery) -> list[Usage]:
        """Answer one aggregation; asked for what is weighted by time."""
        ...


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is made from, of one moment. meter_ids: None is every line of the bill."""

    bill: Bill
    lines: Sequence[LineItem]
    account: Account
    organization_name: str
    definition: StatementDefinition
    places: int
    meters: Mapping[str, Meter]
    aggregations: Mapping[str, Aggregation]
    meter_ids: Collection[str] | None


def load_statement(tx: Transaction, bill_id: str, meter_ids: Collection[str] | None) -> Loaded:
    """Load a bill with what its statement needs. tx: a snapshot. Raises ResourceNotFound."""
    bill = tx.get(Bill, bill_id)
    wanted = None if meter_ids is None else {each.lower() for each in meter_ids}
    lines = [line for line in lines_of_bill(tx, bill_id) if wanted is None or (line.meter_id or "") in wanted]
    sources = [line.derivation.usage for line in lines if line.derivation and line.derivation.usage]
    account = tx.get(Account, bill.account_id)
    currency = tx.find_one(Currency, code=bill.currency)
    return Loaded(
        bill=bill,
        lines=lines,
        account=account,
        organization_name=tx.find(Organization)[0].name,
        definition=_definition(tx, account),
        places=DEFAULT_PLACES if currency is None else currency.max_decimal_places,
        meters=tx.by_id(Meter, (source.meter_id for source in sources)),
        aggregations=tx.by_id(Aggregation, (source.aggregation_id for source in sources)),
        meter_ids=wanted,
    )


def _definition(tx: Transaction, account: Account) -> StatementDefinition:
    """Give the account's definition, else the organization's default (semantics §26)."""
    config = tx.find_one(OrganizationConfig)
    default = config.default_statement_definition_id if config else None
    chosen = account.statement_definition_id or default
    return tx.get(StatementDefinition, chosen) if chosen else WITHOUT_DEFINITION


def make_statement(queries: StatementQueries, org_id: str, loaded: Loaded) -> Statement:
    """Ask the usage store and put the statement together. Raises StatementTooLarge, Unavailable."""
    bill, definition = loaded.bill, loaded.definition
    lines = [_line(queries, org_id, loaded, line) for line in loaded.lines]
    has_own = definition is not WITHOUT_DEFINITION
    return Statement(
        bill_id=bill.id,
        account_id=bill.account_id,
        account_code=bill.account_code,
        account_name=loaded.account.name,
        organization_name=loaded.organization_name,
        sequential_invoice_number=bill.sequential_invoice_number,
        purchase_order_number=bill.purchase_order_number,
        bill_date=bill.bill_date,
        start_date=bill.start_date,
        end_date=bill.end_date,
        timezone=bill.timezone,
        currency=bill.currency,
        last_calculated_date=bill.last_calculated_date,
        statement_definition_id=definition.id if has_own else None,
        statement_definition_name=definition.name,
        aggregation_frequency=definition.aggregation_frequency,
        filters=None if loaded.meter_ids is None else {"meterIds": sorted(loaded.meter_ids)},
        total=sum((line.charge for line in lines), ZERO),
        bill_total=bill.bill_total,
        lines=lines,
    )


def _line(queries: StatementQueries, org_id: str, loaded: Loaded, line: LineItem) -> StatementLine:
    definition, bill = loaded.definition, loaded.bill
    plan = plan_of(line, bill, definition, loaded.meters, loaded.aggregations)
    cells = _cells(queries, org_id, plan)
    if len(cells) > MOST_ROWS:
        raise StatementTooLarge(
            f"The line {line.description!r} has more than {MOST_ROWS:,} rows: tell usage apart by fewer "
            "dimensions, or by longer spans."
        )
    slim = definition.generate_slim_statements
    usage = plan.usage
    return StatementLine(
        line_item_id=None if slim else line.id,
        sequence_number=line.sequence_number,
        line_item_type=line.line_item_type,
        description=line.description,
        product_id=None if slim else line.product_id,
        product_code=line.product_code,
        product_name=line.product_name,
        child_account_code=line.child_account_code,
        meter_id=None if slim else line.meter_id,
        meter_code=usage.meter_code if usage else None,
        aggregation_id=None if slim else line.aggregation_id,
        aggregation=usage.aggregation_name if usage else None,
        segment=line.segment or {},
        service_period_start=line.service_period_start_date,
        service_period_end=line.service_period_end_date,
        quantity=line.quantity,
        units=line.units,
        unit=line.unit,
        price_per_unit=line.average_unit_price if definition.include_price_per_unit else None,
        subtotal=line.subtotal,
        currency=line.currency,
        conversion_rate=line.conversion_rate,
        charge=line.converted_subtotal,
        buckets=charged_buckets(plan, cells, loaded.places, parse_zone(bill.timezone), slim=slim),
    )


def _cells(queries: StatementQueries, org_id: str, plan: LinePlan) -> list[Cell]:
    cells = queries.breakdown(org_id, plan.breakdown) if plan.breakdown else []
    if plan.weighted is None:
        return cells
    return with_weighted(plan, queries.aggregate(org_id, plan.weighted), cells)
