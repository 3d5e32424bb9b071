"""Lookup tables: values by key for calculations, in revisions of which one is published (semantics §12)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import Index, text

from tallystick.calc.errors import ExpressionError
from tallystick.calc.expression import compile_expression
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    By,
    Code,
    Computed,
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
from tallystick.platform.resources.fields import IDENTIFIER_PATTERN

FieldName = Annotated[str, Meta(max_length=256, pattern=IDENTIFIER_PATTERN)]


class RevisionStatus(StrEnum):
    """A revision's life: only a draft's rows can change, only the published one is looked up."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class LookupFieldType(StrEnum):
    """What a field of a row holds."""

    STRING = "STRING"
    NUMBER = "NUMBER"


class LookupField(msgspec.Struct, kw_only=True, rename="camel"):
    """A field that rows of a revision have."""

    name: FieldName | None = None
    type: LookupFieldType


@resource(
    "lookuptables",
    event="configuration.lookuptable",
    unique=("code",),
    filters=(By("codes", "code", many=True, item=str),),
    max_page_size=200,
    verbs=(),
)
class LookupTable(Entity, kw_only=True):
    """A table that calculations name by its code."""

    name: Name
    code: Code
    custom_fields: CustomFields = {}

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """A table that a calculation names keeps its code."""
        if isinstance(old, LookupTable) and old.code != self.code:
            for user in calculations_naming(tx, old.code):
                yield Problem("code", "code_in_use", f"cannot change: {user} looks things up in {old.code}")

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """A table that calculations may be using stays."""
        for user in calculations_naming(tx, self.code):
            yield Problem("code", "code_in_use", f"{user} looks things up in it")
        for revision in tx.find(
            LookupTableRevision, lookup_table_id=self.id, status=RevisionStatus.PUBLISHED.value
        ):
            yield Problem("", "published", f"its revision {revision.name!r} is published; archive that first")


@resource(
    "lookuptables/{lookupTableId}/revisions",
    event="configuration.lookuptablerevision",
    max_page_size=200,
    verbs=(),
    table="lookuptablerevisions",
)
class LookupTableRevision(Entity, kw_only=True):
    """One state of a lookup table: its fields, which of them are the key, and its rows.

    data_…: the version and the audit of the rows, which change apart from the revision itself.
    """

    name: Name
    status: Annotated[RevisionStatus, Computed()] = RevisionStatus.DRAFT
    start_date: datetime | None = None
    fields: Annotated[list[LookupField], Meta(min_length=2, max_length=10)]
    keys: Annotated[list[str], Meta(min_length=1, max_length=5)]
    item_count: Annotated[int, Computed()] = 0
    custom_fields: CustomFields = {}
    lookup_table_id: Annotated[Id, Ref(LookupTable), Hidden()] = ""
    data_version: Annotated[int, Hidden()] = 0
    data_dt_created: Annotated[datetime | None, Hidden()] = None
    data_dt_last_modified: Annotated[datetime | None, Hidden()] = None
    data_created_by: Annotated[str | None, Hidden()] = None
    data_last_modified_by: Annotated[str | None, Hidden()] = None

    @property
    def schema(self) -> tuple[list[tuple[str, LookupFieldType]], list[str]]:
        """Give what rows are made of: names with types, and the keys, both in order."""
        return [(f.name or "", f.type) for f in self.fields], self.keys

    def check(self) -> Iterator[Problem]:
        """Field names are given and unique; keys are fields, each once, and leave something to look up."""
        for i, field in enumerate(self.fields):
            if not field.name:
                yield Problem(f"fields[{i}].name", "required", "is required")
        names = [f.name for f in self.fields if f.name]
        yield from no_repeats("fields[{i}].name", names, "{value} stands twice")
        yield from no_repeats("keys[{i}]", self.keys, "{value} stands twice")
        for i, key in enumerate(self.keys):
            if key not in names:
                yield Problem(f"keys[{i}]", "unknown_field", f"{key} is none of the fields")
        if set(names) <= set(self.keys):
            yield Problem("keys", "no_value_field", "at least one field has to be no key: the one to look up")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The schema is frozen from the first row on, and once the revision was published."""
        if not isinstance(old, LookupTableRevision) or old.schema == self.schema:
            return
        if old.item_count or old.status is not RevisionStatus.DRAFT:
            why = f"it has {old.item_count} rows" if old.item_count else f"it is {old.status}"
            message = f"fields and keys cannot change: {why}; make another revision"
            yield Problem("fields", "schema_frozen", message)

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """What calculations may be using stays."""
        if self.status is RevisionStatus.PUBLISHED:
            yield Problem("status", "published", "it is published; archive it first")


_revisions = resource_of(LookupTableRevision).table
Index(
    "uq_lookuptablerevisions_published",
    _revisions.c.org_id,
    _revisions.c.lookup_table_id,
    unique=True,
    postgresql_where=text("status = 'PUBLISHED'"),
)


def calculations_naming(tx: Transaction, code: str) -> Iterator[str]:
    """Name the compound aggregations and meters that look things up in a table."""
    from tallystick.catalogue.compound_aggregation import CompoundAggregation  # noqa: PLC0415 - they know tables
    from tallystick.catalogue.meter import Meter  # noqa: PLC0415 - the same

    for compound in tx.find(CompoundAggregation):
        if _looks_up(compound.calculation, code):
            yield f"the compound aggregation {compound.name!r}"
    for meter in tx.find(Meter):
        if any(_looks_up(field.calculation, code) for field in meter.derived_fields):
            yield f"the meter {meter.code}"


def _looks_up(calculation: str, code: str) -> bool:
    try:
        return any(use.table == code for use in compile_expression(calculation).lookups)
    except ExpressionError:
        return False


class LookupTableAnswer(LookupTable, kw_only=True):
    """A lookup table with its published revision, where that was asked for."""

    active_revision: LookupTableRevision | None = None


def with_active_revision(
    tx: Transaction, tables: Iterable[LookupTable], *, wanted: bool
) -> list[LookupTableAnswer]:
    """Give tables as they are answered."""
    tables = list(tables)
    active: dict[str, LookupTableRevision] = {}
    if wanted and tables:
        ids = [t.id for t in tables]
        published = tx.find(LookupTableRevision, lookup_table_id=ids, status=RevisionStatus.PUBLISHED.value)
        active = {revision.lookup_table_id: revision for revision in published}
    return [LookupTableAnswer(**msgspec.structs.asdict(t), active_revision=active.get(t.id)) for t in tables]
