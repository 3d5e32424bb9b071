"""Calculate one bill from its inputs: pure, so that preview, run, recalculation and verification agree."""

from collections.abc import Callable
from decimal import InvalidOperation

from tallystick.billing.calculate.break_down import break_down
from tallystick.billing.calculate.charges import add_charges
from tallystick.billing.calculate.convert import convert_lines
from tallystick.billing.calculate.counters import charge_counters
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.draw_down import draw_from_ledger
from tallystick.billing.calculate.fees import add_commitment_fees
from tallystick.billing.calculate.global_credits import cap_to_products, cap_to_total, extend_to_products
from tallystick.billing.calculate.group_minimums import add_group_minimums
from tallystick.billing.calculate.inputs import BillInputs
from tallystick.billing.calculate.memos import apply_memos
from tallystick.billing.calculate.plan_minimums import add_plan_minimums
from tallystick.billing.calculate.pricing_minimums import add_pricing_minimums
from tallystick.billing.calculate.product_credits import grant_product_credits
from tallystick.billing.calculate.standing_charges import add_standing_charges
from tallystick.billing.calculate.usage import rate_usage
from tallystick.billing.errors import AmountTooLarge
from tallystick.kernel.errors import invariant

__all__ = ["STEPS", "BillInputs", "Draft", "DraftLine", "calculate_bill"]

Step = Callable[[Draft], Draft]

STEPS: tuple[Step, ...] = (
    rate_usage,  # first: everything else looks at what usage costs
    charge_counters,
    grant_product_credits,  # before minimums, which count usage less credits
    convert_lines,  # usage and credits, each line rounded for itself: minimums look at what is billed
    cap_to_products,  # after rounding, so that a credit is compared with its product's lines to the cent
    add_pricing_minimums,  # before the plan's, which counts their top-ups
    add_plan_minimums,  # before the group's, which counts their top-ups
    add_group_minimums,
    add_standing_charges,  # after minimums, toward which they do not count
    add_commitment_fees,
    add_charges,
    convert_lines,  # what came since
    extend_to_products,  # what usage left of product credits, against lines that count for no minimum
    break_down,  # of rounded lines, so that their parts sum to them
    draw_from_ledger,  # of what is owed, to the cent and of each account; before credits on the whole bill
    cap_to_total,  # after rounding, so that a credit can be compared with the bill to the cent
    apply_memos,  # last: nothing that is calculated looks at what was put on the bill by hand
)
"The order of semantics §33."


def calculate_bill(inputs: BillInputs) -> Draft:
    """Calculate all lines of a bill, in their order, converted and rounded.

    Raises an Invalid where it cannot be billed as it is: NoConversionRate, UnknownCurrency,
    RoundingNecessary, CalculationError, AmountTooLarge.
    """
    draft = Draft(inputs)
    try:
        for step in STEPS:
            draft = step(draft)
    except InvalidOperation as error:
        raise AmountTooLarge("An amount on this bill has more than 50 digits.") from error
    keys = {line.key for line in draft.lines}
    invariant(len(keys) == len(draft.lines), "two lines of a bill have the same key")
    return draft
