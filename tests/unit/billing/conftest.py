"""Billing on a real PostgreSQL, with usage from a list, and an organization to configure in few words."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import select

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.billing import service
from tallystick.billing.bill import Bill, BillAnswer
from tallystick.billing.bill_job import BillJob
from tallystick.billing.jobs import BillRunner, create_job
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.catalogue.product import Product
from tallystick.events.record import events, record_change
from tallystick.kernel.decimals import divide
from tallystick.kernel.periods import BillingFrequency, Period
from tallystick.organizations.currency import Currency
from tallystick.organizations.organization_config import default_config
from tallystick.platform.database import Database
from tallystick.platform.org_clocks import OrganizationClocks
from tallystick.platform.resources import Entity
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing, PricingBand
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding
from tallystick.usage.store.custom import CustomQuery, CustomSqlFailed
from tallystick.usage.store.model import Away, Filter, Usage, UsageQuery
from tests.conftest import MakeDatabase
from tests.support.clock import MovableClock

D = Decimal
JAN, FEB, MAR = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))


@dataclass
class ListedUsage:
    """Measurements of one number, in a list; answers as the usage store does."""

    measurements: list[tuple[str, datetime, D, str]] = field(default_factory=list)
    queries: int = 0
    late: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def add(self, account_id: str, ts: datetime, value: str, text: str = "") -> None:
        self.measurements.append((account_id, ts, D(value), text))

    def add_late(self, account_id: str, ts: datetime, received: datetime, value: str) -> None:
        """Add usage that is received at a later instant."""
        self.add(account_id, ts, value)
        self.late.append((account_id, ts, received))

    def received(self, org_id: str, window: Period, since: datetime) -> list[tuple[str, datetime, datetime]]:
        found = [x for x in self.late if window.contains(x[1]) and since <= x[2]]
        return [(account_id, ts, ts) for account_id, ts, _ in found]

    def custom_number(self, org_id: str, query: CustomQuery) -> D | None:
        raise CustomSqlFailed("The SQL is not run here.")

    def aggregate(self, org_id: str, query: UsageQuery) -> list[Usage]:
        self.queries += 1
        found: list[Usage] = []
        for number, window in enumerate(query.windows):
            groups: dict[tuple[str | None, int | None], list[D]] = {}
            for account_id, ts, value, text in sorted(self.measurements, key=lambda m: m[1]):
                inside = query.account_ids is None or account_id in query.account_ids
                inside = inside and all(_passes(f, account_id, ts, text) for f in query.filters)
                segment = next(
                    (i for i, s in enumerate(query.segments) if set(s.values()) <= {text, "*"}), None
                )
                if inside and window.contains(ts) and (segment is not None or not query.segments):
                    key = (account_id if query.per_account else None, segment)
                    groups.setdefault(key, []).append(value)
            for (account, segment), values in groups.items():
                value = _aggregated(query.method, values)
                found.append(Usage(account, number, segment, (), value, len(values)))
        return found


def _passes(each: Filter | Away, account_id: str, ts: datetime, text: str) -> bool:
    if isinstance(each, Away):
        return account_id != each.account_id or not each.window.contains(ts)
    return each.include == (text in each.values)


def _aggregated(method: Method, values: list[D]) -> D:
    match method:
        case Method.MAX:
            return max(values)
        case Method.MEAN:
            return divide(sum(values, D(0)), D(len(values)))
        case Method.COUNT:
            return D(len(values))
        case _:
            return sum(values, D(0))


@dataclass
class Books:
    """One organization: its database, its usage, and words to set it up and bill it."""

    database: Database
    clock: MovableClock
    usage: ListedUsage = field(default_factory=ListedUsage)
    org_id: str = field(default_factory=lambda: str(uuid4()))
    product: Product = field(default_factory=lambda: Product(name="", code=""))
    aggregation: Aggregation | None = None

    def create(self, entity: Any) -> Any:
        with self.database.transaction(self.org_id) as tx:
            return tx.create(entity)

    def change(self, cls: type[Entity], entity_id: str, **values: Any) -> Any:
        with self.database.transaction(self.org_id) as tx:
            old = tx.get(cls, entity_id)
            return tx.update(old, msgspec.structs.replace(old, **values))

    def delete(self, entity: Entity) -> None:
        with self.database.transaction(self.org_id) as tx:
            tx.delete(type(entity), entity.id)

    def configure(self, **values: Any) -> None:
        with self.database.transaction(self.org_id) as tx:
            old = tx.find(type(default_config()))[0]
            tx.update(old, msgspec.structs.replace(old, **values))

    def set_up(self) -> "Books":
        """Give the organization USD, a product, a meter of gigabytes, and their sum."""
        self.create(Currency(name="US dollar", code="USD"))
        self.create(default_config())
        self.product = self.create(Product(name="Storage", code="storage"))
        fields = [
            DataField(category=FieldCategory.MEASURE, code="gb", name="Gigabytes", unit="GB"),
            DataField(category=FieldCategory.WHERE, code="region", name="Region"),
        ]
        self.meter = self.create(Meter(name="Use", code="use", data_fields=fields, derived_fields=[]))
        self.aggregation = self.aggregate()
        return self

    def aggregate(self, **values: Any) -> Aggregation:
        declared = {
            "name": "Gigabytes stored",
            "meter_id": self.meter.id,
            "target_field": "gb",
            "aggregation": Method.SUM,
            "rounding": UsageRounding.NONE,
            "quantity_per_unit": D(1),
            "unit": "GB",
        }
        made: Aggregation = self.create(Aggregation(**declared | values))
        return made

    def plan(self, standing: str = "0", minimum: str | None = None, **template: Any) -> Plan:
        declared = {
            "product_id": self.product.id,
            "name": "Basic",
            "currency": "USD",
            "bill_frequency": BillingFrequency.MONTHLY,
            "standing_charge": D(standing),
            "minimum_spend": D(minimum) if minimum else None,
        }
        made = self.create(PlanTemplate(**declared | template))
        plan: Plan = self.create(Plan(plan_template_id=made.id, name="Basic", code=f"p{made.id}"))
        return plan

    def price(self, plan: Plan, *bands: tuple[str, str, str], **values: Any) -> Pricing:
        """Price the sum of gigabytes. bands: (lower limit, fixed price, unit price)."""
        made = [
            PricingBand(lower_limit=D(at), fixed_price=D(fixed), unit_price=D(unit))
            for at, fixed, unit in bands
        ]
        aggregation_id = self.aggregation.id if self.aggregation else None
        declared: dict[str, Any] = {
            "plan_id": plan.id,
            "aggregation_id": aggregation_id,
            "start_date": datetime(2020, 1, 1, tzinfo=UTC),
            "cumulative": True,
            "pricing_bands": made,
        }
        pricing: Pricing = self.create(Pricing(**declared | values))
        return pricing

    def account(self, code: str, plan: Plan | None = None, start: datetime = JAN, **values: Any) -> Account:
        end = values.pop("end", None)
        declared = {"name": code, "code": code, "email_address": f"{code}@example.com"}
        made: Account = self.create(Account(**declared | values))
        if plan is not None:
            self.create(AccountPlan(account_id=made.id, plan_id=plan.id, start_date=start, end_date=end))
        return made

    def runner(self, chunk: int = 500) -> BillRunner:
        return BillRunner(self.database, self.usage, chunk)

    def order(self, **values: Any) -> BillJob:
        with self.database.transaction(self.org_id) as tx:
            return create_job(tx, BillJob(**values))

    def run(self, *, at: datetime | None = None, **values: Any) -> BillJob:
        """Order a job and run it to its end."""
        if at is not None:
            self.clock.instant = at
        job = self.order(**values)
        self.runner().run(self.org_id, job.id)
        return self.job(job)

    def job(self, job: BillJob) -> BillJob:
        with self.database.reading(self.org_id) as tx:
            return tx.get(BillJob, job.id)

    def bills(self, account: Account | None = None) -> list[BillAnswer]:
        """Give the bills with their lines, oldest first."""
        with self.database.reading(self.org_id) as tx:
            found = [b for b in tx.find(Bill) if account is None or b.account_id == account.id]
            answers = service.with_lines(tx, found)
        return sorted(answers, key=lambda b: (b.end_date, b.id))

    def bill(self, account: Account) -> BillAnswer:
        """Give the account's only bill."""
        (only,) = self.bills(account)
        return only

    def told(self, name: str) -> list[Any]:
        with self.database.reading(self.org_id) as tx:
            mine = (events.c.org_id == self.org_id, events.c.event_name == name)
            return list(tx.execute(select(events.c.event_data).where(*mine).order_by(events.c.id)).scalars())


def lines(bill: BillAnswer) -> list[tuple[str, str]]:
    """Give each line's type and rounded amount, in their order."""
    return [(line.line_item_type.value, f"{line.converted_subtotal:f}") for line in bill.line_items or []]


@pytest.fixture(scope="module")
def billing_database(new_migrated_database: MakeDatabase) -> Iterator[Database]:
    database = Database(new_migrated_database(), MovableClock(FEB), record_change)
    yield database
    database.close()


@pytest.fixture
def books(billing_database: Database) -> Books:
    """Give a fresh organization on 1 February 2024."""
    clock = MovableClock(FEB)
    billing_database.clock, billing_database.clocks = clock, OrganizationClocks(clock)
    return Books(billing_database, clock).set_up()
