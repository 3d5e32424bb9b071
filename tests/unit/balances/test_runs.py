"""When schedules run (semantics §19, §4)."""

from datetime import UTC, date, datetime
from itertools import pairwise
from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.balances.runs import ScheduleFrequency, charge_runs, instants, run_id
from tallystick.kernel.periods import Period
from tallystick.kernel.zones import parse_zone


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "interval", "start", "end", "zone", "runs"),
    [
        pytest.param(
            "MONTHLY", 3, "2024-01-15", "2024-10-16", "UTC",
            ["2024-01-15", "2024-04-15", "2024-07-15", "2024-10-15"], id="quarterly",
        ),
        pytest.param("MONTHLY", 3, "2024-01-15", "2024-10-15", "UTC",
            ["2024-01-15", "2024-04-15", "2024-07-15"], id="the end is exclusive"),
        pytest.param("MONTHLY", 1, "2024-01-31", "2024-04-01", "UTC",
            ["2024-01-31", "2024-02-29", "2024-03-31"], id="month ends from the start"),
        pytest.param("WEEKLY", 2, "2024-01-01", "2024-02-01", "UTC",
            ["2024-01-01", "2024-01-15", "2024-01-29"], id="every second week"),
        pytest.param("ANNUALLY", 1, "2024-02-29", "2026-03-01", "UTC",
            ["2024-02-29", "2025-02-28", "2026-02-28"], id="leap day"),
        pytest.param("DAILY", 1, "2024-03-30T08:00", "2024-04-01T07:30", "Europe/Berlin",
            ["2024-03-30T08:00", "2024-03-31T07:00", "2024-04-01T07:00"], id="nine o'clock in Berlin"),
    ],
)  # fmt: skip
def test_instants(frequency: str, interval: int, start: str, end: str, zone: str, runs: list[str]) -> None:
    place = parse_zone(zone)
    cycle = ScheduleFrequency(frequency).cycle(at(start).astimezone(place).date(), interval)
    assert [*instants(at(start), at(end), cycle, place)] == [at(run) for run in runs]


def test_a_schedule_that_never_ends_stops_with_the_calendar() -> None:
    cycle = ScheduleFrequency.ANNUALLY.cycle(date(9990, 1, 1), 1)
    assert len([*instants(at("9990-01-01"), datetime.max.replace(tzinfo=UTC), cycle, UTC)]) == 9


@pytest.mark.parametrize(
    ("in_advance", "start", "end", "days"),
    [
        pytest.param(False, "2024-01-10", "2024-03-10", ["02-01", "03-01", "03-10"], id="in arrears"),
        pytest.param(True, "2024-01-10", "2024-03-10", ["01-10", "02-01", "03-01"], id="in advance"),
        pytest.param(False, "2024-01-01", "2024-02-01", ["02-01"], id="a whole month"),
        pytest.param(False, "2024-01-01", "2024-02-01T12:00", ["02-01", "02-01"], id="half a day more"),
    ],
)
def test_charge_runs(in_advance: bool, start: str, end: str, days: list[str]) -> None:  # noqa: FBT001 - a table
    cycle = ScheduleFrequency.MONTHLY.cycle(date(2024, 1, 1), 1)
    runs = [*charge_runs(Period(at(start), at(end)), cycle, UTC, in_advance=in_advance)]
    assert [run.bill_date.strftime("%m-%d") for run in runs] == days
    assert (runs[0].service.start, runs[-1].service.end) == (at(start), at(end))


@given(st.dates(date(2024, 1, 1), date(2024, 12, 31)), st.integers(1, 400), st.integers(1, 40), st.booleans())
def test_charges_cover_the_service_period_without_gap(
    start: date,
    days: int,
    interval: int,
    in_advance: bool,  # noqa: FBT001 - a property
) -> None:
    begins = at(start.isoformat())
    service = Period(begins, at(date.fromordinal(start.toordinal() + days).isoformat()))
    cycle = ScheduleFrequency.DAILY.cycle(date(2024, 1, 1), interval)
    runs = [*charge_runs(service, cycle, UTC, in_advance=in_advance)]
    assert (runs[0].service.start, runs[-1].service.end) == (service.start, service.end)
    assert all(one.service.end == other.service.start for one, other in pairwise(runs))
    assert [run.at for run in runs] == sorted({run.at for run in runs})


def test_a_run_has_one_id_in_the_order_of_time() -> None:
    schedule = str(uuid5(NAMESPACE_OID, "a schedule"))
    ids = [run_id(schedule, at(f"2024-0{month}-01")) for month in (1, 2, 3)]
    assert ids == sorted(ids)
    assert ids[0] == run_id(schedule, at("2024-01-01"))
    assert len({*ids, run_id(str(uuid5(NAMESPACE_OID, "another")), at("2024-01-01"))}) == 4
    assert {len(each) for each in ids} == {36}
