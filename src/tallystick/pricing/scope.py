"""Where a quantity may be priced: that of a product on the product's plans only (semantics §5)."""

from collections.abc import Iterator
from typing import Protocol

from sqlalchemy import ColumnElement, Table, select

from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.meter import Meter
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, Transaction, resource_of
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate


class OnPlan(Protocol):
    """What holds on a plan, or on all plans of a template."""

    plan_id: str | None
    plan_template_id: str | None


def product_of(tx: Transaction, quantity: Entity) -> str | None:
    """Give the product of a quantity; an aggregation has its meter's. None: it prices any plan."""
    if isinstance(quantity, Aggregation):
        meter = tx.find_one(Meter, id=quantity.meter_id)
        return meter.product_id if meter else None
    return getattr(quantity, "product_id", None)


def suits_plan(
    tx: Transaction, pricing: OnPlan, quantity: Entity, name: str, field: str
) -> Iterator[Problem]:
    """Refuse to price a product's quantity on another product's plans. name, field: of the quantity."""
    own_id = product_of(tx, quantity)
    if own_id is None:
        return
    plan = tx.find_one(Plan, id=pricing.plan_id) if pricing.plan_id else None
    template_id = pricing.plan_template_id
    template = tx.find_one(PlanTemplate, id=template_id) if template_id else None
    on = plan or template
    if on is not None and on.product_id != own_id:
        yield Problem(field, "wrong_product", f"{name} belongs to another product than the plan")


def first_elsewhere(
    tx: Transaction, pricings: Table, quantity: ColumnElement[bool], product_id: str
) -> str | None:
    """Give the id of a pricing of a quantity that holds on plans of another product than this."""
    plans, templates = resource_of(Plan).table, resource_of(PlanTemplate).table

    def of_others(table: Table) -> ColumnElement[bool]:
        of_id = pricings.c.plan_id if table is plans else pricings.c.plan_template_id
        others = select(table.c.id).where(table.c.org_id == tx.org_id, table.c.product_id != product_id)
        return of_id.in_(others)

    found = select(pricings.c.id).where(
        pricings.c.org_id == tx.org_id, quantity, of_others(plans) | of_others(templates)
    )
    return tx.execute(found.limit(1)).scalar()
