"""Spans, midnights, and billing periods that tile time (semantics §4)."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallystick.kernel.errors import InvariantBroken
from tallystick.kernel.periods import (
    FOREVER,
    LAST_DATE,
    BillingCycle,
    BillingFrequency,
    BillingPeriod,
    DateSpan,
    FrequencyWithoutPeriods,
    IntervalOutOfRange,
    Period,
    billing_period,
    billing_periods,
    latest_period_closed_by,
    local_date,
    period_containing,
    period_ending,
    start_of_day,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    UTC,
    timezone(timedelta(hours=14)),
    timezone(timedelta(hours=-12)),
    BERLIN,
    ZoneInfo("America/Sao_Paulo"),  # skipped midnight each spring until 2018
    ZoneInfo("America/Havana"),  # skips midnight, and has it twice
    ZoneInfo("America/St_Johns"),  # changed at one minute past midnight until 2011
    ZoneInfo("Asia/Beirut"),
    ZoneInfo("Africa/Cairo"),
]
DATES = st.dates(date(1990, 1, 1), date(2090, 1, 1))
CYCLES = st.builds(
    BillingCycle,
    epoch=DATES,
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "ANNUALLY"]).map(BillingFrequency),
    interval=st.integers(1, 14) | st.integers(1, 365),
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def span(start: str, end: str) -> DateSpan:
    return DateSpan(day(start), day(end))


def cycle(epoch: str, frequency: str = "MONTHLY", interval: int = 1) -> BillingCycle:
    return BillingCycle(day(epoch), BillingFrequency(frequency), interval)


# --- spans -------------------------------------------------------------------------------------

JANUARY = Period(utc("2024-01-01"), utc("2024-02-01"))


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2023-12-31T23:59:59.999999", False),
        ("2024-01-01", True),
        ("2024-01-31T23:59:59.999999", True),
        ("2024-02-01", False),
    ],
)
def test_a_period_holds_its_start_and_not_its_end(instant: str, *, inside: bool) -> None:
    assert JANUARY.contains(utc(instant)) is inside


@pytest.mark.parametrize(
    ("start", "end", "common"),
    [
        pytest.param("2024-01-10", "2024-01-20", ("2024-01-10", "2024-01-20"), id="inside"),
        pytest.param("2023-12-01", "2024-01-20", ("2024-01-01", "2024-01-20"), id="reaches in"),
        pytest.param("2024-01-10", "2024-03-01", ("2024-01-10", "2024-02-01"), id="reaches out"),
        pytest.param("2024-02-01", "2024-03-01", None, id="touches"),
        pytest.param("2024-03-01", "2024-04-01", None, id="after"),
        pytest.param("2023-03-01", "2023-04-01", None, id="before"),
    ],
)
def test_intersect(start: str, end: str, common: tuple[str, str] | None) -> None:
    both = JANUARY.intersect(Period(utc(start), utc(end)))
    days = span("2024-01-01", "2024-02-01").intersect(span(start, end))
    assert both.is_empty is days.is_empty is (common is None)
    if common:
        assert both == Period(utc(common[0]), utc(common[1]))
        assert days == span(*common)


def test_a_missing_end_never_comes() -> None:
    endless = Period.of(utc("2024-01-01"), None)
    assert endless.is_endless
    assert endless.contains(utc("9998-12-31"))
    assert endless.local_dates(BERLIN) == DateSpan.of(day("2024-01-01"), None)
    assert DateSpan.of(day("2024-01-01"), None).instants(UTC) == endless
    assert not Period.of(utc("2024-01-01"), utc("2024-01-02")).is_endless


def test_an_end_before_the_start_leaves_nothing() -> None:
    assert Period.of(utc("2024-01-02"), utc("2024-01-01")).is_empty
    assert DateSpan.of(day("2024-01-02"), day("2024-01-01")).is_empty


def test_spans_that_run_backwards_or_off_utc_are_bugs() -> None:
    with pytest.raises(InvariantBroken, match="before its start"):
        Period(utc("2024-01-02"), utc("2024-01-01"))
    with pytest.raises(InvariantBroken, match="before its start"):
        span("2024-01-02", "2024-01-01")
    with pytest.raises(InvariantBroken, match="not in UTC"):
        Period(utc("2024-01-01").astimezone(BERLIN), utc("2024-01-02"))
    with pytest.raises(InvariantBroken, match="not in UTC"):
        Period(utc("2024-01-01"), datetime(2024, 1, 2))  # noqa: DTZ001 - a naive one is the point


def test_days_and_the_last_of_them() -> None:
    leap = span("2024-02-01", "2024-03-01")
    assert (leap.days, leap.last_date) == (29, day("2024-02-29"))
    assert leap.contains(day("2024-02-29"))
    assert not leap.contains(day("2024-03-01"))
    with pytest.raises(InvariantBroken, match="no last day"):
        _ = span("2024-02-01", "2024-02-01").last_date


# --- local days --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        pytest.param("UTC", "2024-03-31", "2024-03-31T00:00", id="utc"),
        pytest.param("Europe/Berlin", "2024-01-01", "2023-12-31T23:00", id="winter"),
        pytest.param("Europe/Berlin", "2024-07-01", "2024-06-30T22:00", id="summer"),
        pytest.param("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", id="0:00 is skipped to 1:00"),
        pytest.param("America/Havana", "2024-11-03", "2024-11-03T04:00", id="0:00 comes twice, the first"),
        pytest.param("America/St_Johns", "2010-11-07", "2010-11-07T02:30", id="0:01 falls back to 23:01"),
        pytest.param("America/Toronto", "1919-03-31", "1919-03-31T04:30", id="23:30 jumps to 0:30"),
        pytest.param("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", id="a day that never was"),
        pytest.param("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", id="and the day after it"),
    ],
)
def test_start_of_day(zone: str, local: str, instant: str) -> None:
    assert start_of_day(day(local), ZoneInfo(zone)) == utc(instant)


def test_a_day_of_23_hours_is_a_day() -> None:
    whole = Period(utc("2024-03-30T23:00"), utc("2024-03-31T22:00"))
    assert span("2024-03-31", "2024-04-01").instants(BERLIN) == whole
    assert whole.local_dates(BERLIN).days == 1


def test_a_day_that_changes_hands_belongs_to_the_later_one() -> None:
    noon = utc("2024-01-10T12:00")
    old = Period(utc("2024-01-01"), noon).local_dates(UTC)
    new = Period(noon, utc("2024-02-01")).local_dates(UTC)
    assert (old, new) == (span("2024-01-01", "2024-01-10"), span("2024-01-10", "2024-02-01"))


@given(start=DATES, days=st.integers(0, 400), zone=st.sampled_from(ZONES))
def test_dates_to_instants_and_back(start: date, days: int, zone: tzinfo) -> None:
    dates = DateSpan(start, start + timedelta(days=days))
    assert dates.instants(zone).local_dates(zone) == dates


@given(local=DATES, zone=st.sampled_from(ZONES))
def test_a_day_starts_at_its_first_instant(local: date, zone: tzinfo) -> None:
    start = start_of_day(local, zone)
    assert local_date(start, zone) == local
    assert local_date(start - timedelta(microseconds=1), zone) < local


@given(local=DATES, zone=st.sampled_from(ZONES))
def test_days_tile_instants(local: date, zone: tzinfo) -> None:
    one, next_one = (DateSpan(d, d + timedelta(days=1)).instants(zone) for d in (local, local + timedelta(1)))
    assert one.end == next_one.start
    assert timedelta(hours=22) < one.end - one.start < timedelta(hours=26)


def test_the_end_of_time_is_the_same_everywhere() -> None:
    assert {start_of_day(LAST_DATE, zone) for zone in ZONES} == {FOREVER}


# --- boundaries --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "dates"),
    [
        pytest.param(cycle("2022-01-02", "DAILY"), "2022-01-02 2022-01-03 2022-01-04", id="daily"),
        pytest.param(cycle("2022-01-15", "WEEKLY"), "2022-01-15 2022-01-22 2022-01-29", id="saturdays"),
        pytest.param(cycle("2022-02-15"), "2022-02-15 2022-03-15 2022-04-15", id="monthly"),
        pytest.param(cycle("2023-01-01", "ANNUALLY"), "2023-01-01 2024-01-01 2025-01-01", id="annually"),
        pytest.param(cycle("2022-01-01", "MONTHLY", 3), "2022-01-01 2022-04-01 2022-07-01", id="quarterly"),
        pytest.param(cycle("2022-01-04", "WEEKLY", 2), "2022-01-04 2022-01-18 2022-02-01", id="fortnights"),
        pytest.param(cycle("2023-01-31"), "2023-01-31 2023-02-28 2023-03-31 2023-04-30", id="month ends"),
        pytest.param(cycle("2023-12-31"), "2023-12-31 2024-01-31 2024-02-29", id="a leap February"),
        pytest.param(
            cycle("2020-02-29", "ANNUALLY"),
            "2020-02-29 2021-02-28 2022-02-28 2023-02-28 2024-02-29",
            id="a leap day's years",
        ),
    ],
)
def test_boundary(made: BillingCycle, dates: str) -> None:
    expected = [day(d) for d in dates.split()]
    assert [made.boundary(n) for n in range(len(expected))] == expected


def test_boundaries_step_back_too() -> None:
    assert [cycle("2023-03-31").boundary(-n) for n in (1, 2, 3)] == [
        day("2023-02-28"),
        day("2023-01-31"),
        day("2022-12-31"),
    ]


@pytest.mark.parametrize(
    ("local", "number"),
    [("2023-01-30", -1), ("2023-01-31", 0), ("2023-02-27", 0), ("2023-02-28", 1), ("2023-03-30", 1)],
)
def test_number_at_a_clamped_month_end(local: str, number: int) -> None:
    assert cycle("2023-01-31").number_at(day(local)) == number


@pytest.mark.parametrize("frequency", ["DAILY", "ANNUALLY"])
def test_boundaries_stay_inside_the_calendar(frequency: str) -> None:
    far = cycle("2022-01-01", frequency, 365)
    assert (far.boundary(10**6), far.boundary(-(10**6))) == (LAST_DATE, date.min)
    last = period_containing(far, day("2022-01-01"), day("9998-12-31"))
    assert last is not None
    assert last.dates.contains(day("9998-12-31"))


@pytest.mark.parametrize("frequency", ["AD_HOC", "MIXED"])
def test_a_frequency_without_periods_is_refused(frequency: str) -> None:
    with pytest.raises(FrequencyWithoutPeriods) as caught:
        cycle("2022-01-01", frequency)
    assert caught.value.code == "frequency_without_periods"


@pytest.mark.parametrize("interval", [0, -1, 366])
def test_an_interval_out_of_range_is_refused(interval: int) -> None:
    with pytest.raises(IntervalOutOfRange) as caught:
        cycle("2022-01-01", "MONTHLY", interval)
    assert caught.value.code == "interval_out_of_range"


@given(made=CYCLES, number=st.integers(-30, 30), between=st.integers(-30, 30))
def test_the_nth_boundary_does_not_depend_on_the_path(made: BillingCycle, number: int, between: int) -> None:
    """A cycle re-anchored at one of its own boundaries agrees, unless that one was clamped."""
    anchor = made.boundary(between)
    assume(date.min < anchor < LAST_DATE)
    if anchor.day == made.epoch.day or made.frequency in ("DAILY", "WEEKLY"):
        moved = BillingCycle(anchor, made.frequency, made.interval)
        assert moved.boundary(number) == made.boundary(between + number)


@given(made=CYCLES, local=DATES)
def test_number_at_finds_the_boundaries_around_a_day(made: BillingCycle, local: date) -> None:
    number = made.number_at(local)
    assert made.boundary(number) <= local < made.boundary(number + 1)


# --- billing periods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "starting", "until", "starts"),
    [
        pytest.param(
            cycle("2022-01-01"), "2024-01-01", "2024-03-01", "2024-01-01 2024-02-01 2024-03-01", id="aligned"
        ),
        pytest.param(
            cycle("2022-02-15"),
            "2022-01-01",
            "2022-03-20",
            "2022-01-01 2022-02-15 2022-03-15 2022-04-15",
            id="starts before the epoch: one first bill up to it",
        ),
        pytest.param(
            cycle("2022-01-01"),
            "2024-01-20",
            "2024-02-02",
            "2024-01-20 2024-02-01 2024-03-01",
            id="starts mid-period: a stub",
        ),
        pytest.param(
            cycle("2024-01-01"), "2024-01-01", "2024-01-02", "2024-01-01 2024-02-01", id="on the epoch"
        ),
        pytest.param(
            cycle("2023-01-01", "ANNUALLY"),
            "2022-01-01",
            "2024-06-01",
            "2022-01-01 2023-01-01 2024-01-01 2025-01-01",
            id="years",
        ),
    ],
)
def test_billing_periods(made: BillingCycle, starting: str, until: str, starts: str) -> None:
    expected = [
        BillingPeriod(n, DateSpan(a, b)) for n, (a, b) in enumerate(pairwise(map(day, starts.split())))
    ]
    assert list(billing_periods(made, day(starting), day(until))) == expected


def test_nothing_is_billed_up_to_the_start() -> None:
    assert list(billing_periods(cycle("2022-01-01"), day("2024-01-20"), day("2024-01-20"))) == []


@pytest.mark.parametrize(
    ("last_date", "number"),
    [
        pytest.param("2024-01-31", 0, id="the stub"),
        pytest.param("2024-02-29", 1, id="a whole month"),
        pytest.param("2024-02-28", None, id="not a last day"),
        pytest.param("2023-12-31", None, id="before the start"),
    ],
)
def test_period_ending(last_date: str, number: int | None) -> None:
    found = period_ending(cycle("2022-01-01"), day("2024-01-20"), day(last_date))
    assert (found.number if found else None) == number
    if found:
        assert found.last_date == day(last_date)


@pytest.mark.parametrize(
    ("bill_date", "dates"),
    [
        pytest.param("2023-05-01", None, id="before the start"),
        pytest.param("2024-01-31", None, id="the first is still open"),
        pytest.param("2024-02-01", ("2024-01-20", "2024-02-01"), id="closed this very day"),
        pytest.param("2024-02-29", ("2024-01-20", "2024-02-01"), id="the second is still open"),
        pytest.param("2024-03-01", ("2024-02-01", "2024-03-01"), id="the second closed"),
    ],
)
def test_latest_period_closed_by(bill_date: str, dates: tuple[str, str] | None) -> None:
    closed = latest_period_closed_by(cycle("2022-01-01"), day("2024-01-20"), day(bill_date))
    assert (closed.dates if closed else None) == (span(*dates) if dates else None)


def test_no_period_comes_before_the_first() -> None:
    with pytest.raises(InvariantBroken, match="from 0"):
        billing_period(cycle("2022-01-01"), day("2024-01-20"), -1)


@given(made=CYCLES, starting=DATES)
def test_billing_periods_tile_time(made: BillingCycle, starting: date) -> None:
    until = min(made.boundary(made.number_at(starting) + 12), LAST_DATE)
    periods = list(takewhile(lambda p: p.number < 12, billing_periods(made, starting, until)))
    assert [p.number for p in periods] == list(range(len(periods)))
    assert periods[0].dates.start == starting
    for earlier, later in pairwise(periods):
        assert earlier.dates.end == later.dates.start
    for period in periods:
        assert not period.dates.is_empty
        assert period.dates.end >= made.epoch  # no bill falls before the epoch
        assert made.boundary(made.number_at(period.dates.end)) == period.dates.end


@given(made=CYCLES, starting=DATES, local=DATES)
def test_each_day_is_in_one_period_found_from_every_side(
    made: BillingCycle, starting: date, local: date
) -> None:
    period = period_containing(made, starting, local)
    if period is None:
        assert local < starting
        return
    assert period.dates.contains(local)
    assert billing_period(made, starting, period.number) == period
    assert period_ending(made, starting, period.last_date) == period
    assert latest_period_closed_by(made, starting, period.dates.end) == period


# --- nominal periods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("touched", "nominal"),
    [
        pytest.param(("2024-01-20", "2024-02-01"), ["2024-01-15", "2024-02-15"], id="part of one"),
        pytest.param(
            ("2022-01-01", "2022-02-15"),
            ["2021-12-15", "2022-01-15", "2022-02-15"],
            id="a long first bill, also before the epoch",
        ),
        pytest.param(("2024-01-15", "2024-01-15"), [], id="none, on a boundary"),
        pytest.param(("2024-01-20", "2024-01-20"), [], id="none, inside one"),
    ],
)
def test_nominal_periods(touched: tuple[str, str], nominal: list[str]) -> None:
    found = list(cycle("2022-02-15").nominal_periods(span(*touched)))
    assert found == [DateSpan(a, b) for a, b in pairwise(map(day, nominal))]


@given(made=CYCLES, start=DATES, days=st.integers(1, 800))
def test_nominal_periods_cover_a_span_once(made: BillingCycle, start: date, days: int) -> None:
    dates = DateSpan(start, start + timedelta(days=days))
    nominal = list(made.nominal_periods(dates))
    assert sum(n.intersect(dates).days for n in nominal) == days
    assert all(a.end == b.start for a, b in pairwise(nominal))
