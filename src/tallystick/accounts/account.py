"""Accounts: end customers, one level deep."""

import unicodedata
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Self

import msgspec
from msgspec import Meta
from sqlalchemy import Index

from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import chosen_currency
from tallystick.organizations.organization_config import CreditType, PositiveInt, StatementMode
from tallystick.platform.resources import (
    By,
    Code,
    CustomFields,
    Entity,
    Hidden,
    Id,
    Name,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.checks import no_repeats

MAX_CHILDREN = 999
EMAIL_PATTERN = r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}$(?!\n)"


class Address(msgspec.Struct, kw_only=True, rename="camel"):
    """A postal address."""

    address_line1: Annotated[str, Meta(max_length=50)] | None = None
    address_line2: Annotated[str, Meta(max_length=50)] | None = None
    address_line3: str | None = None
    address_line4: str | None = None
    locality: Annotated[str, Meta(max_length=100)] | None = None
    region: Annotated[str, Meta(max_length=50)] | None = None
    post_code: Annotated[str, Meta(max_length=20)] | None = None
    country: Annotated[str, Meta(max_length=100)] | None = None


@resource(
    "accounts",
    event="configuration.account",
    unique=("code",),
    filters=(By("codes", "code", many=True, item=str),),
)
class Account(Entity, kw_only=True):
    """An end customer; a child's usage may be billed to its parent (semantics §17)."""

    name: Name
    code: Code
    email_address: Annotated[
        str, Meta(max_length=320, pattern=EMAIL_PATTERN, extra_json_schema={"format": "email"})
    ]
    address: Address | None = None
    parent_account_id: Annotated[Id | None, Ref("accounts")] = None
    bill_epoch: date | None = None
    purchase_order_number: Annotated[str, Meta(max_length=100)] | None = None
    currency: str | None = None
    statement_definition_id: Annotated[Id | None, Ref("statementdefinitions")] = None
    auto_generate_statement_mode: StatementMode | None = None
    credit_application_order: list[CreditType] | None = None
    days_before_bill_due: PositiveInt | None = None
    custom_fields: CustomFields = {}
    folded_code: Annotated[str, Hidden()] = ""

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Keep what its code has in common with codes like it, for ingest to look for."""
        return msgspec.structs.replace(self, folded_code=folded(self.code))

    def check(self) -> Iterator[Problem]:
        """No account is its own parent; no credit is drawn twice."""
        if self.parent_account_id == self.id:
            yield Problem("parentAccountId", "hierarchy_too_deep", "an account cannot be its own parent")
        yield from no_repeats(
            "creditApplicationOrder[{i}]", self.credit_application_order or [], "{value} stands twice"
        )

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The currency exists; the hierarchy has two levels and at most 999 children."""
        yield from chosen_currency(tx, self.currency, old)
        if self.parent_account_id is None or self.parent_account_id == self.id:
            return
        # Locked, so that two requests cannot make a child and a parent of it at the same time.
        parent = tx.find_one(Account, id=self.parent_account_id, lock=True)
        if parent is not None and parent.parent_account_id is not None:
            message = f"{parent.code} has a parent itself; there are two levels only"
            yield Problem("parentAccountId", "hierarchy_too_deep", message)
        if old is not None and tx.find(Account, limit=1, parent_account_id=self.id):
            message = "this account has children, so it cannot become a child"
            yield Problem("parentAccountId", "hierarchy_too_deep", message)
        siblings = tx.find(Account, limit=MAX_CHILDREN + 1, parent_account_id=self.parent_account_id)
        if len([s for s in siblings if s.id != self.id]) >= MAX_CHILDREN:
            yield Problem(
                "parentAccountId", "too_many_children", f"a parent has at most {MAX_CHILDREN} children"
            )


_table = resource_of(Account).table
Index("ix_accounts_folded_code", _table.c.org_id, _table.c.folded_code)


def folded(code: str) -> str:
    """Give what codes have in common that people take for the same: letter case and Unicode form left aside.

    Here and not in the database, whose notion of letter case depends on how it was set up.
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", code).casefold())
