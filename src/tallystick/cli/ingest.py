"""`tallystick ingest FILE`: send usage with a progress bar, resumable and idempotent."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from cyclopts import Group, Parameter, validators
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.output import counted, on_error, on_output, print_json
from tallystick.cli.profile import NOWHERE, Connection, resolve
from tallystick.cli.sending.files import Source, look_at
from tallystick.cli.sending.mapping import CATEGORIES, Columns, read_fields
from tallystick.cli.sending.run import Sending, Sent, send_file

REJECTED = "ingest.validation.failure"
MOST_MESSAGES, MOST_LINKS = 5, 3
WORTH_A_RATE = 1000
_GROUP = Group("Which column is what", sort_key=10)
Names = tuple[str, ...]


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class Mapped:
    """How columns become measurements; columns named uid, account, ts, `measure.code` … need no option.

    Parameters
    ----------
    meter
        The meter's code, for all rows.
    meter_column
        The column of the meter's code.
    account_column
        The column of the account's code.
    ts_column
        The column of the time; without an offset it is UTC.
    ets_column
        The column of the time it ended.
    uid_column
        The column of the unique id; rows without one get it from the file's content and their number.
    measure
        Columns of MEASURE fields: `distance,delay`, or `code=column`.
    income
        Columns of INCOME fields.
    cost
        Columns of COST fields.
    who
        Columns of WHO fields.
    where
        Columns of WHERE fields.
    what
        Columns of WHAT fields.
    other
        Columns of OTHER fields.
    metadata
        Columns of METADATA fields.
    """

    meter: str = ""
    meter_column: str = "meter"
    account_column: str = "account"
    ts_column: str = "ts"
    ets_column: str = "ets"
    uid_column: str = "uid"
    measure: Names = ()
    income: Names = ()
    cost: Names = ()
    who: Names = ()
    where: Names = ()
    what: Names = ()
    other: Names = ()
    metadata: Names = ()


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """How to send.

    Parameters
    ----------
    in_flight
        Requests under way at a time.
    skip_bad
        Leave rows out that cannot become measurements, instead of stopping.
    again
        Send from the first row, even what is known to have arrived.
    """

    in_flight: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))] = 4
    skip_bad: bool = False
    again: bool = False


BY_NAME, CAREFULLY = Mapped(), Manner()


def ingest(
    file: Path,
    *,
    mapped: Mapped = BY_NAME,
    manner: Manner = CAREFULLY,
    json: bool = False,
    connection: Connection = NOWHERE,
) -> None:
    """Send a file of usage: CSV, JSON lines or Parquet, told by its name; `-` takes JSON lines from a pipe.

    Run it again after an interruption and it continues; sending a row twice counts it once.

    **Example:** `tallystick ingest flights.parquet --meter flight --account-column origin --ts-column date
    --measure distance,delay --where destination`

    Parameters
    ----------
    file
        The file, or `-`.
    json
        Print one JSON document.
    """
    source = look_at(file)
    how = Sending(columns_of(mapped), manner.in_flight, skip_bad=manner.skip_bad, again=manner.again)
    with Client(resolve(connection), patience_s=120, connections=how.in_flight + 1) as client:
        before = _newest_rejection(client)
        with RowsBar(source) as bar:
            try:
                sent = send_file(client, source, how, bar.advance)
            except KeyboardInterrupt:
                on_error().print("Stopped. Run the same command again to continue.")
                raise
        rejected = _rejections(client, before)
    report(source, sent, rejected, as_json=json)


def columns_of(mapped: Mapped) -> Columns:
    """Read the options of the mapping. Raises CommandError."""
    fields = [f for category in CATEGORIES for f in read_fields(category, getattr(mapped, category))]
    return Columns(
        meter=mapped.meter,
        meter_column=mapped.meter_column,
        account=mapped.account_column,
        ts=mapped.ts_column,
        ets=mapped.ets_column,
        uid=mapped.uid_column,
        fields=tuple(fields),
    )


class _Rate(TextColumn):
    """Rows a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.finished_speed or task.speed or 0):,} rows/s", style="dim")


class RowsBar:
    """A progress bar of rows on standard error; where that is no terminal, nothing moves."""

    def __init__(self, source: Source, label: str = "") -> None:
        console = on_error()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(label or source.file.name, total=source.rows or None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, row: int) -> None:
        """Move to a row."""
        self._bar.update(self._task, completed=row)


def report(source: Source, sent: Sent, rejected: list[Any], *, as_json: bool) -> None:
    """Print what came of it."""
    progress = sent.progress
    seconds = max(sent.seconds, 0.001)
    here = progress.rows - sent.resumed_at
    if as_json:
        print_json(
            {
                "file": source.name,
                "rows": progress.rows,
                "accepted": progress.accepted,
                "leftOut": progress.left_out,
                "sentNow": here,
                "resumedAtRow": sent.resumed_at,
                "seconds": round(sent.seconds, 3),
                "rejectionEvents": [event["id"] for event in rejected],
            }
        )
        return
    console = on_output()
    if here == 0 and sent.resumed_at:
        console.print(
            f"{source.name}: all {progress.rows:,} rows arrived before, so there is nothing to send"
            " (--again sends them again)."
        )
        return
    rate = f", {int(here / seconds):,} rows/s" if here >= WORTH_A_RATE else ""
    console.print(
        f"[bold]{counted(progress.accepted, 'measurement')} accepted[/] from {source.name}"
        f" [dim]in {seconds:.1f} s{rate}[/]"
    )
    if sent.resumed_at:
        console.print(f"  continued after row {sent.resumed_at:,}")
    if progress.left_out:
        console.print(f"  [yellow]{counted(progress.left_out, 'bad row')} left out[/]; the first:")
        for told in sent.bad_rows:
            console.print(f"    {told}", markup=False)
    if sent.without_uid:
        console.print("  Rows without a uid: sending them again counts them again.", style="yellow")
    _report_rejections(console, rejected)


def _report_rejections(console: Any, rejected: list[Any]) -> None:
    """Sum up what the events say that came while this ran; another sender's may be among them."""
    facts = [event["m3terEvent"]["eventData"] for event in rejected]
    types: Counter[str] = Counter()
    for each in facts:
        types.update(each.get("countsByType", {}))
    if not types:
        return
    told = ", ".join(f"{kind} {count:,}" for kind, count in types.most_common())
    console.print(f"  [yellow]{types.total():,} rejected meanwhile[/]: {told}", soft_wrap=True)
    messages = dict.fromkeys(message for each in facts for message in each.get("messages", ()))
    for message in list(messages)[:MOST_MESSAGES]:
        console.print(f"    {message}", markup=False, soft_wrap=True)
    console.print("  Each of them with its reason can be downloaded; a link is given by")
    for each in facts[:MOST_LINKS]:
        console.print(f"    GET {each.get('getDownloadUrl', '')}", markup=False, soft_wrap=True)
    if len(facts) > MOST_LINKS:
        console.print(
            f"    and {len(facts) - MOST_LINKS} more: GET …/events?eventName={REJECTED}", markup=False
        )


def _newest_rejection(client: Client) -> str:
    page = client.get("events", eventName=REJECTED, pageSize=1)
    return page["data"][0]["id"] if page["data"] else ""


def _rejections(client: Client, before: str) -> list[Any]:
    """Read the newest events about rejected measurements, down to the one that was the newest before."""
    found: list[Any] = []
    try:
        page = client.get("events", eventName=REJECTED, pageSize=100)
    except CommandError:
        return found  # what was sent has arrived all the same
    for event in page["data"]:
        if event["id"] == before:
            break
        found.append(event)
    return found
