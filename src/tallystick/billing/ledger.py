"""Load the ledger's part of bills: what they may draw on, and the charges and fees that fall on them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec
from sqlalchemy import select

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.balances.balance import Balance
from tallystick.balances.charge import Charge
from tallystick.balances.commitment import Commitment
from tallystick.balances.draws import Draw, draws_on
from tallystick.billing.bill import Bill
from tallystick.billing.calculate.fees import fee_in_advance, fees_on_dates, scheduled_fees
from tallystick.billing.calculate.inputs import BillInputs
from tallystick.billing.calculate.ledger_inputs import DatedFee, LedgerInputs, Reserve
from tallystick.billing.currencies import currency_rules
from tallystick.billing.due import (
    WITHOUT_PERIODS,
    Closing,
    DueBill,
    Frame,
    Selection,
    grouping_of,
    is_consolidated,
)
from tallystick.billing.frames import load_frames
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingCycle, BillingFrequency, DateSpan, Period
from tallystick.organizations.organization_config import CreditType, OrganizationConfig
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate

BillKey = tuple[str, str, date]
FAMILY_ORDER = (CreditType.PREPAYMENT, CreditType.BALANCE)
"A family draws in this order, whatever its accounts say (semantics §17)."


class Drawn:
    """What is drawn on commitments and balances, less what some bills draw that are made anew."""

    def __init__(self, draws: Iterable[Draw], releasing: Collection[str] = ()) -> None:
        draws = list(draws)
        self.in_force = _sums(draws)
        "What all bills draw, by what they draw on: a balance's amount is less by that."
        others = [draw for draw in draws if draw.bill_id not in releasing]
        self.taken = _sums(others)
        self.rolled = _sums(draw for draw in others if draw.is_rollover)

    def add(self, draws: Iterable[Draw]) -> None:
        """Add what a bill that was made anew draws now."""
        for draw in draws:
            self.taken[draw.of_id] += draw.amount
            if draw.is_rollover:
                self.rolled[draw.of_id] += draw.amount


def _sums(draws: Iterable[Draw]) -> defaultdict[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for draw in draws:
        found[draw.of_id] += draw.amount
    return found


def reserves_of(things: Iterable[Commitment | Balance], drawn: Drawn) -> tuple[Reserve, ...]:
    """Give what there is to draw on, with what is left of it for bills that are made anew."""
    return tuple(
        Reserve(of=each, left=each.amount - drawn.taken[each.id])
        if isinstance(each, Commitment)
        else Reserve(
            of=each,
            left=each.amount + drawn.in_force[each.id] - drawn.taken[each.id],
            rolled=drawn.rolled[each.id],
        )
        for each in things
    )


def as_drawn(inputs: BillInputs, draws: Iterable[Draw]) -> BillInputs:
    """Leave a bill to draw what it draws, and no more: so it was made, whatever came in or went out since.

    Each line takes from each reserve all that it can, so the same sums part in the same way.
    """
    own = _sums(draws)
    reserves = tuple(msgspec.structs.replace(each, left=own[each.of.id]) for each in inputs.ledger.reserves)
    ledger = msgspec.structs.replace(inputs.ledger, reserves=reserves)
    return msgspec.structs.replace(inputs, ledger=ledger)


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's part of a chunk's bills. due: all that are due, also those of charges and fees alone.

    things: what an account may draw on. draws: by what they draw on. ids: of the stored bills that draw.
    frames: the contracts of charges and commitments.
    """

    due: list[DueBill]
    things: Mapping[str, list[Commitment | Balance]]
    draws: Mapping[str, list[Draw]]
    ids: Mapping[BillKey, str]
    charges: Mapping[BillKey, list[Charge]]
    fees: Mapping[BillKey, list[DatedFee]]
    products: Mapping[str, Product]
    frames: Mapping[str, Frame]
    config: OrganizationConfig
    families: Collection[str]

    def contracts_on(self, inputs: BillInputs) -> dict[str, Frame]:
        """Give the contracts of the charges and fees that are on a bill."""
        ids = {charge.contract_id for charge in inputs.ledger.charges}
        ids |= {fee.commitment.contract_id for fee in inputs.ledger.dated_fees}
        return {i: self.frames[i] for i in ids if i is not None and i in self.frames}

    def put_on(self, inputs: BillInputs, plan_spans: Mapping[str, tuple[Period, ...]]) -> BillInputs:
        """Give a bill's inputs with the ledger's part. plan_spans: when the account has each plan."""
        account, head = inputs.account, inputs.head
        key = account.id, head.grouping, head.dates.end
        things = self.things.get(account.id, [])
        mine = [draw for each in things for draw in self.draws.get(each.id, ())]
        in_family = account.parent_account_id is not None or account.id in self.families
        order = account.credit_application_order or self.config.credit_application_order
        ledger = LedgerInputs(
            reserves=reserves_of(things, Drawn(mine, {self.ids.get(key, "")})),
            charges=tuple(self.charges.get(key, ())),
            commitments=tuple(c for c in things if isinstance(c, Commitment) and c.account_id == account.id),
            dated_fees=tuple(self.fees.get(key, ())),
            credit_order=FAMILY_ORDER if in_family else tuple(order),
            allow_negative_balances=self.config.allow_negative_balances,
            fees_in_advance=self.config.commitment_fee_bill_in_advance,
            plan_spans=plan_spans,
        )
        return msgspec.structs.replace(inputs, ledger=ledger, products={**inputs.products, **self.products})


def load_ledger(
    tx: Transaction, closing: Closing, config: OrganizationConfig, families: Collection[str]
) -> Ledger:
    """Load what bills of these accounts draw on, and the charges and fees that are due with them.

    closing: the bills that plans make due. families: ids of accounts that have children.
    """
    selection, accounts, due = closing.selection, [*closing.accounts.values()], closing.bills()
    things = _things(tx, accounts)
    commitments = {c.id: c for own in things.values() for c in own if isinstance(c, Commitment)}
    draws = draws_on(tx, sorted({each.id for own in things.values() for each in own}))
    by_thing: dict[str, list[Draw]] = defaultdict(list)
    for draw in draws:
        by_thing[draw.of_id].append(draw)
    fees = _dated_fees(tx, selection, accounts, [*commitments.values()], config)
    new_fees = _new_fees(tx, selection, fees)
    charges = _charges(tx, selection, accounts, {b.dates.end for b in due} | {f.date for f in new_fees})
    linked = {c.contract_id for c in charges} | {c.contract_id for c in commitments.values()}
    frames = load_frames(tx, linked)
    keys = _keys(tx, {draw.bill_id for draw in draws} | {c.bill_id or "" for c in charges})
    plan = _Plan(closing, due, frames)
    for charge in charges:
        plan.add_charge(charge, keys.get(charge.bill_id or ""))
    plan.add_fees(fees, new_fees)
    return Ledger(
        due=plan.due,
        things=things,
        draws=by_thing,
        ids={key: bill_id for bill_id, key in keys.items()},
        charges=plan.charges,
        fees=plan.fees,
        products=_products(tx, [each for own in things.values() for each in own], charges),
        frames=frames,
        config=config,
        families=families,
    )


def _things(tx: Transaction, accounts: Sequence[Account]) -> dict[str, list[Commitment | Balance]]:
    """Give each account's commitments and balances, and its parent's commitments that bill children (§17)."""
    ids = [account.id for account in accounts]
    holders = sorted({*ids, *(a.parent_account_id for a in accounts if a.parent_account_id)})
    found: dict[str, list[Commitment | Balance]] = defaultdict(list)
    by_holder: dict[str, list[Commitment]] = defaultdict(list)
    for commitment in tx.find(Commitment, account_id=holders):
        by_holder[commitment.account_id].append(commitment)
    for account in accounts:
        lent = by_holder.get(account.parent_account_id or "", [])
        own = by_holder.get(account.id, [])
        found[account.id] += [*own, *(c for c in lent if c.child_billing_mode is ChildBillingMode.CHILD)]
    for balance in tx.find(Balance, account_id=ids):
        found[balance.account_id].append(balance)
    return found


def _charges(
    tx: Transaction, selection: Selection, accounts: Sequence[Account], ends: Collection[date]
) -> list[Charge]:
    """Give the charges that may fall on bills of this run: all of each date on which one does.

    ends: of the bills that are due otherwise. A run by date also bills what waits for its bill; with it come
    the charges that are on the bill of that date already.
    """
    if not accounts:
        return []
    table = resource_of(Charge).table
    mine = among(table.c.account_id, [account.id for account in accounts])
    if selection.last_date is not None:
        dates = {*ends, _end(selection)}
    else:
        waiting = (mine, table.c.bill_id.is_(None), table.c.bill_date <= selection.bill_date)
        own = table.c.org_id == tx.org_id
        dates = {*ends, *tx.execute(select(table.c.bill_date).distinct().where(own, *waiting)).scalars()}
    chosen = table.c.bill_date.in_(sorted(dates))
    return sorted(tx.load(Charge, tx.select(Charge, mine, chosen)), key=lambda c: c.id)


def _end(selection: Selection) -> date:
    """Give the day after the period that is asked for."""
    return (selection.last_date or selection.bill_date) + timedelta(days=1)


def _dated_fees(
    tx: Transaction,
    selection: Selection,
    accounts: Sequence[Account],
    commitments: Sequence[Commitment],
    config: OrganizationConfig,
) -> list[DatedFee]:
    """Give the fees that have dates of their own and are due: agreed dates, or by the commitment's epoch."""
    ids = {account.id for account in accounts}
    own = [c for c in commitments if c.account_id in ids]
    counted = [c for c in own if c.bill_epoch is not None and c.billing_plan_id is not None]
    plans = tx.by_id(Plan, (c.billing_plan_id for c in counted))
    templates = tx.by_id(PlanTemplate, (p.plan_template_id for p in plans.values()))
    rules = currency_rules(tx) if counted else {}
    fees = [fee for c in own for fee in fees_on_dates(c)]
    for commitment in counted:
        template = templates[plans[commitment.billing_plan_id or ""].plan_template_id]
        if template.bill_frequency in WITHOUT_PERIODS:
            continue
        cycle = BillingCycle(commitment.bill_epoch or commitment.start_date, *template.frequency)
        in_advance = fee_in_advance(commitment, default=config.commitment_fee_bill_in_advance)
        made = scheduled_fees(commitment, cycle, selection.zone, rules, in_advance=in_advance)
        fees += [fee for _, fee in made]
    if selection.last_date is not None:
        return [fee for fee in fees if fee.date == _end(selection)]
    return [fee for fee in fees if fee.date <= selection.bill_date]


def _keys(tx: Transaction, bill_ids: Collection[str]) -> dict[str, BillKey]:
    found = tx.by_id(Bill, bill_ids)
    return {bill_id: (b.account_id, b.grouping, b.end_date) for bill_id, b in found.items()}


def _new_fees(tx: Transaction, selection: Selection, fees: Sequence[DatedFee]) -> list[DatedFee]:
    """Give the fees that make their bill due: by date, no earlier one is made anew that has its fee."""
    dates = sorted({fee.date for fee in fees if fee.date < selection.bill_date})
    if selection.last_date is not None or not dates:
        return list(fees)
    bills, lines = resource_of(Bill).table.c, resource_of(LineItem).table.c
    accounts = sorted({fee.commitment.account_id for fee in fees})
    found = select(bills.account_id, bills.end_date, lines.commitment_id).where(
        *(bills.org_id == tx.org_id, lines.org_id == tx.org_id, lines.bill_id == bills.id),
        *(among(bills.account_id, accounts), bills.end_date.in_(dates)),
        lines.line_item_type == LineItemType.COMMITMENT_FEE.value,
    )
    billed = {tuple(row) for row in tx.execute(found)}
    return [f for f in fees if (f.commitment.account_id, f.date, f.commitment.id) not in billed]


def _products(
    tx: Transaction, things: Iterable[Commitment | Balance], charges: Iterable[Charge]
) -> dict[str, Product]:
    named = {charge.accounting_product_id for charge in charges}
    for each in things:
        named.add(each.fees_accounting_product_id)
        if isinstance(each, Commitment):
            named |= {each.accounting_product_id, each.drawdowns_accounting_product_id}
        else:
            named.add(each.consumptions_accounting_product_id)
    return tx.by_id(Product, named)


class _Plan:
    """Puts charges and fees on the bills that are due, and makes bills of their own for the rest."""

    def __init__(self, closing: Closing, due: Iterable[DueBill], frames: Mapping[str, Frame]) -> None:
        self.due = list(due)
        self.charges: dict[BillKey, list[Charge]] = defaultdict(list)
        self.fees: dict[BillKey, list[DatedFee]] = defaultdict(list)
        self._closing, self._selection, self._frames = closing, closing.selection, frames
        self._by_end: dict[tuple[str, date], list[DueBill]] = defaultdict(list)
        for bill in self.due:
            self._by_end[bill.account.id, bill.dates.end].append(bill)

    def add_charge(self, charge: Charge, stored: BillKey | None) -> None:
        """Put a charge on the bill that has it, else on one that ends on its date, else on its own."""
        if charge.bill_date is None:
            return
        frame = self._frames.get(charge.contract_id or "")
        key = charge.account_id, self._own_grouping(frame), charge.bill_date
        if stored is None:
            joined = next((b for b in self._by_end[key[0], key[2]] if self._fits(b, frame)), None)
            key = (key[0], joined.grouping, key[2]) if joined else key
        elif stored[2] != charge.bill_date:
            return  # its date was changed: it goes there once its bill is made anew without it
        else:
            key = stored
        if self._there(key):
            self.charges[key].append(charge)

    def add_fees(self, fees: Iterable[DatedFee], new: Iterable[DatedFee]) -> None:
        """Put fees on the bills of their dates (semantics §18: billed ad hoc).

        new: those that make their bill due; the others go on it where it is.
        """
        for fee in new:
            self._there(self._key_of(fee))
        for fee in fees:
            key = self._key_of(fee)
            if any(bill.grouping == key[1] for bill in self._by_end[key[0], key[2]]):
                self.fees[key].append(fee)

    def _key_of(self, fee: DatedFee) -> BillKey:
        frame = self._frames.get(fee.commitment.contract_id or "")
        return fee.commitment.account_id, self._own_grouping(frame), fee.date

    def _own_grouping(self, frame: Frame | None) -> str:
        return grouping_of(self._selection, BillingFrequency.AD_HOC, 1, frame)

    def _fits(self, bill: DueBill, frame: Frame | None) -> bool:
        return bill.grouping == grouping_of(self._selection, bill.frequency, bill.interval, frame)

    def _there(self, key: BillKey) -> bool:
        """Tell whether a bill is due; one for charges and fees alone is made so, where they are asked for."""
        account_id, grouping, end = key
        here = self._by_end[account_id, end]
        if any(bill.grouping == grouping for bill in here):
            return True
        is_own = is_consolidated(grouping) == self._selection.consolidates  # else it stays as it was made
        is_ad_hoc = is_consolidated(grouping) or grouping.startswith(BillingFrequency.AD_HOC.value)
        is_asked = self._selection.frequency in {None, BillingFrequency.AD_HOC}
        if not (is_own and is_ad_hoc and is_asked and self._selection.interval in {None, 1}):
            return False
        bill = self._with_plans(key) or DueBill(
            account=self._closing.accounts[account_id],
            grouping=grouping,
            frequency=BillingFrequency.AD_HOC,
            interval=1,
            dates=DateSpan(end - timedelta(days=1), end),
            plans=(),
        )
        here.append(bill)
        self.due.append(bill)
        return True

    def _with_plans(self, key: BillKey) -> DueBill | None:
        """Give the consolidated bill of the day with the plans that close on it, also if not asked for."""
        account_id, grouping, end = key
        found = self._closing.on(account_id, end) if self._selection.consolidates else []
        return next((bill for bill in found if bill.grouping == grouping), None)
