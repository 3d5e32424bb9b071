"""The spans of local days that a line's service period is cut into. Pure."""

from collections.abc import Callable, Iterator
from datetime import date, tzinfo

from tallystick.kernel.periods import ONE_DAY, Period, local_date, start_of_day
from tallystick.statements.definition import AggregationFrequency

_MONTHS_A_YEAR = 12
_MONTHS_A_QUARTER = 3


def buckets(frequency: AggregationFrequency, service: Period, zone: tzinfo) -> list[Period]:
    """Cut a service period at local midnights: of each day, Monday, first of month, quarter or year.

    The first and the last may be part of a span only. An empty period is one empty span, so that what is
    charged at an instant has its place.
    """
    step = _STEPS.get(frequency)
    if step is None or service.is_empty or service.is_endless:
        return [service]
    return list(_cut(service, zone, step))


def _cut(service: Period, zone: tzinfo, step: Callable[[date], date]) -> Iterator[Period]:
    start = service.start
    while start < service.end:
        following = step(local_date(start, zone))
        end = min(start_of_day(following, zone), service.end)
        while end <= start:  # a day that the zone left out starts where the next one does
            following = step(following)
            end = min(start_of_day(following, zone), service.end)
        yield Period(start, end)
        start = end


def _after_month(day: date, months: int) -> date:
    """Give the first of the month, quarter or year that follows the one that holds `day`."""
    index = day.year * _MONTHS_A_YEAR + day.month - 1
    year, month = divmod(index - index % months + months, _MONTHS_A_YEAR)
    return date(year, month + 1, 1)


_STEPS: dict[AggregationFrequency, Callable[[date], date]] = {
    AggregationFrequency.DAY: lambda day: day + ONE_DAY,
    AggregationFrequency.WEEK: lambda day: day + (7 - day.weekday()) * ONE_DAY,
    AggregationFrequency.MONTH: lambda day: _after_month(day, 1),
    AggregationFrequency.QUARTER: lambda day: _after_month(day, _MONTHS_A_QUARTER),
    AggregationFrequency.YEAR: lambda day: _after_month(day, _MONTHS_A_YEAR),
}
