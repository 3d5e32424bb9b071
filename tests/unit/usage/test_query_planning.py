"""What is wrong with a query (semantics §31) is told by its path; what is right becomes one question."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tallystick.catalogue.meter import DataField, FieldCategory, Meter, assign_slots
from tallystick.kernel.periods import Period
from tallystick.platform.resources.wire import read
from tallystick.rating.method import Method
from tallystick.usage.query.planning import Known, Plan, make_plan, stored_problems
from tallystick.usage.query.request import UsageQueryRequest
from tallystick.usage.store.exploring import Bucket, Figure, MeterField, MeterPart
from tallystick.usage.store.model import Filter, Slot

NOW = datetime(2024, 4, 8, 10, tzinfo=UTC)
FLIGHTS, ROOMS, UNKNOWN, ACME = (str(UUID(int=i)) for i in (0xA, 0xB, 0xC, 0xD))
SPAN = {"startDate": "2024-01-01T00:00:00Z", "endDate": "2024-02-01T00:00:00Z"}


def meter(meter_id: str, code: str, **fields: FieldCategory) -> Meter:
    unit = {True: "1", False: None}
    made = [
        DataField(category=category, code=name, name=name, unit=unit[category.is_numeric])
        for name, category in fields.items()
    ]
    slots = assign_slots({}, made)
    return Meter(id=meter_id, name=code, code=code, data_fields=made, derived_fields=[], slots=slots)


METERS = [
    meter(
        FLIGHTS,
        "flights",
        distance=FieldCategory.MEASURE,
        delay=FieldCategory.COST,
        destination=FieldCategory.WHERE,
        note=FieldCategory.METADATA,
    ),
    meter(ROOMS, "rooms", nights=FieldCategory.MEASURE, city=FieldCategory.WHERE),
]
KNOWN = Known({each.id: each for each in METERS}, {ACME})


def figure(field: str = "distance", function: str = "SUM", kind: str = "MEASURE", of: str = FLIGHTS) -> Any:
    return {"meterId": of, "fieldCode": field, "fieldType": kind, "function": function}


def field(code: str, of: str = FLIGHTS, **more: Any) -> Any:
    return {"meterId": of, "fieldCode": code, **more}


def by(code: str, of: str = FLIGHTS) -> Any:
    return {"groupType": "DIMENSION", **field(code, of)}


def query(**body: Any) -> UsageQueryRequest:
    return read({**SPAN, **body}, UsageQueryRequest)


def plan(**body: Any) -> Plan:
    asked = query(**body)
    assert [*asked.problems(), *stored_problems(asked, KNOWN)] == []
    return make_plan(asked, KNOWN, NOW)


SUM = [figure()]
DAY = {"groupType": "TIME", "frequency": "DAY"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"startDate": None}, [("startDate", "required")], id="no start"),
        pytest.param(
            {"startDate": None, "endDate": None},
            [("startDate", "required"), ("endDate", "required")],
            id="no time",
        ),
        pytest.param({"endDate": SPAN["startDate"]}, [("endDate", "ends_before_start")], id="no moment"),
        pytest.param(
            {"timePeriod": "TODAY"}, [("startDate", "excluded"), ("endDate", "excluded")], id="two times"
        ),
        pytest.param({"groups": [DAY]}, [("groups", "groups_without_aggregations")], id="groups of nothing"),
        pytest.param(
            {"aggregations": SUM, "groups": [{}]}, [("groups[0].groupType", "required")], id="a group by what"
        ),
        pytest.param(
            {"aggregations": SUM, "groups": [{"groupType": "TIME"}]},
            [("groups[0].frequency", "required")],
            id="how long",
        ),
        pytest.param(
            {"aggregations": SUM, "groups": [{"groupType": "DIMENSION"}]},
            [("groups[0].meterId", "required"), ("groups[0].fieldCode", "required")],
            id="which dimension",
        ),
        pytest.param(
            {"aggregations": SUM, "groups": [DAY, {**DAY, "frequency": "HOUR"}]},
            [("groups[1]", "duplicate")],
            id="two times",
        ),
        pytest.param({"aggregations": SUM * 2}, [("aggregations[1]", "duplicate")], id="a figure twice"),
        pytest.param(
            {"aggregations": [figure(function="UNIQUE")]},
            [("aggregations[0].function", "not_applicable")],
            id="unique numbers",
        ),
        pytest.param(
            {"aggregations": [figure("destination", "SUM", "DIMENSION")]},
            [("aggregations[0].function", "not_applicable")],
            id="a sum of texts",
        ),
        pytest.param(
            {"aggregations": [figure("destination", "COUNT", "MEASURE")]},
            [("aggregations[0].fieldType", "wrong_field_type")],
            id="a text called a number",
        ),
        pytest.param(
            {"aggregations": [figure("speed")]},
            [("aggregations[0].fieldCode", "unknown_field")],
            id="no such field",
        ),
        pytest.param(
            {"meterIds": [UNKNOWN, FLIGHTS]}, [("meterIds[0]", "unknown_reference")], id="no such meter"
        ),
        pytest.param(
            {"accountIds": [ACME, UNKNOWN, "x"]},
            [("accountIds[1]", "unknown_reference"), ("accountIds[2]", "unknown_reference")],
            id="no such account",
        ),
        pytest.param(
            {"meterIds": [ROOMS], "aggregations": SUM},
            [("aggregations[0].meterId", "not_queried")],
            id="a meter that is not listed",
        ),
        pytest.param(
            {"aggregations": SUM, "groups": [by("city", ROOMS)]},
            [("groups[0].meterId", "not_queried")],
            id="a group of another meter",
        ),
        pytest.param(
            {"aggregations": SUM, "dimensionFilters": [field("city", ROOMS, values=["x"])]},
            [("dimensionFilters[0].meterId", "not_queried")],
            id="a filter of another meter",
        ),
        pytest.param(
            {"dimensionFilters": [field("note", values=["x"]), field("distance", values=["1"])]},
            [
                ("dimensionFilters[0].fieldCode", "not_a_dimension"),
                ("dimensionFilters[1].fieldCode", "not_a_dimension"),
            ],
            id="not to filter by",
        ),
        pytest.param(
            {"aggregations": SUM, "groups": [by("note")]},
            [("groups[0].fieldCode", "not_a_dimension")],
            id="not to group by",
        ),
        pytest.param({"groups": [DAY] * 21}, [("groups", "wrong_length")], id="too many groups"),
    ],
)
def test_each_fault_is_told_by_its_path(body: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    asked = query(**body)
    found = [(p.field, p.code) for p in (*asked.problems(), *stored_problems(asked, KNOWN))]
    assert [each for each in found if each in expected] == expected
    assert len(found) == len(expected) or "groups" in body


def test_without_aggregations_measurements_are_asked_for() -> None:
    made = plan(meterIds=[ROOMS.upper(), ROOMS], accountIds=[ACME], limit=7)
    assert (made.summary, made.limit) == (None, 7)
    assert made.selection.meters == (MeterPart(ROOMS),)
    assert made.selection.account_ids == (ACME,)


def test_without_meters_all_are_asked_and_a_filter_holds_for_its_own() -> None:
    made = plan(dimensionFilters=[field("city", ROOMS, values=["Rome", "Oslo"])])
    only = Filter(Slot.text(0), ("Rome", "Oslo"))
    assert made.selection.meters == (MeterPart(FLIGHTS), MeterPart(ROOMS, (only,)))
    assert (made.selection.account_ids, made.limit) == (None, 20_000)


def test_figures_and_groups_become_places_and_names() -> None:
    figures = [figure("delay", "MEAN"), figure("note", "UNIQUE", "DIMENSION"), figure("nights", of=ROOMS)]
    groups = [{"groupType": "ACCOUNT"}, {**DAY, "frequency": "WEEK"}, by("destination"), by("city", ROOMS)]
    made = plan(meterIds=[FLIGHTS, ROOMS], aggregations=figures, groups=groups)
    assert made.summary is not None
    assert made.summary.figures == (
        Figure(Method.MEAN, MeterField(FLIGHTS, Slot.number(1))),
        Figure(Method.UNIQUE, MeterField(FLIGHTS, Slot.text(1))),
        Figure(Method.SUM, MeterField(ROOMS, Slot.number(0))),
    )
    assert (made.summary.per_account, made.summary.bucket) == (True, Bucket.WEEK)
    assert made.texts == ("flights.destination", "rooms.city")
    assert made.figures == ("flights.delay.MEAN", "flights.note.UNIQUE", "rooms.nights.SUM")


def test_a_listed_meter_without_figure_makes_no_groups() -> None:
    made = plan(meterIds=[FLIGHTS, ROOMS], aggregations=[figure()])
    assert made.selection.meters == (MeterPart(FLIGHTS),)


def test_a_time_period_is_seen_from_now() -> None:
    asked = read({"timePeriod": "MONTH_TO_DATE"}, UsageQueryRequest)
    assert not list(asked.problems())
    month = Period(datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 4, 9, tzinfo=UTC))
    assert make_plan(asked, KNOWN, NOW).selection.window == month
