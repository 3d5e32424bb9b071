"""Step: draw on commitments and balances, and charge what goes beyond them (semantics §18, §19)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal

import msgspec

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.balances.balance import Balance
from tallystick.balances.commitment import Commitment
from tallystick.balances.rules import may_overdraw
from tallystick.billing.calculate.convert import converted_to
from tallystick.billing.calculate.draft import Draft, DraftLine, Drawn
from tallystick.billing.calculate.global_credits import OTHERS
from tallystick.billing.calculate.inputs import BillInputs, GroupTerms
from tallystick.billing.calculate.ledger_inputs import Reserve
from tallystick.billing.calculate.overage import Overage, charge_overage
from tallystick.billing.calculate.product_credits import is_product_credit
from tallystick.billing.derivation import Derivation, DrawnFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ONE, ZERO
from tallystick.kernel.periods import DateSpan, Period
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.organization_config import CreditType
from tallystick.rating.draw_down import Cover, Coverable, DrawDown, Fund, Pot, draw_down

COMMITMENT_CONSUMED = "Commitment Consumed"
BALANCE_CONSUMED = "Balance Consumed"
REFUND = LineItemType.MINIMUM_SPEND_REFUND
PLACE = {
    kind: place
    for place, kind in enumerate(
        (
            LineItemType.STANDING_CHARGE,
            LineItemType.COUNTER_RUNNING_TOTAL_CHARGE,
            LineItemType.COUNTER_ADJUSTMENT_DEBIT,
            LineItemType.USAGE,
            LineItemType.MINIMUM_SPEND,
            LineItemType.AD_HOC,
        )
    )
}
"What can be covered, in the order in which it is (semantics §18)."


class Source(msgspec.Struct, frozen=True):
    """A fund to draw on: a commitment or balance, or what of a balance rolls over."""

    fund: Fund
    reserve: Reserve
    is_rollover: bool = False


def draw_from_ledger(draft: Draft) -> Draft:
    """Cover charges as far as commitments and balances go; charge what is beyond as they say.

    Raises NoConversionRate where something is to be drawn in a currency that has no rate.
    """
    inputs = draft.inputs
    if not inputs.ledger.reserves:
        return draft
    zone = parse_zone(inputs.head.timezone)
    sources = _sources(inputs, zone)
    lines = {line.key: line for line in draft.lines}
    coverable = _coverable(draft, sources, zone)
    found = draw_down(
        coverable, [s.fund for s in sources], _pots(inputs, sources, coverable), inputs.rounding.places
    )
    by_fund = {source.fund.id: source for source in sources}
    consumed = _consumed(inputs, found, by_fund, lines)
    beyond = [
        Overage(lines[each.key], each.amount, tuple(by_fund[f].reserve for f in each.funds))
        for each in found.uncovered
    ]
    return charge_overage(draft, beyond).add(consumed)


# --- what there is ------------------------------------------------------------------------------


def _sources(inputs: BillInputs, zone: tzinfo) -> list[Source]:
    """Give the funds in the order in which they are used up: by kind, then by end, start and creation."""
    order = {kind: place for place, kind in enumerate(inputs.ledger.credit_order)}
    found = [
        (order[kind], source)
        for reserve in inputs.ledger.reserves
        for kind, source in _funds(reserve, zone)
        if kind in order
    ]
    return [source for _, source in sorted(found, key=lambda each: (each[0], *_place(each[1])))]


def _place(source: Source) -> tuple[object, ...]:
    of = source.reserve.of
    return source.fund.days.end, source.fund.days.start, of.dt_created is not None, of.dt_created, of.id


def _funds(reserve: Reserve, zone: tzinfo) -> Iterator[tuple[CreditType, Source]]:
    of = reserve.of
    if isinstance(of, Commitment):
        fund = Fund(id=of.id, pot=of.id, days=DateSpan(of.start_date, of.end_date))
        yield CreditType.PREPAYMENT, Source(fund, reserve)
        return
    days = Period(of.start_date, of.end_date).local_dates(zone)
    yield CreditType.BALANCE, Source(Fund(id=of.id, pot=of.id, days=days), reserve)
    if of.rollover_end_date is not None:
        later = Period(of.end_date, of.rollover_end_date).local_dates(zone)
        most = None if of.rollover_amount is None else of.rollover_amount - reserve.rolled
        fund = Fund(id=f"{of.id}:rollover", pot=of.id, days=later, most=most)
        yield CreditType.BALANCE, Source(fund, reserve, is_rollover=True)


def _pots(inputs: BillInputs, sources: Iterable[Source], coverable: Iterable[Coverable]) -> dict[str, Pot]:
    """Give what the funds draw on; a rate is asked for only where something may be drawn."""
    wanted = {fund for charge in coverable for fund in charge.funds}
    pots: dict[str, Pot] = {}
    for source in sources:
        of, left = source.reserve.of, source.reserve.left
        rule = inputs.currencies.get(of.currency)
        is_endless = isinstance(of, Balance) and may_overdraw(
            of, allow_negative_balances=inputs.ledger.allow_negative_balances
        )
        is_used = source.fund.id in wanted and (is_endless or left > ZERO)
        if of.id not in pots or is_used:
            pots[of.id] = Pot(
                id=of.id,
                left=left,
                is_endless=is_endless,
                places=rule.places if rule else inputs.rounding.places,
                rate=inputs.rate_from(of.currency) if is_used else ONE,
            )
    return pots


# --- what can be covered ------------------------------------------------------------------------


def _coverable(draft: Draft, sources: Sequence[Source], zone: tzinfo) -> list[Coverable]:
    """Give the charges that some fund may cover, in their order.

    What the refund of a minimum gives back of a charge is left to the funds that are not for the minimum:
    those that are have covered it in advance, and drawing for both would pay out what was drawn.
    """
    owed, refunded = _still_owed(draft.lines)
    found: list[Coverable] = []
    for line in sorted((x for x in draft.lines if x.line_item_type in PLACE), key=_line_place):
        days = line.service.local_dates(zone)
        mine = [s for s in sources if _may_cover(s.reserve, line)]
        parts = [(owed[line.key], mine)]
        for refund, amount in refunded.get(line.key, ()):
            parts.append((amount, [s for s in mine if not _may_cover(s.reserve, refund)]))
        for amount, those in parts:
            funds = frozenset(s.fund.id for s in those)
            if amount > ZERO and funds:
                found.append(Coverable(key=line.key, amount=amount, days=days, funds=funds))
    return found


def _line_place(line: DraftLine) -> int:
    return PLACE[line.line_item_type]


def _may_cover(reserve: Reserve, line: DraftLine) -> bool:
    """Tell whether a commitment or balance is for such a charge: by type, product and contract."""
    of = reserve.of
    types = {kind.value for kind in of.line_item_types}
    if types and line.line_item_type.value not in types:
        return False
    if reserve.commitment is not None and line.line_item_type is LineItemType.AD_HOC:
        return False
    if of.product_ids and line.product_id not in of.product_ids:
        return False
    return of.contract_id is None or of.contract_id == line.contract_id


Refunded = dict[str, list[tuple[DraftLine, Decimal]]]


def _still_owed(lines: Iterable[DraftLine]) -> tuple[dict[str, Decimal], Refunded]:
    """Give what each line owes, usage less its product's credits and less a minimum that was paid before.

    A credit pays what is not covered: else both would take the same charge off the bill. Both are taken off
    the last lines first. Gives what was refunded of each line, too, each with the minimum that paid it.
    """
    lines = list(lines)
    owed = {line.key: line.converted for line in lines}
    refunded: Refunded = {}
    for paid in (line for line in lines if is_product_credit(line) or line.line_item_type is REFUND):
        left = -paid.converted
        for line in sorted((x for x in reversed(lines) if _pays(paid, x)), key=_is_fixed):
            taken = max(ZERO, min(left, owed[line.key]))
            owed[line.key] -= taken
            left -= taken
            if taken and paid.line_item_type is REFUND:
                minimum = msgspec.structs.replace(paid, line_item_type=LineItemType.MINIMUM_SPEND)
                refunded.setdefault(line.key, []).append((minimum, taken))
    return owed, refunded


def _pays(paid: DraftLine, line: DraftLine) -> bool:
    """Tell whether a credit or a refund is given for a line: for what it counts."""
    if paid.line_item_type is not REFUND:
        return line.line_item_type in OTHERS and line.product_id == paid.product_id
    if paid.account_plan_id != line.account_plan_id:
        return False
    if paid.pricing_id is not None:
        return line.pricing_id == paid.pricing_id and line.derivation.is_of_usage
    if isinstance(paid.terms, GroupTerms):
        return line.derivation.is_of_usage or (_is_minimum(line) and not isinstance(line.terms, GroupTerms))
    is_counted = line.derivation.is_of_usage or (_is_minimum(line) and line.pricing_id is not None)
    return is_counted and paid.terms is not None and line.is_under(paid.terms)


def _is_minimum(line: DraftLine) -> bool:
    """Tell whether a line is a minimum's; a smaller one counts for a greater one, of a plan or a group."""
    return line.line_item_type is LineItemType.MINIMUM_SPEND


def _is_fixed(line: DraftLine) -> bool:
    return not line.derivation.is_of_usage


# --- lines --------------------------------------------------------------------------------------


def _consumed(
    inputs: BillInputs, found: DrawDown, sources: Mapping[str, Source], lines: Mapping[str, DraftLine]
) -> Iterator[DraftLine]:
    """Give the lines that take off what is covered: one for each charge, or one in all (semantics §17)."""
    summed: dict[str, list[Cover]] = {}
    for cover in found.covers:
        source = sources[cover.fund]
        commitment = source.reserve.commitment
        if commitment is not None and commitment.child_billing_mode is ChildBillingMode.PARENT_SUMMARY:
            summed.setdefault(cover.fund, []).append(cover)
            continue
        yield _line(inputs, source, cover, lines[cover.key])
    for fund, covers in summed.items():
        yield _taken_off(inputs, sources[fund], covers, None)


def _line(inputs: BillInputs, source: Source, cover: Cover, covered: DraftLine) -> DraftLine:
    made = _taken_off(inputs, source, (cover,), covered.description)
    return msgspec.structs.replace(
        made,
        key=f"{made.key}:{covered.key}",
        service=covered.service,
        contract_id=covered.contract_id,
        child_account_id=covered.child_account_id,
        child_account_code=covered.child_account_code,
    )


def _taken_off(inputs: BillInputs, source: Source, covers: Sequence[Cover], charge: str | None) -> DraftLine:
    is_balance = isinstance(source.reserve.of, Balance)
    kind = LineItemType.BALANCE_CONSUMED if is_balance else LineItemType.COMMITMENT_CONSUMED
    amount, drawn = sum((c.amount for c in covers), ZERO), sum((c.drawn for c in covers), ZERO)
    of = source.reserve.of
    why = DrawnFrom(
        name=source.reserve.name,
        charge=charge,
        covered=amount,
        drawn=drawn,
        currency=of.currency,
        rate=inputs.rate_from(of.currency),
        is_rollover=source.is_rollover,
    )
    line = DraftLine(
        key=f"{kind.value}:{source.fund.id}",
        line_item_type=kind,
        currency=inputs.currency,
        contract_id=of.contract_id,
        description=_description(of, charge),
        service=inputs.head.span,
        subtotal=-amount,
        accounting_product_id=_accounting_product(of),
        commitment_id=None if is_balance else of.id,
        balance_id=of.id if is_balance else None,
        drawn=Drawn(of_id=of.id, is_rollover=source.is_rollover, amount=drawn),
        derivation=Derivation(drawn=why),
    )
    return converted_to(inputs, line, -amount)


def _description(of: Commitment | Balance, charge: str | None) -> str:
    """Give its own text, else what was consumed, and for what (semantics §23)."""
    if isinstance(of, Commitment):
        own, usual = of.commitment_usage_description, COMMITMENT_CONSUMED
    else:
        own, usual = of.balance_draw_down_description, BALANCE_CONSUMED
    return own or (usual if charge is None else f"{usual}: {charge}")


def _accounting_product(of: Commitment | Balance) -> str | None:
    """Precedence: the draw-downs' product, then the commitment's (semantics §23)."""
    if isinstance(of, Balance):
        return of.consumptions_accounting_product_id
    return of.drawdowns_accounting_product_id or of.accounting_product_id
