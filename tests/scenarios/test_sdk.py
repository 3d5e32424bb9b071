"""The official Python SDK, pointed here and otherwise untouched, does the whole main job."""

import time
from decimal import Decimal

import m3ter
import pytest
from m3ter.types import BillResponse


def catalogue(sdk: m3ter.M3ter) -> str:
    """Make what is needed for a tiered plan with a standing charge; give the plan's id."""
    product = sdk.products.create(name="Storage", code="storage")
    meter = sdk.meters.create(
        name="Stored",
        code="stored",
        product_id=product.id,
        data_fields=[
            {"category": "MEASURE", "code": "gb", "name": "Gigabytes", "unit": "GB"},
            {"category": "WHERE", "code": "region", "name": "Region"},
        ],
        derived_fields=[],
    )
    aggregation = sdk.aggregations.create(
        name="Gigabytes stored",
        code="gb_stored",
        meter_id=meter.id,
        target_field="gb",
        aggregation="SUM",
        rounding="UP",
        quantity_per_unit=1,
        unit="GB",
    )
    template = sdk.plan_templates.create(
        name="Monthly", product_id=product.id, currency="USD", bill_frequency="MONTHLY", standing_charge=50
    )
    plan = sdk.plans.create(name="Pro", code="pro", plan_template_id=template.id)
    sdk.pricings.create(
        plan_id=plan.id,
        aggregation_id=aggregation.id,
        start_date="2024-01-01T00:00:00Z",
        cumulative=True,
        pricing_bands=[
            {"lower_limit": 0, "fixed_price": 0, "unit_price": 0.15},
            {"lower_limit": 500, "fixed_price": 0, "unit_price": 0.1},
        ],
    )
    return plan.id


def run_bills(sdk: m3ter.M3ter, account_id: str) -> BillResponse:
    """Run the bills of May 2025 and give the account's."""
    job = sdk.bill_jobs.create(last_date_in_billing_period="2025-05-31", billing_frequency="MONTHLY")
    deadline = time.monotonic() + 30
    while job.status not in {"COMPLETE", "CANCELLED"}:
        assert time.monotonic() < deadline, f"the job is still {job.status}"
        time.sleep(0.05)
        job = sdk.bill_jobs.retrieve(job.id)
    assert (job.status, job.pending) == ("COMPLETE", 0)
    return sdk.bills.latest_by_account(account_id)


def test_the_sdk_does_the_whole_main_job(sdk: m3ter.M3ter) -> None:
    plan_id = catalogue(sdk)
    account = sdk.accounts.create(name="Acme", code="acme", email_address="billing@acme.example")
    sdk.account_plans.create(account_id=account.id, plan_id=plan_id, start_date="2025-05-01T00:00:00Z")
    measurements = [
        {
            "uid": f"m{day}",
            "meter": "stored",
            "account": "acme",
            "ts": f"2025-05-{day:02}T12:00:00Z",
            "measure": {"gb": 50.25},
            "where": {"region": "eu"},
        }
        for day in range(1, 21)
    ]
    assert sdk.usage.submit(measurements=measurements).result == "accepted"  # type: ignore[arg-type]
    assert sdk.usage.submit(measurements=measurements[:3]).result == "accepted"  # type: ignore[arg-type]

    bill = run_bills(sdk, account.id)
    lines = {line.line_item_type: line for line in bill.line_items or []}
    # 20 * 50.25 = 1005 GB: 500 * 0.15 + 505 * 0.10 = 75 + 50.5
    assert lines["USAGE"].units == 1005
    assert Decimal(str(lines["USAGE"].converted_subtotal)) == Decimal("125.5")
    assert Decimal(str(lines["STANDING_CHARGE"].converted_subtotal)) == 50
    bands = lines["USAGE"].usage_per_pricing_band or []
    assert [(b.band_units, b.band_subtotal) for b in bands] == [(500, 75), (505, 50.5)]

    listed = list(sdk.bills.line_items.list(bill.id))
    assert sum(Decimal(str(line.converted_subtotal)) for line in listed) == Decimal("175.5")
    assert sdk.bills.update_status(bill.id, status="APPROVED").status == "APPROVED"
    assert sdk.bills.lock(bill.id).locked is True


def test_the_sdk_pages_through_a_list_and_updates_by_version(sdk: m3ter.M3ter) -> None:
    made = {sdk.products.create(name=f"P{i}", code=f"p{i}").id for i in range(5)}
    assert {p.id for p in sdk.products.list(page_size=2)} == made
    assert {p.id for p in sdk.products.list(ids=sorted(made)[:2])} == set(sorted(made)[:2])
    product = sdk.products.retrieve(min(made))
    changed = sdk.products.update(product.id, name="New", code="new", version=product.version or 0)
    assert (changed.name, changed.version) == ("New", 2)
    with pytest.raises(m3ter.BadRequestError):
        sdk.products.create(name="again", code="new")
    assert sdk.products.delete(product.id).id == product.id
    with pytest.raises(m3ter.NotFoundError):
        sdk.products.retrieve(product.id)


def test_the_sdk_reads_and_writes_the_configuration(sdk: m3ter.M3ter) -> None:
    config = sdk.organization_config.retrieve()
    changed = sdk.organization_config.update(
        currency="USD",
        day_epoch="2022-01-01",
        days_before_bill_due=14,
        month_epoch="2022-01-01",
        timezone="Europe/Paris",
        week_epoch="2022-01-04",
        year_epoch="2022-01-01",
        version=config.version or 0,
    )
    assert (changed.timezone, changed.days_before_bill_due) == ("Europe/Paris", 14)
