"""Measure Tallystick: `make bench`, or `python -m tests.bench [--quick] [--json FILE] [names …]`.

Every benchmark starts what it measures as a process of its own, on a throw-away home, and checks that what
it measured was right. Prints one table; --json writes the same with machine and method.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import msgspec
from rich.console import Console

from tests.bench import bills, config, exports, flights, ingest, query, scale, start
from tests.bench.figures import Figure, Wrong, spell, table
from tests.bench.machine import Machine, this_machine
from tests.bench.options import Options

BENCHMARKS: dict[str, ModuleType] = {
    "start": start,
    "config": config,
    "ingest": ingest,
    "query": query,
    "bills": bills,
    "exports": exports,
    "flights": flights,
    "scale": scale,
}
LONG = {"scale"}
"Only measured when named."
_WIDTH = 160
FLIGHTS = "TALLYSTICK_BENCH_FLIGHTS"


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What --json writes. method: how each benchmark measures."""

    at: datetime
    quick: bool
    machine: Machine
    method: dict[str, str]
    figures: list[Figure]
    failures: dict[str, str]


def main() -> int:
    """Run the chosen benchmarks; exit 1 when one gave a wrong answer. A missed target is no failure."""
    chosen = _arguments()
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    options = Options(quick=chosen.quick, folder=chosen.folder, flights=chosen.flights)
    machine = this_machine(chosen.folder or Path(tempfile.gettempdir()))
    _say(console, machine, quick=chosen.quick)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    names = chosen.names or [name for name in BENCHMARKS if name not in LONG]
    for name in names:
        begun = time.monotonic()
        try:
            for figure in BENCHMARKS[name].run(options):
                figures.append(figure)
                console.print(f"  [dim]{figure.name}: {figure.value:,} {figure.unit}[/]")
        except Wrong as error:
            failures[name] = str(error)
            console.print(f"[red]{name} failed:[/] {error}")
        console.print(f"[bold]{name}[/] took {spell(time.monotonic() - begun)}")
    console.print()
    console.print(table(figures))
    if chosen.json:
        method = {name: (BENCHMARKS[name].__doc__ or "").strip() for name in names}
        report = Report(
            at=datetime.now(UTC),
            quick=chosen.quick,
            machine=machine,
            method=method,
            figures=figures,
            failures=failures,
        )
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"which, of {' '.join(BENCHMARKS)}; default all but {' '.join(LONG)}",
    )
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: to see that all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    parser.add_argument("--folder", type=Path, help="where homes are made: the disk that is measured")
    given = os.environ.get(FLIGHTS)
    parser.add_argument(
        "--flights",
        type=Path,
        metavar="FILE",
        default=Path(given) if given else None,
        help=f"flights-3m.parquet of the npm package vega-datasets 3.2.1; default ${FLIGHTS}",
    )
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return chosen


def _say(console: Console, machine: Machine, *, quick: bool) -> None:
    console.print(
        f"{machine.cores} cores ({machine.cpu}), {machine.memory_mib:,} MiB, Linux {machine.kernel}, "
        f"Python {machine.python}, fsync {machine.fsync_ms} ms, load {machine.load_before}"
    )
    if machine.load_before > 0.5:
        console.print("[yellow]This machine is busy with something else: the figures will be too low.[/]")
    if quick:
        console.print("[yellow]--quick: to see that everything works; too short and too small to cite.[/]")


if __name__ == "__main__":
    sys.exit(main())
