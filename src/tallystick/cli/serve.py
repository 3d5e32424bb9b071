"""`tallystick serve`: the whole server in one process."""

import os
from functools import partial
from pathlib import Path

from rich.text import Text

from tallystick.cli.output import print_json
from tallystick.cli.server import Steps, settings_with


def serve(
    *,
    home: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    json: bool = False,
) -> int:
    """Start the server: API, jobs and both engines in one process.

    Settings are environment variables, see `tallystick config`; the options win over them.
    Ctrl-C or SIGTERM answers the requests under way, then stops jobs, usage store and database.

    Parameters
    ----------
    home
        The folder of everything this server keeps.
    host
        The address to listen on; 0.0.0.0 is every one.
    port
        The port to listen on; 0 takes any free one.
    json
        Print one JSON document, `{"url", "home", "pid"}`, when it is ready.
    """
    from tallystick.cli.running import run_parts  # noqa: PLC0415 - slow to import, and a help page is quick
    from tallystick.wiring import free_port, run_server  # noqa: PLC0415 - the same

    settings = settings_with(home, host, port)
    if settings.port:
        free_port(settings.host, settings.port)  # a taken port is told before anything is started
    steps = Steps()

    def ready(url: str) -> None:
        if json:
            print_json({"url": url, "home": str(settings.home), "pid": os.getpid()})
        tell_ready(steps, url, settings.home)

    return run_parts(settings, steps, partial(run_server, ready=ready), starting="Starting to listen")


def tell_ready(steps: Steps, url: str, home: Path) -> None:
    """Say where the server is, and how to stop it."""
    steps.end()
    steps.console.print(f"\n[bold]Tallystick is ready[/] [dim]after {steps.elapsed_s:.1f} s[/]")
    for name, value in (("Address", url), ("Home", str(home)), ("Stop", "Ctrl-C")):
        steps.console.print(Text.assemble((f"  {name:9}", "dim"), value), soft_wrap=True)
    steps.console.print()
