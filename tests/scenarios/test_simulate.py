"""A price change rehearsed on a past month, through the API and the command line."""

import json
from pathlib import Path

import pytest

from tallystick.cli.main import main
from tests.support.world import World


def test_a_cheaper_plan(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.at("2024-02-02")
    product = world.product()
    plan = world.plan(product, standingCharge=10)
    world.attach(world.account()["id"], plan["id"], "2024-01-01")
    what = {"planCharges": [{"planId": plan["id"], "standingCharge": 4}]}
    found = world.post("bills/simulate", {**what, "lastDateInBillingPeriod": "2024-01-31", "lineItems": True})
    assert [(x["accountCode"], x["old"], x["new"], x["difference"]) for x in found["data"]] == [
        ("acme", 10, 4, -6)
    ]
    assert found["totals"] == [{"currency": "USD", "bills": 1, "old": 10, "new": 4, "difference": -6}]
    assert world.get("bills")["data"] == []
    path = tmp_path / "what.json"
    path.write_text(json.dumps(what), "utf-8")
    monkeypatch.setenv("NO_COLOR", "1")
    for name, value in {
        "TALLYSTICK_URL": world.url,
        "TALLYSTICK_ACCESS_KEY": world.key,
        "TALLYSTICK_API_SECRET": world.secret,
        "TALLYSTICK_ORG": world.org_id,
        "TALLYSTICK_PROFILE": str(tmp_path / "profile.json"),
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(["bill", "simulate", str(path), "--month", "2024-01"])
    assert not ended.value.code
    shown = capsys.readouterr().out
    assert "-6.00 USD" in shown
    with pytest.raises(SystemExit):
        main(["bill", "simulate", str(path), "--month", "2024-01", "--json"])
    assert json.loads(capsys.readouterr().out)["totals"] == found["totals"]
