"""What billing refuses, with its public codes."""

from collections.abc import Iterable
from datetime import date

from tallystick.kernel.errors import Conflict, Invalid, NotFound, TooMany
from tallystick.kernel.periods import DateSpan
from tallystick.kernel.problems import Problem

MAX_RUNNING_JOBS = 10


class BillLocked(Conflict):
    """A locked bill was asked to change."""

    code = "bill_locked"

    def __init__(self, bill_id: str) -> None:
        super().__init__("This bill is locked and can no longer change.", bill_id=bill_id)


class BillNotApproved(Invalid):
    """A bill was to be locked before it was approved (semantics §22)."""

    code = "bill_not_approved"

    def __init__(self, bill_id: str) -> None:
        super().__init__("Only an approved bill can be locked: approve it first.", bill_id=bill_id)


class BillsPending(Invalid):
    """Books were to be closed over bills that are pending (semantics §22)."""

    code = "bills_pending"

    def __init__(self, count: int, until: date, problems: Iterable[Problem]) -> None:
        message = (
            f"{count:,} bill(s) of periods that end by {until} are pending: approve or delete them first."
        )
        super().__init__(message, problems=problems)


class TooManyBillsToDownload(Invalid):
    """A download would be of more bills, over a longer time, than one file may be (semantics §22)."""

    code = "too_many_bills_to_download"

    def __init__(self, count: int, most: int, days: int) -> None:
        limits = f"{days} days or less, or at most {most:,} bills"
        super().__init__(f"{count:,} bills are too many for one file: ask for {limits}.")


class BillNotFound(NotFound):
    """The account has no bill yet."""

    code = "bill_not_found"


class LineItemNotFound(NotFound):
    """The bill has no line of this id."""

    code = "line_item_not_found"


class NothingToBill(Invalid):
    """The account has no plan with a billing period that fits what was asked for."""

    code = "nothing_to_bill"


class NoConversionRate(Invalid):
    """A price is in a currency that the bill's currency has no rate for (semantics §25)."""

    code = "no_conversion_rate"

    def __init__(self, from_currency: str, to_currency: str) -> None:
        super().__init__(
            f"There is no conversion rate from {from_currency} to {to_currency}: add it to the organization's"
            " currencyConversions, or name it in the bill job.",
            from_currency=from_currency,
            to_currency=to_currency,
        )


class UnknownCurrency(Invalid):
    """A bill would be in a currency that is not one of the organization's; case matters (semantics §25)."""

    code = "unknown_billing_currency"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency} is not a currency of this organization.", currency=currency)


class AmountTooLarge(Invalid):
    """A quantity, a price or an amount has more digits than can be calculated with."""

    code = "amount_too_large"


class TooManyBillJobs(TooMany):
    """As many bill jobs as may run at a time are running (semantics §1)."""

    code = "too_many_bill_jobs"

    def __init__(self) -> None:
        message = f"{MAX_RUNNING_JOBS} bill jobs are running already; wait for one to end, or cancel one."
        super().__init__(message, retry_after_s=10)


class BillJobEnded(Conflict):
    """A job that is complete or cancelled was to be cancelled."""

    code = "bill_job_ended"

    def __init__(self, status: str) -> None:
        super().__init__(f"This bill job is {status} already; there is nothing to cancel.", status=status)


class UsageFilterUnknown(Invalid):
    """A contract filters usage by a dimension that a priced meter does not have."""

    code = "usage_filter_unknown"

    def __init__(self, dimension: str, meter: str) -> None:
        super().__init__(
            f"The contract filters usage by {dimension}, which the meter {meter} does not have.",
            dimension=dimension,
            meter=meter,
        )


class BilledBefore(Conflict):
    """Another bill charges some of the same days for a plan, whose billing dates changed (semantics §22)."""

    code = "billed_before"

    def __init__(self, bill_id: str, dates: DateSpan) -> None:
        super().__init__(
            f"The bill {bill_id}, from {dates.start} up to {dates.end}, charges some of these days for the"
            " same account plan: how often or from when it is billed has changed. Make that bill anew or"
            " delete it, then run again. To keep it, take the change back, end the account plan where that"
            " bill ends, and attach the plan anew from there on, with the change.",
            bill_id=bill_id,
        )


class LeftOver(Conflict):
    """A charge or fee is due on a bill that takes nothing any more, so it is on none (semantics §20)."""

    code = "left_over"

    def __init__(self, what: Iterable[str], end: date, why: str) -> None:
        super().__init__(
            f"Due on {end}, and on no bill, for {why}: {', '.join(what)}."
            " Give charges a later billDate; or make the bill anew where it is not locked, then run again."
        )


class BilledTwice(Conflict):
    """A bill was to be approved that charges what an approved one of the same day charges (semantics §22)."""

    code = "billed_twice"

    def __init__(self, bill_id: str) -> None:
        super().__init__(
            f"The bill {bill_id} charges what another bill of the same day charges too: the organization"
            " has begun or ceased to consolidate between them. Delete one of them.",
            bill_id=bill_id,
        )


class BilledAlready(Conflict):
    """What a bill is to charge stands on another bill of the same day, which stays as it is."""

    code = "billed_already"

    def __init__(self, bill_id: str) -> None:
        super().__init__(
            f"The bill {bill_id} of the same day charges some of this already."
            " Make that bill anew or delete it, then run again.",
            bill_id=bill_id,
        )
