"""What the person who measures chose."""

from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """quick: smaller and shorter, to see that everything works. folder: the disk to measure."""

    quick: bool = False
    folder: Path | None = None
    flights: Path | None = None

    def seconds(self, whole: float) -> float:
        """Give how long to measure something that is measured for `whole` seconds."""
        return whole / 4 if self.quick else whole
