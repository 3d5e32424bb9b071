"""External mappings: by which id another system knows something of ours, in both directions."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Self

import msgspec
from msgspec import Meta
from sqlalchemy import Index, func

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Entity, Transaction, resource, resource_of, resources
from tallystick.platform.resources.fields import CODE_PATTERN
from tallystick.platform.resources.rows import plain_id
from tallystick.platform.resources.transaction import ResourceNotFound

Text = Annotated[str, Meta(min_length=1, max_length=1000, pattern=CODE_PATTERN)]
MAPPED: Final = (
    "Account",
    "AccountPlan",
    "Aggregation",
    "Balance",
    "Bill",
    "Charge",
    "Commitment",
    "CompoundAggregation",
    "Contract",
    "Counter",
    "CreditReason",
    "Currency",
    "DebitReason",
    "LineItem",
    "Meter",
    "Plan",
    "PlanGroup",
    "PlanTemplate",
    "Pricing",
    "Product",
    "TransactionType",
)
"What other systems have, too."


@resource(
    "externalmappings",
    event="configuration.externalmapping",
    filters=(
        By("externalSystemId", "external_system", item=str),
        By("m3terIds", "m3ter_id", many=True, item=str),
        By("integrationConfigId", "integration_config_id", item=str),
    ),
    max_page_size=200,
)
class ExternalMapping(Entity, kw_only=True):
    """Something of ours (m3terEntity, m3terId) is externalId in a table of another system.

    In one table of a system something of ours has one id, for all integrations or for one of them; several
    things of ours may be one thing there, such as two accounts that one customer pays for.
    """

    m3ter_entity: Text
    m3ter_id: Text
    external_system: Text
    external_table: Text
    external_id: Text
    integration_config_id: str | None = None

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Write ids as runs look for them."""
        config_id = self.integration_config_id
        return msgspec.structs.replace(
            self, m3ter_id=plain_id(self.m3ter_id), integration_config_id=config_id and plain_id(config_id)
        )

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """What is mapped exists, and is not mapped already."""
        yield from _entity_problems(tx, self.m3ter_entity, self.m3ter_id)
        same = tx.find(
            ExternalMapping,
            m3ter_id=self.m3ter_id,
            external_system=self.external_system,
            external_table=self.external_table,
        )
        for each in same:
            of_same = each.m3ter_entity.lower() == self.m3ter_entity.lower()
            if of_same and each.id != self.id and each.integration_config_id == self.integration_config_id:
                where = f"{self.external_table} of {self.external_system}"
                message = f"is mapped to {each.external_id} in {where} already: change that mapping"
                yield Problem("m3terId", "duplicate", message)


_table = resource_of(ExternalMapping).table
Index("ix_externalmappings_ours", _table.c.org_id, _table.c.m3ter_id)
_one_id = (
    func.lower(_table.c.m3ter_entity),
    _table.c.m3ter_id,
    _table.c.external_system,
    _table.c.external_table,
)
_for = func.coalesce(_table.c.integration_config_id, "")
Index("uq_externalmappings_one_id", _table.c.org_id, *_one_id, _for, unique=True)  # of two requests at once
Index("ix_externalmappings_theirs", _table.c.org_id, _table.c.external_system, _table.c.external_id)


def mappable() -> dict[str, type[Entity]]:
    """Give the types that can be mapped, by the name that a mapping has for them."""
    named = {each.cls.__name__: each.cls for each in resources()}
    return {name: named[name] for name in MAPPED}


def _entity_problems(tx: Transaction, entity: str, entity_id: str) -> Iterator[Problem]:
    types = {name.lower(): cls for name, cls in mappable().items()}
    cls = types.get(entity.lower())
    if cls is None:
        message = f"must be one of {', '.join(mappable())}"
        yield Problem("m3terEntity", "unknown_value", message)
        return
    try:
        tx.get(cls, entity_id)
    except ResourceNotFound:
        yield Problem(
            "m3terId", "unknown_reference", f"{entity_id} is not the id of any {resource_of(cls).noun}"
        )


def external_id(
    tx: Transaction, entity: str, entity_id: str, *, system: str, table: str, config_id: str | None
) -> str | None:
    """Look up the id that a system has for something of ours; the integration's own mapping goes first."""
    found = tx.find(ExternalMapping, m3ter_id=entity_id, external_system=system, external_table=table)
    of_entity = [each for each in found if each.m3ter_entity.lower() == entity.lower()]
    for wanted in (config_id, None):
        for each in of_entity:
            if each.integration_config_id == wanted:
                return each.external_id
    return None


def note_mapping(tx: Transaction, wanted: ExternalMapping) -> ExternalMapping:
    """Store a mapping, in place of the one that there is."""
    same = tx.find(
        ExternalMapping,
        lock=True,
        m3ter_entity=wanted.m3ter_entity,
        m3ter_id=wanted.m3ter_id,
        external_system=wanted.external_system,
        external_table=wanted.external_table,
    )
    old = next((each for each in same if each.integration_config_id == wanted.integration_config_id), None)
    if old is None:
        return tx.create(wanted)
    if old.external_id == wanted.external_id:
        return old
    return tx.update(old, msgspec.structs.replace(old, external_id=wanted.external_id))


def external_ids(tx: Transaction, entity: str, entity_ids: Sequence[str], system: str) -> dict[str, str]:
    """Look up the ids that a system has for many things of one type, by ours; the newest mapping counts."""
    found = tx.find(ExternalMapping, m3ter_id=list(entity_ids), external_system=system)
    mine = [each for each in found if each.m3ter_entity.lower() == entity.lower()]
    return {each.m3ter_id: each.external_id for each in reversed(mine)}
