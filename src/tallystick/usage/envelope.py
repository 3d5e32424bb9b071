"""The form of a request with measurements: decoded at once, or refused with every problem by its path."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Meta

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.fields import Code
from tallystick.platform.resources.wire import (
    DIGITS_AFTER_POINT,
    DIGITS_BEFORE_POINT,
    InvalidBody,
    parse,
    reader,
)
from tallystick.usage.store.model import DECIMAL_DIGITS, fits
from tallystick.usage.store.schema import NUMBER

MOST_MEASUREMENTS = 1000
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2299, 12, 31, tzinfo=UTC)

Texts = dict[str, str]
Numbers = dict[str, Decimal]

_CODE = re.compile(next(m.pattern for m in Code.__metadata__ if isinstance(m, Meta) and m.pattern))  # type: ignore[attr-defined]
_INSTANT = pa.timestamp("us", "UTC")
_NUL = rb"\u0000"


class MeasurementRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """One measurement as it is sent: values by category and field code (semantics §6)."""

    uid: Annotated[str, Meta(max_length=50)] | None = None
    meter: Code
    account: Code
    ts: datetime
    ets: datetime | None = None
    who: Texts | None = None
    where: Texts | None = None
    what: Texts | None = None
    other: Texts | None = None
    metadata: Texts | None = None
    measure: Numbers | None = None
    cost: Numbers | None = None
    income: Numbers | None = None


class SubmitMeasurementsRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """A batch of measurements; accepted or refused as a whole by its form."""

    measurements: Annotated[list[MeasurementRequest], Meta(min_length=1, max_length=MOST_MEASUREMENTS)]


class Measurement(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One measurement of the right form.

    uid: None when none was sent. Numbers fit the usage store exactly. Instants without an offset are UTC.
    """

    uid: Annotated[str, Meta(max_length=50)] | None = None
    meter: Annotated[str, Meta(min_length=1, max_length=80)]
    account: Annotated[str, Meta(min_length=1, max_length=80)]
    ts: datetime
    ets: datetime | None = None
    who: Texts | None = None
    where: Texts | None = None
    what: Texts | None = None
    other: Texts | None = None
    metadata: Texts | None = None
    measure: dict[str, Any] | None = None
    cost: dict[str, Any] | None = None
    income: dict[str, Any] | None = None


class _Batch(msgspec.Struct):
    measurements: Annotated[list[Measurement], Meta(min_length=1, max_length=MOST_MEASUREMENTS)]


# Arrow reads beyond its own memory for a Decimal of more than 50 places: it stores 0, another number, or ends
# the process. What the store can keep passes this context as it is; anything else is read with care.
_NUMBERS = Context(prec=DECIMAL_DIGITS, Emin=0, Emax=DECIMAL_DIGITS, traps=[Inexact, InvalidOperation])
_DECODER = msgspec.json.Decoder(_Batch, float_hook=_NUMBERS.create_decimal)
_ROW_DECODER = msgspec.json.Decoder(Measurement, float_hook=_NUMBERS.create_decimal)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation, Inexact)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def read_measurements(body: bytes) -> list[Measurement]:
    """Decode the body of a request. Raises MalformedJson, or InvalidBody with every problem by its path.

    Decodes twice when something looks wrong: once fast to see that, once slowly to tell all that is.
    """
    try:
        measurements = _DECODER.decode(body).measurements
    except _UNREADABLE:
        return _read_with_care(body)
    if _NUL in body or not is_storable(measurements):
        return _read_with_care(body)
    return measurements


def read_each(rows: Sequence[bytes]) -> list[Measurement | Invalid]:
    """Decode measurements one by one: each is one of the right form, or why it is not."""
    read = [_read_row(row) for row in rows]
    good = [each for each in read if isinstance(each, Measurement)]
    if not good or is_storable(good):
        return read
    return [_read_row(row, carefully=True) for row in rows]


def _read_row(row: bytes, *, carefully: bool = False) -> Measurement | Invalid:
    if not carefully and _NUL not in row:
        with suppress(*_UNREADABLE):
            return _ROW_DECODER.decode(row)
    try:
        return read_measurement(parse(row))
    except Invalid as error:
        return error


def read_measurement(raw: Any, where: str = "") -> Measurement:
    """Build one measurement from decoded JSON. where: its path. Raises InvalidBody with every problem."""
    problems: list[Problem] = []
    row = reader(MeasurementRequest)(raw, where, problems)
    problems = _with_stricter(problems, _row_problems(where, raw))
    if problems:
        raise InvalidBody(problems)
    return _settled(row)


def write_measurement(measurement: Measurement) -> msgspec.Raw:
    """Encode a measurement as it was sent."""
    return msgspec.Raw(_ENCODER.encode(measurement))


def is_storable(measurements: Sequence[Measurement]) -> bool:
    """Tell at once whether all codes, numbers and instants of measurements are such as can be stored.

    A False may be a false alarm; a True is certain. measurements: as the decoders of this file give them.
    """
    codes = {m.account for m in measurements} | {m.meter for m in measurements}
    if not all(map(_CODE.fullmatch, codes)):
        return False
    maps = chain.from_iterable((m.measure, m.cost, m.income) for m in measurements)
    numbers = list(chain.from_iterable(each.values() for each in maps if each))
    instants = [m.ts for m in measurements]
    instants += [m.ets for m in measurements if m.ets is not None]
    try:
        stored = pa.array(numbers, NUMBER)
        moments = pa.array(instants, _INSTANT)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    micros = np.frombuffer(moments.buffers()[1], np.int64)[: len(moments)]
    return not stored.null_count and bool(micros.min() >= _FIRST_US and micros.max() <= _LAST_US)


def _micros(instant: datetime) -> int:
    return int(pa.scalar(instant, _INSTANT).value)


_FIRST_US, _LAST_US = _micros(EARLIEST), _micros(LATEST)


def _read_with_care(body: bytes) -> list[Measurement]:
    """Decode slowly; find every problem, or that there is none."""
    raw = parse(body)
    problems: list[Problem] = []
    batch = reader(SubmitMeasurementsRequest)(raw, "", problems)
    raw_rows = raw.get("measurements") if isinstance(raw, dict) else None
    if isinstance(raw_rows, list):
        found = (p for i, row in enumerate(raw_rows) for p in _row_problems(f"measurements[{i}]", row))
        problems = _with_stricter(problems, found)
    if problems:
        raise InvalidBody(sorted(problems, key=_in_order))
    return [_settled(row) for row in batch.measurements]


def _with_stricter(problems: list[Problem], stricter: Iterable[Problem]) -> list[Problem]:
    """Let the stricter word on a field stand in place of the other."""
    found = {p.field: p for p in stricter}
    return [*found.values(), *(p for p in problems if p.field not in found)]


def _in_order(problem: Problem) -> tuple[int, str]:
    position = re.match(r"measurements\[(\d+)\]", problem.field)
    return (int(position[1]) if position else -1, problem.field)


def _row_problems(where: str, row: Any) -> Iterator[Problem]:
    """Find what the types of the documented request let pass, but the store cannot keep."""
    if not isinstance(row, dict):
        return
    where = f"{where}." if where else ""
    for name in ("meter", "account"):
        if isinstance(row.get(name), str) and row[name] and not _CODE.fullmatch(row[name]):
            message = "must have no control characters, and no white space but spaces inside"
            yield Problem(f"{where}{name}", "wrong_format", message)
    for name in ("ts", "ets"):
        yield from _instant_problems(f"{where}{name}", row.get(name))
    for name in ("measure", "cost", "income"):
        yield from _number_problems(f"{where}{name}", row.get(name))
    for name in ("who", "where", "what", "other", "metadata", "measure", "cost", "income"):
        if isinstance(row.get(name), dict) and any("\x00" in code for code in row[name]):
            yield Problem(f"{where}{name}", "wrong_format", "must not contain the NUL character")


def _instant_problems(where: str, raw: Any) -> Iterator[Problem]:
    try:
        instant = utc(msgspec.convert(raw, datetime))
    except msgspec.ValidationError:
        return  # absent, or no instant: told by the types
    except OverflowError:
        instant = None
    if instant is None or not EARLIEST <= instant <= LATEST:
        yield Problem(where, "out_of_range", f"must lie between {EARLIEST:%Y-%m-%d} and {LATEST:%Y-%m-%d}")


def _number_problems(where: str, raw: Any) -> Iterator[Problem]:
    for code, value in raw.items() if isinstance(raw, dict) else ():
        if type(value) in {int, Decimal} and not _fits(Decimal(value)):
            message = "must have at most 26 digits before the point and 12 after it"
            yield Problem(f"{where}.{code}", "out_of_range", message)


def _fits(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    is_short = isinstance(exponent, int) and exponent >= -DIGITS_AFTER_POINT
    return is_short and value.adjusted() < DIGITS_BEFORE_POINT and fits(value)


def utc(instant: datetime) -> datetime:
    """Give an instant of a measurement in UTC; one without an offset is UTC already."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _settled(row: MeasurementRequest) -> Measurement:
    values = msgspec.structs.asdict(row)
    for name in ("measure", "cost", "income"):
        if values[name]:
            values[name] = {code: _plain(value) for code, value in values[name].items()}
    return Measurement(**values)


def _plain(value: Decimal) -> Decimal:
    """Drop zeros behind the point that no store needs: there may be very many of them."""
    return value.normalize() + 0
