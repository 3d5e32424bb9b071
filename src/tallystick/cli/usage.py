"""`tallystick admin usage …`: measure stored usage and drop old months, with or without a running server."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
import msgspec
from rich.prompt import Confirm

from tallystick.billing.usage_retention import Dropping
from tallystick.cli.admin import opened, server_url
from tallystick.cli.client import TIMEOUT, refusal
from tallystick.cli.errors import CommandError
from tallystick.cli.output import counted, on_error, on_output, print_json, table
from tallystick.cli.server import settings_with
from tallystick.platform.home import HomeLocked
from tallystick.platform.settings import Settings
from tallystick.platform.signed_urls import SignedUrls
from tallystick.usage.upkeep import UsageStats
from tallystick.wiring import open_usage_retention, operator_urls

LIFETIME = timedelta(minutes=1)
OPERATOR = "/operator/usage"
"Where a server answers who can sign with its secret."
T = TypeVar("T")


class Retention(Protocol):
    """What both ways to the usage store can do."""

    def stats(self) -> UsageStats:
        """Measure the store."""
        ...

    def plan(self, before: date) -> Dropping:
        """Tell what dropping would drop."""
        ...

    def drop(self, before: date) -> Dropping:
        """Drop it."""
        ...


class ByServer:
    """Asks the server that holds the home, with links signed by the secret in it."""

    def __init__(self, url: str, urls: SignedUrls) -> None:
        self._url, self._urls = url, urls

    def stats(self) -> UsageStats:
        """Measure the store."""
        return self._ask("GET", OPERATOR, UsageStats)

    def plan(self, before: date) -> Dropping:
        """Tell what dropping would drop."""
        return self._ask("GET", f"{OPERATOR}/before/{before}", Dropping)

    def drop(self, before: date) -> Dropping:
        """Drop it."""
        return self._ask("POST", f"{OPERATOR}/before/{before}/drop", Dropping)

    def _ask(self, method: str, path: str, answer: type[T]) -> T:
        try:
            told = httpx.request(
                method, self._url + self._urls.sign(path, LIFETIME), timeout=TIMEOUT, trust_env=False
            )
        except httpx.TransportError as error:
            raise CommandError(
                f"The server that holds this home does not answer at {self._url}: {error}.",
                hint="Name its address with TALLYSTICK_HOST and TALLYSTICK_PORT, or stop it first.",
            ) from error
        if told.is_error:
            raise refusal(told)
        return msgspec.json.decode(told.content, type=answer)


def stats(*, home: Path | None = None, json: bool = False) -> None:
    """Tell how much usage is stored: measurements, bytes and parts, by month and organization.

    Works on the home itself, or through the server that runs on it.

    Parameters
    ----------
    home
        The folder of the server.
    json
        Print one JSON document.
    """
    with _retention(settings_with(home)) as retention:
        found = retention.stats()
    if json:
        print_json(msgspec.to_builtins(found, builtin_types=(date,), str_keys=True))
        return
    console = on_output()
    each = f", {found.bytes_per_event} bytes each" if found.bytes_per_event is not None else ""
    console.print(f"{counted(found.rows, 'measurement')} in {size(found.bytes_on_disk)}{each}")
    if not found.months:
        return
    months = [(m.month, f"{m.rows:,}", size(m.bytes_on_disk), f"{m.parts:,}") for m in found.months]
    console.print(
        table(
            "\nBy month",
            ("Month", "Measurements", "On disk", "Parts"),
            months,
            "Measurements, On disk, Parts",
        )
    )
    organizations = [(o.org_id, o.month, f"{o.rows:,}") for o in found.organizations]
    console.print(
        table("\nBy organization", ("Organization", "Month", "Measurements"), organizations, "Measurements")
    )


def drop_before(before: date, *, yes: bool = False, home: Path | None = None, json: bool = False) -> None:
    """Drop the usage of all organizations in the whole months before a date, for good.

    Refused while a pending bill would lose the usage that it is made of. What was billed keeps its
    amounts, but can no longer be recalculated or verified.

    **Example:** `tallystick admin usage drop-before 2024-01-01`

    Parameters
    ----------
    before
        The first date to keep, such as 2024-01-01; within a month, the whole month stays.
    yes
        Do not ask.
    home
        The folder of the server.
    json
        Print one JSON document.
    """
    with _retention(settings_with(home)) as retention:
        plan = retention.plan(before)
        if plan.months:
            _tell(plan)
            if not yes and not _confirmed():
                raise CommandError("Nothing was dropped.")
            plan = retention.drop(before)
    if json:
        print_json(msgspec.to_builtins(plan))
    elif plan.months:
        on_output().print(f"Dropped {counted(plan.rows, 'measurement')}, {size(plan.bytes_on_disk)}.")
    else:
        on_output().print(f"There is no usage before {plan.before}.")


def size(count: int) -> str:
    """Write a number of bytes: 1.2 MB."""
    if count < 1000:  # noqa: PLR2004 - the next unit
        return f"{count} B"
    unit = next(u for u in range(1, 6) if count < 1000 ** (u + 1) or u == 5)  # noqa: PLR2004 - the largest
    whole, tenths = divmod(count * 10 // 1000**unit, 10)
    return f"{whole:,}.{tenths} {'kMGTP'[unit - 1]}B"


def _tell(plan: Dropping) -> None:
    console = on_error()
    rows = [(m.month, f"{m.rows:,}", size(m.bytes_on_disk)) for m in plan.months]
    title = f"Usage of all organizations before {plan.before}"
    console.print(table(title, ("Month", "Measurements", "On disk"), rows, "Measurements, On disk"))


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked here.", hint="Say --yes to drop it.")
    return Confirm.ask("Drop it for good?", console=on_error(), default=False)


@contextmanager
def _retention(settings: Settings) -> Iterator[Retention]:
    """Open the usage store; where a server holds the home, through that server."""
    with ExitStack() as stack:
        retention: Any
        try:
            retention = stack.enter_context(open_usage_retention(stack.enter_context(opened(settings))))
        except HomeLocked as error:
            on_error().print(f"  A server runs on this home (process {error.facts['pid']}): asking it.")
            retention = ByServer(server_url(settings), operator_urls(settings))
        yield retention
