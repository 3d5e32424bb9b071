"""Why an amount is put on a bill by hand: pick lists of reasons (semantics §24)."""

from tallystick.organizations.pick_list import PICK_LIST_FILTERS, PickListEntry
from tallystick.platform.resources import resource


@resource(
    "picklists/creditreasons",
    event="configuration.creditreason",
    unique=("code",),
    filters=PICK_LIST_FILTERS,
)
class CreditReason(PickListEntry, kw_only=True):
    """Why a credit is given; an archived reason stays on old credits, and is refused on new ones."""


@resource(
    "picklists/debitreasons",
    event="configuration.debitreason",
    unique=("code",),
    filters=PICK_LIST_FILTERS,
)
class DebitReason(PickListEntry, kw_only=True):
    """Why a debit is asked for; an archived reason stays on old debits, and is refused on new ones."""
