"""The form of an aggregation (semantics §9, §10), whatever is stored: its limits, its segments."""

from decimal import Decimal
from typing import Any

import pytest

from tallystick.catalogue.aggregation import Aggregation
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody, read

METER = "00000000-0000-4000-8000-000000000001"
FIELDS = ["a", "b", "c", "d", "e", "f"]
LONG_SQL = "SELECT sum(gb) FROM measurements".ljust(2048)


def problems(changed: dict[str, Any]) -> set[tuple[str, str]]:
    body = {
        "name": "Gigabytes",
        "meterId": METER,
        "aggregation": "SUM",
        "targetField": "gb",
        "rounding": "NONE",
        "quantityPerUnit": 1,
        "unit": "GB",
    }
    try:
        made = from_request(Aggregation, read(body | changed, resource_of(Aggregation).request_type))
    except InvalidBody as refused:
        return {(problem.field, problem.code) for problem in refused.problems}
    return {(problem.field, problem.code) for problem in made.check()}


def cut(fields: int = 1, segments: int = 1) -> dict[str, Any]:
    names = FIELDS[:fields]
    return {"segmentedFields": names, "segments": [dict.fromkeys(names, str(i)) for i in range(segments)]}


@pytest.mark.parametrize(
    "changed",
    [
        *(
            pytest.param({"rounding": rounding}, id=rounding)
            for rounding in ("UP", "DOWN", "NEAREST", "NONE")
        ),
        *(
            pytest.param({"aggregation": method}, id=method)
            for method in ("SUM", "MIN", "MAX", "COUNT", "LATEST", "MEAN", "UNIQUE")
        ),
        pytest.param(
            {"quantityPerUnit": Decimal("0.000001")}, id="the least quantity per unit is above zero"
        ),
        pytest.param({"defaultValue": 0}, id="a default of nothing"),
        pytest.param({"unit": "u" * 50}, id="longest unit"),
        pytest.param(cut(fields=5), id="five fields"),
        pytest.param(cut(segments=1000), id="a thousand segments"),
        pytest.param({"aggregation": "CUSTOM_SQL", "customSql": LONG_SQL}, id="2,048 letters of SQL"),
    ],
)
def test_an_aggregation_is_taken(changed: dict[str, Any]) -> None:
    assert problems(changed) == set()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"rounding": "HALF_UP"}, ("rounding", "unknown_value"), id="no such rounding"),
        pytest.param({"aggregation": "MEDIAN"}, ("aggregation", "unknown_value"), id="no such method"),
        pytest.param({"quantityPerUnit": 0}, ("quantityPerUnit", "out_of_range"), id="units of nothing"),
        pytest.param({"defaultValue": -1}, ("defaultValue", "out_of_range"), id="negative default"),
        pytest.param({"unit": ""}, ("unit", "wrong_length"), id="no unit"),
        pytest.param({"unit": "u" * 51}, ("unit", "wrong_length"), id="long unit"),
        pytest.param(cut(fields=6), ("segmentedFields", "wrong_length"), id="six fields"),
        pytest.param(cut(segments=1001), ("segments", "wrong_length"), id="1,001 segments"),
        pytest.param(cut() | {"segments": [{}]}, ("segments[0]", "wrong_fields"), id="a field not told"),
        pytest.param(
            cut() | {"segments": [{"a": "x"}, {"a": "x"}]}, ("segments[1]", "duplicate"), id="a segment twice"
        ),
        pytest.param(
            cut() | {"segments": [{"a": 1}]}, ("segments[0].a", "wrong_type"), id="a number's segment"
        ),
        pytest.param(
            {"aggregation": "CUSTOM_SQL", "customSql": LONG_SQL + " "},
            ("customSql", "wrong_length"),
            id="2,049 letters of SQL",
        ),
    ],
)
def test_an_aggregation_is_refused(changed: dict[str, Any], expected: tuple[str, str]) -> None:
    assert problems(changed) == {expected}
