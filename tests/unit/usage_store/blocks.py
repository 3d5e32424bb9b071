"""What tests of the usage store share: a clock that stands, blocks of uids, and sending them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pyarrow as pa

from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.model import Slot
from tallystick.usage.store.writer import GroupedWriter

METER, ACCOUNT = str(UUID(int=7)), str(UUID(int=8))
MARCH = datetime(2024, 3, 1, tzinfo=UTC)


def uids_block(org: str, uids: list[str], *, days: int = 1) -> pa.Table:
    """Rows of one account, a day apart modulo `days`."""
    return make_block(
        org_id=org,
        meter_ids=[METER] * len(uids),
        account_ids=[ACCOUNT] * len(uids),
        ts=[MARCH + timedelta(days=i % days) for i in range(len(uids))],
        uids=uids,
        fields={Slot.number(0): [Decimal(1)] * len(uids)},
    )


def send(writer: GroupedWriter, *blocks: pa.Table) -> list[list[bool]]:
    """Submit, wait, and give the duplicate flags of each block."""
    return [flags.tolist() for flags in writer.submit(list(blocks)).result(timeout=30)]
