"""Keys of rows as one text: equal for equal keys, different for different ones, and readable again."""

from decimal import Decimal
from typing import Any

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


@given(st.lists(st.fixed_dictionaries({"region": texts, "tier": numbers, "note": texts}), max_size=8))
def test_rows_are_read_like_a_plain_dictionary(items: list[dict[str, Any]]) -> None:
    problems: list[Problem] = []
    rows = read_items(THREE, items, problems)
    distinct = {(i["region"], i["tier"], i["note"]): i for i in items}
    assert len(problems) == len(items) - len(distinct)
    assert {p.code for p in problems} <= {"duplicate"}
    assert [*rows.values()] == [*distinct.values()]
