"""Counter adjustments: what a counter of an account counts from a day on."""

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import ColumnElement, Table, func, literal, select, tuple_

from tallystick.accounts.account import Account
from tallystick.catalogue.counter import Counter
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    By,
    Entity,
    Id,
    Page,
    PageRequest,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.filters import Values
from tallystick.platform.resources.pages import to_token
from tallystick.platform.resources.wire import InvalidBody, reader

LARGEST_VALUE = 2**31 - 1
DATE_FILTERS = ("date", "dateStart", "dateEnd", "endDateStart", "endDateEnd")


class SortOrder(StrEnum):
    """Which way a list is sorted by date."""

    ASC = "ASC"
    DESC = "DESC"


@resource(
    "counteradjustments",
    event="billing.counteradjustment",
    unique=(("counter_id", "account_id", "date"),),
    verbs=("create", "get", "update", "delete"),
)
class CounterAdjustment(Entity, kw_only=True):
    """The new absolute value of a counter from a day on; one a day (semantics §16)."""

    counter_id: Annotated[Id, Ref(Counter)]
    account_id: Annotated[Id, Ref(Account)]
    date: date
    value: Annotated[int, Meta(ge=0, le=LARGEST_VALUE)]
    "What is counted from this day on, not the change: 15 to 20 is sent as 20."
    purchase_order_number: Annotated[str, Meta(max_length=100)] | None = None


def list_adjustments(
    tx: Transaction, page: PageRequest, order: SortOrder | None, clauses: list[ColumnElement[bool]]
) -> Page[CounterAdjustment]:
    """List one page: newest first, or by date when an order is given."""
    if order is None:
        return tx.page(CounterAdjustment, page, clauses)
    table = resource_of(CounterAdjustment).table
    place = tuple_(table.c.date, table.c.id)
    if page.after is not None:
        last = tx.find_one(CounterAdjustment, id=page.after)
        if last is None:
            raise InvalidBody([Problem("nextToken", "wrong_format", "this list has changed; start again")])
        after = tuple_(literal(last.date), literal(last.id, table.c.id.type))
        clauses = [*clauses, place > after if order is SortOrder.ASC else place < after]
    seen = tx.visible(CounterAdjustment)
    statement = tx.select(CounterAdjustment, *clauses, *seen).order_by(None)
    columns = (table.c.date, table.c.id)
    ordered = statement.order_by(*(c.asc() if order is SortOrder.ASC else c.desc() for c in columns))
    found = tx.load(CounterAdjustment, ordered.limit(page.size + 1))
    more = len(found) > page.size
    return Page(found[: page.size], to_token(found[page.size - 1].id) if more else None)


def adjustment_clauses(values: Values, now: datetime) -> list[ColumnElement[bool]]:
    """Read the filters of the list: a counter always, and an account for filters by date (semantics §1).

    An adjustment holds until the account's next one of the same counter: that one's date ends it. Starts
    are inclusive, ends exclusive. Raises InvalidBody.
    """
    problems: list[Problem] = []
    if not values.get("counterId", [""])[0]:
        problems.append(Problem("counterId", "required", "is required: name the counter"))
    given = [name for name in DATE_FILTERS if values.get(name, [""])[0]]
    if given and not values.get("accountId", [""])[0]:
        problems.append(Problem("accountId", "required", f"is required with {', '.join(given)}"))
    days = {name: _day(name, values[name][0], problems) for name in given}
    if problems:
        raise InvalidBody(problems)
    return [*_clauses(resource_of(CounterAdjustment).table, values, days, now)]


def _clauses(
    table: Table, values: Values, days: dict[str, date], now: datetime
) -> Iterator[ColumnElement[bool]]:
    for own in (By("counterId", "counter_id"), By("accountId", "account_id")):
        yield from own.clauses(table, {k: v for k, v in values.items() if v[0]}, now)
    later = table.alias("later")
    same = (getattr(later.c, name) == table.c[name] for name in ("org_id", "counter_id", "account_id"))
    ended = select(func.min(later.c.date)).where(*same, later.c.date > table.c.date).scalar_subquery()
    conditions: dict[str, Any] = {
        "date": lambda day: table.c.date == day,
        "dateStart": lambda day: table.c.date >= day,
        "dateEnd": lambda day: table.c.date < day,
        "endDateStart": lambda day: ended >= day,
        "endDateEnd": lambda day: ended < day,
    }
    for name, day in days.items():
        yield conditions[name](day)


def _day(name: str, given: str, problems: list[Problem]) -> Any:
    return reader(date)(given, name, problems)
