"""A vendor's life with the public SDK: every one of its methods is called, and does its work here."""

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import m3ter
import pytest
from m3ter._resource import SyncAPIResource

from tests.support.world import World

YEAR = {"start_date": "2025-01-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}
MAY = {
    "service_period_start_date": "2025-05-01T00:00:00Z",
    "service_period_end_date": "2025-06-01T00:00:00Z",
}
BANDS = [{"lower_limit": 0, "fixed_price": 0, "unit_price": 0.15}]
SIGNED = {"type": "M3TER_SIGNED_REQUEST", "api_key": "key", "secret": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}


class Noting:
    """The SDK or a part of it; notes the name of each method that is called."""

    def __init__(self, part: Any, called: set[str], path: tuple[str, ...] = ()) -> None:
        self._part, self._called, self._path = part, called, path

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if isinstance(value, SyncAPIResource):
            return Noting(value, self._called, (*self._path, name))

        def call(*given: Any, **named: Any) -> Any:
            self._called.add(".".join((*self._path, name)))
            return value(*given, **named)

        return call


def methods(part: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Name every method of the SDK."""
    for name in dir(type(part)):
        if name.startswith(("_", "with_")) or name == "copy":
            continue
        value = getattr(part, name)
        if isinstance(value, SyncAPIResource):
            yield from methods(value, (*path, name))
        elif isinstance(part, SyncAPIResource) and callable(value):
            yield ".".join((*path, name))


class Vendor:
    """An organization on the SDK. Things live from create to delete: `close` deletes, the newest first.

    suffix: of codes; everything is made twice, once to be deleted and once to be billed.
    """

    suffix = ""

    def __init__(self, world: World, sdk: m3ter.M3ter) -> None:
        self.world = world
        self.called: set[str] = set()
        self.sdk = Noting(sdk, self.called)
        # The SDK's models require `dtActioned`, which an event has only once it is actioned, and take
        # sets of ids for an object with one field.
        self.lenient = Noting(
            sdk.with_options(_extra_kwargs={"_strict_response_validation": False}), self.called
        )
        self._ends: list[Callable[[], Any]] = []

    def live(
        self, resource: Any, body: dict[str, Any], change: dict[str, Any] | None = None, **under: Any
    ) -> Any:
        """Create something; retrieve, update and list it; delete it at the end. under: what it is part of."""
        parent = tuple(under.values())
        if "code" in body:
            body = {**body, "code": body["code"] + self.suffix}
        made = resource.create(*parent, **body)
        got = resource.retrieve(made.id, **under)
        assert got.id == made.id
        changed = resource.update(made.id, **under, **body, **(change or {}), version=got.version)
        assert changed.version == got.version + 1
        assert made.id in {each.id for each in resource.list(*parent)}
        self._ends.append(lambda: resource.delete(made.id, **under))
        return changed

    def close(self) -> None:
        """Delete all that lives."""
        while self._ends:
            self._ends.pop()()

    def stay(self) -> None:
        """Delete nothing of what lives now."""
        self._ends.clear()

    def until(self, look: Callable[[], Any], *ended: str) -> Any:
        """Look at a job until its status is one of these."""
        deadline = time.monotonic() + 30
        while True:
            job = look()
            status = job.statement_job_status if hasattr(job, "statement_job_status") else job.status
            if status in ended:
                return job
            assert time.monotonic() < deadline, f"still {status}"
            time.sleep(0.02)


@pytest.fixture
def vendor(world: World, sdk: m3ter.M3ter) -> Vendor:
    return Vendor(world, sdk)


def cancel(start: Callable[[], Any], stop: Callable[[str], Any]) -> None:
    """Start jobs, several at a time, until one is cancelled before it ends."""
    for _ in range(20):
        jobs = [start() for _ in range(3)]
        try:
            stop(jobs[-1].id)
        except m3ter.APIStatusError as error:
            assert error.status_code in {400, 409}  # noqa: PT017 - it had ended already
        else:
            return
    raise AssertionError("every job ended before it could be cancelled")


def settings(vendor: Vendor) -> None:
    """Configure the organization and its pick lists."""
    sdk = vendor.sdk
    proof = base64.b64encode(f"{vendor.world.key}:{vendor.world.secret}".encode()).decode()
    token = sdk.authentication.get_bearer_token(
        grant_type="client_credentials", extra_headers={"Authorization": f"Basic {proof}"}
    )
    assert token.expires_in
    config = sdk.organization_config.retrieve()
    sdk.organization_config.update(
        currency="USD",
        timezone="UTC",
        day_epoch="2022-01-01",
        week_epoch="2022-01-04",
        month_epoch="2022-01-01",
        year_epoch="2022-01-01",
        days_before_bill_due=14,
        version=config.version,
    )
    fields = sdk.custom_fields.retrieve()
    sdk.custom_fields.update(account={"region": "EU"}, version=fields.version)
    vendor.live(sdk.currencies, {"name": "Euro", "code": "EUR", "max_decimal_places": 2})
    for reasons in (sdk.credit_reasons, sdk.debit_reasons, sdk.transaction_types):
        vendor.live(reasons, {"name": "Goodwill", "code": "goodwill"}, {"archived": False})


def catalogue(vendor: Vendor) -> dict[str, Any]:
    """Make products, meters and what is measured, and look values up."""
    sdk = vendor.sdk
    product = vendor.live(sdk.products, {"name": "Air", "code": "air"})
    measured = [
        {"category": "MEASURE", "code": "distance", "name": "Distance", "unit": "mi"},
        {"category": "WHERE", "code": "destination", "name": "Destination"},
    ]
    meter = vendor.live(
        sdk.meters,
        {
            "name": "Flights",
            "code": "flights",
            "product_id": product.id,
            "data_fields": measured,
            "derived_fields": [],
        },
    )
    summed = {
        "name": "Miles",
        "code": "miles",
        "meter_id": meter.id,
        "target_field": "distance",
        "aggregation": "SUM",
        "rounding": "NONE",
        "quantity_per_unit": 1,
        "unit": "mi",
    }
    aggregation = vendor.live(sdk.aggregations, summed)
    doubled = {
        "name": "Twice",
        "code": "twice",
        "calculation": f"aggregation.miles{vendor.suffix} * 2",
        "rounding": "NONE",
        "quantity_per_unit": 1,
        "unit": "mi",
    }
    vendor.live(sdk.compound_aggregations, doubled)
    counter = vendor.live(sdk.counters, {"name": "Seats", "code": "seats", "unit": "seat"})
    return {"product": product, "meter": meter, "aggregation": aggregation, "counter": counter}


def lookups(vendor: Vendor) -> None:
    """Make a lookup table, and fill, read and archive a revision."""
    sdk = vendor.sdk
    table = vendor.live(sdk.lookup_tables, {"name": "Rates", "code": "rates"})
    shape = {
        "name": "First",
        "fields": [{"name": "region", "type": "STRING"}, {"name": "rate", "type": "NUMBER"}],
        "keys": ["region"],
    }
    revisions = sdk.lookup_tables.lookup_table_revisions
    revision = vendor.live(revisions, shape, lookup_table_id=table.id)
    data, at = sdk.lookup_tables.lookup_table_revision_data, {"lookup_table_id": table.id}
    of = {**at, "lookup_table_revision_id": revision.id}
    data.update(revision.id, items=[{"region": "EU", "rate": 2}, {"region": "US", "rate": 3}], **at)
    data.update_key("EU", item={"region": "EU", "rate": 4}, **of)
    assert data.retrieve_key("EU", **of).items[0]["rate"] == 4
    data.delete_key("US", **of)
    assert len(data.retrieve(revision.id, **at).items) == 1
    content = b'{"region":"UK","rate":5}\n'
    link = data.generate_download_url(
        revision.id, content_length=len(content), content_type="application/jsonl", file_name="r.jsonl", **at
    )
    httpx.put(link.url, content=content, headers=link.headers).raise_for_status()
    jobs = data.lookup_table_revision_data_jobs
    started = jobs.download(revision.id, content_type="application/jsonl", **at)
    known = [job.id for job in jobs.list(revision.id, **at)]
    done = [vendor.until(lambda job=job: jobs.retrieve(job, **of), "SUCCEEDED") for job in known]
    assert done
    assert started
    jobs.delete(known[0], **of)
    revisions.update_status(revision.id, status="PUBLISHED", version=revision.version, **at)
    draft = revisions.create(table.id, **{**shape, "name": "Second"})
    data.update(draft.id, items=[{"region": "EU", "rate": 2}], **at)
    data.delete(draft.id, **at)
    revisions.delete(draft.id, **at)
    second = revisions.create(table.id, **{**shape, "name": "Third"})
    second = revisions.update_status(second.id, status="PUBLISHED", version=second.version, **at)
    archived = next(job for job in jobs.list(revision.id, **at) if job.type == "ARCHIVE")
    vendor.until(lambda: jobs.retrieve(archived.id, **of), "SUCCEEDED")
    assert data.archieve(revision.id, content_type="application/jsonl", **at).url
    revisions.update_status(second.id, status="ARCHIVED", version=second.version, **at)


def prices(vendor: Vendor, things: dict[str, Any]) -> None:
    """Price what is measured, on templates, plans and groups of plans."""
    sdk = vendor.sdk
    monthly = {"name": "Monthly", "currency": "USD", "bill_frequency": "MONTHLY", "standing_charge": 50}
    template = vendor.live(sdk.plan_templates, {**monthly, "product_id": things["product"].id})
    plan = vendor.live(sdk.plans, {"name": "Pro", "code": "pro", "plan_template_id": template.id})
    priced = {
        "plan_id": plan.id,
        "start_date": "2024-01-01T00:00:00Z",
        "pricing_bands": BANDS,
        "cumulative": True,
    }
    vendor.live(sdk.pricings, {**priced, "aggregation_id": things["aggregation"].id})
    vendor.live(sdk.counter_pricings, {**priced, "counter_id": things["counter"].id})
    other = vendor.live(sdk.plans, {"name": "Team", "code": "team", "plan_template_id": template.id})
    group = vendor.live(sdk.plan_groups, {"name": "Bundle", "currency": "USD"})
    vendor.live(sdk.plan_group_links, {"plan_group_id": group.id, "plan_id": other.id})
    things["plan"] = plan


def customers(vendor: Vendor, things: dict[str, Any]) -> None:
    """Take on a customer: its contract, plan, seats, commitment, balance and a charge."""
    sdk = vendor.sdk
    account = vendor.live(
        sdk.accounts, {"name": "Acme", "code": "acme", "email_address": "bills@acme.example"}
    )
    child = {
        "name": "Sub",
        "code": "sub",
        "email_address": "sub@acme.example",
        "parent_account_id": account.id,
    }
    vendor.live(sdk.accounts, child)
    assert len(list(sdk.accounts.list_children(account.id))) == 1
    assert sdk.accounts.search(search_query=f"code:acme{vendor.suffix}").data
    of = {"account_id": account.id}
    dates = {"start_date": "2025-01-01", "end_date": "2026-01-01"}
    contract = vendor.live(sdk.contracts, {**of, **dates, "name": "2025"})
    attached = {
        "plan_id": things["plan"].id,
        "start_date": "2025-05-01T00:00:00Z",
        "contract_id": contract.id,
    }
    vendor.live(sdk.account_plans, {**of, **attached})
    seats = {**of, "counter_id": things["counter"].id, "date": "2025-05-01", "value": 5}
    adjustments = sdk.counter_adjustments
    made = adjustments.create(**seats)
    assert adjustments.retrieve(made.id).value == 5
    adjustments.update(made.id, **{**seats, "value": 6}, version=made.version)
    assert [each.value for each in adjustments.list(**of, counter_id=things["counter"].id)] == [6]
    adjustments.delete(made.id)
    vendor.live(sdk.commitments, {**of, **dates, "amount": 1000, "currency": "USD"})
    assert sdk.commitments.search(search_query=f"accountId:{account.id}").data
    charge = {"name": "Set-up", "code": "setup", "currency": "USD", "amount": 500, "bill_date": "2025-06-01"}
    kinds = {"entity_type": "AD_HOC", "line_item_type": "AD_HOC"}
    vendor.live(sdk.charges, {**of, **charge, **kinds, **MAY})
    things.update(account=account, contract=contract, balance=balance(vendor, of))


def balance(vendor: Vendor, of: dict[str, Any]) -> tuple[Any, Any]:
    """Keep a balance, credit it, and let it be credited and charged from time to time."""
    sdk = vendor.sdk
    kept = vendor.live(sdk.balances, {**of, **YEAR, "name": "Credit", "code": "credit", "currency": "USD"})
    kind = vendor.live(sdk.transaction_types, {"name": "Top-up", "code": "topup"}, {"archived": False})
    monthly = {"frequency": "MONTHLY", "frequency_interval": 1, "transaction_description": "Monthly"}
    from_july = {"start_date": "2025-07-01T00:00:00Z", "end_date": "2025-12-01T00:00:00Z"}
    credited = {
        "name": "M",
        "code": "m",
        "amount": 10,
        "transaction_type_id": kind.id,
        **monthly,
        **from_july,
    }
    vendor.live(sdk.balances.transaction_schedules, credited, balance_id=kept.id)
    assert sdk.balances.transaction_schedules.preview(kept.id, **credited)
    charged = {
        "name": "F",
        "code": "f",
        "amount": 10,
        "currency": "USD",
        "bill_frequency": "MONTHLY",
        "bill_frequency_interval": 1,
        "bill_in_advance": False,
        "charge_description": "Fee",
        "service_period_start_date": "2025-07-01T00:00:00Z",
        "service_period_end_date": "2025-12-01T00:00:00Z",
    }
    vendor.live(sdk.balances.charge_schedules, charged, balance_id=kept.id)
    assert sdk.balances.charge_schedules.preview(kept.id, **charged)
    return kept, kind


def credit(vendor: Vendor, kept: Any, kind: Any) -> None:
    """Credit a balance."""
    transactions = vendor.sdk.balances.transactions
    transactions.create(kept.id, amount=100, transaction_type_id=kind.id)
    assert [each.amount for each in transactions.list(kept.id)] == [100]
    assert transactions.summary(kept.id).total_credit_amount == 100


def measure(vendor: Vendor, things: dict[str, Any]) -> None:
    """Send usage in each way, and look at it."""
    sdk = vendor.sdk
    flown = {"account": "acme", "meter": "flights", "where": {"destination": "ORD"}}
    first = {**flown, "uid": "1", "ts": "2025-05-02T00:00:00Z", "measure": {"distance": 100}}
    bad = {**flown, "uid": "2", "ts": "2025-05-02T00:00:00Z", "measure": {}}
    sdk.usage.submit(measurements=[first, bad])
    sdk.usage.submit_all(measurements=[{**first, "uid": "3"}])
    failed = next(iter(vendor.lenient.events.list(event_type="ingest.validation.failure")))
    file = failed.m3ter_event["eventData"]["getDownloadUrl"].partition("file=")[2]
    assert sdk.usage.get_failed_ingest_download_url(file=file).url
    found = sdk.usage.query(
        start_date="2025-05-01T00:00:00Z",
        end_date="2025-06-01T00:00:00Z",
        meter_ids=[things["meter"].id],
        aggregations=[
            {
                "meter_id": things["meter"].id,
                "field_code": "distance",
                "field_type": "MEASURE",
                "function": "SUM",
            }
        ],
        groups=[{"group_type": "ACCOUNT"}],
    )
    assert len(found.data or []) == 1
    content = b"[]"
    job = sdk.usage.file_uploads.generate_upload_url(
        content_length=len(content), content_type="application/json", file_name="usage.json"
    )
    httpx.put(job.url, content=content, headers=job.headers).raise_for_status()
    jobs = sdk.usage.file_uploads.jobs
    vendor.until(lambda: jobs.retrieve(job.job_id), "succeeded")
    assert [each.id for each in jobs.list()] == [job.job_id]
    assert jobs.get_original_download_url(job.job_id).url
    assert vendor.lenient.events.retrieve(failed.id).id == failed.id
    assert sdk.events.get_types().events
    assert sdk.events.get_fields(event_name="configuration.account.created").events


def bill(vendor: Vendor, things: dict[str, Any]) -> None:
    """Bill May, correct the bill by hand, state it, approve and lock it."""
    sdk, account_id = vendor.sdk, things["account"].id
    job = sdk.bill_jobs.create(last_date_in_billing_period="2025-05-31", billing_frequency="MONTHLY")
    vendor.until(lambda: sdk.bill_jobs.retrieve(job.id), "COMPLETE")
    assert job.id in {each.id for each in sdk.bill_jobs.list()}
    made = sdk.bills.latest_by_account(account_id)
    again = sdk.bill_jobs.recalculate(bill_ids=[made.id])
    vendor.until(lambda: sdk.bill_jobs.retrieve(again.id), "COMPLETE")
    yearly = {"last_date_in_billing_period": "2025-05-31", "billing_frequency": "ANNUALLY"}
    cancel(lambda: sdk.bill_jobs.create(**yearly), sdk.bill_jobs.cancel)
    assert sdk.bills.retrieve(made.id).status == "PENDING"
    assert made.id in {each.id for each in sdk.bills.list()}
    assert sdk.bills.search(search_query=f"accountId:{account_id}").data
    line = next(iter(sdk.bills.line_items.list(made.id)))
    assert sdk.bills.line_items.retrieve(line.id, bill_id=made.id).id == line.id
    memo = {
        "accounting_product_id": things["product"].id,
        "product_id": things["product"].id,
        "amount": 5,
        "description": "Sorry",
        "referenced_bill_id": made.id,
        "referenced_line_item_id": line.id,
        **MAY,
    }
    credit, debit = sdk.credit_reasons.create(name="A"), sdk.debit_reasons.create(name="B")
    vendor.live(sdk.bills.credit_line_items, {**memo, "credit_reason_id": credit.id}, bill_id=made.id)
    vendor.live(sdk.bills.debit_line_items, {**memo, "debit_reason_id": debit.id}, bill_id=made.id)
    statements(vendor, made.id)
    vendor.close()
    sdk.bills.update_status(made.id, status="APPROVED")
    sdk.bills.approve(bill_ids=[made.id])
    assert sdk.bills.lock(made.id).locked


def statements(vendor: Vendor, bill_id: str) -> None:
    """State a bill's usage, as JSON and CSV."""
    sdk = vendor.sdk.statements
    vendor.live(sdk.statement_definitions, {"name": "Daily", "aggregation_frequency": "DAY"})
    job = sdk.statement_jobs.create(bill_id=bill_id)
    vendor.until(lambda: sdk.statement_jobs.retrieve(job.id), "COMPLETE")
    batch = sdk.statement_jobs.create_batch(bill_ids=[bill_id])
    for each in batch:
        vendor.until(lambda each=each: sdk.statement_jobs.retrieve(each.id), "COMPLETE")
    cancel(lambda: sdk.statement_jobs.create(bill_id=bill_id), sdk.statement_jobs.cancel)
    assert sdk.statement_jobs.list()
    assert sdk.get_json(bill_id).download_url
    assert sdk.create_csv(bill_id)
    assert sdk.get_csv(bill_id)


def people(vendor: Vendor) -> None:
    """Invite someone, and say who may do what."""
    sdk = vendor.sdk
    me = sdk.users.me()
    assert me
    user = next(iter(sdk.users.list()))
    assert sdk.users.retrieve(user.id).id == user.id
    sdk.users.update(user.id, dt_end_access="2030-01-01T00:00:00Z", version=user.version)
    sdk.users.resend_password(user.id)
    assert sdk.users.get_permissions(user.id)
    assert sdk.users.get_user_groups(user.id)
    asked = {"email": "new@acme.example", "first_name": "New", "last_name": "One"}
    invited = sdk.users.invitations.create(**asked)
    assert sdk.users.invitations.retrieve(invited.id).email == "new@acme.example"
    assert invited.id in {each.id for each in sdk.users.invitations.list()}

    group = vendor.live(sdk.resource_groups, {"name": "Staff"}, type="user")
    member = {"type": "user", "target_id": user.id, "target_type": "ITEM"}
    sdk.resource_groups.add_resource(group.id, **member)
    assert sdk.resource_groups.list_contents(group.id, type="user").data
    statement = {"effect": "ALLOW", "action": ["CONFIG_RETRIEVE"], "resource": ["config:plan/*"]}
    policies = sdk.permission_policies
    policy = vendor.live(policies, {"name": "Look at plans", "permission_policy": [statement]})
    machine = vendor.world.post("serviceusers", {"name": "Robot"})["id"]
    for add, remove, principal in (
        (policies.add_to_user, policies.remove_from_user, user.id),
        (policies.add_to_user_group, policies.remove_from_user_group, group.id),
        (policies.add_to_service_user, policies.remove_from_service_user, machine),
    ):
        add(policy.id, principal_id=principal)
        remove(policy.id, principal_id=principal)
    policies.add_to_support_user(policy.id)
    policies.remove_from_support_user(policy.id)
    assert sdk.resource_groups.list_permissions(group.id, type="user") is not None
    sdk.resource_groups.remove_resource(group.id, **member)


def tell(vendor: Vendor, things: dict[str, Any]) -> None:
    """Have others told of what happens: rules, webhooks, integrations, and ids elsewhere."""
    sdk = vendor.sdk
    rule = {
        "name": "Rule",
        "code": "rule",
        "description": "All",
        "event_name": "configuration.account.created",
    }
    vendor.live(sdk.notification_configurations, {**rule, "always_fire_event": True})
    due = {"name": "scheduled.bill.reminder", "entity": "Bill", "field": "endDate", "offset": 5}
    vendor.live(sdk.scheduled_event_configurations, due)
    hook = {"name": "Hook", "description": "Ours", "url": "http://127.0.0.1:9/hook", "credentials": SIGNED}
    webhook = vendor.live(sdk.webhooks, hook)
    sdk.webhooks.set_active(webhook.id, active=False)
    sent = {"entity_type": "Bill", "destination": "WEBHOOK", "destination_id": webhook.id, "name": "Bills"}
    integration = vendor.live(sdk.integration_configurations, sent)
    assert sdk.integration_configurations.get_by_entity("Bill")
    sdk.integration_configurations.enable(integration.id)
    mapped = {
        "m3ter_entity": "Account",
        "m3ter_id": things["account"].id,
        "external_system": "Crm",
        "external_table": "Customer",
        "external_id": "4711",
    }
    vendor.live(sdk.external_mappings, mapped)
    assert list(sdk.external_mappings.list_by_m3ter_entity(things["account"].id, entity="Account"))
    elsewhere = {"system": "Crm", "external_table": "Customer"}
    assert list(sdk.external_mappings.list_by_external_entity("4711", **elsewhere))


def export(vendor: Vendor) -> None:
    """Export what there is, once and on a schedule."""
    sdk = vendor.sdk.data_exports
    role = "arn:aws:iam::123456789012:role/export"
    bucket = {"bucket_name": "exports", "iam_role_arn": role, "destination_type": "S3"}
    # The SDK's signatures leave out what the API requires of destinations and schedules.
    vendor.live(sdk.destinations, {**bucket, "extra_body": {"name": "Bucket", "code": "bucket"}})
    asked = {"source_type": "OPERATIONAL", "operational_data_types": ["ACCOUNTS"]}
    started = sdk.create_adhoc(**asked)
    job = vendor.until(lambda: sdk.jobs.retrieve(started.job_id), "SUCCEEDED")
    assert job.id in {each.id for each in sdk.jobs.list()}
    content = httpx.get(sdk.jobs.get_download_url(job.id).url)
    assert content.is_success
    timed = {"scheduleType": "DAY", "period": 1, "offset": 3, "name": "Daily", "exportFileFormat": "CSV"}
    vendor.live(sdk.schedules, {**asked, "extra_body": {**timed, "code": "daily"}})


def close_books(vendor: Vendor, things: dict[str, Any]) -> None:
    """End what the customer is billed for; lock what is billed."""
    sdk = vendor.sdk
    ended = vendor.lenient.contracts.end_date_billing_entities(
        things["contract"].id, billing_entities=["ACCOUNTPLAN", "CONTRACT"], end_date="2025-09-01T00:00:00Z"
    )
    assert ended.updated_entities
    ended = vendor.lenient.accounts.end_date_billing_entities(
        things["account"].id, billing_entities=["PREPAYMENT"], end_date="2025-09-01T00:00:00Z"
    )
    assert ended.updated_entities
    config = sdk.bill_config.retrieve()
    sdk.bill_config.update(bill_lock_date="2025-06-01", version=config.version)
    vendor.world.at("2025-07-02")
    job = sdk.bill_jobs.create(last_date_in_billing_period="2025-06-30", billing_frequency="MONTHLY")
    vendor.until(lambda: sdk.bill_jobs.retrieve(job.id), "COMPLETE")
    sdk.bills.delete(sdk.bills.latest_by_account(things["account"].id).id)


def vendor_and_customer(vendor: Vendor) -> dict[str, Any]:
    """Make a catalogue, its prices, and a customer who pays them."""
    things = catalogue(vendor)
    prices(vendor, things)
    customers(vendor, things)
    return things


def test_every_method_of_the_sdk_works(vendor: Vendor) -> None:
    settings(vendor)
    lookups(vendor)
    vendor.suffix = "_gone"
    vendor_and_customer(vendor)
    vendor.close()
    vendor.suffix = ""
    things = vendor_and_customer(vendor)
    vendor.stay()
    credit(vendor, *things["balance"])
    measure(vendor, things)
    bill(vendor, things)
    close_books(vendor, things)
    people(vendor)
    export(vendor)
    tell(vendor, things)
    vendor.close()
    missing = set(methods(vendor.sdk._part)) - vendor.called  # noqa: SLF001 - of this module
    assert not missing, "\n".join(sorted(missing))
