"""Measure a bill run from inside one process: `python -m tests.bench.bill_run [ACCOUNTS] [profile]`.

20,000 accounts on a plan with a standing charge and five tiered prices, ten measurements of five numbers
each, on the embedded engines; prints what the run and a run again take, and the peak memory.
"""

import cProfile
import pstats
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.billing.bill_job import BillJob
from tallystick.billing.jobs import BillRunner, create_job
from tallystick.billing.store import insert_entities
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.catalogue.product import Product
from tallystick.events.record import record_change
from tallystick.kernel.periods import BillingFrequency
from tallystick.organizations.currency import Currency
from tallystick.organizations.organization_config import default_config
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clock import SystemClock
from tallystick.platform.database import Database
from tallystick.platform.home import Home
from tallystick.platform.ids import new_id
from tallystick.platform.migrate import migrate
from tallystick.platform.postgres import EmbeddedPostgres
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing, PricingBand
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.model import Slot
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tallystick.wiring import collect_seldom

JAN = datetime(2024, 1, 1, tzinfo=UTC)
MEASUREMENTS_EACH = 10
PRICES = 5
BLOCK = 50_000


def main(accounts: int, *, profile: bool) -> None:
    collect_seldom()
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder,
        Home(Path(folder)) as home,
        EmbeddedPostgres(home) as postgres,
    ):
        migrate(postgres.url)
        database = Database(postgres.url, SystemClock(), record_change)
        clickhouse = EmbeddedClickHouse(home.usage)
        store = UsageStore(clickhouse)
        store.migrate()
        org_id = str(uuid4())
        meter_id, account_ids = set_up(database, org_id, accounts)
        load_usage(store, org_id, meter_id, account_ids)
        runner = BillRunner(database, store)
        for what in ("first run", "run again"):
            measure(what, database, runner, org_id, profile=profile)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"peak memory of the process, usage store included: {peak_mib} MiB")
        database.close()
        clickhouse.close()


def set_up(database: Database, org_id: str, accounts: int) -> tuple[str, list[str]]:
    """Make the catalogue, and the accounts on their plan."""
    with database.transaction(org_id) as tx:
        tx.create(Currency(name="US dollar", code="USD"))
        tx.create(default_config())
        product = tx.create(Product(name="Storage", code="storage"))
        fields = [
            DataField(category=FieldCategory.MEASURE, code=f"gb{n}", name=f"Gigabytes {n}", unit="GB")
            for n in range(PRICES)
        ]
        meter = tx.create(Meter(name="Use", code="use", data_fields=fields, derived_fields=[]))
        aggregations = [
            tx.create(
                Aggregation(
                    name=field.name,
                    meter_id=meter.id,
                    target_field=field.code,
                    aggregation=Method.SUM,
                    rounding=UsageRounding.NONE,
                    quantity_per_unit=Decimal(1),
                    unit="GB",
                )
            )
            for field in fields
        ]
        template = tx.create(
            PlanTemplate(
                product_id=product.id,
                name="Basic",
                currency="USD",
                bill_frequency=BillingFrequency.MONTHLY,
                standing_charge=Decimal(10),
            )
        )
        plan = tx.create(Plan(plan_template_id=template.id, name="Basic", code="basic"))
        bands = [
            PricingBand(lower_limit=Decimal(at), fixed_price=Decimal(0), unit_price=Decimal(price))
            for at, price in (("0", "0.15"), ("500", "0.10"))
        ]
        for aggregation in aggregations:
            tx.create(
                Pricing(
                    plan_id=plan.id,
                    aggregation_id=aggregation.id,
                    start_date=JAN,
                    cumulative=True,
                    pricing_bands=bands,
                )
            )
        made = [
            Account(id=new_id(), version=1, name=f"a{n}", code=f"a{n}", email_address="a@example.com")
            for n in range(accounts)
        ]
        insert_entities(tx, Account, made)
        on = [
            AccountPlan(id=new_id(), version=1, account_id=a.id, plan_id=plan.id, start_date=JAN)
            for a in made
        ]
        insert_entities(tx, AccountPlan, on)
    return meter.id, [a.id for a in made]


def load_usage(store: UsageStore, org_id: str, meter_id: str, account_ids: list[str]) -> None:
    """Give every account ten measurements in January."""
    writer = GroupedWriter(store, SystemClock())
    writer.start()
    rows = [(a, k) for k in range(MEASUREMENTS_EACH) for a in account_ids]
    for first in range(0, len(rows), BLOCK):
        part = rows[first : first + BLOCK]
        block = make_block(
            org_id=org_id,
            meter_ids=[meter_id] * len(part),
            account_ids=[a for a, _ in part],
            ts=[JAN + timedelta(days=k, hours=1) for _, k in part],
            uids=[f"{a}-{k}"[-50:] for a, k in part],
            fields={Slot.number(n): [Decimal(k * 17 + n) for _, k in part] for n in range(PRICES)},
        )
        writer.submit([block]).result()
    writer.close()


def measure(what: str, database: Database, runner: BillRunner, org_id: str, *, profile: bool) -> None:
    """Run one job and print how fast it was."""
    with database.transaction(org_id) as tx:
        job = create_job(tx, BillJob(bill_date=datetime(2024, 2, 1, tzinfo=UTC).date()))
    profiler = cProfile.Profile()
    started, cpu = time.perf_counter(), time.process_time()
    if profile:
        profiler.enable()
    runner.run(org_id, job.id)
    profiler.disable()
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    with database.reading(org_id) as tx:
        total = tx.get(BillJob, job.id).total
    rate = f"{total / took_s:,.0f} bills/s"
    print(f"{what}: {total} accounts in {took_s:.1f} s, {rate}; processor of this process {cpu_s:.1f} s")
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, profile="profile" in sys.argv)
