"""Spans of time by name, such as MONTH_TO_DATE, seen from a moment (semantics §30, §31)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from tallystick.kernel.periods import ONE_DAY, Period

_MONTHS_A_QUARTER = 3


class TimePeriod(StrEnum):
    """The names; what is to date, ends with today."""

    TODAY = "TODAY"
    YESTERDAY = "YESTERDAY"
    WEEK_TO_DATE = "WEEK_TO_DATE"
    MONTH_TO_DATE = "MONTH_TO_DATE"
    YEAR_TO_DATE = "YEAR_TO_DATE"
    PREVIOUS_WEEK = "PREVIOUS_WEEK"
    PREVIOUS_MONTH = "PREVIOUS_MONTH"
    PREVIOUS_QUARTER = "PREVIOUS_QUARTER"
    PREVIOUS_YEAR = "PREVIOUS_YEAR"
    LAST_12_HOURS = "LAST_12_HOURS"
    LAST_7_DAYS = "LAST_7_DAYS"
    LAST_30_DAYS = "LAST_30_DAYS"
    LAST_35_DAYS = "LAST_35_DAYS"
    LAST_90_DAYS = "LAST_90_DAYS"
    LAST_120_DAYS = "LAST_120_DAYS"
    LAST_YEAR = "LAST_YEAR"


def resolve(name: TimePeriod, now: datetime) -> Period:
    """Give the span that a name means at `now`, in UTC days and weeks that start on Monday.

    What is to date starts with the week, month or year and ends with the day of `now`; PREVIOUS is the last
    whole one; LAST ends before today, LAST_12_HOURS before the hour of `now`. LAST_YEAR is twelve months.
    """
    if name is TimePeriod.LAST_12_HOURS:
        hour = now.replace(minute=0, second=0, microsecond=0)
        return Period(hour - timedelta(hours=12), hour)
    first, end = _SPANS[name](now.astimezone(UTC).date())
    return Period(_midnight(first), _midnight(end))


_Span = Callable[[date], tuple[date, date]]


def _last(days: int) -> _Span:
    return lambda today: (today - days * ONE_DAY, today)


def _to_date(first: Callable[[date], date]) -> _Span:
    return lambda today: (first(today), today + ONE_DAY)


def _previous(first: Callable[[date], date]) -> _Span:
    """Give the whole one before the one that `first` starts."""
    return lambda today: (first(first(today) - ONE_DAY), first(today))


def _monday(day: date) -> date:
    return day - day.weekday() * ONE_DAY


def _month(day: date) -> date:
    return day.replace(day=1)


def _quarter(day: date) -> date:
    return day.replace(day=1, month=day.month - (day.month - 1) % _MONTHS_A_QUARTER)


def _year(day: date) -> date:
    return day.replace(day=1, month=1)


def _twelve_months(today: date) -> tuple[date, date]:
    is_leap_day = (today.month, today.day) == (2, 29)
    return today.replace(year=today.year - 1, day=28 if is_leap_day else today.day), today


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


_SPANS: dict[TimePeriod, _Span] = {
    TimePeriod.TODAY: _to_date(lambda today: today),
    TimePeriod.YESTERDAY: _last(1),
    TimePeriod.WEEK_TO_DATE: _to_date(_monday),
    TimePeriod.MONTH_TO_DATE: _to_date(_month),
    TimePeriod.YEAR_TO_DATE: _to_date(_year),
    TimePeriod.PREVIOUS_WEEK: _previous(_monday),
    TimePeriod.PREVIOUS_MONTH: _previous(_month),
    TimePeriod.PREVIOUS_QUARTER: _previous(_quarter),
    TimePeriod.PREVIOUS_YEAR: _previous(_year),
    TimePeriod.LAST_7_DAYS: _last(7),
    TimePeriod.LAST_30_DAYS: _last(30),
    TimePeriod.LAST_35_DAYS: _last(35),
    TimePeriod.LAST_90_DAYS: _last(90),
    TimePeriod.LAST_120_DAYS: _last(120),
    TimePeriod.LAST_YEAR: _twelve_months,
}
