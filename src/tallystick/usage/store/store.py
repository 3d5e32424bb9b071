"""The usage store: measurements of every organization, in ClickHouse."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tallystick.kernel.decimals import divide
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.errors import ClickHouseRefused, ClickHouseUnavailable
from tallystick.platform.clickhouse.transport import ClickHouse, Lane
from tallystick.rating.method import Method
from tallystick.usage.store import breakdown, custom, exploring, listing, queries, schema, weighted
from tallystick.usage.store.blocks import fold_slots
from tallystick.usage.store.breakdown import Breakdown, Cell
from tallystick.usage.store.custom import CustomQuery, CustomSqlFailed
from tallystick.usage.store.exploring import MeterPart, Selection, Summary, SummaryRow
from tallystick.usage.store.model import Slot, StoreStats, Usage, UsageQuery

_HASHES_A_QUESTION = 50_000
_FEW_ACCOUNTS = 10
WEEK_S = 7 * 24 * 3600

Hashes = np.ndarray[Any, np.dtype[np.uint64]]


class UsageStore:
    """Keeps and aggregates measurements; decides nothing. Every question names its organization.

    Raises ClickHouseUnavailable when the engine cannot answer now.
    """

    def __init__(
        self, clickhouse: ClickHouse, *, page_rows: int = 100_000, cluster: str | None = None
    ) -> None:
        self._clickhouse = clickhouse
        self._cluster = cluster
        self._page_rows = page_rows

    def migrate(self) -> None:
        """Create what the schema misses; harmless to run again."""
        for statement in schema.statements(self._cluster):
            self._clickhouse.execute(statement)

    def insert_block(self, block: pa.Table, token: str) -> None:
        """Store a block durably, once per token, without looking for duplicate uids: the GroupedWriter does.

        block: the columns of `schema.COLUMN_TYPES`, and received_at (µs, UTC) and uid_hash (uint64).
        After an error send the same block with the same token again.
        """
        self._clickhouse.insert(schema.TABLE, fold_slots(block), token)

    def aggregate(self, org_id: str, query: UsageQuery, *, lane: Lane | None = None) -> list[Usage]:
        """Answer a query over one organization's measurements, in one scan, exactly, in no order.

        lane: SCAN when the question is for all accounts, READ otherwise, unless told.
        """
        lane = lane or (Lane.SCAN if query.account_ids is None else Lane.READ)
        write = weighted.aggregate if query.method is Method.TIME_WEIGHTED else queries.aggregate
        answer = self._clickhouse.read(write(org_id, query), lane=lane)
        rows = answer.num_rows
        accounts = answer["account_id"].to_pylist() if query.per_account else [None] * rows
        segments = answer["segment"].to_pylist() if query.segments else [None] * rows
        groups = [answer[f"g{position}"].to_pylist() for position in range(len(query.group_by))]
        columns = zip(
            accounts,
            answer["window"].to_pylist(),
            segments,
            zip(*groups, strict=True) if groups else [()] * rows,
            answer["value"].to_pylist(),
            answer["n"].to_pylist(),
            strict=True,
        )
        return [
            Usage(
                None if account is None else str(account),
                window,
                segment,
                group,
                _quantity(query.method, value, count),
                count,
            )
            for account, window, segment, group, value, count in columns
        ]

    def custom_number(self, org_id: str, query: CustomQuery) -> Decimal | None:
        """Answer a CUSTOM_SQL query; None is no data. Raises CustomSqlFailed.

        What fails over no measurements, such as a division by their number, has no data (semantics §9).
        """
        try:
            return self._number(org_id, query)
        except CustomSqlFailed:
            if self._clickhouse.read(custom.first_seen(org_id, query), lane=Lane.EXPLORE).num_rows:
                raise
            return None

    def _number(self, org_id: str, query: CustomQuery) -> Decimal | None:
        try:
            found = self._clickhouse.read(custom.number(org_id, query), lane=Lane.EXPLORE)
        except (ClickHouseRefused, ClickHouseUnavailable) as error:
            failed = custom.failure(error)
            if failed is None:
                raise
            raise failed from error
        return custom.answer(found.column(0).to_pylist())

    def measurements(
        self, org_id: str, meter_id: str, window: Period, account_ids: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """List measurements page by page, by account, ts and receipt, with every stored column.

        Slots above the typed ones come as the maps `more_n` and `more_s`. Pages of `page_rows`,
        the first even
        when empty; each goes on behind the last row of the one before, so nothing is skipped or repeated.
        """
        after: queries.Place | None = None
        while True:
            page = queries.measurements(org_id, meter_id, window, account_ids, (after, self._page_rows))
            table = self._clickhouse.read(page, lane=Lane.SCAN)
            if table.num_rows or after is None:
                yield table
            if table.num_rows < self._page_rows:
                return
            [last] = table.slice(table.num_rows - 1).select(["account_id", "ts", "received_at"]).to_pylist()
            after = (str(last["account_id"]), last["ts"], last["received_at"])

    def listing(
        self,
        org_id: str,
        part: MeterPart,
        window: Period,
        account_ids: Sequence[str] | None,
        slots: Sequence[Slot],
        *,
        page_rows: int | None = None,
    ) -> Iterator[pa.Table]:
        """List a meter's measurements that pass its filters, page by page: `listing.FIXED`, and the slots.

        By account, ts, receipt and uid; a page goes on behind the last row of the one before.
        """
        after: listing.Place | None = None
        most = page_rows or self._page_rows
        while True:
            page = (after, most)
            statement = listing.listing(org_id, part, window, account_ids, slots, page)
            table = self._clickhouse.read(statement, lane=Lane.SCAN)
            if table.num_rows:
                yield table
            if table.num_rows < most:
                return
            [last] = table.slice(table.num_rows - 1).select(listing.PLACE).to_pylist()
            after = (str(last["account_id"]), last["ts"], last["received_at"], last["uid"])

    def accounts_of(self, org_id: str, parts: Sequence[MeterPart], window: Period) -> list[str]:
        """List the accounts that have measurements of these meters, in no order that means anything."""
        found = self._clickhouse.read(listing.accounts(org_id, parts, window), lane=Lane.SCAN)
        return [str(each) for each in found["account_id"].to_pylist()]

    def summarize(
        self, org_id: str, selection: Selection, summary: Summary, limit: int, *, patient: bool = False
    ) -> list[SummaryRow]:
        """Aggregate a selection in one scan: the first `limit` groups, newest bucket first, exactly.

        patient: nobody waits for it, as for an export.
        """
        exploring.check(selection, summary)
        sql = exploring.summarize(org_id, selection, summary, limit, patient=patient)
        answer = self._clickhouse.read(sql, lane=Lane.SCAN if patient else _lane(selection))
        rows = answer.num_rows
        accounts = answer["account_id"].to_pylist() if summary.per_account else [None] * rows
        starts = answer["start"].to_pylist() if summary.bucket else [None] * rows
        texts = [answer[f"g{at}"].to_pylist() for at in range(len(summary.texts))]
        values = [
            [
                None if value is None else _quantity(figure.method, value, count)
                for value, count in zip(
                    answer[f"v{at}"].to_pylist(), answer[f"c{at}"].to_pylist(), strict=True
                )
            ]
            for at, figure in enumerate(summary.figures)
        ]
        groups = zip(*texts, strict=True) if texts else [()] * rows
        return [
            SummaryRow(None if account is None else str(account), start, group, figures)
            for account, start, group, figures in zip(
                accounts, starts, groups, zip(*values, strict=True), strict=True
            )
        ]

    def breakdown(self, org_id: str, asked: Breakdown) -> list[Cell]:
        """Tell usage apart by windows and texts, in one scan: the first `limit` groups, in order, exactly."""
        answer = self._clickhouse.read(breakdown.select(org_id, asked), lane=Lane.EXPLORE)
        rows = answer.num_rows
        texts = [answer[f"g{at}"].to_pylist() for at in range(len(asked.told))]
        counts = [answer[f"c{at}"].to_pylist() for at in range(len(asked.figures))]
        values = [
            [
                None if value is None else _quantity(figure.method, value, count)
                for value, count in zip(answer[f"v{at}"].to_pylist(), counts[at], strict=True)
            ]
            for at, figure in enumerate(asked.figures)
        ]
        windows = answer["window"].to_pylist()
        groups = zip(*texts, strict=True) if texts else [()] * rows
        figures, numbers = zip(*values, strict=True), zip(*counts, strict=True)
        return [Cell(*each) for each in zip(windows, groups, figures, numbers, strict=True)]

    def newest(self, org_id: str, selection: Selection, slots: Sequence[Slot], limit: int) -> pa.Table:
        """Give the `limit` newest measurements of a selection: `exploring.FIXED`, and the slots by name."""
        sql = exploring.newest(org_id, selection, slots, limit)
        return self._clickhouse.read(sql, lane=_lane(selection))

    def count(self, org_id: str, meter_id: str | None = None, window: Period | None = None) -> int:
        """Count an organization's measurements."""
        return int(self._clickhouse.read(queries.count(org_id, meter_id, window))["n"][0].as_py())

    def received(self, org_id: str, window: Period, since: datetime) -> list[tuple[str, datetime, datetime]]:
        """Give the accounts whose usage of a window came in since an instant, with first and last `ts`.

        since: by the server's clock. One scan, however many accounts there are.
        """
        found = self._clickhouse.read(queries.received(org_id, window, since), lane=Lane.SCAN)
        columns = (found[name].to_pylist() for name in ("account_id", "first", "last"))
        return [(str(account), first, last) for account, first, last in zip(*columns, strict=True)]

    def stats(self) -> StoreStats:
        """Measure the whole store."""
        answer = self._clickhouse.read(
            queries.parts("sum(rows) AS r, sum(bytes_on_disk) AS b, count() AS p", self._cluster)
        )
        return StoreStats(*(int(answer[name][0].as_py()) for name in ("r", "b", "p")))

    def is_inserting(self) -> bool:
        """Tell whether an insert runs, whoever sent it."""
        return bool(self._clickhouse.read(queries.inserts(self._cluster), lane=Lane.WRITE)["n"][0].as_py())

    def known_uids(self, hashes: Hashes, since: datetime) -> Iterable[tuple[bytes, str]]:
        """Find the (organization id as bytes, uid) stored since then whose hash is among `hashes`."""
        for first in range(0, len(hashes), _HASHES_A_QUESTION):
            part = hashes[first : first + _HASHES_A_QUESTION].tolist()
            found = self._clickhouse.read(queries.known_uids(part, since), lane=Lane.WRITE)
            for org_id, uid in zip(found["org_id"].to_pylist(), found["uid"].to_pylist(), strict=True):
                yield org_id.bytes, uid

    def recent_hashes(self, since: datetime) -> Iterator[tuple[int, Hashes, int]]:
        """Read the uid hashes received since then, month of ts by month, split by week of receipt.

        Gives (week since 1970, hashes, latest receipt among them in µs since 1970).
        """
        months = self._clickhouse.read(queries.parts("DISTINCT toUInt32(partition) AS month", self._cluster))
        for month in months["month"].to_pylist():
            read = self._clickhouse.read(queries.recent_hashes(month, since, WEEK_S), lane=Lane.SCAN)
            weeks = read["week"].to_numpy()
            hashes = read["uid_hash"].to_numpy()
            receipts = read["received_at"].cast(pa.int64()).to_numpy()
            for week in pc.unique(read["week"]).to_pylist():
                chosen = weeks == week
                yield week, hashes[chosen], int(receipts[chosen].max())


def _lane(selection: Selection) -> Lane:
    accounts = selection.account_ids
    return Lane.READ if accounts is not None and len(accounts) <= _FEW_ACCOUNTS else Lane.EXPLORE


def _quantity(method: Method, value: Decimal | int, count: int) -> Decimal:
    exact = Decimal(value)
    if method is Method.TIME_WEIGHTED:
        return divide(exact, weighted.MS_AN_HOUR)
    return divide(exact, Decimal(count)) if method is Method.MEAN else exact
