"""Rate a past period under other prices and tell the difference, without storing anything."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.balances.draws import draws_on
from tallystick.billing.bill_job import BillJob, BillJobBillingFrequency
from tallystick.billing.calculate import BillInputs, Draft, calculate_bill
from tallystick.billing.diff import Existing
from tallystick.billing.jobs import billed_accounts
from tallystick.billing.ledger import Drawn, reserves_of
from tallystick.billing.ledger_save import draws_in, place_of
from tallystick.billing.line_item import BillLineItem, embedded
from tallystick.billing.lines import lines_of
from tallystick.billing.load import load_bills
from tallystick.billing.selection import selection_of, zone_of
from tallystick.billing.store import existing_bills, key_of
from tallystick.billing.usage import UsageQueries
from tallystick.billing.what_if import PlanChange, Replacement, what_if
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.errors import Invalid
from tallystick.kernel.periods import local_date
from tallystick.organizations.organization_config import config_of
from tallystick.platform.database import NOBODY
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Id, PageRequest, Transaction, resource_of
from tallystick.platform.resources.pages import to_token
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.pricing import Pricing

PricingRequest: Any = resource_of(Pricing).request_type
Key = tuple[Any, ...]
Amount = Annotated[Decimal, Meta(extra_json_schema={"type": "number"})]


class SimulateRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """Which period, for whom, and what is put in place of what is stored.

    Without a period it is the latest closed one; without accountIds all accounts. planCharges: plans and
    templates with other charges. pricings: all pricings that their plan or template has then.
    plans: plans that accounts are rated on as if it were another. lineItems: answer the lines too.
    """

    last_date_in_billing_period: date | None = None
    billing_frequency: BillJobBillingFrequency | None = None
    bill_frequency_interval: Annotated[int, Meta(ge=1, le=365)] | None = None
    account_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)] | None = None
    plan_charges: Annotated[list[PlanChange], Meta(max_length=100)] = []
    pricings: Annotated[list[PricingRequest], Meta(max_length=500)] = []
    plans: Annotated[list[Replacement], Meta(max_length=100)] = []
    line_items: bool = False


class Simulated(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One account's bill: as prices are, and as they would be; in the bill's currency.

    old or new is left out where there is no such bill. oldFailure, newFailure: why one cannot be made.
    """

    account_id: str
    account_code: str
    start_date: date | None = None
    end_date: date | None = None
    currency: str | None = None
    old: Amount | None = None
    new: Amount | None = None
    difference: Amount | None = None
    old_failure: str | None = None
    new_failure: str | None = None
    old_line_items: list[BillLineItem] | None = None
    new_line_items: list[BillLineItem] | None = None


class SimulatedTotal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the bills of this page come to, of one currency."""

    currency: str
    bills: int
    old: Amount
    new: Amount
    difference: Amount


class Simulation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of a simulation, by account, with its totals; no nextToken on the last."""

    data: list[Simulated]
    totals: list[SimulatedTotal]
    next_token: str | None = None


def simulate(tx: Transaction, usage: UsageQueries, request: SimulateRequest, page: PageRequest) -> Simulation:
    """Rate a page of accounts twice, from the same usage. tx: a snapshot. Raises InvalidBody.

    Both sides are calculated now, so that late usage and what changed since are no difference.
    """
    other, problems = what_if(tx, request.plan_charges, request.pricings, request.plans)
    job = BillJob(
        last_date_in_billing_period=request.last_date_in_billing_period,
        billing_frequency=request.billing_frequency,
        bill_frequency_interval=request.bill_frequency_interval,
        account_ids=request.account_ids,
    )
    problems += [*job.check(), *job.check_stored(tx, None)]
    if problems:
        raise InvalidBody(problems)
    config = config_of(tx)
    selection = selection_of(job, config, local_date(tx.clock.now(), zone_of(job, config)))
    account_ids = _accounts(tx, request.account_ids, page)
    shown = account_ids[: page.size]
    loaded = load_bills(tx, usage, selection, shown)
    loaded_anew = load_bills(tx, usage, selection, shown, what_if=other)
    both = [*loaded, *loaded_anew]
    keys = {key_of(each) for each in both}
    stored = {k: bill for k, bill in existing_bills(tx, both, lock=False).items() if k in keys}
    old, new = (_side(tx, bills, stored) for bills in (loaded, loaded_anew))
    data = [
        _compared(old, new, key, lines=request.line_items)
        for key in dict.fromkeys([*old.inputs, *new.inputs])
    ]
    token = to_token(shown[-1]) if len(account_ids) > page.size else None
    return Simulation(data=data, totals=_totals(data), next_token=token)


class _Side(msgspec.Struct, frozen=True):
    """The bills of one side, by `key_of`. failures: why one could not be made."""

    inputs: Mapping[Key, BillInputs]
    drafts: dict[Key, Draft]
    failures: dict[Key, Invalid]


def _side(tx: Transaction, loaded: Sequence[BillInputs], stored: Mapping[Key, Existing]) -> _Side:
    """Calculate what was loaded, as a run would: what all stored ones draw is there for them together.

    They draw one after the other, in the order of their periods (decision 0015).
    """
    side = _Side({key_of(each): each for each in loaded}, {}, {})
    reserves = {reserve.of.id for each in loaded for reserve in each.ledger.reserves}
    drawn = Drawn(draws_on(tx, sorted(reserves)), {each.bill.id for each in stored.values()})
    for inputs in sorted(loaded, key=place_of):
        left = reserves_of((reserve.of for reserve in inputs.ledger.reserves), drawn)
        ledger = msgspec.structs.replace(inputs.ledger, reserves=left)
        try:
            draft = calculate_bill(msgspec.structs.replace(inputs, ledger=ledger))
        except Invalid as error:
            side.failures[key_of(inputs)] = error
            continue
        drawn.add(draws_in(draft, ""))
        side.drafts[key_of(inputs)] = draft
    return side


def _accounts(tx: Transaction, wanted: list[str] | None, page: PageRequest) -> list[str]:
    """Give the page's accounts, in the order of their ids, and one more where there is one."""
    after = page.after or NOBODY
    if wanted is not None:
        return [a for a in sorted(each.lower() for each in wanted) if a > after][: page.size + 1]
    accounts = billed_accounts(tx, after, page.size + 1).order_by("account_id").limit(page.size + 1)
    return [row[0] for row in tx.execute(accounts)]


def _compared(old: _Side, new: _Side, key: Key, *, lines: bool) -> Simulated:
    inputs = old.inputs.get(key) or new.inputs[key]
    before, after = old.drafts.get(key), new.drafts.get(key)
    failed = [side.failures.get(key) for side in (old, new)]
    is_whole = (before or key not in old.inputs) and (after or key not in new.inputs)
    was, will_be = (ZERO if draft is None else draft.total for draft in (before, after))
    return Simulated(
        account_id=inputs.account.id,
        account_code=inputs.account.code,
        start_date=inputs.head.dates.start,
        end_date=inputs.head.dates.end,
        currency=inputs.currency,
        old=None if before is None else before.total,
        new=None if after is None else after.total,
        difference=will_be - was if is_whole else None,
        old_failure=failed[0].message if failed[0] else None,
        new_failure=failed[1].message if failed[1] else None,
        old_line_items=_lines(before) if lines else None,
        new_line_items=_lines(after) if lines else None,
    )


def _lines(draft: Draft | None) -> list[BillLineItem] | None:
    return None if draft is None else [embedded(line) for line in lines_of(draft, new_id())]


def _totals(data: Iterable[Simulated]) -> list[SimulatedTotal]:
    """Add up the bills whose both sides could be made."""
    whole: dict[str, list[Simulated]] = {}
    for each in data:
        if each.difference is not None:
            whole.setdefault(each.currency or "", []).append(each)
    return [
        SimulatedTotal(
            currency=currency,
            bills=len(bills),
            old=sum((b.old or ZERO for b in bills), ZERO),
            new=sum((b.new or ZERO for b in bills), ZERO),
            difference=sum((b.difference or ZERO for b in bills), ZERO),
        )
        for currency, bills in sorted(whole.items())
    ]
