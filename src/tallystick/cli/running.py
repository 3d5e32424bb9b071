"""Runs the parts of a server until a signal comes. Slow to import: commands do it when they are called."""

from collections.abc import Callable, Coroutine
from typing import Any

from tallystick.cli.server import Signals, Steps, finish_undisturbed
from tallystick.platform.log import configure_logging
from tallystick.platform.settings import Settings
from tallystick.wiring import open_platform, open_services, run_until_done, stop_on_signals


def run_parts(
    settings: Settings, steps: Steps, run: Callable[..., Coroutine[Any, Any, None]], *, starting: str
) -> int:
    """Open the parts, run until a signal comes, and close them.

    run: called with platform, services and `stop`, an event. starting: what the step before it is called.
    """
    configure_logging(settings.log_level, settings.log_format)

    async def until_stopped() -> None:
        stop = stop_on_signals()
        if signals.arrived:
            stop.set()
        await run(platform, services, stop=stop)
        steps("Finishing what was under way")

    try:
        with (
            Signals(steps) as signals,
            open_platform(settings, step=signals.step) as platform,
            open_services(platform, step=signals.step) as services,
        ):
            signals.step(starting)
            run_until_done(until_stopped())
            finish_undisturbed()
            steps("Closing the usage store and the database")
    except KeyboardInterrupt:  # before it was ready
        steps.console.print("Stopped before it was ready.")
        return 0
    steps.end()
    steps.console.print("Stopped.")
    return 0
