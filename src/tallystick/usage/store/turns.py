"""Whose turn it is to write: what several processes that fill one store tell each other."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tallystick.usage.dedupe import Words


class Announced(msgspec.Struct, frozen=True):
    """The uids of a group that another process was about to store. last_us: its latest receipt."""

    hashes: Words
    last_us: int


class Turns(Protocol):
    """Lets the writers of one store write one after the other, each knowing what the others wrote.

    Every method raises Unavailable when the turn cannot be had now.
    """

    def read_from_here(self) -> None:
        """Hear before the store is read: what comes after this moment is told by `begin`."""
        ...

    def begin(self) -> Sequence[Announced] | None:
        """Wait for the turn, or keep it; give what others announced since the last one.

        None: the last one was so long ago that the store has to be read anew; then the turn is not had.
        """
        ...

    def holds(self) -> bool:
        """Tell whether the turn is still had: whoever lost it must not send anything any more."""
        ...

    def announce(self, hashes: Words, last_us: int) -> None:
        """Make known what will be sent now; it is under way until `ended`."""
        ...

    def ended(self) -> None:
        """Make known that what was announced is stored, or never will be."""
        ...

    def end(self) -> None:
        """Let others write."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Alone:
    """The turns of a store that only this process can open."""

    def read_from_here(self) -> None:
        """Nobody else writes."""

    def begin(self) -> Sequence[Announced]:
        """Nobody else wrote."""
        return ()

    def holds(self) -> bool:
        """Always."""
        return True

    def announce(self, hashes: Words, last_us: int) -> None:
        """Nobody hears it."""

    def ended(self) -> None:
        """Nobody hears it."""

    def end(self) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Nothing is open."""
