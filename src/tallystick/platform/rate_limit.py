"""How often something may be asked: a token bucket for each key, in this process's memory."""

import threading
from datetime import datetime, timedelta

import msgspec

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import TooMany

MOST_KEYS = 10_000
_SECOND = timedelta(seconds=1)


class TooManyRequests(TooMany):
    """An organization, or an address, asks more often than it may; `retry_after_s` says when to come back."""

    code = "too_many_requests"


class Rate(msgspec.Struct, frozen=True):
    """A bucket of `burst` tokens that gets `tokens` back in `window_s` seconds, evenly (semantics §1)."""

    tokens: int
    burst: int
    window_s: int = 1

    @property
    def token(self) -> timedelta:
        """The time in which one token comes back."""
        return _SECOND * self.window_s / self.tokens

    def take(self, full_at: datetime | None, now: datetime) -> tuple[datetime, timedelta]:
        """Take one token of a bucket that is full again at `full_at` (None: is full). Pure.

        Gives when it is full again after this, and how long the caller has to wait first: nothing was taken
        unless that is zero. A clock that was set back never makes anyone wait longer than an empty bucket.
        """
        empty_until = now + self.token * self.burst
        level = min(max(full_at or now, now), empty_until)
        after = level + self.token
        if after > empty_until:
            return level, after - empty_until
        return after, timedelta(0)


class RateLimit:
    """Holds every key to one rate. Thread-safe; beyond MOST_KEYS it forgets the full buckets."""

    def __init__(self, clock: Clock, rate: Rate) -> None:
        self._clock = clock
        self._rate = rate
        self._full_at: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Let a request of `key` through. Raises TooManyRequests with `retry_after_s`."""
        now = self._clock.now()
        with self._lock:
            full_at, wait = self._rate.take(self._full_at.get(key), now)
            self._full_at[key] = full_at
            if len(self._full_at) > MOST_KEYS:
                self._forget_full(now)
        if wait:
            rate = self._rate
            window = "a second" if rate.window_s == 1 else f"in {rate.window_s} seconds"
            often = f"At most {rate.tokens} requests {window}, {rate.burst} at once."
            message = f"{often} Wait, then send it again."
            raise TooManyRequests(message, retry_after_s=-(-wait // _SECOND))

    def _forget_full(self, now: datetime) -> None:
        """Drop the buckets that are full: as good as never used."""
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
