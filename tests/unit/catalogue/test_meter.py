"""What a meter may be (semantics §5): its fields, their categories and limits, and derived fields (§8)."""

from typing import Any

import pytest

from tallystick.catalogue.meter import FieldCategory, Meter
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody, read
from tallystick.usage.meters import longest_text

GB = {"category": "MEASURE", "code": "gb", "name": "Gigabytes", "unit": "GB"}
TEXTS = [{"category": "WHERE", "code": f"t{i}", "name": f"T {i}"} for i in range(16)]
DERIVED = [GB | {"code": f"d{i}", "calculation": "gb * 2"} for i in range(16)]


def problems(body: dict[str, Any]) -> set[tuple[str, str]]:
    """Give what is wrong with a meter, whatever is stored."""
    try:
        meter = from_request(Meter, read(body, resource_of(Meter).request_type))
    except InvalidBody as refused:
        found: list[Problem] = list(refused.problems)
    else:
        found = list(meter.check())
    return {(problem.field, problem.code) for problem in found}


def meter(**changed: Any) -> dict[str, Any]:
    body = {"name": "Storage", "code": "storage", "dataFields": [GB], "derivedFields": []}
    return body | changed


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="a measure, and nothing derived"),
        pytest.param({"dataFields": [GB, *TEXTS[:14]]}, id="15 data fields"),
        pytest.param({"derivedFields": DERIVED[:15]}, id="15 derived fields"),
        pytest.param({"dataFields": [GB | {"unit": "u" * 50}]}, id="longest unit"),
        pytest.param({"dataFields": TEXTS[:1]}, id="a text needs no unit"),
        pytest.param({"dataFields": [TEXTS[0] | {"unit": "1"}]}, id="a text may have one"),
        pytest.param({"derivedFields": [DERIVED[0] | {"calculation": "1" + " " * 4999}]}, id="5,000 letters"),
        *(
            pytest.param({"dataFields": [GB | {"category": category.value}]}, id=category.value)
            for category in FieldCategory
        ),
    ],
)
def test_a_meter_is_taken(changed: dict[str, Any]) -> None:
    assert problems(meter(**changed)) == set()


UNIT = {key: value for key, value in GB.items() if key != "unit"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"dataFields": []}, ("dataFields", "wrong_length"), id="no data field"),
        pytest.param({"dataFields": TEXTS}, ("dataFields", "wrong_length"), id="16 data fields"),
        pytest.param({"derivedFields": None}, ("derivedFields", "required"), id="null for none"),
        pytest.param({"derivedFields": DERIVED}, ("derivedFields", "wrong_length"), id="16 derived fields"),
        pytest.param(
            {"dataFields": [GB | {"category": "DERIVED"}]},
            ("dataFields[0].category", "unknown_value"),
            id="no category DERIVED",
        ),
        *(
            pytest.param(
                {"dataFields": [UNIT | {"category": category}]},
                ("dataFields[0].unit", "required"),
                id=category,
            )
            for category in ("MEASURE", "INCOME", "COST")
        ),
        pytest.param(
            {"derivedFields": [UNIT | {"code": "d", "calculation": "gb"}]},
            ("derivedFields[0].unit", "required"),
            id="a derived number without unit",
        ),
        pytest.param(
            {"dataFields": [GB | {"unit": "u" * 51}]}, ("dataFields[0].unit", "wrong_length"), id="long unit"
        ),
        pytest.param(
            {"derivedFields": [DERIVED[0] | {"code": "gb"}]},
            ("derivedFields[0].code", "duplicate"),
            id="a derived field under a data field's code",
        ),
        pytest.param(
            {"derivedFields": [GB | {"code": "d"}]},
            ("derivedFields[0].calculation", "required"),
            id="derived from nothing",
        ),
        pytest.param(
            {"derivedFields": [DERIVED[0] | {"calculation": ""}]},
            ("derivedFields[0].calculation", "wrong_length"),
            id="an empty calculation",
        ),
        pytest.param(
            {"derivedFields": [DERIVED[0] | {"calculation": "1" + " " * 5000}]},
            ("derivedFields[0].calculation", "wrong_length"),
            id="5,001 letters",
        ),
    ],
)
def test_a_meter_is_refused(changed: dict[str, Any], expected: tuple[str, str]) -> None:
    assert problems(meter(**changed)) == {expected}


def test_derived_fields_are_told_even_when_there_are_none() -> None:
    body = meter()
    del body["derivedFields"]
    assert problems(body) == {("derivedFields", "required")}


def test_numbers_dimensions_and_metadata() -> None:
    """Each category is a number, a dimension, or neither: METADATA is not to choose or group usage by."""
    numbers, dimensions = {"MEASURE", "INCOME", "COST"}, {"WHO", "WHERE", "WHAT", "OTHER"}
    assert {c.value for c in FieldCategory if c.is_numeric} == numbers
    assert {c.value for c in FieldCategory if c.is_dimension} == dimensions
    assert {c.value for c in FieldCategory} == {*numbers, *dimensions, "METADATA"}


def test_how_long_texts_may_be() -> None:
    assert {c: longest_text(c) for c in FieldCategory if not c.is_numeric} == {
        **dict.fromkeys((c for c in FieldCategory if c.is_dimension), 1024),
        FieldCategory.METADATA: 256,
    }
