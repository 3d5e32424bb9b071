"""How a line came to be: every number that went into it, kept with it. Values only.

A line's derivation is enough to redo it by hand: the usage query, the units, each band, the days, the
minimum, the rate and the rounding. `explain` puts it into words.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Self

import msgspec

from tallystick.accounts.contract import UsageFilter
from tallystick.kernel.decimals import RoundingMode
from tallystick.kernel.periods import Period
from tallystick.rating.units import UsageRounding
from tallystick.usage.store.model import Away


class AwayFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """While a pooled child had a plan of its own: what it used then was not priced here (semantics §17)."""

    account_id: str
    account_code: str
    start: datetime
    end: datetime

    @classmethod
    def of(cls, away: Away, codes: Mapping[str, str]) -> Self:
        """Keep it with the child's code."""
        account_id, span = away.account_id, away.window
        return cls(
            account_id=account_id,
            account_code=codes.get(account_id, account_id),
            start=span.start,
            end=span.end,
        )

    @property
    def filter(self) -> Away:
        """What the usage store is asked to leave out."""
        return Away(self.account_id, Period(self.start, self.end))


class UsageSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The usage query: which measurements went in, and how they became one quantity.

    start, end: half-open, by the measurements' `ts`. account_ids: more than one where children's usage
    is pooled with their parent's (semantics §17).
    """

    meter_id: str
    meter_code: str
    aggregation_id: str
    aggregation_name: str
    method: str
    field: str
    start: datetime
    end: datetime
    account_ids: tuple[str, ...]
    segment: dict[str, str] | None = None
    sql: str | None = None
    filters: tuple[UsageFilter, ...] = ()
    "A contract's: which measurements count (semantics §21)."
    away: tuple[AwayFrom, ...] = ()


class InputFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a name stood for, as text; left out where it was null. usage: of an aggregation."""

    name: str
    value: str | None = None
    usage: UsageSource | None = None


class CalculatedFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A compound aggregation: its expression, what each name in it stood for, and the result (§11)."""

    compound_aggregation_id: str
    name: str
    expression: str
    inputs: tuple[InputFrom, ...]
    result: Decimal


class CounterFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A counter's value, or its change from old to new on a local day (semantics §16).

    account_ids: more than one where children's values are added to their parent's.
    """

    counter_id: str
    name: str
    old: Decimal
    new: Decimal
    day: date | None = None
    account_ids: tuple[str, ...]


class UnitsFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """From quantity to units (semantics §9). is_default: there was no data, so the default value counts."""

    quantity: Decimal
    quantity_per_unit: Decimal
    rounding: UsageRounding
    units: Decimal
    unit: str
    is_default: bool = False


class BandShare(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one band charges: fixed_price once, plus unit_price for each of its units (semantics §14)."""

    lower_limit: Decimal
    fixed_price: Decimal
    unit_price: Decimal
    units: Decimal
    amount: Decimal


class Days(msgspec.Struct, frozen=True, rename="camel"):
    """Active local days of one whole billing period."""

    days: int
    of: int


class Proration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A whole period's amount, and the share of periods that is owed (semantics §15)."""

    whole: Decimal
    shares: tuple[Days, ...]
    amount: Decimal


class MinimumFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A minimum and the usage charges that count toward it (semantics §15)."""

    minimum: Decimal
    counted: Decimal
    in_advance: bool


class CreditFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A credit as it was priced, and the total that limits it, in one currency (semantics §14)."""

    priced: Decimal
    limit: Decimal


class ShareFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One account's part of a pooled charge, by quantity, in billing currency (semantics §17).

    account_code: the child's; left out where it is the parent's own part.
    """

    account_code: str | None = None
    quantity: Decimal
    of: Decimal
    pooled: Decimal
    amount: Decimal


class MemoFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A credit or debit given by hand: its amount, what of it counts on the bill, and why (semantics §24)."""

    amount: Decimal
    applied: Decimal
    reason: str


class ChargeFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A charge as it was made (semantics §20). unit_price: of units; left out where an amount was given."""

    code: str
    amount: Decimal
    units: Decimal
    unit_price: Decimal | None = None


class FeeFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which of a commitment's fees it is, and what they spread: the amount less what was paid before (§18).

    first: what the first bill was to have. is_dated: the fee has a date and an amount of its own.
    """

    commitment: Decimal
    pre_paid: Decimal
    first: Decimal | None = None
    number: int
    of: int
    amount: Decimal
    is_dated: bool = False


class DrawnFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a commitment or balance covers of a charge, or of several (semantics §18, §19).

    covered: billing currency. drawn: its own currency. What is left is not kept: later bills draw, too.
    """

    name: str
    charge: str | None = None
    covered: Decimal
    drawn: Decimal
    currency: str
    rate: Decimal
    is_rollover: bool = False


class OverageFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What of a charge is beyond commitments and balances, in billing currency (semantics §18).

    percent: a surcharge on it. units, of_units: where what is beyond stands on a line of its own, the units
    of this line (is_own: it is that line). has_bands: they are priced by the bands for what is beyond.
    together: the units of all accounts that these bands price at once; the line has its share of each band.
    """

    of: Decimal
    beyond: Decimal
    percent: Decimal | None = None
    charge: str | None = None
    units: Decimal | None = None
    of_units: Decimal | None = None
    has_bands: bool = False
    together: Decimal | None = None
    is_own: bool = False


class ConversionFrom(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The exact amount, the rate into the billing currency, and the rounding there (semantics §25)."""

    exact: Decimal
    from_currency: str
    to_currency: str
    rate: Decimal
    places: int
    mode: RoundingMode
    converted: Decimal


class Derivation(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The whole derivation; a part that a line does not have is left out.

    cumulative: each band prices its own units; False prices all units at the band reached.
    units_before: of earlier periods, where tiers span the plan.
    """

    usage: UsageSource | None = None
    calculation: CalculatedFrom | None = None
    counter: CounterFrom | None = None
    units: UnitsFrom | None = None
    cumulative: bool | None = None
    units_before: Decimal | None = None
    bands: tuple[BandShare, ...] = ()
    proration: Proration | None = None
    minimum: MinimumFrom | None = None
    credit: CreditFrom | None = None
    conversion: ConversionFrom | None = None
    share: ShareFrom | None = None
    charge: ChargeFrom | None = None
    fee: FeeFrom | None = None
    drawn: DrawnFrom | None = None
    overage: OverageFrom | None = None
    memo: MemoFrom | None = None

    @property
    def is_of_usage(self) -> bool:
        """Tell whether usage was priced, measured or calculated."""
        return self.usage is not None or self.calculation is not None
