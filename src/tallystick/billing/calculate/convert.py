"""Step: convert each line to the billing currency and round it there."""

import msgspec

from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import BillInputs
from tallystick.billing.derivation import ConversionFrom
from tallystick.kernel.decimals import round_to


def convert_lines(draft: Draft) -> Draft:
    """Multiply each line by its rate and round it once, by the billing currency's places and mode.

    Bands stay exact. Raises NoConversionRate, UnknownCurrency, RoundingNecessary. Rule: semantics §25.
    """
    return draft.with_lines(converted(draft.inputs, line) for line in draft.lines)


def converted(inputs: BillInputs, line: DraftLine) -> DraftLine:
    """Give a line with its rate and its rounded amount in the billing currency."""
    rate, rule = inputs.rate_from(line.currency), inputs.rounding
    amount = round_to(line.subtotal * rate, rule.places, rule.mode)
    why = ConversionFrom(
        exact=line.subtotal,
        from_currency=line.currency,
        to_currency=inputs.currency,
        rate=rate,
        places=rule.places,
        mode=rule.mode,
        converted=amount,
    )
    derivation = msgspec.structs.replace(line.derivation, conversion=why)
    return msgspec.structs.replace(line, conversion_rate=rate, converted=amount, derivation=derivation)
