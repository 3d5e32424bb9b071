"""Stored usage is measured and dropped by the operator, beside a running server or without one."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import func, select

from tallystick.cli.main import main
from tallystick.cli.usage import size
from tallystick.events.record import events
from tallystick.platform.jobs import Jobs
from tallystick.platform.postgres import external_postgres
from tallystick.usage.failures import ingest_failures
from tallystick.usage.retention import forget_old
from tests.support.live import Live
from tests.support.world import World, second

MINUTE = timedelta(minutes=1)
Output = pytest.CaptureFixture[str]


def ask(live: Live, method: str, path: str, *, expect: int = 200) -> Any:
    answer = httpx.request(method, live.url + live.services.signed_urls.sign(path, MINUTE))
    assert answer.status_code == expect, answer.text
    return answer.json()


def months(world: World) -> dict[str, int]:
    """Count this organization's measurements by month."""
    found = ask(world.live, "GET", "/operator/usage")["organizations"]
    return {each["month"]: each["rows"] for each in found if each["orgId"] == world.org_id}


def used(world: World) -> None:
    """Send usage of three old months."""
    world.meter()
    days = ("2001-01-05", "2001-01-06", "2001-02-05", "2001-03-01")
    world.send(*(world.measure("acme", f"{day}T00:00:00Z", uid=day) for day in days))


@pytest.fixture
def _own_server(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the live server as if it were this machine's."""
    address = urlsplit(live.url)
    monkeypatch.setenv("TALLYSTICK_HOME", str(live.platform.settings.home))
    monkeypatch.setenv("TALLYSTICK_PORT", str(address.port))
    monkeypatch.setenv("TALLYSTICK_DATABASE_URL", live.platform.settings.database_url or "")
    monkeypatch.setenv("NO_COLOR", "1")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["admin", "usage", *arguments])
    return int(ended.value.code or 0)


def test_usage_is_measured_by_month_and_organization(world: World) -> None:
    used(world)
    assert months(world) == {"2001-01": 2, "2001-02": 1, "2001-03": 1}
    found = ask(world.live, "GET", "/operator/usage")
    assert found["rows"] == sum(m["rows"] for m in found["months"])
    assert found["bytesOnDisk"] == sum(m["bytesOnDisk"] for m in found["months"])
    assert 0 < found["bytesPerEvent"] == round(found["bytesOnDisk"] / found["rows"], 1)


def test_whole_months_are_dropped(world: World) -> None:
    used(world)
    plan = ask(world.live, "GET", "/operator/usage/before/2001-03-31")
    assert plan["before"] == "2001-03-01"
    assert {m["month"] for m in plan["months"]} >= {"2001-01", "2001-02"}
    assert months(world) == {"2001-01": 2, "2001-02": 1, "2001-03": 1}
    assert ask(world.live, "POST", "/operator/usage/before/2001-03-31/drop")["months"] == plan["months"]
    assert months(world) == {"2001-03": 1}
    assert ask(world.live, "POST", "/operator/usage/before/2001-03-31/drop")["months"] == []
    world.send(world.measure("acme", "2001-02-05T00:00:00Z", uid="2001-02-05"))
    assert months(world) == {"2001-02": 1, "2001-03": 1}


def test_usage_of_a_pending_bill_stays(world: World) -> None:
    world.send(world.measure("acme", "2001-01-05T00:00:00Z", meter=world.meter(world.product())["code"]))
    product, meter = world.get("products")["data"][0], world.get("meters")["data"][0]
    plan = world.plan(product["id"])["id"]
    priced = world.aggregation(meter["id"])["id"]
    world.pricing(plan, priced, (0, 0, 1), startDate="2001-01-01T00:00:00Z")
    world.attach(world.get("accounts")["data"][0]["id"], plan, "2001-01-15", "2001-02-15")
    wanted = {"lastDateInBillingPeriod": "2001-01-31", "billingFrequency": "MONTHLY"}
    job = world.post("billjobs", {**wanted, "monthEpoch": "2001-01-01"})
    deadline = time.monotonic() + 30
    while world.get(f"billjobs/{job['id']}")["status"] != "COMPLETE":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [bill] = world.get("bills")["data"]
    refused = ask(world.live, "GET", "/operator/usage/before/2001-02-01", expect=409)
    assert refused["code"] == "usage_needed"
    assert f"acme from {bill['startDate']} ({bill['id']})" in refused["message"]
    assert (
        ask(world.live, "POST", "/operator/usage/before/2001-02-01/drop", expect=409)["code"]
        == "usage_needed"
    )
    assert months(world) == {"2001-01": 1}
    world.put(f"bills/{bill['id']}/status", {"status": "APPROVED"})
    ask(world.live, "POST", "/operator/usage/before/2001-02-01/drop")
    assert months(world) == {}


def test_young_usage_stays_and_dates_are_dates(world: World) -> None:
    path = "/operator/usage/before/{}"
    assert ask(world.live, "GET", path.format("2025-06-02"), expect=400)["code"] == "usage_too_young"
    assert ask(world.live, "POST", path.format("2030-01-01/drop"), expect=400)["code"] == "usage_too_young"
    assert ask(world.live, "GET", path.format("soon"), expect=400)["code"] == "invalid_body"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/operator/usage"),
        ("GET", "/operator/usage/before/2001-01-01"),
        ("POST", "/operator/usage/before/2001-01-01/drop"),
    ],
)
def test_only_who_can_sign_is_answered(world: World, method: str, path: str) -> None:
    sign = world.live.services.signed_urls.sign
    for query in ("", sign("/operator/usage/before/2000-01-01", MINUTE).partition("?")[2]):
        answer = httpx.request(method, f"{world.live.url}{path}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    late = world.live.url + sign(path, MINUTE)
    world.at("2025-06-01T00:01:00")
    assert httpx.request(method, late).json()["code"] == "link_expired"


@pytest.mark.usefixtures("_own_server")
def test_commands_ask_the_server_that_holds_the_home(world: World, capsys: Output) -> None:
    used(world)
    assert run("stats", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {o["month"] for o in found["organizations"] if o["orgId"] == world.org_id} == set(months(world))
    assert run("stats") == 0
    assert "2001-01" in capsys.readouterr().out
    assert run("drop-before", "2001-02-01") == 1
    assert "--yes" in capsys.readouterr().err
    assert months(world)["2001-01"] == 2
    assert run("drop-before", "2001-02-01", "--yes") == 0
    told = capsys.readouterr()
    assert "2001-01" in told.err
    assert "Dropped" in told.out
    assert "2001-01" not in months(world)
    assert run("drop-before", "2001-02-01") == 0
    assert "There is no usage before 2001-02-01" in capsys.readouterr().out
    assert run("drop-before", "2100-01-01", "--yes") == 1
    assert "in the past" in capsys.readouterr().err


@pytest.mark.usefixtures("_own_server")
def test_a_server_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("TALLYSTICK_PORT", "1")
    assert run("stats") == 1
    assert "does not answer at http://127.0.0.1:1" in capsys.readouterr().err


def test_commands_work_without_a_server(temporary_folder: Path, migrated_url: str) -> None:
    own = {"TALLYSTICK_HOME": str(temporary_folder / "home"), "TALLYSTICK_DATABASE_URL": migrated_url}
    for arguments in (["stats", "--json"], ["drop-before", "2001-01-01", "--json"]):
        ended = subprocess.run(
            [sys.executable, "-m", "tallystick", "admin", "usage", *arguments],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["months"] == []


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_250_000, "1.2 MB"), (3 * 10**18, "3,000.0 PB")],
)
def test_sizes_are_written_short(count: int, text: str) -> None:
    assert size(count) == text


# --- what is forgotten by itself ----------------------------------------------------------------


def counted(world: World, table: Any) -> int:
    with world.live.platform.database.reading(world.org_id) as tx:
        rows = select(func.count()).select_from(table).where(table.c.org_id == world.org_id)
        return int(tx.execute(rows).scalar_one())


def test_events_and_rejected_measurements_are_kept_for_28_days(world: World) -> None:
    world.send(world.measure("acme", "2025-05-01T00:00:00Z", meter="none"))
    world.at("2025-06-29")
    forget_old(world.live.platform.database)
    assert counted(world, ingest_failures) == 1
    kept = counted(world, events)
    assert kept > 1
    world.at("2025-06-29T00:00:01")
    world.product()
    forget_old(world.live.platform.database)
    assert counted(world, ingest_failures) == 0
    assert counted(world, events) == 1


def test_a_task_runs_at_its_times(migrated_url: str) -> None:
    jobs = Jobs(external_postgres(migrated_url).conninfo)
    ran = threading.Event()
    jobs.every("* * * * *", "test.every_minute", ran.set)

    async def work() -> None:
        working = asyncio.create_task(jobs.work(alone=True))
        await asyncio.to_thread(ran.wait, 20)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(work())
    assert ran.is_set()


def test_an_event_that_was_dealt_with_is_hidden(world: World) -> None:
    """Whoever deals with rejected usage marks its event actioned (semantics §6, §28)."""
    world.product()
    [event] = world.get("events", eventName="configuration.product.created")["data"]
    path = f"events/{event['id']}/actioned"
    actioned = world.put(path)["dtActioned"]
    assert second(actioned) == "2025-06-01T00:00:00Z"
    world.at("2025-06-02")
    assert world.put(path)["dtActioned"] == actioned
    query = {"eventName": "configuration.product.created"}
    assert world.get("events", **query)["data"] == []
    assert len(world.get("events", includeActioned="true", **query)["data"]) == 1
    stranger = World(world.live)
    assert stranger.put(path, expect=404)["code"] == "event_not_found"
    assert world.put("events/none/actioned", expect=404)["code"] == "event_not_found"
    stranger.close()
