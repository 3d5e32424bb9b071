"""Compile an expression once, evaluate it many times."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from tallystick.calc.errors import CalculationError, ExpressionError, Fault, place, position
from tallystick.calc.grammar import LookupUse, Node, parser
from tallystick.calc.values import Kind, Lookups, NoLookups, Run, Value, Variables, is_in_range

LONGEST = 5000
REMEMBERED = 1000
_NO_LOOKUPS = NoLookups()
_HINTS = {
    "=": "write == to compare",
    "&": "write AND",
    "|": "write OR",
    "!": "write != to compare, or == false",
    "'": "the text has no closing '",
    '"': 'the text has no closing "',
}
_WORDS = {"and": "write AND", "or": "write OR", "not": "there is no NOT; write == false"}


class Compiled(msgspec.Struct, frozen=True):
    """An expression, ready to be evaluated with different values.

    references: the variables it reads, and the offset of each one's first place in `text`.
    lookups: its calls of lookup functions. kind: of its value if that is known beforehand; null is always
    possible.
    """

    text: str
    references: Mapping[str, int]
    lookups: tuple[LookupUse, ...]
    kind: Kind | None
    run: Run

    def evaluate(self, variables: Variables, lookups: Lookups = _NO_LOOKUPS) -> Value:
        """Give the value; numbers are exact or rounded to 50 digits. Raises CalculationError, nothing else.

        variables: by their whole name, such as `account.customfields.discount`.
        """
        try:
            value = self.run(variables, lookups)
        except Fault as fault:
            raise self._failed(fault) from None
        except ArithmeticError:
            raise CalculationError("a number becomes larger than can be calculated with") from None
        if type(value) is Decimal and not is_in_range(value):
            raise CalculationError("the result is not a number within 10^6144")
        return value

    def problem_at(self, reason: str, offset: int) -> ExpressionError:
        """Make the error for something else that is wrong at an offset, such as an unknown reference."""
        return ExpressionError.at(reason, self.text, offset)

    def _failed(self, fault: Fault) -> CalculationError:
        return CalculationError(f"{fault.reason} ({place(*position(self.text, fault.at))})")


@lru_cache(maxsize=REMEMBERED)
def compile_expression(text: str) -> Compiled:
    """Compile an expression, or give it as it was compiled before. Raises ExpressionError.

    text: at most 5,000 characters (semantics §8).
    """
    if len(text) > LONGEST:
        raise ExpressionError.at(f"an expression has at most {LONGEST} characters", text, LONGEST)
    try:
        node: Node = parser().parse(text)  # type: ignore[assignment] # the embedded transformer's answer
    except Fault as fault:
        raise ExpressionError.at(fault.reason, text, fault.at) from None
    except UnexpectedInput as error:
        raise ExpressionError.at(*_explained(error, text)) from None
    return Compiled(text, node.names, node.lookups, node.kind, node.run)


def _explained(error: UnexpectedInput, text: str) -> tuple[str, str, int]:
    """Say in words what the parser stumbled over: reason, text, offset."""
    offset = error.pos_in_stream or 0
    if isinstance(error, UnexpectedCharacters):
        hint = _HINTS.get(text[offset], "it has no meaning here")
        return f"unexpected {text[offset]}; {hint}", text, offset
    wanted = error.expected if isinstance(error, UnexpectedToken) else set()
    needs_value = "NUMBER" in wanted
    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is None or token.type == "$END":
        missing = "a value" if needs_value else "a )" if "RPAR" in wanted else "the other branch, after :"
        return f"the expression ends too early; {missing} is missing", text, len(text.rstrip())
    if needs_value:
        return f"unexpected {token}; a value belongs here", text, offset
    if token.type == "RELATION":
        return "comparisons cannot be chained; join two with AND", text, offset
    hint = _WORDS.get(str(token).lower(), "an operator belongs before it, or nothing")
    return f"unexpected {token}; {hint}", text, offset
