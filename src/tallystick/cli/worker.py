"""`tallystick worker`: jobs only, beside servers on the same external engines."""

from pathlib import Path

from tallystick.cli.errors import CommandError
from tallystick.cli.server import Signals, Steps, finish_undisturbed, settings_with
from tallystick.platform.settings import Settings


def worker(*, home: Path | None = None) -> int:
    """Run jobs only, beside servers on the same external engines.

    Needs TALLYSTICK_DATABASE_URL and TALLYSTICK_CLICKHOUSE_URL: the embedded engines belong to one process,
    and `tallystick serve` already runs the jobs there.

    Parameters
    ----------
    home
        A folder of this worker's own, not the server's.
    """
    settings = settings_with(home)
    refuse_embedded(settings)
    from tallystick.platform.log import configure_logging  # noqa: PLC0415 - a refusal and a help page are quick
    from tallystick.wiring import open_platform, open_services, run_until_done, run_worker, stop_on_signals  # noqa: PLC0415 - the same

    configure_logging(settings.log_level, settings.log_format)
    steps = Steps()

    def ready() -> None:
        steps.end()
        steps.console.print(f"Waiting for jobs. Home {settings.home}. Ctrl-C stops after the jobs under way.")

    async def run() -> None:
        stop = stop_on_signals()
        if signals.arrived:
            stop.set()
        await run_worker(platform, services, ready=ready, stop=stop)

    with (
        Signals(steps) as signals,
        open_platform(settings, step=signals.step) as platform,
        open_services(platform, step=signals.step) as services,
    ):
        signals.step("Starting to take jobs")
        run_until_done(run())
        finish_undisturbed()
    steps.end()
    steps.console.print("Stopped.")
    return 0


def refuse_embedded(settings: Settings) -> None:
    """Refuse a worker on an embedded engine. Raises CommandError."""
    urls = {
        "TALLYSTICK_DATABASE_URL": settings.database_url,
        "TALLYSTICK_CLICKHOUSE_URL": settings.clickhouse_url,
    }
    missing = [name for name, url in urls.items() if not url]
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        raise CommandError(
            f"A worker of its own needs both engines outside, and {' and '.join(missing)} {verb} not set.",
            hint="The embedded engines belong to one process: `tallystick serve`, which runs the jobs too.",
        )
