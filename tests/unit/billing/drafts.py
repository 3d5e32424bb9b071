"""Inputs of a bill in few words, for the calculation's tests: no database, no usage store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode
from tallystick.balances.balance import Balance
from tallystick.balances.charge import Charge, ChargeEntityType, ChargeLineItemType
from tallystick.balances.commitment import Commitment
from tallystick.billing.calculate import BillInputs, Draft
from tallystick.billing.calculate.inputs import (
    BillHead,
    CurrencyRule,
    Defaults,
    GroupTerms,
    Part,
    PlanTerms,
    PricedAggregation,
    PricedCounter,
    UsageKey,
)
from tallystick.billing.calculate.ledger_inputs import LedgerInputs, Reserve
from tallystick.billing.calculate.slices import UsageSlice, usage_slices
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.catalogue.counter import Counter
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import RoundingMode
from tallystick.kernel.periods import BillingCycle, BillingFrequency, BillingPeriod, Period, billing_period
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing, PricingBand
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding

D = Decimal
Band = tuple[str, str, str]
TIERED: Sequence[Band] = (("0", "0", "0.15"), ("500", "0", "0.10"))
METER = Meter(
    id="meter",
    name="Use",
    code="use",
    data_fields=[DataField(category=FieldCategory.MEASURE, code="gb", name="Gigabytes", unit="GB")],
    derived_fields=[],
)


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def aggregation(name: str = "Gigabytes", **values: Any) -> Aggregation:
    declared: dict[str, Any] = {
        "id": name,
        "name": name,
        "code": name.lower(),
        "meter_id": "meter",
        "target_field": "gb",
        "aggregation": Method.SUM,
        "rounding": UsageRounding.NONE,
        "quantity_per_unit": D(1),
        "unit": "GB",
    }
    return Aggregation(**declared | values)


def priced(
    bands: Sequence[Band] = TIERED,
    of: Aggregation | None = None,
    name: str = "price",
    segment: int | None = None,
    **values: Any,
) -> PricedAggregation:
    """Make a pricing. bands: (lower limit, fixed price, unit price)."""
    of = of or aggregation()
    declared: dict[str, Any] = {
        "id": name,
        "plan_id": "plan",
        "aggregation_id": of.id,
        "start_date": utc(2020, 1, 1),
        "cumulative": True,
        "segment": of.segments[segment] if segment is not None else None,
        "pricing_bands": [
            PricingBand(lower_limit=D(at), fixed_price=D(fixed), unit_price=D(unit))
            for at, fixed, unit in bands
        ],
    }
    return PricedAggregation.simple(Pricing(**declared | values), Part(of, METER, segment))


def compound(
    calculation: str,
    *parts: Aggregation,
    bands: Sequence[Band] = (("0", "0", "1"),),
    segment: int | None = None,
    price: dict[str, Any] | None = None,
    **values: Any,
) -> PricedAggregation:
    """Price a calculation, $1 a unit unless told. parts: the aggregations it names, coded by their names."""
    declared: dict[str, Any] = {
        "id": "compound",
        "name": "Compound",
        "calculation": calculation,
        "rounding": UsageRounding.NONE,
        "quantity_per_unit": D(1),
        "unit": "u",
        "aggregation_codes": [p.code for p in parts],
        "segments": parts[0].segments if segment is not None else [],
    }
    of = CompoundAggregation(**declared | values)
    named = {"aggregation_id": None, "compound_aggregation_id": of.id}
    simple = priced(bands, parts[0] if parts else None, "compound-price", segment, **(price or {}) | named)
    return PricedAggregation(simple.pricing, of, None, segment, tuple(Part(p, METER, segment) for p in parts))


def counter(
    bands: Sequence[Band] = (("0", "0", "2"),), name: str = "counter-price", **values: Any
) -> PricedCounter:
    """Price seats, $2 each unless told, in arrears and not prorated unless told."""
    declared: dict[str, Any] = {
        "id": name,
        "plan_id": "plan",
        "counter_id": "seats",
        "start_date": utc(2020, 1, 1),
        "running_total_bill_in_advance": False,
        "pro_rate_running_total": False,
        "pro_rate_adjustment_debit": False,
        "pro_rate_adjustment_credit": False,
        "pricing_bands": [
            PricingBand(lower_limit=D(at), fixed_price=D(fixed), unit_price=D(unit))
            for at, fixed, unit in bands
        ],
    }
    seats = Counter(id="seats", name="Seats", code="seats", unit="seats")
    return PricedCounter(CounterPricing(**declared | values), seats)


def own_keys(piece: UsageSlice) -> list[UsageKey]:
    """Name the usage of a slice itself, without its history."""
    return [part.key(("account",), piece.window, piece.filters) for part in piece.priced.parts]


START = utc(2024, 1, 1)


@dataclass
class OnPlan:
    """An account on a plan, monthly from the first of the month, to be billed for one of its periods."""

    standing: str = "0"
    minimum: str | None = None
    prices: Sequence[PricedAggregation] = ()
    inherited: Sequence[PricedAggregation] = ()
    counters: Sequence[PricedCounter] = ()
    start: datetime = START
    end: datetime | None = None
    epoch: date = date(2022, 1, 1)
    zone: tzinfo = UTC
    frequency: BillingFrequency = BillingFrequency.MONTHLY
    interval: int = 1
    currency: str = "USD"
    in_advance: bool = False
    minimum_by_days: bool = True
    product_id: str = "product"
    account_plan_id: str = "account-plan"
    template: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> Period:
        return Period.of(self.start, self.end)

    @property
    def cycle(self) -> BillingCycle:
        return BillingCycle(self.epoch, self.frequency, self.interval)

    def period(self, number: int) -> BillingPeriod:
        return billing_period(self.cycle, self.active.local_dates(self.zone).start, number)

    def terms(self, number: int = 0) -> PlanTerms:
        template = {
            "id": "template",
            "product_id": self.product_id,
            "name": "Basic",
            "currency": self.currency,
            "bill_frequency": self.frequency,
            "bill_frequency_interval": self.interval,
            "standing_charge": D(self.standing),
            "minimum_spend": D(self.minimum) if self.minimum else None,
        }
        plan = {"id": "plan", "plan_template_id": "template", "name": "Basic", "code": "basic"}
        return PlanTerms(
            account_plan=AccountPlan(
                id=self.account_plan_id,
                account_id="account",
                plan_id="plan",
                product_id=self.product_id,
                start_date=self.start,
                end_date=self.end,
            ),
            plan=Plan(**plan | self.plan),
            template=PlanTemplate(**template | self.template),
            own=tuple(self.prices),
            inherited=tuple(self.inherited),
            cycle=self.cycle,
            period=self.period(number),
            upcoming=self.period(number + 1),
            active=self.active,
            zone=self.zone,
            defaults=Defaults(
                standing_charge_in_advance=self.in_advance,
                minimum_spend_in_advance=self.in_advance,
                minimum_spend_by_days=self.minimum_by_days,
            ),
            account_ids=("account",),
            own_counters=tuple(self.counters),
        )

    def bill(self, used: str | None = None, number: int = 0, **values: Any) -> BillInputs:
        """Give the inputs of its number-th bill. used: the quantity in each slice of its usage."""
        terms = self.terms(number)
        pieces = usage_slices(terms, terms.period) if used is not None else []
        quantities = {key: D(used or 0) for piece in pieces for key in own_keys(piece)}
        return bill_inputs([terms], quantities, **values)


def bill_inputs(
    plans: Sequence[PlanTerms], quantities: Mapping[UsageKey, Decimal], **values: Any
) -> BillInputs:
    """Give the inputs of a bill in US dollars, unless told."""
    dates = plans[0].period.dates
    head = BillHead(
        grouping=f"{plans[0].cycle.frequency.value}:{plans[0].cycle.interval}",
        frequency=plans[0].cycle.frequency,
        interval=plans[0].cycle.interval,
        dates=dates,
        span=dates.instants(plans[0].zone),
        timezone="UTC",
        bill_date=dates.end,
        due_date=dates.end,
        external_invoice_date=dates.end,
    )
    declared: dict[str, Any] = {
        "account": Account(id="account", name="Acme", code="acme", email_address="acme@example.com"),
        "head": head,
        "plans": tuple(plans),
        "quantities": quantities,
        "products": {
            p: Product(id=p, name=p.capitalize(), code=p)
            for p in {t.account_plan.product_id or "" for t in plans}
        },
        "currency": "USD",
        "currencies": {"USD": CurrencyRule(2, RoundingMode.HALF_UP)},
        "rates": {},
    }
    return BillInputs(**declared | values)


def family(on: OnPlan, used: dict[str, str], mode: ChildBillingMode, billed: str | None = None) -> BillInputs:
    """Give a bill of a parent, `account`, and children. used: by account; together, their sum.

    billed: the child whose own bill it is.
    """
    terms = on.terms()
    attached = msgspec.structs.replace(terms.account_plan, child_billing_mode=mode)
    children = tuple(name for name in used if name != "account")
    terms = msgspec.structs.replace(
        terms,
        account_plan=attached,
        account_ids=("account", *children),
        child_codes={name: f"{name}-code" for name in children},
        billed_child=billed,
    )
    quantities = {}
    month = terms.period.dates.instants(terms.zone)
    for price in on.prices:
        (part,) = price.parts
        quantities[part.key(terms.account_ids, month)] = sum(map(D, used.values()), D(0))
        quantities |= {part.key((name,), month): D(value) for name, value in used.items()}
    return bill_inputs([terms], quantities)


def suite(group: PlanGroup, *members: tuple[OnPlan, str], number: int = 0, **values: Any) -> BillInputs:
    """Give a bill of an attached plan group. members: each plan, of its own product, and its usage."""
    plans: list[PlanTerms] = []
    quantities: dict[UsageKey, Decimal] = {}
    for on, used in members:
        alone = on.terms(number)
        attached = msgspec.structs.replace(alone.account_plan, plan_group_id=group.id, plan_id=on.product_id)
        plan = msgspec.structs.replace(alone.plan, id=on.product_id, name=on.product_id)
        terms = msgspec.structs.replace(alone, account_plan=attached, plan=plan)
        plans.append(terms)
        quantities |= {key: D(used) for piece in usage_slices(terms, terms.period) for key in own_keys(piece)}
    first = plans[0]
    own = GroupTerms(
        account_plan=msgspec.structs.replace(first.account_plan, plan_id=None, product_id=None),
        group=group,
        cycle=first.cycle,
        period=first.period,
        upcoming=first.upcoming,
        active=first.active,
        zone=first.zone,
        defaults=first.defaults,
    )
    return bill_inputs(plans, quantities, groups=(own,), **values)


def amounts(draft: Draft) -> list[tuple[str, str]]:
    """Give each line's type and rounded amount."""
    return [(line.line_item_type.value, f"{line.converted:f}") for line in draft.lines]


BILL_ID = str(uuid5(NAMESPACE_OID, "a bill"))


# --- the ledger ---------------------------------------------------------------------------------


def commitment(left: str | None = None, **values: Any) -> Reserve:
    """Make a commitment of $15,000 for 2024, unless told. left: what earlier bills left of it."""
    declared: dict[str, Any] = {
        "id": "commitment",
        "account_id": "account",
        "currency": "USD",
        "amount": D(15000),
        "start_date": date(2024, 1, 1),
        "end_date": date(2025, 1, 1),
        "dt_created": utc(2024, 1, 1),
    }
    made = Commitment(**declared | values)
    return Reserve(of=made, left=made.amount if left is None else D(left))


def balance(left: str, rolled: str = "0", **values: Any) -> Reserve:
    """Make a balance for 2024, unless told. rolled: what bills have drawn of it since its end."""
    declared: dict[str, Any] = {
        "id": "balance",
        "account_id": "account",
        "name": "Credits",
        "code": "credits",
        "currency": "USD",
        "start_date": utc(2024, 1, 1),
        "end_date": utc(2025, 1, 1),
        "dt_created": utc(2024, 1, 1),
    }
    return Reserve(of=Balance(**declared | values), left=D(left), rolled=D(rolled))


def charge(amount: str | None = "500", **values: Any) -> Charge:
    """Make an onboarding charge for January 2024."""
    declared: dict[str, Any] = {
        "id": "charge",
        "name": "Onboarding",
        "code": "onboarding",
        "account_id": "account",
        "currency": "USD",
        "amount": D(amount) if amount else None,
        "entity_type": ChargeEntityType.AD_HOC,
        "line_item_type": ChargeLineItemType.AD_HOC,
        "bill_date": date(2024, 2, 1),
        "service_period_start_date": utc(2024, 1, 1),
        "service_period_end_date": utc(2024, 2, 1),
    }
    return Charge(**declared | values)


def with_ledger(inputs: BillInputs, *reserves: Reserve, **values: Any) -> BillInputs:
    """Let a bill draw on reserves; the account's own commitments bring their fees."""
    commitments = tuple(r.commitment for r in reserves if r.commitment is not None)
    spans = {terms.plan.id: (terms.active,) for terms in inputs.plans}
    ledger = LedgerInputs(reserves=reserves, commitments=commitments, plan_spans=spans)
    return msgspec.structs.replace(inputs, ledger=msgspec.structs.replace(ledger, **values))
