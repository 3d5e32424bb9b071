"""Small requests to servers that an organization or the operator names, from a thread that waits for them.

The rules are those of `http_out`. A whole answer or none: one that is long, slow or cut off is a failure.
"""

import asyncio
import threading
from collections.abc import Mapping
from typing import Final

import msgspec

from tallystick.kernel.errors import Unavailable
from tallystick.platform.addresses import Allowed
from tallystick.platform.http_out import AddressRefused, Answer, HttpOut, NoAnswer

TIMEOUT_S: Final = 10.0
"For the whole of a request, name look-up and answer included."
PLACES: Final = 8
"So many requests are under way at once, far fewer than the server has threads."
MOST_ANSWER_BYTES: Final = 1_000_000


class FetchFailed(Unavailable):
    """A server that an organization or the operator named did not answer as it should."""

    code = "fetch_failed"


class Fetched(msgspec.Struct, frozen=True):
    """What was answered."""

    status: int
    body: bytes


class Fetch:
    """Makes requests. Thread-safe. allowed: which inner addresses may be called."""

    def __init__(self, allowed: Allowed, *, timeout_s: float = TIMEOUT_S, places: int = PLACES) -> None:
        self._out = HttpOut(allowed, timeout_s=timeout_s, most_bytes=MOST_ANSWER_BYTES)
        self._places = threading.BoundedSemaphore(places)

    def get(self, url: str) -> Fetched:
        """Read a URL. Raises FetchFailed."""
        return self._request("GET", url, {"Accept": "application/json"}, b"")

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Send a body. Raises FetchFailed."""
        return self._request("POST", url, headers, body)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Make a request if there is a place: nobody's slow server holds all of our threads."""
        if not self._places.acquire(blocking=False):
            raise FetchFailed("Too many servers are being waited for. Try again in a few seconds.")
        try:
            answer: Answer = asyncio.run(self._out.request(method, url, headers, body))
        except (NoAnswer, AddressRefused) as error:
            raise FetchFailed(f"{url} did not answer: {error}") from error
        finally:
            self._places.release()
        if answer.is_cut:
            raise FetchFailed(f"{url} did not answer: more than {MOST_ANSWER_BYTES:,} bytes came")
        return Fetched(answer.status, answer.content)
