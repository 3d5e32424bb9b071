"""One fault of a request, by the path of the field that has it."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """A fault a person can mend: where it is, its public code, and what to do.

    field: path in the caller's own names, such as `pricingBands[1].lowerLimit`; "" is the whole body.
    """

    field: str
    code: str
    message: str
