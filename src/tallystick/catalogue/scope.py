"""Which plans a quantity may price: those of its own product, or any if it has none (semantics §5).

A meter's product is also that of its aggregations; compound aggregations and counters have their own.
"""

from collections.abc import Callable, Iterator

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Transaction

OtherPricing = Callable[[Transaction, type, str, str], str | None]

elsewhere_priced: list[OtherPricing] = []
"Asks those further up for a pricing of a quantity, by class and id, on a plan of another product than this."


def stays_in_scope(
    tx: Transaction, quantity: type, quantity_id: str, product_id: str | None, field: str
) -> Iterator[Problem]:
    """Refuse to move a quantity to a product while plans of another one price it. field: what moves it."""
    if product_id is None:
        return
    users = (find_user(tx, quantity, quantity_id, product_id) for find_user in elsewhere_priced)
    user = next((user for user in users if user is not None), None)
    if user is not None:
        yield Problem(field, "wrong_product", f"cannot change: {user} prices it on a plan of another product")
