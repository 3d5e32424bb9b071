"""The demo's usage: the file, and what it must come to, computed from the file alone."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from tallystick.cli.demo.prices import ACCESS, FLIGHT_TIERS, MILE_TIERS, Tier
from tallystick.cli.errors import CommandError

NAME = "flights-20k.parquet"
INSTALLED = Path(__file__).parent / NAME
"In the repository a link to data/; a wheel carries the file itself."
COLUMNS = ("date", "origin", "destination", "distance", "delay")
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Expected:
    """What one airport owes for one month."""

    flights: int
    miles: int

    @property
    def for_flights(self) -> Decimal:
        """The amount of the flights' line."""
        return tiered(self.flights, FLIGHT_TIERS)

    @property
    def for_miles(self) -> Decimal:
        """The amount of the miles' line."""
        return tiered(self.miles, MILE_TIERS)

    @property
    def total(self) -> Decimal:
        """The bill's total."""
        return ACCESS + self.for_flights + self.for_miles


@dataclass(frozen=True)
class Flights:
    """What is in the file. expected: by month (2001-01) and airport; airports: by code."""

    file: Path
    rows: int
    airports: list[str]
    expected: dict[str, dict[str, Expected]]

    @property
    def months(self) -> list[str]:
        """The months with flights, in order."""
        return sorted(self.expected)


def find_flights(given: Path | None) -> Path:
    """Give the file to use: the one given, or the one installed with this. Raises CommandError."""
    place = given or INSTALLED
    if given or place.is_file():
        return place
    raise CommandError(
        f"The demo's usage, {NAME}, was not installed.", hint="Name a file of flights with --flights."
    )


def read_flights(file: Path) -> Flights:
    """Add the file up, with pyarrow and nothing of Tallystick's. Raises CommandError."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and a help page is quick
    import pyarrow.compute as pc  # noqa: PLC0415 - the same
    import pyarrow.parquet as pq  # noqa: PLC0415 - the same

    try:
        table = pq.read_table(file, columns=list(COLUMNS))
    except (OSError, pa.ArrowInvalid) as error:
        raise CommandError(f"{file} cannot be read as flights: {error}") from error
    months = pc.strftime(table["date"], "%Y-%m")
    sums = table.append_column("month", months).group_by(["month", "origin"])
    expected: dict[str, dict[str, Expected]] = {}
    for row in sums.aggregate([("distance", "count"), ("distance", "sum")]).to_pylist():
        airport = Expected(row["distance_count"], row["distance_sum"])
        expected.setdefault(row["month"], {})[row["origin"]] = airport
    airports: list[Any] = pc.unique(table["origin"]).to_pylist()
    return Flights(file, table.num_rows, sorted(airports), expected)


def tiered(quantity: int, tiers: tuple[Tier, ...]) -> Decimal:
    """Price a quantity tier by tier and round to cents, half up. Written apart from `rating` on purpose."""
    amount = Decimal(0)
    for place, (start, price) in enumerate(tiers):
        end = tiers[place + 1][0] if place + 1 < len(tiers) else quantity
        amount += max(min(quantity, end) - start, 0) * price
    return amount.quantize(CENT, ROUND_HALF_UP)
