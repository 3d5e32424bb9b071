"""Drop old usage, unless a bill that may still change would lose what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import msgspec
from sqlalchemy import select

from tallystick.billing.bill import Bill, BillStatus
from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Conflict, Invalid
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.resources import resource_of
from tallystick.usage.upkeep import MonthStored, Upkeep, UsageStats

MOST_NAMED = 5


class UsageNeeded(Conflict):
    """Pending bills would lose usage that they are calculated from."""

    code = "usage_needed"


class UsageTooYoung(Invalid):
    """Usage of the future or of this month is not dropped."""

    code = "usage_too_young"


class Dropping(msgspec.Struct, frozen=True, rename="camel"):
    """The months that end on or before a date; of all organizations. before: the first day that stays."""

    before: date
    months: Sequence[MonthStored]

    @property
    def rows(self) -> int:
        """Measurements in these months."""
        return sum(month.rows for month in self.months)

    @property
    def bytes_on_disk(self) -> int:
        """Bytes that dropping them frees."""
        return sum(month.bytes_on_disk for month in self.months)


@dataclass(frozen=True)
class UsageRetention:
    """Measures stored usage, and drops whole months of it. Months are those of `ts` in UTC."""

    database: Database
    upkeep: Upkeep
    clock: Clock

    def stats(self) -> UsageStats:
        """Measure the store."""
        return self.upkeep.stats()

    def plan(self, before: date) -> Dropping:
        """Tell what dropping would drop. Raises UsageNeeded, UsageTooYoung."""
        if before > self.clock.now().astimezone(UTC).date():
            raise UsageTooYoung(
                "Usage can be dropped up to the month before this one: name a date in the past."
            )
        first = before.replace(day=1)
        months = [month for month in self.upkeep.months() if month.month < f"{first:%Y-%m}"]
        if months:
            self._check_unneeded(datetime.combine(first, time(), UTC))
        return Dropping(first, months)

    def drop(self, before: date) -> Dropping:
        """Drop the months that `plan` tells. Raises UsageNeeded, UsageTooYoung."""
        plan = self.plan(before)
        for month in plan.months:
            self.upkeep.drop(month.month)
        return plan

    def _check_unneeded(self, until: datetime) -> None:
        """Refuse when a pending bill's period begins before an instant. Raises UsageNeeded."""
        table = resource_of(Bill).table
        pending = (table.c.status == BillStatus.PENDING.value, table.c.start_date_time_utc < until)
        columns = (table.c.id, table.c.account_code, table.c.start_date)
        with self.database.reading(EVERY_ORGANIZATION) as tx:
            found = tx.execute(
                select(*columns).where(*pending).order_by(table.c.start_date, table.c.id)
            ).all()
        if found:
            named = "; ".join(f"{b.account_code} from {b.start_date} ({b.id})" for b in found[:MOST_NAMED])
            more = f"; and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
            raise UsageNeeded(
                f"{len(found):,} pending bill(s) would lose their usage: {named}{more}. "
                "Approve or delete them first, or drop less."
            )
