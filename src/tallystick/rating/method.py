"""How the measurements of a window become one quantity (semantics §9)."""

from enum import StrEnum


class Method(StrEnum):
    """How values become one; CUSTOM_SQL says it in its own words."""

    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    COUNT = "COUNT"
    LATEST = "LATEST"
    MEAN = "MEAN"
    UNIQUE = "UNIQUE"
    CUSTOM_SQL = "CUSTOM_SQL"
    TIME_WEIGHTED = "TIME_WEIGHTED"
    "Beyond the original API: unit-hours, each level held until the next one or the window's end."
