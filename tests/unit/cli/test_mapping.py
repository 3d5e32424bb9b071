from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tallystick.cli.errors import CommandError
from tallystick.cli.sending.mapping import BadRow, Columns, Mapper, read_fields

ROW = {"account": "acme", "meter": "api", "ts": "2024-01-31T12:00:00Z"}


def mapped(row: dict[str, Any], columns: Columns = Columns(), number: int = 7) -> dict[str, Any]:  # noqa: B008 - frozen
    return Mapper(columns, "print")(number, row)


def test_columns_named_as_in_the_console_need_no_mapping() -> None:
    row = ROW | {
        "uid": "u1",
        "measure.num_apps": "1.50",
        "where.region": "EU",
        "note": "x",
        "measure.none": "",
    }
    assert mapped(row) == {
        "uid": "u1",
        "meter": "api",
        "account": "acme",
        "ts": "2024-01-31T12:00:00Z",
        "measure": {"num_apps": Decimal("1.50")},
        "where": {"region": "EU"},
    }


def test_other_columns_are_named_by_options() -> None:
    fields = (*read_fields("measure", ["distance, late=delay"]), *read_fields("where", ["to"]))
    columns = Columns(meter="flight", account="origin", ts="date", fields=fields)
    row = {"origin": "ORD", "date": datetime(2001, 1, 1, 6, 30), "distance": 802, "delay": -3, "to": "JFK"}  # noqa: DTZ001 - as Parquet gives it
    assert mapped(row, columns) == {
        "uid": "print-7",
        "meter": "flight",
        "account": "ORD",
        "ts": "2001-01-01T06:30:00Z",
        "measure": {"distance": 802, "late": -3},
        "where": {"to": "JFK"},
    }


def test_rows_that_are_measurements_already_stay_what_they_are() -> None:
    nested = ROW | {"measure": {"n": Decimal("0.1")}, "who": {"user": "u"}, "measure.m": 2}
    made = mapped(nested)
    assert (made["measure"], made["who"]) == ({"m": 2, "n": Decimal("0.1")}, {"user": "u"})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param("2024-01-31 12:00", "2024-01-31T12:00:00Z", id="without an offset it is UTC"),
        pytest.param("2024-01-31T12:00:00+02:00", "2024-01-31T10:00:00Z", id="an offset is taken off"),
        pytest.param("2024-01-31", "2024-01-31T00:00:00Z", id="a date is its midnight"),
        pytest.param(
            datetime(2024, 1, 31, 1, 2, 3, 4000, UTC), "2024-01-31T01:02:03.004000Z", id="fractions stay"
        ),
        pytest.param(
            datetime(2024, 1, 31, tzinfo=timezone(timedelta(hours=-5))),
            "2024-01-31T05:00:00Z",
            id="typed zones",
        ),
    ],
)
def test_instants(given: object, sent: str) -> None:
    assert mapped(ROW | {"ts": given})["ts"] == sent


@pytest.mark.parametrize(
    ("given", "sent"),
    [("1.10", "1.10"), (" 7 ", "7"), ("-1e3", "-1E+3"), (0.1, "0.1"), (3, "3"), (Decimal("2.50"), "2.50")],
)
def test_numbers_keep_their_digits(given: object, sent: str) -> None:
    assert str(mapped(ROW | {"measure.n": given})["measure"]["n"]) == sent


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"measure.n": "abc"}, "measure.n: 'abc' is not a number"),
        ({"measure.n": "nan"}, "measure.n: 'nan' is not a number"),
        ({"ts": "yesterday"}, "ts: 'yesterday' is not a date and time"),
        ({"ts": None}, "ts: the time is missing"),
        ({"account": ""}, "account: the account's code is missing"),
    ],
)
def test_a_bad_row_says_which_value(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRow, match=says):
        mapped(ROW | change)


def test_a_missing_column_names_those_there_are() -> None:
    with pytest.raises(CommandError, match="no column meter for the meter; the columns are account, ts"):
        mapped({"account": "a", "ts": "2024-01-01"})
    with pytest.raises(CommandError, match="no column size; the columns are"):
        mapped(ROW, Columns(fields=(("measure", "size", "size"),)))


def test_the_same_columns_in_another_order_are_the_same_mapping() -> None:
    one, other = (Columns(fields=tuple(read_fields("measure", [text]))) for text in ("a,b", "b,a"))
    assert one.settings() == other.settings()
    assert one.settings() != Columns(meter="m", fields=one.fields).settings()
