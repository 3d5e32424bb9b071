"""On a real clock, with nothing pushed along, things happen by themselves (semantics §22, §28, §29)."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from tests.support.process import Process, api, bootstrap
from tests.support.receiver import receiver

SETTINGS = {"TALLYSTICK_WEBHOOK_ALLOW": "127.0.0.1", "TALLYSTICK_DUE_EVERY_S": "1"}


def until(true: Callable[[], Any]) -> Any:
    ends = time.monotonic() + 60
    while not (found := true()):
        assert time.monotonic() < ends
        time.sleep(0.1)
    return found


def test_a_bill_is_approved_stated_and_told_of(temporary_folder: Path) -> None:
    made = bootstrap(temporary_folder)
    with receiver() as shop, Process.start(temporary_folder, **SETTINGS) as server:
        world = api(server, made)
        config = world.get("organizationconfig")
        grace = {"autoApproveBillsGracePeriod": 1, "autoApproveBillsGracePeriodUnit": "MINUTES"}
        world.put("organizationconfig", {**config, **grace, "autoGenerateStatementMode": "JSON"})
        credentials = {"type": "M3TER_SIGNED_REQUEST", "apiKey": "k", "secret": "s"}
        hook = {"name": "Shop", "description": "d", "url": shop.url(), "credentials": credentials}
        rule = {
            "name": "Approved",
            "code": "approved",
            "description": "A bill was approved.",
            "eventName": "billing.bill.updated",
            "calculation": "new.status == 'APPROVED' AND old.status == 'PENDING'",
        }
        joined = {
            "entityType": "Notification",
            "entityId": world.post("notifications/configurations", rule)["id"],
            "destination": "WEBHOOK",
            "destinationId": world.post("integrationdestinations/webhooks", hook)["id"],
        }
        world.post("integrationconfigs", joined)
        plan = world.plan(world.product(), standingCharge=10)["id"]
        world.attach(world.account()["id"], plan, "2025-01-01")
        [bill] = world.run_bills(
            billingFrequency="MONTHLY", billFrequencyInterval=1, lastDateInBillingPeriod="2025-01-31"
        )

        [told] = until(shop.bodies)
        assert (told["data"]["entityId"], told["data"]["notificationCode"]) == (bill["id"], "approved")
        [statement] = until(lambda: world.get("statementjobs", status="COMPLETE")["data"])
        assert statement["billId"] == bill["id"]
        pdf = world.http.get(f"/organizations/{world.org_id}/bills/{bill['id']}/pdf")
        assert "$10.00" in PdfReader(BytesIO(pdf.content)).pages[0].extract_text()
