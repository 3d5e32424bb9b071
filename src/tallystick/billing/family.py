"""Parents and children: whose usage a plan prices, and which parents' plans bill a child (semantics §17)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode, members
from tallystick.billing.due import Attached, DuePlan, Selection, due_plan
from tallystick.kernel.periods import Period
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

    def pooled(self, due: DuePlan, selection: Selection) -> list[Account]:
        """Give the children whose usage pools with that of the account that has the plan.

        A child pools where it has no account plan of its own for the product in the period.
        """
        span = due.active.intersect(due.period.dates.instants(selection.zone))
        product_id = due.account_plan.product_id
        children = self.children.get(due.account_plan.account_id, [])
        pooled = (c for c in children if not _is_on(self.attached.get(c.id, ()), product_id, span))
        return sorted(pooled, key=lambda child: child.id)

    def lent_plans(
        self, selection: Selection, account: Account, attached: Callable[[AccountPlan], Attached]
    ) -> list[DuePlan]:
        """Give the parent's plans that are due and bill this account its usage."""
        found: list[DuePlan] = []
        for plan in self.lent_to(account):
            parent = self.lenders[plan.account_id]
            due = due_plan(selection, parent, attached(plan))
            if due is not None and account.id in {c.id for c in self.pooled(due, selection)}:
                found.append(due)
        return found


def load_families(tx: Transaction, accounts: Mapping[str, Account]) -> Families:
    """Load who belongs to whom, and who is on what."""
    parent_ids = sorted({a.parent_account_id for a in accounts.values() if a.parent_account_id})
    mode = ChildBillingMode.CHILD.value
    lending = tx.find(AccountPlan, account_id=parent_ids, child_billing_mode=mode) if parent_ids else []
    lender_ids = sorted({p.account_id for p in lending})
    lenders = {a.id: a for a in tx.find(Account, id=lender_ids)} if lender_ids else {}
    holders = sorted({a.id for a in accounts.values() if a.parent_account_id is None} | lenders.keys())
    children: dict[str, list[Account]] = defaultdict(list)
    for child in tx.find(Account, parent_account_id=holders) if holders else []:
        children[child.parent_account_id or ""].append(child)
    everyone = {*accounts, *lenders, *(c.id for family in children.values() for c in family)}
    attached: dict[str, list[AccountPlan]] = defaultdict(list)
    for plan in members(tx, tx.find(AccountPlan, account_id=sorted(everyone))) if everyone else []:
        attached[plan.account_id].append(plan)
    return Families(lenders=lenders, children=children, attached=attached)


def _is_on(plans: Iterable[AccountPlan], product_id: str | None, span: Period) -> bool:
    of_product = (p for p in plans if p.product_id == product_id)
    return any(not Period.of(p.start_date, p.end_date).intersect(span).is_empty for p in of_product)
