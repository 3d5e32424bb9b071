"""Parents and children: whose usage a plan prices, and which parents' plans bill a child (semantics §17)."""

from collections import defaultdict
from collections.abc import Callable, Mapping

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode, members
from tallystick.billing.due import Attached, DuePlan, Selection, due_plan
from tallystick.kernel.periods import Period, billing_period
from tallystick.platform.resources import Transaction


class Families(msgspec.Struct, frozen=True, kw_only=True):
    """The families of a chunk's accounts.

    lenders: parents of these accounts with plans that bill children by themselves. children: by parent.
    attached: everybody's account plans, by account; of plan groups, one for each plan in them.
    """

    lenders: Mapping[str, Account]
    children: Mapping[str, list[Account]]
    attached: Mapping[str, list[AccountPlan]]

    def lent_to(self, account: Account) -> list[AccountPlan]:
        """Give the plans of an account's parent that bill children by themselves."""
        if account.parent_account_id not in self.lenders:
            return []
        plans = self.attached.get(account.parent_account_id or "", [])
        return [p for p in plans if p.child_billing_mode is ChildBillingMode.CHILD]

    def children_of(self, due: DuePlan) -> list[Account]:
        """Give the children of the account that has the plan, in one order."""
        return sorted(self.children.get(due.account_plan.account_id, ()), key=lambda child: child.id)

    def away(self, due: DuePlan, selection: Selection) -> dict[str, tuple[Period, ...]]:
        """Give the children whose usage ever pools with that of the account that has the plan, by id.

        With when it does not: while a child has an account plan of its own for the product. From the plan's
        start, for tiers may span it, up to the end of the period that the bill opens.
        """
        starting = due.active.local_dates(selection.zone).start
        opened = billing_period(due.cycle, starting, due.period.number + 1)
        span = Period(due.active.start, max(due.active.start, opened.dates.instants(selection.zone).end))
        span = due.active.intersect(span)
        taken = ((c.id, self._taken(c, due, span)) for c in self.children_of(due))
        return {child_id: plans for child_id, plans in taken if any(span.outside(plans))}

    def pools(self, child: Account, due: DuePlan, selection: Selection) -> bool:
        """Tell whether a child pools for a part at least of the period that is due."""
        span = due.active.intersect(due.period.dates.instants(selection.zone))
        return any(span.outside(self._taken(child, due, span)))

    def _taken(self, child: Account, due: DuePlan, span: Period) -> tuple[Period, ...]:
        """Give when, in a span, a child has an account plan of its own for the product of the parent's."""
        plans = (p for p in self.attached.get(child.id, ()) if p.product_id == due.account_plan.product_id)
        own = (span.intersect(Period.of(p.start_date, p.end_date)) for p in plans)
        return tuple(each for each in own if not each.is_empty)

    def lent_plans(
        self, selection: Selection, account: Account, attached: Callable[[AccountPlan], Attached]
    ) -> list[DuePlan]:
        """Give the parent's plans that are due and bill this account its usage."""
        found: list[DuePlan] = []
        for plan in self.lent_to(account):
            parent = self.lenders[plan.account_id]
            due = due_plan(selection, parent, attached(plan))
            if due is not None and self.pools(account, due, selection):
                found.append(due)
        return found


def load_families(tx: Transaction, accounts: Mapping[str, Account]) -> Families:
    """Load who belongs to whom, and who is on what."""
    parent_ids = sorted({a.parent_account_id for a in accounts.values() if a.parent_account_id})
    mode = ChildBillingMode.CHILD.value
    lending = tx.find(AccountPlan, account_id=parent_ids, child_billing_mode=mode)
    lenders = tx.by_id(Account, (plan.account_id for plan in lending))
    holders = sorted({a.id for a in accounts.values() if a.parent_account_id is None} | lenders.keys())
    children: dict[str, list[Account]] = defaultdict(list)
    for child in tx.find(Account, parent_account_id=holders):
        children[child.parent_account_id or ""].append(child)
    everyone = {*accounts, *lenders, *(c.id for family in children.values() for c in family)}
    attached: dict[str, list[AccountPlan]] = defaultdict(list)
    for plan in members(tx, tx.find(AccountPlan, account_id=sorted(everyone))):
        attached[plan.account_id].append(plan)
    return Families(lenders=lenders, children=children, attached=attached)
