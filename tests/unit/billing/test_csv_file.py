"""How large a download of bills may be (semantics §22)."""

from datetime import UTC, datetime

import pytest

from tallystick.billing import csv_file
from tallystick.billing.csv_file import XERO_COLUMNS, ExternalSystem, Wanted, check_size, csv_pieces
from tallystick.billing.errors import TooManyBillsToDownload
from tallystick.kernel.spreadsheet import cell_text
from tests.unit.billing.conftest import FEB, JAN, MAR, Books


@pytest.mark.parametrize(
    ("text", "shown"), [("=A1", "'=A1"), ("+1", "'+1"), ("@x", "'@x"), ("a=1", "a=1"), ("", ""), (None, "")]
)
def test_no_text_becomes_a_formula(text: str | None, shown: str) -> None:
    assert cell_text(text) == shown


def test_a_span_is_short_or_the_bills_are_few(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        books.account(f"a{number}", books.plan(standing="1"))
    books.run()
    monkeypatch.setattr(csv_file, "MOST_BILLS", 2)
    monkeypatch.setattr(csv_file, "AT_ONCE", 2)
    with books.database.reading(books.org_id) as tx:
        check_size(tx, Wanted(ExternalSystem.STANDARD, JAN, FEB))  # 31 days
        check_size(tx, Wanted(ExternalSystem.STANDARD, None, JAN))  # no bills
        with pytest.raises(TooManyBillsToDownload, match="3 bills"):
            check_size(tx, Wanted(ExternalSystem.STANDARD, JAN, MAR))
        pieces = b"".join(csv_pieces(tx, Wanted(ExternalSystem.XERO, JAN, datetime(2024, 2, 2, tzinfo=UTC))))
    rows = pieces.decode().splitlines()
    assert len(rows) == 1 + 3
    assert {len(row.split(",")) for row in rows} == {len(XERO_COLUMNS)}
