"""The main job from the command line: usage in, bills out, explained and verified."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.main import main
from tests.support.process import Process, api, bootstrap

Output = pytest.CaptureFixture[str]

CSV = "account,date,meter,measure.gb\nacme,2025-05-03,storage,600.5\nacme,2025-05-04 10:30,storage,0.5\n"
NOT_FOUND = "01a1fd46-1123-7359-984f-be5a6f922dee"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a server; acme pays from May on $0.15 a GB up to 500, $0.10 above, and $20 standing."""
    home = tmp_path_factory.mktemp("cli") / "home"
    with Process.start(home) as server:
        made = bootstrap(home)
        set_up(api(server, made))
        yield {
            "TALLYSTICK_URL": server.url,
            "TALLYSTICK_ACCESS_KEY": made["accessKeyId"],
            "TALLYSTICK_API_SECRET": made["apiSecret"],
            "TALLYSTICK_ORG": made["orgId"],
        }


def set_up(acme: Any) -> None:
    product = acme.post("products", {"name": "Storage", "code": "storage"})["id"]
    field = {"category": "MEASURE", "code": "gb", "name": "Size", "unit": "GB"}
    meter = {
        "name": "Storage",
        "code": "storage",
        "productId": product,
        "dataFields": [field],
        "derivedFields": [],
    }
    aggregation = {"name": "Stored", "code": "stored", "meterId": acme.post("meters", meter)["id"]}
    aggregation |= {
        "targetField": "gb",
        "aggregation": "SUM",
        "quantityPerUnit": 1,
        "rounding": "NONE",
        "unit": "GB",
    }
    template = {"name": "T", "code": "t", "productId": product, "currency": "USD", "billFrequency": "MONTHLY"}
    template["standingCharge"] = 20
    plan = {"name": "P", "code": "p", "planTemplateId": acme.post("plantemplates", template)["id"]}
    plan_id = acme.post("plans", plan)["id"]
    bands = [
        {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 0.15},
        {"lowerLimit": 500, "fixedPrice": 0, "unitPrice": 0.10},
    ]
    pricing = {
        "planId": plan_id,
        "aggregationId": acme.post("aggregations", aggregation)["id"],
        "cumulative": True,
    }
    acme.post("pricings", {**pricing, "startDate": "2025-01-01T00:00:00Z", "pricingBands": bands})
    account = acme.post("accounts", {"name": "Acme", "code": "acme", "emailAddress": "a@acme.example"})["id"]
    acme.post("accountplans", {"accountId": account, "planId": plan_id, "startDate": "2025-05-01T00:00:00Z"})


@pytest.fixture(autouse=True)
def environment(acme: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        **acme,
        "NO_COLOR": "1",
        "TALLYSTICK_PROFILE": str(tmp_path / "profile.json"),
    }.items():
        monkeypatch.setenv(name, value)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_usage_in_bill_out(capsys: Output, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(CSV)
    assert run("ingest", str(file), "--ts-column", "date", "--json") == 0
    sent = json.loads(capsys.readouterr().out)
    assert (sent["accepted"], sent["rejectionEvents"]) == (2, [])
    for again in ([], ["--again"]):  # sent twice, counted once
        assert run("ingest", str(file), "--ts-column", "date", *again) == 0

    assert run("bill", "run", "--month", "2025-05", "--json") == 0
    out = capsys.readouterr().out
    ran = json.loads(out[out.index("{") :])
    # 500 x 0.15 + 101 x 0.10 = 85.10, and 20 standing
    assert [(b["accountCode"], b["billTotal"]) for b in ran["bills"]] == [("acme", 105.1)]
    bill = ran["bills"][0]["id"]

    assert run("bill", "show", bill) == 0
    shown = capsys.readouterr().out
    assert "601 GB" in shown
    assert "105.10" in shown
    assert run("bill", "explain", "acme", "1") == 0
    assert "101 x 0.1 = 10.1 USD" in capsys.readouterr().out
    assert run("verify", bill) == 0
    assert capsys.readouterr().out == "matches 2 lines of acme, 2025-05, 105.10 USD\n"

    file.write_text(CSV + "acme,2025-05-31T23:59:59Z,storage,1\n")
    assert run("ingest", str(file), "--ts-column", "date") == 0  # another file: all its rows are new usage
    assert run("verify", "acme", "--json") == 1
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["matches"] is False
    assert run("bill", "run", "--month", "2025-05") == 0
    assert "in 1 bill\n" in capsys.readouterr().out
    assert run("verify", "acme") == 0


def test_a_run_that_changes_nothing_still_lists_the_bills(capsys: Output) -> None:
    for _ in range(2):
        assert (
            run("bill", "run", "--last-date", "2025-06-30", "--frequency", "monthly", "--account", "acme")
            == 0
        )
        assert "20.00 USD in 1 bill" in capsys.readouterr().out


def test_exports_are_ordered_awaited_and_saved(
    capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "usage.csv").write_text(CSV)
    assert run("ingest", "usage.csv", "--ts-column", "date") == 0
    capsys.readouterr()
    assert run("export", "usage", "2025-05-03", "2025-05-04", "--meter", "storage", "--json") == 0
    saved = json.loads(capsys.readouterr().out)
    assert saved["job"]["status"] == "SUCCEEDED"
    rows = gzip.decompress(Path(saved["file"]).read_bytes()).decode().splitlines()
    assert {row.split(",")[-1] for row in rows} == {"measure.gb", "600.5"}  # the next day's 0.5 is not in it
    assert run("export", "download", saved["job"]["id"], "--out", "again.gz") == 0
    assert capsys.readouterr().out == "again.gz written.\n"
    assert (tmp_path / "again.gz").read_bytes() == Path(saved["file"]).read_bytes()
    assert run("export", "operational", "accounts", "account-plans", "--format", "jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out)["file"].endswith(".zip")
    assert run("export", "usage", "yesterday", "2025-05-04") == 1
    assert "yesterday: write it as 2026-02-01" in capsys.readouterr().err
    assert run("export", "operational", "dragons") == 1
    assert "operationalDataTypes[0]" in capsys.readouterr().err
    assert not [*tmp_path.glob(".*.part")]


def test_a_test_clock_is_refused_where_bills_were_made(capsys: Output) -> None:
    assert run("bill", "run", "--month", "2025-05") == 0
    assert run("testclock", "show") == 1
    assert run("testclock", "move", "2026-02-01") == 1
    assert "Rehearse in one that has none" in capsys.readouterr().err


def test_what_was_rejected_is_told(capsys: Output, tmp_path: Path) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_text('{"account":"acme","ts":"2025-05-01","meter":"nope","measure":{"gb":1}}\n')
    assert run("ingest", str(file)) == 0
    said = capsys.readouterr().out
    assert "1 rejected meanwhile: UndefinedMeter 1" in said
    assert "failedIngest/getDownloadUrl?file=" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bill", "show", "nobody"], "nobody is neither the id of a bill nor the code of an account"),
        (["bill", "show", NOT_FOUND], f"There is no bill {NOT_FOUND}"),
        (["bill", "run", "--month", "2025-13"], "--month 2025-13: write it as 2026-01"),
        (["bill", "run", "--account", "nobody"], "There is no account with the code nobody"),
        (["verify", "acme", "--secret", "wrong"], "error: "),
    ],
)
def test_refusals_are_one_line(arguments: list[str], says: str, capsys: Output) -> None:
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""
