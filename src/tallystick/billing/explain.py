"""Put a line's derivation into words that anyone can check with a pocket calculator. Pure."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import msgspec

from tallystick.accounts.contract import UsageFilterMode
from tallystick.billing.derivation import (
    CalculatedFrom,
    ChargeFrom,
    ConversionFrom,
    CounterFrom,
    Derivation,
    DrawnFrom,
    FeeFrom,
    MemoFrom,
    OverageFrom,
    Proration,
    ShareFrom,
    UnitsFrom,
    UsageSource,
)
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.kernel.decimals import RoundingMode, plain, round_to
from tallystick.rating.units import UsageRounding

SHOWN_PLACES = 12
_PERCENT = Decimal("0.01")


class LineExplanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a line came to be: as values, and as text."""

    bill_id: str
    line_item_id: str
    description: str
    derivation: Derivation
    text: list[str]


def explanation(line: LineItem) -> LineExplanation:
    """Explain a line."""
    return LineExplanation(
        bill_id=line.bill_id,
        line_item_id=line.id,
        description=line.description,
        derivation=line.derivation or Derivation(),
        text=explain(line),
    )


def explain(line: LineItem) -> list[str]:
    """Give the derivation of a line as text, one step of arithmetic a line."""
    why = line.derivation or Derivation()
    start, end = _day(line.service_period_start_date), _day(line.service_period_end_date)
    return [
        f"{line.line_item_type.value}: {line.description}, from {start} up to {end} (not included)",
        *(_usage(why.usage) if why.usage else ()),
        *(_calculation(why.calculation) if why.calculation else ()),
        *(_counter(why.counter) if why.counter else ()),
        *(_units(why.units) if why.units else ()),
        *(_charge(why.charge, line.currency) if why.charge else ()),
        *(_fee(why.fee, line.currency) if why.fee else ()),
        *(_share(why.share) if why.share and why.overage else ()),  # of this, so much is within or beyond
        *(_overage(why.overage, line.unit) if why.overage else ()),
        *_bands(why, line),
        *(_proration(why.proration, line.currency) if why.proration else ()),
        *_minimum(why, line),
        *_credit(why),
        *(_drawn(why.drawn, line.currency) if why.drawn else ()),
        *(_memo(why.memo, line) if why.memo else ()),
        *(_conversion(why.conversion) if why.conversion else ()),
        *(_share(why.share) if why.share and not why.overage else ()),
    ]


def _usage(usage: UsageSource) -> Iterator[str]:
    yield f"usage: {_measured(usage)}"


def _measured(usage: UsageSource) -> str:
    segment = ", ".join(f"{k}={v}" for k, v in (usage.segment or {}).items())
    of_segment = f" where {segment}" if segment else ""
    pooled = f", {len(usage.account_ids)} accounts pooled" if len(usage.account_ids) > 1 else ""
    pooled += "".join(
        f", without {each.account_code} from {_instant(each.start)} up to {_instant(each.end)}"
        for each in usage.away
    )
    filters = _filtered(usage)
    what = usage.field if usage.sql is None else f"({' '.join(usage.sql.split())})"
    return (
        f"{usage.method} of {what} on meter {usage.meter_code}{of_segment}{filters}{pooled},"
        f" {_instant(usage.start)} <= ts < {_instant(usage.end)}"
    )


def _filtered(usage: UsageSource) -> str:
    """Tell a contract's filters: one of the values of each dimension, and none of those that are excluded."""
    kept: dict[str, list[str]] = {}
    for each in usage.filters:
        sign = "=" if each.mode is UsageFilterMode.INCLUDE else "!="
        kept.setdefault(f"{each.dimension_code} {sign} ", []).append(each.value)
    told = (f"{name}{(' or ' if '!' not in name else ' and ').join(values)}" for name, values in kept.items())
    return f", by contract only {', '.join(told)}" if kept else ""


def _calculation(part: CalculatedFrom) -> Iterator[str]:
    yield f"calculation: {' '.join(part.expression.split())}"
    for each in part.inputs:
        value = "null" if each.value is None else each.value
        yield f"where {each.name} = {value}{f': {_measured(each.usage)}' if each.usage else ''}"


def _counter(part: CounterFrom) -> Iterator[str]:
    pooled = f", {len(part.account_ids)} accounts added up" if len(part.account_ids) > 1 else ""
    if part.day is None:
        yield f"counter {part.name}: {_n(part.new)} carried into the period{pooled}"
    else:
        yield f"counter {part.name}: from {_n(part.old)} to {_n(part.new)} on {part.day}{pooled}"


def _units(units: UnitsFrom) -> Iterator[str]:
    no_data = " (no data: the aggregation's default value)" if units.is_default else ""
    yield f"quantity: {_n(units.quantity)}{no_data}"
    if units.quantity_per_unit != 1 or units.rounding is not UsageRounding.NONE:
        rounded = "" if units.rounding is UsageRounding.NONE else f", rounded {units.rounding.value}"
        yield (
            f"units: {_n(units.quantity)} / {_n(units.quantity_per_unit)}{rounded}"
            f" = {_n(units.units)} {units.unit}"
        )


def _bands(why: Derivation, line: LineItem) -> Iterator[str]:
    if why.units_before is not None:
        yield f"tiers span the plan: {_n(why.units_before)} units in earlier periods"
    for band in why.bands:
        fixed_amount = band.amount - band.units * band.unit_price
        fixed = f"{_n(fixed_amount)} + " if fixed_amount else ""
        yield (
            f"band from {_n(band.lower_limit)}: {fixed}{_n(band.units)} x {_n(band.unit_price)}"
            f" = {_n(band.amount)} {line.currency}"
        )
    if len(why.bands) > 1:
        yield f"bands together: {_n(sum((b.amount for b in why.bands), Decimal(0)))} {line.currency}"


def _proration(part: Proration, currency: str) -> Iterator[str]:
    if all(share.days == share.of for share in part.shares) and len(part.shares) == 1:
        yield f"whole period: {_n(part.whole)} {currency}"
    else:
        days = " + ".join(f"{share.days}/{share.of}" for share in part.shares)
        yield f"by days: {_n(part.whole)} x ({days}) = {_n(part.amount)} {currency}"


def _minimum(why: Derivation, line: LineItem) -> Iterator[str]:
    if why.minimum is None:
        return
    minimum, counted = _n(why.minimum.minimum), _n(why.minimum.counted)
    if line.line_item_type is LineItemType.MINIMUM_SPEND_REFUND:
        yield f"billed in advance: {minimum}; usage since: {counted}; refund: the lesser of the two"
    elif why.minimum.in_advance:
        yield f"minimum in advance: {minimum} {line.currency}"
    else:
        currency = why.conversion.to_currency if why.conversion else line.currency
        yield f"minimum {minimum} less usage {counted} = {_n(line.converted_subtotal)} {currency}, as billed"


def _credit(why: Derivation) -> Iterator[str]:
    if why.credit is not None:
        yield f"credit: priced at {_n(why.credit.priced)}, at most {_n(why.credit.limit)}"


def _memo(part: MemoFrom, line: LineItem) -> Iterator[str]:
    of_it = "" if part.applied == part.amount else f"; {_n(part.applied)} of it on this bill"
    yield f"by hand: {_n(part.amount)} {line.currency}{of_it}; reason: {part.reason}"
    if line.referenced_bill_id is not None:
        of_line = f", line {line.referenced_line_item_id}" if line.referenced_line_item_id else ""
        yield f"about: bill {line.referenced_bill_id}{of_line}"


def _charge(part: ChargeFrom, currency: str) -> Iterator[str]:
    if part.unit_price is None:
        yield f"charge {part.code}: {_n(part.amount)} {currency}"
    else:
        price = _n(part.unit_price)
        yield f"charge {part.code}: {_n(part.units)} x {price} = {_n(part.amount)} {currency}"


def _fee(part: FeeFrom, currency: str) -> Iterator[str]:
    if part.is_dated:
        yield f"fee {part.number} of {part.of}, agreed for its date: {_n(part.amount)} {currency}"
        return
    paid = f", {_n(part.pre_paid)} of it paid before" if part.pre_paid else ""
    first = f", {_n(part.first)} of it on the first bill" if part.first is not None else ""
    yield f"committed: {_n(part.commitment)} {currency}{paid}, spread over {part.of} bills{first}"
    yield f"fee {part.number} of {part.of}: {_n(part.amount)} {currency}"


def _overage(part: OverageFrom, unit: str) -> Iterator[str]:
    if part.percent is not None:
        of = f"{_n(part.beyond)} of {_n(part.of)} for {part.charge}"
        extra = _n(part.beyond * part.percent * _PERCENT)
        yield f"beyond what was committed or paid ahead: {of}"
        yield f"surcharge: {_n(part.beyond)} x {_n(part.percent)} % = {extra}"
    elif part.units is not None and part.of_units is not None:
        units = f"{_n(part.units)} of {_n(part.of_units)} {unit}"
        bands = ", priced by the bands for it" if part.has_bands else ""
        bands += f", {_n(part.together)} of all accounts at once" if part.together is not None else ""
        beyond = f"beyond what was committed or paid ahead: {units}{bands}"
        yield beyond if part.is_own else f"within what was committed or paid ahead: {units}"


def _drawn(part: DrawnFrom, currency: str) -> Iterator[str]:
    what = part.charge or "all that it is for"
    rolled = ", rolled over" if part.is_rollover else ""
    yield f"covered by the {part.name}{rolled}: {part.covered:f} {currency} of {what}"
    rate = ""
    if part.currency != currency:
        rate = f" = {part.covered:f} {currency} / {_n(part.rate)}"
    yield f"drawn: {_n(part.drawn)} {part.currency}{rate}"


def _conversion(part: ConversionFrom) -> Iterator[str]:
    if part.from_currency != part.to_currency:
        product = _n(part.exact * part.rate)
        yield (
            f"converted: {_n(part.exact)} {part.from_currency} x {_n(part.rate)}"
            f" = {product} {part.to_currency}"
        )
    yield f"billed: {part.converted:f} {part.to_currency}, rounded {part.mode.value} to {part.places} places"


def _share(part: ShareFrom) -> Iterator[str]:
    whose = "the account's own" if part.account_code is None else part.account_code
    yield f"share of {whose}: {_n(part.quantity)} of {_n(part.of)} used, of {part.pooled:f} = {part.amount:f}"


def _n(value: Decimal) -> str:
    """Write a number without trailing zeros; what never ends is cut at twelve places."""
    return f"{plain(round_to(value, SHOWN_PLACES, RoundingMode.HALF_EVEN)):f}"


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _day(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")
