"""What can go wrong with a calculation: before it runs, and while it runs."""

from typing import Self

from tallystick.kernel.errors import Invalid

_CONTEXT = 30


class Fault(Exception):
    """Something is wrong at an offset of an expression's text. Never leaves this package."""

    def __init__(self, reason: str, at: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class ExpressionError(Invalid):
    """An expression cannot be compiled.

    reason: without the position. line, column: from 1. excerpt: the line with a caret below the place.
    """

    code = "invalid_expression"

    def __init__(self, reason: str, line: int, column: int, excerpt: str) -> None:
        super().__init__(f"{reason} ({place(line, column)})", line=line, column=column)
        self.reason = reason
        self.line = line
        self.column = column
        self.excerpt = excerpt

    @classmethod
    def at(cls, reason: str, text: str, offset: int) -> Self:
        """Say what is wrong at an offset of the text."""
        return cls(reason, *position(text, offset), excerpt(text, offset))


class CalculationError(Invalid):
    """An expression cannot be evaluated with these values."""

    code = "calculation_failed"


def position(text: str, offset: int) -> tuple[int, int]:
    """Give line and column of an offset, both from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def place(line: int, column: int) -> str:
    """Name a position as messages do."""
    return f"line {line}, column {column}"


def excerpt(text: str, offset: int) -> str:
    """Show the line around an offset, and under it a caret that points there."""
    number, column = position(text, offset)
    line = text.split("\n")[number - 1]
    start = max(0, column - 1 - _CONTEXT)
    shown = "".join(c if c.isprintable() else " " for c in line[start : column + _CONTEXT])
    return f"{shown}\n{' ' * (column - 1 - start)}^"
