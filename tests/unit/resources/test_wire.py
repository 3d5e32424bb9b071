"""Reading and writing JSON: every problem at once, exact numbers, no nulls (semantics §1)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.problems import Problem
from tallystick.platform.resources.fields import (
    CODE_PATTERN,
    Code,
    CustomFields,
    Id,
    Identifier,
    NonNegative,
    Positive,
)
from tallystick.platform.resources.wire import InvalidBody, MalformedJson, encode, parse, read, reader

D = Decimal


class Band(msgspec.Struct, rename="camel"):
    lower_limit: NonNegative
    unit_price: Decimal


class Sample(msgspec.Struct, rename="camel", kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)] = "n"
    code: Code = "c"
    field_code: Identifier = "f"
    ref_id: Id | None = None
    per_unit: Positive = D(1)
    start_date: datetime | None = None
    bands: Annotated[list[Band], msgspec.Meta(min_length=1, max_length=2)] = []
    custom_fields: CustomFields = {}
    count: int = 0


def faults(body: Any) -> list[tuple[str, str]]:
    """Give field and code of each problem of a body."""
    with pytest.raises(InvalidBody) as caught:
        read(body, Sample)
    return [(p.field, p.code) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"name": ""}, [("name", "wrong_length")], id="too short"),
        pytest.param({"name": "123456"}, [("name", "wrong_length")], id="too long"),
        pytest.param({"name": 5}, [("name", "wrong_type")], id="number for text"),
        pytest.param({"name": "a\x00"}, [("name", "wrong_format")], id="NUL"),
        pytest.param({"code": "a "}, [("code", "wrong_format")], id="trailing space in a code"),
        pytest.param({"code": "a\n"}, [("code", "wrong_format")], id="trailing line end in a code"),
        pytest.param({"code": "a\tb"}, [("code", "wrong_format")], id="tab in a code"),
        pytest.param({"fieldCode": "1a"}, [("fieldCode", "wrong_format")], id="digit first"),
        pytest.param({"fieldCode": "a b"}, [("fieldCode", "wrong_format")], id="space in an identifier"),
        pytest.param({"refId": "x" * 36}, [("refId", "wrong_format")], id="36 characters, no id"),
        pytest.param({"perUnit": 0}, [("perUnit", "out_of_range")], id="zero is not positive"),
        pytest.param({"perUnit": "1"}, [("perUnit", "wrong_type")], id="text for a number"),
        pytest.param({"perUnit": True}, [("perUnit", "wrong_type")], id="boolean for a number"),
        pytest.param({"perUnit": D("1E+26")}, [("perUnit", "out_of_range")], id="too large"),
        pytest.param({"perUnit": D("1E-25")}, [("perUnit", "out_of_range")], id="too fine"),
        pytest.param({"startDate": "2024-01-01"}, [("startDate", "wrong_format")], id="date for an instant"),
        pytest.param(
            {"startDate": "0001-01-01T00:00:00+05:00"}, [("startDate", "out_of_range")], id="before 1"
        ),
        pytest.param({"bands": []}, [("bands", "wrong_length")], id="no band"),
        pytest.param({"bands": {}}, [("bands", "wrong_type")], id="object for a list"),
        pytest.param({"bands": [5]}, [("bands[0]", "wrong_type")], id="number for an object"),
        pytest.param(
            {"bands": [{"lowerLimit": -1}, {"unitPrice": 1}]},
            [
                ("bands[0].lowerLimit", "out_of_range"),
                ("bands[0].unitPrice", "required"),
                ("bands[1].lowerLimit", "required"),
            ],
            id="each fault of each element",
        ),
        pytest.param(
            {"customFields": {"a": True}}, [("customFields.a", "wrong_type")], id="boolean custom field"
        ),
        pytest.param(
            {"customFields": {"a": [1]}}, [("customFields.a", "wrong_type")], id="list custom field"
        ),
        pytest.param({"count": D("1.5")}, [("count", "wrong_type")], id="fraction for a whole number"),
        pytest.param([], [("", "wrong_type")], id="not an object"),
    ],
)
def test_each_fault_has_a_path_and_a_code(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(body) == expected


def test_an_id_is_written_as_the_database_writes_it() -> None:
    """Semantics §1: ids are equal however they were typed, in lists of ids, too, which are kept as texts."""
    assert read({"refId": "0192C3A0-0000-7000-8000-00000000000A"}, Sample).ref_id == (
        "0192c3a0-0000-7000-8000-00000000000a"
    )


def test_null_is_the_same_as_left_out() -> None:
    assert read({"refId": None, "name": None}, Sample) == Sample()


@pytest.mark.parametrize("text", ["2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00"])
def test_instants_are_utc_and_one_without_an_offset_is_utc_already(text: str) -> None:
    assert read({"startDate": text}, Sample).start_date == datetime(2024, 1, 1, tzinfo=UTC)


def test_an_answer_has_no_nulls_and_numbers_as_they_are() -> None:
    answer = encode(Sample(per_unit=D("0.10"), bands=[Band(D(0), D("12345678901234567890.123456789"))]))
    assert b'"perUnit":0.10' in answer
    assert b'"unitPrice":12345678901234567890.123456789' in answer
    assert b"null" not in answer


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse(text)


@given(st.decimals(-(10**25), 10**25, places=12))
def test_a_number_survives_the_way_out_and_in(number: D) -> None:
    body = encode(Band(abs(number), number))
    assert read(parse(body), Band) == Band(abs(number), number)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_BODIES = st.fixed_dictionaries({}, optional={f.encode_name: _JSON for f in msgspec.structs.fields(Sample)})


@given(_BODIES)
def test_any_body_is_read_or_refused_with_problems(body: Any) -> None:
    problems: list[Problem] = []
    value = reader(Sample)(body, "", problems)
    assert bool(problems) != isinstance(value, Sample)
    assert all(p.message for p in problems)


def test_patterns_are_ones_that_other_languages_read() -> None:
    assert "\\Z" not in CODE_PATTERN
