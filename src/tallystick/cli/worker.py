"""`tallystick worker`: jobs only, beside servers on the same external engines."""

from functools import partial
from pathlib import Path

from tallystick.cli.errors import CommandError
from tallystick.cli.server import Steps, settings_with
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
    from tallystick.cli.running import run_parts  # noqa: PLC0415 - a refusal and a help page are quick
    from tallystick.wiring import run_worker  # noqa: PLC0415 - the same

    steps = Steps()

    def ready() -> None:
        steps.end()
        steps.console.print(f"Waiting for jobs. Home {settings.home}. Ctrl-C stops after the jobs under way.")

    return run_parts(settings, steps, partial(run_worker, ready=ready), starting="Starting to take jobs")


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
