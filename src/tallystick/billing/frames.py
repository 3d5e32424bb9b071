"""Load the contracts that things are billed under, with their grouping keys."""

from collections.abc import Iterable

from tallystick.accounts.contract import Contract
from tallystick.billing.due import Frame
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tallystick.platform.resources import Transaction


def load_frames(tx: Transaction, contract_ids: Iterable[str | None]) -> dict[str, Frame]:
    """Give contracts with their grouping keys, by the contract's id."""
    contracts = tx.by_id(Contract, contract_ids)
    keys = tx.by_id(BillGroupingKey, (c.bill_grouping_key_id for c in contracts.values()))
    return {i: Frame(c, keys.get(c.bill_grouping_key_id or "")) for i, c in contracts.items()}
