"""Printing: answers to standard output, everything else to standard error."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallystick.cli.errors import CommandError
from tallystick.kernel.decimals import plain
from tallystick.kernel.errors import TallystickError

CENTS = 2
PIPE_WIDTH = 120
"Columns where the output is no terminal: tables are not squeezed into 80."

_encoder = msgspec.json.Encoder(decimal_format="number")


def on_output() -> Console:
    """Give the console of answers. Rich leaves colours out by itself when it is no terminal."""
    return _console(stderr=False)


def on_error() -> Console:
    """Give the console of progress, logs and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


def print_json(value: Any) -> None:
    """Print one JSON document, decimals as exact numbers."""
    text = msgspec.json.format(_encoder.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()


def print_error(error: TallystickError | CommandError) -> None:
    """Print one clear line, and one for each problem the line does not name yet."""
    console = on_error()
    line = Text("error: ", style="bold red")
    line.append(error.message, style="red")
    console.print(line, soft_wrap=True)
    for problem in error.problems:
        if problem.message not in error.message:
            where = f"{problem.field}: " if problem.field else ""
            console.print(Text(f"  {where}{problem.message}", style="red"), soft_wrap=True)
    if hint := getattr(error, "hint", ""):
        console.print(Text(hint), soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: str = "") -> Table:
    """Make a table of plain cells. right: the columns that hold numbers, separated by commas."""
    numeric = {name.strip() for name in right.split(",")}
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    made.padding = (0, 2, 0, 0)
    for name in columns:
        made.add_column(name, justify="right" if name in numeric else "left", header_style="dim")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def spinner(label: str) -> AbstractContextManager[Any]:
    """Show on standard error that something is being waited for; where that is no terminal, nothing."""
    console = on_error()
    return console.status(label) if console.is_terminal else nullcontext()


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: 1 row, 1,000 rows."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def number(value: Decimal | float | str | None) -> str:
    """Write a number with thousands separated, every digit kept: 1,099 or 0.085."""
    if value is None:
        return ""
    return f"{plain(Decimal(str(value))):,f}"


def money(value: Decimal | float | str | None, currency: str = "") -> str:
    """Write an amount with at least two decimal places: 12,345.60 USD."""
    if value is None:
        return ""
    amount = plain(Decimal(str(value)))
    if amount.as_tuple().exponent > -CENTS:  # type: ignore[operator] # no infinity: it came as a JSON number
        amount = amount.quantize(Decimal("0.01"))
    return f"{amount:,f} {currency}".rstrip()
