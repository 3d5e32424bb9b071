"""Step: tell apart whose usage a pooled charge is for."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.billing.calculate.draft import Draft, DraftLine, Share
from tallystick.billing.derivation import ShareFrom
from tallystick.kernel.decimals import ZERO, RoundingMode, allocate, round_to
from tallystick.rating.bands import BandCharge

EXACT_PLACES = 12
"What is not in whole cents, such as units, is split to so many places."


def break_down(draft: Draft) -> Draft:
    """Split what a parent and its children used, rated as one block, into a line for each of them.

    By their quantities, so that the lines sum to the pooled one, to the cent. Under CHILD each account's
    bill keeps only its own line. What nobody used, such as a default, and global credits stay with the
    parent. Rule: semantics §17.
    """
    if not any(terms.is_pooled for terms in draft.inputs.plans):
        return draft
    places = draft.inputs.rounding.places
    return draft.with_lines(part for line in draft.lines for part in _kept(line, places))


def _kept(line: DraftLine, places: int) -> Iterator[DraftLine]:
    terms = line.terms
    if not line.shares or terms is None:
        if terms is None or terms.billed_child is None:
            yield line
        return
    billed = terms.billed_child or terms.account_plan.account_id
    by_child = terms.account_plan.child_billing_mode is ChildBillingMode.CHILD
    for share, part in zip(line.shares, _split(line, places), strict=True):
        if not by_child or share.account_id == billed:
            yield part


def _split(line: DraftLine, places: int) -> list[DraftLine]:
    weights = [share.quantity for share in line.shares]
    amounts = allocate(line.converted, weights, places)
    subtotals, units = exactly(line.subtotal, weights), exactly(line.units, weights)
    charges = [charge_shares(charge, weights) for charge in line.charges]
    return [
        msgspec.structs.replace(
            line,
            key=line.key if share.code is None else child_key(line.key, share.account_id),
            child_account_id=share.account_id if share.code is not None else None,
            child_account_code=share.code,
            quantity=share.quantity,
            units=units[i],
            subtotal=subtotals[i],
            converted=amounts[i],
            charges=tuple(each[i] for each in charges),
            derivation=msgspec.structs.replace(
                line.derivation,
                share=ShareFrom(
                    account_code=share.code,
                    quantity=share.quantity,
                    of=sum(weights, ZERO),
                    pooled=line.converted,
                    amount=amounts[i],
                ),
            ),
        )
        for i, share in enumerate(line.shares)
    ]


def child_key(key: str, account_id: str) -> str:
    """Name a child's part of a pooled line, on whichever bill it is."""
    return f"{key}:{account_id}"


def charge_shares(charge: BandCharge, weights: Sequence[Decimal]) -> list[BandCharge]:
    """Split what a band charges, so that units and amounts sum to it."""
    parts = zip(exactly(charge.units, weights), exactly(charge.amount, weights), strict=True)
    return [BandCharge(charge.band, units, amount) for units, amount in parts]


def exactly(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split what is not in whole cents; the parts sum to it."""
    return allocate(round_to(amount, EXACT_PLACES, RoundingMode.HALF_EVEN), weights, EXACT_PLACES)


def shares_of(used: Sequence[Share]) -> tuple[Share, ...]:
    """Give the shares of those who used something; none where one account, the parent, used it all."""
    some = tuple(share for share in used if share.quantity > 0)
    return some if any(share.code is not None for share in some) else ()
