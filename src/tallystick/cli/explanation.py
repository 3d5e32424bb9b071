"""How a line came to be, laid out to be read."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tallystick.cli.output import money


def explanation_view(line: dict[str, Any], explanation: Any) -> RenderableType:
    """Make the derivation of a line: a heading with its amount, then the steps in the server's words."""
    amount = money(line["convertedSubtotal"])
    heading = Text.assemble((line["description"], "bold"), ("  ", ""), (amount, "bold"))
    return Group(heading, *(Text(f"  {step}") for step in steps_of(explanation)))


def steps_of(explanation: Any) -> list[str]:
    """Give the steps of an explanation as lines of text."""
    words = explanation.get("text") or explanation.get("steps") or []
    lines = words.splitlines() if isinstance(words, str) else words
    return [str(line) for line in lines]
