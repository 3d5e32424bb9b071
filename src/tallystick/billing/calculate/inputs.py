"""Everything a bill is calculated from. Values only: `load` fills them, the steps read them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, tzinfo
from decimal import Decimal
from typing import NamedTuple, Self

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode
from tallystick.accounts.contract import UsageFilter
from tallystick.billing.calculate.ledger_inputs import LedgerInputs
from tallystick.billing.errors import NoConversionRate, UnknownCurrency
from tallystick.billing.memo import Memo
from tallystick.calc.values import Lookups, NoLookups, Value
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.catalogue.counter import Counter
from tallystick.catalogue.meter import Meter
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import ONE, ZERO, RoundingMode
from tallystick.kernel.periods import BillingCycle, BillingFrequency, BillingPeriod, DateSpan, Period
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing
from tallystick.rating.proration import WHOLE, DayShare, day_shares
from tallystick.usage.store.model import Away


class UsageKey(NamedTuple):
    """Names one quantity of usage: an aggregation over some accounts' measurements in a window.

    segment: its position in the aggregation's segments; None where it has none. filters: a contract's,
    which the measurements pass. away: which of the accounts' measurements do not count.
    """

    aggregation_id: str
    account_ids: tuple[str, ...]
    window: Period
    segment: int | None
    filters: tuple[UsageFilter, ...] = ()
    away: tuple[Away, ...] = ()


class Pool(NamedTuple):
    """Whose usage is priced together in a window: the parent's and children's, less while these are away."""

    account_ids: tuple[str, ...]
    away: tuple[Away, ...] = ()

    def own(self, account_id: str) -> "Pool":
        """Give one account of it alone."""
        return Pool((account_id,), tuple(each for each in self.away if each.account_id == account_id))


class CurrencyRule(msgspec.Struct, frozen=True):
    """How a currency rounds."""

    places: int
    mode: RoundingMode


class Part(msgspec.Struct, frozen=True):
    """An aggregation that usage is asked for, its meter, and the position of one segment.

    segment: None is all usage, also of an aggregation that has segments.
    """

    aggregation: Aggregation
    meter: Meter
    segment: int | None

    def key(
        self,
        account_ids: tuple[str, ...],
        window: Period,
        filters: tuple[UsageFilter, ...] = (),
        away: tuple[Away, ...] = (),
    ) -> UsageKey:
        """Name the quantity of some accounts' usage in a window."""
        return UsageKey(self.aggregation.id, account_ids, window, self.segment, filters, away)

    def unknown_dimension(self, filters: Collection[UsageFilter]) -> str | None:
        """Give a dimension of filters that the meter does not have, if there is one."""
        if not filters:
            return None
        known = {field.code for field in self.meter.fields if field.category.is_dimension}
        return next((f.dimension_code for f in filters if f.dimension_code not in known), None)


class PricedAggregation(msgspec.Struct, frozen=True):
    """A pricing with what it prices: an aggregation, its meter and the position of its segment.

    Of a compound aggregation, which has no meter, parts are the aggregations that it names.
    """

    pricing: Pricing
    aggregation: Aggregation | CompoundAggregation
    meter: Meter | None
    segment: int | None
    parts: tuple[Part, ...] = ()

    @classmethod
    def simple(cls, pricing: Pricing, part: Part) -> "PricedAggregation":
        """Build the price of an aggregation."""
        return cls(pricing, part.aggregation, part.meter, part.segment, (part,))

    @property
    def compound_aggregation_id(self) -> str | None:
        """The compound aggregation, if it is one."""
        return self.pricing.compound_aggregation_id

    @property
    def aggregation_id(self) -> str | None:
        """The aggregation, unless it is a compound one."""
        return self.pricing.aggregation_id

    @property
    def key(self) -> tuple[str, int | None]:
        """What is priced: no two pricings may price it at once."""
        return self.aggregation.id, self.segment


class PricedCounter(msgspec.Struct, frozen=True):
    """A counter's pricing with its counter."""

    pricing: CounterPricing
    counter: Counter

    @property
    def key(self) -> str:
        """What is priced: no two pricings may price it at once."""
        return self.counter.id


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What an organization bills in advance where plans do not say; whether minimums are by active days."""

    standing_charge_in_advance: bool
    minimum_spend_in_advance: bool
    minimum_spend_by_days: bool = True


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """A standing charge or a minimum spend. amount: of a whole period, in pricing currency; zero is none.

    description: its own text, if it has one. interval, offset: of a standing charge, on which bills it falls.
    """

    amount: Decimal
    in_advance: bool
    description: str | None = None
    accounting_product_id: str | None = None
    interval: int = 1
    offset: int = 0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an account plan, or a plan group, charges on the bill, and when.

    period: the account plan's own billing period that the bill closes; its number counts from the plan's
    start. upcoming: the one after it, which the bill opens. billed_child: whose bill this is, where a
    parent's plan bills a child by itself; then only the child's share of usage is on it (semantics §17).
    """

    account_plan: AccountPlan
    cycle: BillingCycle
    period: BillingPeriod
    upcoming: BillingPeriod
    active: Period
    zone: tzinfo
    defaults: Defaults
    billed_child: str | None = None

    @property
    def key(self) -> str:
        """Name it among all terms of all bills."""
        return self.account_plan.id

    @property
    def product_id(self) -> str | None:
        """The product that it is of; a group is of none."""
        return self.account_plan.product_id

    def active_dates(self, period: BillingPeriod) -> DateSpan:
        """Give the local days of a period on which the account plan is active."""
        return self.active.local_dates(self.zone).intersect(period.dates)

    def shares(self, days: DateSpan) -> list[DayShare]:
        """Give the shares of whole billing periods that some days are."""
        return day_shares(days, self.cycle)

    def minimum_shares(self, spans: Iterable[DateSpan]) -> tuple[DayShare, ...]:
        """Give the shares that a minimum is owed for: by days, or whole for any day (semantics §15)."""
        shares = tuple(share for days in spans for share in self.shares(days))
        return shares if self.defaults.minimum_spend_by_days or not shares else WHOLE

    def opened_periods(self) -> tuple[BillingPeriod, ...]:
        """Give the periods whose charges in advance fall on this bill.

        The bill that closes a period opens the next one. The first bill of an account plan has no bill
        before it, so it also holds its own period's. Rule: decision 0010.
        """
        return (self.period, self.upcoming) if self.period.number == 0 else (self.upcoming,)


class PlanTerms(Terms, frozen=True, kw_only=True):
    """An account plan that falls on the bill, with all it refers to; also a plan of an attached group.

    own, inherited: pricings of the plan and of its template. own_counters, inherited_counters: of counters.
    account_ids: whose usage it ever prices, the account's and children's. away: when children are on a plan
    of their own, where that is not always. child_codes: by account.
    custom_fields: by the names that compound aggregations read them by; empty where there are none.
    usage_filters: its contract's, which usage has to pass to be priced.
    """

    plan: Plan
    template: PlanTemplate
    own: tuple[PricedAggregation, ...]
    inherited: tuple[PricedAggregation, ...]
    account_ids: tuple[str, ...]
    own_counters: tuple[PricedCounter, ...] = ()
    inherited_counters: tuple[PricedCounter, ...] = ()
    custom_fields: Mapping[str, Value] = {}
    child_codes: Mapping[str, str] = {}
    away: Mapping[str, tuple[Period, ...]] = {}
    usage_filters: tuple[UsageFilter, ...] = ()

    @property
    def key(self) -> str:
        """Name it among all terms of all bills: of a plan group, each plan has its own."""
        attached = self.account_plan
        return f"{attached.id}:{self.plan.id}" if attached.plan_group_id else attached.id

    @property
    def currency(self) -> str:
        """The pricing currency."""
        return self.template.currency

    def pool(self, window: Period) -> Pool:
        """Give whose usage it prices in a window: a child's while it has no plan of its own (§17)."""
        if not self.away:
            return Pool(self.account_ids)
        there = tuple(a for a in self.account_ids if any(window.outside(self.away.get(a, ()))))
        taken = ((a, window.intersect(span)) for a in there for span in self.away.get(a, ()))
        return Pool(there, tuple(Away(a, span) for a, span in taken if not span.is_empty))

    def in_period(self, period: BillingPeriod) -> Self:
        """Give the terms for the accounts that pool for a part at least of a period."""
        if not self.away:
            return self
        span = self.active.intersect(period.dates.instants(self.zone))
        return msgspec.structs.replace(self, account_ids=self.pool(span).account_ids)

    def away_days(self, account_id: str) -> list[DateSpan]:
        """Give the local days on which a child is on a plan of its own."""
        return [span.local_dates(self.zone) for span in self.away.get(account_id, ())]

    @property
    def is_pooled(self) -> bool:
        """Tell whether what it prices is told apart by account."""
        return len(self.account_ids) > 1 and not self.shows_one_line

    @property
    def shows_one_line(self) -> bool:
        """Tell whether what a family used is one line, for all of it."""
        return self.account_plan.child_billing_mode is ChildBillingMode.PARENT_SUMMARY

    @property
    def standing_charge(self) -> Fixed:
        """The plan's, else its template's. In advance: plan, template, organization (semantics §13)."""
        plan, template = self.plan, self.template
        own = plan.standing_charge
        return Fixed(
            amount=template.standing_charge if own is None else own,
            in_advance=_first(
                plan.standing_charge_bill_in_advance,
                template.standing_charge_bill_in_advance,
                self.defaults.standing_charge_in_advance,
            ),
            description=plan.standing_charge_description or template.standing_charge_description,
            accounting_product_id=plan.standing_charge_accounting_product_id,
            interval=template.standing_charge_interval or 1,
            offset=template.standing_charge_offset or 0,
        )

    @property
    def minimum_spend(self) -> Fixed:
        """The plan's, else its template's. In advance: plan, template, organization (semantics §13)."""
        plan, template = self.plan, self.template
        own = plan.minimum_spend
        return Fixed(
            amount=(template.minimum_spend if own is None else own) or ZERO,
            in_advance=_first(
                plan.minimum_spend_bill_in_advance,
                template.minimum_spend_bill_in_advance,
                self.defaults.minimum_spend_in_advance,
            ),
            description=plan.minimum_spend_description or template.minimum_spend_description,
            accounting_product_id=plan.minimum_spend_accounting_product_id,
        )

    def pricing_minimum_in_advance(self, pricing: Pricing) -> bool:
        """Precedence: pricing, organization (semantics §13)."""
        return _first(pricing.minimum_spend_bill_in_advance, None, self.defaults.minimum_spend_in_advance)


class GroupTerms(Terms, frozen=True, kw_only=True):
    """An attached plan group's own charges; its plans' are `PlanTerms` of the same account plan.

    account_plan: without a plan, and so without a product.
    """

    group: PlanGroup

    @property
    def currency(self) -> str:
        """The pricing currency, which is that of all its plans."""
        return self.group.currency

    @property
    def standing_charge(self) -> Fixed:
        """The group's, on every bill. In advance: group, organization (semantics §13)."""
        group = self.group
        return Fixed(
            amount=group.standing_charge or ZERO,
            in_advance=_first(
                group.standing_charge_bill_in_advance, None, self.defaults.standing_charge_in_advance
            ),
            description=group.standing_charge_description,
            accounting_product_id=group.standing_charge_accounting_product_id,
        )

    @property
    def minimum_spend(self) -> Fixed:
        """The group's. In advance: group, organization (semantics §13)."""
        group = self.group
        return Fixed(
            amount=group.minimum_spend or ZERO,
            in_advance=_first(
                group.minimum_spend_bill_in_advance, None, self.defaults.minimum_spend_in_advance
            ),
            description=group.minimum_spend_description,
            accounting_product_id=group.minimum_spend_accounting_product_id,
        )


Charging = PlanTerms | GroupTerms
"What has a standing charge and a minimum spend of its own."


class BillHead(msgspec.Struct, frozen=True, kw_only=True):
    """Which bill it is: the account's only one of its end and grouping (`due.grouping_of`).

    purchase_order_number: of the contracts that it is for; None is the account's.
    """

    grouping: str
    frequency: BillingFrequency
    interval: int
    dates: DateSpan
    span: Period
    timezone: str
    bill_date: date
    due_date: date
    external_invoice_date: date
    purchase_order_number: str | None = None


class BillMemo(msgspec.Struct, frozen=True):
    """A memo that is on the bill. reason: its name and code. products: those that the memo names."""

    memo: Memo
    reason: str
    products: tuple[Product, ...]


class BillInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of one account's bill of one period.

    quantities: raw aggregates; a key that is missing had no data. rates: (from, to) → multiplier.
    counters: by account and counter, each new value with its day, in order.
    groups: the account's own plan groups whose plans are on the bill.
    memos: what is on the stored bill by hand, oldest first.
    """

    account: Account
    head: BillHead
    plans: tuple[PlanTerms, ...]
    quantities: Mapping[UsageKey, Decimal]
    products: Mapping[str, Product]
    currency: str
    currencies: Mapping[str, CurrencyRule]
    rates: Mapping[tuple[str, str], Decimal]
    groups: tuple[GroupTerms, ...] = ()
    suppress_empty: bool = False
    lookups: Lookups = NoLookups()
    counters: Mapping[tuple[str, str], tuple[tuple[date, Decimal], ...]] = {}
    memos: tuple[BillMemo, ...] = ()
    ledger: LedgerInputs = LedgerInputs()

    @property
    def own_plans(self) -> tuple[PlanTerms, ...]:
        """The account's own plans, without those of its parent that only bill it its usage."""
        return tuple(terms for terms in self.plans if terms.billed_child is None)

    @property
    def rounding(self) -> CurrencyRule:
        """How the billing currency rounds. Raises UnknownCurrency."""
        rule = self.currencies.get(self.currency)
        if rule is None:
            raise UnknownCurrency(self.currency)
        return rule

    def rate_from(self, currency: str) -> Decimal:
        """Give what one unit of a pricing currency is in the billing currency. Raises NoConversionRate."""
        if currency == self.currency:
            return ONE
        rate = self.rates.get((currency, self.currency))
        if rate is None:
            raise NoConversionRate(currency, self.currency)
        return rate


def _first(own: bool | None, inherited: bool | None, default: bool) -> bool:  # noqa: FBT001 - a precedence
    if own is not None:
        return own
    return default if inherited is None else inherited
