"""Which accounts an integration is for: `address.country == US AND currency != EUR` (semantics §29). Pure.

Beside the calculation language: texts may stand without quotes, as people write countries and codes.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import LarkError, UnexpectedInput, VisitError

from tallystick.kernel.errors import Invalid

LONGEST: Final = 2000
FIELDS: Final = ("id", "accountName", "accountCode", "currency", "address.…", "customFields.…")
_ADDRESS: Final = frozenset(
    f"address.{name}"
    for name in (
        *(f"addressLine{n}" for n in range(1, 5)),
        "locality",
        "region",
        "postCode",
        "country",
    )
)
GRAMMAR: Final = r"""
?start: either
?either: both | either _OR both      -> either
?both: denied | both _AND denied     -> both
?denied: _NOT denied                 -> denied
    | "(" either ")"
    | compared
compared: FIELD COMPARISON (STRING | WORD | FIELD)
_OR.2: /OR\b|\|\|/i
_AND.2: /AND\b|&&/i
_NOT.2: /NOT\b/i
COMPARISON: /==|!=|>=|<=|>|</
STRING: /"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/
FIELD.1: /(id|accountName|accountCode|currency)\b|(address|customFields)\.[A-Za-z0-9_$-]+/
WORD: /[^\s()"'=!<>]+/
%ignore /\s+/
"""
Facts = Mapping[str, Any]
Test = Callable[[Facts], bool]


class BadAccountFilter(Invalid):
    """An account filter cannot be read."""

    code = "bad_account_filter"


@lru_cache(maxsize=1000)
def read_account_filter(text: str) -> Test:
    """Read a filter once. Gives what tells whether an account, as `account_facts` has it, is meant.

    Raises BadAccountFilter. A value that an account does not have equals nothing, and is neither more nor
    less. Numbers compare as numbers; other values as texts, letter by letter.
    """
    if len(text) > LONGEST:
        raise BadAccountFilter(f"An account filter has at most {LONGEST} characters.")
    try:
        return _READER.parse(text)  # type: ignore[return-value] # the embedded transformer's answer
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        place = "its end" if error.pos_in_stream is None else f"character {error.pos_in_stream + 1}"
        raise BadAccountFilter(
            f"The filter cannot be read at {place}. Write it as `address.country == US AND currency != EUR`, "
            f"over {', '.join(FIELDS)}."
        ) from None
    except LarkError as error:
        raise BadAccountFilter(f"The filter cannot be read: {error}") from None


def _value(token: Token) -> str:
    if token.type != "STRING":
        return str(token)
    return str(token)[1:-1].replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\")


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def _compare(found: Any, comparison: str, wanted: str) -> bool:
    if found is None:
        return comparison == "!="
    numbers = _number(found), _number(wanted)
    pair = numbers if None not in numbers else (str(found), wanted)
    return _COMPARISONS[comparison](*pair)


@v_args(inline=True)
class _Compile(Transformer[Token, Test]):
    """Turns what was read into what tests an account."""

    def compared(self, field: Token, comparison: Token, wanted: Token) -> Test:
        name = str(field)
        if name.startswith("address.") and name not in _ADDRESS:
            known = ", ".join(sorted(_ADDRESS))
            raise BadAccountFilter(f"An account has no {name}; there are {known}.")
        value, sign = _value(wanted), str(comparison)
        return lambda facts: _compare(facts.get(name), sign, value)

    def either(self, one: Test, other: Test) -> Test:
        return lambda facts: one(facts) or other(facts)

    def both(self, one: Test, other: Test) -> Test:
        return lambda facts: one(facts) and other(facts)

    def denied(self, test: Test) -> Test:
        return lambda facts: not test(facts)


_READER: Final = Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Compile())


def account_facts(account: Mapping[str, Any]) -> dict[str, Any]:
    """Give what filters look at. account: as the API answers it."""
    facts = {
        "id": account.get("id"),
        "accountName": account.get("name"),
        "accountCode": account.get("code"),
        "currency": account.get("currency"),
    }
    for name in ("address", "customFields"):
        facts |= {f"{name}.{key}": value for key, value in (account.get(name) or {}).items()}
    return facts
