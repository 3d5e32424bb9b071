"""Load what pricings price: aggregations with their meters, and what compound ones calculate with."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tallystick.accounts.account import Account
from tallystick.billing.calculate.inputs import Part, PricedAggregation
from tallystick.billing.due import DuePlan
from tallystick.calc.errors import CalculationError, ExpressionError
from tallystick.calc.expression import compile_expression
from tallystick.calc.values import Lookups, NoLookups, Value, as_value
from tallystick.catalogue.aggregation import Aggregation, Segment
from tallystick.catalogue.compound_aggregation import CUSTOM_FIELD_OWNERS, CompoundAggregation
from tallystick.catalogue.lookup_find import WHOLE_UP_TO, Published, published_tables
from tallystick.catalogue.lookup_rows import Item
from tallystick.catalogue.lookup_store import each_row
from tallystick.catalogue.meter import Meter
from tallystick.catalogue.product import Product
from tallystick.kernel.errors import invariant
from tallystick.organizations.custom_field import CustomField
from tallystick.platform.resources import CustomFields, Transaction
from tallystick.pricing.plan import Plan
from tallystick.pricing.pricing import Pricing


class PricedThings(msgspec.Struct, frozen=True, kw_only=True):
    """What the pricings of a chunk price. custom_fields: None where no compound aggregation may read any."""

    aggregations: Mapping[str, Aggregation]
    compounds: Mapping[str, CompoundAggregation]
    meters: Mapping[str, Meter]
    custom_fields: CustomField | None
    lookups: Lookups

    def priced(self, pricing: Pricing) -> PricedAggregation:
        """Put a pricing together with what it prices."""
        if pricing.compound_aggregation_id is None:
            part = self._part(self.aggregations[pricing.aggregation_id or ""], pricing.segment)
            return PricedAggregation.simple(pricing, part)
        compound = self.compounds[pricing.compound_aggregation_id]
        by_code = {a.code: a for a in self.aggregations.values()}
        named = [by_code[code] for code in compound.aggregation_codes if code in by_code]
        parts = tuple(self._part(each, pricing.segment) for each in named)
        segment = compound.segments.index(pricing.segment) if pricing.segment else None
        return PricedAggregation(pricing, compound, None, segment, parts)

    def _part(self, aggregation: Aggregation, wanted: Segment | None) -> Part:
        """Give an aggregation as usage is asked for; of one without segments all of it (semantics §11)."""
        is_cut = wanted is not None and bool(aggregation.segments)
        segment = aggregation.segments.index(wanted) if wanted is not None and is_cut else None
        return Part(aggregation, self.meters[aggregation.meter_id], segment)


def load_priced_things(tx: Transaction, pricings: Sequence[Pricing]) -> PricedThings:
    """Load everything that pricings refer to, in a few statements."""
    ids = sorted({p.aggregation_id for p in pricings if p.aggregation_id})
    compounds = tx.by_id(CompoundAggregation, (p.compound_aggregation_id for p in pricings))
    codes = sorted({code for compound in compounds.values() for code in compound.aggregation_codes})
    found = (*tx.find(Aggregation, id=ids), *tx.find(Aggregation, code=codes))
    aggregations = {a.id: a for a in found}
    return PricedThings(
        aggregations=aggregations,
        compounds=compounds,
        meters=tx.by_id(Meter, (a.meter_id for a in found)),
        custom_fields=(tx.find_one(CustomField) or CustomField()) if compounds else None,
        lookups=_lookups(tx, compounds.values()),
    )


def custom_fields_of(
    defaults: CustomField | None, due: DuePlan, account: Account, plan: Plan, product: Product | None
) -> dict[str, Value]:
    """Give custom fields by the names they are read by: an entity's own value, else the organization's.

    account: the one that has the account plan. product: of the plan's template.
    A meter's are always the organization's (semantics §11).
    """
    if defaults is None:
        return {}
    own: dict[str, CustomFields] = {
        "account": account.custom_fields,
        "accountPlan": due.account_plan.custom_fields,
        "plan": plan.custom_fields,
        "planTemplate": due.template.custom_fields,
        "product": product.custom_fields if product else {},
        "contract": due.frame.contract.custom_fields if due.frame else {},
    }
    names = {field.encode_name: field.name for field in msgspec.structs.fields(CustomField)}
    return {
        f"{owner}.customfields.{name}": as_value(value)
        for owner in CUSTOM_FIELD_OWNERS
        for name, value in {**getattr(defaults, names[owner]), **own.get(owner, {})}.items()
    }


class LoadedTable(msgspec.Struct, frozen=True):
    """A lookup table with its published rows, by key; without them where they are too many."""

    published: Published
    rows: Mapping[str, Item]


class LoadedLookups:
    """The lookup tables that a chunk's calculations name, as they were published in its snapshot."""

    def __init__(self, tables: Mapping[str, LoadedTable]) -> None:
        self._tables = tables

    def find(self, table: str, keys: Sequence[Value]) -> Mapping[str, Value] | None:
        """Give all fields of a row; None when there is no row with these keys. Raises CalculationError."""
        found = self._tables.get(table)
        if found is None:
            raise CalculationError(f"there is no lookup table {table}")
        published = found.published
        if published.revision_id is None:
            return None
        if published.item_count > WHOLE_UP_TO:
            raise CalculationError(f"the lookup table {table} has more than {WHOLE_UP_TO} rows")
        types = published.schema.types
        names = published.schema.keys
        if len(keys) != len(names):
            raise CalculationError(f"the lookup table {table} has {len(names)} keys, not {len(keys)}")
        key = published.schema.key_asked(keys)
        item = None if key is None else found.rows.get(key)
        return None if item is None else {name: as_value(item.get(name)) for name in types}


def _lookups(tx: Transaction, compounds: Iterable[CompoundAggregation]) -> Lookups:
    codes: set[str] = set()
    for compound in compounds:
        try:
            codes |= {use.table for use in compile_expression(compound.calculation).lookups}
        except ExpressionError:
            invariant(False, f"the stored calculation of {compound.id} cannot be compiled")  # noqa: FBT003 - a bug
    if not codes:
        return NoLookups()
    tables = published_tables(tx, codes)
    return LoadedLookups({code: LoadedTable(table, _rows(tx, table)) for code, table in tables.items()})


def _rows(tx: Transaction, table: Published) -> Mapping[str, Item]:
    if table.revision_id is None or table.item_count > WHOLE_UP_TO:
        return {}
    return dict(each_row(tx, table.revision_id))
