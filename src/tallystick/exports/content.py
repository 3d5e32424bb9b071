"""What an export holds: the part that ad hoc exports and schedules share."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.exports.destination import ExportDestination
from tallystick.exports.layout import FileFormat
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Id, Transaction
from tallystick.platform.resources.checks import no_repeats
from tallystick.usage.query.known import load_known
from tallystick.usage.query.planning import stored_problems
from tallystick.usage.query.request import (
    DataExplorerAggregation,
    DataExplorerFilter,
    DataExplorerGroup,
    UsageQueryRequest,
)


class SourceType(StrEnum):
    """What is exported: measurements, or what is stored about accounts, plans and bills."""

    USAGE = "USAGE"
    OPERATIONAL = "OPERATIONAL"


class OperationalDataType(StrEnum):
    """The types of operational data; each becomes one file (semantics §30)."""

    BILLS = "BILLS"
    COMMITMENTS = "COMMITMENTS"
    ACCOUNTS = "ACCOUNTS"
    BALANCES = "BALANCES"
    CONTRACTS = "CONTRACTS"
    ACCOUNT_PLANS = "ACCOUNT_PLANS"
    AGGREGATIONS = "AGGREGATIONS"
    PLANS = "PLANS"
    PRICING = "PRICING"
    PRICING_BANDS = "PRICING_BANDS"
    BILL_LINE_ITEMS = "BILL_LINE_ITEMS"
    METERS = "METERS"
    PRODUCTS = "PRODUCTS"
    COMPOUND_AGGREGATIONS = "COMPOUND_AGGREGATIONS"
    PLAN_GROUPS = "PLAN_GROUPS"
    PLAN_GROUP_LINKS = "PLAN_GROUP_LINKS"
    PLAN_TEMPLATES = "PLAN_TEMPLATES"
    BALANCE_TRANSACTIONS = "BALANCE_TRANSACTIONS"
    TRANSACTION_TYPES = "TRANSACTION_TYPES"
    CHARGES = "CHARGES"


ExportFileFormat = Annotated[
    FileFormat,
    Meta(
        description="PARQUET is beyond the original API; only an export made with it answers with it.",
        extra_json_schema={
            "enum": [FileFormat.CSV.value, FileFormat.JSONL.value],
            "x-extensible-enum": [FileFormat.PARQUET.value],
        },
    ),
]
MOST_DESTINATIONS = 20


class Content(msgspec.Struct, kw_only=True, rename="camel"):
    """What one job exports, fixed when it is ordered. Usage: a span of `ts`; operational: changed since."""

    source_type: SourceType
    export_file_format: ExportFileFormat = FileFormat.CSV
    destination_ids: list[Id] = []
    operational_data_types: list[OperationalDataType] = []
    meter_ids: list[str] = []
    account_ids: list[str] = []
    dimension_filters: list[DataExplorerFilter] = []
    aggregations: list[DataExplorerAggregation] = []
    groups: list[DataExplorerGroup] = []
    start_date: datetime | None = None
    end_date: datetime | None = None

    def query(self) -> UsageQueryRequest:
        """Give the question that a usage export answers."""
        return UsageQueryRequest(
            start_date=self.start_date,
            end_date=self.end_date,
            meter_ids=self.meter_ids,
            account_ids=self.account_ids,
            dimension_filters=self.dimension_filters,
            aggregations=self.aggregations,
            groups=self.groups,
        )


NAMES = tuple(name for name in Content.__struct_fields__ if name not in {"start_date", "end_date"})
_USAGE_ONLY = ("meter_ids", "account_ids", "dimension_filters", "aggregations", "groups")


def content_of(source: Any, start: datetime | None = None, end: datetime | None = None) -> Content:
    """Give the content that a request or a schedule describes, of a span of time if there is one."""
    named = {name: getattr(source, name) for name in NAMES}
    return Content(**named, start_date=start, end_date=end)


def content_problems(content: Content) -> Iterator[Problem]:
    """Find what is wrong with it by itself; dates are looked at by whoever knows what they may be."""
    if content.source_type is SourceType.OPERATIONAL:
        if not content.operational_data_types:
            yield Problem("operationalDataTypes", "required", "name at least one type")
        yield from no_repeats(
            "operationalDataTypes[{i}]", content.operational_data_types, "{value} stands twice"
        )
        wire = {f.name: f.encode_name for f in msgspec.structs.fields(content)}
        for name in _USAGE_ONLY:
            if getattr(content, name):
                yield Problem(wire[name], "not_applicable", "is only used to export USAGE")
    else:
        if content.operational_data_types:
            yield Problem("operationalDataTypes", "not_applicable", "is only used to export OPERATIONAL data")
        dates = {"startDate", "endDate"}
        yield from (each for each in content.query().problems() if each.field not in dates)
    yield from no_repeats("destinationIds[{i}]", content.destination_ids, "{value} stands twice")
    if len(content.destination_ids) > MOST_DESTINATIONS:
        yield Problem("destinationIds", "wrong_length", f"must have at most {MOST_DESTINATIONS} elements")


def stored_content_problems(tx: Transaction, content: Content) -> Iterator[Problem]:
    """Find the destinations, meters, fields and accounts that do not exist.

    Destinations are locked: none can go while something is linked to it.
    """
    known = {each.id for each in tx.find(ExportDestination, id=content.destination_ids, lock=True)}
    for i, each in enumerate(content.destination_ids):
        if each.lower() not in known:
            yield Problem(
                f"destinationIds[{i}]", "unknown_reference", f"{each} is not the id of any destination"
            )
    if content.source_type is SourceType.USAGE:
        query = content.query()
        yield from stored_problems(query, load_known(tx, query))
