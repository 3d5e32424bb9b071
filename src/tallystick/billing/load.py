"""Load what bills are calculated from: a chunk of accounts at once, from one snapshot. Decides nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from decimal import Decimal
from functools import partial

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.billing.bill import Bill
from tallystick.billing.bill_job import BillJob
from tallystick.billing.calculate.inputs import (
    BillHead,
    BillInputs,
    CurrencyRule,
    Defaults,
    GroupTerms,
    Part,
    PlanTerms,
    PricedAggregation,
    PricedCounter,
    UsageKey,
)
from tallystick.billing.calculate.slices import usage_slices
from tallystick.billing.currencies import currency_rules
from tallystick.billing.due import (
    Attached,
    Closing,
    DueBill,
    DuePlan,
    Frame,
    Selection,
    due_date_of,
    due_plan,
    external_invoice_date_of,
    is_consolidated,
    is_of_contracts,
)
from tallystick.billing.family import Families, load_families
from tallystick.billing.filters import filters_of
from tallystick.billing.frames import load_frames
from tallystick.billing.ledger import Ledger, load_ledger
from tallystick.billing.priced import custom_fields_of, load_priced_things
from tallystick.billing.selection import selection_of_bill
from tallystick.billing.usage import UsageQueries, load_quantities
from tallystick.billing.what_if import AS_IT_IS, WhatIf
from tallystick.calc.values import Lookups, NoLookups
from tallystick.catalogue.counter import Counter
from tallystick.catalogue.product import Product
from tallystick.kernel.periods import DateSpan, Period, billing_period
from tallystick.organizations.custom_field import CustomField
from tallystick.organizations.organization_config import OrganizationConfig, config_of
from tallystick.platform.resources import Transaction
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing
from tallystick.usage.counter_adjustment import CounterAdjustment

CounterValues = dict[tuple[str, str], tuple[tuple[date, Decimal], ...]]


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What the plans of a chunk refer to, by id; pricings and counters by the plan or template they price.

    custom_fields: the organization's defaults, where a compound aggregation may read them, else None.
    frames: contracts, by id.
    """

    plans: Mapping[str, Plan]
    templates: Mapping[str, PlanTemplate]
    pricings: Mapping[str, tuple[PricedAggregation, ...]]
    counters: Mapping[str, tuple[PricedCounter, ...]]
    products: Mapping[str, Product]
    groups: Mapping[str, PlanGroup]
    frames: Mapping[str, Frame]
    custom_fields: CustomField | None
    lookups: Lookups

    def attached(self, account_plan: AccountPlan) -> Attached:
        """Give an account plan with its template and its contract."""
        plan = self.plans[account_plan.plan_id or ""]
        frame = self.frames.get(account_plan.contract_id or "")
        return Attached(account_plan, self.templates[plan.plan_template_id], frame)


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What the bills of some accounts are put together from. attached: account plans, by account."""

    selection: Selection
    config: OrganizationConfig
    currencies: Mapping[str, CurrencyRule]
    families: Families
    prices: Prices
    attached: Mapping[str, list[Attached]]
    what_if: WhatIf

    def due_plans(self, account: Account, selection: Selection) -> list[DuePlan]:
        """Give an account's own plans that are due, and its parent's that bill it its usage."""
        own = (due_plan(selection, account, plan) for plan in self.attached[account.id])
        lent = self.families.lent_plans(selection, account, self.prices.attached)
        return [*(due for due in own if due is not None), *lent]

    def inputs(self, due: DueBill, ledger: Ledger) -> BillInputs:
        """Put together what a bill is calculated from, but for what was used and counted."""
        plans = tuple(
            terms(each, due.account, self.families, self.prices, self.selection, self.config)
            for each in due.plans
        )
        made = _inputs(due, plans, self.selection, self.config, self.currencies, self.prices)
        made = msgspec.structs.replace(made, groups=_groups(plans, self.prices))
        made = ledger.put_on(made, _plan_spans(self.attached[due.account.id], self.selection.zone))
        made = msgspec.structs.replace(made, ledger=self.what_if.with_fees(made.ledger))
        return _ordered(made, (each.frame for each in due.plans), ledger.contracts_on(made).values())


def load_bills(
    tx: Transaction,
    queries: UsageQueries,
    selection: Selection,
    account_ids: Sequence[str],
    only: Collection[tuple[str, str]] | None = None,
    *,
    what_if: WhatIf = AS_IT_IS,
) -> list[BillInputs]:
    """Load the inputs of all bills that are due for these accounts; only: of these accounts and groupings.

    what_if: what a simulation puts in place of what is stored.

    A handful of statements, and one usage query per aggregation and kind of window, however many
    accounts. tx: a snapshot. Raises Unavailable when the usage store cannot answer.
    """
    accounts = {a.id: a for a in sorted(tx.find(Account, id=list(account_ids)), key=lambda a: a.id)}
    sources = _load_sources(tx, selection, accounts, what_if)
    due_of = {account_id: partial(sources.due_plans, account) for account_id, account in accounts.items()}
    closing = Closing(selection, accounts, due_of)
    ledger = load_ledger(tx, closing, sources.config, sources.families.children.keys())
    wanted = (each for each in ledger.due if only is None or (each.account.id, each.grouping) in only)
    bills = [sources.inputs(each, ledger) for each in wanted]
    quantities = load_quantities(queries, tx.org_id, _wanted(bills))
    counters = _counter_values(tx, bills)
    return [msgspec.structs.replace(b, quantities=quantities, counters=counters) for b in bills]


def _load_sources(
    tx: Transaction, selection: Selection, accounts: Mapping[str, Account], what_if: WhatIf
) -> Sources:
    families = load_families(tx, accounts)
    families = msgspec.structs.replace(families, attached=what_if.moved(families.attached))
    own = {a: families.attached.get(a, []) for a in accounts}
    lent = {a: families.lent_to(account) for a, account in accounts.items()}
    prices = load_prices(tx, [plan for a in accounts for plan in (*own[a], *lent[a])], what_if)
    return Sources(
        selection=selection,
        config=config_of(tx),
        currencies=currency_rules(tx),
        families=families,
        prices=prices,
        attached={account_id: [prices.attached(plan) for plan in plans] for account_id, plans in own.items()},
        what_if=what_if,
    )


def _ordered(inputs: BillInputs, *frames: Iterable[Frame | None]) -> BillInputs:
    """Give a bill that contracts have for themselves their purchase order number, if they have one (§21).

    frames: of what is on the bill. Where their numbers differ, it carries the account's.
    """
    if not is_of_contracts(inputs.head.grouping):
        return inputs
    numbers = {frame.contract.purchase_order_number for each in frames for frame in each if frame is not None}
    only = numbers.pop() if len(numbers) == 1 else None
    head = msgspec.structs.replace(inputs.head, purchase_order_number=only)
    return msgspec.structs.replace(inputs, head=head)


def _plan_spans(attached: Iterable[Attached], zone: tzinfo) -> dict[str, tuple[Period, ...]]:
    """Give when an account has each plan."""
    spans: dict[str, list[Period]] = defaultdict(list)
    for each in attached:
        spans[each.account_plan.plan_id or ""].append(each.active(zone))
    return {plan_id: tuple(own) for plan_id, own in spans.items()}


def _groups(on_bill: Iterable[PlanTerms], prices: Prices) -> tuple[GroupTerms, ...]:
    """Give the account's own plan groups whose plans are on a bill: their period is that of their plans."""
    grouped = {t.account_plan.id: t for t in on_bill if t.account_plan.plan_group_id and not t.billed_child}
    return tuple(
        GroupTerms(
            account_plan=msgspec.structs.replace(each.account_plan, plan_id=None, product_id=None),
            group=prices.groups[each.account_plan.plan_group_id or ""],
            cycle=each.cycle,
            period=each.period,
            upcoming=each.upcoming,
            active=each.active,
            zone=each.zone,
            defaults=each.defaults,
        )
        for each in grouped.values()
    )


def load_prices(tx: Transaction, attached: Iterable[AccountPlan], what_if: WhatIf = AS_IT_IS) -> Prices:
    """Load everything that account plans refer to."""
    attached = list(attached)
    plans = what_if.changed(tx.by_id(Plan, (each.plan_id for each in attached)))
    templates = what_if.changed(tx.by_id(PlanTemplate, (plan.plan_template_id for plan in plans.values())))
    groups = tx.by_id(PlanGroup, (each.plan_group_id for each in attached))
    stored = (*tx.find(Pricing, plan_id=list(plans)), *tx.find(Pricing, plan_template_id=list(templates)))
    pricings = what_if.priced(stored, [*plans, *templates])
    catalogue = load_priced_things(tx, pricings)
    priced: dict[str, list[PricedAggregation]] = defaultdict(list)
    for pricing in pricings:
        owner = pricing.plan_id or pricing.plan_template_id or ""
        priced[owner].append(catalogue.priced(pricing))
    counters = _priced_counters(tx, plans, templates)
    named = {template.product_id for template in templates.values()}
    for each in (*plans.values(), *groups.values()):
        named |= {each.minimum_spend_accounting_product_id, each.standing_charge_accounting_product_id}
    named |= {pricing.accounting_product_id for pricing in pricings}
    named |= {each.aggregation.accounting_product_id for own in priced.values() for each in own}
    named |= {each.pricing.accounting_product_id for own in counters.values() for each in own}
    return Prices(
        plans=plans,
        templates=templates,
        pricings={owner: tuple(each) for owner, each in priced.items()},
        counters=counters,
        products=tx.by_id(Product, named),
        groups=groups,
        frames=load_frames(tx, (each.contract_id for each in attached)),
        custom_fields=catalogue.custom_fields,
        lookups=catalogue.lookups,
    )


def _priced_counters(
    tx: Transaction, plans: Mapping[str, Plan], templates: Mapping[str, PlanTemplate]
) -> dict[str, tuple[PricedCounter, ...]]:
    pricings = [
        *tx.find(CounterPricing, plan_id=list(plans)),
        *tx.find(CounterPricing, plan_template_id=list(templates)),
    ]
    counters = tx.by_id(Counter, {p.counter_id for p in pricings})
    found: dict[str, list[PricedCounter]] = defaultdict(list)
    for pricing in pricings:
        owner = pricing.plan_id or pricing.plan_template_id or ""
        found[owner].append(PricedCounter(pricing, counters[pricing.counter_id]))
    return {owner: tuple(each) for owner, each in found.items()}


def _counter_values(tx: Transaction, bills: Sequence[BillInputs]) -> CounterValues:
    """Load every value that counters of these bills were ever set to, by account and counter."""
    plans = [plan for bill in bills for plan in bill.plans if plan.own_counters or plan.inherited_counters]
    counters = {c.counter.id for p in plans for c in (*p.own_counters, *p.inherited_counters)}
    accounts = {account_id for p in plans for account_id in p.account_ids}
    found: dict[tuple[str, str], list[tuple[date, Decimal]]] = defaultdict(list)
    if counters:
        for each in tx.find(CounterAdjustment, counter_id=sorted(counters), account_id=sorted(accounts)):
            found[each.account_id, each.counter_id].append((each.date, Decimal(each.value)))
    return {key: tuple(sorted(values)) for key, values in found.items()}


def terms(
    due: DuePlan,
    account: Account,
    families: Families,
    prices: Prices,
    selection: Selection,
    config: OrganizationConfig,
) -> PlanTerms:
    """Put together an account plan's terms. account: whose bill it is, the plan's own or a child."""
    attached = due.account_plan
    away = families.away(due, selection)
    pooled = [child for child in families.children_of(due) if child.id in away]
    is_lent = attached.account_id != account.id
    holder = families.lenders[attached.account_id] if is_lent else account
    plan = prices.plans[attached.plan_id or ""]
    product = prices.products.get(due.template.product_id or "")
    starting = due.active.local_dates(selection.zone).start
    return PlanTerms(
        account_plan=attached,
        plan=plan,
        template=due.template,
        own=prices.pricings.get(attached.plan_id or "", ()),
        inherited=prices.pricings.get(due.template.id, ()),
        cycle=due.cycle,
        period=due.period,
        upcoming=billing_period(due.cycle, starting, due.period.number + 1),
        active=due.active,
        zone=selection.zone,
        defaults=Defaults(
            standing_charge_in_advance=config.standing_charge_bill_in_advance,
            minimum_spend_in_advance=config.minimum_spend_bill_in_advance,
            minimum_spend_by_days=config.pro_rate_minimum_spend,
        ),
        account_ids=(attached.account_id, *(child.id for child in pooled)),
        child_codes={child.id: child.code for child in pooled},
        away={account_id: spans for account_id, spans in away.items() if spans},
        billed_child=account.id if is_lent else None,
        usage_filters=filters_of(due.frame.contract if due.frame else None),
        own_counters=prices.counters.get(attached.plan_id or "", ()),
        inherited_counters=prices.counters.get(due.template.id, ()),
        custom_fields=custom_fields_of(prices.custom_fields, due, holder, plan, product),
    )


def _inputs(
    due: DueBill,
    plans: tuple[PlanTerms, ...],
    selection: Selection,
    config: OrganizationConfig,
    currencies: Mapping[str, CurrencyRule],
    prices: Prices | None,
) -> BillInputs:
    bill_date = selection.given_bill_date or due.dates.end
    head = BillHead(
        grouping=due.grouping,
        frequency=due.frequency,
        interval=due.interval,
        dates=due.dates,
        span=due.dates.instants(selection.zone),
        timezone=selection.timezone,
        bill_date=bill_date,
        due_date=due_date_of(selection, due.account, config, bill_date),
        external_invoice_date=external_invoice_date_of(selection, config, due.dates),
    )
    own = {(c.from_currency, c.to_currency): c.multiplier for c in config.currency_conversions}
    return BillInputs(
        account=due.account,
        head=head,
        plans=plans,
        quantities={},
        products=prices.products if prices else {},
        lookups=prices.lookups if prices else NoLookups(),
        currency=selection.currency or due.account.currency or config.currency,
        currencies=currencies,
        rates={**own, **selection.rates},
        # What a parent's plan bills a child may be nothing: then there is no bill to make.
        suppress_empty=config.suppressed_empty_bills or all(p.billed_child is not None for p in plans),
    )


def load_anew(
    tx: Transaction, queries: UsageQueries, bills: Iterable[Bill], config: OrganizationConfig
) -> list[BillInputs]:
    """Load the inputs of stored bills; one that no plan falls on any more has no lines.

    What the job that made a bill said otherwise than the organization (zone, currency, rates, epochs)
    still holds for it.
    """
    bills = list(bills)
    jobs = tx.by_id(BillJob, {bill.bill_job_id for bill in bills})
    loaded: list[BillInputs] = []
    for same in _by_period(bills):
        selection = selection_of_bill(same[0], config, jobs.get(same[0].bill_job_id or ""))
        wanted = {(bill.account_id, bill.grouping): bill for bill in same}
        found = load_bills(tx, queries, selection, [bill.account_id for bill in same], wanted.keys())
        made = {(each.account.id, each.head.grouping) for each in found}
        gone = (bill for key, bill in wanted.items() if key not in made)
        loaded.extend([*found, *(inputs_without_plans(tx, bill, selection, config) for bill in gone)])
    return loaded


def _by_period(bills: Iterable[Bill]) -> list[list[Bill]]:
    groups: dict[tuple[object, ...], list[Bill]] = {}
    for bill in bills:
        # A consolidated bill's frequency is only what happens to be on it.
        frequency = (
            () if is_consolidated(bill.grouping) else (bill.billing_frequency, bill.bill_frequency_interval)
        )
        groups.setdefault((frequency, bill.end_date, bill.timezone, bill.bill_job_id), []).append(bill)
    return list(groups.values())


def inputs_without_plans(
    tx: Transaction, bill: Bill, selection: Selection, config: OrganizationConfig
) -> BillInputs:
    """Load the inputs of a stored bill as if no plan fell on it."""
    due = DueBill(
        account=tx.get(Account, bill.account_id),
        grouping=bill.grouping,
        frequency=bill.billing_frequency,
        interval=bill.bill_frequency_interval,
        dates=DateSpan(bill.start_date, bill.end_date),
        plans=(),
    )
    return _inputs(due, (), selection, config, currency_rules(tx), None)


def _wanted(bills: Iterable[BillInputs]) -> Iterator[tuple[Part, UsageKey]]:
    for bill in bills:
        for each in bill.plans:
            for piece in usage_slices(each, each.period):
                yield from piece.keys(each)
