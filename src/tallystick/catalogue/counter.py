"""Counters: quantities that are set from time to time and hold until they are set anew, such as seats."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.catalogue.product import Product
from tallystick.catalogue.scope import stays_in_scope
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Code, Entity, Id, Name, Ref, Transaction, resource


@resource(
    "counters",
    event="configuration.counter",
    unique=("code",),
    filters=(By("codes", "code", many=True, item=str), By("productId", "product_id", many=True)),
    max_page_size=200,
)
class Counter(Entity, kw_only=True):
    """A recurring quantity that adjustments set; without a product it prices any plan (semantics §16)."""

    name: Name
    code: Code | None = None
    unit: Annotated[str, Meta(min_length=1)]
    product_id: Annotated[Id | None, Ref(Product)] = None

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """It does not leave the product whose plans price it."""
        if isinstance(old, Counter) and old.product_id != self.product_id:
            yield from stays_in_scope(tx, Counter, self.id, self.product_id, "productId")
