"""`tallystick config`: the effective settings."""

import msgspec

from tallystick.cli.output import on_output, print_json
from tallystick.cli.server import settings_with


def config(*, json: bool = False) -> None:
    """Show the effective settings, secrets masked.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    rows = settings_with().describe()
    if json:
        print_json(msgspec.to_builtins(rows))
        return
    console = on_output()
    for row in rows:
        value = row.value or "-"
        source = "[green]set[/]    " if row.source == "environment" else "[dim]default[/]"
        console.print(f"[bold]{row.name:28}[/] {source}  ", end="")
        console.print(value, markup=False, soft_wrap=True)
        console.print(f"  [dim]{row.meaning}[/]", soft_wrap=True)
