"""Answer queries over usage and bill lines, each organization at its own pace."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tallystick.catalogue.meter import Meter
from tallystick.explorer.bill_query import (
    LARGEST_ANSWER,
    BillDataResponse,
    QueryBillDataRequest,
    bill_data,
)
from tallystick.explorer.store import bill_clauses, bill_lines
from tallystick.kernel.clock import Clock
from tallystick.kernel.decimals import plain
from tallystick.kernel.problems import Problem
from tallystick.platform.database import Database
from tallystick.platform.rate_limit import Rate, RateLimit
from tallystick.platform.resources.wire import InvalidBody
from tallystick.usage.meters import slot_of
from tallystick.usage.query.known import account_codes, load_known
from tallystick.usage.query.planning import Known, Plan, make_plan, stored_problems
from tallystick.usage.query.request import UsageQueryRequest
from tallystick.usage.store.exploring import SummaryRow
from tallystick.usage.store.store import UsageStore

USAGE_RATE = Rate(tokens=2, burst=20)
BILLS_RATE = Rate(tokens=1, burst=10)
"Rule: semantics §1."

Row = dict[str, Any]


class UsageQueryResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """Rows, and whether there are more than the limit; README.md says how they look."""

    data: list[dict[str, Any]]
    has_more_data: bool


class Explorer:
    """Answers queries. Thread-safe. Raises TooManyRequests, InvalidBody, ClickHouseUnavailable."""

    def __init__(self, database: Database, usage: UsageStore, clock: Clock) -> None:
        self._database = database
        self._usage = usage
        self._usage_limit = RateLimit(clock, USAGE_RATE)
        self._bills_limit = RateLimit(clock, BILLS_RATE)

    def usage(self, org_id: str, query: UsageQueryRequest) -> UsageQueryResponse:
        """Answer a query over measurements: all that was acknowledged before takes part."""
        self._usage_limit.take(org_id)
        with self._database.reading(org_id) as tx:
            known = load_known(tx, query)
        _refuse([*query.problems(), *stored_problems(query, known)])
        plan = make_plan(query, known, self._database.now(org_id))
        rows = self._summary(org_id, plan) if plan.summary else self._measurements(org_id, plan, known)
        return UsageQueryResponse(data=rows[: plan.limit], has_more_data=len(rows) > plan.limit)

    def bills(self, org_id: str, query: QueryBillDataRequest) -> BillDataResponse:
        """Answer a query over bill lines."""
        self._bills_limit.take(org_id)
        _refuse(query.problems())
        clauses = bill_clauses(query.start_date, query.end_date, query.line_item_types, query.filters())
        with self._database.reading(org_id) as tx:
            rows = bill_lines(tx, clauses, query.limit or LARGEST_ANSWER)
        return BillDataResponse([bill_data(row) for row in rows])

    def _summary(self, org_id: str, plan: Plan) -> list[Row]:
        if plan.summary is None:
            return []
        found = self._usage.summarize(org_id, plan.selection, plan.summary, plan.limit + 1)
        codes = self._codes(org_id, {each.account_id for each in found if each.account_id})
        return [_summary_row(plan, each, codes) for each in found]

    def _measurements(self, org_id: str, plan: Plan, known: Known) -> list[Row]:
        meters = [known.meters[part.meter_id] for part in plan.selection.meters]
        slots = sorted({slot_of(meter, field.code) for meter in meters for field in meter.fields})
        found = self._usage.newest(org_id, plan.selection, slots, plan.limit + 1).to_pylist()
        codes = self._codes(org_id, {str(each["account_id"]) for each in found})
        readers = {meter.id: _fields(meter) for meter in meters}
        return [_measurement(each, known.meters, readers, codes) for each in found]

    def _codes(self, org_id: str, account_ids: Collection[str]) -> dict[str, str]:
        with self._database.reading(org_id) as tx:
            return account_codes(tx, account_ids)


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise InvalidBody(found)


def _summary_row(plan: Plan, found: SummaryRow, codes: Mapping[str, str]) -> Row:
    row: Row = {}
    if found.start is not None:
        row["ts"] = found.start
    if found.account_id is not None:
        row |= {"accountId": found.account_id, "account": codes.get(found.account_id)}
    row.update(zip(plan.texts, found.texts, strict=True))
    values = (None if value is None else plain(value) for value in found.values)
    row.update(zip(plan.figures, values, strict=True))
    return row


_Field = tuple[str, str, str]
"A field's map, its code, and its column."


def _fields(meter: Meter) -> list[_Field]:
    return [(f.category.lower(), f.code, slot_of(meter, f.code).name) for f in meter.fields]


def _measurement(
    found: Mapping[str, Any],
    meters: Mapping[str, Meter],
    readers: Mapping[str, list[_Field]],
    codes: Mapping[str, str],
) -> Row:
    """Give a measurement in the form it is submitted in, with the ids and the receipt beside."""
    meter_id, account_id = str(found["meter_id"]), str(found["account_id"])
    row: Row = {
        "uid": found["uid"],
        "meter": meters[meter_id].code,
        "meterId": meter_id,
        "account": codes.get(account_id),
        "accountId": account_id,
        "ts": found["ts"],
        "ets": found["ets"],
        "receivedAt": found["received_at"],
    }
    for category, code, value in _values(readers[meter_id], found):
        row.setdefault(category, {})[code] = value
    return row


def _values(fields: Iterable[_Field], found: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for category, code, column in fields:
        value = found[column]
        if value is not None:
            yield category, code, value if isinstance(value, str) else plain(value)
