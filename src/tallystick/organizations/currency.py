"""Currencies: how many decimal places an amount has, and how it is rounded to them."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta
from sqlalchemy import select

from tallystick.kernel.decimals import RoundingMode
from tallystick.kernel.problems import Problem
from tallystick.organizations.pick_list import PICK_LIST_FILTERS, PickListEntry
from tallystick.platform.resources import Entity, Transaction, resource
from tallystick.platform.resources.tables import metadata

DEFAULT_CURRENCY = "USD"


@resource(
    "picklists/currency",
    event="configuration.currency",
    unique=("code",),
    filters=PICK_LIST_FILTERS,
)
class Currency(PickListEntry, kw_only=True):
    """A currency that prices and bills may be in; tokens and credits can be one too (semantics §25)."""

    max_decimal_places: Annotated[int, Meta(ge=0, le=5)] = 2
    rounding_mode: RoundingMode = RoundingMode.HALF_UP

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Its code stays: what is priced, owed and billed in it names it (semantics §25)."""
        if isinstance(old, Currency) and old.code != self.code:
            yield Problem(
                "code", "immutable", "cannot change: prices and accounts name it; make another currency"
            )

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """The default currency stays, and so does the one that the organization bills in (semantics §3)."""
        if self.code == DEFAULT_CURRENCY:
            yield Problem(
                "code", "default_currency", f"{self.code} is every organization's default; archive it"
            )
        elif _is_billed_in(tx, self.code):
            message = f"{self.code} is what this organization bills in; change organizationconfig first"
            yield Problem("code", "billing_currency", message)


def _is_billed_in(tx: Transaction, code: str | None) -> bool:
    config = metadata.tables["organizationconfig"].c  # by name: its declaration needs this module
    mine = (config.org_id == tx.org_id, config.currency == code)
    return tx.execute(select(config.id).where(*mine)).first() is not None


def chosen_currency(tx: Transaction, code: str | None, old: object | None) -> Iterator[Problem]:
    """A currency is one of the organization's, and not archived where it is chosen anew (semantics §24).

    old: what is changed, as it is stored; an archived currency stays where it is used.
    """
    found = tx.find_one(Currency, code=code) if code is not None else None
    if code is not None and found is None:
        yield _unknown("currency", code)
    elif found is not None and found.archived and code != getattr(old, "currency", None):
        yield Problem("currency", "archived", f"{code} is archived; choose another, or bring it back")


def known_currency(tx: Transaction, field: str, code: str | None) -> Iterator[Problem]:
    """A currency code is one of the organization's, also an archived one; case matters (semantics §25)."""
    if code is not None and tx.find_one(Currency, code=code) is None:
        yield _unknown(field, code)


def _unknown(field: str, code: str) -> Problem:
    message = f"{code} is not a currency of this organization; create it under picklists/currency first"
    return Problem(field, "unknown_currency", message)
