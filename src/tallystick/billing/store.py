"""Bills and lines in the database, many at a time. Decides nothing.

Rows go in as one JSON text that PostgreSQL turns into rows: as fast as COPY, which row-level security
does not allow, and exact, for JSON numbers become numeric digit by digit.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Table, TextClause, delete, func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.dialects.postgresql.base import PGDialect

from tallystick.billing.bill import Bill
from tallystick.billing.bill_sequence import bill_sequences
from tallystick.billing.calculate.inputs import BillInputs
from tallystick.billing.diff import Existing
from tallystick.billing.line_item import LineItem
from tallystick.platform.resources import Entity, Transaction, resource_of
from tallystick.platform.resources.rows import among
from tallystick.platform.resources.wire import encode_whole

Rows = Iterable[Mapping[str, Any]]


def lock_bills(tx: Transaction) -> None:
    """Let one writer at a time make bills of this organization, until the transaction ends.

    So two runs at once cannot both find a bill missing; the unique key would refuse the second one.
    """
    tx.execute(_LOCK, {"name": f"tallystick.bills.{tx.org_id}"})


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def forget_plans(tx: Transaction) -> None:
    """Let PostgreSQL plan anew what it does on this connection, such as checking foreign keys.

    A plan that it made while bills were few reads all bills of the organization for each new line, and
    stays until the tables are analyzed: the first run of 20,000 bills spent most of its time on that.
    """
    tx.execute(_FORGET)


_FORGET = text("DISCARD PLANS")


def existing_bills(
    tx: Transaction, wanted: Sequence[BillInputs], *, lock: bool = True
) -> dict[tuple[Any, ...], Existing]:
    """Load the stored bills of these accounts and periods with their lines, by `bill_key`."""
    return stored_bills(tx, {(w.account.id, w.head.dates.end) for w in wanted}, lock=lock)


def stored_bills(
    tx: Transaction, wanted: Collection[tuple[str, date]], *, lock: bool = False
) -> dict[tuple[Any, ...], Existing]:
    """Load the stored bills of these accounts and ends with their lines, by `bill_key`."""
    if not wanted:
        return {}
    table = resource_of(Bill).table
    accounts = sorted({account_id for account_id, _ in wanted})
    ends = sorted({end for _, end in wanted})
    statement = tx.select(Bill, among(table.c.account_id, accounts), table.c.end_date.in_(ends))
    bills = tx.load(Bill, statement.with_for_update() if lock else statement)
    lines = lines_by_bill(tx, [bill.id for bill in bills])
    return {bill_key(bill): Existing(bill, {line.id: line for line in lines[bill.id]}) for bill in bills}


def bill_key(bill: Bill) -> tuple[Any, ...]:
    """Give what no two bills share."""
    return bill.account_id, bill.grouping, bill.end_date


def key_of(inputs: BillInputs) -> tuple[Any, ...]:
    """Give the `bill_key` of the bill that these are the inputs of."""
    head = inputs.head
    return inputs.account.id, head.grouping, head.dates.end


def lines_by_bill(tx: Transaction, bill_ids: Sequence[str]) -> dict[str, list[LineItem]]:
    """Load the lines of bills, in their order on the bill."""
    lines: dict[str, list[LineItem]] = defaultdict(list)
    if bill_ids:
        table = resource_of(LineItem).table
        found = tx.select(LineItem, among(table.c.bill_id, bill_ids))
        in_order = found.order_by(None).order_by(table.c.bill_id, table.c.sequence_number)
        for line in tx.load(LineItem, in_order):
            lines[line.bill_id].append(line)
    return lines


def insert_entities(tx: Transaction, cls: type[Entity], entities: Sequence[Entity]) -> None:
    """Store many new entities in one statement."""
    if entities:
        tx.execute(_insert_entities(cls), {"org_id": tx.org_id, "rows": encode_whole(entities)})


def update_entities(tx: Transaction, cls: type[Entity], entities: Sequence[Entity]) -> None:
    """Replace many stored entities, by id, in one statement."""
    if entities:
        tx.execute(_update_entities(cls), {"org_id": tx.org_id, "rows": encode_whole(entities)})


def insert_rows(tx: Transaction, table: Table, rows: Rows) -> None:
    """Store many new rows of this organization in one statement; `org_id` is added to each."""
    found = list(rows)
    if found:
        tx.execute(_insert(table), {"rows": _as_json(tx.org_id, found)})


def delete_lines(tx: Transaction, line_ids: Sequence[str]) -> None:
    """Remove lines by id."""
    table = resource_of(LineItem).table
    if line_ids:
        tx.execute(delete(table).where(table.c.org_id == tx.org_id, among(table.c.id, line_ids)))


def delete_lines_of(tx: Transaction, bill_id: str) -> None:
    """Remove all lines of a bill."""
    table = resource_of(LineItem).table
    tx.execute(delete(table).where(table.c.org_id == tx.org_id, table.c.bill_id == bill_id))


def take_numbers(tx: Transaction, prefix: str, start: int, wanted: int) -> range:
    """Take the next `wanted` invoice numbers: without gaps, for the row stays locked until the end.

    start: the configured number before the first. A lower one than was given under the prefix already does
    not go back: no number is given twice (semantics §3, decision 0029).
    """
    table = bill_sequences
    fresh = upsert(table).values(org_id=tx.org_id, prefix=prefix, last_number=start + wanted)
    last = func.greatest(table.c.last_number, start) + wanted
    taken = fresh.on_conflict_do_update(index_elements=["org_id", "prefix"], set_={"last_number": last})
    end = tx.execute(taken.returning(table.c.last_number)).scalar_one() + 1
    return range(end - wanted, end)


def _as_json(org_id: str, rows: Rows) -> str:
    """Write rows as JSON; what is left out of it becomes NULL, so nulls need not be sent and read."""
    return encode_whole(
        [{"org_id": org_id, **{name: v for name, v in row.items() if v is not None}} for row in rows]
    )


@cache
def _insert(table: Table) -> TextClause:
    columns = ", ".join(f'"{c.name}"' for c in table.columns if c.server_default is None)
    source = f'json_populate_recordset(NULL::"{table.name}", CAST(:rows AS json))'
    statement = f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {source}'  # noqa: S608 - own names
    return text(statement)


@cache
def _insert_entities(cls: type[Entity]) -> TextClause:
    name, fields = resource_of(cls).table.name, resource_of(cls).fields
    columns = ", ".join(f'"{field.name}"' for field in fields)
    given = ", ".join(f'r."{field.wire_name}"' for field in fields)
    chosen = f"SELECT CAST(:org_id AS uuid), {given} FROM {_entities(cls)}"  # noqa: S608 - own names
    return text(f'INSERT INTO "{name}" (org_id, {columns}) {chosen}')


@cache
def _update_entities(cls: type[Entity]) -> TextClause:
    declared = resource_of(cls)
    name, fields = declared.table.name, [f for f in declared.fields if f.name != "id"]
    assigned = ", ".join(f'"{field.name}" = r."{field.wire_name}"' for field in fields)
    own = f'"{name}".org_id = CAST(:org_id AS uuid) AND "{name}".id = r.id'
    return text(f'UPDATE "{name}" SET {assigned} FROM {_entities(cls)} WHERE {own}')  # noqa: S608 - own names


def _entities(cls: type[Entity]) -> str:
    """Read entities from JSON as the API writes them: nothing has to be made of them before."""
    declared, dialect = resource_of(cls), PGDialect()  # type: ignore[no-untyped-call]
    types = {field.wire_name: declared.table.c[field.name].type for field in declared.fields}
    columns = ", ".join(f'"{name}" {kind.compile(dialect)}' for name, kind in types.items())
    return f"json_to_recordset(CAST(:rows AS json)) AS r({columns})"
