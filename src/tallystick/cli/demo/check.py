"""Comparing what was billed with what the file says, to the last cent and the last mile."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.cli.billing import Bill
from tallystick.cli.demo.flights import Expected
from tallystick.cli.demo.prices import ACCESS

NOTHING = Expected(0, 0)


class Sums(msgspec.Struct, frozen=True, rename="camel"):
    """What one side of the comparison adds up to."""

    bills: int
    lines: int
    flights: Decimal
    miles: Decimal
    amount: Decimal


def billed_sums(bills: Iterable[Bill]) -> Sums:
    """Add up the bills."""
    bills = list(bills)
    lines = [line for bill in bills for line in bill["lineItems"]]
    return Sums(
        bills=len(bills),
        lines=len(lines),
        flights=sum((Decimal(x["quantity"]) for x in lines if x["description"] == "Flights"), Decimal(0)),
        miles=sum((Decimal(x["quantity"]) for x in lines if x["description"] == "Miles"), Decimal(0)),
        amount=sum((Decimal(bill["billTotal"]) for bill in bills), Decimal(0)),
    )


def expected_sums(expected: Mapping[str, Expected], airports: int) -> Sums:
    """Add up what the file says of a month: every airport has a bill, also one that nobody left."""
    month = list(expected.values())
    quiet = airports - len(month)
    return Sums(
        bills=airports,
        lines=airports + 2 * len(month),
        flights=Decimal(sum(airport.flights for airport in month)),
        miles=Decimal(sum(airport.miles for airport in month)),
        amount=sum((airport.total for airport in month), ACCESS * quiet),
    )


def differences(bills: Iterable[Bill], expected: Mapping[str, Expected]) -> Iterator[str]:
    """Compare each line of each bill; nothing is given when all are equal."""
    seen: set[str] = set()
    for bill in bills:
        code = bill["accountCode"]
        if code in seen:
            yield f"{code}: more than one bill"
        seen.add(code)
        yield from _bill_differences(code, bill, expected.get(code, NOTHING))
    for code in sorted(set(expected) - seen):
        yield f"{code}: no bill"


def _bill_differences(code: str, bill: Bill, owed: Expected) -> Iterator[str]:
    lines: dict[str, dict[str, Any]] = {line["description"]: line for line in bill["lineItems"]}
    for name, quantity, amount in (
        ("Airport access", None, ACCESS),
        ("Flights", owed.flights, owed.for_flights),
        ("Miles", owed.miles, owed.for_miles),
    ):
        line = lines.get(name)
        if line is None:
            if amount:
                yield f"{code}: no line for {name}, {amount} expected"
        elif quantity is not None and Decimal(line["quantity"]) != quantity:
            yield f"{code}: {line['quantity']} {name} billed, {quantity} in the file"
        elif Decimal(line["convertedSubtotal"]) != amount:
            yield f"{code}: {name} cost {line['convertedSubtotal']}, {amount} expected"
    if Decimal(bill["billTotal"]) != owed.total:
        yield f"{code}: the total is {bill['billTotal']}, {owed.total} expected"
