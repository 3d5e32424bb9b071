"""Make flights-20k.parquet from the full flights-3m.parquet of the npm package vega-datasets 3.2.1.

    python data/make_extract.py path/to/flights-3m.parquet [path/of/the/extract]

All flights of January 2001 are sorted by every column, and of these 508,239 the rows at places
0, 1·n/20000, 2·n/20000 … (rounded down) are kept: exactly 20,000, spread evenly over the month's
minutes and so over its airports by their size. Sorting first makes the choice independent of the
order in the source file; the same source gives the same rows, and they are kept in that order.
"""

import sys
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS = 20_000
START, END = datetime(2001, 1, 1), datetime(2001, 2, 1)  # noqa: DTZ001 - the source has local times without a zone
SORTED_BY = ["date", "origin", "destination", "distance", "delay"]
SCHEMA = pa.schema(
    [
        ("date", pa.timestamp("ms")),
        ("delay", pa.int32()),
        ("distance", pa.int32()),
        ("origin", pa.string()),
        ("destination", pa.string()),
    ]
)


def extract(flights: pa.Table) -> pa.Table:
    """Keep 20,000 evenly spread flights of January 2001."""
    dates = flights["date"]
    month = flights.filter(pc.and_(pc.greater_equal(dates, START), pc.less(dates, END)))
    month = month.sort_by([(column, "ascending") for column in SORTED_BY])
    places = [place * month.num_rows // ROWS for place in range(ROWS)]
    return month.take(places).select(SCHEMA.names).cast(SCHEMA).combine_chunks()


def main(source: Path, target: Path) -> None:
    """Write the extract and print the sums that README.md states."""
    flights = extract(pq.read_table(source))
    pq.write_table(flights, target, compression="zstd", compression_level=19, store_schema=False)
    accounts = flights.group_by("origin").aggregate([("distance", "count"), ("distance", "sum")])
    accounts = accounts.sort_by([("distance_count", "descending"), ("origin", "ascending")])
    print(f"{flights.num_rows} flights, {pc.sum(flights['distance'])} miles, {accounts.num_rows} airports")
    for row in accounts.slice(0, 10).to_pylist():
        print(row["origin"], row["distance_count"], row["distance_sum"])


if __name__ == "__main__":
    beside = str(Path(__file__).parent / "flights-20k.parquet")
    main(*(Path(path) for path in [*sys.argv[1:], beside][:2]))
