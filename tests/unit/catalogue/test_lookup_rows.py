"""Keys of rows as one text (semantics §12): equal for equal keys alone, and readable again."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.catalogue.lookup_rows import RowSchema, read_items
from tallystick.catalogue.lookup_table import LookupFieldType
from tallystick.kernel.problems import Problem

STRING, NUMBER = LookupFieldType.STRING, LookupFieldType.NUMBER
TYPES = {"region": STRING, "tier": NUMBER, "note": STRING, "rate": NUMBER}
THREE = RowSchema(TYPES, ["region", "tier", "note"])
texts = st.text(st.sampled_from("ab:\\ ü"), max_size=6)
numbers = st.decimals(
    min_value=Decimal(-1000), max_value=Decimal(1000), places=3, allow_nan=False, allow_infinity=False
)
keys = st.tuples(texts, numbers, texts)


@given(keys)
def test_a_key_can_be_read_again(key: tuple[str, Decimal, str]) -> None:
    assert THREE.key_values(THREE.key_of(key)) == [*key]


@given(keys, keys)
def test_only_equal_keys_make_the_same_text(one: Any, other: Any) -> None:
    assert (THREE.key_of(one) == THREE.key_of(other)) == (one == other)


@given(texts)
def test_a_single_key_is_its_own_text(text: str) -> None:
    schema = RowSchema(TYPES, ["region"])
    assert schema.key_of([text]) == text
    assert schema.key_values(text) == [text]


def test_equal_numbers_are_one_key() -> None:
    schema = RowSchema(TYPES, ["tier"])
    assert {schema.key_of([n]) for n in (5, Decimal(5), Decimal("5.00"), Decimal("0.5E1"))} == {"5"}
    assert schema.key_of([Decimal("-0.0")]) == "0"
    assert schema.key_values("5.0") == [5]
    for none in ("", "five", "0x5", "1e999", "5 ", "NaN", "\u0665"):
        assert schema.key_values(none) is None


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        pytest.param(["eu", Decimal("1.0"), "n"], "eu:1:n", id="each of its field's kind"),
        pytest.param(["eu", "1", "n"], None, id="a text for a number"),
        pytest.param(["eu", True, "n"], None, id="true is not 1"),
        pytest.param([Decimal(1), Decimal(1), "n"], None, id="a number for a text"),
        pytest.param(["eu", None, "n"], None, id="null is no key"),
    ],
)
def test_a_calculation_asks_by_values_of_the_fields_kinds(asked: list[Any], key: str | None) -> None:
    assert THREE.key_asked(asked) == key


@given(st.lists(st.fixed_dictionaries({"region": texts, "tier": numbers, "note": texts}), max_size=8))
def test_rows_are_read_like_a_plain_dictionary(items: list[dict[str, Any]]) -> None:
    problems: list[Problem] = []
    rows = read_items(THREE, items, problems)
    distinct = {(i["region"], i["tier"], i["note"]): i for i in items}
    assert len(problems) == len(items) - len(distinct)
    assert {p.code for p in problems} <= {"duplicate"}
    assert [*rows.values()] == [*distinct.values()]
