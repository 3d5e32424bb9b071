"""Sending one file: what `tallystick ingest` and the demo share."""

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tallystick.cli.client import Client, Refused
from tallystick.cli.errors import CommandError
from tallystick.cli.sending.batches import Batch, batches, in_order
from tallystick.cli.sending.files import Source, rows_of
from tallystick.cli.sending.mapping import BadRow, Columns, Mapper
from tallystick.cli.sending.state import Progress, ProgressFile

SAVE_EVERY_S = 0.5
MOST_TOLD = 10
BAD_REQUEST = 400
_INDEX = re.compile(r"^measurements\[(\d+)\]\.?")

Advance = Callable[[int], None]
"Hears the number of the last row that is known to have arrived."


@dataclass
class Sent:
    """What came of it. rows: read so far, those of earlier runs included. bad_rows: the first few of them."""

    progress: Progress
    resumed_at: int
    seconds: float = 0.0
    rows_read: int = 0
    without_uid: int = 0
    "Rows that cannot be told apart when they are sent again."
    bad_rows: list[str] = field(default_factory=list)
    bad_ahead: deque[int] = field(default_factory=deque)
    "Bad rows beyond what is known to have arrived."

    def arrived(self, row: int) -> None:
        """Note that all rows up to this one are done with."""
        self.progress.rows = row
        while self.bad_ahead and self.bad_ahead[0] <= row:
            self.bad_ahead.popleft()
            self.progress.left_out += 1


@dataclass(frozen=True)
class Sending:
    """How to send: the mapping, the requests under way at a time, whether bad rows may be left out."""

    columns: Columns
    in_flight: int = 4
    skip_bad: bool = False
    again: bool = False
    remember: bool = True
    "Keep the progress in a file, so that a second run continues."


def send_file(client: Client, source: Source, how: Sending, advance: Advance = lambda _: None) -> Sent:
    """Send a file's rows that have not arrived yet. Raises CommandError, Refused; the progress is kept.

    Rows without a uid of their own get one from the content of the file, the mapping and the row's number,
    so a row sent twice is counted once.
    """
    fingerprint = fingerprint_of(source, how.columns)
    kept = ProgressFile(fingerprint, client.connection) if fingerprint and how.remember else None
    progress = kept.load() if kept and not how.again else Progress()
    progress.file = source.name
    sent = Sent(progress, resumed_at=progress.rows)
    if progress.finished:
        return sent
    begun = saved = time.monotonic()
    mapper = Mapper(how.columns, fingerprint[:24] if fingerprint else None)
    try:
        for batch in in_order(
            batches(_measurements(source, mapper, sent, how)), _sender(client), how.in_flight
        ):
            sent.arrived(batch.last_row)
            progress.accepted += len(batch.rows)
            advance(batch.last_row)
            if kept and time.monotonic() - saved > SAVE_EVERY_S:
                kept.save(progress)
                saved = time.monotonic()
        sent.arrived(sent.rows_read)
        progress.finished = True
    finally:
        sent.seconds = time.monotonic() - begun
        if kept:
            kept.save(progress)
    return sent


def fingerprint_of(source: Source, columns: Columns) -> str:
    """Identify a file under a mapping; "" where the content is not known beforehand."""
    if not source.fingerprint:
        return ""
    return hashlib.sha256(f"{source.fingerprint}|{columns.settings()}".encode()).hexdigest()


def _measurements(
    source: Source, mapper: Mapper, sent: Sent, how: Sending
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in enumerate(rows_of(source), 1):
        sent.rows_read = number
        if number <= sent.resumed_at:
            continue
        try:
            measurement = mapper(number, row)
        except BadRow as error:
            told = f"row {number:,}: {error}"
            if not how.skip_bad:
                hint = "Mend it and run the command again, or leave such rows out with --skip-bad."
                raise CommandError(f"{source.name}, {told}.", hint=hint) from error
            sent.bad_ahead.append(number)
            if len(sent.bad_rows) < MOST_TOLD:
                sent.bad_rows.append(told)
        else:
            sent.without_uid += "uid" not in measurement
            yield number, measurement


def _sender(client: Client) -> Callable[[Batch], None]:
    def send(batch: Batch) -> None:
        try:
            client.call("POST", "measurements", body=batch.body, repeatable=True)
        except Refused as error:
            raise _by_row(error, batch) if error.status == BAD_REQUEST else error from None

    return send


def _by_row(error: Refused, batch: Batch) -> CommandError:
    """Tell a refusal by the file's rows instead of the request's places."""

    def told(place: str) -> str:
        match = _INDEX.match(place)
        return f"row {batch.rows[int(match[1])]:,} {place[match.end() :]}".rstrip() if match else place

    lines = [f"  {told(p.field)}: {p.message}" for p in error.problems[:MOST_TOLD]]
    more = len(error.problems) - len(lines)
    if more > 0:
        lines.append(f"  and {more:,} more")
    what = "\n".join(["The server takes some rows in no form:", *lines]) if lines else error.message
    return CommandError(
        what, hint="All rows before are stored. Mend these and run the command again.", code=error.code
    )
