"""An organization is rehearsed on a clock of its own, moved through the API."""

import json
import time
from typing import Any

import pytest

from tallystick.cli.main import make_app
from tests.support.world import World, second


def moved(world: World, to: str) -> Any:
    """Move the clock, and wait until all that fell due on the way is done."""
    state = world.put("testclock", {"now": to})
    while state["status"] == "ADVANCING":
        time.sleep(0.02)
        state = world.get("testclock")
    return state


def test_a_year_passes_for_one_organization_only(world: World) -> None:
    world.get("testclock", expect=404)
    assert world.put("testclock", {"now": "2024-01-01T00:00:00Z"})["status"] == "READY"
    assert world.account("first")["dtCreated"] == "2024-01-01T00:00:00Z"

    assert moved(world, "2025-01-01T00:00:00Z") == {
        "now": "2025-01-01T00:00:00Z",
        "target": "2025-01-01T00:00:00Z",
        "status": "READY",
    }
    assert world.account("second")["dtCreated"] == "2025-01-01T00:00:00Z"
    other = World(world.live)
    assert second(other.account("third")["dtCreated"]) == "2025-06-01T00:00:00Z"
    other.close()


def test_the_command_line_moves_the_clock_and_waits(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {"URL": world.url, "ORG": world.org_id, "ACCESS_KEY": world.key, "API_SECRET": world.secret}
    for name, value in variables.items():
        monkeypatch.setenv(f"TALLYSTICK_{name}", value)
    for words, stands in (
        (["testclock", "move", "2024-01-01"], "2024-01-01T00:00:00Z"),
        (["testclock", "move", "2024-06-01T02:00+02:00"], "2024-06-01T00:00:00Z"),
        (["testclock", "show"], "2024-06-01T00:00:00Z"),
    ):
        assert not make_app(words)([*words, "--json"])
        clock = json.loads(capsys.readouterr().out)
        assert (clock["now"], clock["status"]) == (stands, "READY")
    make_app(["testclock", "show"])(["testclock", "show"])
    assert capsys.readouterr().out == "The test clock stands at 2024-06-01T00:00:00Z.\n"


def test_usage_is_taken_up_to_the_test_clock(world: World) -> None:
    world.put("testclock", {"now": "2026-03-01T00:00:00Z"})
    world.meter()
    world.account()
    world.send(world.measure("acme", "2026-02-28T00:00:00Z", distance=1))
    world.send(world.measure("acme", "2026-03-02T00:00:00Z", distance=1))
    failures = world.get("events", eventType="ingest.validation.failure")["data"]
    assert len(failures) == 1


def test_a_clock_goes_forward_only_and_needs_a_fresh_organization(world: World) -> None:
    world.put("testclock", {"now": "2026-03-01T00:00:00Z"})
    refused = world.put("testclock", {"now": "2026-02-28T00:00:00Z"}, expect=400)
    assert refused["code"] == "clock_goes_back"

    other = World(world.live)
    plan = other.plan(other.product(), standingCharge=10)
    other.attach(other.account()["id"], plan["id"], "2025-01-01")
    other.post("billjobs", {"billingFrequency": "MONTHLY"})
    wait_for_bill(other)
    refused = other.put("testclock", {"now": "2026-03-01T00:00:00Z"}, expect=409)
    assert refused["code"] == "bills_by_server_clock"
    other.close()


def wait_for_bill(world: World) -> None:
    while not world.get("bills")["data"]:
        time.sleep(0.02)
