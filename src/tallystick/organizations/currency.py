"""Currencies: how many decimal places an amount has, and how it is rounded to them."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.kernel.decimals import RoundingMode
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Entity, Identifier, Name, Transaction, resource


@resource(
    "picklists/currency",
    event="configuration.currency",
    unique=("code",),
    filters=(By("codes", "code", many=True, item=str), By("archived", "archived", item=bool)),
)
class Currency(Entity, kw_only=True):
    """A currency that prices and bills may be in; tokens and credits can be one too (semantics §25)."""

    code: Identifier
    name: Name
    archived: bool = False
    max_decimal_places: Annotated[int, Meta(ge=0, le=5)] = 2
    rounding_mode: RoundingMode = RoundingMode.HALF_UP


def known_currency(tx: Transaction, field: str, code: str | None) -> Iterator[Problem]:
    """A currency code is one of the organization's; case matters (semantics §25)."""
    if code is not None and tx.find_one(Currency, code=code) is None:
        message = f"{code} is not a currency of this organization; create it under picklists/currency first"
        yield Problem(field, "unknown_currency", message)
