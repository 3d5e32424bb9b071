"""The demo's own arithmetic, against sums that data/README.md states."""

from decimal import Decimal
from typing import Any

import pytest

from tallystick.cli.demo.check import billed_sums, differences, expected_sums
from tallystick.cli.demo.flights import Expected, find_flights, read_flights, tiered
from tallystick.cli.demo.prices import FLIGHT_TIERS, MILE_TIERS

D = Decimal


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        pytest.param(0, "0.00", id="nothing costs nothing"),
        pytest.param(100, "1400.00", id="on a limit: 100 x 14"),
        pytest.param(101, "1411.50", id="one above: 100 x 14 + 1 x 11.50"),
        pytest.param(1099, "11540.75", id="ORD: 100 x 14 + 400 x 11.50 + 599 x 9.25"),
    ],
)
def test_tiers(quantity: int, amount: str) -> None:
    assert tiered(quantity, FLIGHT_TIERS) == D(amount)


def test_miles_round_half_up() -> None:
    # ORD: 100,000 x 0.0125 + 400,000 x 0.0095 + 355,323 x 0.008 = 7,892.584
    assert tiered(855_323, MILE_TIERS) == D("7892.58")
    assert tiered(2, ((0, D("0.0025")),)) == D("0.01")


def test_the_file_adds_up_to_what_is_stated() -> None:
    flights = read_flights(find_flights(None))
    assert (flights.rows, flights.months, len(flights.airports)) == (20_000, ["2001-01"], 220)
    january = flights.expected["2001-01"]
    assert january["ORD"] == Expected(1099, 855_323)
    sums = expected_sums(january, 220)
    assert (sums.bills, sums.lines, sums.flights, sums.miles) == (220, 660, D(20_000), D(14_570_172))


def bill(code: str, flights: str, miles: str, total: str) -> dict[str, Any]:
    def line(name: str, quantity: str, amount: str) -> dict[str, Any]:
        return {"description": name, "quantity": D(quantity), "convertedSubtotal": D(amount)}

    lines = [line("Airport access", "1", "250"), line("Flights", flights, "14"), line("Miles", miles, "1.25")]
    return {"accountCode": code, "lineItems": lines, "billTotal": D(total)}


ONE = {"XYZ": Expected(1, 100)}  # 250 + 14 + 1.25


def test_equal_bills_give_no_difference() -> None:
    right = bill("XYZ", "1", "100", "265.25")
    assert list(differences([right], ONE)) == []
    assert billed_sums([right]) == expected_sums(ONE, 1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (bill("XYZ", "2", "100", "265.25"), "XYZ: 2 Flights billed, 1 in the file"),
        (bill("XYZ", "1", "101", "265.25"), "XYZ: 101 Miles billed, 100 in the file"),
        (bill("XYZ", "1", "100", "265.26"), "XYZ: the total is 265.26, 265.25 expected"),
        (bill("ABC", "1", "100", "265.25"), "XYZ: no bill"),
    ],
)
def test_each_difference_is_found(wrong: dict[str, Any], says: str) -> None:
    assert says in list(differences([wrong], ONE))
