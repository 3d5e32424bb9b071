"""Slow down whoever guesses: failed log-ins, counted by name and by address, in this process's memory."""

import ipaddress
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from tallystick.kernel.clock import Clock
from tallystick.organizations.errors import TooManyAttempts

WINDOW = timedelta(minutes=15)
LONGEST_DELAY_DOUBLINGS = 8
"256 seconds."
MAX_TRACKED = 10_000
IPV6_NETWORK_BITS = 64
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class _Limit:
    """`free` failures within the window cost nothing; then the wait is 1 s, and doubles with each."""

    free: int

    def open_again(self, failures: "deque[datetime]") -> datetime | None:
        """Give the instant from which another attempt is heard; None: any time."""
        over = len(failures) - self.free
        if over < 0:
            return None
        return failures[-1] + timedelta(seconds=1 << min(over, LONGEST_DELAY_DOUBLINGS))


class Throttle:
    """Counts failed attempts. Thread-safe; forgets the longest untouched beyond MAX_TRACKED names."""

    def __init__(self, clock: Clock, *, free_by_name: int = 5, free_by_address: int = 50) -> None:
        self._clock = clock
        self._limits = {"name": _Limit(free_by_name), "address": _Limit(free_by_address)}
        self._failures: dict[tuple[str, str], deque[datetime]] = {}
        self._lock = threading.Lock()

    def attempt(self, name: str, address: str) -> None:
        """Let an attempt through and count it as failed until `succeeded` says otherwise.

        Counted first, so that a burst of simultaneous guesses gets no more than its share.
        name: the key id or e-mail that is tried. address: where from; "" is not counted.
        Raises TooManyAttempts with `retry_after_s`; a refused attempt does not lengthen the wait.
        """
        now = self._clock.now()
        with self._lock:
            keys = _keys(name, address)
            waits = [wait for key in keys if (wait := self._wait(key, now)) > timedelta(0)]
            if waits:
                raise TooManyAttempts(-(-max(waits) // _SECOND))
            for key in keys:
                self._note(key, now)

    def succeeded(self, name: str, address: str) -> None:
        """Forgive the name all its failures, and the address this one."""
        with self._lock:
            for key in _keys(name, address):
                failures = self._failures.get(key)
                if key[0] == "name" or (failures is not None and len(failures) <= 1):
                    self._failures.pop(key, None)
                elif failures is not None:
                    failures.pop()

    def forget(self) -> None:
        """Forgive everybody everything."""
        with self._lock:
            self._failures.clear()

    def _wait(self, key: tuple[str, str], now: datetime) -> timedelta:
        failures = self._failures.get(key)
        if failures is None:
            return timedelta(0)
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        until = self._limits[key[0]].open_again(failures) if failures else None
        return until - now if until else timedelta(0)

    def _note(self, key: tuple[str, str], now: datetime) -> None:
        failures = self._failures.pop(key, None)  # put back last: the dict's order is the order of touching
        if failures is None:
            failures = deque(maxlen=self._limits[key[0]].free + LONGEST_DELAY_DOUBLINGS)
        failures.append(now)
        self._failures[key] = failures
        if len(self._failures) > MAX_TRACKED:
            del self._failures[next(iter(self._failures))]


def _keys(name: str, address: str) -> list[tuple[str, str]]:
    keys = [("name", name[:320])]
    return [*keys, ("address", network_of(address))] if address else keys


def network_of(address: str) -> str:
    """Give the network that one subscriber holds: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:  # noqa: PLR2004 - IPv4
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))
