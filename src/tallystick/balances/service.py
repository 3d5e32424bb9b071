"""The ledger's verbs: transactions, schedules and their previews."""

from itertools import islice
from typing import TypeVar, cast

import msgspec
from sqlalchemy import ColumnElement

from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction, EntityType
from tallystick.balances.charge import Charge
from tallystick.balances.charge_schedule import BalanceChargeSchedule
from tallystick.balances.ledger import post_transaction
from tallystick.balances.transaction_schedule import BalanceTransactionSchedule
from tallystick.kernel.problems import Problem
from tallystick.organizations.organization_config import organization_zone
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Page, PageRequest, Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import ResourceNotFound, from_request, replace_versioned
from tallystick.platform.resources.wire import InvalidBody

S = TypeVar("S", bound=BalanceTransactionSchedule | BalanceChargeSchedule)
MOST_PREVIEWED = 100_000


class BalanceTransactionSchedulePreview(BalanceTransactionSchedule, kw_only=True):
    """A schedule that is not stored, with the transactions it would make, in the order of time."""

    data: list[BalanceTransaction] = []
    next_token: str | None = None


class BalanceChargeSchedulePreview(BalanceChargeSchedule, kw_only=True):
    """A schedule that is not stored, with the charges it would make, in the order of time."""

    data: list[Charge] = []
    next_token: str | None = None


# --- transactions -------------------------------------------------------------------------------


def add_transaction(
    tx: Transaction, balance_id: str, body: VersionedRequest, entity_type: EntityType
) -> BalanceTransaction:
    """Add what a caller puts in or takes out. Raises ResourceNotFound, InvalidBody."""
    entry = from_request(BalanceTransaction, body)
    made = msgspec.structs.replace(entry, entity_type=entity_type, entity_id=tx.actor)
    return post_transaction(tx, balance_id, made)


def page_of_transactions(
    tx: Transaction, balance_id: str, page: PageRequest, clauses: list[ColumnElement[bool]]
) -> Page[BalanceTransaction]:
    """List a balance's transactions, newest first. Raises ResourceNotFound."""
    balance = tx.get(Balance, balance_id)
    own = resource_of(BalanceTransaction).table.c.balance_id == balance.id
    return tx.page(BalanceTransaction, page, [own, *clauses])


# --- schedules ----------------------------------------------------------------------------------


def create_schedule(tx: Transaction, cls: type[S], balance_id: str, body: VersionedRequest) -> S:
    """Add a schedule to a balance; it runs from its start on, also where that has passed."""
    balance = tx.get(Balance, balance_id)
    return tx.create(msgspec.structs.replace(from_request(cls, body), balance_id=balance.id))


def get_schedule(
    tx: Transaction, cls: type[S], balance_id: str, schedule_id: str, *, lock: bool = False
) -> S:
    """Give a schedule of a balance. Raises ResourceNotFound."""
    found = tx.get(cls, schedule_id, lock=lock)
    if found.balance_id != balance_id.lower():
        raise ResourceNotFound(f"This balance has no {resource_of(cls).noun} with id {schedule_id!r}.")
    return found


def update_schedule(
    tx: Transaction, cls: type[S], balance_id: str, schedule_id: str, body: VersionedRequest
) -> S:
    """Replace a schedule; what it has made stays. Raises ResourceNotFound, InvalidBody, StaleVersion."""
    return replace_versioned(tx, get_schedule(tx, cls, balance_id, schedule_id, lock=True), body)


def delete_schedule(tx: Transaction, cls: type[S], balance_id: str, schedule_id: str) -> S:
    """Delete a schedule; what it has made stays. Raises ResourceNotFound."""
    return tx.delete(cls, get_schedule(tx, cls, balance_id, schedule_id).id)


def page_of_schedules(
    tx: Transaction, cls: type[S], balance_id: str, page: PageRequest, clauses: list[ColumnElement[bool]]
) -> Page[S]:
    """List a balance's schedules, newest first. Raises ResourceNotFound."""
    own = resource_of(cls).table.c.balance_id == tx.get(Balance, balance_id).id
    return tx.page(cls, page, [own, *clauses])


def preview_transactions(
    tx: Transaction, balance_id: str, body: VersionedRequest, first: int, size: int
) -> BalanceTransactionSchedulePreview:
    """Give a schedule with what it would put in, and store nothing. Raises ResourceNotFound, InvalidBody."""
    schedule = _checked(tx, BalanceTransactionSchedule, balance_id, body)
    zone = organization_zone(tx)
    runs = [*islice(schedule.instants(zone), first, first + size + 1)]
    made = [schedule.transaction(at) for at in runs[:size]]
    token = str(first + size) if len(runs) > size else None
    return BalanceTransactionSchedulePreview(**msgspec.structs.asdict(schedule), data=made, next_token=token)


def preview_charges(
    tx: Transaction, balance_id: str, body: VersionedRequest, first: int, size: int
) -> BalanceChargeSchedulePreview:
    """Give a schedule with what it would charge, and store nothing. Raises ResourceNotFound, InvalidBody."""
    schedule = _checked(tx, BalanceChargeSchedule, balance_id, body)
    zone = organization_zone(tx)
    balance = tx.get(Balance, balance_id)
    runs = [*islice(schedule.runs(zone), first, first + size + 1)]
    made = [schedule.charge(balance, run) for run in runs[:size]]
    token = str(first + size) if len(runs) > size else None
    return BalanceChargeSchedulePreview(**msgspec.structs.asdict(schedule), data=made, next_token=token)


def preview_place(token: str | None) -> int:
    """Read how many runs of a preview were shown before. Raises InvalidBody."""
    if token is None:
        return 0
    if token.isascii() and token.isdigit() and int(token) <= MOST_PREVIEWED:
        return int(token)
    raise InvalidBody([Problem("nextToken", "wrong_format", "is not a token of this preview")])


def _checked(tx: Transaction, cls: type[S], balance_id: str, body: VersionedRequest) -> S:
    balance = tx.get(Balance, balance_id)
    draft = msgspec.structs.replace(from_request(cls, body), id=new_id(), balance_id=balance.id)
    settled = cast("S", draft.settle(tx, None))
    problems = [*settled.check(), *settled.check_stored(tx, None)]
    if problems:
        raise InvalidBody(problems)
    return settled
