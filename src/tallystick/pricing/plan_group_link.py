"""Plan group links: which plans are in which group."""

from collections.abc import Callable, Iterator
from typing import Annotated

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Entity, Id, Ref, Transaction, resource
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.plan_template import PlanTemplate

Check = Callable[[Transaction, PlanGroup, Plan], Iterator[Problem]]
link_checks: list[Check] = []
"Asked before a plan comes into a group; `accounts` adds what attached groups forbid."


@resource(
    "plangrouplinks",
    event="configuration.plangrouplink",
    unique=(("plan_group_id", "plan_id"),),
    filters=(By("planGroup", "plan_group_id"), By("plan", "plan_id")),
)
class PlanGroupLink(Entity, kw_only=True):
    """Puts a plan into a group: one of each product (semantics §13)."""

    plan_group_id: Annotated[Id, Ref(PlanGroup)]
    plan_id: Annotated[Id, Ref(Plan)]

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The plan fits the group: its account, currency and frequency, and no other plan of its product."""
        # The group is locked, so that two requests cannot put in two plans of a product at the same time.
        group = tx.find_one(PlanGroup, id=self.plan_group_id, lock=True)
        plan = tx.find_one(Plan, id=self.plan_id)
        if group is None or plan is None:
            return
        if plan.account_id not in {None, group.account_id}:
            message = "this plan was made for one account, and the group is not for that one"
            yield Problem("planId", "bespoke_plan", message)
        others = [each for each in tx.find(PlanGroupLink, plan_group_id=group.id) if each.id != self.id]
        yield from _same_terms(tx, group, plan, others)
        for check in link_checks:
            yield from check(tx, group, plan)


def plans_of_group(tx: Transaction, group_id: str) -> list[Plan]:
    """Give the plans that are in a group."""
    plan_ids = [link.plan_id for link in tx.find(PlanGroupLink, plan_group_id=group_id)]
    return tx.find(Plan, id=plan_ids)


def _same_terms(
    tx: Transaction, group: PlanGroup, plan: Plan, others: list[PlanGroupLink]
) -> Iterator[Problem]:
    """A group is billed in one currency and rhythm, so that its minimum is over bills of all its plans."""
    plans = tx.find(Plan, id=[link.plan_id for link in others])
    if any(other.product_id == plan.product_id and other.id != plan.id for other in plans):
        yield Problem("planId", "duplicate_product", "the group has another plan of the same product")
    templates = tx.by_id(PlanTemplate, (p.plan_template_id for p in (plan, *plans)))
    template = templates[plan.plan_template_id]
    if template.currency != group.currency:
        message = f"is priced in {template.currency}, but the group in {group.currency}"
        yield Problem("planId", "wrong_currency", message)
    for other in plans:
        frequency = templates[other.plan_template_id].frequency
        if frequency != template.frequency:
            message = f"is billed otherwise than {other.name}, which is in the group"
            yield Problem("planId", "wrong_frequency", message)
            return
