"""What a bill is calculated from beside plans: charges, fees, and what it may draw on. Values only."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import msgspec

from tallystick.balances.balance import Balance
from tallystick.balances.charge import Charge
from tallystick.balances.commitment import Commitment
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import Period
from tallystick.organizations.organization_config import CreditType


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """A commitment or a balance that the bill may draw on, in its own currency.

    left: its value less what all other bills have drawn. rolled: of that, drawn since a balance's end.
    """

    of: Commitment | Balance
    left: Decimal
    rolled: Decimal = ZERO

    @property
    def commitment(self) -> Commitment | None:
        """The commitment, if it is one."""
        return self.of if isinstance(self.of, Commitment) else None

    @property
    def name(self) -> str:
        """What people call it."""
        return f"balance {self.of.name}" if isinstance(self.of, Balance) else "commitment"


class DatedFee(msgspec.Struct, frozen=True, kw_only=True):
    """A commitment's fee that is billed on a date of its own. number: from 1, of so many."""

    commitment: Commitment
    number: int
    of: int
    date: date
    amount: Decimal
    service: Period


class LedgerInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's part of a bill.

    commitments: the account's own, whose fees come with a plan. dated_fees: the fees that fall on this bill.
    credit_order: what is drawn, in this order; what it leaves out is not drawn.
    fees_in_advance: where a commitment does not say (semantics §18). plan_spans: when the account has each
    of its plans, also those that are not on the bill.
    """

    reserves: tuple[Reserve, ...] = ()
    charges: tuple[Charge, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    dated_fees: tuple[DatedFee, ...] = ()
    credit_order: tuple[CreditType, ...] = tuple(CreditType)
    allow_negative_balances: bool = False
    fees_in_advance: bool = False
    plan_spans: Mapping[str, tuple[Period, ...]] = {}
