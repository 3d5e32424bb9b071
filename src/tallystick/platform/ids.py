"""Fresh ids: UUIDs of version 7, so that newest first is descending id order."""

import os
import random
import threading

from tallystick.platform.clock import unix_time_ns

_TAIL_BITS = 74  # what RFC 9562 leaves free after time, version and variant
_STEP_BITS = 32  # ids of one millisecond stay 1 to 2**32 apart: ordered, and not simply counted up


class _Sequence:
    """Ids that only ever grow, within one process."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew; a forked child does, for it must not repeat its parent's ids."""
        self._lock = threading.Lock()
        self._last = 0  # milliseconds << 74 | tail

    def next(self) -> int:
        """Give a number above every one before: milliseconds and, below them, 74 random bits."""
        milliseconds = unix_time_ns() // 1_000_000
        with self._lock:
            if milliseconds > self._last >> _TAIL_BITS:
                self._last = milliseconds << _TAIL_BITS | int.from_bytes(os.urandom(9)) << 1
            else:  # the same millisecond, or a clock set back
                self._last += 1 + random.getrandbits(_STEP_BITS)
            return self._last


_sequence = _Sequence()
os.register_at_fork(after_in_child=_sequence.restart)


def new_id() -> str:
    """Make an id: a UUIDv7 string greater than every one this process made before. Thread-safe."""
    number = _sequence.next()
    tail = number & (1 << _TAIL_BITS) - 1
    bits = (number >> _TAIL_BITS) << 80 | (0x7000 | tail >> 62) << 64 | 0x8 << 60 | tail & (1 << 62) - 1
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
