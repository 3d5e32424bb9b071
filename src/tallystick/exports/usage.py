"""Usage as rows: measurements, or figures of groups, read block by block from the usage store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from tallystick.catalogue.meter import Meter
from tallystick.exports.formats import Column, Kind, Rows
from tallystick.kernel.periods import FOREVER, Period
from tallystick.platform.database import Database
from tallystick.usage.meters import slot_of
from tallystick.usage.query.known import account_codes, load_known
from tallystick.usage.query.planning import Plan, make_plan
from tallystick.usage.query.request import GroupType, UsageQueryRequest
from tallystick.usage.store.exploring import Bucket, Selection, Summary, SummaryRow
from tallystick.usage.store.model import SlotKind
from tallystick.usage.store.store import UsageStore

PAGE_ROWS: Final = 25_000
"Measurements in memory at a time."
GROUPS_AT_A_TIME: Final = 100_000
"Groups that one question is expected to bring, where accounts are grouped by."
EVERY_GROUP: Final = 2**31 - 1
_BUCKETS: Final = {
    Bucket.HOUR: timedelta(hours=1),
    Bucket.DAY: timedelta(days=1),
    Bucket.WEEK: timedelta(days=7),
    Bucket.MONTH: timedelta(days=28),
    Bucket.QUARTER: timedelta(days=90),
}
_HEAD: Final = (
    Column(("uid",), Kind.TEXT),
    Column(("meter",), Kind.TEXT),
    Column(("meterId",), Kind.TEXT),
    Column(("account",), Kind.TEXT),
    Column(("accountId",), Kind.TEXT),
    Column(("ts",), Kind.INSTANT),
    Column(("ets",), Kind.INSTANT),
    Column(("receivedAt",), Kind.INSTANT),
)


@dataclass(frozen=True)
class Listed:
    """Columns, and their rows in pieces."""

    columns: tuple[Column, ...]
    pieces: Iterator[Rows]


@dataclass(frozen=True)
class UsageRows:
    """Reads usage for exports."""

    database: Database
    store: UsageStore
    page_rows: int = PAGE_ROWS

    def read(self, org_id: str, query: UsageQueryRequest) -> Listed:
        """Answer a query without a limit: exactly what has its `ts` in the window.

        Raises ClickHouseUnavailable, from the pieces too.
        """
        with self.database.reading(org_id) as tx:
            known = load_known(tx, query)
        plan = make_plan(query, known, query.end_date or FOREVER)
        if plan.summary is not None:
            return Listed(tuple(_summary_columns(query, plan)), self._groups(org_id, plan, plan.summary))
        meters = [known.meters[part.meter_id] for part in plan.selection.meters]
        fields = _fields(meters)
        columns = (*_HEAD, *(Column(path, kind) for path, kind in fields.items()))
        return Listed(columns, self._measurements(org_id, plan.selection, meters, list(fields)))

    # --- measurements ---------------------------------------------------------------------------

    def _measurements(
        self, org_id: str, selection: Selection, meters: Sequence[Meter], paths: Sequence[tuple[str, ...]]
    ) -> Iterator[Rows]:
        for part, meter in zip(selection.meters, meters, strict=True):
            slots = {(f.category.lower(), f.code): slot_of(meter, f.code) for f in meter.fields}
            pages = self.store.listing(
                org_id,
                part,
                selection.window,
                selection.account_ids,
                list(slots.values()),
                page_rows=self.page_rows,
            )
            names = [slots[path].name if path in slots else None for path in paths]
            for page in pages:
                rows = page.num_rows
                account_ids = [str(each) for each in page["account_id"].to_pylist()]
                codes = self._codes(org_id, account_ids)
                values = [page[name].to_pylist() if name else [None] * rows for name in names]
                head = (
                    page["uid"].to_pylist(),
                    [meter.code] * rows,
                    [meter.id] * rows,
                    [codes.get(each) for each in account_ids],
                    account_ids,
                    *(page[name].to_pylist() for name in ("ts", "ets", "received_at")),
                )
                yield list(zip(*head, *values, strict=True))

    # --- groups ---------------------------------------------------------------------------------

    def _groups(self, org_id: str, plan: Plan, summary: Summary) -> Iterator[Rows]:
        """Answer for some accounts at a time where groups tell accounts apart, else in one piece."""
        for selection in self._selections(org_id, plan.selection, summary):
            found = self.store.summarize(org_id, selection, summary, EVERY_GROUP, patient=True)
            codes = self._codes(org_id, {each.account_id for each in found if each.account_id})
            yield [_group_row(each, summary, codes) for each in found]

    def _selections(self, org_id: str, selection: Selection, summary: Summary) -> Iterator[Selection]:
        if not summary.per_account:
            yield selection
            return
        account_ids: Sequence[str] | None = selection.account_ids
        if account_ids is None:
            account_ids = self.store.accounts_of(org_id, selection.meters, selection.window)
        step = accounts_at_a_time(selection.window, summary.bucket)
        for first in range(0, len(account_ids), step):
            some = tuple(account_ids[first : first + step])
            yield Selection(meters=selection.meters, window=selection.window, account_ids=some)

    def _codes(self, org_id: str, account_ids: Any) -> dict[str, str]:
        with self.database.reading(org_id) as tx:
            return account_codes(tx, set(account_ids))


def accounts_at_a_time(window: Period, bucket: Bucket | None) -> int:
    """Say for how many accounts to ask at once, so that an answer stays small."""
    if bucket is None:
        return 10_000
    buckets = (window.end - window.start) // _BUCKETS[bucket] + 1
    return min(10_000, max(1, GROUPS_AT_A_TIME // buckets))


def _fields(meters: Sequence[Meter]) -> dict[tuple[str, str], Kind]:
    """Give the fields of all meters; one that several meters have is one column.

    A field that is a number on one meter and a text on another cannot be: its category says which.
    """
    kinds = {SlotKind.NUMBER: Kind.QUANTITY, SlotKind.TEXT: Kind.TEXT}
    return {
        (field.category.lower(), field.code): kinds[slot_of(meter, field.code).kind]
        for meter in meters
        for field in meter.fields
    }


def _summary_columns(query: UsageQueryRequest, plan: Plan) -> Iterator[Column]:
    groups = {group.group_type for group in query.groups}
    if GroupType.TIME in groups:
        yield Column(("ts",), Kind.INSTANT)
    if GroupType.ACCOUNT in groups:
        yield Column(("accountId",), Kind.TEXT)
        yield Column(("account",), Kind.TEXT)
    for text in plan.texts:
        yield Column((text,), Kind.TEXT)
    for figure in plan.figures:
        yield Column((figure,), Kind.NUMBER)


def _group_row(found: SummaryRow, summary: Summary, codes: dict[str, str]) -> list[Any]:
    row: list[Any] = []
    if summary.bucket is not None:
        row.append(found.start)
    if summary.per_account:
        row += [found.account_id, codes.get(found.account_id or "")]
    return [*row, *found.texts, *found.values]
