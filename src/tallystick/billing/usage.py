"""Ask the usage store for all quantities of a chunk of bills: one grouped scan per aggregation.

The accounts of a run nearly all share the period as their window, so one query answers them all.
Windows of few accounts (plans that start or end inside the period) are asked in small batches, so that
an answer never grows with accounts times windows.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from tallystick.accounts.contract import UsageFilter
from tallystick.billing.calculate.inputs import Part, UsageKey
from tallystick.billing.custom_usage import Quantities
from tallystick.billing.filters import slot_filters
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.usage.meters import slot_of
from tallystick.usage.store.custom import CustomQuery
from tallystick.usage.store.model import Away, Filter, Usage, UsageQuery

COMMON = 20
"From so many accounts on, a window is asked in the query that all accounts share."
BATCH = 25
"So many rare windows are asked at once."

Wanted = Iterable[tuple[Part, UsageKey]]
Windows = dict[Period, set[str]]
Asked = tuple[str, bool, tuple[UsageFilter, ...], tuple[Away, ...]]
"What one query may answer together: an aggregation, whether as a whole, by which filters, less what is away."


class UsageQueries(Protocol):
    """What billing asks of the usage store. Raises Unavailable when it cannot answer now."""

    def aggregate(self, org_id: str, query: UsageQuery) -> list[Usage]:
        """Answer one aggregation for all its accounts and windows, in no order."""
        ...

    def custom_number(self, org_id: str, query: CustomQuery) -> Decimal | None:
        """Answer one CUSTOM_SQL query for one account and window; None is no data. Raises CustomSqlFailed."""
        ...

    def received(self, org_id: str, window: Period, since: datetime) -> list[tuple[str, datetime, datetime]]:
        """Give the accounts whose usage of a window came in since an instant, with first and last `ts`.

        since: by the server's clock.
        """
        ...


def load_quantities(queries: UsageQueries, org_id: str, wanted: Wanted) -> Quantities:
    """Give the quantity of each key that has data. A CUSTOM_SQL query that fails, fails when it is read.

    wanted: may repeat. Accounts whose usage is pooled are asked as one, for distinct values and
    averages cannot be added up afterwards (semantics §17).
    """
    parts: dict[Asked, Part] = {}
    keys: dict[Asked, set[UsageKey]] = {}
    for each, key in wanted:
        if each.unknown_dimension(key.filters):
            continue  # its bill will fail for that
        asked = (each.aggregation.id, each.segment is None, key.filters, key.away)
        parts.setdefault(asked, each)
        keys.setdefault(asked, set()).add(key)
    quantities = Quantities()
    for asked, each in parts.items():
        if each.aggregation.aggregation is Method.CUSTOM_SQL:
            quantities.ask(queries, org_id, each, keys[asked])
            continue
        for query in usage_queries(each, keys[asked]):
            quantities |= _answered(queries.aggregate(org_id, query), query, each, asked)
    return quantities


def usage_queries(part: Part, keys: Collection[UsageKey]) -> Iterator[UsageQuery]:
    """Give the queries that answer all keys of one aggregation: few, however many accounts there are.

    part: one of those that the keys are of; they are all of segments, or all of the whole, and have the
    same filters and the same away.
    """
    one = next(iter(keys), None)
    filters: tuple[Filter | Away, ...] = (*slot_filters(part.meter, one.filters), *one.away) if one else ()
    single: Windows = {}
    pooled: dict[tuple[str, ...], set[Period]] = {}
    for key in keys:
        if len(key.account_ids) == 1:
            single.setdefault(key.window, set()).add(key.account_ids[0])
        else:
            pooled.setdefault(key.account_ids, set()).add(key.window)
    for windows in _batches(single):
        accounts = sorted(set().union(*(single[w] for w in windows)))
        yield _query(part, windows, accounts, filters, per_account=True)
    for account_ids, pool_windows in sorted(pooled.items()):
        yield _query(part, _in_order(pool_windows), account_ids, filters, per_account=False)


def _batches(windows: Windows) -> Iterator[list[Period]]:
    common = [w for w in _in_order(windows) if len(windows[w]) >= COMMON]
    rare = [w for w in _in_order(windows) if len(windows[w]) < COMMON]
    if common:
        yield common
    for first in range(0, len(rare), BATCH):
        yield rare[first : first + BATCH]


def _in_order(windows: Iterable[Period]) -> list[Period]:
    return sorted(windows, key=lambda w: (w.start, w.end))


def _query(
    part: Part,
    windows: Sequence[Period],
    account_ids: Sequence[str],
    filters: tuple[Filter | Away, ...],
    *,
    per_account: bool,
) -> UsageQuery:
    aggregation = part.aggregation
    segments = [] if part.segment is None else aggregation.segments
    texts = {code: slot_of(part.meter, code) for code in aggregation.segmented_fields}
    return UsageQuery(
        meter_id=aggregation.meter_id,
        method=aggregation.aggregation,
        windows=tuple(windows),
        field=slot_of(part.meter, aggregation.target_field),
        account_ids=tuple(account_ids),
        filters=filters,
        segments=tuple({texts[c]: segment[c] for c in texts} for segment in segments),
        per_account=per_account,
    )


def _answered(found: Iterable[Usage], query: UsageQuery, part: Part, asked: Asked) -> dict[UsageKey, Decimal]:
    pool = query.account_ids or ()
    return {
        UsageKey(
            part.aggregation.id,
            pool if each.account_id is None else (each.account_id,),
            query.windows[each.window],
            each.segment,
            *asked[2:],
        ): each.value
        for each in found
    }
