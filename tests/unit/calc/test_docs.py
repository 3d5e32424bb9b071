"""docs/calculations.md (semantics §7) says what is true: its examples compile, and what it names is there."""

import re
from pathlib import Path

import pytest

from tallystick.calc.expression import compile_expression
from tallystick.calc.functions import FUNCTIONS
from tallystick.calc.operators import BINARY

PAGE = (Path(__file__).parents[3] / "docs/calculations.md").read_text("utf-8")
EXAMPLES = [
    re.split(r" {3,}", example.replace("\n  ", " "))[0]
    for example in re.split(r"\n(?! )", PAGE.split("```")[1].strip())
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_compiles(example: str) -> None:
    assert compile_expression(example).references


def test_every_function_and_operator_is_told_of() -> None:
    assert [name for name in FUNCTIONS if f"`{name}(" not in PAGE] == []
    assert [symbol for symbol in BINARY if f"`{symbol}`" not in PAGE] == []
