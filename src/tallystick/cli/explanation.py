"""How a line came to be, laid out to be read."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tallystick.cli.output import money


def explanation_view(line: dict[str, Any], explanation: Any, currency: str = "") -> RenderableType:
    """Make the derivation of a line: a heading with its amount, then each step, its name beside it."""
    heading = Text.assemble(
        (line["description"], "bold"), "  ", (money(line["convertedSubtotal"], currency), "bold green")
    )
    steps = Table.grid(padding=(0, 2))
    for place, step in enumerate(explanation["text"]):
        name, colon, words = step.partition(": ")
        if place == 0:  # "USAGE: Flights, from … up to …": the heading says the rest already
            name, words = "time", words.removeprefix(f"{line['description']}, ")
        steps.add_row(Text(f"  {name}" if colon else "", style="dim"), Text(words if colon else step))
    return Group(heading, steps)
