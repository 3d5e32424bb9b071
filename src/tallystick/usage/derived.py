"""Derived fields: calculated once, when a measurement comes in (semantics §8)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import repeat

import msgspec
import pyarrow as pa

from tallystick.calc.errors import CalculationError, ExpressionError
from tallystick.calc.expression import compile_expression
from tallystick.calc.values import Lookups, NoLookups, Value, as_value
from tallystick.catalogue.derived_fields import ACCOUNT_CODE, custom_field_of
from tallystick.catalogue.meter import DerivedField
from tallystick.kernel.decimals import RoundingMode, plain, round_to
from tallystick.platform.database import Database
from tallystick.usage.envelope import Measurement, utc
from tallystick.usage.meters import MeterReader, longest_text, slot_of
from tallystick.usage.resolution import DEFAULTS, CustomFields, Resolution
from tallystick.usage.rules import Columns
from tallystick.usage.store.model import DECIMAL_DIGITS, DECIMAL_PLACES

_MOST_DIGITS = DECIMAL_DIGITS - DECIMAL_PLACES
_BEYOND = Decimal(10) ** _MOST_DIGITS
_PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda ts: ts.year,
    "month": lambda ts: ts.month,
    "day": lambda ts: ts.day,
    "hour": lambda ts: ts.hour,
    "minute": lambda ts: ts.minute,
    "second": lambda ts: ts.second,
    "weekday": lambda ts: ts.isoweekday(),
}

LookupsOf = Callable[[str], Lookups]


class Derived(msgspec.Struct, frozen=True):
    """The derived fields of a batch, by slot; where one has a fault it is null.

    faults: each with the position of its measurement in the batch.
    """

    columns: Columns
    faults: Sequence[tuple[int, str]] = ()


Derive = Callable[[str, MeterReader, Sequence[Measurement], Columns], Derived]


class _Batch(msgspec.Struct, frozen=True):
    """Measurements of one meter, with the columns of their data fields."""

    org_id: str
    reader: MeterReader
    rows: Sequence[Measurement]
    columns: Columns


class Derivation:
    """Calculates the derived fields of measurements. Thread-safe.

    lookups: gives the lookup tables of an organization, as they are published now.
    """

    def __init__(
        self, database: Database, resolution: Resolution, lookups: LookupsOf = lambda _: NoLookups()
    ) -> None:
        self._database = database
        self._resolution = resolution
        self._lookups = lookups

    def __call__(
        self, org_id: str, reader: MeterReader, rows: Sequence[Measurement], columns: Columns
    ) -> Derived:
        """Calculate all derived fields of measurements of one meter. columns: those of its data fields.

        Each name that a calculation reads is read once for the whole batch, custom fields from memory.
        """
        batch = _Batch(org_id, reader, rows, columns)
        lookups = self._lookups(org_id)
        known: dict[str, Iterable[Value]] = {}
        answer: Columns = {}
        faults: list[tuple[int, str]] = []
        for field in reader.meter.derived_fields:
            values = self._calculated(field, batch, known, lookups, faults)
            answer[reader.derived[field.code]] = values
        return Derived(answer, faults)

    def _calculated(
        self,
        field: DerivedField,
        batch: _Batch,
        known: dict[str, Iterable[Value]],
        lookups: Lookups,
        faults: list[tuple[int, str]],
    ) -> list[Value]:
        """Calculate one field for every measurement."""
        try:
            compiled = compile_expression(field.calculation)
            for name in compiled.references:
                if name not in known:
                    known[name] = self._column(name, batch)
        except (ExpressionError, CalculationError) as error:
            faults += [(i, f"{field.code}: {error.message}") for i in range(len(batch.rows))]
            return [None] * len(batch.rows)
        names = list(compiled.references)
        settled = (
            _settled_number if field.category.is_numeric else _settled_text(longest_text(field.category))
        )
        every = zip(*(known[name] for name in names), strict=True) if names else repeat((), len(batch.rows))
        values: list[Value] = []
        for i, row in enumerate(every):
            try:
                value = settled(compiled.evaluate(dict(zip(names, row, strict=True)), lookups))
            except CalculationError as error:
                value = None
                faults.append((i, f"{field.code}: {error.message}"))
            values.append(value)
        return values

    def _column(self, name: str, batch: _Batch) -> list[Value]:
        """Give what a name stands for in each measurement. Raises CalculationError for one of no meaning."""
        if name in batch.reader.category_of:
            return [as_value(raw) for raw in batch.columns[slot_of(batch.reader.meter, name)]]
        if name in ACCOUNT_CODE:
            return [row.account for row in batch.rows]
        custom = custom_field_of(name)
        if custom is not None:
            return self._custom(*custom, batch)
        return _times(name.removeprefix("timestamp."), batch.rows)

    def _custom(self, entity: str, name: str, batch: _Batch) -> list[Value]:
        """Give a custom field: the entity's own value, else the organization's default."""
        defaults = self._resolution.field_defaults.find(self._database, batch.org_id, [DEFAULTS])[DEFAULTS]
        if name not in defaults[entity]:
            raise CalculationError(f"the organization has no custom field {name} for {entity}")
        default = defaults[entity][name]
        if entity == "account":
            codes = dict.fromkeys(row.account for row in batch.rows)
            found = self._resolution.account_fields.find(self._database, batch.org_id, codes.keys())
            own = {code: as_value(found.get(code, {}).get(name, default)) for code in codes}
            return [own[row.account] for row in batch.rows]
        return [as_value(self._fields(entity, batch).get(name, default))] * len(batch.rows)

    def _fields(self, entity: str, batch: _Batch) -> CustomFields:
        meter = batch.reader.meter
        if entity == "meter":
            return meter.custom_fields
        if entity == "product" and meter.product_id is not None:
            found = self._resolution.product_fields.find(self._database, batch.org_id, [meter.product_id])
            return found.get(meter.product_id, {})
        return {}


def _times(name: str, rows: Sequence[Measurement]) -> list[Value]:
    """Give `ts` or `ets` in seconds since 1970, exact, or a part of `ts` in UTC (weekday: 1 is Monday)."""
    if name in {"ts", "ets"}:
        return _seconds([getattr(row, name) for row in rows])
    if name not in _PARTS:
        raise CalculationError(f"{name} is not known here")
    part = _PARTS[name]
    return [Decimal(part(utc(row.ts))) for row in rows]


def _seconds(instants: Sequence[datetime | None]) -> list[Value]:
    """Give instants in seconds since 1970; one without an offset is UTC."""
    micros = pa.array(instants, pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if each is None else Decimal(each).scaleb(-6) for each in micros]


def _settled_number(value: Value) -> Value:
    """Give a number as the usage store keeps it: 12 places, the last one rounded half up."""
    if value is None:
        return None
    if not isinstance(value, Decimal):
        raise CalculationError("the calculation does not give a number")
    if abs(value) < _BEYOND:
        value = round_to(value, DECIMAL_PLACES, RoundingMode.HALF_UP)
    if abs(value) >= _BEYOND:  # also by rounding up
        raise CalculationError(f"the number has more than {_MOST_DIGITS} digits before the point")
    return value


def _settled_text(longest: int) -> Callable[[Value], Value]:
    """Give a text as the usage store keeps it; numbers are written plainly."""

    def settled(value: Value) -> Value:
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Decimal):
            number = plain(value)
            value = f"{number:f}" if abs(number.adjusted()) <= longest else " " * (longest + 1)
        if len(value) > longest:
            raise CalculationError(f"the text has more than {longest} characters")
        return value

    return settled
