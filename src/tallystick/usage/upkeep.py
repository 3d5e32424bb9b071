"""How much usage is stored, by month and organization, and the dropping of whole months."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec

from tallystick.kernel.decimals import RoundingMode, divide, round_to
from tallystick.platform.clickhouse.transport import ClickHouse, Lane
from tallystick.usage.store import queries, schema


class MonthStored(msgspec.Struct, frozen=True, rename="camel"):
    """One month of `ts`, as `2025-01`, of all organizations. bytes_on_disk: compressed, with indexes."""

    month: str
    rows: int
    bytes_on_disk: int
    parts: int


class OrganizationStored(msgspec.Struct, frozen=True, rename="camel"):
    """How many measurements of one month an organization has."""

    org_id: str
    month: str
    rows: int


class UsageStats(msgspec.Struct, frozen=True, rename="camel"):
    """The whole store. bytes_per_event: None while it is empty. Months oldest first."""

    rows: int
    bytes_on_disk: int
    parts: int
    bytes_per_event: Decimal | None
    months: Sequence[MonthStored]
    organizations: Sequence[OrganizationStored]


class Upkeep:
    """Measures the usage store and drops months of it; decides nothing. Raises ClickHouseUnavailable."""

    def __init__(self, clickhouse: ClickHouse, cluster: str | None = None) -> None:
        self._clickhouse = clickhouse
        self._cluster = cluster

    def stats(self) -> UsageStats:
        """Measure the store."""
        months = self.months()
        rows, size = sum(m.rows for m in months), sum(m.bytes_on_disk for m in months)
        each = round_to(divide(Decimal(size), Decimal(rows)), 1, RoundingMode.HALF_UP) if rows else None
        return UsageStats(rows, size, sum(m.parts for m in months), each, months, self._organizations())

    def months(self) -> list[MonthStored]:
        """Measure each month that has measurements, oldest first."""
        selected = "toUInt32(partition) AS month, sum(rows) AS r, sum(bytes_on_disk) AS b, count() AS p"
        answer = self._clickhouse.read(
            f"{queries.parts(selected, self._cluster)} GROUP BY month ORDER BY month"
        )
        columns = (answer[name].to_pylist() for name in ("month", "r", "b", "p"))
        return [MonthStored(_named(m), int(r), int(b), int(p)) for m, r, b, p in zip(*columns, strict=True)]

    def drop(self, month: str) -> None:
        """Drop a month of all organizations, for good; harmless to repeat. month: `2025-01`."""
        number = int(date.fromisoformat(f"{month}-01").strftime("%Y%m"))
        self._clickhouse.execute(schema.drop_month(number, self._cluster))

    def _organizations(self) -> list[OrganizationStored]:
        answer = self._clickhouse.read(
            f"SELECT org_id, toUInt32(toYYYYMM(ts)) AS month, count() AS r FROM {schema.TABLE}"  # noqa: S608 - our own name
            " GROUP BY org_id, month ORDER BY month, r DESC, org_id",
            lane=Lane.SCAN,
        )
        columns = (answer[name].to_pylist() for name in ("org_id", "month", "r"))
        return [OrganizationStored(str(o), _named(m), int(r)) for o, m, r in zip(*columns, strict=True)]


def _named(month: int) -> str:
    return f"{month // 100:04}-{month % 100:02}"
