"""Which accounts an integration is for (semantics §29)."""

from decimal import Decimal
from typing import Any

import pytest

from tallystick.integrations.account_filter import BadAccountFilter, account_facts, read_account_filter

ACME: dict[str, Any] = {
    "id": "0192c3a0-0000-7000-8000-000000000001",
    "name": "Acme Ltd.",
    "code": "acme-1",
    "currency": "USD",
    "address": {"country": "US", "locality": "New York"},
    "customFields": {"tier": "gold", "seats": Decimal("10.0"), "or": "x"},
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("address.country == US", True),  # semantics §29
        ("address.country == 'US'", True),
        ('address.locality == "New York"', True),
        ("address.country == us", False),
        ("address.country != DE", True),
        ("address.region == NY", False),
        ("address.region != NY", True),
        ("currency == USD AND customFields.tier == gold", True),
        ("currency == EUR OR customFields.tier == gold", True),
        ("currency == EUR or (customFields.tier == gold and accountCode == acme-1)", True),
        ("currency == USD AND NOT accountName == 'Acme Ltd.'", False),
        ("currency == EUR AND currency == USD OR currency == USD", True),
        ("customFields.seats == 10", True),
        ("customFields.seats > 9.5", True),
        ("customFields.seats >= 11", False),
        ("customFields.missing > 1", False),
        ("customFields.or == x", True),
        ("customFields.tier == currency", False),
        ("id == 0192c3a0-0000-7000-8000-000000000001", True),
    ],
)
def test_filters(text: str, meant: bool) -> None:  # noqa: FBT001 - a table's column
    assert read_account_filter(text)(account_facts(ACME)) is meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "country == US",
        "address.planet == Mars",
        "address.country = US",
        "address.country == ",
        "currency == USD AND",
    ],
)
def test_refusals(text: str) -> None:
    with pytest.raises(BadAccountFilter):
        read_account_filter(text)
