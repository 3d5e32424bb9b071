"""Bill grouping keys: which contracts of an account share a bill."""

from tallystick.organizations.pick_list import PICK_LIST_FILTERS, PickListEntry
from tallystick.platform.resources import resource


@resource(
    "picklists/billgroupingkeys",
    event="configuration.billgroupingkey",
    unique=("code",),
    filters=PICK_LIST_FILTERS,
)
class BillGroupingKey(PickListEntry, kw_only=True):
    """Joins what is billed under contracts: contracts of an account with the same key share bills.

    exclusive: each contract with it is billed by itself, and shares with none (semantics §21).
    """

    exclusive: bool
