"""The meter gives each field its place in the usage store, and never gives it to another."""

import pytest

from tallystick.catalogue.meter import (
    SLOTS_OF_A_KIND,
    DataField,
    FieldCategory,
    Meter,
    assign_slots,
)
from tallystick.usage.store.model import SLOTS, SlotKind

N, S = FieldCategory.MEASURE, FieldCategory.WHAT


def fields(**categories: FieldCategory) -> list[DataField]:
    return [DataField(category=c, code=code, name=code, unit="x") for code, c in categories.items()]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param({}, fields(a=N, b=S, c=N), {"a": "n0", "b": "s0", "c": "n1"}, id="counted by kind"),
        pytest.param({"a": "n0"}, fields(b=N, a=N), {"a": "n0", "b": "n1"}, id="a field keeps its slot"),
        pytest.param({"a": "n0"}, fields(b=N), {"a": "n0", "b": "n1"}, id="a removed field keeps it too"),
        pytest.param({"a": "n0", "b": "n1"}, fields(a=N), {"a": "n0", "b": "n1"}, id="and gets it back"),
        pytest.param(
            {"a": "n0"}, fields(a=FieldCategory.COST), {"a": "n0"}, id="another category of the same kind"
        ),
        pytest.param({"a": "n0"}, fields(a=S), {"a n": "n0", "a": "s0"}, id="another kind is another slot"),
        pytest.param(
            {"a n": "n0", "a": "s0"}, fields(a=N, b=N), {"a": "n0", "a s": "s0", "b": "n1"}, id="and back"
        ),
    ],
)
def test_assigns(before: dict[str, str], now: list[DataField], expected: dict[str, str]) -> None:
    assert assign_slots(before, now) == expected


def test_a_meter_that_has_had_too_many_fields_gets_no_more() -> None:
    used = {f"old{i}": f"n{i}" for i in range(SLOTS_OF_A_KIND)}
    now = fields(old3=N, new=N, text=S)
    meter = Meter(name="m", code="m", data_fields=now, derived_fields=[], slots=assign_slots(used, now))
    assert meter.slots["text"] == "s0"
    assert [(p.field, p.code) for p in meter.check()] == [("dataFields[1]", "too_many_fields")]


def test_slots_are_those_of_the_usage_store() -> None:
    assert SLOTS_OF_A_KIND == SLOTS
    assert {kind.value for kind in SlotKind} == {"n", "s"}
