"""Transaction types: what money was put into a balance, or taken out of it, for."""

from collections.abc import Iterator

from tallystick.kernel.problems import Problem
from tallystick.organizations.pick_list import PICK_LIST_FILTERS, PickListEntry
from tallystick.platform.resources import Transaction, resource


@resource(
    "picklists/transactiontypes",
    event="configuration.transactiontype",
    unique=("code",),
    filters=PICK_LIST_FILTERS,
)
class TransactionType(PickListEntry, kw_only=True):
    """A kind of balance transaction; an archived one stays on old ones, and is refused on new ones."""


def usable_type(tx: Transaction, type_id: str | None) -> Iterator[Problem]:
    """A transaction type that is chosen anew is not archived."""
    chosen = tx.find_one(TransactionType, id=type_id) if type_id else None
    if chosen is not None and chosen.archived:
        message = f"{chosen.name} is archived; choose another type, or bring it back"
        yield Problem("transactionTypeId", "archived", message)
