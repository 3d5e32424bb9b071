"""Step: commitment fees, what a customer pays toward a commitment (semantics §18)."""

from collections.abc import Iterator, Mapping
from datetime import date, tzinfo

from tallystick.balances.commitment import Commitment
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import BillInputs, CurrencyRule, PlanTerms
from tallystick.billing.calculate.ledger_inputs import DatedFee
from tallystick.billing.derivation import Derivation, FeeFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingCycle, BillingPeriod, DateSpan, Period, billing_periods
from tallystick.rating.fees import spread_fees
from tallystick.rating.standing import standing_charge_falls

DESCRIPTION = "Commitment Fee"
USUAL_PLACES = 2


def add_commitment_fees(draft: Draft) -> Draft:
    """Add the fees that fall on the bill: with a plan's periods, or on the bill's date."""
    inputs = draft.inputs
    with_plans = (fee for terms in inputs.own_plans for fee in _of_plan(inputs, terms))
    by_key = {_key(fee): fee for fee in (*with_plans, *inputs.ledger.dated_fees)}
    return draft.add(_line(key, fee) for key, fee in by_key.items() if fee.amount)


def _of_plan(inputs: BillInputs, terms: PlanTerms) -> Iterator[DatedFee]:
    """Give the fees of commitments that are billed with a plan, of the periods that it closes or opens."""
    for commitment in inputs.ledger.commitments:
        if commitment.billing_plan_id != terms.plan.id or commitment.bill_epoch is not None:
            continue
        in_advance = fee_in_advance(commitment, default=inputs.ledger.fees_in_advance)
        fees = scheduled_fees(commitment, terms.cycle, terms.zone, inputs.currencies, in_advance=in_advance)
        for end, fee in fees:
            if terms.period.dates.end == (_opening(inputs, terms, fee.date, end) if in_advance else end):
                yield fee


def _opening(inputs: BillInputs, terms: PlanTerms, start: date, end: date) -> date:
    """Give the day that closes the bill with the fee in advance of the days from `start` up to `end`.

    The bill that ends as they start; where the account has none, for the commitment starts between two bills
    or the account has had the plan since then only, the first one after: the bill that ends as they do.
    """
    before = terms.cycle.number_at(start) - 1
    if start < terms.cycle.epoch or terms.cycle.boundary(before + 1) != start:
        return end
    closing = DateSpan(terms.cycle.boundary(before), start).instants(terms.zone)
    spans = inputs.ledger.plan_spans.get(terms.plan.id, ())
    return start if any(not span.intersect(closing).is_empty for span in spans) else end


def fee_in_advance(commitment: Commitment, *, default: bool) -> bool:
    """Precedence: commitment, organization (semantics §18)."""
    own = commitment.commitment_fee_bill_in_advance
    return default if own is None else own


def scheduled_fees(
    commitment: Commitment,
    cycle: BillingCycle,
    zone: tzinfo,
    currencies: Mapping[str, CurrencyRule],
    *,
    in_advance: bool,
) -> list[tuple[date, DatedFee]]:
    """Give all fees of a commitment by periods, each with the end of its period. They sum to what is owed.

    The periods are counted from the commitment's start, whenever the account got the plan: so a plan that
    is replaced changes no fee. They fall on every so many of them, like standing charges (semantics §15).
    """
    days = DateSpan(commitment.start_date, commitment.end_date)
    interval, offset = commitment.billing_interval or 1, commitment.billing_offset or 0
    periods = [
        period
        for period in billing_periods(cycle, days.start, days.end)
        if standing_charge_falls(period.number, interval, offset)
    ]
    rule = currencies.get(commitment.currency)
    places = rule.places if rule else USUAL_PLACES
    amounts = spread_fees(commitment.outstanding, len(periods), places, commitment.amount_first_bill)
    return [
        (
            period.dates.end,
            DatedFee(
                commitment=commitment,
                number=number,
                of=len(periods),
                date=period.dates.start if in_advance else period.dates.end,
                amount=amount,
                service=_service(period, days, zone),
            ),
        )
        for number, (period, amount) in enumerate(zip(periods, amounts, strict=True), start=1)
    ]


def _service(period: BillingPeriod, days: DateSpan, zone: tzinfo) -> Period:
    return period.dates.intersect(days).instants(zone)


def fees_on_dates(commitment: Commitment) -> list[DatedFee]:
    """Give the fees of a commitment that have dates and amounts of their own (semantics §18)."""
    fees = sorted(commitment.fee_dates, key=lambda fee: fee.date)
    return [
        DatedFee(
            commitment=commitment,
            number=number,
            of=len(fees),
            date=fee.date,
            amount=fee.amount,
            service=Period(fee.service_period_start_date, fee.service_period_end_date),
        )
        for number, fee in enumerate(fees, start=1)
    ]


def _key(fee: DatedFee) -> str:
    return f"{LineItemType.COMMITMENT_FEE.value}:{fee.commitment.id}:{fee.date.isoformat()}:{fee.number}"


def _line(key: str, fee: DatedFee) -> DraftLine:
    commitment = fee.commitment
    return DraftLine(
        key=key,
        line_item_type=LineItemType.COMMITMENT_FEE,
        currency=commitment.currency,
        contract_id=commitment.contract_id,
        description=commitment.commitment_fee_description or DESCRIPTION,
        service=fee.service,
        subtotal=fee.amount,
        # Precedence: the fees' product, then the commitment's (semantics §23).
        accounting_product_id=commitment.fees_accounting_product_id or commitment.accounting_product_id,
        commitment_id=commitment.id,
        derivation=Derivation(
            fee=FeeFrom(
                commitment=commitment.amount,
                pre_paid=commitment.amount_pre_paid or ZERO,
                first=commitment.amount_first_bill if not commitment.fee_dates else None,
                number=fee.number,
                of=fee.of,
                amount=fee.amount,
                is_dated=bool(commitment.fee_dates),
            )
        ),
    )
