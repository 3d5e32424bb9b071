"""Durable ingest over HTTP: batches of 1,000 flights from 1, 4 and 16 clients; then the stored are counted.

Every client waits for its acknowledgement before it sends its next batch. Bodies are written before;
only the uids, 32 random hex digits each, are put in anew. Only acknowledged measurements count.
"""

import json
import os
from collections.abc import Iterator

import numpy as np

from tests.bench.catalogue import make_meter
from tests.bench.client import Client, Operation, drive
from tests.bench.figures import Figure, check, waits
from tests.bench.options import Options
from tests.bench.server import Server, apart, new_home
from tests.bench.stored import AIRPORTS, count

ROWS = 1000
CLIENTS = (1, 4, 16)
TARGET_PER_S = 60_000
ACCOUNTS = 230
_UID = "0" * 32
_RANDOM = np.random.default_rng(1)


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    with new_home(options.folder) as home:
        with home.served() as server:
            with server.client() as client:
                make_meter(client)
            sent = _send(server, 4, options.seconds(2), [])  # makes the accounts, and warms everything up
            for clients in CLIENTS:
                figures: list[Figure] = []
                sent += _send(server, clients, options.seconds(20), figures)
                yield from figures
        stored = apart(count, home.path / "usage", home.org_id)
        check(stored == sent, f"{sent} measurements were acknowledged, but {stored} are stored")
        yield Figure(name="ingest: stored = acknowledged", value=stored, unit="events")


def _send(server: Server, clients: int, seconds: float, figures: list[Figure]) -> int:
    """Let clients send; give how many measurements were acknowledged."""
    opened = [server.client() for _ in range(clients)]
    driven = drive([_sender(client) for client in opened], seconds)
    for client in opened:
        client.close()
    sent = len(driven.waits) * ROWS
    figures.append(
        Figure(
            name=f"ingest: {clients} {'client' if clients == 1 else 'clients'}",
            value=round(sent / driven.wall_s),
            unit="events/s",
            at_least=TARGET_PER_S if clients == max(CLIENTS) else None,
            client_cores=driven.client_cores,
            waits=waits(driven.waits),
        )
    )
    return sent


def _sender(client: Client) -> Operation:
    """Make an operation that sends one batch of new uids."""
    batches = [Batch(client) for _ in range(4)]
    turn = 0

    def send() -> None:
        nonlocal turn
        turn += 1
        status, answer = client.exchange(batches[turn % len(batches)].renewed())
        check(status == 200, f"a batch was answered {status}: {answer[:500]!r}")

    return send


class Batch:
    """A request of 1,000 flights, whose uids are replaced in place."""

    def __init__(self, client: Client) -> None:
        body = json.dumps({"measurements": [_flight() for _ in range(ROWS)]}, separators=(",", ":")).encode()
        self._request = bytearray(client.request("POST", "measurements", body))
        text = bytes(self._request)
        starts, at = [], text.find(_UID.encode())
        while at >= 0:
            starts.append(at)
            at = text.find(_UID.encode(), at + len(_UID))
        self._letters = np.frombuffer(self._request, np.uint8)
        self._places = (np.array(starts)[:, None] + np.arange(len(_UID))).ravel()

    def renewed(self) -> bytearray:
        """Give the request with uids that were never sent."""
        self._letters[self._places] = np.frombuffer(os.urandom(16 * ROWS).hex().encode(), np.uint8)
        return self._request


def _flight() -> dict[str, object]:
    day, minute = int(_RANDOM.integers(1, 32)), int(_RANDOM.integers(0, 24 * 60))
    return {
        "uid": _UID,
        "meter": "flights",
        "account": f"A{int(_RANDOM.random() ** 3 * ACCOUNTS):03}",
        "ts": f"2025-01-{day:02}T{minute // 60:02}:{minute % 60:02}:00Z",
        "measure": {"distance": int(_RANDOM.integers(60, 2600)), "delay": int(_RANDOM.integers(-20, 180))},
        "where": {"destination": str(_RANDOM.choice(AIRPORTS))},
    }
