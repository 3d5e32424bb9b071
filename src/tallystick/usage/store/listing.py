"""A meter's measurements page by page, as SQL: for exports, which read all of them. Pure."""
# ruff: noqa: S608 - SQL is what this file writes; every value passes platform.clickhouse.sql

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse import sql
from tallystick.usage.store.exploring import MeterPart
from tallystick.usage.store.model import Slot
from tallystick.usage.store.queries import chosen, inside
from tallystick.usage.store.schema import TABLE, slot_sql

FIXED: Final = ("account_id", "ts", "ets", "received_at", "uid")
PLACE: Final = ["account_id", "ts", "received_at", "uid"]
Place = tuple[str, datetime, datetime, str]
"A row's place in the listing."


def listing(
    org_id: str,
    part: MeterPart,
    window: Period,
    account_ids: Sequence[str] | None,
    slots: Sequence[Slot],
    page: tuple[Place | None, int],
) -> str:
    """Write the SELECT of one page, by account, ts, receipt and uid: `FIXED`, and the slots by name.

    page: behind which row, how many. The order is that of the table, so a page reads little more than itself.
    """
    where = f"{chosen(org_id, part.meter_id, account_ids, part.filters)} AND {inside(window)}"
    after, limit = page
    if after is not None:
        account, ts, received_at = sql.uuid(after[0]), sql.instant_ms(after[1]), sql.instant_us(after[2])
        # The first term is implied by the second, and is the one the index understands.
        where += f" AND account_id >= {account}"
        place = f"({account}, {ts}, {received_at}, {sql.text(after[3])})"
        where += f" AND (account_id, ts, received_at, uid) > {place}"
    read = [f"{slot_sql(slot)} AS {slot.name}" for slot in slots]
    return (
        f"SELECT {', '.join([*FIXED, *read])} FROM {TABLE} WHERE {where} "
        f"ORDER BY account_id, ts, received_at, uid LIMIT {int(limit)}"
    )


def accounts(org_id: str, parts: Sequence[MeterPart], window: Period) -> str:
    """Write the SELECT of the accounts that have measurements of these meters, in the engine's order."""
    meters = f"meter_id IN ({sql.uuids(part.meter_id for part in parts)})" if parts else "0"
    return (
        f"SELECT DISTINCT account_id FROM {TABLE} WHERE org_id = {sql.uuid(org_id)} AND {meters} "
        f"AND {inside(window)} ORDER BY account_id"
    )
