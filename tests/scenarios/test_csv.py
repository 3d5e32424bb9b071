"""CSV by meter (semantics §6): all of it is taken in, or nothing and every problem is told."""

from typing import Any

import httpx
import pytest

from tests.support.world import World

HEADER = "uid,meter,account,ts,measure.distance,measure.delay,where.destination\n"
GOOD = "u1,flights,acme,2025-05-01T00:00:00Z,812.5,-3,DFW\n"


def send(world: World, text: str | bytes) -> httpx.Response:
    return world.http.post(
        f"/organizations/{world.org_id}/measurements/csv", content=text, headers={"content-type": "text/csv"}
    )


def stored(world: World) -> int:
    return int(world.live.services.usage.count(world.org_id))  # type: ignore[attr-defined]


def problems(world: World, text: str | bytes) -> list[tuple[str, str]]:
    answer = send(world, text)
    assert (answer.status_code, answer.json()["code"]) == (400, "csv_refused"), answer.text
    assert stored(world) == 0
    assert world.get("accounts")["data"] == []
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


def test_a_csv_is_taken_in(world: World) -> None:
    world.meter()
    more = 'u2,flights,"acme",2025-05-01 00:00:00Z,1e2,0,"Dallas, ""DFW"""\r\n\r\n'
    more += ",flights,b,2025-05-02T00:00:00,1,1,x"
    assert send(world, "\ufeff" + HEADER + GOOD + more).json() == {"result": "accepted"}
    assert stored(world) == 3
    assert {a["code"] for a in world.get("accounts")["data"]} == {"acme", "b"}
    assert world.get("events", eventName="ingest.validation.failure")["data"] == []


def test_columns_stand_in_any_order_and_in_lower_case(world: World) -> None:
    fields = [{"category": "WHAT", "code": "planType", "name": "Plan"}]
    world.meter(dataFields=fields)
    line = "Pro,2025-05-01T00:00:00Z,acme,flights,a,2025-05-01T01:00:00Z"
    assert send(world, f"what.plantype,ts,account,meter,uid,ets\n{line}").status_code == 200
    assert (
        send(world, f"what.planType,ts,account,meter,uid,ets\n{line.replace(',a,', ',b,')}").status_code
        == 200
    )
    assert stored(world) == 2


def test_a_uid_that_was_sent_before_is_not_counted_again(world: World) -> None:
    world.meter()
    for _ in range(2):
        assert send(world, HEADER + GOOD).status_code == 200
    assert stored(world) == 1


def test_every_problem_is_told_by_row_and_column(world: World) -> None:
    world.meter()
    text = (
        HEADER
        + GOOD
        + (
            "u1,flights,acme,2025-05-01T00:00:00Z,1,1,x\n"
            f"{'u' * 51},flights,,soon,far,,x\n"
            "u4,other,acme,2025-06-02T00:00:00Z,1,1," + "x" * 1025 + "\n"
        )
    )
    world.at("2025-06-01")
    assert problems(world, text) == [("row 5, meter", "different_meter")]
    assert problems(world, text.replace("other", "flights")) == [
        ("row 3, uid", "duplicate"),
        ("row 4, measure.distance", "wrong_type"),
        ("row 4, measure.delay", "required"),
        ("row 4, uid", "wrong_length"),
        ("row 4, account", "required"),
        ("row 4, ts", "wrong_format"),
        ("row 5, where.destination", "wrong_length"),
        ("row 5, ts", "out_of_range"),
    ]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (HEADER.replace("uid,", "id,"), ["missing_column", "unknown_column"]),
        (HEADER.upper(), ["missing_column"] * 4),
        (HEADER.replace("measure.delay", "Measure.Delay"), ["missing_column", "unknown_column"]),
        (HEADER.replace("measure.delay", "measure.distance"), ["missing_column", "duplicate"]),
        (HEADER.replace("measure.delay", "cost.delay"), ["missing_column", "unknown_column"]),
    ],
)
def test_columns_that_are_wrong_are_refused(world: World, header: str, found: list[str]) -> None:
    world.meter()
    assert problems(world, header + GOOD) == [("row 1", code) for code in found]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff\xfe", ("", "wrong_format")),
        ("", ("", "wrong_length")),
        (HEADER, ("", "wrong_length")),
        (HEADER + '"', ("", "wrong_format")),
        (HEADER + GOOD * 1001, ("", "wrong_length")),
        (HEADER + "u1,flights\n", ("row 2", "wrong_length")),
        (HEADER + GOOD.replace("flights", "none"), ("row 2, meter", "undefined_meter")),
        (HEADER + GOOD.replace(",812.5,", ",\u0661,"), ("row 2, measure.distance", "wrong_type")),
        (HEADER + GOOD.replace("flights", ""), ("row 2, meter", "required")),
        (HEADER + GOOD.replace("812.5", "1e99"), ("row 2, measure.distance", "out_of_range")),
        (HEADER + GOOD.replace("acme", "a\x00b"), ("row 2, account", "wrong_format")),
        (
            HEADER + GOOD + GOOD.replace("u1", "u2").replace("acme", "ACME"),
            ("row 3, account", "invalid_account_code"),
        ),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused(world: World, text: Any, problem: tuple[str, str]) -> None:
    world.meter()
    assert problem in problems(world, text)


def test_a_code_like_that_of_an_account_is_refused(world: World) -> None:
    world.meter()
    world.account("Acme")
    answer = send(world, HEADER + GOOD)
    assert answer.json()["errors"][0]["field"] == "row 2, account"
    assert "there is Acme" in answer.json()["message"]
    assert stored(world) == 0
