"""`tallystick serve`: the whole server in one process."""

import os
from pathlib import Path

from rich.text import Text

from tallystick.cli.output import print_json
from tallystick.cli.server import Signals, Steps, finish_undisturbed, settings_with


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
    from tallystick.platform.log import configure_logging  # noqa: PLC0415 - slow to import, and a help page is quick
    from tallystick.wiring import (  # noqa: PLC0415 - the same
        free_port,
        open_platform,
        open_services,
        run_server,
        run_until_done,
        stop_on_signals,
    )

    settings = settings_with(home, host, port)
    configure_logging(settings.log_level, settings.log_format)
    if settings.port:
        free_port(settings.host, settings.port)  # a taken port is told before anything is started
    steps = Steps()

    def ready(url: str) -> None:
        if json:
            print_json({"url": url, "home": str(settings.home), "pid": os.getpid()})
        tell_ready(steps, url, settings.home)

    async def run() -> None:
        stop = stop_on_signals()
        if signals.arrived:
            stop.set()
        await run_server(platform, services, ready=ready, stop=stop)
        steps("Answering what was under way")

    try:
        with (
            Signals(steps) as signals,
            open_platform(settings, step=signals.step) as platform,
            open_services(platform, step=signals.step) as services,
        ):
            signals.step("Starting to listen")
            run_until_done(run())
            finish_undisturbed()
            steps("Stopping the usage store and the database")
    except KeyboardInterrupt:  # before it was ready
        steps.console.print("Stopped before it was ready.")
        return 0
    steps.end()
    steps.console.print("Stopped.")
    return 0


def tell_ready(steps: Steps, url: str, home: Path) -> None:
    """Say where the server is, and how to stop it."""
    steps.end()
    steps.console.print(f"\n[bold]Tallystick is ready[/] [dim]after {steps.elapsed_s:.1f} s[/]")
    for name, value in (("Address", url), ("Home", str(home)), ("Stop", "Ctrl-C")):
        steps.console.print(Text.assemble((f"  {name:9}", "dim"), value), soft_wrap=True)
    steps.console.print()
