"""An organization whose server is killed at random moments; requests are made until they are answered."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.support.process import Process, bootstrap
from tests.support.world import Api

KILL_WITHIN_S = 0.3
"Enough for a bill run to be under way, and little enough to hit single requests too."
MOVED_WITHIN_S = 60


class CrashingWorld(Api):
    """A fresh organization on a server of its own, with a test clock.

    A request that got no answer is made again, a POST under the same idempotency key: so all of it must have
    happened once, whether the server died before, during or after the work.
    """

    def __init__(self, home: Path, random: Random, *, requests_per_crash: int) -> None:
        """Start a server. home: a new folder. requests_per_crash: on average."""
        self.crashes = 0
        self._home, self._random, self._odds = home, random, 1 / requests_per_crash
        self._killer: threading.Timer | None = None
        self._now = datetime(2020, 1, 1, tzinfo=UTC)
        made = bootstrap(home)
        self._server = Process.start(home)
        super().__init__(self._server.url, made["orgId"], made["accessKeyId"], made["apiSecret"])

    def close(self) -> None:
        """Stop the server; a kill that is still to come is not waited for."""
        if self._killer is not None:
            self._killer.cancel()
        super().close()
        if self._server.popen.poll() is None:
            self._server.stop()

    def now(self) -> datetime:
        """Give the present instant of the organization."""
        return self._now

    def at(self, moment: str) -> Self:
        """Move the test clock on to a date or an instant, UTC, and wait until all that falls due is done."""
        self._now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        state = self.put("testclock", {"now": moment + "Z"})
        deadline = time.monotonic() + MOVED_WITHIN_S
        while state["status"] == "ADVANCING":
            assert time.monotonic() < deadline, state
            time.sleep(0.02)
            state = self.get("testclock")
        assert state["status"] == "READY", state
        return self

    def call(self, method: str, path: str, *, expect: int = 200, body: Any = None, **more: Any) -> Any:
        """Make a call until it is answered."""
        headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
        asked = {"headers": headers, **more} if method == "POST" else more
        if self._random.random() < self._odds and self._killer is None:
            self._killer = threading.Timer(self._random.uniform(0, KILL_WITHIN_S), self._server.kill)
            self._killer.start()
        while True:
            try:
                return super().call(method, path, expect=expect, body=body, **asked)
            except httpx.TransportError:
                self._start_again()

    def _start_again(self) -> None:
        assert self._killer is not None, "the server died by itself"
        self._killer.join()
        self._killer = None
        self.crashes += 1
        self._server = Process.start(self._home)
        self.http.close()
        self.http = httpx.Client(base_url=self._server.url, auth=self._auth, timeout=60)
