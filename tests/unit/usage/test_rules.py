"""Each rule of a measurement against its meter (semantics §5, §6): what passes, boundaries, one refusal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.catalogue.meter import Meter, assign_slots
from tallystick.usage.meters import meter_reader
from tallystick.usage.rules import FailureType, broken_rule, columns_of, plain_columns
from tests.unit.usage.conftest import FLIGHTS, NOW, flight

METER = meter_reader(
    Meter(name="F", code="flights", data_fields=FLIGHTS, derived_fields=[], slots=assign_slots({}, FLIGHTS))
)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="exactly the meter's fields"),
        pytest.param({"what": {"extra": "x"}}, id="a field that the meter does not have"),
        pytest.param({"cost": {"extra": 1}, "who": {"other": "x"}}, id="fields in other categories"),
        pytest.param({"measure": {"distance": 0, "delay": -1}}, id="zero and negative"),
        pytest.param({"where": {"destination": ""}}, id="an empty text is there"),
        pytest.param({"where": {"destination": "x" * 1024}}, id="longest dimension"),
        pytest.param({"metadata": {"tail": "x" * 256}}, id="longest metadata"),
        pytest.param({"ts": NOW}, id="on the last instant"),
        pytest.param({"ts": datetime(1900, 1, 1)}, id="long ago, without an offset"),  # noqa: DTZ001 - as sent
        pytest.param({"ets": NOW + timedelta(days=400)}, id="an end in the future"),
    ],
)
def test_passes(changes: dict[str, Any]) -> None:
    assert broken_rule(METER, flight(**changes), NOW) is None


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        pytest.param(
            {"measure": {"distance": 1}}, FailureType.MISSING_FIELD, "needs delay", id="a field is absent"
        ),
        pytest.param({"metadata": None}, FailureType.MISSING_FIELD, "needs tail", id="a category is absent"),
        pytest.param(
            {"measure": {"distance": 1}, "cost": {"delay": 1}},
            FailureType.INVALID_FIELD,
            "delay belongs under measure in this meter, not under cost",
            id="the wrong category",
        ),
        pytest.param(
            {"other": {"destination": "x"}},
            FailureType.DUPLICATE_FIELD,
            "destination stands under both where and other",
            id="a field under two categories",
        ),
        pytest.param(
            {"who": {"x": "1"}, "income": {"x": 1}},
            FailureType.DUPLICATE_FIELD,
            "x stands",
            id="any code under two",
        ),
        pytest.param(
            {"where": {"destination": "x" * 1025}}, FailureType.INVALID_FIELD, "1024", id="long dimension"
        ),
        pytest.param({"metadata": {"tail": "x" * 257}}, FailureType.INVALID_FIELD, "256", id="long metadata"),
        pytest.param(
            {"ts": NOW + timedelta(microseconds=1)},
            FailureType.FUTURE_TIMESTAMP,
            "5 minutes",
            id="the future",
        ),
    ],
)
def test_finds(changes: dict[str, Any], expected: FailureType, words: str) -> None:
    broken = broken_rule(METER, flight(**changes), NOW)
    assert broken is not None
    assert broken.type is expected
    assert words in broken.message


texts = st.dictionaries(
    st.sampled_from(["destination", "tail", "extra"]), st.sampled_from(["", "x", "y" * 257])
)
numbers = st.dictionaries(st.sampled_from(["distance", "delay", "extra"]), st.integers())


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            **{name: st.none() | texts for name in ("who", "where", "what", "other", "metadata")},
            **{name: st.none() | numbers for name in ("measure", "cost", "income")},
        },
    )
)
def test_the_glance_over_columns_agrees_with_the_rules(changes: dict[str, Any]) -> None:
    rows = [flight(), flight(**changes)]
    columns = plain_columns(METER, rows)
    if columns is not None:
        assert broken_rule(METER, rows[1], NOW) is None
        assert columns == columns_of(METER, rows)


def test_plain_measurements_need_only_a_glance() -> None:
    assert plain_columns(METER, [flight(), flight()]) is not None


def test_a_glance_needs_every_field() -> None:
    assert plain_columns(METER, [flight(), flight(measure={"distance": 1, "extra": 2})]) is None


def test_a_failure_says_its_type_in_the_words_of_the_api() -> None:
    assert msgspec.json.encode(FailureType.UNDEFINED_METER) == b'"UndefinedMeter"'
    assert datetime(2025, 6, 1, 12, tzinfo=UTC) == NOW
