"""Contracts: what was agreed with an account, and how what hangs on it is billed."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.accounts.account import Account
from tallystick.catalogue.meter import Meter
from tallystick.kernel.problems import Problem
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tallystick.platform.resources import (
    By,
    Code,
    CustomFields,
    Entity,
    Id,
    Name,
    Ref,
    Transaction,
    resource,
)
from tallystick.platform.resources.checks import in_order, no_repeats


class UsageFilterMode(StrEnum):
    """Whether only usage with the value is billed, or all usage but that."""

    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class UsageFilter(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """One value of a dimension that usage must have, or must not have, to be billed (semantics §21)."""

    dimension_code: Annotated[str, Meta(min_length=1)]
    value: Annotated[str, Meta(min_length=1)]
    mode: UsageFilterMode


@resource(
    "contracts",
    event="configuration.contract",
    unique=("code",),
    filters=(By("codes", "code", many=True, item=str), By("accountId", "account_id")),
)
class Contract(Entity, kw_only=True):
    """A frame around account plans, commitments, balances and charges of an account (semantics §21).

    Without a grouping key, limits and filters it only says what belongs together.
    applyContractPeriodLimits: what is linked is billed only while the contract holds.
    startDate, endDate: local dates of the organization's zone, the end exclusive.
    """

    account_id: Annotated[Id, Ref(Account)]
    name: Name
    code: Code | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    purchase_order_number: Annotated[str, Meta(max_length=100)] | None = None
    apply_contract_period_limits: bool = False
    usage_filters: list[UsageFilter] = []
    bill_grouping_key_id: Annotated[Id | None, Ref(BillGroupingKey)] = None
    start_date: date
    end_date: date
    custom_fields: CustomFields = {}

    def check(self) -> Iterator[Problem]:
        """It has days; no filter stands twice."""
        yield from in_order(self.start_date, self.end_date)
        values = [(f.dimension_code, f.value, f.mode) for f in self.usage_filters]
        yield from no_repeats("usageFilters[{i}]", values, "this filter stands twice")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Its dimensions are known; it stays with its account; a key that is chosen anew is not archived."""
        if isinstance(old, Contract) and old.account_id != self.account_id:
            yield Problem("accountId", "immutable", "cannot change: make a new contract for that account")
        key_id = self.bill_grouping_key_id
        if key_id is not None and key_id != getattr(old, "bill_grouping_key_id", None):
            key = tx.find_one(BillGroupingKey, id=key_id)
            if key is not None and key.archived:
                yield Problem("billGroupingKeyId", "archived", f"{key.code} is archived; choose another key")
        if not self.usage_filters:
            return
        fields = [field for meter in tx.find(Meter) for field in meter.fields]
        known = {field.code for field in fields if field.category.is_dimension}
        for i, each in enumerate(self.usage_filters):
            if each.dimension_code not in known:
                message = f"no meter has a dimension {each.dimension_code}"
                yield Problem(f"usageFilters[{i}].dimensionCode", "unknown_field", message)


def of_account(tx: Transaction, contract_id: str | None, account: Account) -> Iterator[Problem]:
    """What hangs on a contract belongs to the contract's account, or to a child of it (semantics §21)."""
    contract = tx.find_one(Contract, id=contract_id) if contract_id else None
    if contract is not None and contract.account_id not in {account.id, account.parent_account_id}:
        message = f"{contract.name} is a contract of another account, and of no parent of this one"
        yield Problem("contractId", "wrong_account", message)
