"""Checks that the ledger's resources share; each yields the problems it finds."""

from collections.abc import Iterable, Iterator, Sequence

from tallystick.accounts.account import Account
from tallystick.accounts.contract import of_account
from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.checks import no_repeats


def known_products(tx: Transaction, product_ids: Sequence[str]) -> Iterator[Problem]:
    """Each id of a list is a product's."""
    if not product_ids:
        return
    known = {product.id for product in tx.find(Product, id=list(product_ids))}
    for i, product_id in enumerate(product_ids):
        if product_id not in known:
            message = f"{product_id} is not the id of any product"
            yield Problem(f"productIds[{i}]", "unknown_reference", message)


def each_once(field: str, values: Iterable[str]) -> Iterator[Problem]:
    """Nothing is listed twice."""
    yield from no_repeats(f"{field}[{{i}}]", values, "{value} stands twice")


def contract_of(tx: Transaction, account_id: str, contract_id: str | None) -> Iterator[Problem]:
    """The contract is one of the account's."""
    account = tx.find_one(Account, id=account_id) if contract_id else None
    if account is not None:
        yield from of_account(tx, contract_id, account)
