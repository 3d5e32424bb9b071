"""Load the contracts that things are billed under, with their grouping keys."""

from collections.abc import Iterable

from tallystick.accounts.contract import Contract
from tallystick.billing.due import Frame
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tallystick.platform.resources import Transaction


def load_frames(tx: Transaction, contract_ids: Iterable[str | None]) -> dict[str, Frame]:
    """Give contracts with their grouping keys, by the contract's id."""
    wanted = sorted({i for i in contract_ids if i})
    contracts = tx.find(Contract, id=wanted) if wanted else []
    key_ids = sorted({c.bill_grouping_key_id for c in contracts if c.bill_grouping_key_id})
    keys = {key.id: key for key in tx.find(BillGroupingKey, id=key_ids)} if key_ids else {}
    return {c.id: Frame(c, keys.get(c.bill_grouping_key_id or "")) for c in contracts}
