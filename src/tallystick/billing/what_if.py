"""Other prices than those that are stored, as a simulation puts them in their place, and their checks."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.accounts.account_plan import AccountPlan
from tallystick.billing.calculate.ledger_inputs import LedgerInputs
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.kernel.problems import Problem
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Entity, Id, NonNegative, Transaction
from tallystick.platform.resources.checks import overlap
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import from_request
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing


class PlanChange(msgspec.Struct, kw_only=True, rename="camel"):
    """A plan, or a plan template, with other charges; what is left out stays. planId xor planTemplateId."""

    plan_id: Id | None = None
    plan_template_id: Id | None = None
    standing_charge: NonNegative | None = None
    minimum_spend: NonNegative | None = None
    standing_charge_bill_in_advance: bool | None = None
    minimum_spend_bill_in_advance: bool | None = None

    @property
    def values(self) -> dict[str, Decimal | bool]:
        """What is other than it is stored."""
        given = msgspec.structs.asdict(self)
        return {k: v for k, v in given.items() if v is not None and k not in {"plan_id", "plan_template_id"}}


class Replacement(msgspec.Struct, kw_only=True, rename="camel"):
    """Accounts on one plan are rated as if they were on another, such as a draft that nobody is on yet."""

    plan_id: Id
    as_plan_id: Id


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What is put in place of what is stored. pricings: all that their plan or template has then.

    plans: those that stand in, by the id of the one that accounts are on.
    """

    charges: Mapping[str, Mapping[str, Decimal | bool]] = {}
    pricings: Mapping[str, Sequence[Pricing]] = {}
    plans: Mapping[str, Plan] = {}

    def changed(self, entities: Mapping[str, Any]) -> dict[str, Any]:
        """Give plans or templates, by id, with their other charges."""
        return {
            each: msgspec.structs.replace(entity, **self.charges.get(each, {}))
            for each, entity in entities.items()
        }

    def priced(self, stored: Sequence[Pricing], owners: Sequence[str]) -> list[Pricing]:
        """Give the pricings of plans and templates: those put in place, else the stored ones."""
        kept = [p for p in stored if (p.plan_id or p.plan_template_id or "") not in self.pricings]
        return [*kept, *(p for owner in owners for p in self.pricings.get(owner, ()))]

    def moved(self, attached: Mapping[str, list[AccountPlan]]) -> dict[str, list[AccountPlan]]:
        """Give account plans by account, on the plans that stand in for theirs."""
        return {account_id: [self._moved(plan) for plan in plans] for account_id, plans in attached.items()}

    def _moved(self, plan: AccountPlan) -> AccountPlan:
        other = self.plans.get(plan.plan_id or "")
        if other is None:
            return plan
        return msgspec.structs.replace(plan, plan_id=other.id, product_id=other.product_id)

    def with_fees(self, ledger: LedgerInputs) -> LedgerInputs:
        """Give a bill's ledger with fees that come with a plan on the plan that stands in for it."""
        if not self.plans:
            return ledger
        moved = (
            c
            if (other := self.plans.get(c.billing_plan_id or "")) is None
            else msgspec.structs.replace(c, billing_plan_id=other.id)
            for c in ledger.commitments
        )
        return msgspec.structs.replace(ledger, commitments=tuple(moved))


AS_IT_IS = WhatIf()


def what_if(
    tx: Transaction,
    charges: Sequence[PlanChange],
    pricings: Sequence[VersionedRequest],
    replacements: Sequence[Replacement],
) -> tuple[WhatIf, list[Problem]]:
    """Read what is to be put in place, with every problem that it has."""
    problems: list[Problem] = []
    changes: dict[str, Mapping[str, Decimal | bool]] = {}
    for i, each in enumerate(charges):
        problems += _one_owner(tx, f"planCharges[{i}]", each.plan_id, each.plan_template_id)
        changes[(each.plan_id or each.plan_template_id or "").lower()] = each.values
    made: dict[str, list[Pricing]] = {}
    for i, request in enumerate(pricings):
        pricing = from_request(Pricing, request)
        pricing = msgspec.structs.replace(pricing.settle(tx, None), id=new_id())
        where = f"pricings[{i}]"
        found = [*_pricing_problems(tx, pricing)]
        owner = (pricing.plan_id or pricing.plan_template_id or "").lower()
        if any(_clash(pricing, other) for other in made.get(owner, [])):
            found.append(Problem("startDate", "overlapping_pricing", "another one prices the same at once"))
        problems += [Problem(f"{where}.{p.field}", p.code, p.message) for p in found]
        made.setdefault(owner, []).append(pricing)
    plans: dict[str, Plan] = {}
    for i, replacement in enumerate(replacements):
        for name, plan_id in (("planId", replacement.plan_id), ("asPlanId", replacement.as_plan_id)):
            problems += _known(tx, Plan, f"plans[{i}].{name}", plan_id)
        other = tx.find_one(Plan, id=replacement.as_plan_id)
        if other is not None:
            plans[replacement.plan_id.lower()] = other
    return WhatIf(charges=changes, pricings=made, plans=plans), problems


def _one_owner(
    tx: Transaction, where: str, plan_id: str | None, template_id: str | None
) -> Iterator[Problem]:
    if (plan_id is None) is (template_id is None):
        yield Problem(f"{where}.planId", "exactly_one", "give exactly one of planId or planTemplateId")
    yield from _known(tx, Plan, f"{where}.planId", plan_id)
    yield from _known(tx, PlanTemplate, f"{where}.planTemplateId", template_id)


def _pricing_problems(tx: Transaction, pricing: Pricing) -> Iterator[Problem]:
    yield from pricing.check()
    for cls, field, value in (
        (Plan, "planId", pricing.plan_id),
        (PlanTemplate, "planTemplateId", pricing.plan_template_id),
        (Aggregation, "aggregationId", pricing.aggregation_id),
        (CompoundAggregation, "compoundAggregationId", pricing.compound_aggregation_id),
    ):
        yield from _known(tx, cls, field, value)
    # It takes the place of the stored ones, so it does not clash with them.
    yield from (p for p in pricing.check_stored(tx, None) if p.code != "overlapping_pricing")


def _known(tx: Transaction, cls: type[Entity], field: str, entity_id: str | None) -> Iterator[Problem]:
    if entity_id is not None and tx.find_one(cls, id=entity_id) is None:
        yield Problem(field, "unknown_reference", f"{entity_id} is not the id of any {cls.__name__.lower()}")


def _clash(one: Pricing, other: Pricing) -> bool:
    same = (one.aggregation_id, one.compound_aggregation_id, one.segment)
    return same == (other.aggregation_id, other.compound_aggregation_id, other.segment) and overlap(
        one, other
    )
