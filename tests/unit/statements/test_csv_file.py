"""Statements as CSV (semantics §26)."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest

from tallystick.billing.line_item import LineItemType
from tallystick.statements.csv_file import write_csv
from tallystick.statements.definition import AggregationFrequency
from tallystick.statements.layout import Statement, StatementBucket, StatementLine, StatementRow

D = Decimal
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)


def statement(name: str = "Acme", **dimensions: str | None) -> Statement:
    row = StatementRow(dimensions=dimensions, quantity=D("1E+3"), units=D("0.0000001"), charge=D("-5.00"))
    bucket = StatementBucket(
        start_date=date(2024, 1, 1), start=START, end=END, units=row.units, charge=row.charge, rows=[row]
    )
    line = StatementLine(
        sequence_number=1,
        line_item_type=LineItemType.USAGE,
        description="Miles",
        service_period_start=START,
        service_period_end=END,
        quantity=row.quantity,
        units=row.units,
        unit="mi",
        subtotal=row.charge,
        currency="USD",
        conversion_rate=D(1),
        charge=row.charge,
        buckets=[bucket],
    )
    return Statement(
        bill_id="b",
        account_id="a",
        account_code="acme",
        account_name=name,
        organization_name="Vendor",
        bill_date=date(2024, 2, 1),
        start_date=date(2024, 1, 1),
        end_date=date(2024, 2, 1),
        timezone="Europe/Berlin",
        currency="USD",
        aggregation_frequency=AggregationFrequency.MONTH,
        total=row.charge,
        bill_total=row.charge,
        lines=[line],
    )


def table(made: Statement) -> dict[str, str]:
    (row,) = csv.DictReader(StringIO(write_csv(made).decode()))
    return row


def test_numbers_are_written_out_and_instants_are_local() -> None:
    row = table(statement(destination=None))
    assert (row["quantity"], row["units"], row["charge"]) == ("1000", "0.0000001", "-5.00")
    assert (row["start"], row["end"]) == ("2024-01-01T01:00:00+01:00", "2024-02-01T01:00:00+01:00")
    assert row["dimension.destination"] == ""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_texts_are_never_formulas(text: str) -> None:
    row = table(statement(text, destination=text))
    assert row["accountName"] == row["dimension.destination"] == f"'{text}"


@pytest.mark.parametrize("text", ['a "quoted", name', "two\nlines", "株式会社", "it's"])
def test_any_other_text_stands_as_it_is(text: str) -> None:
    assert table(statement(text))["accountName"] == text
