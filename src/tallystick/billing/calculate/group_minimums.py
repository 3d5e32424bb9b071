"""Step: the minimum spend of plan groups."""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.billing.calculate.convert import billed
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import GroupTerms, PlanTerms
from tallystick.billing.calculate.minimum import advance_line, closing_lines
from tallystick.billing.calculate.plan_minimums import counted, minimum_of
from tallystick.kernel.decimals import ZERO
from tallystick.rating.minimum import minimum_top_up


def add_group_minimums(draft: Draft) -> Draft:
    """Top up, or bill in advance and refund, each plan group's minimum over all its plans (semantics §13)."""
    return draft.add(line for terms in draft.inputs.groups for line in _lines(draft, terms))


def _lines(draft: Draft, terms: GroupTerms) -> Iterator[DraftLine]:
    if not terms.minimum_spend.amount:
        return
    plans = [p for p in draft.inputs.own_plans if p.account_plan.id == terms.account_plan.id]
    spent = sum((_spent(draft, plan) for plan in plans), ZERO)
    yield from closing_lines(draft.inputs, minimum_of(terms, terms.period, terms.group.name), spent)
    for period in terms.opened_periods():
        yield from advance_line(minimum_of(terms, period, terms.group.name))


def _spent(draft: Draft, plan: PlanTerms) -> Decimal:
    """Give what a plan counts for its group: what counts for its own minimum, and the top-up to that.

    The top-up of the period it belongs to, also where the plan's minimum is billed in advance.
    """
    own = counted(draft, plan)
    if not plan.minimum_spend.amount:
        return own
    floor = minimum_of(plan, plan.period, plan.plan.name)
    return own + minimum_top_up(own, billed(draft.inputs, floor.amount, plan.currency))
