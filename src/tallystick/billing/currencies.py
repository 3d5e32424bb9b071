"""How amounts of an organization's currencies are rounded."""

from tallystick.billing.calculate.inputs import CurrencyRule
from tallystick.organizations.currency import Currency
from tallystick.platform.resources import Transaction


def currency_rules(tx: Transaction) -> dict[str, CurrencyRule]:
    """Give the decimal places and the rounding of each currency, by its code."""
    return {c.code or c.name: CurrencyRule(c.max_decimal_places, c.rounding_mode) for c in tx.find(Currency)}
