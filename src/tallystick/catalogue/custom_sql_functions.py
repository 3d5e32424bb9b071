"""The functions that CUSTOM_SQL may call, by their names in small letters.

Only what depends on nothing but its arguments: no time of day, no chance, no file, network, dictionary,
setting or other table, nothing that sleeps or makes rows, nothing that takes a function.
"""

from typing import Final


def _by_small_letters(names: str) -> dict[str, str]:
    return {name.lower(): name for name in names.split()}


_COMBINED: Final = (
    "sum min max avg count any anyLast uniq uniqExact argMin argMax median quantile quantileExact"
)

AGGREGATES: Final = _by_small_letters(
    f"{_COMBINED} {' '.join(f'{name}If' for name in _COMBINED.split())}"
    " stddevPop stddevSamp varPop varSamp corr covarPop covarSamp"
)
FUNCTIONS: Final = _by_small_letters(
    # numbers
    "abs sign round floor ceil ceiling truncate least greatest sqrt exp log ln log2 log10 pow power"
    " intDiv modulo plus minus multiply divide negate"
    # conditions
    " multiIf coalesce ifNull nullIf isNull isNotNull assumeNotNull"
    # texts
    " lower upper length lengthUTF8 substring substringUTF8 concat startsWith endsWith position trim"
    # casts
    " toFloat64 toFloat64OrNull toInt64 toInt64OrNull toUInt64 toString toDecimal64 toDecimal128 toDecimal256"
    # time
    " toDate toDateTime toYear toQuarter toMonth toDayOfYear toDayOfMonth toDayOfWeek toHour toMinute"
    " toSecond toStartOfYear toStartOfQuarter toStartOfMonth toMonday toStartOfWeek toStartOfDay"
    " toStartOfHour toStartOfMinute toUnixTimestamp toUnixTimestamp64Milli toYYYYMM toYYYYMMDD toISOWeek"
    " dateDiff addSeconds addMinutes addHours addDays addWeeks addMonths"
    # windows
    " row_number rank dense_rank lag lead lagInFrame leadInFrame first_value last_value"
)
INTERVALS: Final = frozenset({"SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"})
