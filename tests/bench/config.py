"""Configuration over HTTP: reads and creates of products from 1 and 8 clients that keep their connection.

Then the public SDK's habit: a token exchange before every request. A create commits a durable transaction
with its event.
"""

import itertools
import json
from collections.abc import Callable, Iterator

from tests.bench.client import Client, Operation, drive, token_request
from tests.bench.figures import Figure, check, waits
from tests.bench.options import Options
from tests.bench.server import Server, new_home

CLIENTS = (1, 8)
TARGET_PER_S = 1200
TARGET_TOKEN_MS = 2
_numbers = itertools.count()


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    with new_home(options.folder) as home, home.served() as server:
        with server.client() as client:
            product = client.post("products", {"name": "Air", "code": "air"})["id"]
        token = token_request(home.key, home.secret)

        def read(client: Client) -> Operation:
            return _repeated(client, client.request("GET", f"products/{product}"))

        def in_turn(client: Client) -> Operation:
            return _in_turn(read(client), _create(client))

        def with_token(client: Client) -> Operation:
            return _both(_repeated(client, token), read(client))

        _measure(server, "warm-up", in_turn, 8, options.seconds(2))
        for clients in CLIENTS:
            yield _measure(server, "GET one", read, clients, options.seconds(6))
            yield _measure(server, "POST", _create, clients, options.seconds(6))
            target = TARGET_PER_S if clients > 1 else None
            yield _measure(server, "GET and POST in turn", in_turn, clients, options.seconds(6), target)
            yield _measure(server, "token exchange, then GET", with_token, clients, options.seconds(6))
        yield _tokens(server, token, options.seconds(6))


def _measure(
    server: Server,
    name: str,
    operation: Callable[[Client], Operation],
    clients: int,
    seconds: float,
    target: int | None = None,
) -> Figure:
    opened = [server.client() for _ in range(clients)]
    driven = drive([operation(client) for client in opened], seconds)
    for client in opened:
        client.close()
    return Figure(
        name=f"config: {name}, {clients} {'client' if clients == 1 else 'clients'}",
        value=round(driven.per_s),
        unit="requests/s" if "then" not in name else "pairs/s",
        at_least=target,
        client_cores=driven.client_cores,
        waits=waits(driven.waits),
    )


def _tokens(server: Server, token: bytes, seconds: float) -> Figure:
    with server.client() as client:
        driven = drive([_repeated(client, token)], seconds)
    spread = waits(driven.waits)
    return Figure(
        name="config: token exchange, 1 client",
        value=spread.median_ms,
        unit="ms",
        at_most=TARGET_TOKEN_MS,
        waits=spread,
    )


def _repeated(client: Client, request: bytes) -> Operation:
    def send() -> None:
        status, answer = client.exchange(request)
        check(status == 200, f"answered {status}: {answer[:500]!r}")

    return send


def _create(client: Client) -> Operation:
    def create() -> None:
        number = next(_numbers)
        body = json.dumps({"name": f"Product {number}", "code": f"p{number}"}).encode()
        status, answer = client.exchange(client.request("POST", "products", body))
        check(status == 200, f"answered {status}: {answer[:500]!r}")

    return create


def _in_turn(*operations: Operation) -> Operation:
    turns = itertools.cycle(operations)
    return lambda: next(turns)()  # noqa: PLW0108 - the next one at every call


def _both(first: Operation, second: Operation) -> Operation:
    def both() -> None:
        first()
        second()

    return both
