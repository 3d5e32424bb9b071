"""Quantities by CUSTOM_SQL: one query for each account and window; one that fails fails its bill only."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, Protocol

from tallystick.billing.calculate.inputs import Part, UsageKey
from tallystick.billing.filters import slot_filters
from tallystick.catalogue.custom_sql import CustomSqlRefused, position, read_custom_sql
from tallystick.usage.meters import slot_of
from tallystick.usage.store.custom import CustomQuery, CustomSqlFailed


class CustomQueries(Protocol):
    """What is asked of the usage store. Raises Unavailable when it cannot answer now."""

    def custom_number(self, org_id: str, query: CustomQuery) -> Decimal | None:
        """Answer one CUSTOM_SQL query; None is no data. Raises CustomSqlFailed."""
        ...


class Quantities(dict[UsageKey, Decimal]):
    """Quantities by key; to get one that could not be made raises the reason, CustomSqlFailed.

    So it fails the bill that needs it, where that is calculated, and no other bill of the chunk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failures: dict[UsageKey, CustomSqlFailed] = {}

    def get(self, key: UsageKey, default: Any = None) -> Any:
        """Give a quantity, or the default where there was no data. Raises CustomSqlFailed."""
        if self.failures and key in self.failures:  # asked millions of times, and hardly ever are there any
            raise self.failures[key]
        return super().get(key, default)

    def ask(self, queries: CustomQueries, org_id: str, part: Part, keys: Collection[UsageKey]) -> None:
        """Ask for all keys of one CUSTOM_SQL aggregation. Raises Unavailable."""
        for key in sorted(keys, key=_place):
            try:
                found = queries.custom_number(org_id, custom_query(part, key))
            except CustomSqlFailed as error:
                self.failures[key] = _named(part, error.message)
            else:
                if found is not None:
                    self[key] = found


def custom_query(part: Part, key: UsageKey) -> CustomQuery:
    """Give the query that answers a key, over the fields that the meter has now. Raises CustomSqlFailed."""
    aggregation, meter = part.aggregation, part.meter
    text = aggregation.custom_sql or ""
    columns = {field.code: slot_of(meter, field.code) for field in meter.fields}
    try:
        read = read_custom_sql(text, columns)
    except CustomSqlRefused as error:
        raise CustomSqlFailed(f"The SQL cannot be run: {position(text, error.at)}{error.reason}.") from None
    cut = aggregation.segments if part.segment is not None else []
    places = {code: slot_of(meter, code) for code in aggregation.segmented_fields}
    return CustomQuery(
        around=read.around,
        answer=read.answer,
        meter_id=meter.id,
        account_ids=key.account_ids,
        window=key.window,
        columns=columns,
        segments=tuple({places[code]: each[code] for code in places} for each in cut),
        segment=key.segment,
        filters=(*slot_filters(meter, key.filters), *key.away),
    )


def _place(key: UsageKey) -> tuple[object, ...]:
    return key.account_ids, key.window.start, key.window.end, -1 if key.segment is None else key.segment


def _named(part: Part, message: str) -> CustomSqlFailed:
    aggregation = part.aggregation
    return CustomSqlFailed(f"The aggregation {aggregation.name}: {message}", aggregation_id=aggregation.id)
