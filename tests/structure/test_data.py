"""The demo's usage is what data/README.md says it is."""

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.structure.source import TOP

EXTRACT = TOP / "data" / "flights-20k.parquet"
README = (TOP / "data" / "README.md").read_text("utf-8")


def test_sums() -> None:
    flights = pq.read_table(EXTRACT)
    months = {date.strftime("%Y-%m") for date in flights["date"].to_pylist()}
    assert months == {"2001-01"}
    assert flights.num_rows == 20_000
    assert pc.sum(flights["distance"]).as_py() == 14_570_172
    assert pc.sum(flights["delay"]).as_py() == 128_998
    assert pc.sum(pc.greater_equal(flights["delay"], 0)).as_py() == 9_893
    assert "| 2001-01 | 20,000 | 14,570,172 | 128,998 | 9,893 |" in README


@pytest.mark.parametrize(
    ("account", "flights", "miles"),
    [("ORD", 1099, 855323), ("DFW", 1052, 813918), ("ATL", 846, 556066), ("BQN", 1, 1585)],
)
def test_accounts(account: str, flights: int, miles: int) -> None:
    rows = pq.read_table(EXTRACT, filters=[("origin", "=", account)])
    assert (rows.num_rows, pc.sum(rows["distance"]).as_py()) == (flights, miles)
    assert account in README
