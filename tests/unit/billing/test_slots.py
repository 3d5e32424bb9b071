"""When scheduled billing runs and bills are approved: local midnights, offsets, and clocks that change."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.billing.late import Closed
from tallystick.billing.slots import approved_at, grace_of, slots_of
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.organization_config import TimePeriodUnit, default_config


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(interval: str, offset: int | None = None, zone: str = "UTC") -> Any:
    changed = {
        "timezone": zone,
        "scheduled_bill_interval": Decimal(interval),
        "scheduled_bill_offset": offset,
    }
    return slots_of(msgspec.structs.replace(default_config(), **changed))


@pytest.mark.parametrize(
    ("interval", "offset", "zone", "at", "after", "latest"),
    [
        pytest.param(
            "0.25", None, "UTC", "2024-01-31T23:50", "2024-02-01T00:00", "2024-01-31T23:45", id="15 min"
        ),
        pytest.param(
            "6", None, "UTC", "2024-02-01T06:00", "2024-02-01T12:00", "2024-02-01T06:00", id="on a slot"
        ),
        pytest.param(
            "24", None, "UTC", "2024-02-01T00:01", "2024-02-02T00:00", "2024-02-01T00:00", id="daily"
        ),
        pytest.param(
            "24", 3, "Europe/Berlin", "2024-02-01T00:00", "2024-02-01T02:00", "2024-01-31T02:00", id="3 there"
        ),
        pytest.param(
            "24", 3, "Europe/Berlin", "2024-07-01T00:00", "2024-07-01T01:00", "2024-06-30T01:00", id="summer"
        ),
        # On March 31 Berlin's day has 23 hours: 0, 12, then the next midnight at 22 UTC
        pytest.param(
            "12", None, "Europe/Berlin", "2024-03-31T12:00", "2024-03-31T22:00", "2024-03-31T11:00", id="23 h"
        ),
    ],
)
def test_slots(interval: str, offset: int | None, zone: str, at: str, after: str, latest: str) -> None:
    found = slots(interval, offset, zone)
    assert (found.after(utc(at)), found.latest(utc(at))) == (utc(after), utc(latest))


def test_the_run_that_closes_a_period_is_the_first_from_its_end() -> None:
    assert slots("6").closing(utc("2024-02-01T00:00")) == utc("2024-02-01T00:00")
    assert slots("24", 5).closing(utc("2024-02-01T00:00")) == utc("2024-02-01T05:00")


def test_nothing_is_scheduled_without_an_interval() -> None:
    assert slots_of(default_config()) is None
    assert slots("0") is None


@pytest.mark.parametrize(
    ("unit", "minutes"),
    [(TimePeriodUnit.MINUTES, 90), (TimePeriodUnit.HOURS, 90 * 60), (TimePeriodUnit.DAYS, 129_600)],
)
def test_grace(unit: TimePeriodUnit, minutes: int) -> None:
    changed: Any = {"auto_approve_bills_grace_period": 90, "auto_approve_bills_grace_period_unit": unit}
    assert grace_of(msgspec.structs.replace(default_config(), **changed)) == timedelta(minutes=minutes)
    assert grace_of(default_config()) is None


def test_a_bill_is_approved_so_long_after_its_date_there() -> None:
    two_hours = timedelta(hours=2)
    assert approved_at(date(2024, 2, 1), UTC, two_hours) == utc("2024-02-01T02:00")
    assert approved_at(date(2024, 2, 1), parse_zone("Europe/Berlin"), two_hours) == utc("2024-02-01T01:00")


def test_late_usage_is_looked_for_every_hour_and_once_more_after_a_day() -> None:
    closed = Closed(utc("2024-02-01T00:00"), utc("2024-02-01T00:00"))
    assert closed.next_look(utc("2024-01-31T20:00")) == utc("2024-02-01T01:00")
    assert closed.next_look(utc("2024-02-01T01:00")) == utc("2024-02-01T02:00")
    assert closed.next_look(utc("2024-02-01T23:30")) == utc("2024-02-02T00:00")
    assert closed.next_look(utc("2024-02-02T00:00")) is None
