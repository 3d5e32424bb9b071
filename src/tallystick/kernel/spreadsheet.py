"""Text as a spreadsheet shows it and never calculates it."""

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell_text(text: str | None) -> str:
    """Give a text for a cell of a CSV file; what a spreadsheet would take for a formula gets a `'`."""
    shown = text or ""
    return f"'{shown}" if shown.startswith(_STARTS_A_FORMULA) else shown
